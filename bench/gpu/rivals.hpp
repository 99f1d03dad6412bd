// What a plain port to the card would be, with the same bodies: a thread a row, a thread a key; and
// tables and batches made on the card.
//
// Threads: one. Errors: a launch's own.
#pragma once

#include <cstdint>

#include "kernels/cuda/kernels.hpp"

namespace syncline::bench {

cudaError_t launch_thread_per_row(const cuda::FingerprintWork& work,
                                  const cuda::SecretArgument& secret);
cudaError_t launch_thread_per_key(const cuda::DetectWork& work);

// Records first, first + step and so on, as slots lie in a table: keys and 6-byte cells.
cudaError_t launch_make_slots(uint64_t* keys, uint8_t* cells, uint64_t first, uint64_t count,
                              uint64_t step, uint32_t value_count);

// Rows drawn from record_count records over lane_count lanes (a record's lane is its number's
// remainder); in every tenth row two cells differ from the table's.
struct MadeRows {
  uint8_t* op;
  uint16_t* lane;
  syn_hash128* keys;
  uint64_t* cells;
};
cudaError_t launch_make_rows(const MadeRows& rows, uint32_t row_count, uint32_t value_count,
                             uint64_t record_count, uint32_t lane_count, uint64_t seed);

}  // namespace syncline::bench
