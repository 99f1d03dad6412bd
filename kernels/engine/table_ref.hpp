// What detect reads of a fingerprint table, and what it says the table must become.
//
// A lane's memory (layout and hashing: kernels/contract/detect.h):
//   keys   [line_count][8]   64 key bits a slot, one 64-byte line for 8 slots; 0 is empty
//   cells  [line_count * 8]  value_count * 6 bytes a slot, apart from the keys, and at least
//                            SYN_TABLE_SLACK_SIZE readable bytes behind the last
// Owner: the FingerprintTable; a Ref borrows and is valid until the table's next apply.
// Threads: values; reading side by side is fine.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/contract/detect.h"

namespace syncline::engine {

struct TableLaneRef {
  const uint64_t* keys = nullptr;
  const uint8_t* cells = nullptr;
  uint64_t line_count = 0;  // 0: the lane is empty
};

struct TableRef {
  const TableLaneRef* lanes = nullptr;
  uint32_t lane_count = 0;
  uint32_t value_count = 0;
  // A full scan goes on: detect confirms every key it meets (SYN_DELTA_SEEN), changed or not.
  uint32_t is_sweeping = 0;
};
static_assert(std::is_trivially_copyable_v<TableRef>);

// One run of delta records per lane (kernels/contract/detect.h), in batch order; empty where the
// lane's table stays as it is. Kept with its memory from batch to batch.
struct TableDeltaSet {
  std::vector<std::string> lanes;
};

}  // namespace syncline::engine
