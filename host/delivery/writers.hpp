// The connections that one target is written through, each a Target of its own. What each writes is
// a transaction of its own, of other lanes than the others': no record is in two.
//
// What one of them meets may be of another's making, whose transaction is not committed yet: a
// unique value that it is giving away, a parent row, a lock. So nothing that is met side by side
// counts: it goes together then, through the first, and for some rounds more.
//
// Owner: targets and pool outlive it. Threads: the delivery's own; applies side by side on the
// pool's, without one after another. Errors: those of the first target. One of the others that
// cannot be had is done without, and tried again later.
#pragma once

#include <vector>

#include "host/base/clock.hpp"
#include "host/base/work_pool.hpp"
#include "host/delivery/transaction.hpp"

namespace syncline::delivery {

class Writers {
 public:
  // REQUIRES: there is one; each writes to the same system.
  Writers(std::vector<ports::Target*> targets, WorkPool* pool, Clock& clock);

  Result<void> open(uint32_t epoch, std::span<const model::StreamId> streams, size_t lane_count);
  // Ends what may be left of any, then reads what was applied.
  Result<std::vector<ports::Checkpoint>> probe(uint32_t epoch);

  // Into how many transactions, by lanes, what waits goes in this round. min: the least that is
  // worth one more.
  size_t share(size_t entries, size_t min);
  // One outcome each. REQUIRES: no more of them than share() said.
  std::vector<Result<ports::ApplyResult>> apply(const std::vector<Transaction>& transactions);
  // Something was met side by side.
  void go_together();

  size_t count() const { return usable_.size(); }  // that can be had

 private:
  void open_missing();

  std::vector<ports::Target*> usable_;   // the first always
  std::vector<ports::Target*> missing_;  // of the others
  WorkPool* pool_;
  Clock& clock_;
  size_t together_rounds_ = 0;  // left
  int64_t missing_due_us_ = 0;
};

}  // namespace syncline::delivery
