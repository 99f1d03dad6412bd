// stage.seal: 64 KiB of rows, one core, beside libzstd -1 over the rows and OpenSSL's AES-256-GCM.
#include <cstdio>
#include <cstdlib>

#include "bench/micro/benches.hpp"
#include "bench/micro/seal_rows.hpp"
#include "kernels/cpu/seal.hpp"

namespace syncline::bench {
namespace {

std::string ratio_text(size_t plain, size_t sealed) {
  char text[32];
  std::snprintf(text, sizeof text, "%.2f",
                static_cast<double>(plain) / static_cast<double>(sealed));
  return text;
}

}  // namespace

void bench_seal(const Options& options) {
  const SealRows rows = seal_rows(1);
  const auto views = rows.views();
  const int rounds = options.is_quick ? 50 : 1000;
  PlainSealer plain;
  engine::SealKey key;
  size_t ours_size = 0;
  size_t theirs_size = 0;

  const auto run_ours = [&] {
    for (int i = 0; i < rounds; ++i) {
      const auto sealed = cpu::seal_block(views, key, "header");
      if (!sealed) std::abort();
      key.nonce_counter += sealed.value().chunk_count;
      ours_size = sealed.value().bytes.size();
    }
    return static_cast<double>(rounds) * static_cast<double>(rows.row_major.size()) / 1e6;
  };
  const auto run_theirs = [&] {
    for (int i = 0; i < rounds; ++i) theirs_size = plain.seal(rows.row_major).size();
    return static_cast<double>(rounds) * static_cast<double>(rows.row_major.size()) / 1e6;
  };
  run_ours();
  run_theirs();
  const std::string what = "64 KiB of rows of 12 fields; compressed to 1/" +
                           ratio_text(rows.row_major.size(), ours_size) + ", theirs 1/" +
                           ratio_text(rows.row_major.size(), theirs_size) + "; AES " +
                           std::string(cpu::aes_variant());
  report(measure_rate(options, "stage.seal", what, "MB/s", run_ours,
                      {"libzstd -1 row-major, OpenSSL AES-256-GCM", run_theirs}, Time::kThread));
}

}  // namespace syncline::bench
