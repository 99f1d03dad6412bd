// What the files of canonical bytes share: fixed-width numbers whose byte order is value order, and
// the text of each family of types.
//
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/model/types.hpp"

namespace syncline::model::detail {

template <class T>
void append_big_endian(T value, std::string& out) {
  char bytes[sizeof value];
  for (size_t i = 0; i < sizeof value; ++i) {
    bytes[i] = static_cast<char>(value >> (8 * (sizeof value - 1 - i)));
  }
  out.append(bytes, sizeof bytes);
}

template <class T>
T read_big_endian(std::string_view bytes) {
  T value = 0;
  for (size_t i = 0; i < sizeof value; ++i) {
    value = static_cast<T>(value << 8 | static_cast<uint8_t>(bytes[i]));
  }
  return value;
}

// kValue: `text` is no `type`, because `why`. Long texts are cut.
Error value_error(std::string_view text, const LogicalType& type, std::string why,
                  std::string fix = {});
inline auto refuse(std::string_view text, const LogicalType& type, std::string why,
                   std::string fix = {}) {
  return boost::outcome_v2::failure(value_error(text, type, std::move(why), std::move(fix)));
}

std::string to_hex(std::string_view bytes);
// Empty where text is not pairs of hex digits.
std::optional<std::string> from_hex(std::string_view text);
int hex_digit(char letter);  // -1: none

// Code points of valid UTF-8; nothing where it is not (overlong, surrogates, beyond U+10FFFF).
std::optional<size_t> utf8_length(std::string_view text);

// An exact decimal: 0.d1d2d3... times ten to the exponent; digits without zeros at either end,
// empty for zero (then exponent is 0 and the sign positive).
struct Decimal {
  bool is_negative = false;
  std::string digits;
  int64_t exponent = 0;
};
inline constexpr int64_t kDecimalExponentMax = (int64_t{1} << 23) - 1;
// "-12.5e3"; nothing where it is not a number or its exponent is beyond kDecimalExponentMax.
std::optional<Decimal> parse_decimal(std::string_view text);
std::string plain_text(const Decimal& value, size_t scale_min);
// A Decimal whose digits are somebody else's.
struct DecimalView {
  std::string_view digits;
  int64_t exponent = 0;
  bool is_negative = false;
};
void put_decimal(const DecimalView& value, std::string& out);  // its canonical bytes

// The text of canonical bytes, or nothing where they have not the form of their type.
std::optional<std::string> decimal_text(std::string_view bytes, const LogicalType& type);
std::optional<std::string> time_text(std::string_view bytes, const LogicalType& type);
std::optional<std::string> bit_text(std::string_view bytes);
std::optional<std::string> uuid_text(std::string_view bytes);
std::optional<std::string> spatial_text(std::string_view bytes);

}  // namespace syncline::model::detail
