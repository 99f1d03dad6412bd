#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>

#include "drivers/systems/sqlite/detail/value.hpp"
#include "host/model/quote.hpp"

namespace syncline::sqlite {
namespace {

using model::Cell, model::LogicalType, model::TypeKind;

// Every integer up to here is a double, and no other integer is the same one.
constexpr int64_t kExactIntegerMax = (int64_t{1} << 53) - 1;
constexpr int kDecimalDigitsOfReal = 15;  // that survive a double
constexpr size_t kUuidSize = 16;

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

std::string_view storage_name(StorageClass storage) {
  constexpr std::array<std::string_view, 5> kNames = {"NULL", "INTEGER", "REAL", "TEXT", "BLOB"};
  return kNames[static_cast<size_t>(storage)];
}

std::string real_text(double value, int digits) {
  std::array<char, 400> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.*g", digits, value);
  return {text.data(), static_cast<size_t>(size)};
}

std::string shown(const NativeValue& value) {
  switch (value.storage) {
    case StorageClass::kInteger:
      return std::to_string(value.integer);
    case StorageClass::kReal:
      return real_text(value.real, 17);
    case StorageClass::kText:
      return "'" + model::quote(value.bytes) + "'";
    case StorageClass::kBlob:
      return std::to_string(value.bytes.size()) + " bytes";
    case StorageClass::kNull:
      break;
  }
  return "NULL";
}

auto refuse(const NativeValue& value, const LogicalType& type, std::string why) {
  return fail(ErrorCode::kValue,
              std::string(storage_name(value.storage)) + " " + shown(value) +
                  " cannot be held as " + model::to_string(type),
              std::move(why), "correct the value in its row, or map the column to another type");
}

auto refuse_storage(const NativeValue& value, const LogicalType& type) {
  return refuse(value, type, "the row stores another kind of value than the column's");
}

bool is_whole(double value) {
  return std::abs(value) <= static_cast<double>(kExactIntegerMax) && std::trunc(value) == value;
}

Result<int64_t> integer_from_native(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kInteger) return value.integer;
  if (value.storage == StorageClass::kReal) {
    if (is_whole(value.real)) return static_cast<int64_t>(value.real);
    return refuse(value, type, "SQLite keeps whole numbers only from -2^63 to 2^63-1 exactly");
  }
  if (value.storage == StorageClass::kText) {
    int64_t number = 0;
    const char* end = value.bytes.data() + value.bytes.size();
    const auto parsed = std::from_chars(value.bytes.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) return number;
  }
  return refuse_storage(value, type);
}

Result<std::string> bool_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kText) {
    if (value.bytes == "true") return model::canonical_bool(true);
    if (value.bytes == "false") return model::canonical_bool(false);
  }
  SYN_TRY(const int64_t number, integer_from_native(value, type));
  if (number != 0 && number != 1) return refuse(value, type, "a bool is 0 or 1");
  return model::canonical_bool(number == 1);
}

Result<std::string> real_cell(const NativeValue& value, const LogicalType& type) {
  double number = value.real;
  if (value.storage == StorageClass::kInteger) {
    number = static_cast<double>(value.integer);
    if (value.integer > kExactIntegerMax || value.integer < -kExactIntegerMax) {
      return refuse(value, type, "a double holds whole numbers only up to 2^53 exactly");
    }
  } else if (value.storage != StorageClass::kReal) {
    return refuse_storage(value, type);
  }
  if (type.kind == TypeKind::kFloat64) return model::canonical_float64(number);
  return model::canonical_exact_float32(number);
}

// A double stands for the decimal that was meant as long as its neighbours are closer than half a
// unit of the scale.
Result<std::string> decimal_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kText) return model::canonical_decimal(value.bytes, type);
  if (value.storage == StorageClass::kInteger) {
    return model::canonical_decimal(std::to_string(value.integer), type);
  }
  if (value.storage != StorageClass::kReal) return refuse_storage(value, type);
  if (!std::isfinite(value.real)) {
    return model::canonical_decimal(value.real > 0 ? "Infinity" : "-Infinity", type);
  }
  if (type.precision == 0) {
    const std::string text = real_text(value.real, kDecimalDigitsOfReal);
    if (std::strtod(text.c_str(), nullptr) != value.real) {
      return refuse(value, type, "a double shows only 15 digits of a decimal for certain");
    }
    return model::canonical_decimal(text, type);
  }
  const double gap = std::nextafter(std::abs(value.real), HUGE_VAL) - std::abs(value.real);
  if (gap >= 0.5 * std::pow(10.0, -type.scale)) {
    return refuse(value, type, "it was stored as a double, which has not enough digits for it");
  }
  const std::string text = real_text(value.real, kDecimalDigitsOfReal);
  return model::canonical_decimal(text, type);
}

Result<std::string> text_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kText) return model::canonical_from_text(value.bytes, type);
  if (value.storage == StorageClass::kInteger) {
    return model::canonical_from_text(std::to_string(value.integer), type);
  }
  return refuse_storage(value, type);
}

Result<std::string> bytes_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kInteger || value.storage == StorageClass::kReal) {
    return refuse_storage(value, type);
  }
  if (type.kind == TypeKind::kSpatial) return model::canonical_spatial(value.bytes);
  return model::canonical_bytes(value.bytes, type);
}

// SQLite's CURRENT_TIMESTAMP is UTC and says no zone.
Result<std::string> timestamp_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage != StorageClass::kText) return refuse_storage(value, type);
  const size_t date_size = 10;
  const size_t zone = value.bytes.find_first_of("Zz+-", date_size);
  if (zone != std::string_view::npos) return model::canonical_timestamp(value.bytes, type);
  return model::canonical_timestamp(std::string(value.bytes) + "Z", type);
}

Result<std::string> time_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage != StorageClass::kText) return refuse_storage(value, type);
  return model::canonical_from_text(value.bytes, type);
}

Result<std::string> uuid_cell(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kText) return model::canonical_uuid(value.bytes);
  if (value.storage == StorageClass::kBlob && value.bytes.size() == kUuidSize) {
    return std::string(value.bytes);
  }
  return refuse_storage(value, type);
}

Result<std::string> uint64_cell(const NativeValue& value, const LogicalType& type) {
  SYN_TRY(const int64_t number, integer_from_native(value, type));
  if (number < 0) return refuse(value, type, "it is negative");
  return model::canonical_uint64(static_cast<uint64_t>(number));
}

Result<std::string> canonical_of(const NativeValue& value, const LogicalType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return bool_cell(value, type);
    case TypeKind::kInt64: {
      SYN_TRY(const int64_t number, integer_from_native(value, type));
      return model::canonical_int64(number);
    }
    case TypeKind::kUint64:
      return uint64_cell(value, type);
    case TypeKind::kYear: {
      SYN_TRY(const int64_t year, integer_from_native(value, type));
      return model::canonical_year(year);
    }
    case TypeKind::kDecimal:
      return decimal_cell(value, type);
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return real_cell(value, type);
    case TypeKind::kBytes:
    case TypeKind::kSpatial:
      return bytes_cell(value, type);
    case TypeKind::kTimestamp:
      return timestamp_cell(value, type);
    case TypeKind::kDate:
    case TypeKind::kDatetime:
    case TypeKind::kTime:
    case TypeKind::kInterval:
      return time_cell(value, type);
    case TypeKind::kUuid:
      return uuid_cell(value, type);
    default:
      return text_cell(value, type);
  }
}

// What a numeric affinity would take for a number (sqlite.org/datatype3.html, 3.4).
bool looks_numeric(std::string_view text) {
  const auto skip_spaces = [&] {
    while (!text.empty() && contains(" \t\n\v\f\r", text.substr(0, 1))) text.remove_prefix(1);
  };
  const auto skip_digits = [&] {
    size_t count = 0;
    while (count < text.size() && text[count] >= '0' && text[count] <= '9') ++count;
    text.remove_prefix(count);
    return count;
  };
  skip_spaces();
  if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
  size_t digits = skip_digits();
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    digits += skip_digits();
  }
  if (digits == 0) return false;
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    if (!text.empty() && (text[0] == '+' || text[0] == '-')) text.remove_prefix(1);
    if (skip_digits() == 0) return false;
  }
  skip_spaces();
  return text.empty();
}

bool is_numeric(Affinity affinity) {
  return affinity != Affinity::kText && affinity != Affinity::kNone;
}

// "7", "-12": an integer that comes back as the same text.
bool is_plain_integer(std::string_view text) {
  int64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() &&
         std::to_string(number) == text;
}

size_t significant_digits(std::string_view decimal) {
  std::string digits;
  for (const char letter : decimal) {
    if (letter >= '0' && letter <= '9') digits.push_back(letter);
  }
  const size_t first = digits.find_first_not_of('0');
  if (first == std::string::npos) return 0;
  return digits.find_last_not_of('0') - first + 1;
}

auto refuse_column(std::string_view text, const LogicalType& type) {
  return fail(ErrorCode::kValue,
              "'" + model::quote(text) + "' of type " + model::to_string(type) +
                  " would be changed by the column's affinity",
              "SQLite turns text that looks like a number into one in columns that are not TEXT",
              "declare the column as TEXT in the SQLite database");
}

Result<void> bind_text(std::string text, const LogicalType& type, Affinity affinity,
                       NativeCell& out) {
  const bool is_exact = affinity != Affinity::kReal && is_plain_integer(text);
  if (is_numeric(affinity) && looks_numeric(text) && !is_exact) return refuse_column(text, type);
  out.bytes = std::move(text);
  out.value = {StorageClass::kText, 0, 0, {}};
  return success();
}

// A number has no zeros behind its point: what is whole without them is an integer.
std::string without_zeros(std::string decimal) {
  const size_t point = decimal.find('.');
  const bool is_whole =
      point != std::string::npos && decimal.find_first_not_of('0', point + 1) == std::string::npos;
  if (is_whole) decimal.resize(point);
  return decimal;
}

Result<void> bind_decimal(std::string text, const LogicalType& type, Affinity affinity,
                          NativeCell& out) {
  if (is_numeric(affinity)) text = without_zeros(std::move(text));
  const bool is_integer = affinity != Affinity::kReal && is_plain_integer(text);
  if (is_numeric(affinity) && looks_numeric(text) && !is_integer &&
      significant_digits(text) > kDecimalDigitsOfReal) {
    return refuse_column(text, type);
  }
  out.bytes = std::move(text);
  out.value = {StorageClass::kText, 0, 0, {}};
  return success();
}

Result<void> bind_integer(int64_t number, const LogicalType& type, Affinity affinity,
                          NativeCell& out) {
  if (affinity == Affinity::kReal && (number > kExactIntegerMax || number < -kExactIntegerMax)) {
    return refuse_column(std::to_string(number), type);
  }
  out.value = {StorageClass::kInteger, number, 0, {}};
  return success();
}

Result<void> bind_real(double number, const LogicalType& type, Affinity affinity, NativeCell& out) {
  if (std::isnan(number) || affinity == Affinity::kText) {
    return fail(ErrorCode::kValue,
                real_text(number, 17) + " of type " + model::to_string(type) + " cannot be stored",
                std::isnan(number) ? "SQLite stores NaN as NULL"
                                   : "SQLite keeps 15 digits of a number in a TEXT column",
                std::isnan(number) ? "correct the value in the system it came from"
                                   : "declare the column as REAL in the SQLite database");
  }
  out.value = {StorageClass::kReal, 0, number, {}};
  return success();
}

// As SQLite's own functions write it: no zone, no zeros at the end of the fraction.
std::string time_text(std::string_view bytes, const LogicalType& type) {
  std::string text = model::text_from_canonical(bytes, type);
  if (!text.empty() && text.back() == 'Z') text.pop_back();
  if (contains(text, ".")) {
    text.resize(text.find_last_not_of('0') + 1);
    if (text.back() == '.') text.pop_back();
  }
  return text;
}

Result<void> bind_bytes(std::string_view bytes, NativeCell& out) {
  out.bytes = bytes;
  out.value = {StorageClass::kBlob, 0, 0, {}};
  return success();
}

}  // namespace

Result<Cell> cell_from_native(const NativeValue& value, const LogicalType& type) {
  if (value.storage == StorageClass::kNull) return Cell::null();
  SYN_TRY(std::string bytes, canonical_of(value, type));
  return Cell::value(std::move(bytes));
}

Result<void> native_from_cell(model::CellState state, std::string_view bytes,
                              const LogicalType& type, Affinity affinity, NativeCell& out) {
  out.value = {};
  if (state != model::CellState::kValue) return success();
  switch (type.kind) {
    case TypeKind::kBool:
      return bind_integer(model::bool_from_canonical(bytes) ? 1 : 0, type, affinity, out);
    case TypeKind::kInt64:
    case TypeKind::kYear:
      return bind_integer(model::int64_from_canonical(bytes), type, affinity, out);
    case TypeKind::kUint64: {
      const uint64_t number = model::uint64_from_canonical(bytes);
      if (number > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return fail(ErrorCode::kValue, std::to_string(number) + " cannot be stored",
                    "SQLite's integers end at 2^63-1",
                    "map the column as text, or keep its values below 2^63");
      }
      return bind_integer(static_cast<int64_t>(number), type, affinity, out);
    }
    case TypeKind::kFloat32:
      return bind_real(model::float32_from_canonical(bytes), type, affinity, out);
    case TypeKind::kFloat64:
      return bind_real(model::float64_from_canonical(bytes), type, affinity, out);
    case TypeKind::kDecimal:
      return bind_decimal(model::text_from_canonical(bytes, type), type, affinity, out);
    case TypeKind::kBytes:
    case TypeKind::kSpatial:
      return bind_bytes(bytes, out);
    case TypeKind::kUuid:
      if (affinity == Affinity::kNone) return bind_bytes(bytes, out);
      return bind_text(model::text_from_canonical(bytes, type), type, affinity, out);
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kTime:
      return bind_text(time_text(bytes, type), type, affinity, out);
    case TypeKind::kText:
    case TypeKind::kChar:
      return bind_text(std::string(bytes), type, affinity, out);
    default:
      return bind_text(model::text_from_canonical(bytes, type), type, affinity, out);
  }
}

void append_value(const NativeValue& value, std::string& out) {
  ByteWriter writer(out);
  writer.u8(static_cast<uint8_t>(value.storage));
  switch (value.storage) {
    case StorageClass::kNull:
      break;
    case StorageClass::kInteger:
      writer.u64(static_cast<uint64_t>(value.integer));
      break;
    case StorageClass::kReal:
      writer.u64(std::bit_cast<uint64_t>(value.real));
      break;
    case StorageClass::kText:
    case StorageClass::kBlob:
      writer.text(value.bytes);
      break;
  }
}

NativeValue read_value(ByteReader& in) {
  NativeValue value;
  value.storage = static_cast<StorageClass>(std::min<uint8_t>(in.u8(), 4));
  switch (value.storage) {
    case StorageClass::kNull:
      break;
    case StorageClass::kInteger:
      value.integer = static_cast<int64_t>(in.u64());
      break;
    case StorageClass::kReal:
      value.real = std::bit_cast<double>(in.u64());
      break;
    case StorageClass::kText:
    case StorageClass::kBlob:
      value.bytes = in.text();
      break;
  }
  return value;
}

}  // namespace syncline::sqlite
