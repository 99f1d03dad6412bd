// The benches of the whole pipeline, and the one option of their own.
#pragma once

#include "bench/harness.hpp"

namespace syncline::bench {

void bench_appliance(const Options& options);
void bench_record_memory(const Options& options);
void bench_sqlite(const Options& options);

}  // namespace syncline::bench
