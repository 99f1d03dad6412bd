// From the messages of a stream to whole transactions, in the order of their commits.
//
// A transaction comes whole at its commit (Begin ... Commit), or, from 14 on, in blocks while it is
// in progress, between blocks of others, until its Stream Commit; what it rolled back meanwhile is
// told by Stream Abort. Either way it is kept in a spool until it has committed.
//
//   message                     state              what happens
//   Begin                       outside            a transaction begins
//   Stream Start                outside            a block of one in progress begins or goes on
//   change, relation            inside             to the spool
//   Commit                      inside a whole one it is complete
//   Stream Stop                 inside a block     outside again
//   Stream Commit               outside            that one is complete
//   Stream Abort                outside            its subtransaction, or all of it, is passed over
//   anything else               the stream is not what it should be: kSystemOpen
//
// Owner: the budget outlives it and what it makes. Threads: one at a time. Errors: kSystemOpen, and
// those of the spool.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "drivers/systems/postgres/detail/pgoutput.hpp"
#include "drivers/systems/postgres/detail/spool.hpp"

namespace syncline::postgres {

struct Transaction {
  explicit Transaction(SpoolBudget& budget) : spool(budget) {}

  Begin begin;
  // Messages. A change is tagged with the (sub)transaction that made it; the description of a
  // relation with a number, for the one that arrived last counts, whatever commits first.
  Spool spool;
  std::set<uint64_t> aborted;  // subtransactions
};

class Assembler {
 public:
  explicit Assembler(SpoolBudget& budget) : budget_(&budget) {}

  // A new stream tells everything anew.
  void reset();
  // The transaction that this message completes.
  Result<std::optional<Transaction>> take(std::string_view message);
  // The rest of a transaction or block is on its way.
  bool is_inside() const { return whole_.has_value() || block_ != nullptr; }

 private:
  Result<void> on_control(std::string_view message, std::optional<Transaction>& complete);
  Result<void> begin(const Begin& begin);
  Result<void> start_block(const StreamStart& start);
  Result<void> commit_streamed(const StreamCommit& commit, std::optional<Transaction>& complete);
  Result<void> abort_streamed(const StreamAbort& abort);
  Result<void> keep(std::string_view message);
  uint64_t tag_of(std::string_view message, uint32_t xid);

  SpoolBudget* budget_;
  std::optional<Transaction> whole_;
  std::map<uint32_t, Transaction> streamed_;  // by the number of the whole
  Transaction* block_ = nullptr;              // of streamed_, whose block is open
  std::string plain_;                         // a message without its transaction's number
  uint64_t description_count_ = 0;
};

}  // namespace syncline::postgres
