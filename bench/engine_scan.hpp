// One system's rows and its table, which knows them all: what a scan of unchanged records costs on
// any engine.
//
// Ends the program where an engine fails or gives a wrong verdict: a figure of it would be none.
// Threads: a Scan one at a time.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <functional>

#include "bench/harness.hpp"
#include "host/state/fingerprint_table.hpp"
#include "kernels/engine/engine.hpp"

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
    fingerprint(stages);
    detect(stages);
  }
  template <class Stages>
  void fingerprint(Stages& stages) {
    take(stages.fingerprint(rows_, secret_, fingerprints_));
  }
  // Of what was fingerprinted last. Until a device has its copy of the table, each call carries
  // that on.
  template <class Stages>
  void detect(Stages& stages) {
    auto done = stages.detect(rows_, fingerprints_, table_.ref(), detected_);
    while (!done.has_value() && done.error().code == ErrorCode::kEngineNotReady) {
      done = stages.detect(rows_, fingerprints_, table_.ref(), detected_);
    }
    take(std::move(done));
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

}  // namespace syncline::bench
