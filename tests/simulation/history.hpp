// The oracle: what every user wrote, and what each writer had really seen. It knows nothing of
// versions, lanes or journals.
//
// A value that lands in a system does not always tell who wrote it (NULL, or an old value written
// back), so what was seen is kept twice: what was seen for sure, and what may have been seen. Each
// check takes the side on which it cannot cry wolf.
// Threads: one at a time. Source: World and System of tests/model/core-model.py.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/model/cell.hpp"

namespace syncline::simulation {

inline constexpr size_t kFieldsMax = 2;    // value fields of a simulated dataset
inline constexpr size_t kWritesMax = 512;  // of one cell in one run

using WriteSet = std::bitset<kWritesMax>;
using CellSets = std::array<WriteSet, kFieldsMax>;

struct RecordKey {
  size_t dataset = 0;  // index into Plan::datasets
  std::string key;
  auto operator<=>(const RecordKey&) const = default;
};

// A cell as a system stores it. write: which one it is, where that is known.
struct StoredCell {
  model::Cell cell;
  int64_t tag = 0;
  std::optional<size_t> write;
};

struct StoredRow {
  std::array<StoredCell, kFieldsMax> cells;
  int64_t kept = 0;     // a column that is not synced: its value is no other row's
  size_t line = 0;      // which user's row it is (lineage.hpp); 0: not known
  bool is_own = false;  // its system's users made it where it had no row before

  StoredCell& operator[](size_t field) { return cells[field]; }
  const StoredCell& operator[](size_t field) const { return cells[field]; }
};

enum class Knowledge : uint8_t { kWhole, kPart };

struct Write {
  size_t index = 0;
  int64_t tag = 0;
  int form = 0;
  size_t system = 0;
  size_t line = 0;      // of the row that it was written to
  bool is_own = false;  // as of that row
  int64_t time_us = 0;
  WriteSet past_sure;
  WriteSet past_maybe;
  // The place in its system's log up to which a reader had read when it was first shown this write.
  // None: never yet; the net effect of a stretch may hide it.
  std::optional<uint64_t> shown_at;
};

// A user's delete, of this system's row.
struct Removal {
  size_t system = 0;
  size_t line = 0;
  CellSets seen;                     // what that user had seen for sure, ever
  CellSets row;                      // what the row had been made from, for sure
  std::optional<uint64_t> shown_at;  // as a write's
};

struct Seen {
  CellSets sure;
  CellSets maybe;
};

struct RecordHistory {
  std::array<std::vector<Write>, kFieldsMax> writes;
  std::vector<Removal> deletes;
  CellSets deleted_maybe{};  // what any deleting user may have seen
  std::vector<std::array<std::optional<size_t>, kFieldsMax>> inserts;
  std::map<size_t, Seen> seen;  // by system

  bool has_room() const;
  // Every write that a cell with this tag may be.
  WriteSet candidates(size_t field, int64_t tag) const;
};

class History {
 public:
  // The users of a system see the row as it stands.
  void look(size_t system, const RecordKey& record, const StoredRow& row);
  // A user writes this cell, having seen all that was shown there. Fills the cell's write.
  void write(size_t system, const RecordKey& record, size_t field, int form, int64_t time_us,
             StoredRow& row);
  void insert(const RecordKey& record, const StoredRow& row);
  // Returns which of the record's deletes it is.
  size_t remove(size_t system, const RecordKey& record, const StoredRow& row);

  // A reader that now stands at this place of the log was shown this write, this delete.
  void show(const RecordKey& record, size_t field, size_t write, uint64_t place);
  void show_delete(const RecordKey& record, size_t removal, uint64_t place);
  // A reader lost what it had read of a system's log behind this place. What it will be shown when
  // it reads on may be less: of an update and a delete behind it, read together, the delete alone.
  void forget_shown(size_t system, uint64_t place);

  // What the users of a system know for sure of all that was ever written to the record.
  Knowledge knowledge(size_t system, const RecordKey& record) const;
  // The writes that this value may be of.
  std::vector<Write> writes_of(const RecordKey& record, size_t field, int64_t tag) const;
  // The lines of the rows that they were written to.
  std::set<size_t> lines_of(const RecordKey& record, size_t field, int64_t tag) const;

  bool has_room(const RecordKey& record) const;
  bool knows(const RecordKey& record, size_t field, int64_t tag) const;
  const std::map<RecordKey, RecordHistory>& records() const { return records_; }

 private:
  std::map<RecordKey, RecordHistory> records_;
};

}  // namespace syncline::simulation
