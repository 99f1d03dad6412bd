// The GPU benches: the goals G1 to G6 of the accelerator engines.
#pragma once

#include "bench/harness.hpp"

namespace syncline::bench {

void bench_card_fingerprint(const Options& options);
void bench_card_detect(const Options& options);
void bench_card_aes(const Options& options);
void bench_card_stream(const Options& options);
void bench_card_frames(const Options& options);
void bench_card_seal(const Options& options);
void bench_card_whole(const Options& options);
void bench_small_batch(const Options& options);
void bench_dispatcher(const Options& options);

}  // namespace syncline::bench
