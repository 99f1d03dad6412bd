// What detect reads of a fingerprint table, and what it says the table must become.
//
// A lane's memory (layout and hashing: kernels/contract/detect.h):
//   keys   [line_count][8]   64 key bits a slot, one 64-byte line for 8 slots; 0 is empty
//   cells  [line_count * 8]  value_count * 6 bytes a slot, apart from the keys, and at least
//                            SYN_TABLE_SLACK_SIZE readable bytes behind the last
// An engine may hold a copy of a table: id says whose, and each lane's log what happened since.
// Owner: the FingerprintTable; a Ref borrows and is valid until the table's next apply.
// Threads: values; reading side by side is fine.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/contract/detect.h"

namespace syncline::engine {

// What a lane was lately told to become, for copies of it: the delta records from number first to
// number end - 1. A copy that is at number n takes over those from n on, or, where n is below first
// (too long ago, or the lane was loaded or cleared), starts again from the lane itself.
// Nothing but the numbers is kept until a copy asks for more by setting is_followed. It sets it
// again whenever it takes records over: the table clears it each time that it shortens the log, and
// keeps no log any more where that did not happen in between, for then nobody follows.
struct TableLaneLog {
  uint64_t first = 0;
  uint64_t end = 0;
  std::string bytes;
  std::vector<uint32_t> offsets;  // of the records in bytes, from number first on
  mutable std::atomic<bool> is_followed = false;
  bool is_kept = false;  // the table's own: records are being added
};

struct TableLaneRef {
  const uint64_t* keys = nullptr;
  const uint8_t* cells = nullptr;
  uint64_t line_count = 0;  // 0: the lane is empty
  const TableLaneLog* log = nullptr;
};

struct TableRef {
  const TableLaneRef* lanes = nullptr;
  uint32_t lane_count = 0;
  uint32_t value_count = 0;
  // A full scan goes on: detect confirms every key it meets (SYN_DELTA_SEEN), changed or not.
  uint32_t is_sweeping = 0;
  uint64_t id = 0;  // of the table, never given again; 0: of none that can be copied
};
static_assert(std::is_trivially_copyable_v<TableRef>);

// One run of delta records per lane (kernels/contract/detect.h), in batch order; empty where the
// lane's table stays as it is. Kept with its memory from batch to batch.
struct TableDeltaSet {
  std::vector<std::string> lanes;
};

}  // namespace syncline::engine
