#include "host/dispatch/cost_model.hpp"

#include <algorithm>
#include <utility>

namespace syncline::dispatch {
namespace {

constexpr double kDecay = 0.986;  // 0.5 after 50 calls
// A call that took longer than this many times the prediction was interrupted, or did something
// that is done once (a device's buffers grow): it does not count unless the next one is like it,
// ...
constexpr double kSuspectFactor = 2.5;
// ... and then as no more than this many times the prediction.
constexpr double kOutlierFactor = 10;
// Below this relative spread of sizes a slope cannot be told from the fixed part.
constexpr double kSpreadMin = 0.05;
// A rate is never reported as infinite.
constexpr double kUsPerByteMin = 1e-9;

}  // namespace

void CostModel::observe(double bytes, double us) {
  if (is_fitting_.test_and_set(std::memory_order_acquire)) return;
  const double expected_us = std::max(predict_us(bytes), 1.0);
  const bool was_suspect =
      std::exchange(is_suspect_, is_measured() && us > kSuspectFactor * expected_us);
  if (!is_suspect_ || was_suspect) {
    if (is_measured()) us = std::min(us, kOutlierFactor * expected_us);
    add(bytes, us);
    fit();
    is_measured_.store(true, std::memory_order_relaxed);
  }
  is_fitting_.clear(std::memory_order_release);
}

void CostModel::restart() {
  if (is_fitting_.test_and_set(std::memory_order_acquire)) return;
  is_suspect_ = false;
  weight_ = bytes_ = us_ = bytes_bytes_ = bytes_us_ = 0;
  is_measured_.store(false, std::memory_order_relaxed);
  is_fitting_.clear(std::memory_order_release);
}

void CostModel::add(double bytes, double us) {
  weight_ = weight_ * kDecay + 1;
  bytes_ = bytes_ * kDecay + bytes;
  us_ = us_ * kDecay + us;
  bytes_bytes_ = bytes_bytes_ * kDecay + bytes * bytes;
  bytes_us_ = bytes_us_ * kDecay + bytes * us;
}

void CostModel::fit() {
  const double mean_bytes = bytes_ / weight_;
  const double mean_us = us_ / weight_;
  const double variance = bytes_bytes_ / weight_ - mean_bytes * mean_bytes;
  const double covariance = bytes_us_ / weight_ - mean_bytes * mean_us;
  double slope = us_per_byte_.load(std::memory_order_relaxed);
  if (!is_measured()) slope = 0;
  if (variance > kSpreadMin * kSpreadMin * mean_bytes * mean_bytes) slope = covariance / variance;
  double fixed = mean_us - slope * mean_bytes;
  if (slope < 0) {  // smaller calls that took longer: all of it is fixed cost
    slope = 0;
    fixed = mean_us;
  } else if (fixed < 0) {  // all of it is rate: the line through the origin
    fixed = 0;
    slope = bytes_bytes_ > 0 ? bytes_us_ / bytes_bytes_ : 0;
  }
  fixed_us_.store(fixed, std::memory_order_relaxed);
  us_per_byte_.store(slope, std::memory_order_relaxed);
}

StageCost CostModel::cost() const {
  if (!is_measured()) return {};
  const double slope = us_per_byte_.load(std::memory_order_relaxed);
  return {fixed_us_.load(std::memory_order_relaxed), 1 / std::max(slope, kUsPerByteMin)};
}

}  // namespace syncline::dispatch
