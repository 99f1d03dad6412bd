// Runs every stage of one engine on made-up batches of several sizes, to give its costs a start.
//
// Threads: one. Errors: those of the engine, by stage; the caller takes them as faults.
#pragma once

#include <vector>

#include "host/base/clock.hpp"
#include "host/dispatch/dispatcher.hpp"

namespace syncline::dispatch {

// kUpToLarge: also a batch of some megabytes, so that engines can be told apart where they differ.
enum class BatchSizes { kUpToMiddle, kUpToLarge };

struct Calibration {
  std::vector<SizeCost> sizes;  // of which a call was measured
  int64_t once_us = 0;  // by how much the first call took longer: a context, kernels, a self-check
  Result<void> end = success();  // the error that ended it early: the sizes hold all the same
};

// How many calls the least measurement of a stage needs: one that warms up and one that is
// measured, and for some stages another one that makes what they take.
int64_t calls_needed(engine::Stage stage);

// What a call of each size takes: the lower quartile of those measured, for some are interrupted.
// Sizes come in turn, so that a busy machine disturbs all of them alike. Until end_us of the clock,
// what is done only once aside, and a bounded number of calls; none is begun that is likely to end
// later, but for those that the smallest size needs. An engine that is not ready is asked until
// then. Ends at the first error.
Calibration calibrate_stage(engine::Engine& engine, engine::Stage stage, Clock& clock,
                            int64_t end_us, BatchSizes sizes);

// How many bytes a stage works on: what costs are measured in.
double fingerprint_bytes(const syn_batch& batch);
double detect_bytes(const engine::Fingerprints& fingerprints);
double seal_bytes(std::span<const engine::ColumnView> columns);

}  // namespace syncline::dispatch
