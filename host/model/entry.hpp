// An entry: one accepted change of one record, with its sequence in its (stream, lane). It is what
// the journal holds, what targets apply and what links ship. And collapse(): what one marked
// transaction writes for the consecutive entries of one record that it covers; delivery and the
// core both call this one function.
//
// Threads: values.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

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
  kInsert = 5,  // as kPut, where nobody's row may be written over: one that is there refuses it
};

// Whether an entry of this kind gives the record whole.
constexpr bool is_whole(EntryKind kind) {
  return kind == EntryKind::kPut || kind == EntryKind::kInsert;
}

struct EntryCell {
  FieldIndex field = 0;  // into Schema::fields; never a key field
  CellState state = CellState::kNull;
  std::string bytes;
  Version version;
  Version base;              // the version its writer had been shown
  uint64_t fingerprint = 0;  // of (state, bytes) under this appliance's secret

  bool operator==(const EntryCell&) const = default;
};

// Cells that copies share: an entry and the image of its record mostly hold the same ones. Whoever
// edits a list that others share gets one of its own.
//
// Threads: a value; copies may live on different threads.
class CellList {
 public:
  using value_type = EntryCell;
  using const_iterator = const EntryCell*;

  CellList() = default;
  CellList(std::vector<EntryCell> cells) : list_(cells.empty() ? nullptr : new List) {
    if (list_ != nullptr) list_->cells = std::move(cells);
  }
  CellList(std::initializer_list<EntryCell> cells) : CellList(std::vector<EntryCell>(cells)) {}

  const EntryCell* data() const { return list_ == nullptr ? nullptr : list_->cells.data(); }
  size_t size() const { return list_ == nullptr ? 0 : list_->cells.size(); }
  size_t capacity() const { return list_ == nullptr ? 0 : list_->cells.capacity(); }
  bool empty() const { return size() == 0; }
  const_iterator begin() const { return data(); }
  const_iterator end() const { return data() + size(); }
  const EntryCell& operator[](size_t index) const { return data()[index]; }

  // To change them, in a list that is nobody else's. Good until this one is copied.
  std::vector<EntryCell>& edit() {
    if (list_ == nullptr) {
      list_ = new List;
    } else if (is_shared()) {
      list_ = new List(list_->cells);
    }
    return list_->cells;
  }
  bool is_shared() const { return list_ != nullptr && list_->use_count() > 1; }

  bool operator==(const CellList& other) const {
    return list_ == other.list_ || std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  struct List : boost::intrusive_ref_counter<List> {
    List() = default;
    explicit List(const std::vector<EntryCell>& from) : cells(from) {}
    std::vector<EntryCell> cells;
  };
  boost::intrusive_ptr<List> list_;
};

// Systems, sorted. Mostly one or two, which take no memory of their own.
class Targets : public boost::container::small_vector<SystemId, 2> {
 public:
  using small_vector::small_vector;
  size_t size_on_heap() const { return capacity() > 2 ? capacity() * sizeof(SystemId) : 0; }
  bool operator==(std::span<const SystemId> systems) const {
    return std::equal(begin(), end(), systems.begin(), systems.end());
  }
  bool operator==(const Targets& other) const = default;
};

struct Entry {
  DatasetId dataset = 0;
  Sequence sequence = 0;
  KeyHash key_hash;
  std::string key;  // joined (model/key.hpp), as its origin wrote it
  EntryKind kind = EntryKind::kSet;
  uint64_t generation = 0;
  CellList cells;              // whole: every value field; kSet: the changed; kDelete: none
  Targets targets;             // the systems it must be written to
  SystemId origin = 0;         // the system whose log showed it here
  int64_t commit_time_us = 0;  // when its origin committed it; for latency
  // Where a row's key was changed: of a kPut the record that the row was until then, of a kDelete
  // the one that it is from then on. A target that is given both at once may change the key of its
  // row, with all that is not synced. None: nothing is known of that.
  KeyHash moved_with = {};
  bool operator==(const Entry&) const = default;
};

// The state that a run of one record's entries leads to. CellType has a member `field`.
template <class CellType>
struct Collapsed {
  EntryKind kind = EntryKind::kSet;
  uint64_t generation = 0;
  std::vector<CellType> cells;  // ordered by field
  bool is_new = false;          // it began with an insert: a row that is there is another's

  // Whether nothing is to be done: what the run itself would make is gone again.
  bool is_nothing() const { return is_new && kind == EntryKind::kDelete; }
};

// Adds the next entry of the record to what the run has come to so far. A put, an insert or a
// delete replaces all before it; a set overlays its cells, except on a delete, where it is nothing.
// A delete has no cells for a database. An insert behind the run's own delete or put is a put; a
// put behind its insert is an insert.
template <class CellType>
void collapse_onto(Collapsed<CellType>& run, EntryKind kind, uint64_t generation,
                   std::span<const CellType> cells) {
  run.generation = generation;
  if (kind == EntryKind::kNote) return;
  if (kind != EntryKind::kSet) {
    run.is_new = run.is_new || (kind == EntryKind::kInsert && run.kind == EntryKind::kSet);
    run.kind = kind;
    run.cells.clear();
    if (!is_whole(kind)) return;
    run.kind = run.is_new ? EntryKind::kInsert : EntryKind::kPut;
    run.cells.assign(cells.begin(), cells.end());
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
