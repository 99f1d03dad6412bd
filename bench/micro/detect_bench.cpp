// stage.detect: rows of 8 cells against a table of 4 GiB (256 MiB with --quick), one core, one row
// in ten changed, beside absl::flat_hash_map from key bits to the same 48 bytes.
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "bench/micro/benches.hpp"
#include "bench/micro/table_fill.hpp"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::bench {
namespace {

constexpr size_t kFields = 8;
constexpr size_t kRowsPerBatch = 8192;

struct KeyHasher {  // key bits are hashes already
  size_t operator()(uint64_t key_bits) const { return key_bits; }
};
using Cells = std::array<uint8_t, kFields * SYN_CELL_SIZE>;
using PlainMap = absl::flat_hash_map<uint64_t, Cells, KeyHasher>;

Cells cells_of(const uint64_t* fingerprints) {
  Cells cells;
  for (size_t i = 0; i < kFields; ++i) {
    const uint64_t cell = syn_cell_of_fingerprint(fingerprints[i]);
    std::memcpy(cells.data() + i * SYN_CELL_SIZE, &cell, SYN_CELL_SIZE);
  }
  return cells;
}

PlainMap make_plain_map(size_t record_count) {
  PlainMap map;
  map.reserve(record_count);
  uint64_t fingerprints[kFields];
  for (uint64_t record = 0; record < record_count; ++record) {
    for (size_t i = 0; i < kFields; ++i) fingerprints[i] = fingerprint_of(record, i);
    map.emplace(syn_key_bits(key_of(record)), cells_of(fingerprints));
  }
  return map;
}

size_t detect_plainly(const PlainMap& map, const DetectBatch& batch) {
  size_t changed = 0;
  for (size_t row = 0; row < batch.op.size(); ++row) {
    const auto found = map.find(syn_key_bits(batch.fingerprints.keys[row]));
    const uint64_t* fingerprints = batch.fingerprints.cells.data() + row * kFields;
    if (found == map.end() || found->second != cells_of(fingerprints)) ++changed;
  }
  return changed;
}

// The lines that detect must touch and nothing else: a key line and the record's cells, at random
// places in the table's own memory, each asked for 32 rows ahead. What the memory allows.
size_t touch_lines(const engine::TableRef& table, size_t row_count) {
  constexpr size_t kAhead = 32;
  constexpr size_t kRecordSize = kFields * SYN_CELL_SIZE;
  size_t sum = 0;
  const auto lane_of_row = [&](size_t row) -> const engine::TableLaneRef& {
    return table.lanes[lane_of_record(row, table.lane_count)];
  };
  const auto slot_of_row = [&](size_t row) {
    return syn_home_line(mix(row), lane_of_row(row).line_count) * SYN_SLOTS_PER_LINE + row % 8;
  };
  for (size_t row = 0; row < row_count; ++row) {
    const engine::TableLaneRef& ahead = lane_of_row(row + kAhead);
    const uint64_t next = slot_of_row(row + kAhead);
    __builtin_prefetch(ahead.keys + next);
    __builtin_prefetch(ahead.cells + next * kRecordSize);
    __builtin_prefetch(ahead.cells + next * kRecordSize + kRecordSize - 1);
    const engine::TableLaneRef& lane = lane_of_row(row);
    const uint8_t* cells = lane.cells + slot_of_row(row) * kRecordSize;
    sum += lane.keys[slot_of_row(row)] + cells[0] + cells[kRecordSize - 1];
  }
  return sum;
}

}  // namespace

void bench_detect(const Options& options) {
  const size_t size = options.is_quick ? size_t{256} << 20 : size_t{4} << 30;
  const size_t record_count = size / 64;
  state::FingerprintTable table(kFields, model::kLaneCountDefault);
  table.reserve(record_count);
  fill_table(table, kFields, model::kLaneCountDefault, record_count);
  const std::vector<DetectBatch> batches =
      random_detect_batches(options.is_quick ? 32 : 128, kRowsPerBatch, kFields, record_count);
  const PlainMap map = make_plain_map(record_count);
  const auto engine = cpu::make_cpu_engine();
  engine::Detected detected;
  const auto run_ours = [&] {
    for (const DetectBatch& batch : batches) {
      const auto outcome =
          engine->detect(batch.view(kFields), batch.fingerprints, table.ref(), detected);
      if (!outcome) std::abort();
    }
    return static_cast<double>(batches.size() * kRowsPerBatch);
  };
  size_t changed = 0;
  const auto run_theirs = [&] {
    for (const DetectBatch& batch : batches) changed += detect_plainly(map, batch);
    return static_cast<double>(batches.size() * kRowsPerBatch);
  };
  size_t touched = 0;
  const auto run_memory = [&] {
    const size_t row_count = batches.size() * kRowsPerBatch;
    touched += touch_lines(table.ref(), row_count);
    return static_cast<double>(row_count);
  };
  const std::string what = "8 cells, a table of " + std::to_string(table.size_bytes() >> 20) +
                           " MiB, one row in ten changed; " + engine->describe().variants;
  report(measure_rate(options, "stage.detect", what, "rows/s", run_ours,
                      {"absl::flat_hash_map", run_theirs}, Time::kThread));
  report(measure_rate(options, "stage.detect", what, "rows/s", run_ours,
                      {"reading the same lines, prefetched", run_memory}, Time::kThread));
  if (changed == 0 || touched == 0) std::abort();
}

}  // namespace syncline::bench
