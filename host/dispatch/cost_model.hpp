// Cost of one stage on one engine: time = fixed + bytes / rate, fitted to what calls really took.
//
// Exponentially weighted least squares: a call's weight halves every 50 calls or so, so the model
// follows a machine that gets busier. The rate that was learnt weighs as much as calls whose sizes
// differ by 32 KiB: small calls, whose times are chance, do not make a large one look free. Owner:
// the dispatcher, one per engine and stage. Threads: any; predict() is two relaxed loads; observe()
// drops its sample when another thread is fitting; learn() and restart() wait for it.
#pragma once

#include <atomic>
#include <cstddef>
#include <span>

namespace syncline::dispatch {

struct StageCost {
  bool is_measured = false;
  double fixed_us = 0;
  double bytes_per_us = 0;  // 0: bytes made no difference that could be measured (they are taken
                            // for free then: the engine gets a large batch, and is measured)
};

// What calls of one size took, interruptions left out.
struct SizeCost {
  double bytes = 0;
  double us = 0;
  double call_count = 0;
};

class CostModel {
 public:
  // One call. It may have been interrupted: a single one far from the prediction does not count.
  void observe(double bytes, double us);
  // The rate that comes of these is what is assumed until calls tell another.
  void learn(std::span<const SizeCost> sizes);
  // Forgets all but the rate learnt before the next observation: after a time out of service.
  void restart();

  bool is_measured() const { return is_measured_.load(std::memory_order_relaxed); }
  double predict_us(double bytes) const {
    return fixed_us_.load(std::memory_order_relaxed) +
           bytes * us_per_byte_.load(std::memory_order_relaxed);
  }
  StageCost cost() const;

 private:
  void begin_fitting();
  void add(const SizeCost& calls);
  void fit();

  std::atomic<double> fixed_us_ = 0;
  std::atomic<double> us_per_byte_ = 0;
  std::atomic<bool> is_measured_ = false;
  std::atomic_flag is_fitting_;

  // Only whoever holds is_fitting_ touches these: whether the last call took far too long, the rate
  // learnt (0: none), and weighted sums.
  bool is_suspect_ = false;
  double learnt_us_per_byte_ = 0;
  double weight_ = 0;
  double bytes_ = 0;
  double us_ = 0;
  double bytes_bytes_ = 0;
  double bytes_us_ = 0;
};

}  // namespace syncline::dispatch
