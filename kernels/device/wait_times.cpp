#include "kernels/device/wait_times.hpp"

#include <algorithm>
#include <bit>

namespace syncline::device {

// Of this size or, in proportion, of the next smaller one that is known; else of a larger one. 0:
// none is known.
int64_t WaitTimes::expected_us(const Kind& kind, size_t size_class) {
  for (size_t below = 0; below <= size_class; ++below) {
    const int64_t usual = kind[size_class - below].load(std::memory_order_relaxed);
    if (usual > 0) return below < 32 ? usual << below : 0;
  }
  for (size_t above = size_class + 1; above < kSizeClasses; ++above) {
    if (const int64_t usual = kind[above].load(std::memory_order_relaxed); usual > 0) return usual;
  }
  return 0;
}

int64_t WaitTimes::limit_us(Work work, size_t size) const {
  const auto& kind = usual_us_[static_cast<size_t>(work)];
  const int64_t expected = expected_us(kind, static_cast<size_t>(std::bit_width(size)));
  if (expected == 0 || expected > limit_max_us_ / kTimes) return limit_max_us_;
  return std::min(std::max(kTimes * expected, kLimitMinUs), limit_max_us_);
}

// What took longer counts at once, and is forgotten slowly.
void WaitTimes::note(Work work, size_t size, int64_t took_us) {
  auto& usual = usual_us_[static_cast<size_t>(work)][static_cast<size_t>(std::bit_width(size))];
  const int64_t before = usual.load(std::memory_order_relaxed);
  usual.store(std::max({took_us, before - before / 8, int64_t{1}}), std::memory_order_relaxed);
}

}  // namespace syncline::device
