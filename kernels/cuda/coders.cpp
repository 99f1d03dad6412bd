#include "kernels/cuda/coders.hpp"

#include "kernels/cuda/coder_trial.hpp"

namespace syncline::cuda {

Result<bool> Coders::choose(CudaSlot& slot) {
  const std::lock_guard lock(mutex_);
  if (is_chosen_) return nvcomp() != nullptr;
  const Nvcomp* const nvcomp = options_.find_nvcomp ? options_.find_nvcomp() : Nvcomp::find();
  if (nvcomp != nullptr) {
    SYN_TRY(const bool is_better, is_nvcomp_better(slot, *nvcomp, options_.sample_count));
    if (is_better) chosen_.store(nvcomp, std::memory_order_release);
  }
  is_chosen_ = true;
  return this->nvcomp() != nullptr;
}

bool Coders::drop(const std::string& why) {
  if (chosen_.exchange(nullptr, std::memory_order_acq_rel) == nullptr) return false;
  if (options_.on_warning) {
    options_.on_warning("engine 'cuda': nvCOMP is not used any more, our own coder is: " + why);
  }
  return true;
}

}  // namespace syncline::cuda
