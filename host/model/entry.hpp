// An entry: one accepted change of one record, with its sequence in its (stream, lane). It is what
// the journal holds, what targets apply and what links ship. And collapse(): what one marked
// transaction writes for the consecutive entries of one record that it covers; delivery and the
// core both call this one function.
//
// Threads: values.
#pragma once

#include <algorithm>
#include <span>
#include <string>
#include <vector>

#include "host/model/cell.hpp"
#include "host/model/ids.hpp"
#include "host/model/position.hpp"
#include "host/model/version.hpp"

namespace syncline::model {

// Permanent values: they are written to the journal.
enum class EntryKind : uint8_t {
  kSet = 1,     // these cells, of a record that exists; no such row is no error
  kPut = 2,     // the whole record: it exists from here on
  kDelete = 3,  // it exists no longer; cells, if any, are the tombstone's, for peers only
  kNote = 4,    // cells of a tombstone changed: for peers only, nothing for a database
};

struct EntryCell {
  FieldIndex field = 0;  // into Schema::fields; never a key field
  CellState state = CellState::kNull;
  std::string bytes;
  Version version;
  Version base;              // the version its writer had been shown
  uint64_t fingerprint = 0;  // of (state, bytes) under this appliance's secret

  bool operator==(const EntryCell&) const = default;
};

struct Entry {
  DatasetId dataset = 0;
  Sequence sequence = 0;
  KeyHash key_hash;
  std::string key;  // joined (model/key.hpp), as its origin wrote it
  EntryKind kind = EntryKind::kSet;
  uint64_t generation = 0;
  std::vector<EntryCell> cells;   // kPut: every value field; kSet: the changed; kDelete: none
  std::vector<SystemId> targets;  // the systems it must be written to, sorted
  SystemId origin = 0;            // the system whose log showed it here
  int64_t commit_time_us = 0;     // when its origin committed it; for latency
  bool operator==(const Entry&) const = default;
};

// The state that a run of one record's entries leads to. CellType has a member `field`.
template <class CellType>
struct Collapsed {
  EntryKind kind = EntryKind::kSet;
  uint64_t generation = 0;
  std::vector<CellType> cells;  // ordered by field
};

// Adds the next entry of the record to what the run has come to so far. A put or delete replaces
// all before it; a set overlays its cells, except on a delete, where it is nothing. A delete has no
// cells for a database.
template <class CellType>
void collapse_onto(Collapsed<CellType>& run, EntryKind kind, uint64_t generation,
                   std::span<const CellType> cells) {
  run.generation = generation;
  if (kind == EntryKind::kNote) return;
  if (kind != EntryKind::kSet) {
    run.kind = kind;
    run.cells.clear();
    if (kind == EntryKind::kPut) run.cells.assign(cells.begin(), cells.end());
    return;
  }
  if (run.kind == EntryKind::kDelete) return;
  for (const CellType& cell : cells) {
    const auto at = std::lower_bound(
        run.cells.begin(), run.cells.end(), cell.field,
        [](const CellType& known, FieldIndex field) { return known.field < field; });
    if (at != run.cells.end() && at->field == cell.field) {
      *at = cell;
    } else {
      run.cells.insert(at, cell);
    }
  }
}

}  // namespace syncline::model
