// Exact decimals, as strings of digits: no double anywhere.
//
// Canonical bytes, in value order:
//   class  01 -Infinity, 02 negative, 03 zero, 04 positive, 05 Infinity, 06 NaN
//   then, of negative and positive values only:
//   exponent  3 bytes big endian, plus 2^23
//   digits    two a byte (10 * first + second), a last odd one followed by 0
// A negative value has every byte behind the class turned over and 0xFF at its end, so that longer
// digits sort below their prefix.
#include <algorithm>
#include <charconv>

#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

enum DecimalClass : char {
  kMinusInfinity = 1,
  kNegative = 2,
  kZero = 3,
  kPositive = 4,
  kInfinity = 5,
  kNan = 6,
};

constexpr int64_t kExponentBias = int64_t{1} << 23;
constexpr size_t kHeadSize = 4;  // class and exponent

using detail::Decimal;

void normalise(Decimal& value) {
  const size_t first = value.digits.find_first_not_of('0');
  if (first == std::string::npos) {
    value = Decimal{};
    return;
  }
  value.exponent -= static_cast<int64_t>(first);
  value.digits = value.digits.substr(first, value.digits.find_last_not_of('0') + 1 - first);
}

// Half away from zero, as PostgreSQL and MariaDB do.
void round_to_scale(Decimal& value, int64_t scale) {
  const int64_t kept = value.exponent + scale;  // digits that stay
  if (kept >= static_cast<int64_t>(value.digits.size())) return;
  if (kept < 0) {
    value = Decimal{};
    return;
  }
  const auto cut = static_cast<size_t>(kept);
  const bool is_up = value.digits[cut] >= '5';
  value.digits.resize(cut);
  value.digits.insert(0, 1, '0');  // room for a carry
  ++value.exponent;
  if (is_up) {
    size_t i = value.digits.size() - 1;
    while (value.digits[i] == '9') value.digits[i--] = '0';
    ++value.digits[i];
  }
  normalise(value);
}

std::optional<Decimal> decode(std::string_view bytes) {
  if (bytes.size() == 1 && bytes[0] == kZero) return Decimal{};
  if (bytes.size() <= kHeadSize) return std::nullopt;
  Decimal value;
  value.is_negative = bytes[0] == kNegative;
  if (!value.is_negative && bytes[0] != kPositive) return std::nullopt;
  if (value.is_negative) {
    if (bytes.back() != '\xff') return std::nullopt;
    bytes.remove_suffix(1);
  }
  const uint8_t turned = value.is_negative ? 0xff : 0;
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(bytes[i]) ^ turned; };
  value.exponent = (int64_t{byte(1)} << 16 | byte(2) << 8 | byte(3)) - kExponentBias;
  for (size_t i = kHeadSize; i < bytes.size(); ++i) {
    if (byte(i) > 99) return std::nullopt;
    value.digits.push_back(static_cast<char>('0' + byte(i) / 10));
    value.digits.push_back(static_cast<char>('0' + byte(i) % 10));
  }
  const int64_t exponent = value.exponent;
  normalise(value);
  if (value.digits.empty() || value.exponent != exponent) return std::nullopt;
  return value;
}

// "e-12" behind the digits; nothing where it is malformed or beyond reason.
std::optional<int64_t> parse_exponent(std::string_view text) {
  text.remove_prefix(1);
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  int64_t exponent = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, exponent);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  if (exponent > detail::kDecimalExponentMax || exponent < -detail::kDecimalExponentMax) {
    return std::nullopt;
  }
  return exponent;
}

}  // namespace

namespace detail {

void put_decimal(const DecimalView& value, std::string& out) {
  const std::string_view digits = value.digits;
  if (digits.empty()) {
    out.assign(1, kZero);
    return;
  }
  out.assign(1, value.is_negative ? kNegative : kPositive);
  const auto biased = static_cast<uint32_t>(value.exponent + kExponentBias);
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<char>(biased >> shift));
  for (size_t i = 0; i < digits.size(); i += 2) {
    const int second = i + 1 < digits.size() ? digits[i + 1] - '0' : 0;
    out.push_back(static_cast<char>(10 * (digits[i] - '0') + second));
  }
  if (value.is_negative) {
    for (size_t i = 1; i < out.size(); ++i) out[i] = static_cast<char>(~out[i]);
    out.push_back('\xff');
  }
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  Decimal value;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    value.is_negative = text[0] == '-';
    text.remove_prefix(1);
  }
  const size_t mark = std::min(text.find_first_of("eE"), text.size());
  if (mark < text.size()) {
    const auto exponent = parse_exponent(text.substr(mark));
    if (!exponent) return std::nullopt;
    value.exponent = *exponent;
    text = text.substr(0, mark);
  }
  const size_t point = std::min(text.find('.'), text.size());
  value.digits = text.substr(0, point);
  value.exponent += static_cast<int64_t>(point);
  if (point < text.size()) value.digits += text.substr(point + 1);
  const bool is_number =
      std::ranges::all_of(value.digits, [](char d) { return d >= '0' && d <= '9'; });
  if (value.digits.empty() || !is_number) return std::nullopt;
  normalise(value);
  const bool is_in_range =
      value.exponent <= kDecimalExponentMax && value.exponent >= -kDecimalExponentMax;
  return is_in_range ? std::optional(value) : std::nullopt;
}

std::string plain_text(const Decimal& value, size_t scale_min) {
  std::string whole = "0";
  std::string fraction = value.digits;
  if (value.exponent > 0) {
    const auto whole_size = static_cast<size_t>(value.exponent);
    whole = value.digits.substr(0, whole_size);
    whole.resize(whole_size, '0');
    fraction = value.digits.size() > whole_size ? value.digits.substr(whole_size) : "";
  } else {
    fraction.insert(0, static_cast<size_t>(-value.exponent), '0');
  }
  if (fraction.size() < scale_min) fraction.resize(scale_min, '0');
  std::string text = value.is_negative ? "-" : "";
  text += whole;
  if (!fraction.empty()) text += "." + fraction;
  return text;
}

std::optional<std::string> decimal_text(std::string_view bytes, const LogicalType& type) {
  if (bytes.size() == 1 && bytes[0] == kMinusInfinity) return "-Infinity";
  if (bytes.size() == 1 && bytes[0] == kInfinity) return "Infinity";
  if (bytes.size() == 1 && bytes[0] == kNan) return "NaN";
  const auto value = decode(bytes);
  if (!value) return std::nullopt;
  return plain_text(*value, type.precision > 0 ? type.scale : 0);
}

}  // namespace detail

Result<std::string> canonical_decimal(std::string_view text, const LogicalType& type) {
  if (text == "NaN") return std::string(1, kNan);
  if (text == "Infinity") return std::string(1, kInfinity);
  if (text == "-Infinity") return std::string(1, kMinusInfinity);
  auto value = detail::parse_decimal(text);
  if (!value) {
    return detail::refuse(text, type,
                          "it is not a decimal number, or of more than 8 million digits");
  }
  if (type.precision > 0) {
    round_to_scale(*value, type.scale);
    if (value->exponent > type.precision - type.scale) {
      return detail::refuse(text, type,
                            "it has " + std::to_string(value->exponent) +
                                " digits before the point, the type " +
                                std::to_string(type.precision - type.scale),
                            "widen the column in the systems that hold fewer digits");
    }
  }
  std::string out;
  detail::put_decimal({value->digits, value->exponent, value->is_negative}, out);
  return out;
}

}  // namespace syncline::model
