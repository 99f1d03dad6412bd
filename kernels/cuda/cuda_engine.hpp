// The CUDA engine: fingerprint and detect on a card of compute capability 8.0 or higher.
//
// It is the engine of kernels/device on this card. The runtime is linked in and looks for the
// driver when the process starts to use it: a machine without one simply has no such engine.
// Threads, errors: those of kernels/device/device_engine.hpp.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "host/base/result.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::cuda {

// How a small batch's commands are sent to the card.
enum class Trips { kAsGraphs, kByCommand };

// Who makes the frames of blocks: what measures faster, or one of them without that.
enum class Coder { kFaster, kOurs, kNvcomp };

class Nvcomp;

struct CudaOptions {
  Trips trips = Trips::kAsGraphs;
  Coder coder = Coder::kFaster;  // kNvcomp: kUnsupported where it is not there
  // Called with the first block; empty: the library, where it is there. It may give null.
  std::function<const Nvcomp*()> find_nvcomp = {};
  size_t sample_count = 96;  // pieces that it is measured by, 6 MiB: as many as a large block has
  // What to tell a person of, once.
  std::function<void(const std::string&)> on_warning = {};
};

// Nothing is started before the first batch. Errors: kUnsupported, with the reason, where this
// build or this machine has no such engine.
Result<std::unique_ptr<engine::Engine>> make_cuda_engine();
Result<std::unique_ptr<engine::Engine>> make_cuda_engine(const CudaOptions& options);

// How often this process took memory, on the card or pinned, for this engine; what the driver takes
// by itself, for graphs among others, it does not say.
uint64_t allocations();
// How many small batches went as CUDA graphs.
uint64_t graph_launches();

}  // namespace syncline::cuda
