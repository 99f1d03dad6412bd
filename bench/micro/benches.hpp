// The micro benches: one stage or all of them, one figure or two each, beside the plain library.
#pragma once

#include "bench/harness.hpp"

namespace syncline::bench {

void bench_fingerprint(const Options& options);
void bench_detect(const Options& options);
void bench_seal(const Options& options);
void bench_open(const Options& options);
void bench_table_memory(const Options& options);
void bench_opencl_fingerprint(const Options& options);
void bench_opencl_detect(const Options& options);
void bench_opencl_seal(const Options& options);
void bench_opencl_open(const Options& options);
void bench_dispatcher(const Options& options);
void bench_all_changed(const Options& options);
void bench_tenth_changed(const Options& options);

}  // namespace syncline::bench
