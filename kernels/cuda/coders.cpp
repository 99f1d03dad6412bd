#include "kernels/cuda/coders.hpp"

#include "kernels/cuda/coder_trial.hpp"

namespace syncline::cuda {

const Nvcomp* Coders::find(const CudaOptions& options) {
  return options.find_nvcomp ? options.find_nvcomp() : Nvcomp::find();
}

Result<bool> Coders::choose(CudaSlot& slot) {
  const std::lock_guard lock(mutex_);
  if (is_chosen_) return nvcomp() != nullptr;
  is_chosen_ = true;  // ours, whatever becomes of the card while nvCOMP is measured
  if (options_.coder == Coder::kOurs) return false;
  const Nvcomp* const nvcomp = find(options_);
  if (nvcomp == nullptr) return false;
  if (options_.coder == Coder::kNvcomp) {
    chosen_.store(nvcomp, std::memory_order_release);
    return true;
  }
  const Result<bool> is_better = is_nvcomp_better(slot, *nvcomp, options_.sample_count);
  if (!is_better.has_value()) {
    is_chosen_ = is_better.error().code != ErrorCode::kEngineNotReady;
    if (is_chosen_) warn("the card failed while it was measured: " + to_string(is_better.error()));
    return is_better.error();
  }
  if (is_better.value()) chosen_.store(nvcomp, std::memory_order_release);
  return is_better.value();
}

bool Coders::drop(const std::string& why) {
  if (chosen_.exchange(nullptr, std::memory_order_acq_rel) == nullptr) return false;
  warn(why);
  return true;
}

void Coders::warn(const std::string& why) {
  if (!options_.on_warning) return;
  options_.on_warning("engine 'cuda': nvCOMP is not used any more, our own coder is: " + why);
}

}  // namespace syncline::cuda
