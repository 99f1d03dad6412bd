// What a statement is given for a value, and which values a column would round or cut: the server
// says nothing of these but a note.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>

#include "drivers/systems/mariadb/detail/charset.hpp"
#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

using model::LogicalType, model::TypeKind;

constexpr size_t kSridSize = 4;
constexpr int64_t kYearMin = 1901;
constexpr int64_t kYearMax = 2155;
constexpr size_t kDateSize = 10;  // "2026-11-27"
constexpr std::string_view kSpaces = " \t\n\v\f\r";
constexpr LogicalType kAnyDecimal{.kind = TypeKind::kDecimal};
// Of one to four bytes a letter.
constexpr std::array<std::string_view, 9> kMixedCharsets = {
    "big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis"};

auto refuse_digits(std::string_view text, const NativeType& native, size_t digits,
                   const char* where) {
  return refuse(text, native.name,
                "the column keeps " + std::to_string(digits) +
                    (digits == 1 ? " digit " : " digits ") + where);
}

// The number that an integer column is given.
Result<Parameter> integer_parameter(std::string_view bytes, const LogicalType& type,
                                    const NativeType& native) {
  Parameter out;
  const bool is_unsigned = parameter_kind_of(native) == ParameterKind::kUnsigned;
  const auto unfit = [&] {
    return refuse(model::text_from_canonical(bytes, type), native.name, "it is out of range");
  };
  if (type.kind == TypeKind::kInt64 || type.kind == TypeKind::kYear) {
    out.integer = model::int64_from_canonical(bytes);
    if (is_unsigned && out.integer < 0) return unfit();
    return out;
  }
  if (type.kind == TypeKind::kBool) {
    out.integer = model::bool_from_canonical(bytes) ? 1 : 0;
    return out;
  }
  const std::string text = model::text_from_canonical(bytes, type);
  const char* end = text.data() + text.size();
  uint64_t value = 0;
  const auto read = is_unsigned ? std::from_chars(text.data(), end, value)
                                : std::from_chars(text.data(), end, out.integer);
  const std::string_view rest(read.ptr, static_cast<size_t>(end - read.ptr));
  const bool is_whole = rest.empty() || (rest.front() == '.' && rest.size() > 1 &&
                                         rest.find_first_not_of('0', 1) == std::string_view::npos);
  if (read.ec != std::errc() || !is_whole) return unfit();
  if (is_unsigned) out.integer = static_cast<int64_t>(value);
  return out;
}

Result<Parameter> year_parameter(std::string_view bytes, const LogicalType& type,
                                 const NativeType& native) {
  SYN_TRY(Parameter out, integer_parameter(bytes, type, native));
  // The server would take 26 for 2026.
  if (out.integer == 0 || (out.integer >= kYearMin && out.integer <= kYearMax)) return out;
  return refuse(std::to_string(out.integer), native.name, "years are 0 and 1901 to 2155");
}

Result<Parameter> bit_parameter(std::string_view bytes, const LogicalType& type,
                                const NativeType& native) {
  if (type.kind != TypeKind::kBit) return integer_parameter(bytes, type, native);
  const std::string digits = model::text_from_canonical(bytes, type);
  if (digits.size() != native.length) {
    return refuse(digits, native.name, "it has another number of bits");
  }
  uint64_t value = 0;
  for (const char digit : digits) value = value << 1 | static_cast<uint64_t>(digit == '1');
  Parameter out;
  out.integer = static_cast<int64_t>(value);
  return out;
}

// What the column makes of a number, in the server's own steps.
double kept_real(double value, const NativeType& native) {
  if (native.is_fixed) {
    const double unit = std::strtod(("1e" + std::to_string(native.scale)).c_str(), nullptr);
    const double whole = std::floor(value);
    value = whole + std::rint((value - whole) * unit) / unit;
  }
  const bool is_single =
      native.category == Category::kFloat && std::abs(value) <= std::numeric_limits<float>::max();
  return is_single ? static_cast<double>(static_cast<float>(value)) : value;
}

// Whether the dataset has its own value again where the column holds this number.
bool comes_back(double kept, std::string_view bytes, const LogicalType& type) {
  char shown[64];
  const auto end =
      std::to_chars(shown, shown + sizeof shown, kept, std::chars_format::scientific).ptr;
  const bool is_decimal = type.kind == TypeKind::kDecimal;
  const auto back = model::canonical_decimal(
      std::string_view(shown, static_cast<size_t>(end - shown)), is_decimal ? type : kAnyDecimal);
  if (is_decimal) return back && back.value() == bytes;
  const auto meant = model::canonical_decimal(model::text_from_canonical(bytes, type), kAnyDecimal);
  return back && meant && back.value() == meant.value();
}

Result<Parameter> real_parameter(std::string_view bytes, const LogicalType& type,
                                 const NativeType& native) {
  Parameter out;
  if (type.kind == TypeKind::kFloat64) {
    out.real = model::float64_from_canonical(bytes);
  } else if (type.kind == TypeKind::kFloat32) {
    out.real = static_cast<double>(model::float32_from_canonical(bytes));
  } else {
    const std::string text = model::text_from_canonical(bytes, type);
    char* end = nullptr;
    out.real = std::strtod(text.c_str(), &end);
    if (end != text.c_str() + text.size()) return refuse(text, native.name, "it is no number");
  }
  if (!std::isfinite(out.real)) {
    return refuse(model::text_from_canonical(bytes, type), native.name,
                  "the server has neither NaN nor infinity");
  }
  const double kept = kept_real(out.real, native);
  const bool is_real = type.kind == TypeKind::kFloat64 || type.kind == TypeKind::kFloat32;
  if (is_real ? kept == out.real : comes_back(kept, bytes, type)) return out;
  const std::string text = model::text_from_canonical(bytes, type);
  if (native.is_fixed) return refuse_digits(text, native, native.scale, "behind the point");
  return refuse(text, native.name,
                native.category == Category::kFloat ? "the column has four bytes"
                                                    : "the column has eight bytes");
}

Result<Parameter> decimal_parameter(std::string_view bytes, const LogicalType& type,
                                    const NativeType& native) {
  Parameter out;
  out.text = model::text_from_canonical(bytes, type);
  const bool is_number = out.text.find_first_not_of("+-.0123456789eE") == std::string::npos;
  if (!is_number) return refuse(out.text, native.name, "the server has neither NaN nor infinity");
  const bool is_bounded = type.kind == TypeKind::kDecimal && type.precision > 0;
  if (is_bounded && type.scale <= native.scale) return out;
  SYN_TRY(const std::string value, model::canonical_decimal(out.text, kAnyDecimal));
  const std::string plain = model::text_from_canonical(value, kAnyDecimal);
  const size_t point = plain.find('.');
  const size_t digits = point == std::string::npos ? 0 : plain.size() - point - 1;
  if (digits <= native.scale) return out;
  return refuse_digits(out.text, native, native.scale, "behind the point");
}

// How many digits of a second it has, without zeros at their end.
size_t clock_digits(std::string_view text) {
  const size_t point = text.find('.', std::min(text.find(':'), text.size()));
  if (point == std::string_view::npos) return 0;
  const size_t end = std::min(text.find_first_not_of("0123456789", point + 1), text.size());
  return text.substr(point + 1, end - point - 1).find_last_not_of('0') + 1;
}

// A column of times keeps so many digits of a second, one of dates no time of a day.
Result<Parameter> clock_parameter(Parameter value, const LogicalType& type,
                                  const NativeType& native) {
  const std::string_view text = value.text;
  if (native.category == Category::kDate) {
    const bool has_time = type.kind != TypeKind::kDate && text.size() > kDateSize &&
                          (text[kDateSize] == ' ' || text[kDateSize] == 'T') &&
                          text.find_first_of("123456789", kDateSize) != std::string_view::npos;
    if (has_time) return refuse(text, native.name, "the column keeps no time of day");
    return value;
  }
  const bool is_own = type.kind == logical_type_of(native).kind;
  if (is_own && type.precision <= native.precision) return value;
  if (clock_digits(text) <= native.precision) return value;
  return refuse_digits(text, native, native.precision, "of a second");
}

// '-838:59:59.5'.
Result<Parameter> time_parameter(std::string_view bytes, const LogicalType& type,
                                 const NativeType& native) {
  Parameter out;
  if (type.kind != TypeKind::kInterval) {
    out.text = model::text_from_canonical(bytes, type);
    return out;
  }
  const model::Interval interval = model::interval_from_canonical(bytes);
  const std::string text = model::text_from_canonical(bytes, type);
  if (interval.months != 0) return refuse(text, native.name, "months have no fixed length");
  if (interval.days != 0) {
    return refuse(text, native.name, "it has days, which would come back as hours");
  }
  const bool is_negative = interval.microseconds < 0;
  const uint64_t us = is_negative ? -static_cast<uint64_t>(interval.microseconds)
                                  : static_cast<uint64_t>(interval.microseconds);
  const uint64_t seconds = us / 1'000'000;
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%s%llu:%02u:%02u.%06u", is_negative ? "-" : "",
                static_cast<unsigned long long>(seconds / 3600),
                static_cast<unsigned>(seconds / 60 % 60), static_cast<unsigned>(seconds % 60),
                static_cast<unsigned>(us % 1'000'000));
  out.text = buffer;
  return out;
}

// The server would take '1' for the first label where none is called so.
Result<Parameter> label_parameter(std::string_view bytes, const LogicalType& type,
                                  const NativeType& native) {
  Parameter out;
  out.text = model::text_from_canonical(bytes, type);
  std::string_view rest = out.text;
  while (!rest.empty() || native.category == Category::kEnum) {
    const size_t end =
        native.category == Category::kSet ? std::min(rest.find(','), rest.size()) : rest.size();
    if (!has_label(native, rest.substr(0, end))) {
      return refuse(rest.substr(0, end), native.name, "the column has no such label");
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (rest.empty()) break;
  }
  return out;
}

Result<Parameter> geometry_parameter(std::string_view bytes, const LogicalType& type,
                                     const NativeType& native) {
  if (type.kind != TypeKind::kSpatial) {
    return refuse("...", native.name, "a geometry column takes geometries only");
  }
  Parameter out;  // SRID from big to little endian, as the server keeps it
  for (size_t i = kSridSize; i > 0; --i) out.text += bytes[i - 1];
  out.text += bytes.substr(kSridSize);
  return out;
}

size_t characters_in(std::string_view text) {
  return static_cast<size_t>(
      std::ranges::count_if(text, [](char byte) { return (byte & '\xc0') != '\x80'; }));
}

// For TEXT, whose length the server counts in the smallest letters of its character set. How many a
// text has in a mixed set is not known here: it is looked at where the server would cut it.
bool is_too_large(std::string_view text, const NativeType& native) {
  const bool is_mixed = std::ranges::find(kMixedCharsets, native.charset) != kMixedCharsets.end();
  if (is_mixed) return kSpaces.find(text.back()) != std::string_view::npos;
  if (is_utf8(native.charset)) return true;
  if (!native.charset.starts_with("utf16")) return characters_in(text) > native.length;
  const auto is_pair = [](char byte) { return (byte & '\xf8') == '\xf0'; };
  return characters_in(text) + static_cast<size_t>(std::ranges::count_if(text, is_pair)) >
         native.length;
}

// White space beyond a column's length is cut without a word; of all else that is too long the
// server would say the same.
Result<Parameter> sized_parameter(Parameter value, const LogicalType& type,
                                  const NativeType& native) {
  const std::string_view text = value.text;
  const auto too_long = [&](const char* unit) {
    return refuse(text, native.name,
                  "the column keeps " + std::to_string(native.length) + " " + unit);
  };
  switch (native.category) {
    case Category::kChar:
      if (type.kind != TypeKind::kChar && text.ends_with(' ')) {
        return refuse(text, native.name, "the column keeps no spaces at the end");
      }
      [[fallthrough]];
    case Category::kVarchar:
      if (text.size() <= native.length || characters_in(text) <= native.length) return value;
      return too_long("characters");
    case Category::kText:
      if (text.size() <= native.length || !is_too_large(text, native)) return value;
      return too_long("bytes");
    case Category::kBinary:
      if (text.size() < native.length) {
        return refuse(text, native.name, "the column fills it with zeros up to its length");
      }
      [[fallthrough]];
    case Category::kVarbinary:
    case Category::kBlob:
      if (text.size() <= native.length) return value;
      return too_long("bytes");
    default:
      return value;
  }
}

// The only letter that a set of the server's takes and gives back as another, as 晙.
bool is_taken_for_another(std::string_view text, const NativeType& native) {
  return native.charset == "cp932" && text.find("晡") != std::string_view::npos;
}

// A column of times has no zone; a text keeps it.
Result<Parameter> text_parameter(std::string_view bytes, const LogicalType& type,
                                 const NativeType& native) {
  const bool is_spatial =
      type.kind == TypeKind::kSpatial && parameter_kind_of(native) == ParameterKind::kBytes;
  Parameter out;
  out.text = type.kind == TypeKind::kBytes || is_spatial ? std::string(bytes)
                                                         : model::text_from_canonical(bytes, type);
  const bool is_moment = type.kind == TypeKind::kTimestamp && !holds_characters(native);
  if (is_moment && out.text.ends_with('Z')) out.text.pop_back();
  if (!is_taken_for_another(out.text, native)) return out;
  return refuse(out.text, native.name, "the server takes 晡 for another letter of cp932");
}

}  // namespace

bool has_label(const NativeType& native, std::string_view label) {
  return std::find(native.labels.begin(), native.labels.end(), label) != native.labels.end();
}

Result<Parameter> parameter_from_canonical(std::string_view bytes, const LogicalType& type,
                                           const NativeType& native) {
  switch (native.category) {
    case Category::kInteger:
      return integer_parameter(bytes, type, native);
    case Category::kBit:
      return bit_parameter(bytes, type, native);
    case Category::kYear:
      return year_parameter(bytes, type, native);
    case Category::kFloat:
    case Category::kDouble:
      return real_parameter(bytes, type, native);
    case Category::kDecimal:
      return decimal_parameter(bytes, type, native);
    case Category::kTime: {
      SYN_TRY(Parameter time, time_parameter(bytes, type, native));
      return clock_parameter(std::move(time), type, native);
    }
    case Category::kDate:
    case Category::kDatetime:
    case Category::kTimestamp: {
      SYN_TRY(Parameter time, text_parameter(bytes, type, native));
      return clock_parameter(std::move(time), type, native);
    }
    case Category::kEnum:
    case Category::kSet:
      return label_parameter(bytes, type, native);
    case Category::kGeometry:
      return geometry_parameter(bytes, type, native);
    default: {
      SYN_TRY(Parameter text, text_parameter(bytes, type, native));
      return sized_parameter(std::move(text), type, native);
    }
  }
}

}  // namespace syncline::mariadb
