// Which coder makes the frames of a card's blocks: ours, or nvCOMP's where it is there and better.
//
// Both are measured by samples before the first block. nvCOMP is taken where it is faster, its
// frames are what every reader of ours takes, the same each time, and for no kind of sample larger
// than ours by more than a tenth. What fails later, or takes the card with it while it is measured,
// returns to ours for good, with one warning.
// Frames are never opened by it (docs/decisions/0009).
// Owner: the device, shared with its slots. Threads: any. Errors: kEngine, the card's own.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "host/base/result.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/nvcomp.hpp"

namespace syncline::cuda {

class CudaSlot;

class Coders {
 public:
  explicit Coders(const CudaOptions& options) : options_(options) {}
  // null: it is not there.
  static const Nvcomp* find(const CudaOptions& options);

  // By way of any slot; the first call measures, the others wait for it. Whether it is nvCOMP.
  Result<bool> choose(CudaSlot& slot);
  // nullptr: ours.
  const Nvcomp* nvcomp() const { return chosen_.load(std::memory_order_acquire); }
  // Back to ours. False: it was ours already.
  bool drop(const std::string& why);

 private:
  void warn(const std::string& why);

  CudaOptions options_;
  std::mutex mutex_;
  bool is_chosen_ = false;
  std::atomic<const Nvcomp*> chosen_ = nullptr;
};

}  // namespace syncline::cuda
