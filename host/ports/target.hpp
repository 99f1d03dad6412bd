// A system we write to: one marked transaction at a time.
//
// Threads: one at a time per Target. Errors of apply: kSystemBusy (nothing was written; try again),
// kMarkerMoved (another writer holds our row: stop this system), kSystemOpen (outcome unknown:
// probe), kSystemFull, kInternal. What concerns one dataset or one row is no error of the call: the
// transaction is rolled back, and ApplyResult names the datasets that cannot be written as their
// tables are (they are looked at anew at the next try), or the row that the system will not take.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/entry.hpp"
#include "host/model/schema.hpp"
#include "host/ports/stop.hpp"

namespace syncline::ports {

struct RecordWrite {
  model::DatasetId dataset = 0;
  std::string_view key;                            // joined key (model/key.hpp)
  model::EntryKind kind = model::EntryKind::kSet;  // kSet, kPut or kDelete
  std::span<const model::EntryCell> cells;         // kPut: every value field; kSet: only these
  // Of a kPut: the joined key of the row that becomes this record's, if that is there and none is
  // under the key; the record that it was is deleted or put in the batch, too. What of it is not
  // synced stays as it is. Else empty.
  std::string_view moved_from = {};
  // Of a kPut: what is under the key before is another row, and is deleted first.
  bool is_replacing = false;
};

// The datasets of these writes for which find(dataset), a Result, has an error.
template <class Find>
std::vector<DatasetStop> stopped_among(std::span<const RecordWrite> writes, const Find& find) {
  std::set<model::DatasetId> seen;
  std::vector<DatasetStop> stops;
  for (const RecordWrite& write : writes) {
    if (!seen.insert(write.dataset).second) continue;
    if (const auto found = find(write.dataset); !found) {
      stops.push_back({write.dataset, found.error()});
    }
  }
  return stops;
}

struct MarkerMove {  // the compare-and-set of one checkpoint row
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence previous = 0;
  model::Sequence next = 0;
};

// One marked transaction. Moves are in (stream, lane) order, writes in key order per dataset.
struct WriteBatch {
  uint32_t epoch = 0;
  std::vector<MarkerMove> moves;
  std::vector<RecordWrite> writes;
  // The log need not show these writes again: what they set is known until their marker comes. A
  // target may keep them out of it only where they have just their effect, store what they are
  // given and set nothing off; its source then says so (MarkerRow::is_quiet).
  bool may_be_quiet = false;
};

struct Poison {
  size_t write_index = 0;  // into WriteBatch::writes
  Error error;
  bool may_pass = false;  // what it refers to, or what refers to it, may be on its way
};

struct ApplyResult {
  size_t rows_written = 0;
  std::optional<Poison> poison;      // set: nothing was written
  std::vector<DatasetStop> stopped;  // any: nothing was written
  // Beside poison: what else of the batch would not be taken, as far as it was looked for.
  std::vector<Poison> other_poisons = {};
};

// Of records that a target found to be refused. REQUIRES: there is one.
inline ApplyResult refused_by(std::vector<Poison> poisons) {
  ApplyResult result{0, std::move(poisons.front()), {}};
  poisons.erase(poisons.begin());
  result.other_poisons = std::move(poisons);
  return result;
}

struct Checkpoint {
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence applied = 0;
};

class Target {
 public:
  virtual ~Target() = default;

  virtual Result<void> open() = 0;
  // Inserts the missing checkpoint rows of this epoch with sequence 0 (raised by plan and resync
  // only) and forgets those of older epochs.
  virtual Result<void> open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                                  size_t lane_count) = 0;
  // Ends what may be left of an earlier session of ours, then reads what it applied.
  virtual Result<std::vector<Checkpoint>> probe(uint32_t epoch) = 0;
  virtual Result<ApplyResult> apply(const WriteBatch& batch) = 0;
};

}  // namespace syncline::ports
