// Simulated time: one for the world, and what each appliance's machine takes it for. Wall time may
// jump; steady time only goes forward.
//
// Owner: the world's clock outlives the machines'. Threads: one at a time.
#pragma once

#include "host/base/clock.hpp"

namespace syncline::simulation {

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kStartUs = 1'790'000'000 * kSecondUs;  // September 2026

class SimClock {
 public:
  // What an observer with a perfect watch would say.
  int64_t true_us() const { return kStartUs + elapsed_us_; }
  int64_t steady_us() const { return elapsed_us_; }
  void advance(int64_t by_us) { elapsed_us_ += by_us; }

 private:
  int64_t elapsed_us_ = 0;
};

class MachineClock final : public Clock {
 public:
  explicit MachineClock(const SimClock& clock) : clock_(clock) {}

  int64_t now_us() override { return clock_.true_us() + jump_us_; }
  int64_t steady_us() override { return clock_.steady_us(); }
  void set_jump(int64_t jump_us) { jump_us_ = jump_us; }

 private:
  const SimClock& clock_;
  int64_t jump_us_ = 0;
};

}  // namespace syncline::simulation
