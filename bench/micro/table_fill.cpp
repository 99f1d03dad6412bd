#include "bench/micro/table_fill.hpp"

#include <cstdlib>
#include <cstring>
#include <random>
#include <string>

namespace syncline::bench {

void fill_table(state::FingerprintTable& table, size_t value_count, size_t lane_count,
                size_t record_count) {
  constexpr size_t kChunkRecords = 200000;
  std::vector<std::string> deltas(lane_count);
  const auto flush = [&] {
    for (size_t lane = 0; lane < lane_count; ++lane) {
      if (!table.apply(static_cast<model::LaneIndex>(lane), deltas[lane])) std::abort();
      deltas[lane].clear();
    }
  };
  for (uint64_t record = 0; record < record_count; ++record) {
    std::string& delta = deltas[lane_of_record(record, lane_count)];
    char bytes[SYN_DELTA_HEAD_SIZE + SYN_FIELD_COUNT_MAX * SYN_CELL_SIZE + 8] = {SYN_DELTA_PUT};
    const uint64_t key_bits = syn_key_bits(key_of(record));
    std::memcpy(bytes + 1, &key_bits, sizeof key_bits);
    size_t size = SYN_DELTA_HEAD_SIZE;
    for (size_t field = 0; field < value_count; ++field, size += SYN_CELL_SIZE) {
      const uint64_t cell = syn_cell_of_fingerprint(fingerprint_of(record, field));
      std::memcpy(bytes + size, &cell, sizeof cell);
    }
    delta.append(bytes, size);
    if (record % kChunkRecords == kChunkRecords - 1) flush();
  }
  flush();
}

syn_batch DetectBatch::view(size_t value_count) const {
  syn_batch batch{};
  batch.row_count = static_cast<uint32_t>(op.size());
  batch.field_count = static_cast<uint32_t>(value_count + 1);
  batch.key_count = 1;
  batch.op = op.data();
  batch.lane = lane.data();
  return batch;
}

DetectBatch make_detect_batch(const std::vector<uint64_t>& records, size_t value_count,
                              size_t lane_count) {
  DetectBatch batch;
  for (size_t row = 0; row < records.size(); ++row) {
    batch.op.push_back(SYN_OP_UPDATE);
    batch.lane.push_back(lane_of_record(records[row], lane_count));
    batch.fingerprints.keys.push_back(key_of(records[row]));
    for (size_t field = 0; field < value_count; ++field) {
      const bool is_changed = row % 10 == 9 && field < 2;
      const uint64_t fingerprint = fingerprint_of(records[row], field);
      batch.fingerprints.cells.push_back(is_changed ? fingerprint + 1 : fingerprint);
    }
  }
  return batch;
}

std::vector<DetectBatch> random_detect_batches(size_t count, size_t row_count, size_t value_count,
                                               size_t record_count) {
  std::mt19937_64 random(1);
  std::vector<DetectBatch> batches;
  std::vector<uint64_t> records(row_count);
  for (size_t i = 0; i < count; ++i) {
    for (uint64_t& record : records) record = random() % record_count;
    batches.push_back(make_detect_batch(records, value_count, model::kLaneCountDefault));
  }
  return batches;
}

}  // namespace syncline::bench
