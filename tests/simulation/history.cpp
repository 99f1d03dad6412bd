#include "tests/simulation/history.hpp"

#include <algorithm>
#include <iterator>

namespace syncline::simulation {

namespace {

struct Origin {  // what stands behind a cell's value
  WriteSet sure;
  WriteSet maybe;
};

WriteSet with(const WriteSet& past, size_t index) {
  WriteSet set = past;
  set.set(index);
  return set;
}

Origin origin_of(const RecordHistory& record, size_t field, const StoredCell& cell) {
  if (cell.write) {
    const Write& write = record.writes[field][*cell.write];
    return {with(write.past_sure, write.index), with(write.past_maybe, write.index)};
  }
  Origin origin;
  origin.sure.set();
  bool is_known = false;
  for (const Write& write : record.writes[field]) {
    if (write.tag != cell.tag) continue;
    is_known = true;
    origin.sure &= with(write.past_sure, write.index);
    origin.maybe |= with(write.past_maybe, write.index);
  }
  if (!is_known) origin.sure.reset();
  return origin;
}

void show_at(std::optional<uint64_t>& shown_at, uint64_t place) {
  shown_at = std::min(shown_at.value_or(place), place);
}

}  // namespace

bool RecordHistory::has_room() const {
  for (const auto& cell_writes : writes) {
    if (cell_writes.size() + 2 >= kWritesMax) return false;
  }
  return true;
}

WriteSet RecordHistory::candidates(size_t field, int64_t tag) const {
  WriteSet found;
  for (const Write& write : writes[field]) {
    if (write.tag == tag) found.set(write.index);
  }
  return found;
}

void History::look(size_t system, const RecordKey& key, const StoredRow& row) {
  RecordHistory& record = records_[key];
  Seen& seen = record.seen[system];
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const Origin origin = origin_of(record, field, row[field]);
    seen.sure[field] |= origin.sure;
    seen.maybe[field] |= origin.maybe;
  }
}

void History::write(size_t system, const RecordKey& key, size_t field, int form, int64_t time_us,
                    StoredRow& row) {
  StoredCell& cell = row[field];
  RecordHistory& record = records_[key];
  Seen& seen = record.seen[system];
  const size_t index = record.writes[field].size();
  record.writes[field].push_back({index,
                                  cell.tag,
                                  form,
                                  system,
                                  row.line,
                                  row.is_own,
                                  time_us,
                                  seen.sure[field],
                                  seen.maybe[field],
                                  {}});
  seen.sure[field].set(index);
  seen.maybe[field].set(index);
  cell.write = index;
}

void History::insert(const RecordKey& key, const StoredRow& row) {
  std::array<std::optional<size_t>, kFieldsMax> made;
  for (size_t field = 0; field < kFieldsMax; ++field) made[field] = row[field].write;
  records_[key].inserts.push_back(made);
}

size_t History::remove(size_t system, const RecordKey& key, const StoredRow& row) {
  RecordHistory& record = records_[key];
  Removal removal{system, row.line, record.seen[system].sure, {}, {}};
  for (size_t field = 0; field < kFieldsMax; ++field) {
    removal.row[field] = origin_of(record, field, row[field]).sure;
    record.deleted_maybe[field] |= record.seen[system].maybe[field];
  }
  record.deletes.push_back(removal);
  return record.deletes.size() - 1;
}

void History::show(const RecordKey& record, size_t field, size_t write, uint64_t place) {
  show_at(records_[record].writes[field][write].shown_at, place);
}

void History::show_delete(const RecordKey& record, size_t removal, uint64_t place) {
  show_at(records_[record].deletes[removal].shown_at, place);
}

void History::forget_shown(size_t system, uint64_t place) {
  const auto forget = [system, place](auto& shown) {
    if (shown.system == system && shown.shown_at && *shown.shown_at > place) shown.shown_at.reset();
  };
  for (auto& [key, record] : records_) {
    for (std::vector<Write>& cell_writes : record.writes) {
      std::for_each(cell_writes.begin(), cell_writes.end(), forget);
    }
    std::for_each(record.deletes.begin(), record.deletes.end(), forget);
  }
}

Knowledge History::knowledge(size_t system, const RecordKey& key) const {
  const auto found = records_.find(key);
  if (found == records_.end()) return Knowledge::kWhole;
  const auto seen = found->second.seen.find(system);
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const size_t count = found->second.writes[field].size();
    const size_t known = seen == found->second.seen.end() ? 0 : seen->second.sure[field].count();
    if (known != count) return Knowledge::kPart;
  }
  return Knowledge::kWhole;
}

std::vector<Write> History::writes_of(const RecordKey& key, size_t field, int64_t tag) const {
  std::vector<Write> found;
  const auto record = records_.find(key);
  if (record == records_.end()) return found;
  std::copy_if(record->second.writes[field].begin(), record->second.writes[field].end(),
               std::back_inserter(found), [tag](const Write& write) { return write.tag == tag; });
  return found;
}

std::set<size_t> History::lines_of(const RecordKey& key, size_t field, int64_t tag) const {
  std::set<size_t> lines;
  for (const Write& write : writes_of(key, field, tag)) lines.insert(write.line);
  return lines;
}

bool History::has_room(const RecordKey& key) const {
  const auto found = records_.find(key);
  return found == records_.end() || found->second.has_room();
}

bool History::knows(const RecordKey& key, size_t field, int64_t tag) const {
  const auto found = records_.find(key);
  return found != records_.end() && found->second.candidates(field, tag).any();
}

}  // namespace syncline::simulation
