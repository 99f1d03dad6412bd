// nvCOMP's coder against ours, on a card, by samples of what columns hold.
//
// Threads: one a slot. Errors: kEngine where the card or our own coder fails, kEngineNotReady where
// there is no memory for it; what nvCOMP does wrong is an answer.
#pragma once

#include <cstddef>

#include "host/base/result.hpp"
#include "kernels/cuda/nvcomp.hpp"

namespace syncline::cuda {

class CudaSlot;

// REQUIRES: nothing runs on the slot. What it held of fingerprints stays.
Result<bool> is_nvcomp_better(CudaSlot& slot, const Nvcomp& nvcomp, size_t sample_count);

}  // namespace syncline::cuda
