// The deletion guard's arithmetic: whether a system has lost more of a dataset's records than its
// limit allows. What counts is how far the number of records that the system shows has fallen below
// the highest of the last minutes: records that are replaced do not count, and neither do those
// that we delete there ourselves.
//
// Threads: the step thread's own. The same inputs give the same answers; the highest numbers are
// stored before the tables are, so that a restart does not begin to count anew.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "host/core/rules.hpp"
#include "host/journal/journal.hpp"

namespace syncline::pipeline {

class DeleteGuard {
 public:
  using Id = std::pair<model::SystemId, model::DatasetId>;
  // Between one and two of them are looked back on.
  static constexpr int64_t kWindowUs = 5LL * 60 * 1'000'000;

  struct Loss {
    uint64_t lost = 0;  // of
    uint64_t peak = 0;
  };
  // lost: net, by what is about to be taken, of record_count that the system shows before it.
  Loss look(const Id& id, uint64_t record_count, int64_t lost, int64_t now_us);
  // Records that are gone by our own writes, or by ones that were approved.
  void forgive(const Id& id, uint64_t count);
  // It begins to count anew, behind this group of the journal.
  void forget(const Id& id, journal::GroupNumber group) {
    peaks_.erase(id);
    begins_[id] = group;
  }
  // Whether what a group of the journal took away is to be counted when it is replayed.
  bool counts(const Id& id, journal::GroupNumber group) const {
    const auto begin = begins_.find(id);
    return begin == begins_.end() || group > begin->second;
  }

  std::string snapshot() const;
  void restore(std::string_view bytes);

 private:
  struct Peak {
    int64_t since_us = 0;
    uint64_t now = 0;
    uint64_t before = 0;
  };
  std::map<Id, Peak> peaks_;
  std::map<Id, journal::GroupNumber> begins_;
};

}  // namespace syncline::pipeline
