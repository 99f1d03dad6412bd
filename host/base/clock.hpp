// The only way to ask for the time. The simulator gives its own.
#pragma once

#include <cstdint>

namespace syncline {

class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time in microseconds since 1970 UTC. May jump.
  virtual int64_t now_us() = 0;
  // Monotonic time in microseconds since an arbitrary start.
  virtual int64_t steady_us() = 0;
};

// The machine's clocks. Thread-safe; never destroyed.
Clock& system_clock();

}  // namespace syncline
