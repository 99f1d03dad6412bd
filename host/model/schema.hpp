// A dataset's logical schema: its fields, key first, and how its keys are folded.
//
// Threads: immutable after it is built; shared by pointer.
#pragma once

#include <string>
#include <vector>

#include "host/model/ids.hpp"
#include "host/model/types.hpp"

namespace syncline::model {

struct Field {
  std::string name;
  LogicalType type;
  bool is_nullable = true;
  // Of dates and clocks: what the type cannot hold (zero dates, infinities) is read as NULL.
  bool are_zero_dates_null = false;
  bool operator==(const Field&) const = default;
};

// The coarsest equality of keys among a dataset's systems. Permanent values.
enum class KeyEquivalence : uint8_t {
  kBytes = 0,
  kAsciiCaseInsensitive = 1,  // and trailing spaces ignored
  kTrailingSpaces = 2,        // trailing spaces ignored
};

struct Schema {
  DatasetId dataset = 0;
  StreamId stream = 0;
  std::string name;
  std::vector<Field> fields;  // the first key_count are the key, in the config's order
  size_t key_count = 0;
  KeyEquivalence key_equivalence = KeyEquivalence::kBytes;

  size_t value_count() const { return fields.size() - key_count; }
};

}  // namespace syncline::model
