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
  kDecimal = 4,  // precision, scale
  kFloat32 = 5,
  kFloat64 = 6,
  kText = 7,   // length: of varchar(n) in characters, 0 = unbounded
  kChar = 8,   // length: trailing spaces trimmed
  kBytes = 9,  // length: binary(n) is padded to n, 0 = unbounded
  kBit = 10,   // length in bits
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

// Canonical bytes from a value. canonical_* refuses (kValue) what the type cannot hold exactly;
// only decimal scale (half away from zero) and time precision (floor) are brought to the type's.
std::string canonical_bool(bool value);
std::string canonical_int64(int64_t value);
std::string canonical_uint64(uint64_t value);
std::string canonical_float64(double value);  // one zero, one NaN
std::string canonical_float32(float value);
// Errors: kValue where a float32 does not hold it exactly.
Result<std::string> canonical_exact_float32(double value);
// "-12.50", "1e3"; "NaN", "Infinity" and "-Infinity" are values. precision 0: any number of digits.
Result<std::string> canonical_decimal(std::string_view text, const LogicalType& type);
// Of kText, kChar and kEnum: UTF-8 checked; n counts characters.
Result<std::string> canonical_text(std::string_view text, const LogicalType& type);
Result<std::string> canonical_bytes(std::string_view bytes, const LogicalType& type);
// digits: "0101", as many as type.length (0: any number).
Result<std::string> canonical_bit(std::string_view digits, const LogicalType& type);
Result<std::string> canonical_date(std::string_view iso, const LogicalType& type);  // YYYY-MM-DD
Result<std::string> canonical_datetime(std::string_view iso, const LogicalType& type);  // no zone
Result<std::string> canonical_timestamp(std::string_view iso,
                                        const LogicalType& type);  // zone or Z
Result<std::string> canonical_time(std::string_view iso, const LogicalType& type);
// The same from microseconds: since 1970 (datetime: of the wall clock; timestamp: of UTC), or since
// midnight. REQUIRES: type is one of the three. int64_from_canonical gives them back.
Result<std::string> canonical_time_us(int64_t microseconds, const LogicalType& type);
// Never normalised: a month is not 30 days, a day not 24 hours.
std::string canonical_interval(int32_t months, int32_t days, int64_t microseconds);
// ISO 8601 "P1Y2M3DT4H5M6.5S", each part with its own sign, or "-838:59:59".
Result<std::string> canonical_interval(std::string_view text);
Result<std::string> canonical_year(int64_t year);
Result<std::string> canonical_uuid(std::string_view text);
Result<std::string> canonical_inet(std::string_view text);
Result<std::string> canonical_macaddr(std::string_view text);
Result<std::string> canonical_set(std::string_view labels);  // "b,a": in byte order, each once
Result<std::string> canonical_json(std::string_view text);   // RFC 8785 key order, exact decimals
std::string canonical_spatial(uint32_t srid, std::string_view wkb);
// Of the canonical bytes as a column of bytes keeps them.
Result<std::string> canonical_spatial(std::string_view bytes);

// Any type from the text its dialect-neutral form uses (ISO dates, plain decimals, "true"/"false",
// hex for bytes, "srid;hex" for spatial), and back: for configs, scenarios, messages and drivers
// without a richer form. Text of canonical bytes gives the same canonical bytes again.
Result<std::string> canonical_from_text(std::string_view text, const LogicalType& type);
// Bytes that are not canonical for the type come out as "0x" and their hex.
std::string text_from_canonical(std::string_view bytes, const LogicalType& type);

// For bytes from elsewhere: whether the canonical_* of this type could have made them.
bool is_canonical(std::string_view bytes, const LogicalType& type);

// REQUIRES: bytes are canonical. int64 also reads year, datetime, timestamp and time.
bool bool_from_canonical(std::string_view bytes);
int64_t int64_from_canonical(std::string_view bytes);
uint64_t uint64_from_canonical(std::string_view bytes);
double float64_from_canonical(std::string_view bytes);
float float32_from_canonical(std::string_view bytes);

struct Interval {
  int32_t months = 0;
  int32_t days = 0;
  int64_t microseconds = 0;
};
Interval interval_from_canonical(std::string_view bytes);

}  // namespace syncline::model
