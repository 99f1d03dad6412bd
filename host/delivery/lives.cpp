#include "host/delivery/lives.hpp"

namespace syncline::delivery {

void RowLives::add(const PendingEntry& pending) {
  const model::Entry& entry = *pending.entry;
  if (entry.kind == model::EntryKind::kNote) return;
  const Record record = {entry.dataset, entry.key_hash};
  Lives& known = lives_[record];
  const bool is_first = !std::exchange(known.is_seen, true);
  if (entry.kind == model::EntryKind::kDelete) return end(record, pending);
  if (!model::is_whole(entry.kind)) return;
  const bool is_moved = !entry.moved_with.is_none();
  std::optional<Coming> coming;
  if (is_moved) {
    const Way way = {pending.group, entry.dataset, entry.moved_with, entry.key_hash};
    coming = Coming{way, come_[way]++};
  }
  if (is_first && is_moved) {
    known.had_none = true;
    known.is_there = false;
  }
  if (known.is_there) return;
  // One that the target does not take begins without a row.
  if (pending.state == PendingState::kSkipped) coming.reset();
  known.all.push_back(coming);
  known.is_there = true;
}

void RowLives::end(const Record& record, const PendingEntry& pending) {
  const model::Entry& entry = *pending.entry;
  Lives& known = lives_[record];
  if (!entry.moved_with.is_none()) {
    auto& gone = gone_[{pending.group, entry.dataset, entry.key_hash, entry.moved_with}];
    const bool has_gone = known.is_there && pending.state != PendingState::kSkipped;
    gone.push_back(has_gone ? std::optional(Life{record, known.all.size() - 1}) : std::nullopt);
    known.is_first_moved = known.is_first_moved || (has_gone && known.all.size() == 1);
  }
  known.is_there = false;
}

// Each life is left once, so the way back ends.
std::optional<RowLives::Record> RowLives::first_of_last(const Record& record) const {
  const auto last = lives_.find(record);
  if (last == lives_.end() || !last->second.is_there) return std::nullopt;
  Life life = {record, last->second.all.size() - 1};
  while (life.number > 0) {
    const auto& coming = lives_.at(life.record).all[life.number];
    if (!coming) return std::nullopt;
    const auto way = gone_.find(coming->way);
    if (way == gone_.end() || coming->n >= way->second.size()) return std::nullopt;
    const std::optional<Life>& before = way->second[coming->n];
    if (!before) return std::nullopt;
    life = *before;
  }
  return life.record;
}

bool RowLives::is_renewed(const Record& record) const {
  const auto found = lives_.find(record);
  if (found == lives_.end() || found->second.had_none) return false;
  const Lives& known = found->second;
  if (known.all.size() == 1) return false;
  return known.is_first_moved || known.all.back().has_value();
}

}  // namespace syncline::delivery
