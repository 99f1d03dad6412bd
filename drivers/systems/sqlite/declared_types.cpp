// What a column's declared type says: its affinity, and the logical type it most likely holds.
#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

#include "drivers/systems/sqlite/detail/value.hpp"

namespace syncline::sqlite {
namespace {

using model::LogicalType, model::TypeKind;

constexpr uint16_t kTimePrecisionMax = 6;

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  }
  return out;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

LogicalType sized(TypeKind kind, std::string_view arguments) {
  LogicalType type{.kind = kind};
  int first = 0;
  int second = 0;
  const int count = std::sscanf(std::string(arguments).c_str(), "(%d,%d)", &first, &second);
  const bool has_first = count >= 1 && first >= 0 && first <= std::numeric_limits<uint16_t>::max();
  if (kind == TypeKind::kDecimal && has_first) {
    type.precision = static_cast<uint16_t>(first);
    type.scale = count == 2 && second >= 0 && second <= first ? static_cast<uint16_t>(second) : 0;
  }
  if (kind == TypeKind::kDatetime || kind == TypeKind::kTimestamp || kind == TypeKind::kTime) {
    type.precision =
        has_first ? std::min(static_cast<uint16_t>(first), kTimePrecisionMax) : kTimePrecisionMax;
  }
  return type;
}

struct DeclaredName {
  std::string_view name;
  TypeKind kind;
};

constexpr std::array kDeclaredNames = {
    DeclaredName{"BOOL", TypeKind::kBool},
    DeclaredName{"BOOLEAN", TypeKind::kBool},
    DeclaredName{"DECIMAL", TypeKind::kDecimal},
    DeclaredName{"DECIMAL TEXT", TypeKind::kDecimal},  // whose affinity keeps all digits
    DeclaredName{"NUMERIC", TypeKind::kDecimal},
    DeclaredName{"NUMBER", TypeKind::kDecimal},
    DeclaredName{"MONEY", TypeKind::kDecimal},
    DeclaredName{"DATE", TypeKind::kDate},
    DeclaredName{"DATETIME", TypeKind::kDatetime},
    DeclaredName{"TIMESTAMP", TypeKind::kTimestamp},
    DeclaredName{"TIMESTAMPTZ", TypeKind::kTimestamp},
    DeclaredName{"TIME", TypeKind::kTime},
    DeclaredName{"UUID", TypeKind::kUuid},
    DeclaredName{"GUID", TypeKind::kUuid},
    DeclaredName{"JSON", TypeKind::kJson},
    DeclaredName{"CHAR", TypeKind::kChar},
    DeclaredName{"CHARACTER", TypeKind::kChar},
    DeclaredName{"NCHAR", TypeKind::kChar},
    DeclaredName{"BINARY", TypeKind::kBytes},
    DeclaredName{"VARBINARY", TypeKind::kBytes},
};

}  // namespace

Affinity affinity_of(std::string_view declared_type) {
  const std::string name = upper(declared_type);
  if (contains(name, "INT")) return Affinity::kInteger;
  if (contains(name, "CHAR") || contains(name, "CLOB") || contains(name, "TEXT")) {
    return Affinity::kText;
  }
  if (name.empty() || contains(name, "BLOB")) return Affinity::kNone;
  if (contains(name, "REAL") || contains(name, "FLOA") || contains(name, "DOUB")) {
    return Affinity::kReal;
  }
  return Affinity::kNumeric;
}

// SQLite enforces no length, so none is claimed: the other systems' lengths count.
LogicalType logical_type_of(std::string_view declared_type) {
  const std::string name = upper(declared_type);
  const size_t bracket = std::min(name.find('('), name.size());
  const size_t end = name.find_last_not_of(' ', bracket == 0 ? 0 : bracket - 1);
  const std::string base = name.substr(0, end == std::string::npos ? 0 : end + 1);
  for (const DeclaredName& known : kDeclaredNames) {
    if (known.name == base) return sized(known.kind, std::string_view(name).substr(bracket));
  }
  switch (affinity_of(declared_type)) {
    case Affinity::kInteger:
      return {.kind = TypeKind::kInt64};
    case Affinity::kReal:
      return {.kind = TypeKind::kFloat64};
    case Affinity::kNone:
      return {.kind = name.empty() ? TypeKind::kText : TypeKind::kBytes};
    default:
      return {.kind = TypeKind::kText};
  }
}

std::string declaration_of(const LogicalType& type, Typing typing) {
  const bool is_strict = typing == Typing::kStrict;
  const auto digits = [&](const char* name) {
    if (is_strict) return std::string("TEXT");
    if (type.precision == kTimePrecisionMax) return std::string(name);
    return std::string(name) + "(" + std::to_string(type.precision) + ")";
  };
  switch (type.kind) {
    case TypeKind::kBool:
      return is_strict ? "INTEGER" : "BOOLEAN";
    case TypeKind::kInt64:
    case TypeKind::kUint64:
    case TypeKind::kYear:
      return "INTEGER";
    case TypeKind::kDecimal:
      if (is_strict) return "TEXT";
      return "DECIMAL(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return "REAL";
    case TypeKind::kBytes:
    case TypeKind::kSpatial:
      return "BLOB";
    case TypeKind::kBit:
      return "";
    case TypeKind::kDate:
      return is_strict ? "TEXT" : "DATE";
    case TypeKind::kDatetime:
      return digits("DATETIME");
    case TypeKind::kTimestamp:
      return digits("TIMESTAMP");
    case TypeKind::kTime:
      return digits("TIME");
    case TypeKind::kUuid:
      return is_strict ? "TEXT" : "UUID";
    default:
      return "TEXT";
  }
}

}  // namespace syncline::sqlite
