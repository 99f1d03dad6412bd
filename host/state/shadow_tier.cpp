#include <algorithm>
#include <cstring>

#include "host/base/assert.hpp"
#include "host/state/shadow_tier_internal.hpp"

namespace syncline::state {

namespace {

constexpr size_t kKeyBytes = 16;
constexpr size_t kSlotsAtFirst = 16;
constexpr size_t kOneByteSizeMax = 0x7f;
constexpr size_t kStateBytesMax = 2'000;     // longer ones are left to the store
constexpr size_t kLiveBytesMax = 24u << 20;  // what 24 bits of place reach, free blocks among them
constexpr size_t kEvictedShare = 8;          // of the limit, at a time
constexpr size_t kFilterShare = 4;           // of the limit, once records had to go

size_t units_of(size_t state_size) {
  const size_t size_bytes = kKeyBytes + (state_size <= kOneByteSizeMax ? 1 : 2) + state_size;
  return (size_bytes + 1) / 2;
}

TierKey key_of(const uint8_t* block) {
  TierKey key;
  std::memcpy(&key, block, kKeyBytes);
  return key;
}

std::string_view state_of(const uint8_t* block) {
  const uint8_t* size_at = block + kKeyBytes;
  if (size_at[0] <= kOneByteSizeMax) return as_text({size_at + 1, size_at[0]});
  return as_text({size_at + 2, static_cast<size_t>((size_at[0] & 0x7f) | size_at[1] << 7)});
}

void write_block(uint8_t* block, const TierKey& key, std::string_view state) {
  std::memcpy(block, &key, kKeyBytes);
  block += kKeyBytes;
  if (state.size() <= kOneByteSizeMax) {
    *block++ = static_cast<uint8_t>(state.size());
  } else {
    *block++ = static_cast<uint8_t>(0x80 | (state.size() & 0x7f));
    *block++ = static_cast<uint8_t>(state.size() >> 7);
  }
  std::memcpy(block, state.data(), state.size());
}

uint32_t tag_of(const TierKey& key) {
  return static_cast<uint32_t>(key.low >> 32 & 0x7f) << 25;
}

}  // namespace

TierKey tier_key(const RecordId& id) {
  uint64_t mixed = id.dataset * 0x9e3779b97f4a7c15u;
  mixed ^= mixed >> 32;
  return {id.key_hash.high, id.key_hash.low ^ mixed};
}

TierShard::TierShard(size_t limit_bytes)
    // Eight ninths hold what lives, because an eighth on top of it may lie free.
    : limit_bytes_(std::min(limit_bytes / 9 * 8, kLiveBytesMax)), slots_(kSlotsAtFirst) {}

size_t TierShard::home(const TierKey& key) const {
  return (key.low & 0xffffffffu) * slots_.size() >> 32;
}

size_t TierShard::slot_of(const TierKey& key) const {
  const uint32_t tag = tag_of(key);
  size_t slot = home(key);
  while (slots_[slot] != 0) {
    const uint32_t value = slots_[slot];
    if ((value & ~(kPlaceMask | kRecentBit)) == tag && key_of(block(value & kPlaceMask)) == key)
      break;
    if (++slot == slots_.size()) slot = 0;
  }
  return slot;
}

TierShard::Found TierShard::find(const TierKey& key, std::string_view& state) {
  uint32_t& value = slots_[slot_of(key)];
  if (value == 0) {
    const bool may_be_stored = !is_complete_ && gone_.may_contain(key);
    return may_be_stored ? Found::kUnknown : Found::kNever;
  }
  if ((value & kRecentBit) == 0) value |= kRecentBit;
  state = state_of(block(value & kPlaceMask));
  return Found::kState;
}

void TierShard::put(const TierKey& key, std::string_view state) {
  const size_t units = units_of(state.size());
  const size_t slot = slot_of(key);
  const bool is_fitting = state.size() <= kStateBytesMax && size_with(units) <= limit_bytes_;
  const bool is_known = slots_[slot] != 0;
  if (is_known && is_fitting) return replace(slot, key, state);
  if (is_known) erase(slot);
  if (!is_fitting) begin_to_forget();
  gone_.add(key);
  if (is_fitting) return insert(slot, key, state);
  if (state.size() > kStateBytesMax) return;
  evict_for(units);
  if (size_with(units) <= limit_bytes_) insert(slot_of(key), key, state);
}

void TierShard::replace(size_t slot, const TierKey& key, std::string_view state) {
  const uint32_t old_place = slots_[slot] & kPlaceMask;
  const size_t units = units_of(state.size());
  if (units_of(state_of(block(old_place)).size()) == units) {
    write_block(block(old_place), key, state);
    slots_[slot] |= kRecentBit;
    return;
  }
  const uint32_t place = allocate(units);  // may move the old block
  release(slots_[slot] & kPlaceMask);
  write_block(block(place), key, state);
  slots_[slot] = place | kRecentBit | tag_of(key);
}

bool TierShard::put_if_room(const TierKey& key, std::string_view state) {
  const size_t units = units_of(state.size());
  if (state.size() > kStateBytesMax || size_with(units) > limit_bytes_) {
    is_complete_ = false;
    return false;
  }
  insert(slot_of(key), key, state);
  return true;
}

void TierShard::insert(size_t slot, const TierKey& key, std::string_view state) {
  SYN_ASSERT(slots_[slot] == 0);
  if ((record_count_ + 1) * 8 > slots_.size() * 7) {
    grow();
    slot = slot_of(key);
  }
  const uint32_t place = allocate(units_of(state.size()));
  write_block(block(place), key, state);
  slots_[slot] = place | tag_of(key);
  ++record_count_;
}

uint32_t TierShard::allocate(size_t units) {
  if (units <= kListedUnits && free_lists_[units] != 0) {
    const uint32_t place = free_lists_[units];
    std::memcpy(&free_lists_[units], block(place), sizeof place);
    free_units_ -= units;
    used_units_ += units;
    return place;
  }
  if (next_unit_ + units > kChunkUnits &&
      free_units_ > std::max(chunks_.size() * kChunkUnits / 8, kChunkUnits)) {
    rewrite();
  }
  if (chunks_.empty() || next_unit_ + units > kChunkUnits) {
    chunks_.push_back(std::make_unique_for_overwrite<uint8_t[]>(kChunkUnits * kUnitBytes));
    next_unit_ = chunks_.size() == 1 ? 1 : 0;  // place 0 means none
  }
  const size_t place = (chunks_.size() - 1) * kChunkUnits + next_unit_;
  SYN_ASSERT(place <= kPlaceMask);
  next_unit_ += units;
  used_units_ += units;
  return static_cast<uint32_t>(place);
}

void TierShard::release(uint32_t place) {
  const size_t units = units_of(state_of(block(place)).size());
  used_units_ -= units;
  free_units_ += units;
  if (units > kListedUnits) return;
  std::memcpy(block(place), &free_lists_[units], sizeof place);
  free_lists_[units] = place;
}

void TierShard::grow() {
  index_anew(slots_.size() + slots_.size() / 4);
  hand_ = 0;
}

void TierShard::index_anew(size_t slot_count) {
  constexpr size_t kAhead = 8;  // blocks that are on their way
  std::vector<uint32_t> old(slot_count);
  old.swap(slots_);
  for (size_t i = 0; i < old.size(); ++i) {
    const uint32_t ahead = i + kAhead < old.size() ? old[i + kAhead] : 0;
    if (ahead != 0) __builtin_prefetch(block(ahead & kPlaceMask));
    const uint32_t value = old[i];
    if (value != 0) slots_[slot_of(key_of(block(value & kPlaceMask)))] = value;
  }
}

// Copies every block into new chunks, close together.
void TierShard::rewrite() {
  Chunks old_chunks;
  old_chunks.swap(chunks_);
  free_lists_.fill(0);
  free_units_ = 0;
  used_units_ = 0;
  next_unit_ = 0;
  for (uint32_t& value : slots_) {
    if (value == 0) continue;
    const uint8_t* bytes = block_in(old_chunks, value & kPlaceMask);
    const size_t units = units_of(state_of(bytes).size());
    const uint32_t place = allocate(units);
    std::memcpy(block(place), bytes, units * kUnitBytes);
    value = (value & ~kPlaceMask) | place;
  }
}

size_t TierShard::size_with(size_t units) const {
  return (used_units_ + units) * kUnitBytes + slots_.size() * sizeof slots_[0];
}

// From now on not all is here that was: what was is kept as a filter.
void TierShard::begin_to_forget() {
  if (!is_complete_) return;
  is_complete_ = false;
  const size_t filter_bytes = limit_bytes_ / kFilterShare;
  if (!gone_.make_room(filter_bytes)) return;
  limit_bytes_ -= filter_bytes;
  for (const uint32_t value : slots_) {
    if (value != 0) gone_.add(key_of(block(value & kPlaceMask)));
  }
}

// Many at once: to close the gap that one record leaves costs a look at all that stand behind it in
// a row, which are many where the slots are nearly full.
void TierShard::evict_for(size_t units) {
  const size_t goal = limit_bytes_ - limit_bytes_ / kEvictedShare;
  while (record_count_ > 0 && size_with(units) > goal) {
    if (hand_ >= slots_.size()) hand_ = 0;
    uint32_t& value = slots_[hand_++];
    if (value == 0) continue;
    if ((value & kRecentBit) != 0) {
      value &= ~kRecentBit;
      continue;
    }
    release(value & kPlaceMask);
    --record_count_;
    value = 0;
  }
  index_anew(slots_.size());
}

// Closes the gap: whatever stands behind it and would be found there moves up.
void TierShard::erase(size_t slot) {
  release(slots_[slot] & kPlaceMask);
  --record_count_;
  const size_t slot_count = slots_.size();
  size_t next = slot;
  while (true) {
    if (++next == slot_count) next = 0;
    if (slots_[next] == 0) break;
    const size_t wanted = home(key_of(block(slots_[next] & kPlaceMask)));
    const size_t distance_now = (next + slot_count - wanted) % slot_count;
    const size_t distance_gap = (next + slot_count - slot) % slot_count;
    if (distance_now < distance_gap) continue;
    slots_[slot] = slots_[next];
    slot = next;
  }
  slots_[slot] = 0;
}

size_t TierShard::size_bytes() const {
  return sizeof *this + gone_.size_bytes() + slots_.capacity() * sizeof slots_[0] +
         chunks_.capacity() * sizeof chunks_[0] + chunks_.size() * kChunkUnits * kUnitBytes;
}

}  // namespace syncline::state
