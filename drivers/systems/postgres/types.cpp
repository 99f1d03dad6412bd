#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/systems/postgres/detail/value.hpp"
#include "host/model/quote.hpp"

namespace syncline::postgres {
namespace {

using model::LogicalType, model::TypeKind;

constexpr int32_t kHeaderSize = 4;  // a modifier counts the header of a value too
constexpr int32_t kScaleMask = 0x7ff;
constexpr int32_t kScaleSign = 0x400;

struct Named {
  std::string_view name;
  Category category;
};

constexpr std::array kNames = {
    Named{"bool", Category::kBool},          Named{"int2", Category::kInteger},
    Named{"int4", Category::kInteger},       Named{"int8", Category::kInteger},
    Named{"oid", Category::kInteger},        Named{"numeric", Category::kDecimal},
    Named{"float4", Category::kFloat32},     Named{"float8", Category::kFloat64},
    Named{"text", Category::kText},          Named{"name", Category::kName},
    Named{"char", Category::kByte},          Named{"citext", Category::kText},
    Named{"varchar", Category::kVarchar},    Named{"bpchar", Category::kChar},
    Named{"bytea", Category::kBytea},        Named{"bit", Category::kBit},
    Named{"varbit", Category::kVarbit},      Named{"date", Category::kDate},
    Named{"timestamp", Category::kDatetime}, Named{"timestamptz", Category::kTimestamp},
    Named{"time", Category::kTime},          Named{"timetz", Category::kTimetz},
    Named{"interval", Category::kInterval},  Named{"uuid", Category::kUuid},
    Named{"inet", Category::kInet},          Named{"macaddr", Category::kMacaddr},
    Named{"macaddr8", Category::kMacaddr8},  Named{"json", Category::kJson},
    Named{"jsonb", Category::kJson},
};

LogicalType decimal_of(int32_t modifier) {
  LogicalType type{.kind = TypeKind::kDecimal};
  if (modifier < kHeaderSize) return type;
  const int32_t precision = (modifier - kHeaderSize) >> 16 & 0xffff;
  const int32_t scale = decimal_scale(modifier);
  // numeric(3,-2) and numeric(2,5) have no digits to count: any number of them, then.
  if (scale < 0 || scale > precision) return type;
  type.precision = static_cast<uint16_t>(precision);
  type.scale = static_cast<uint16_t>(scale);
  return type;
}

LogicalType timed(TypeKind kind, int32_t modifier) {
  return {.kind = kind, .precision = time_digits(modifier)};
}

LogicalType sized(TypeKind kind, int32_t modifier, int32_t header) {
  LogicalType type{.kind = kind};
  if (modifier > header) type.length = static_cast<uint32_t>(modifier - header);
  return type;
}

// How many digits stand behind the point.
size_t fraction_digits(std::string_view text) {
  const size_t point = text.find('.');
  if (point == std::string_view::npos) return 0;
  const size_t end = text.find_first_not_of("0123456789", point + 1);
  return (end == std::string_view::npos ? text.size() : end) - point - 1;
}

auto refuse_as(const std::string& held_as, std::string_view text, std::string why) {
  return fail(ErrorCode::kValue, "'" + model::quote(text) + "' cannot be held as " + held_as,
              std::move(why), "correct the value in its row, or map the column to another type");
}

auto refuse(std::string_view text, const LogicalType& type, std::string why) {
  return refuse_as(model::to_string(type), text, std::move(why));
}

int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

Result<std::string> raw_bytes(std::string_view text, const LogicalType& type) {
  if (!text.starts_with("\\x") || text.size() % 2 != 0) {
    return refuse(text, type, "the server did not write it as hex");
  }
  std::string bytes;
  bytes.reserve(text.size() / 2);
  for (size_t i = 2; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return refuse(text, type, "the server did not write it as hex");
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

std::string hex_text(std::string_view bytes) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string text = "\\x";
  text.reserve(2 + bytes.size() * 2);
  for (const char byte : bytes) {
    text += kHex[static_cast<uint8_t>(byte) >> 4];
    text += kHex[static_cast<uint8_t>(byte) & 15];
  }
  return text;
}

bool holds_text(TypeKind kind) {
  return kind == TypeKind::kText || kind == TypeKind::kChar || kind == TypeKind::kEnum;
}

Result<std::string> from_bytea(std::string_view text, const LogicalType& type) {
  SYN_TRY(const std::string bytes, raw_bytes(text, type));
  if (type.kind == TypeKind::kBytes) return model::canonical_bytes(bytes, type);
  if (type.kind == TypeKind::kSpatial) return model::canonical_spatial(bytes);
  if (holds_text(type.kind)) return model::canonical_text(bytes, type);
  return refuse(text, type, "the column holds bytes");
}

Result<std::string> from_array(std::string_view text, const NativeType& native,
                               const LogicalType& type) {
  if (type.kind == TypeKind::kSet) {
    SYN_TRY(const std::string labels, labels_from_array(text));
    return model::canonical_set(labels);
  }
  if (type.kind != TypeKind::kJson) return model::canonical_from_text(text, type);
  SYN_TRY(const std::string json, json_from_array(text, native.category));
  return model::canonical_json(json);
}

Result<std::string> from_integer(std::string_view text, const LogicalType& type) {
  int64_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (type.kind != TypeKind::kInt64 || read.ec != std::errc() ||
      read.ptr != text.data() + text.size()) {
    return model::canonical_from_text(text, type);
  }
  return model::canonical_int64(value);
}

Result<std::string> from_bool(std::string_view text, const LogicalType& type) {
  if (type.kind == TypeKind::kBool) return model::canonical_bool(text == "t");
  if (holds_text(type.kind)) return model::canonical_text(text == "t" ? "true" : "false", type);
  return model::canonical_from_text(text == "t" ? "1" : "0", type);
}

// The type is a real's where another system has one.
Result<std::string> from_double(std::string_view text, const LogicalType& type) {
  if (type.kind != TypeKind::kFloat32) return model::canonical_from_text(text, type);
  SYN_TRY(const std::string bytes, model::canonical_from_text(text, {.kind = TypeKind::kFloat64}));
  return model::canonical_exact_float32(model::float64_from_canonical(bytes));
}

// The server fills it up to its length with spaces, which are none of its value.
std::string_view without_padding(std::string_view text, const NativeType& native) {
  if (native.category != Category::kChar || native.modifier < kHeaderSize) return text;
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// Text that PostgreSQL's inputs cannot take: it has no zero bytes.
Result<std::string> without_zero(std::string text, const LogicalType& type) {
  if (text.find('\0') == std::string::npos) return text;
  return refuse("...", type, "PostgreSQL's text cannot hold a zero byte");
}

// The text that means the value, whatever the column makes of it.
Result<std::string> text_of(std::string_view bytes, const LogicalType& type,
                            const NativeType& native) {
  if (type.kind == TypeKind::kSpatial) {
    if (native.category == Category::kBytea && !native.is_array) return hex_text(bytes);
    return refuse("...", type, "only a bytea column holds an SRID and a WKB");
  }
  if (native.is_array && type.kind == TypeKind::kJson) {
    return array_from_json(bytes, native.category, native.modifier);
  }
  if (native.is_array && type.kind == TypeKind::kSet) return array_from_labels(bytes);
  if (native.category == Category::kComposite && type.kind == TypeKind::kJson) {
    return composite_from_json(bytes, native.attributes);
  }
  if (native.category == Category::kBytea) {
    if (type.kind == TypeKind::kBytes || holds_text(type.kind)) return hex_text(bytes);
  } else if (type.kind == TypeKind::kBytes && native.category != Category::kOther &&
             native.category != Category::kComposite) {
    return without_zero(std::string(bytes), type);
  }
  if (type.kind == TypeKind::kFloat32 && native.category == Category::kFloat64) {
    const auto value = static_cast<double>(model::float32_from_canonical(bytes));
    return model::text_from_canonical(model::canonical_float64(value),
                                      {.kind = TypeKind::kFloat64});
  }
  if (native.category == Category::kInteger) {
    if (type.kind == TypeKind::kBool)
      return std::string(model::bool_from_canonical(bytes) ? "1" : "0");
    if (type.kind == TypeKind::kDecimal) {  // without zeros behind a point, which it does not read
      return model::text_from_canonical(bytes, {.kind = TypeKind::kDecimal});
    }
  }
  return without_zero(model::text_from_canonical(bytes, type), type);
}

}  // namespace

Category category_of(std::string_view type_name, char type_kind) {
  if (type_kind == 'e') return Category::kEnum;
  if (type_kind == 'c') return Category::kComposite;
  const auto found = std::find_if(kNames.begin(), kNames.end(),
                                  [&](const Named& known) { return known.name == type_name; });
  return found == kNames.end() ? Category::kOther : found->category;
}

bool is_stored_exactly(std::string_view text, const LogicalType& logical, const NativeType& type) {
  const bool keeps_spelling = type.category == Category::kText ||
                              type.category == Category::kVarchar ||
                              type.category == Category::kBytea;
  if (type.is_array || (holds_text(logical.kind) && !keeps_spelling)) return false;
  switch (type.category) {
    case Category::kBool:
    case Category::kInteger:
    case Category::kUuid:
    case Category::kBytea:
    case Category::kDate:
      return true;
    case Category::kText:
      return type.name == "text";  // not one of its relatives, which fold or cut
    case Category::kVarchar:
      return type.modifier < kHeaderSize ||
             text.size() <= static_cast<size_t>(type.modifier - kHeaderSize);
    case Category::kDecimal: {
      const bool is_plain = text.find_first_of("eE") == std::string_view::npos;
      if (type.modifier < kHeaderSize) return is_plain;
      return is_plain &&
             static_cast<int32_t>(fraction_digits(text)) <= decimal_scale(type.modifier);
    }
    case Category::kDatetime:
    case Category::kTimestamp:
    case Category::kTime:
      return fraction_digits(text) <= time_digits(type.modifier);
    default:
      return false;
  }
}

uint16_t time_digits(int32_t modifier) {
  if (modifier < 0) return kTimeDigitsMax;
  return std::min(static_cast<uint16_t>(modifier & 0xffff), kTimeDigitsMax);
}

int32_t decimal_scale(int32_t modifier) {
  return (((modifier - kHeaderSize) & kScaleMask) ^ kScaleSign) - kScaleSign;
}

std::string cast_name(std::string_view type_name, std::string_view formatted) {
  if (type_name == "bpchar" || type_name == "_bpchar") {
    return type_name == "bpchar" ? "bpchar" : "bpchar[]";
  }
  if (type_name == "bit" || type_name == "_bit") return type_name == "bit" ? "varbit" : "varbit[]";
  return std::string(formatted);
}

std::string shown_name(const NativeType& native) {
  if (native.is_array || native.modifier < kHeaderSize) return native.name;
  if (native.category == Category::kInterval) {
    const uint16_t digits = time_digits(native.modifier);
    return digits == kTimeDigitsMax ? native.name
                                    : native.name + "(" + std::to_string(digits) + ")";
  }
  const bool is_odd =
      native.category == Category::kDecimal && decimal_of(native.modifier).precision == 0;
  if (!is_odd) return native.name;
  return native.name + "(" + std::to_string((native.modifier - kHeaderSize) >> 16) + "," +
         std::to_string(decimal_scale(native.modifier)) + ")";
}

LogicalType logical_type_of(const NativeType& native) {
  if (native.is_array) return {.kind = TypeKind::kJson};
  switch (native.category) {
    case Category::kBool:
      return {.kind = TypeKind::kBool};
    case Category::kInteger:
      return {.kind = TypeKind::kInt64};
    case Category::kDecimal:
      return decimal_of(native.modifier);
    case Category::kFloat32:
      return {.kind = TypeKind::kFloat32};
    case Category::kFloat64:
      return {.kind = TypeKind::kFloat64};
    case Category::kVarchar:
      return sized(TypeKind::kText, native.modifier, kHeaderSize);
    case Category::kChar:
      return sized(TypeKind::kChar, native.modifier, kHeaderSize);
    case Category::kBytea:
      return {.kind = TypeKind::kBytes};
    case Category::kBit:
      return sized(TypeKind::kBit, native.modifier, 0);
    case Category::kDate:
      return {.kind = TypeKind::kDate};
    case Category::kDatetime:
      return timed(TypeKind::kDatetime, native.modifier);
    case Category::kTimestamp:
      return timed(TypeKind::kTimestamp, native.modifier);
    case Category::kTime:
      return timed(TypeKind::kTime, native.modifier);
    case Category::kInterval:
      return {.kind = TypeKind::kInterval};
    case Category::kUuid:
      return {.kind = TypeKind::kUuid};
    case Category::kInet:
      return {.kind = TypeKind::kInet};
    case Category::kMacaddr:
    case Category::kMacaddr8:
      return {.kind = TypeKind::kMacaddr};
    case Category::kJson:
      return {.kind = TypeKind::kJson};
    case Category::kEnum:
      return {.kind = TypeKind::kEnum};
    case Category::kText:
    case Category::kName:
    case Category::kByte:
    case Category::kVarbit:
    case Category::kTimetz:
    case Category::kComposite:
    case Category::kOther:
      break;
  }
  return {.kind = TypeKind::kText};
}

std::optional<LogicalType> other_type_of(const NativeType& native) {
  const bool is_of_texts = native.category == Category::kText ||
                           native.category == Category::kName ||
                           native.category == Category::kVarchar;
  if (!native.is_array || !is_of_texts) return std::nullopt;
  return LogicalType{.kind = TypeKind::kSet};
}

bool is_understood_here_only(const NativeType& native) {
  constexpr std::array<std::string_view, 3> kOwn = {"money", "xml", "tsvector"};
  const std::string_view name = native.name;
  const std::string_view element = name.substr(0, name.size() - (name.ends_with("[]") ? 2 : 0));
  return std::find(kOwn.begin(), kOwn.end(), element) != kOwn.end();
}

bool is_date(const NativeType& native) {
  if (native.is_array) return false;
  return native.category == Category::kDate || native.category == Category::kDatetime ||
         native.category == Category::kTimestamp;
}

bool is_beyond_dates(std::string_view text, const NativeType& native) {
  if (!is_date(native)) return false;
  return text == "infinity" || text == "-infinity" || text.ends_with(" BC");
}

Result<std::string> canonical_from_native(std::string_view text, const NativeType& native,
                                          const LogicalType& type) {
  if (native.is_array) return from_array(text, native, type);
  switch (native.category) {
    case Category::kBool:
      return from_bool(text, type);
    case Category::kInteger:
      return from_integer(text, type);
    case Category::kFloat64:
      return from_double(text, type);
    case Category::kBytea:
      return from_bytea(text, type);
    case Category::kComposite: {
      if (type.kind != TypeKind::kJson) return model::canonical_from_text(text, type);
      SYN_TRY(const std::string json, json_from_composite(text, native.attributes));
      return model::canonical_json(json);
    }
    case Category::kText:
    case Category::kName:
    case Category::kVarchar:
    case Category::kChar:
      text = without_padding(text, native);
      if (type.kind == TypeKind::kBytes) return model::canonical_bytes(text, type);
      return model::canonical_from_text(text, type);
    default:
      return model::canonical_from_text(text, type);
  }
}

Result<std::string> native_from_canonical(std::string_view bytes, const LogicalType& type,
                                          const NativeType& native) {
  auto text = text_of(bytes, type, native);
  if (!text || !may_hold_less(native, type)) return text;
  const std::string loss = loss_of(text.value(), native);
  if (loss.empty()) return text;
  return refuse_as(native.name, text.value(), loss);
}

}  // namespace syncline::postgres
