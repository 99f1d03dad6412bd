#include <cstdio>
#include <cstring>

#include "bench/gpu/benches.hpp"
#include "bench/gpu/card.hpp"

namespace {

// To name the figures no card is needed.
bool is_list(int argument_count, char** arguments) {
  for (int i = 1; i < argument_count; ++i) {
    if (std::strcmp(arguments[i], "--list") == 0) return true;
  }
  return false;
}

}  // namespace

int main(int argument_count, char** arguments) {
  using namespace syncline::bench;
  int count = 0;
  const bool has_card = cudaGetDeviceCount(&count) == cudaSuccess && count > 0;
  if (!has_card) {
    std::fprintf(stderr, "bench: engines.cuda.*: this machine has no card that CUDA can use\n");
    if (!is_list(argument_count, arguments)) return 3;
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
