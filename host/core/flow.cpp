#include "host/core/flow.hpp"

#include <algorithm>
#include <bit>

namespace syncline::core {
namespace {

constexpr size_t kValuesMax = 64;

// What a write sets: nothing for a delete, whose cells are for peers.
std::span<const model::EntryCell> set_by(const model::Entry& entry) {
  if (entry.kind == model::EntryKind::kDelete) return {};
  return entry.cells;
}

}  // namespace

void Flow::add(const model::Entry& entry, size_t key_count, size_t prints_max) {
  const auto cells = set_by(entry);
  const bool is_fitting =
      prints_.size() + cells.size() <= prints_max &&
      std::all_of(cells.begin(), cells.end(), [key_count](const model::EntryCell& cell) {
        return cell.field - key_count < kValuesMax;
      });
  if (!is_fitting) return unknown_.push_back(entry.sequence);
  Write& write = writes_.emplace_back();
  write.sequence = entry.sequence;
  write.record = {entry.dataset, entry.key_hash};
  write.key_count = static_cast<uint16_t>(key_count);
  write.kind = entry.kind;
  for (const model::EntryCell& cell : cells) {
    write.values |= uint64_t{1} << (cell.field - key_count);
    prints_.push_back(cell.fingerprint);
  }
}

void Flow::restore_delete(model::Sequence sequence, const RecordId& record) {
  Write& write = writes_.emplace_back();
  write.sequence = sequence;
  write.record = record;
  write.kind = model::EntryKind::kDelete;
}

void Flow::skip(model::Sequence sequence) {
  const auto at = std::lower_bound(
      writes_.begin(), writes_.end(), sequence,
      [](const Write& write, model::Sequence wanted) { return write.sequence < wanted; });
  if (at != writes_.end() && at->sequence == sequence) at->is_skipped = true;
}

void Flow::confirm(model::Sequence sequence) {
  size_t prints = 0;
  while (!writes_.empty() && writes_.front().sequence <= sequence) {
    prints += static_cast<size_t>(std::popcount(writes_.front().values));
    writes_.pop_front();
  }
  prints_.erase(prints_.begin(), prints_.begin() + static_cast<std::ptrdiff_t>(prints));
  unknown_.erase(unknown_.begin(), std::upper_bound(unknown_.begin(), unknown_.end(), sequence));
  confirmed_ = std::max(confirmed_, sequence);
}

void Flow::clear() {
  writes_.clear();
  prints_.clear();
  unknown_.clear();
  confirmed_ = 0;
}

std::vector<RecordId> Flow::records(model::Sequence up_to) const {
  std::vector<RecordId> ids;
  for (const Write& write : writes_) {
    if (write.sequence > up_to) break;
    ids.push_back(write.record);
  }
  return ids;
}

const Flow::Write* Flow::next(Walk& walk, model::Sequence up_to,
                              std::vector<SentPrint>& prints) const {
  if (walk.write >= writes_.size() || writes_[walk.write].sequence > up_to) return nullptr;
  const Write& write = writes_[walk.write++];
  prints.clear();
  for (uint64_t left = write.values; left != 0; left &= left - 1) {
    const auto field = static_cast<model::FieldIndex>(std::countr_zero(left) + write.key_count);
    prints.push_back({field, prints_[walk.print++]});
  }
  return &write;
}

}  // namespace syncline::core
