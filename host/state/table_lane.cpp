#include <algorithm>
#include <cstring>

#include <sys/mman.h>

#include "host/base/assert.hpp"
#include "host/state/table_lane_internal.hpp"

namespace syncline::state {
namespace {

constexpr size_t kLineSizeBytes = SYN_SLOTS_PER_LINE * sizeof(uint64_t);
// Lanes from this size on are the system's own mappings: each time one grows, the heap would be
// left with a hole that the next is too large for.
constexpr size_t kMappedSizeBytes = size_t{64} << 10;
// Lanes from this size on lie on huge pages: a random lookup then misses the TLB far less.
constexpr size_t kHugePageSizeBytes = size_t{2} << 20;

uint8_t* map_zeroed(size_t size) {
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  SYN_ASSERT(memory != MAP_FAILED);
  // Advice: refused, it is merely slower.
  if (size >= kHugePageSizeBytes) madvise(memory, size, MADV_HUGEPAGE);
  return static_cast<uint8_t*>(memory);
}

uint8_t* allocate_zeroed(size_t size) {
  if (size >= kMappedSizeBytes) return map_zeroed(size);
  void* memory = nullptr;
  const int status = posix_memalign(&memory, kLineSizeBytes, size);
  SYN_ASSERT(status == 0);
  std::memset(memory, 0, size);
  return static_cast<uint8_t*>(memory);
}

}  // namespace

void TableLane::Free::operator()(uint8_t* memory) const {
  if (size_bytes_ >= kMappedSizeBytes) {
    munmap(memory, size_bytes_);
  } else {
    std::free(memory);
  }
}

size_t TableLane::max_records(uint64_t line_count) {
  const uint64_t slot_count = line_count * SYN_SLOTS_PER_LINE;
  return slot_count - (slot_count * 5 + 63) / 64;
}

// Enough for so many, and for one more in the end.
uint64_t TableLane::lines_for(size_t record_count) {
  const uint64_t slots_needed = record_count + record_count * 5 / 59 + 2;
  return (slots_needed + SYN_SLOTS_PER_LINE - 1) / SYN_SLOTS_PER_LINE;
}

TableLane::Place TableLane::place_of(uint64_t key_bits) const {
  for (uint64_t line = home(key_bits);; line = next(line)) {
    const uint64_t first = line * SYN_SLOTS_PER_LINE;
    uint64_t empty = kAbsent;
    for (uint64_t slot = first; slot < first + SYN_SLOTS_PER_LINE; ++slot) {
      if (keys_[slot] == key_bits) return {slot, true};
      if (keys_[slot] == SYN_KEY_EMPTY) empty = std::min(empty, slot);
    }
    if (empty != kAbsent) return {empty, false};
  }
}

uint64_t TableLane::find(uint64_t key_bits) const {
  if (line_count_ == 0) return kAbsent;
  const Place place = place_of(key_bits);
  return place.is_taken ? place.slot : kAbsent;
}

void TableLane::prefetch(uint64_t key_bits) const {
  if (line_count_ == 0) return;
  const uint64_t slot = home(key_bits) * SYN_SLOTS_PER_LINE;
  __builtin_prefetch(keys_ + slot);
  __builtin_prefetch(cells_ + slot * record_size_);
}

uint64_t TableLane::put(uint64_t key_bits) {
  Place place = line_count_ == 0 ? Place{} : place_of(key_bits);
  if (!place.is_taken) {
    if (record_count_ + 1 > max_records(line_count_)) {
      reserve(record_count_ + 1);
      place = place_of(key_bits);
    }
    keys_[place.slot] = key_bits;
    std::memset(cells(place.slot), 0, record_size_);
    ++record_count_;
  }
  mark_seen(place.slot);
  return place.slot;
}

// The hole is filled with a key from a later line that would otherwise be cut off from its home,
// and so on, until a line was not full: nothing can have passed that one.
void TableLane::remove(uint64_t slot) {
  uint64_t hole = slot;
  uint64_t hole_line = slot / SYN_SLOTS_PER_LINE;
  uint64_t line = hole_line;
  keys_[hole] = SYN_KEY_EMPTY;
  const auto was_full = [this](uint64_t checked, uint64_t ignored) {
    const uint64_t first = checked * SYN_SLOTS_PER_LINE;
    for (uint64_t i = first; i < first + SYN_SLOTS_PER_LINE; ++i) {
      if (i != ignored && keys_[i] == SYN_KEY_EMPTY) return false;
    }
    return true;
  };
  while (was_full(line, hole)) {
    line = next(line);
    if (line == hole_line) break;
    const uint64_t misplaced = find_misplaced(line, hole_line);
    if (misplaced == kAbsent) continue;
    move_slot(misplaced, hole);
    hole = misplaced;
    hole_line = line;
  }
  --record_count_;
}

void TableLane::clear() {
  memory_.reset();
  keys_ = nullptr;
  cells_ = nullptr;
  seen_ = nullptr;
  line_count_ = 0;
  record_count_ = 0;
  size_bytes_ = 0;
}

void TableLane::reserve(size_t record_count) {
  if (record_count <= max_records(line_count_)) return;
  const uint64_t expected = std::min(2 * line_count_, lines_for(expected_count_));
  const uint64_t grown = std::max(line_count_ + std::max<uint64_t>(line_count_ / 16, 1), expected);
  grow(max_records(grown) >= record_count ? grown : lines_for(record_count));
  SYN_ASSERT(record_count <= max_records(line_count_));
}

void TableLane::expect(size_t record_count) {
  if (record_count < expected_count_) {
    const uint64_t needed = lines_for(std::max(record_count, record_count_));
    if (needed + needed / 16 < line_count_) grow(needed);
  }
  expected_count_ = record_count;
}

void TableLane::mark_all_unseen() {
  if (line_count_ > 0) std::memset(seen_, 0, line_count_);
}

void TableLane::allocate(uint64_t line_count) {
  const size_t slot_count = line_count * SYN_SLOTS_PER_LINE;
  const size_t cells_offset = line_count * kLineSizeBytes;
  const size_t seen_offset = cells_offset + slot_count * record_size_ + SYN_TABLE_SLACK_SIZE;
  size_bytes_ = seen_offset + line_count;
  memory_ = {allocate_zeroed(size_bytes_), Free(size_bytes_)};
  keys_ = reinterpret_cast<uint64_t*>(memory_.get());
  cells_ = memory_.get() + cells_offset;
  seen_ = memory_.get() + seen_offset;
  line_count_ = line_count;
}

void TableLane::grow(uint64_t line_count) {
  TableLane old(record_size_ / SYN_CELL_SIZE);
  std::swap(old, *this);
  allocate(line_count);
  for (uint64_t from = 0; from < old.slot_count(); ++from) {
    if (old.keys_[from] == SYN_KEY_EMPTY) continue;
    const uint64_t to = take_empty_slot(old.keys_[from]);
    std::memcpy(cells(to), old.cells(from), record_size_);
    if (old.is_seen(from)) mark_seen(to);
  }
  record_count_ = old.record_count_;
  expected_count_ = old.expected_count_;
}

uint64_t TableLane::take_empty_slot(uint64_t key_bits) {
  uint64_t slot = home(key_bits) * SYN_SLOTS_PER_LINE;
  while (keys_[slot] != SYN_KEY_EMPTY) slot = slot + 1 == slot_count() ? 0 : slot + 1;
  keys_[slot] = key_bits;
  seen_[slot / 8] &= static_cast<uint8_t>(~(1u << (slot % 8)));
  return slot;
}

void TableLane::move_slot(uint64_t from, uint64_t to) {
  keys_[to] = keys_[from];
  keys_[from] = SYN_KEY_EMPTY;
  std::memcpy(cells(to), cells(from), record_size_);
  seen_[to / 8] &= static_cast<uint8_t>(~(1u << (to % 8)));
  if (is_seen(from)) mark_seen(to);
}

uint64_t TableLane::find_misplaced(uint64_t line, uint64_t hole_line) const {
  // Distances run backwards from this line, around the end of the lane.
  const auto distance = [this](uint64_t from, uint64_t to) {
    return to >= from ? to - from : to + line_count_ - from;
  };
  const uint64_t hole_distance = distance(hole_line, line);
  const uint64_t first = line * SYN_SLOTS_PER_LINE;
  for (uint64_t slot = first; slot < first + SYN_SLOTS_PER_LINE; ++slot) {
    if (keys_[slot] == SYN_KEY_EMPTY) continue;
    if (distance(home(keys_[slot]), line) >= hole_distance) return slot;
  }
  return kAbsent;
}

}  // namespace syncline::state
