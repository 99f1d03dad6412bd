// Keys that a column takes for one where they are two records: citext and collations that are not
// deterministic know more letters for equal than ASCII's, which are all that a key folds. Here each
// record is met by its own key alone.
//
// Threads: values.
#pragma once

#include <optional>
#include <string>

#include "drivers/systems/postgres/detail/pipeline.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "host/ports/target.hpp"

namespace syncline::postgres {

// Whether the column may take two keys for one.
inline bool is_coarse(const Column& column) {
  return column.equivalence != model::KeyEquivalence::kBytes;
}
bool has_coarse_key(const Mapped& mapped);

// A value, as SQL, of which only ASCII's letters are folded: equal where two keys are one record.
std::string folded(const std::string& value);

// The key columns as SQL compares them, each of `values` (in their order) beside what it is folded
// to where the column is coarse: "a", lower(...), "b".
std::string told_apart(const Mapped& mapped, const std::vector<std::string>& values);

// Why a record is not written whose key the table takes for another's. other: that key.
Error taken_for(const Mapped& mapped, const std::string& other);

}  // namespace syncline::postgres
