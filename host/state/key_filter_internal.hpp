// Whether a key may have been seen: no means never. A Bloom filter in which all bits of a key stand
// in one line of memory (Putze, Sanders, Singler: Cache-, Hash- and Space-Efficient Bloom Filters).
// At 13 bits a key one in some 200 that were never seen is taken for one that may have been.
//
// Threads: one at a time. Errors: none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace syncline::state {

struct TierKey {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const TierKey&) const = default;
};

class KeyFilter {
 public:
  // Before it has room it takes nothing, and every key may have been seen. False: too little.
  bool make_room(size_t size_bytes) {
    lines_.resize(size_bytes / sizeof(Line));
    return !lines_.empty();
  }

  void add(const TierKey& key) {
    if (lines_.empty()) return;
    Line& line = lines_[place(key)];
    each_bit(key, [&](size_t bit) {
      line[bit / 64] |= uint64_t{1} << (bit % 64);
      return true;
    });
  }

  bool may_contain(const TierKey& key) const {
    if (lines_.empty()) return true;
    const Line& line = lines_[place(key)];
    return each_bit(key, [&](size_t bit) { return (line[bit / 64] >> (bit % 64) & 1) != 0; });
  }

  void prefetch(const TierKey& key) const {
    if (!lines_.empty()) __builtin_prefetch(&lines_[place(key)]);
  }

  size_t size_bytes() const { return lines_.capacity() * sizeof(Line); }

 private:
  using Line = std::array<uint64_t, 8>;
  static constexpr size_t kBitsPerKey = 5;
  static constexpr size_t kBitNumberBits = 9;  // of the 512 in a line

  // The low half's low bits say where the tier's slot is; the upper ones of it choose the line.
  size_t place(const TierKey& key) const { return (key.low >> 32) * lines_.size() >> 32; }

  // The first byte of the high half is the same in all of a shard.
  template <class Visit>
  static bool each_bit(const TierKey& key, const Visit& visit) {
    uint64_t bits = key.high;
    for (size_t i = 0; i < kBitsPerKey; ++i, bits >>= kBitNumberBits) {
      if (!visit(bits % 512)) return false;
    }
    return true;
  }

  std::vector<Line> lines_;
};

}  // namespace syncline::state
