#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

using model::LogicalType, model::TypeKind;

constexpr size_t kSridSize = 4;

struct Named {
  std::string_view name;
  Category category;
  uint8_t size_bytes = 0;
};

constexpr std::array kNames = {
    Named{"tinyint", Category::kInteger, 1},
    Named{"smallint", Category::kInteger, 2},
    Named{"mediumint", Category::kInteger, 3},
    Named{"int", Category::kInteger, 4},
    Named{"bigint", Category::kInteger, 8},
    Named{"decimal", Category::kDecimal},
    Named{"float", Category::kFloat},
    Named{"double", Category::kDouble},
    Named{"bit", Category::kBit},
    Named{"char", Category::kChar},
    Named{"varchar", Category::kVarchar},
    Named{"tinytext", Category::kText},
    Named{"text", Category::kText},
    Named{"mediumtext", Category::kText},
    Named{"longtext", Category::kText},
    Named{"binary", Category::kBinary},
    Named{"varbinary", Category::kVarbinary},
    Named{"tinyblob", Category::kBlob},
    Named{"blob", Category::kBlob},
    Named{"mediumblob", Category::kBlob},
    Named{"longblob", Category::kBlob},
    Named{"enum", Category::kEnum},
    Named{"set", Category::kSet},
    Named{"date", Category::kDate},
    Named{"time", Category::kTime},
    Named{"datetime", Category::kDatetime},
    Named{"timestamp", Category::kTimestamp},
    Named{"year", Category::kYear},
    Named{"uuid", Category::kUuid},
    Named{"inet4", Category::kInet},
    Named{"inet6", Category::kInet},
    Named{"geometry", Category::kGeometry},
    Named{"point", Category::kGeometry},
    Named{"linestring", Category::kGeometry},
    Named{"polygon", Category::kGeometry},
    Named{"multipoint", Category::kGeometry},
    Named{"multilinestring", Category::kGeometry},
    Named{"multipolygon", Category::kGeometry},
    Named{"geometrycollection", Category::kGeometry},
    Named{"geomcollection", Category::kGeometry},  // as MySQL 8 calls it
    Named{"json", Category::kJson},                // MySQL's own type
};

bool holds_text(TypeKind kind) {
  return kind == TypeKind::kText || kind == TypeKind::kChar || kind == TypeKind::kEnum;
}

uint64_t number_of_bits(std::string_view bytes) {
  uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<uint8_t>(byte);
  return value;
}

Result<std::string> from_integer(std::string_view text, const LogicalType& type) {
  if (type.kind == TypeKind::kInt64) {
    int64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size()) {
      return model::canonical_int64(value);
    }
  }
  return model::canonical_from_text(text, type);
}

// The type is a float's where another system has one.
Result<std::string> from_double(std::string_view text, const LogicalType& type) {
  if (type.kind != TypeKind::kFloat32) return model::canonical_from_text(text, type);
  SYN_TRY(const std::string bytes, model::canonical_from_text(text, {.kind = TypeKind::kFloat64}));
  return model::canonical_exact_float32(model::float64_from_canonical(bytes));
}

Result<std::string> from_bits(std::string_view bytes, const NativeType& native,
                              const LogicalType& type) {
  const uint64_t value = number_of_bits(bytes);
  if (type.kind != TypeKind::kBit) return from_integer(std::to_string(value), type);
  std::string digits(native.length, '0');
  for (size_t i = 0; i < digits.size(); ++i) {
    if ((value >> (digits.size() - 1 - i) & 1) != 0) digits[i] = '1';
  }
  return model::canonical_bit(digits, type);
}

Result<std::string> from_bytes(std::string_view bytes, const LogicalType& type) {
  if (type.kind == TypeKind::kBytes) return model::canonical_bytes(bytes, type);
  if (type.kind == TypeKind::kSpatial) return model::canonical_spatial(bytes);
  if (holds_text(type.kind)) return model::canonical_text(bytes, type);
  return refuse("...", model::to_string(type), "the column holds bytes");
}

Result<std::string> from_geometry(std::string_view bytes, const LogicalType& type) {
  if (type.kind != TypeKind::kSpatial || bytes.size() <= kSridSize) {
    return refuse("...", model::to_string(type), "the column holds a geometry");
  }
  uint32_t srid = 0;
  for (size_t i = kSridSize; i > 0; --i) srid = srid << 8 | static_cast<uint8_t>(bytes[i - 1]);
  return model::canonical_spatial(srid, bytes.substr(kSridSize));
}

Result<std::string> from_label(std::string_view text, const NativeType& native,
                               const LogicalType& type) {
  if (native.category == Category::kEnum && !has_label(native, text)) {
    return refuse(text, native.name, "the column holds a value that is none of its labels");
  }
  return model::canonical_from_text(text, type);
}

}  // namespace

NativeType native_type_of(const Declaration& declared) {
  NativeType type;
  type.name = declared.column_type;
  const auto found = std::find_if(kNames.begin(), kNames.end(), [&](const Named& known) {
    return known.name == declared.data_type;
  });
  if (found != kNames.end()) {
    type.category = found->category;
    type.size_bytes = found->size_bytes;
  }
  if (declared.is_json && type.category == Category::kText) type.category = Category::kJson;
  type.is_unsigned = declared.column_type.find("unsigned") != std::string_view::npos ||
                     declared.column_type.find("zerofill") != std::string_view::npos;
  type.is_fixed = (type.category == Category::kFloat || type.category == Category::kDouble) &&
                  declared.column_type.find(',') != std::string_view::npos;
  type.precision = declared.precision;
  type.scale = declared.scale;
  type.length = type.category == Category::kBit ? declared.precision : declared.length;
  type.charset = declared.charset;
  type.collation = declared.collation;
  type.collation_id = declared.collation_id;
  if (type.category == Category::kEnum || type.category == Category::kSet) {
    type.labels = labels_of(declared.column_type);
  }
  return type;
}

LogicalType logical_type_of(const NativeType& native) {
  const auto sized = [&](TypeKind kind) {
    return LogicalType{.kind = kind, .length = native.length};
  };
  const auto timed = [&](TypeKind kind) {
    return LogicalType{.kind = kind, .precision = native.precision};
  };
  switch (native.category) {
    case Category::kInteger: {
      const bool is_wide = native.is_unsigned && native.size_bytes == 8;
      return {.kind = is_wide ? TypeKind::kUint64 : TypeKind::kInt64};
    }
    case Category::kDecimal:
      return {.kind = TypeKind::kDecimal, .precision = native.precision, .scale = native.scale};
    case Category::kFloat:
      return {.kind = TypeKind::kFloat32};
    case Category::kDouble:
      return {.kind = TypeKind::kFloat64};
    case Category::kBit:
      return sized(TypeKind::kBit);
    case Category::kChar:
      return sized(TypeKind::kChar);
    case Category::kVarchar:
      return sized(TypeKind::kText);
    case Category::kBinary:
      return sized(TypeKind::kBytes);
    case Category::kVarbinary:
    case Category::kBlob:
      return {.kind = TypeKind::kBytes};
    case Category::kJson:
      return {.kind = TypeKind::kJson};
    case Category::kEnum:
      return {.kind = TypeKind::kEnum};
    case Category::kSet:
      return {.kind = TypeKind::kSet};
    case Category::kDate:
      return {.kind = TypeKind::kDate};
    case Category::kTime:
      return timed(TypeKind::kTime);
    case Category::kDatetime:
      return timed(TypeKind::kDatetime);
    case Category::kTimestamp:
      return timed(TypeKind::kTimestamp);
    case Category::kYear:
      return {.kind = TypeKind::kYear};
    case Category::kUuid:
      return {.kind = TypeKind::kUuid};
    case Category::kInet:
      return {.kind = TypeKind::kInet};
    case Category::kGeometry:
      return {.kind = TypeKind::kSpatial};
    case Category::kText:
    case Category::kOther:
      break;
  }
  return {.kind = TypeKind::kText};
}

bool holds_characters(const NativeType& type) {
  switch (type.category) {
    case Category::kChar:
    case Category::kVarchar:
    case Category::kText:
    case Category::kJson:
      return true;
    default:
      return false;
  }
}

// "_bin" pads, "_nopad_bin" and MySQL's "_0900_bin" do not, nor does "_0900_as_cs"; whatever else
// there is tells at least no case apart.
model::KeyEquivalence equivalence_of(const NativeType& type) {
  if (!holds_characters(type)) return model::KeyEquivalence::kBytes;
  const std::string_view collation = type.collation;
  for (const std::string_view exact : {"_nopad_bin", "_0900_bin", "_0900_as_cs"}) {
    if (collation.ends_with(exact)) return model::KeyEquivalence::kBytes;
  }
  if (collation.ends_with("_bin") || collation.ends_with("_cs")) {
    return model::KeyEquivalence::kTrailingSpaces;
  }
  return model::KeyEquivalence::kAsciiCaseInsensitive;
}

Result<std::string> canonical_from_native(std::string_view text, const NativeType& native,
                                          const LogicalType& type) {
  switch (native.category) {
    case Category::kInteger:
      return from_integer(text, type);
    case Category::kDouble:
      return from_double(text, type);
    case Category::kBit:
      return from_bits(text, native, type);
    case Category::kBinary:
    case Category::kVarbinary:
    case Category::kBlob:
      return from_bytes(text, type);
    case Category::kGeometry:
      return from_geometry(text, type);
    case Category::kEnum:
    case Category::kSet:
      return from_label(text, native, type);
    case Category::kTimestamp:
      return model::canonical_from_text(std::string(text) + "Z", type);
    default:
      if (type.kind == TypeKind::kBytes) return model::canonical_bytes(text, type);
      return model::canonical_from_text(text, type);
  }
}

ParameterKind parameter_kind_of(const NativeType& native) {
  switch (native.category) {
    case Category::kInteger:
      return native.is_unsigned ? ParameterKind::kUnsigned : ParameterKind::kInteger;
    case Category::kBit:
      return ParameterKind::kUnsigned;
    case Category::kYear:
      return ParameterKind::kInteger;
    case Category::kFloat:
      return ParameterKind::kFloat;
    case Category::kDouble:
      return ParameterKind::kDouble;
    case Category::kDecimal:
      return ParameterKind::kDecimal;
    case Category::kBinary:
    case Category::kVarbinary:
    case Category::kBlob:
    case Category::kGeometry:
      return ParameterKind::kBytes;
    default:
      return ParameterKind::kText;
  }
}

}  // namespace syncline::mariadb
