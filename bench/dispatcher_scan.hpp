// How well the dispatcher chooses: for each stage and size the better engine's time over that of
// the one that was chosen.
//
// Ends the program where an engine fails or gives a wrong verdict: a figure of it would be none.
// Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "bench/harness.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::bench {

// Rows of about so many bytes, held by whatever they need.
struct MadeRows {
  std::shared_ptr<const void> holder;
  syn_batch view{};
};
struct DispatcherBench {
  // In priority order, the CPU's last; made anew for each call.
  std::function<std::vector<std::unique_ptr<engine::Engine>>()> make_engines;
  std::function<MadeRows(size_t size_bytes)> make_rows;
  uint32_t lane_count = 0;
};

// engines.dispatcher.<stage>, of all sizes from 1 KB to 64 MB that double the worst, and
// engines.dispatcher, the worst of those: a miss below 0.9. And engines.dispatcher.calibration: a
// miss from a second on.
void measure_dispatcher(const Options& options, const DispatcherBench& bench);

}  // namespace syncline::bench
