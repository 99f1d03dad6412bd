// stage.open: what stage.seal sealed, beside OpenSSL's AES-256-GCM and libzstd over its rows.
#include <cstdlib>

#include "bench/micro/benches.hpp"
#include "bench/micro/seal_rows.hpp"
#include "kernels/cpu/seal.hpp"

namespace syncline::bench {

void bench_open(const Options& options) {
  const SealRows rows = seal_rows(1);
  const int rounds = options.is_quick ? 50 : 1000;
  PlainSealer plain;
  const engine::SealKey key;
  const auto made = cpu::seal_block(rows.views(), key, "header");
  if (!made) std::abort();
  const std::string ours = made.value().bytes;
  const std::string theirs = plain.seal(rows.row_major);
  const double size_mb = static_cast<double>(rows.row_major.size()) / 1e6;

  const auto run_ours = [&] {
    std::array<uint8_t, 32> digest{};
    for (int i = 0; i < rounds; ++i) {
      const auto opened = cpu::open_block(ours, key, "header", digest);
      if (!opened || opened.value().size() != rows.columns.size()) std::abort();
    }
    return rounds * size_mb;
  };
  const auto run_theirs = [&] {
    for (int i = 0; i < rounds; ++i) {
      if (plain.open(theirs, rows.row_major.size()) != rows.row_major) std::abort();
    }
    return rounds * size_mb;
  };
  report(measure_rate(
      options, "stage.open",
      "64 KiB of rows of 12 fields, into columns; AES " + std::string(cpu::aes_variant()), "MB/s",
      run_ours, {"OpenSSL AES-256-GCM, libzstd into rows", run_theirs}, Time::kThread));
}

}  // namespace syncline::bench
