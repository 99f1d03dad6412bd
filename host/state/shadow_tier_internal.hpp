// One shard of the shadow's memory tier: states of records that the store holds as well, so each
// may be dropped at any time.
//
//   slots     open addressing, linear probing, load up to 0.875, growth by a quarter:
//               31      25 24         23                       0
//              | tag (7) | is_recent | place of the block (24) |    0 = empty
//   blocks    | key 16 | size of state: varint | state |, in units of 2 bytes, in chunks of 32 KiB;
//              freed blocks wait in a list per size; where more than an eighth lies free, the shard
//              is written anew.
//
// 4 bytes / load + 16 + 1 to 2 bytes a record beside its state. Over the limit the records that
// were not asked for since the clock hand last passed go first; then the shard is no longer
// complete, and a Bloom filter of lines of 64 bytes takes a quarter of its memory: of most keys
// that never came it still tells so, for a first sync asks for little else. Threads: one at a time.
// Errors: none.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/state/key_filter_internal.hpp"
#include "host/state/shadow_record_internal.hpp"

namespace syncline::state {

// The dataset is mixed into the low half: for one dataset still a bijection of the key hash, and as
// unlikely to meet another dataset's as two keys are to share their hash.
TierKey tier_key(const RecordId& id);

class TierShard {
 public:
  explicit TierShard(size_t limit_bytes);

  enum class Found {
    kNever,    // no record of this key: nothing is stored
    kUnknown,  // not in memory: the store has to be asked
    kState,
  };
  // The state's bytes live until the shard changes.
  Found find(const TierKey& key, std::string_view& state);
  // Ask the memory for what find() will read: first the slot, then, once that is there, the block.
  void prefetch_slot(const TierKey& key) const {
    __builtin_prefetch(&slots_[home(key)]);
    gone_.prefetch(key);
  }
  void prefetch_block(const TierKey& key) const {
    const uint32_t value = slots_[home(key)];
    if (value != 0) __builtin_prefetch(block(value & kPlaceMask));
  }
  void put(const TierKey& key, std::string_view state);
  // For filling up at open. Returns false, and the shard is not complete, if there is no room. What
  // then is left out, it knows nothing of.
  bool put_if_room(const TierKey& key, std::string_view state);

  bool is_complete() const { return is_complete_; }
  size_t record_count() const { return record_count_; }
  size_t size_bytes() const;

 private:
  static constexpr size_t kUnitBytes = 2;
  static constexpr size_t kChunkUnits = 1u << 14;
  static constexpr size_t kListedUnits = 256;  // freed blocks above this wait for the next rewrite
  static constexpr uint32_t kPlaceMask = (1u << 24) - 1;
  static constexpr uint32_t kRecentBit = 1u << 24;

  using Chunks = std::vector<std::unique_ptr<uint8_t[]>>;

  static uint8_t* block_in(const Chunks& chunks, uint32_t place) {
    return chunks[place / kChunkUnits].get() + (place % kChunkUnits) * kUnitBytes;
  }
  uint8_t* block(uint32_t place) const { return block_in(chunks_, place); }
  size_t home(const TierKey& key) const;
  // The slot that holds the key, or the empty one where it would be.
  size_t slot_of(const TierKey& key) const;

  uint32_t allocate(size_t units);
  void release(uint32_t place);
  void replace(size_t slot, const TierKey& key, std::string_view state);
  void insert(size_t slot, const TierKey& key, std::string_view state);
  void grow();
  void index_anew(size_t slot_count);
  void rewrite();
  size_t size_with(size_t units) const;
  void begin_to_forget();
  void evict_for(size_t units);
  void erase(size_t slot);

  size_t limit_bytes_;
  std::vector<uint32_t> slots_;
  Chunks chunks_;
  std::array<uint32_t, kListedUnits + 1> free_lists_{};  // by units; 0 = none
  size_t next_unit_ = 0;                                 // in the last chunk
  size_t used_units_ = 0;
  size_t free_units_ = 0;
  size_t record_count_ = 0;
  size_t hand_ = 0;
  bool is_complete_ = true;
  KeyFilter gone_;  // once it is not complete: every key that it ever held
};

}  // namespace syncline::state
