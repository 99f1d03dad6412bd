// What a column can hold: what its type says, and which numbers and how many bytes of it.
//
// Threads: values.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>

#include "host/model/types.hpp"

namespace syncline::model {

struct Extent {
  LogicalType type;
  int64_t least = std::numeric_limits<int64_t>::min();  // of integers
  uint64_t most = std::numeric_limits<int64_t>::max();  // likewise
  uint64_t size_bytes_max = 0;                          // of texts and bytes; 0: no limit
  // Kept behind the point, where the type does not say it: of FLOAT(8,2), interval(0). Below zero:
  // so many before it are 0.
  std::optional<int16_t> fraction_digits = std::nullopt;
  bool is_kept_to = true;  // it holds no more than its type says
  bool operator==(const Extent&) const = default;
};

}  // namespace syncline::model
