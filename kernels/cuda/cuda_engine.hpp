// The CUDA engine: fingerprint and detect on a card of compute capability 8.0 or higher.
//
// It is the engine of kernels/device on this card. The runtime is linked in and looks for the
// driver when the process starts to use it: a machine without one simply has no such engine.
// Threads, errors: those of kernels/device/device_engine.hpp.
#pragma once

#include <memory>

#include "host/base/result.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::cuda {

// How a small batch's commands are sent to the card.
enum class Trips { kAsGraphs, kByCommand };

struct CudaOptions {
  Trips trips = Trips::kAsGraphs;
};

// Nothing is started before the first batch. Errors: kUnsupported, with the reason, where this
// build or this machine has no such engine.
Result<std::unique_ptr<engine::Engine>> make_cuda_engine();
Result<std::unique_ptr<engine::Engine>> make_cuda_engine(const CudaOptions& options);

// How often this process took memory, on the card or pinned, for this engine.
uint64_t allocations();

}  // namespace syncline::cuda
