#include "tests/simulation/lineage.hpp"

#include <algorithm>

namespace syncline::simulation {

Lineage::Lineage() : lines_(1) {
  lines_[0].is_plain = false;
}

void Lineage::spoil(const RecordKey& record) {
  for (const size_t line : lines_at_[record]) lines_[line].is_plain = false;
}

size_t Lineage::insert(size_t system, const RecordKey& record, int64_t kept) {
  const size_t line = lines_.size();
  RowLine& made = lines_.emplace_back();
  made.path = {record};
  made.kept[system] = kept;
  std::vector<size_t>& all = lines_at_[record];
  all.push_back(line);
  if (all.size() > 1) spoil(record);
  return line;
}

void Lineage::update(const RecordKey& record) {
  for (const size_t line : lines_at_[record]) {
    if (lines_[line].path.back() != record) lines_[line].is_plain = false;
  }
}

// Of one that is not known it may be any.
void Lineage::leave(size_t line, const RecordKey& record) {
  lines_[line].left.insert(record);
  if (line != 0) return;
  for (const size_t each : lines_at_[record]) lines_[each].left.insert(record);
}

void Lineage::remove(size_t line, const RecordKey& record) {
  lines_[line].is_plain = false;
  lines_[line].is_deleted = true;
  leave(line, record);
}

void Lineage::move(size_t line, const RecordKey& from, const RecordKey& to, Knowledge knowledge) {
  RowLine& moved = lines_[line];
  const bool is_known = line != 0 && knowledge == Knowledge::kWhole && moved.path.back() == from;
  std::vector<size_t>& all = lines_at_[to];
  const bool is_free = all.empty();
  if (std::find(all.begin(), all.end(), line) == all.end()) all.push_back(line);
  if (!is_known || !is_free) {
    spoil(from);
    spoil(to);
  }
  moved.path.push_back(to);
  moved.left.erase(to);
  leave(line, from);
}

void Lineage::overrun(size_t system, const RecordKey& record, size_t line) {
  lines_[line].is_overrun = line != 0;
  overrun_.emplace(system, record);
}

bool Lineage::is_overrun(size_t system, const RecordKey& record) const {
  return overrun_.contains({system, record});
}

bool Lineage::is_overrun(const RecordKey& record) const {
  return std::any_of(overrun_.begin(), overrun_.end(),
                     [&record](const auto& each) { return each.second == record; });
}

bool Lineage::is_reused(size_t system, const RecordKey& record) const {
  return reused_.contains({system, record});
}

bool Lineage::has_left(size_t line, const RecordKey& record) const {
  return line != 0 && (lines_[line].is_deleted || lines_[line].left.contains(record));
}

void Lineage::arrive(size_t system, const RecordKey& record, int64_t kept) {
  for (const size_t line : lines_at_[record]) lines_[line].kept.try_emplace(system, kept);
}

}  // namespace syncline::simulation
