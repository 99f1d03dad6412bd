// A fingerprint table of any size for the benches, and batches of rows that it knows: keys and
// cells are computed from a number, so that nothing else has to be kept.
#pragma once

#include <cstdint>
#include <vector>

#include "host/state/fingerprint_table.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::bench {

inline uint64_t mix(uint64_t value) {  // SplitMix64's finaliser
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

inline syn_hash128 key_of(uint64_t record) {
  return {mix(record), mix(~record)};
}
inline uint16_t lane_of_record(uint64_t record, size_t lane_count) {
  return static_cast<uint16_t>(mix(record * 3 + 1) % lane_count);
}
inline uint64_t fingerprint_of(uint64_t record, size_t field) {
  return mix(record * 257 + field);
}

// Records 0 to record_count - 1.
void fill_table(state::FingerprintTable& table, size_t value_count, size_t lane_count,
                size_t record_count);

// A batch with its fingerprints, ready for detect.
struct DetectBatch {
  std::vector<uint8_t> op;
  std::vector<uint16_t> lane;
  engine::Fingerprints fingerprints;

  syn_batch view(size_t value_count) const;
};

// Updates of the records given; every tenth one has two changed cells.
DetectBatch make_detect_batch(const std::vector<uint64_t>& records, size_t value_count,
                              size_t lane_count);

// Batches of records drawn from so many, for tables of the default number of lanes.
std::vector<DetectBatch> random_detect_batches(size_t count, size_t row_count, size_t value_count,
                                               size_t record_count);

}  // namespace syncline::bench
