#include "host/model/types.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "host/base/assert.hpp"
#include "host/model/quote.hpp"
#include "host/model/types_internal.hpp"

namespace syncline::model {
namespace {

constexpr uint64_t kSignBit = uint64_t{1} << 63;
constexpr uint32_t kSignBit32 = uint32_t{1} << 31;
constexpr size_t kQuotedMax = 80;  // characters of a refused value that a message repeats

enum class Parameters : uint8_t { kNone, kLength, kDecimal, kTime };

struct KindRow {
  TypeKind kind;
  std::string_view name;
  Parameters parameters;
};

constexpr std::array kKinds = {
    KindRow{TypeKind::kBool, "bool", Parameters::kNone},
    KindRow{TypeKind::kInt64, "int64", Parameters::kNone},
    KindRow{TypeKind::kUint64, "uint64", Parameters::kNone},
    KindRow{TypeKind::kDecimal, "decimal", Parameters::kDecimal},
    KindRow{TypeKind::kFloat32, "float32", Parameters::kNone},
    KindRow{TypeKind::kFloat64, "float64", Parameters::kNone},
    KindRow{TypeKind::kText, "text", Parameters::kLength},
    KindRow{TypeKind::kChar, "char", Parameters::kLength},
    KindRow{TypeKind::kBytes, "bytes", Parameters::kLength},
    KindRow{TypeKind::kBit, "bit", Parameters::kLength},
    KindRow{TypeKind::kDate, "date", Parameters::kNone},
    KindRow{TypeKind::kDatetime, "datetime", Parameters::kTime},
    KindRow{TypeKind::kTimestamp, "timestamp", Parameters::kTime},
    KindRow{TypeKind::kTime, "time", Parameters::kTime},
    KindRow{TypeKind::kInterval, "interval", Parameters::kNone},
    KindRow{TypeKind::kYear, "year", Parameters::kNone},
    KindRow{TypeKind::kUuid, "uuid", Parameters::kNone},
    KindRow{TypeKind::kInet, "inet", Parameters::kNone},
    KindRow{TypeKind::kMacaddr, "macaddr", Parameters::kNone},
    KindRow{TypeKind::kJson, "json", Parameters::kNone},
    KindRow{TypeKind::kEnum, "enum", Parameters::kNone},
    KindRow{TypeKind::kSet, "set", Parameters::kNone},
    KindRow{TypeKind::kSpatial, "spatial", Parameters::kNone},
};

constexpr uint16_t kTimePrecisionMax = 6;
constexpr uint16_t kDecimalPrecisionMax = 1000;  // PostgreSQL's

const KindRow* find_kind(std::string_view name) {
  for (const KindRow& row : kKinds) {
    if (row.name == name) return &row;
  }
  return nullptr;
}

const KindRow& kind_row(TypeKind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return row;
  }
  SYN_ASSERT(kind == TypeKind::kBool);
  return kKinds[0];
}

auto bad_type(std::string_view text, std::string why) {
  std::string known;
  for (const KindRow& row : kKinds) {
    if (!known.empty()) known += ", ";
    known += row.name;
  }
  return fail(ErrorCode::kConfigValue, "\"" + std::string(text) + "\" is not a type",
              std::move(why), "use one of " + known + "; for example decimal(10,2) or text(40)");
}

// "10,2" -> {10, 2}; false where it is not one or two plain numbers.
bool parse_numbers(std::string_view text, uint32_t (&numbers)[2], size_t& count) {
  for (count = 0; count < 2; ++count) {
    const size_t start = text.find_first_not_of(' ');
    if (start == std::string_view::npos) return false;
    text.remove_prefix(start);
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, numbers[count]);
    if (parsed.ec != std::errc()) return false;
    text.remove_prefix(static_cast<size_t>(parsed.ptr - text.data()));
    if (text.empty()) {
      ++count;
      return true;
    }
    if (text.front() != ',') return false;
    text.remove_prefix(1);
  }
  return false;
}

template <class T>
Result<T> parse_number(std::string_view text, const LogicalType& type) {
  T value{};
  const char* end = text.data() + text.size();
  const bool has_plus = text.size() > 1 && text[0] == '+' && text[1] != '-';
  const auto parsed = std::from_chars(text.data() + (has_plus ? 1 : 0), end, value);
  if (parsed.ec == std::errc::result_out_of_range) {
    return detail::refuse(text, type, "it is out of range");
  }
  if (parsed.ec != std::errc() || parsed.ptr != end) {
    return detail::refuse(text, type, "it is not a number of this type");
  }
  return value;
}

template <class T>
Result<T> parse_float(std::string_view text, const LogicalType& type) {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  SYN_TRY(const T value, parse_number<T>(text, type));
  if (!std::isfinite(value)) return detail::refuse(text, type, "it is not a number of this type");
  return value;
}

template <class T>
std::string float_text(T value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  std::array<char, 64> buffer{};
  const auto written = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), written.ptr};
}

}  // namespace

std::string_view kind_name(TypeKind kind) {
  return kind_row(kind).name;
}

std::string to_string(const LogicalType& type) {
  const KindRow& row = kind_row(type.kind);
  std::string text(row.name);
  switch (row.parameters) {
    case Parameters::kNone:
      break;
    case Parameters::kLength:
      if (type.length > 0) text += "(" + std::to_string(type.length) + ")";
      break;
    case Parameters::kDecimal:
      if (type.precision > 0) {
        text += "(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
      }
      break;
    case Parameters::kTime:
      text += "(" + std::to_string(type.precision) + ")";
      break;
  }
  return text;
}

Result<LogicalType> parse_type(std::string_view text) {
  const size_t open = text.find('(');
  const KindRow* row = find_kind(text.substr(0, open));
  if (row == nullptr) return bad_type(text, "no type has this name");
  LogicalType type{.kind = row->kind};
  if (open == std::string_view::npos) {
    if (row->parameters == Parameters::kTime) type.precision = kTimePrecisionMax;
    return type;
  }
  uint32_t numbers[2] = {0, 0};
  size_t count = 0;
  if (text.back() != ')' ||
      !parse_numbers(text.substr(open + 1, text.size() - open - 2), numbers, count)) {
    return bad_type(text, "the parentheses hold no number");
  }
  if (row->parameters == Parameters::kNone || (count == 2 && type.kind != TypeKind::kDecimal)) {
    return bad_type(text, std::string(row->name) + " does not take this many numbers");
  }
  if (row->parameters == Parameters::kLength) {
    if (numbers[0] == 0) return bad_type(text, "a length is at least 1");
    type.length = numbers[0];
    return type;
  }
  const bool is_time = row->parameters == Parameters::kTime;
  if (numbers[0] > (is_time ? kTimePrecisionMax : kDecimalPrecisionMax) ||
      (!is_time && numbers[0] == 0) || numbers[1] > numbers[0]) {
    return bad_type(text, is_time ? "times have 0 to 6 fractional digits"
                                  : "a decimal has 1 to 1000 digits, and no more after the point");
  }
  type.precision = static_cast<uint16_t>(numbers[0]);
  type.scale = static_cast<uint16_t>(numbers[1]);
  return type;
}

std::string canonical_bool(bool value) {
  return std::string(1, value ? '\1' : '\0');
}

std::string canonical_int64(int64_t value) {
  return canonical_uint64(static_cast<uint64_t>(value) ^ kSignBit);
}

std::string canonical_uint64(uint64_t value) {
  std::string out;
  detail::append_big_endian(value, out);
  return out;
}

// Positive numbers get the sign bit, negative ones are turned over: byte order is value order.
std::string canonical_float64(double value) {
  if (std::isnan(value)) value = std::numeric_limits<double>::quiet_NaN();
  if (value == 0) value = 0;
  const auto bits = std::bit_cast<uint64_t>(value);
  return canonical_uint64((bits & kSignBit) != 0 ? ~bits : bits ^ kSignBit);
}

std::string canonical_float32(float value) {
  if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
  if (value == 0) value = 0;
  const auto bits = std::bit_cast<uint32_t>(value);
  std::string out;
  detail::append_big_endian((bits & kSignBit32) != 0 ? ~bits : bits ^ kSignBit32, out);
  return out;
}

Result<std::string> canonical_exact_float32(double value) {
  constexpr LogicalType kFloat32{.kind = TypeKind::kFloat32};
  const bool is_beyond =
      std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max();
  const auto nearest = is_beyond ? 0.0F : static_cast<float>(value);
  if (!is_beyond && (std::isnan(value) || static_cast<double>(nearest) == value)) {
    return canonical_float32(nearest);
  }
  return detail::refuse(float_text(value), kFloat32, "a float32 does not hold it exactly");
}

bool bool_from_canonical(std::string_view bytes) {
  SYN_ASSERT(bytes.size() == 1);
  return bytes[0] != '\0';
}

int64_t int64_from_canonical(std::string_view bytes) {
  return static_cast<int64_t>(uint64_from_canonical(bytes) ^ kSignBit);
}

uint64_t uint64_from_canonical(std::string_view bytes) {
  SYN_ASSERT(bytes.size() == sizeof(uint64_t));
  return detail::read_big_endian<uint64_t>(bytes);
}

double float64_from_canonical(std::string_view bytes) {
  const uint64_t bits = uint64_from_canonical(bytes);
  return std::bit_cast<double>((bits & kSignBit) != 0 ? bits ^ kSignBit : ~bits);
}

float float32_from_canonical(std::string_view bytes) {
  SYN_ASSERT(bytes.size() == sizeof(uint32_t));
  const auto bits = detail::read_big_endian<uint32_t>(bytes);
  return std::bit_cast<float>((bits & kSignBit32) != 0 ? bits ^ kSignBit32 : ~bits);
}

namespace {

Result<std::string> number_from_text(std::string_view text, const LogicalType& type) {
  if (type.kind == TypeKind::kBool) {
    if (text == "true" || text == "1") return canonical_bool(true);
    if (text == "false" || text == "0") return canonical_bool(false);
    return detail::refuse(text, type, "a bool is true or false");
  }
  if (type.kind == TypeKind::kUint64) {
    SYN_TRY(const uint64_t value, parse_number<uint64_t>(text, type));
    return canonical_uint64(value);
  }
  if (type.kind == TypeKind::kFloat32) {
    SYN_TRY(const float value, parse_float<float>(text, type));
    return canonical_float32(value);
  }
  if (type.kind == TypeKind::kFloat64) {
    SYN_TRY(const double value, parse_float<double>(text, type));
    return canonical_float64(value);
  }
  SYN_TRY(const int64_t value, parse_number<int64_t>(text, type));
  if (type.kind == TypeKind::kYear) return canonical_year(value);
  return canonical_int64(value);
}

Result<std::string> bytes_from_text(std::string_view text, const LogicalType& type) {
  const bool is_spatial = type.kind == TypeKind::kSpatial;
  const size_t split = is_spatial ? text.find(';') : 0;
  if (split == std::string_view::npos) {
    return detail::refuse(text, type, "its text form is the SRID, a semicolon and the WKB in hex");
  }
  const auto bytes = detail::from_hex(text.substr(is_spatial ? split + 1 : 0));
  if (!bytes) return detail::refuse(text, type, "it is not an even number of hex digits");
  if (!is_spatial) return canonical_bytes(*bytes, type);
  SYN_TRY(const uint32_t srid, parse_number<uint32_t>(text.substr(0, split), type));
  return canonical_spatial(srid, *bytes);
}

std::optional<std::string> number_text(std::string_view bytes, const LogicalType& type) {
  const bool is_bool = type.kind == TypeKind::kBool;
  const bool is_float32 = type.kind == TypeKind::kFloat32;
  if (bytes.size() != (is_bool ? 1U : is_float32 ? 4U : 8U)) return std::nullopt;
  if (is_bool) return bool_from_canonical(bytes) ? "true" : "false";
  if (is_float32) return float_text(float32_from_canonical(bytes));
  if (type.kind == TypeKind::kFloat64) return float_text(float64_from_canonical(bytes));
  if (type.kind == TypeKind::kUint64) return std::to_string(uint64_from_canonical(bytes));
  return std::to_string(int64_from_canonical(bytes));
}

std::optional<std::string> text_of(std::string_view bytes, const LogicalType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
    case TypeKind::kInt64:
    case TypeKind::kUint64:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kYear:
      return number_text(bytes, type);
    case TypeKind::kDecimal:
      return detail::decimal_text(bytes, type);
    case TypeKind::kBytes:
      return detail::to_hex(bytes);
    case TypeKind::kBit:
      return detail::bit_text(bytes);
    case TypeKind::kDate:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kTime:
    case TypeKind::kInterval:
      return detail::time_text(bytes, type);
    case TypeKind::kUuid:
      return detail::uuid_text(bytes);
    case TypeKind::kSpatial:
      return detail::spatial_text(bytes);
    case TypeKind::kText:
    case TypeKind::kChar:
    case TypeKind::kInet:
    case TypeKind::kMacaddr:
    case TypeKind::kJson:
    case TypeKind::kEnum:
    case TypeKind::kSet:
      return std::string(bytes);
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> canonical_from_text(std::string_view text, const LogicalType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
    case TypeKind::kInt64:
    case TypeKind::kUint64:
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
    case TypeKind::kYear:
      return number_from_text(text, type);
    case TypeKind::kDecimal:
      return canonical_decimal(text, type);
    case TypeKind::kText:
    case TypeKind::kChar:
    case TypeKind::kEnum:
      return canonical_text(text, type);
    case TypeKind::kBytes:
    case TypeKind::kSpatial:
      return bytes_from_text(text, type);
    case TypeKind::kBit:
      return canonical_bit(text, type);
    case TypeKind::kDate:
      return canonical_date(text, type);
    case TypeKind::kDatetime:
      return canonical_datetime(text, type);
    case TypeKind::kTimestamp:
      return canonical_timestamp(text, type);
    case TypeKind::kTime:
      return canonical_time(text, type);
    case TypeKind::kInterval:
      return canonical_interval(text);
    case TypeKind::kUuid:
      return canonical_uuid(text);
    case TypeKind::kInet:
      return canonical_inet(text);
    case TypeKind::kMacaddr:
      return canonical_macaddr(text);
    case TypeKind::kJson:
      return canonical_json(text);
    case TypeKind::kSet:
      return canonical_set(text);
  }
  return fail(ErrorCode::kInternal, "unknown type kind");
}

std::string text_from_canonical(std::string_view bytes, const LogicalType& type) {
  if (auto text = text_of(bytes, type)) return *std::move(text);
  return "0x" + detail::to_hex(bytes);
}

bool is_canonical(std::string_view bytes, const LogicalType& type) {
  const auto text = text_of(bytes, type);
  if (!text) return false;
  const auto again = canonical_from_text(*text, type);
  return again.has_value() && again.value() == bytes;
}

namespace detail {

Error value_error(std::string_view text, const LogicalType& type, std::string why,
                  std::string fix) {
  if (fix.empty()) fix = "correct the value in its system, or map the column to another type";
  return {ErrorCode::kValue, "\"" + quote(text) + "\" cannot be held as " + to_string(type),
          std::move(why), std::move(fix)};
}

}  // namespace detail

std::string quote(std::string_view text) {
  size_t cut = std::min(kQuotedMax, text.size());
  while (cut < text.size() && cut > 0 && (text[cut] & 0xC0) == 0x80) --cut;
  std::string shown(text.substr(0, cut));
  if (!detail::utf8_length(shown)) shown = "0x" + detail::to_hex(text.substr(0, kQuotedMax / 2));
  if (cut < text.size()) shown += "...";
  return shown;
}

}  // namespace syncline::model
