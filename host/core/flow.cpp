#include "host/core/flow.hpp"

#include <algorithm>
#include <bit>

namespace syncline::core {
namespace {

constexpr size_t kValuesMax = 64;

}  // namespace

void Flow::add(const model::Entry& entry, size_t key_count, size_t prints_max) {
  Write& write = writes_.emplace_back();
  write.sequence = entry.sequence;
  write.record = {entry.dataset, entry.key_hash};
  write.key_count = static_cast<uint16_t>(key_count);
  write.kind = entry.kind;
  const size_t count = entry.kind == model::EntryKind::kDelete ? 0 : entry.cells.size();
  write.is_known = prints_.size() + count <= prints_max;
  for (size_t i = 0; i < count; ++i) {
    write.is_known = write.is_known && entry.cells[i].field - key_count < kValuesMax;
  }
  if (!write.is_known) return;
  for (size_t i = 0; i < count; ++i) {
    write.values |= uint64_t{1} << (entry.cells[i].field - key_count);
    prints_.push_back(entry.cells[i].fingerprint);
  }
}

void Flow::restore(model::Sequence sequence, const RecordId& record) {
  Write& write = writes_.emplace_back();
  write.sequence = sequence;
  write.record = record;
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
  confirmed_ = std::max(confirmed_, sequence);
}

void Flow::clear() {
  writes_.clear();
  prints_.clear();
  confirmed_ = 0;
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
