#include "host/delivery/lives.hpp"

#include <utility>

namespace syncline::delivery {

void RowLives::add(size_t record, const model::Entry& entry) {
  Record& known = records_[record];
  const bool is_first = !std::exchange(known.is_seen, true);
  const bool is_moved = !entry.moved_with.is_none();
  if (entry.kind == model::EntryKind::kDelete) {
    if (is_moved) {
      gone_[{entry.dataset, entry.key_hash, entry.moved_with}].push_back(
          {record, known.lives.size() - 1});
    }
    known.is_there = false;
    return;
  }
  if (!model::is_whole(entry.kind)) return;
  std::optional<Coming> coming;
  if (is_moved) {
    const Way way = {entry.dataset, entry.moved_with, entry.key_hash};
    coming = Coming{way, come_[way]++};
  }
  if (is_first && is_moved) {
    known.had_none = true;
    known.is_there = false;
  }
  if (known.is_there) return;
  known.lives.push_back(coming);
  known.is_there = true;
}

std::optional<size_t> RowLives::first_of_last(size_t record) const {
  const auto last = records_.find(record);
  if (last == records_.end() || !last->second.is_there) return std::nullopt;
  Life life = {record, last->second.lives.size() - 1};
  while (life.number > 0) {
    const auto& coming = records_.at(life.record).lives[life.number];
    if (!coming) return std::nullopt;
    const auto way = gone_.find(coming->way);
    if (way == gone_.end() || coming->number >= way->second.size()) return std::nullopt;
    life = way->second[coming->number];
  }
  return life.record;
}

bool RowLives::has_first_ended(size_t record) const {
  const auto known = records_.find(record);
  if (known == records_.end()) return false;
  const Record& it = known->second;
  return !it.had_none && (it.lives.size() > 1 || !it.is_there);
}

}  // namespace syncline::delivery
