#include <cstdio>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/card.hpp"

int main(int argument_count, char** arguments) {
  using namespace syncline::bench;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) {
    std::fprintf(stderr, "bench: this machine has no card that CUDA can use\n");
    return 3;
  }
  return run_benches(argument_count, arguments,
                     {{"engines.cuda.fingerprint", &bench_card_fingerprint},
                      {"engines.cuda.detect", &bench_card_detect},
                      {"engines.cuda.aes", &bench_card_aes},
                      {"engines.cuda.stream", &bench_card_stream},
                      {"engines.cuda.frames", &bench_card_frames},
                      {"engines.cuda.seal", &bench_card_seal},
                      {"engines.cuda.whole", &bench_card_whole},
                      {"engines.cuda.small", &bench_small_batch},
                      {"engines.dispatcher", &bench_dispatcher}});
}
