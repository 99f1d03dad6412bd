#include "kernels/device/far_repeats.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace syncline::device {
namespace {

constexpr uint64_t kFactor = 0x9e3779b97f4a7c15;
constexpr uint64_t kSalt = 0xc2b2ae3d27d4eb4f;  // or zeros would all be chosen
constexpr int kSampleBits = 6;                  // one place in 64
constexpr size_t kSampleSize = 32;
// As far as libzstd -1 looks back.
constexpr size_t kDistanceMax = 512 << 10;
// Twice the samples of that distance.
constexpr int kTableBits = 14;

struct Sample {
  uint32_t check = 0;
  uint32_t end = 0;  // 0: none
};
using Table = std::array<Sample, size_t{1} << kTableBits>;

uint64_t load(const char* bytes) {
  uint64_t word = 0;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

uint64_t hash_of(const char* bytes) {
  uint64_t hash = 0;
  for (size_t i = 0; i < kSampleSize; i += sizeof hash) {
    hash = (hash ^ load(bytes + i)) * kFactor;
    hash ^= hash >> 32;
  }
  return hash * kFactor;
}

}  // namespace

size_t far_repeats(std::string_view run, size_t piece_size) {
  thread_local Table table;
  table.fill({});
  size_t count = 0;
  for (size_t at = 0; at + kSampleSize <= run.size(); ++at) {
    if ((load(run.data() + at) ^ kSalt) * kFactor >> (64 - kSampleBits) != 0) continue;
    const uint64_t hash = hash_of(run.data() + at);
    const auto check = static_cast<uint32_t>(hash);
    Sample& held = table[hash >> (64 - kTableBits)];
    if (held.end != 0 && held.check == check) {
      const size_t before = held.end - kSampleSize;
      count += at / piece_size != before / piece_size && at - before <= kDistanceMax ? 1 : 0;
    }
    held = {check, static_cast<uint32_t>(at + kSampleSize)};
  }
  return std::min(count << kSampleBits, run.size());
}

}  // namespace syncline::device
