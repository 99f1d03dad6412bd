// Simulated time. Wall time may jump; steady time only goes forward.
//
// Threads: one at a time.
#pragma once

#include "host/base/clock.hpp"

namespace syncline::simulation {

inline constexpr int64_t kSecondUs = 1'000'000;
inline constexpr int64_t kStartUs = 1'790'000'000 * kSecondUs;  // September 2026

class SimClock final : public Clock {
 public:
  int64_t now_us() override { return kStartUs + elapsed_us_ + jump_us_; }
  int64_t steady_us() override { return elapsed_us_; }

  // What an observer with a perfect watch would say.
  int64_t true_us() const { return kStartUs + elapsed_us_; }
  void advance(int64_t by_us) { elapsed_us_ += by_us; }
  void set_jump(int64_t jump_us) { jump_us_ = jump_us; }

 private:
  int64_t elapsed_us_ = 0;
  int64_t jump_us_ = 0;
};

}  // namespace syncline::simulation
