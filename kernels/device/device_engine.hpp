// The engine of a device: the four stages there, by slots and copies of tables.
//
// Fingerprints stay on the device until their slot is used again, so detect takes them from there;
// each fingerprint table that detect meets has a copy there, kept equal by the table's own deltas.
// Rows that share a key within a batch are settled on the host, which also writes the delta; of a
// block it chooses and undoes the encodings (seal.hpp). Nothing is started before the first batch.
// After a failure of the device's own calls it is started anew, with nothing of what it held, as
// soon as no batch is on it; not where its results are wrong, or the host's libraries fail.
// Threads: any; up to Ring::kSlotCount batches are on the device at once. Errors: kEngine (the
// device, a deadline, or what was wrong beside it), kEngineNotReady (a table whose copy is not
// there, or has no room; no slot came free, or has no memory; a device that is started anew),
// kInvalidArgument and kDamaged, as the CPU's.
#pragma once

#include <memory>

#include "kernels/device/device.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::device {

// How long one wait for the device may take where nothing like it was waited for before; else it is
// some times of what that took (wait_times.hpp).
inline constexpr int64_t kWaitLimitUs = 10'000'000;

std::unique_ptr<engine::Engine> make_device_engine(std::unique_ptr<Device> device,
                                                   int64_t wait_limit_us = kWaitLimitUs);

}  // namespace syncline::device
