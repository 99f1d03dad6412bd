// Keys that a system keeps as text, or with more digits. Our writes find a record by its key as we
// write it: a row that has another spelling of the same value (an upper-case uuid, a date without
// its zeros, a time with a fraction that the dataset has not) they would never meet, so it is no
// record, and is rejected.
//
// Threads: pure functions. Errors: kSystemKey.
#pragma once

#include <string>
#include <string_view>

#include "host/base/error.hpp"
#include "host/model/quote.hpp"
#include "host/model/types.hpp"

namespace syncline::ports {

// Whether a value of this type can be written as text in more than one way.
inline bool has_spellings(const model::LogicalType& type) {
  using model::TypeKind;
  return type.kind != TypeKind::kText && type.kind != TypeKind::kBytes &&
         type.kind != TypeKind::kEnum;
}

// Whether a column of its own kind may hold more digits than it, which are cut off.
inline bool has_digits(const model::LogicalType& type) {
  using model::TypeKind;
  return type.kind == TypeKind::kDecimal || type.kind == TypeKind::kTime ||
         type.kind == TypeKind::kDatetime || type.kind == TypeKind::kTimestamp;
}

inline Error other_spelling(const std::string& table, const std::string& column,
                            std::string_view stored, std::string_view written) {
  return {
      ErrorCode::kSystemKey,
      "column " + column + " of " + table + " holds '" + model::quote(stored) + "'",
      "a record is found by its key, and this one is written '" + model::quote(written) + "' here",
      "write it so in the row"};
}

}  // namespace syncline::ports
