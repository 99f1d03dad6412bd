// Logical types and their canonical bytes: what two systems must agree on to agree on a cell.
//
// One canonical form per value (docs/types.md has the table). Integers are 8 bytes big endian with
// the sign bit flipped (so byte order is value order), floats likewise, text is UTF-8 as it is.
// A value that a type cannot hold exactly is an error (kValue), never a changed value.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.hpp"

namespace syncline::model {

// Permanent values: they are written to the journal.
enum class TypeKind : uint8_t {
  kBool = 1,
  kInt64 = 2,
  kUint64 = 3,
  kDecimal = 4,   // precision, scale
  kFloat32 = 5,
  kFloat64 = 6,
  kText = 7,      // length: of varchar(n) in characters, 0 = unbounded
  kChar = 8,      // length: trailing spaces trimmed
  kBytes = 9,     // length: binary(n) is padded to n, 0 = unbounded
  kBit = 10,      // length in bits
  kDate = 11,
  kDatetime = 12,   // precision: fractional digits 0 to 6
  kTimestamp = 13,  // precision: likewise
  kTime = 14,       // precision: likewise
  kInterval = 15,
  kYear = 16,
  kUuid = 17,
  kInet = 18,
  kMacaddr = 19,
  kJson = 20,
  kEnum = 21,
  kSet = 22,
  kSpatial = 23,
};

struct LogicalType {
  TypeKind kind = TypeKind::kText;
  uint16_t precision = 0;  // decimal digits, or fractional digits of a time
  uint16_t scale = 0;      // of decimal
  uint32_t length = 0;

  bool operator==(const LogicalType&) const = default;
};

std::string_view kind_name(TypeKind kind);
// "decimal(10,2)"; parse accepts the same. Errors: kConfigValue with the known names.
std::string to_string(const LogicalType& type);
Result<LogicalType> parse_type(std::string_view text);

// Canonical bytes from a value, and back. Each pair round-trips; canonical_* refuses (kValue) what
// the type cannot hold exactly.
std::string canonical_bool(bool value);
std::string canonical_int64(int64_t value);
std::string canonical_uint64(uint64_t value);
std::string canonical_float64(double value);  // one zero, one NaN
std::string canonical_float32(float value);
// "-12.50" -> sign, digits without trailing zeros, at most precision digits with scale after the
// point. "NaN", "Infinity" are values.
Result<std::string> canonical_decimal(std::string_view text, const LogicalType& type);
Result<std::string> canonical_text(std::string_view text, const LogicalType& type);  // UTF-8 checked
Result<std::string> canonical_bytes(std::string_view bytes, const LogicalType& type);
Result<std::string> canonical_date(std::string_view iso, const LogicalType& type);       // YYYY-MM-DD
Result<std::string> canonical_datetime(std::string_view iso, const LogicalType& type);   // no zone
Result<std::string> canonical_timestamp(std::string_view iso, const LogicalType& type);  // zone or Z
Result<std::string> canonical_time(std::string_view iso, const LogicalType& type);
Result<std::string> canonical_uuid(std::string_view text);
Result<std::string> canonical_json(std::string_view text);  // RFC 8785 key order, exact decimals

// Any type from the text its dialect-neutral form uses (ISO dates, plain decimals, "true"/"false",
// hex for bytes), and back: for configs, scenarios, messages and drivers without a richer form.
Result<std::string> canonical_from_text(std::string_view text, const LogicalType& type);
std::string text_from_canonical(std::string_view bytes, const LogicalType& type);

bool bool_from_canonical(std::string_view bytes);
int64_t int64_from_canonical(std::string_view bytes);
uint64_t uint64_from_canonical(std::string_view bytes);
double float64_from_canonical(std::string_view bytes);
float float32_from_canonical(std::string_view bytes);

}  // namespace syncline::model
