// The values that simulated users write. Each names the transaction that made it (its tag) and has
// a form, which systems may round: so the checker can tell from a cell alone who wrote it.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <set>

#include "host/model/cell.hpp"
#include "host/model/types.hpp"

namespace syncline::simulation {

inline constexpr int kFormCount = 16;
inline constexpr int64_t kNullTag = 0;  // of NULL, whoever wrote it

// How a system stores a form: what it does to values on their way in.
enum class Rounding : uint8_t { kExact, kEven, kQuarter, kOdd };

int stored_form(Rounding rounding, int form);

// kind: kInt64 or kText.
model::Cell make_value(model::TypeKind kind, int64_t tag, int form);
int64_t tag_of(model::TypeKind kind, const model::Cell& cell);  // -1: nobody made such a value
int form_of(model::TypeKind kind, const model::Cell& cell);
model::Cell stored(model::TypeKind kind, Rounding rounding, const model::Cell& cell);

// Whether systems that round like these can come to hold one form of a value.
bool can_agree(const std::set<Rounding>& roundings);

// Every form that a value may come to have on its way through systems that round like these.
std::set<int> reachable_forms(int form, const std::set<Rounding>& roundings);

}  // namespace syncline::simulation
