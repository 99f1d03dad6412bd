// One marked transaction in the making: the flows that it takes from, and what each record comes
// to.
//
// Threads: values; a builder is its thread's own. Errors: none.
#pragma once

#include <string_view>
#include <unordered_map>
#include <vector>

#include "host/delivery/pending.hpp"
#include "host/ports/target.hpp"

namespace syncline::delivery {

struct Transaction {
  struct Record {
    const model::Entry* last = nullptr;
    model::Collapsed<model::EntryCell> run;
    // Where a row's key was changed (Entry::moved_with): the record that its row was, if it has
    // come here with the run; that which its first row here became; and that which the one it has
    // now was. None: none.
    model::KeyHash first_from;
    model::KeyHash first_to;
    model::KeyHash moved_from;
    bool is_there = false;     // it has a row, as far as the run knows
    bool has_ended = false;    // its first one is gone
    std::string_view row_key;  // of the row that becomes its own; finish() finds it
    std::vector<const model::Entry*> entries;
  };
  struct Part {
    FlowId flow;
    size_t entry_count = 0;
  };
  std::vector<Part> parts;
  std::vector<Record> records;  // in the order of batch.writes
  ports::WriteBatch batch;
  size_t entry_count = 0;
  size_t skipped_count = 0;
  size_t nothing_count = 0;  // of the runs that make a record and end it: nothing is written
};

// Collects entries; finish() lays out moves and writes in the order the target wants them.
class TransactionBuilder {
 public:
  void take(const FlowId& id, const Flow& flow, size_t count);
  Transaction finish(uint32_t epoch);

 private:
  struct RecordKey {
    model::DatasetId dataset;
    model::KeyHash hash;
    bool operator==(const RecordKey&) const = default;
  };
  struct RecordKeyHasher {
    size_t operator()(const RecordKey& key) const { return key.hash.low ^ key.dataset; }
  };

  void add(const PendingEntry& pending);
  std::string_view key_of_row(const Transaction::Record& record) const;
  void lay_out_writes();

  Transaction transaction_;
  std::unordered_map<RecordKey, size_t, RecordKeyHasher> places_;
};

}  // namespace syncline::delivery
