// One system's rows and its table, which knows them all: what a scan of unchanged records costs on
// any engine, and how well the dispatcher chooses among several.
//
// Ends the program where an engine fails or gives a wrong verdict: a figure of it would be none.
// Threads: a Scan one at a time.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

#include "bench/harness.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/state/fingerprint_table.hpp"

namespace syncline::bench {

template <class T>
T take(Result<T> result) {
  if (result.has_value()) return std::move(result).value();
  std::fprintf(stderr, "bench: %s\n", to_string(result.error()).c_str());
  std::exit(1);
}
void take(Result<void> result);

class Scan {
 public:
  // The rows must outlive it.
  Scan(const syn_batch& rows, uint32_t lane_count);

  // Any engine, or the dispatcher.
  template <class Stages>
  void run(Stages& stages) {
    take(stages.fingerprint(rows_, secret_, fingerprints_));
    take(stages.detect(rows_, fingerprints_, table_.ref(), detected_));
  }
  void expect_all_same() const;

 private:
  syn_batch rows_;
  state::FingerprintTable table_;
  engine::Secret secret_{};
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
};

// One run, in microseconds.
double time_us(const std::function<void()>& run);

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

// engines.dispatcher and engines.dispatcher.calibration: for sizes from 1 KB to 64 MB, the better
// engine's time over that of the one that the dispatcher chose; the worst size is the figure.
void measure_dispatcher(const Options& options, const DispatcherBench& bench);

}  // namespace syncline::bench
