// Cost of one stage on one engine: time = fixed + bytes / rate, fitted to what calls really took.
//
// Exponentially weighted least squares: a call's weight halves every 50 calls or so, so the model
// follows a machine that gets busier. Owner: the dispatcher, one per engine and stage. Threads:
// any; predict() is two relaxed loads; observe() drops its sample when another thread is fitting.
#pragma once

#include <atomic>
#include <cstddef>

namespace syncline::dispatch {

struct StageCost {
  double fixed_us = 0;
  double bytes_per_us = 0;  // 0: not measured, or the stage is not there
};

class CostModel {
 public:
  void observe(double bytes, double us);
  // Forgets everything before the next observation: after a time out of service.
  void restart();

  bool is_measured() const { return is_measured_.load(std::memory_order_relaxed); }
  double predict_us(double bytes) const {
    return fixed_us_.load(std::memory_order_relaxed) +
           bytes * us_per_byte_.load(std::memory_order_relaxed);
  }
  StageCost cost() const;

 private:
  void add(double bytes, double us);
  void fit();

  std::atomic<double> fixed_us_ = 0;
  std::atomic<double> us_per_byte_ = 0;
  std::atomic<bool> is_measured_ = false;
  std::atomic_flag is_fitting_;

  // Only whoever holds is_fitting_ touches these: whether the last call took far too long, and
  // weighted sums.
  bool is_suspect_ = false;
  double weight_ = 0;
  double bytes_ = 0;
  double us_ = 0;
  double bytes_bytes_ = 0;
  double bytes_us_ = 0;
};

}  // namespace syncline::dispatch
