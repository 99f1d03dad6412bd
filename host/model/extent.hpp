// What a column can hold: what its type says, and which numbers and how many bytes of it.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <limits>

#include "host/model/types.hpp"

namespace syncline::model {

struct Extent {
  LogicalType type;
  int64_t least = std::numeric_limits<int64_t>::min();  // of integers
  uint64_t most = std::numeric_limits<int64_t>::max();  // likewise
  uint64_t size_bytes_max = 0;                          // of texts and bytes; 0: no limit
  bool operator==(const Extent&) const = default;
};

}  // namespace syncline::model
