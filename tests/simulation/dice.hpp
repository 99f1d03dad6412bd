// The one source of chance in a simulated run: everything follows from its seed.
//
// Threads: one at a time.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "host/base/random.hpp"

namespace syncline::simulation {

class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}

  // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
  uint64_t u64() {
    uint64_t mixed = (state_ += 0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return mixed ^ (mixed >> 31);
  }
  size_t below(size_t limit) { return limit == 0 ? 0 : static_cast<size_t>(u64() % limit); }
  int64_t between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(u64() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(double probability) {
    return static_cast<double>(u64() >> 11) * 0x1.0p-53 < probability;
  }
  template <class T>
  T& pick(std::vector<T>& choices) {
    return choices[below(choices.size())];
  }
  template <class T>
  const T& pick(const std::vector<T>& choices) {
    return choices[below(choices.size())];
  }

 private:
  uint64_t state_;
};

// The appliance's randomness: keys and jitter, from a seed of its own.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : dice_(seed) {}
  void fill(std::span<uint8_t> bytes) override {
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(dice_.u64());
  }

 private:
  Dice dice_;
};

}  // namespace syncline::simulation
