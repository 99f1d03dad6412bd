#include "host/core/flow.hpp"

#include <algorithm>
#include <bit>
#include <utility>

namespace syncline::core {

using model::EntryKind;

namespace {

constexpr size_t kValuesMax = 64;

// What a write sets: nothing for a delete, whose cells are for peers.
std::span<const model::EntryCell> set_by(const model::Entry& entry) {
  if (entry.kind == EntryKind::kDelete) return {};
  return entry.cells;
}

}  // namespace

void Flow::add(const model::Entry& entry, size_t key_count, uint64_t key_bits, size_t prints_max) {
  const auto cells = set_by(entry);
  const bool is_fitting =
      prints_.size() + cells.size() <= prints_max &&
      std::all_of(cells.begin(), cells.end(), [key_count](const model::EntryCell& cell) {
        return cell.field - key_count < kValuesMax;
      });
  if (!is_fitting) {
    unknown_.push_back({entry.sequence});
    return;
  }
  Write& write = writes_.emplace_back();
  write.sequence = entry.sequence;
  write.record = {entry.dataset, entry.key_hash};
  write.key_bits = key_bits;
  write.key_count = static_cast<uint16_t>(key_count);
  write.kind = entry.kind;
  for (const model::EntryCell& cell : cells) {
    write.values |= uint64_t{1} << (cell.field - key_count);
    prints_.push_back(cell.fingerprint);
  }
}

void Flow::write(ByteWriter& out) const {
  out.varint(confirmed_);
  out.varint(forgotten_);
  out.varint(unknown_.size());
  model::Sequence last = 0;
  for (const Unknown& write : unknown_) {
    out.varint(write.sequence - std::exchange(last, write.sequence));
    out.u8(write.is_skipped ? 1 : 0);
  }
  out.varint(writes_.size());
  last = 0;
  auto print = prints_.begin();
  for (const Write& write : writes_) {
    out.varint(write.sequence - std::exchange(last, write.sequence));
    out.u8(static_cast<uint8_t>(write.kind));
    out.u8(write.is_skipped ? 1 : 0);
    out.u32(write.record.dataset);
    out.u64(write.record.key_hash.high);
    out.u64(write.record.key_hash.low);
    out.u64(write.key_bits);
    out.varint(write.key_count);
    out.varint(write.values);
    for (int left = std::popcount(write.values); left > 0; --left) out.u64(*print++);
  }
}

void Flow::read(ByteReader& in) {
  confirmed_ = in.varint();
  forgotten_ = in.varint();
  model::Sequence last = 0;
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    const model::Sequence sequence = last += in.varint();
    unknown_.push_back({sequence, in.u8() != 0});
  }
  last = 0;
  for (uint64_t count = in.varint(); count > 0 && in.ok(); --count) {
    Write& write = writes_.emplace_back();
    write.sequence = last += in.varint();
    const uint8_t kind = in.u8();
    if (kind < static_cast<uint8_t>(EntryKind::kSet) ||
        kind > static_cast<uint8_t>(EntryKind::kInsert)) {
      in.fail();
    }
    write.kind = static_cast<EntryKind>(kind);
    write.is_skipped = in.u8() != 0;
    write.record.dataset = in.u32();
    write.record.key_hash.high = in.u64();
    write.record.key_hash.low = in.u64();
    write.key_bits = in.u64();
    write.key_count = static_cast<uint16_t>(in.varint());
    write.values = in.varint();
    for (int left = std::popcount(write.values); left > 0; --left) prints_.push_back(in.u64());
  }
}

void Flow::skip(model::Sequence sequence) {
  const auto skip_in = [sequence](auto& writes) {
    const auto at = std::lower_bound(
        writes.begin(), writes.end(), sequence,
        [](const auto& write, model::Sequence wanted) { return write.sequence < wanted; });
    if (at != writes.end() && at->sequence == sequence) at->is_skipped = true;
  };
  skip_in(writes_);
  skip_in(unknown_);
}

std::vector<model::Sequence> Flow::skipped() const {
  std::vector<model::Sequence> sequences;
  for (const Write& write : writes_) {
    if (write.is_skipped) sequences.push_back(write.sequence);
  }
  for (const Unknown& write : unknown_) {
    if (write.is_skipped) sequences.push_back(write.sequence);
  }
  std::sort(sequences.begin(), sequences.end());
  return sequences;
}

void Flow::confirm(model::Sequence sequence) {
  size_t prints = 0;
  while (!writes_.empty() && writes_.front().sequence <= sequence) {
    prints += static_cast<size_t>(std::popcount(writes_.front().values));
    writes_.pop_front();
  }
  prints_.erase(prints_.begin(), prints_.begin() + static_cast<std::ptrdiff_t>(prints));
  while (!unknown_.empty() && unknown_.front().sequence <= sequence) unknown_.pop_front();
  confirmed_ = std::max(confirmed_, sequence);
}

void Flow::clear(model::Sequence last) {
  writes_.clear();
  prints_.clear();
  unknown_.clear();
  confirmed_ = 0;
  forgotten_ = last;
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
