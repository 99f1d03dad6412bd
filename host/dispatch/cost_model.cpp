#include "host/dispatch/cost_model.hpp"

#include <algorithm>
#include <cmath>
#include <thread>
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
// A slope that gives calls of the sizes seen less than this part of their time is chance.
constexpr double kSlopePartMin = 0.01;
// The spread of sizes whose calls say as much of the slope as what was learnt.
constexpr double kLearntSpread = 32 << 10;

}  // namespace

void CostModel::observe(double bytes, double us) {
  if (is_fitting_.test_and_set(std::memory_order_acquire)) return;
  const double expected_us = std::max(predict_us(bytes), 1.0);
  const bool was_suspect =
      std::exchange(is_suspect_, is_measured() && us > kSuspectFactor * expected_us);
  if (!is_suspect_ || was_suspect) {
    if (is_measured()) us = std::min(us, kOutlierFactor * expected_us);
    weight_ *= kDecay;
    bytes_ *= kDecay;
    us_ *= kDecay;
    bytes_bytes_ *= kDecay;
    bytes_us_ *= kDecay;
    add({bytes, us, 1});
  }
  is_fitting_.clear(std::memory_order_release);
}

// Unlike a call these come once: they wait for the call that is being fitted, some additions.
void CostModel::begin_fitting() {
  while (is_fitting_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
}

void CostModel::learn(std::span<const SizeCost> sizes) {
  begin_fitting();
  for (const SizeCost& calls : sizes) add(calls);
  learnt_us_per_byte_ = us_per_byte_.load(std::memory_order_relaxed);
  is_fitting_.clear(std::memory_order_release);
}

void CostModel::restart() {
  begin_fitting();
  is_suspect_ = false;
  weight_ = bytes_ = us_ = bytes_bytes_ = bytes_us_ = 0;
  is_measured_.store(false, std::memory_order_relaxed);
  is_fitting_.clear(std::memory_order_release);
}

void CostModel::add(const SizeCost& calls) {
  weight_ += calls.call_count;
  bytes_ += calls.bytes * calls.call_count;
  us_ += calls.us * calls.call_count;
  bytes_bytes_ += calls.bytes * calls.bytes * calls.call_count;
  bytes_us_ += calls.bytes * calls.us * calls.call_count;
  fit();
  is_measured_.store(true, std::memory_order_relaxed);
}

void CostModel::fit() {
  const double mean_bytes = bytes_ / weight_;
  const double mean_us = us_ / weight_;
  const double learnt_variance = learnt_us_per_byte_ > 0 ? kLearntSpread * kLearntSpread : 0;
  const double variance = bytes_bytes_ / weight_ - mean_bytes * mean_bytes + learnt_variance;
  const double covariance =
      bytes_us_ / weight_ - mean_bytes * mean_us + learnt_variance * learnt_us_per_byte_;
  double slope = learnt_us_per_byte_;
  if (variance > kSpreadMin * kSpreadMin * mean_bytes * mean_bytes) {
    const double told = covariance / variance;
    if (told * std::sqrt(bytes_bytes_ / weight_) > kSlopePartMin * mean_us) slope = told;
  }
  double fixed = mean_us - slope * mean_bytes;
  if (fixed < 0) {  // all of it is rate: the line through the origin
    fixed = 0;
    slope = bytes_us_ / bytes_bytes_;
  }
  fixed_us_.store(fixed, std::memory_order_relaxed);
  us_per_byte_.store(slope, std::memory_order_relaxed);
}

StageCost CostModel::cost() const {
  if (!is_measured()) return {};
  const double slope = us_per_byte_.load(std::memory_order_relaxed);
  return {true, fixed_us_.load(std::memory_order_relaxed), slope > 0 ? 1 / slope : 0};
}

}  // namespace syncline::dispatch
