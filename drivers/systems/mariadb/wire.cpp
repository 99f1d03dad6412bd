#include "drivers/systems/mariadb/detail/wire.hpp"

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstring>

#include <arpa/inet.h>

#include "drivers/systems/mariadb/detail/charset.hpp"
#include "drivers/systems/mariadb/detail/json_binary.hpp"
#include "drivers/systems/mariadb/detail/wire_dates.hpp"

namespace syncline::mariadb {
namespace {

using model::LogicalType, model::TypeKind;

constexpr size_t kDecimalGroup = 9;  // digits in 4 bytes
constexpr size_t kDecimalSizes[] = {0, 1, 1, 2, 2, 3, 3, 4, 4, 4};
constexpr size_t kUuidSize = 16;
constexpr size_t kInet4Size = 4;

size_t decimal_size(const WireColumn& column) {
  const size_t scale = column.metadata & 0xff;
  const size_t whole = (column.metadata >> 8) - scale;
  return whole / kDecimalGroup * 4 + kDecimalSizes[whole % kDecimalGroup] +
         scale / kDecimalGroup * 4 + kDecimalSizes[scale % kDecimalGroup];
}

// A length in front of the value, of this many bytes, and the value.
size_t counted_size(size_t length_size, std::string_view rest) {
  constexpr size_t kLengthSizeMax = 4;
  if (length_size > kLengthSizeMax || rest.size() < length_size) return rest.size() + 1;
  return length_size + little(rest.substr(0, length_size));
}

std::string_view counted(size_t length_size, std::string_view cell) {
  return cell.substr(length_size);
}

size_t varchar_length_size(const WireColumn& column) {
  return column.metadata > 255 ? 2 : 1;
}

Result<std::string> from_label_index(std::string_view cell, const NativeType& native,
                                     const LogicalType& type) {
  const uint64_t index = little(cell);
  if (native.category == Category::kEnum) {
    const bool is_known = index > 0 && index <= native.labels.size();
    return canonical_from_native(is_known ? native.labels[index - 1] : "", native, type);
  }
  std::string labels;
  for (size_t i = 0; i < native.labels.size(); ++i) {
    if ((index >> i & 1) == 0) continue;
    labels += (labels.empty() ? "" : ",") + native.labels[i];
  }
  return canonical_from_native(labels, native, type);
}

Result<std::string> from_integer(std::string_view cell, const WireColumn& wire,
                                 const NativeType& native, const LogicalType& type) {
  uint64_t value = little(cell);
  if (wire.type == WireType::kYear) {
    const int64_t year = value == 0 ? 0 : static_cast<int64_t>(value) + 1900;
    if (type.kind == TypeKind::kYear) return model::canonical_year(year);
    return canonical_from_native(std::to_string(year), native, type);
  }
  const size_t bits = cell.size() * 8;
  if (native.is_unsigned) {
    if (type.kind == TypeKind::kUint64) return model::canonical_uint64(value);
    return canonical_from_native(std::to_string(value), native, type);
  }
  const auto number = static_cast<int64_t>(value << (64 - bits)) >> (64 - bits);
  if (type.kind == TypeKind::kInt64) return model::canonical_int64(number);
  return canonical_from_native(std::to_string(number), native, type);
}

Result<std::string> from_real(std::string_view cell, const LogicalType& type) {
  const bool is_single = cell.size() == sizeof(float);
  const double value = is_single ? std::bit_cast<float>(static_cast<uint32_t>(little(cell)))
                                 : std::bit_cast<double>(little(cell));
  if (type.kind == TypeKind::kFloat64) return model::canonical_float64(value);
  if (type.kind == TypeKind::kFloat32) return model::canonical_exact_float32(value);
  char text[32];
  std::snprintf(text, sizeof text, is_single ? "%.9g" : "%.17g", value);
  return model::canonical_from_text(text, type);
}

// Trailing zeros of fixed lengths are not in the log.
std::string padded(std::string_view bytes, size_t size) {
  std::string out(bytes);
  out.resize(std::max(size, out.size()), '\0');
  return out;
}

Result<std::string> from_address(std::string_view bytes, const NativeType& native,
                                 const LogicalType& type) {
  char text[INET6_ADDRSTRLEN] = "";
  const bool is_short = native.name == "inet4";
  inet_ntop(is_short ? AF_INET : AF_INET6, padded(bytes, is_short ? kInet4Size : kUuidSize).c_str(),
            text, sizeof text);
  return model::canonical_from_text(text, type);
}

Result<std::string> from_uuid(std::string_view bytes, const LogicalType& type) {
  std::string text;
  for (const char byte : padded(bytes, kUuidSize)) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<uint8_t>(byte));
    text += digits;
  }
  return model::canonical_from_text(text, type);
}

Result<std::string> from_characters(std::string_view bytes, const NativeType& native,
                                    const LogicalType& type) {
  if (is_utf8_here(bytes, native)) {
    if (type.kind == TypeKind::kText || type.kind == TypeKind::kChar) {
      return model::canonical_text(bytes, type);
    }
    return canonical_from_native(bytes, native, type);
  }
  SYN_TRY(const std::string text, utf8_from(bytes, native));
  return canonical_from_native(text, native, type);
}

Result<std::string> from_string(std::string_view bytes, const NativeType& native,
                                const LogicalType& type) {
  switch (native.category) {
    case Category::kUuid:
      return from_uuid(bytes, type);
    case Category::kInet:
      return from_address(bytes, native, type);
    case Category::kBinary:
      return canonical_from_native(padded(bytes, native.length), native, type);
    case Category::kVarbinary:
    case Category::kBlob:
    case Category::kGeometry:
      return canonical_from_native(bytes, native, type);
    default:
      return from_characters(bytes, native, type);
  }
}

Result<std::string> decoded(std::string_view cell, const WireColumn& wire, const NativeType& native,
                            const LogicalType& type) {
  switch (wire.type) {
    case WireType::kTiny:
    case WireType::kShort:
    case WireType::kInt24:
    case WireType::kLong:
    case WireType::kLongLong:
    case WireType::kYear:
      return from_integer(cell, wire, native, type);
    case WireType::kFloat:
    case WireType::kDouble:
      return from_real(cell, type);
    case WireType::kDecimal:
      return model::canonical_from_text(decimal_text(cell, wire), type);
    case WireType::kDate:
      return from_logged_date(cell, type);
    case WireType::kTime:
      return from_logged_time(cell, wire, type);
    case WireType::kDatetime:
      return from_logged_datetime(cell, wire, type);
    case WireType::kTimestamp:
      return from_logged_timestamp(cell, wire, type);
    case WireType::kEnum:
    case WireType::kSet:
      return from_label_index(cell, native, type);
    case WireType::kBit:
      return canonical_from_native(cell, native, type);
    case WireType::kVarchar:
      return from_string(counted(varchar_length_size(wire), cell), native, type);
    case WireType::kString:
      return from_string(counted(wire.metadata > 255 ? 2 : 1, cell), native, type);
    case WireType::kBlob:
    case WireType::kGeometry:
      return from_string(counted(wire.metadata, cell), native, type);
    case WireType::kJson: {
      SYN_TRY(const std::string text, json_text(counted(wire.metadata, cell)));
      return canonical_from_native(text, native, type);
    }
    default:
      return fail(ErrorCode::kValue, "a value cannot be read", "the log holds it in an old form",
                  "ALTER TABLE ... FORCE");
  }
}

}  // namespace

// The digits of a NEWDECIMAL: groups of nine in four bytes, big endian, the sign bit turned.
std::string decimal_text(std::string_view cell, const WireColumn& column) {
  const size_t scale = column.metadata & 0xff;
  const size_t whole = (column.metadata >> 8) - scale;
  std::string bytes(cell);
  const bool is_negative = (bytes[0] & 0x80) == 0;
  bytes[0] = static_cast<char>(bytes[0] ^ 0x80);
  if (is_negative) {
    for (char& byte : bytes) byte = static_cast<char>(~byte);
  }
  std::string text = is_negative ? "-" : "";
  std::string_view rest = bytes;
  const auto add = [&](size_t digits) {
    if (digits == 0) return;
    const size_t size = digits == kDecimalGroup ? 4 : kDecimalSizes[digits];
    char buffer[16];
    std::snprintf(buffer, sizeof buffer, "%0*llu", static_cast<int>(digits),
                  static_cast<unsigned long long>(big(rest.substr(0, size))));
    text += buffer;
    rest.remove_prefix(size);
  };
  add(whole % kDecimalGroup);
  for (size_t i = 0; i < whole / kDecimalGroup; ++i) add(kDecimalGroup);
  if (scale == 0) return text;
  if (whole == 0) text += '0';
  text += '.';
  for (size_t i = 0; i < scale / kDecimalGroup; ++i) add(kDecimalGroup);
  add(scale % kDecimalGroup);
  return text;
}

namespace {

// The log's labels are in the column's character set.
bool has_labels(const NativeType& native, const WireColumn& wire) {
  if (wire.labels.empty()) return true;  // not told
  return std::equal(wire.labels.begin(), wire.labels.end(), native.labels.begin(),
                    native.labels.end(), [&](const std::string& one, const std::string& other) {
                      const auto text = utf8_from(one, native);
                      return text && text.value() == other;
                    });
}

}  // namespace

size_t cell_size(const WireColumn& column, std::string_view rest) {
  switch (column.type) {
    case WireType::kTiny:
    case WireType::kYear:
      return 1;
    case WireType::kShort:
      return 2;
    case WireType::kInt24:
    case WireType::kDate:
    case WireType::kTimeOld:
      return 3;
    case WireType::kLong:
    case WireType::kFloat:
    case WireType::kTimestampOld:
      return 4;
    case WireType::kLongLong:
    case WireType::kDouble:
    case WireType::kDatetimeOld:
      return 8;
    case WireType::kTimestamp:
      return 4 + fraction_size(column.metadata);
    case WireType::kDatetime:
      return 5 + fraction_size(column.metadata);
    case WireType::kTime:
      return 3 + fraction_size(column.metadata);
    case WireType::kBit:
      return (column.metadata >> 8) + ((column.metadata & 0xff) > 0 ? 1U : 0U);
    case WireType::kDecimal:
      return decimal_size(column);
    case WireType::kEnum:
    case WireType::kSet:
      return column.metadata;
    case WireType::kVarchar:
    case WireType::kVarcharCompressed:
      return counted_size(varchar_length_size(column), rest);
    case WireType::kString:
      return counted_size(column.metadata > 255 ? 2 : 1, rest);
    case WireType::kBlob:
    case WireType::kBlobCompressed:
    case WireType::kGeometry:
    case WireType::kJson:
    case WireType::kVector:
      return counted_size(column.metadata, rest);
  }
  return rest.size() + 1;
}

bool is_written_as(const NativeType& native, const WireColumn& wire) {
  const bool has_metadata = !wire.name.empty();
  const auto is_number = [&](WireType type) {
    return wire.type == type && (!has_metadata || wire.is_unsigned == native.is_unsigned);
  };
  const auto is_text = [&](std::initializer_list<WireType> types) {
    if (std::find(types.begin(), types.end(), wire.type) == types.end()) return false;
    return !has_metadata || !holds_characters(native) || wire.collation_id == native.collation_id;
  };
  switch (native.category) {
    case Category::kInteger: {
      constexpr WireType kBySize[] = {WireType::kTiny, WireType::kTiny, WireType::kShort,
                                      WireType::kInt24, WireType::kLong};
      return is_number(native.size_bytes > 4 ? WireType::kLongLong : kBySize[native.size_bytes]);
    }
    case Category::kDecimal:
      return is_number(WireType::kDecimal) &&
             wire.metadata == static_cast<uint16_t>(native.precision << 8 | native.scale);
    case Category::kFloat:
      return is_number(WireType::kFloat);
    case Category::kDouble:
      return is_number(WireType::kDouble);
    case Category::kBit:
      return wire.type == WireType::kBit &&
             (wire.metadata >> 8) * 8U + (wire.metadata & 0xff) == native.length;
    case Category::kChar:
    case Category::kBinary:
      return is_text({WireType::kString});
    case Category::kVarchar:
    case Category::kVarbinary:
      return is_text({WireType::kVarchar});
    case Category::kJson:
      if (wire.type == WireType::kJson) return true;
      return is_text({WireType::kBlob});
    case Category::kText:
    case Category::kBlob:
      return is_text({WireType::kBlob});
    case Category::kEnum:
      return wire.type == WireType::kEnum && has_labels(native, wire);
    case Category::kSet:
      return wire.type == WireType::kSet && has_labels(native, wire);
    case Category::kDate:
      return wire.type == WireType::kDate;
    case Category::kTime:
      return wire.type == WireType::kTime && wire.metadata == native.precision;
    case Category::kDatetime:
      return wire.type == WireType::kDatetime && wire.metadata == native.precision;
    case Category::kTimestamp:
      return wire.type == WireType::kTimestamp && wire.metadata == native.precision;
    case Category::kYear:
      return wire.type == WireType::kYear;
    case Category::kUuid:
    case Category::kInet:
      return wire.type == WireType::kString;
    case Category::kGeometry:
      return wire.type == WireType::kGeometry;
    case Category::kOther:
      break;
  }
  return false;
}

Result<void> decode_cell(std::string_view cell, const WireColumn& wire, const NativeType& native,
                         const LogicalType& type, std::string& out) {
  SYN_TRY(out, decoded(cell, wire, native, type));
  return success();
}

}  // namespace syncline::mariadb
