// One marked transaction in the making: the flows that it takes from, and what each record comes
// to.
//
// Threads: values; a builder is its thread's own. Errors: none.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <boost/container/small_vector.hpp>

#include "host/delivery/pending.hpp"
#include "host/ports/target.hpp"

namespace syncline::delivery {

struct Transaction {
  struct Record {
    const model::Entry* last = nullptr;
    model::Collapsed<model::EntryCell> run;  // its cells: see cells()
    bool is_renewed = false;                 // it is another row than before (lives.hpp)
    std::string_view row_key;  // of the row that becomes its own (lives.hpp); empty: none does
    boost::container::small_vector<const model::Entry*, 1> entries;

    // What is to be written. Of a single entry, as most are, the cells are its own, not copied.
    std::span<const model::EntryCell> cells() const;
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

  void make_room();
  void add(const PendingEntry& pending);
  void sort_by_key();
  void follow_rows();
  void lay_out_writes();

  Transaction transaction_;
  absl::flat_hash_map<RecordKey, size_t, RecordKeyHasher> places_;
  std::vector<std::pair<const Flow*, size_t>> taken_;  // with how many entries
  bool are_rows_moved_ = false;
};

}  // namespace syncline::delivery
