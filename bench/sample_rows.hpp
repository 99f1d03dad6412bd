// The rows that the benches share: 132 bytes in 12 fields on average, of the kinds that business
// tables have: keys, names, texts of varying length, numbers, times, a flag.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "host/model/batch.hpp"

namespace syncline::bench {

inline constexpr size_t kSampleFieldCount = 12;

// One key field, eleven value fields.
model::Schema sample_schema();

struct SampleRow {
  std::array<std::string, kSampleFieldCount> cells;  // key first
};

// The same for the same arguments. version changes the cells of fields 3 and 9 only.
SampleRow sample_row(uint64_t key, uint64_t version);

// row_count inserts with keys from first_key on.
model::Batch sample_batch(const model::Schema& schema, size_t lane_count, size_t row_count,
                          uint64_t first_key);

}  // namespace syncline::bench
