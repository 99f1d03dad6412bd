// stage.fingerprint: rows of 132 bytes and 12 cells, one core, beside one call of libxxhash a cell.
#include <cstdio>
#include <cstdlib>

#include <xxhash.h>

#include "bench/micro/benches.hpp"
#include "bench/sample_rows.hpp"
#include "kernels/contract/fingerprint.h"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

void fingerprint_plainly(const syn_batch& batch, const engine::Secret& secret,
                         engine::Fingerprints& out) {
  size_t next = 0;
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret.data(), secret.size());
    out.keys[row] = {key.low64, key.high64};
    for (uint32_t field = batch.key_count; field < batch.field_count; ++field) {
      const size_t index = size_t{row} * batch.field_count + field;
      out.cells[next++] =
          XXH3_64bits_withSecret(batch.arena + batch.cell_offset[index], batch.cell_length[index],
                                 secret.data(), secret.size());
    }
  }
}

}  // namespace

void bench_fingerprint(const Options& options) {
  const model::Schema schema = sample_schema();
  const size_t row_count = 4096;
  const int rounds = options.is_quick ? 100 : 1000;
  const model::Batch batch = sample_batch(schema, model::kLaneCountDefault, row_count, 1);
  engine::Secret secret;
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 37 + 11);
  const auto engine = cpu::make_cpu_engine();
  const syn_batch view = batch.view();
  engine::Fingerprints ours;
  engine::Fingerprints theirs;
  theirs.keys.resize(row_count);
  theirs.cells.resize(row_count * schema.value_count());

  const auto run_ours = [&] {
    for (int i = 0; i < rounds; ++i) {
      if (!engine->fingerprint(view, secret, ours)) std::abort();
    }
    return static_cast<double>(rounds) * row_count;
  };
  const auto run_theirs = [&] {
    for (int i = 0; i < rounds; ++i) fingerprint_plainly(view, secret, theirs);
    return static_cast<double>(rounds) * row_count;
  };
  const Figure figure =
      measure_rate(options, "stage.fingerprint",
                   "12 cells, " + std::to_string(batch.size_bytes() / row_count) +
                       " bytes a row; " + engine->describe().variants,
                   "rows/s", run_ours, {"libxxhash, one call a cell", run_theirs}, Time::kThread);
  if (ours.cells != theirs.cells) {
    std::fprintf(stderr, "stage.fingerprint: the results differ\n");
    std::exit(1);
  }
  report(figure);
}

}  // namespace syncline::bench
