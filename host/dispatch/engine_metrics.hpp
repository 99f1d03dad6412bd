// What the engines did, as metrics of the appliance:
//
//   syncline_engine_batches_total{engine,stage}         done
//   syncline_engine_not_ready_total{engine,stage}       could not be taken yet; the CPU did them
//   syncline_engine_faults_total{engine}
//   syncline_engine_out_of_service{engine,stage}        1 while it is
//
// Threads: one at a time.
#pragma once

#include <span>

#include "host/base/metrics.hpp"
#include "host/dispatch/dispatcher.hpp"

namespace syncline::dispatch {

// Brings the metrics up to the report, which is the later one of any two.
void note_engines(std::span<const EngineReport> engines, Metrics& metrics);

}  // namespace syncline::dispatch
