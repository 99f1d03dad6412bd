// Dates and times as the log packs them. To a type that is none of theirs they are what SELECT
// shows.
//
// Threads: pure functions. Errors: kValue.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "drivers/systems/mariadb/detail/wire.hpp"

namespace syncline::mariadb {

// Whole numbers, from the low byte on and from the high one.
inline uint64_t little(std::string_view bytes) {
  uint64_t value = 0;
  for (size_t i = bytes.size(); i > 0; --i) value = value << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return value;
}
inline uint64_t big(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

// Of a fraction with so many digits, in bytes.
inline size_t fraction_size(uint16_t digits) {
  return (digits + 1U) / 2;
}

Result<std::string> from_logged_date(std::string_view cell, const model::LogicalType& type);
Result<std::string> from_logged_datetime(std::string_view cell, const WireColumn& wire,
                                         const model::LogicalType& type);
Result<std::string> from_logged_timestamp(std::string_view cell, const WireColumn& wire,
                                          const model::LogicalType& type);
Result<std::string> from_logged_time(std::string_view cell, const WireColumn& wire,
                                     const model::LogicalType& type);

// Whether it is a date with a part that is zero.
bool is_beyond_dates(std::string_view cell, const WireColumn& wire);

}  // namespace syncline::mariadb
