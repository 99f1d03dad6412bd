// Runs every stage of one engine on made-up batches of several sizes, to give its costs a start.
//
// Threads: one. Errors: those of the engine, by stage; the caller takes them as faults.
#pragma once

#include <functional>

#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"

namespace syncline::dispatch {

using Observe = std::function<void(engine::Stage stage, double bytes, double us)>;

// kUpToLarge: also a batch of some megabytes, so that engines can be told apart where they differ.
enum class BatchSizes { kUpToMiddle, kUpToLarge };

// Returns at the first error. At most limit_us of the clock, and a bounded number of calls.
Result<void> calibrate_stage(engine::Engine& engine, engine::Stage stage, Clock& clock,
                             int64_t limit_us, BatchSizes sizes, const Observe& observe);

// How many bytes a stage works on: what costs are measured in.
double fingerprint_bytes(const syn_batch& batch);
double detect_bytes(const engine::Fingerprints& fingerprints);
double seal_bytes(std::span<const engine::ColumnView> columns);

}  // namespace syncline::dispatch
