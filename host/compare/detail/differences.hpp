// What differs: where it was read, what it looks like by now, and how much of it there is.
//
// Threads: one caller. Errors: those of Source.
#pragma once

#include "host/compare/compare.hpp"
#include "host/model/batch.hpp"

namespace syncline::compare {

// Rows as they are read, in columns.
class BatchSink final : public ports::ChangeSink {
 public:
  explicit BatchSink(const model::Schema& schema) : builder_(schema, 1) {}
  void begin(const ports::TransactionInfo&) override { builder_.begin_transaction({}); }
  void marker(const ports::MarkerRow&) override {}
  void row(const ports::ChangeRow& row) override {
    builder_.add_row(SYN_OP_SNAPSHOT, false, 0, row.cells);
  }
  void end() override {}
  model::Batch finish() { return builder_.finish(); }

 private:
  model::BatchBuilder builder_;
};

// The place in comparison.presences of those sides.
uint32_t number_of_presence(const std::vector<bool>& is_there, Comparison& comparison);

void count_by_place(Comparison& comparison);

// Reads what is at the first places, as much as the limits allow to list.
Result<void> list_differences(const core::DatasetRules& rules, const std::vector<Side>& sides,
                              const Options& options, Comparison& comparison);

}  // namespace syncline::compare
