// Randomness as an interface: keys and jitter. The simulator gives a seeded one.
#pragma once

#include <cstdint>
#include <span>

namespace syncline {

class Random {
 public:
  virtual ~Random() = default;
  // Fills with random bytes fit for keys. Thread-safe in the system's implementation.
  virtual void fill(std::span<uint8_t> bytes) = 0;

  uint64_t u64();
};

// The kernel's generator (getrandom). Never destroyed.
Random& system_random();

}  // namespace syncline
