// The CUDA engine: fingerprint and detect on a card of compute capability 8.0 or higher.
//
// Fingerprints stay on the card until their slot is used again, so detect takes them from there;
// each fingerprint table that detect meets has a copy there, kept equal by the table's own deltas.
// seal and open say kUnsupported. The runtime is linked in and looks for the driver when the
// process starts to use it: a machine without one simply has no such engine.
// Threads: any; up to Ring::kSlotCount batches are on the card at once. Errors: kEngine (the card,
// or a table that it cannot hold), kInvalidArgument, as the CPU's.
#pragma once

#include <memory>

#include "kernels/engine/engine.hpp"

namespace syncline::cuda {

// Null where this build or this machine has no CUDA. Nothing is started before the first batch.
std::unique_ptr<engine::Engine> make_cuda_engine();

// How often this process took memory, on the card or pinned, for this engine.
uint64_t allocations();

}  // namespace syncline::cuda
