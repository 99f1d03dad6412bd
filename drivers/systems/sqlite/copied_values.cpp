#include "drivers/systems/sqlite/detail/copied_values.hpp"

#include <algorithm>

namespace syncline::sqlite {
namespace {

std::string type_of(const Column& column, std::span<const ColumnChange> changes) {
  const auto found = std::find_if(changes.begin(), changes.end(), [&](const ColumnChange& change) {
    return sqlite3_stricmp(change.column.c_str(), column.name.c_str()) == 0;
  });
  return found == changes.end() ? std::string() : found->type;
}

std::string of_row(const Column& column) {
  return "t." + quoted(column.name);
}

bool becomes_text(const Column& column, const std::string& type) {
  return !type.empty() && affinity_of(type) == Affinity::kText &&
         column.affinity != Affinity::kText;
}

bool becomes_number(const Column& column, const std::string& type) {
  if (type.empty() || column.affinity != Affinity::kText) return false;
  return affinity_of(type) == Affinity::kReal ||
         (affinity_of(type) == Affinity::kNumeric &&
          logical_type_of(type).kind == model::TypeKind::kDecimal);
}

bool becomes_bytes(const Column& column, const std::string& type) {
  return type == "BLOB" && column.affinity == Affinity::kText;
}

// A STRICT table's bytes, which its TEXT would refuse.
bool becomes_letters(const Column& column, const std::string& type) {
  return type == "TEXT" && sqlite3_stricmp(column.declared_type.c_str(), "BLOB") == 0;
}

// SQLite's own conversion writes 15 digits, and large numbers with an exponent.
std::string digits(const std::string& value, const std::string& type) {
  const model::LogicalType logical = logical_type_of(type);
  if (logical.kind == model::TypeKind::kDecimal && logical.precision > 0) {
    const std::string text = "printf('%!." + std::to_string(logical.scale) + "f', " + value + ")";
    return logical.scale > 0 ? text : "rtrim(rtrim(" + text + ", '0'), '.')";
  }
  const std::string brief = "printf('%!.15g', " + value + ")";
  return "CASE WHEN CAST(" + brief + " AS REAL) = " + value + " THEN " + brief +
         " ELSE printf('%!.17g', " + value + ") END";
}

}  // namespace

std::string copied_value(const Column& column, std::span<const ColumnChange> changes) {
  const std::string type = type_of(column, changes);
  const std::string value = of_row(column);
  if (becomes_letters(column, type)) {
    return "CASE typeof(" + value + ") WHEN 'blob' THEN CAST(" + value + " AS TEXT) ELSE " + value +
           " END";
  }
  if (becomes_text(column, type)) {
    return "CASE typeof(" + value + ") WHEN 'real' THEN " + digits(value, type) + " ELSE " + value +
           " END";
  }
  return becomes_bytes(column, type) ? "CAST(" + value + " AS BLOB)" : value;
}

std::string survives(const Column& column, std::span<const ColumnChange> changes,
                     Encoding encoding) {
  const std::string type = type_of(column, changes);
  const std::string value = of_row(column);
  // Bytes would be taken for UTF-16, or made so, and no function of SQLite's says others.
  const bool is_wide = encoding == Encoding::kUtf16;
  if (is_wide && becomes_bytes(column, type)) return "typeof(" + value + ") <> 'text'";
  if (becomes_letters(column, type)) {
    const std::string is_no_blob = "typeof(" + value + ") <> 'blob'";
    return is_wide ? is_no_blob : is_no_blob + " OR instr(" + value + ", x'00') = 0";
  }
  if (becomes_text(column, type)) {
    const std::string text = digits(value, type);
    return "typeof(" + value + ") <> 'real' OR (CAST(" + text + " AS REAL) = " + value +
           " AND instr(" + text + ", 'e') = 0)";
  }
  if (!becomes_number(column, type)) return {};
  // Fifteen digits are exact in a double.
  return "typeof(" + value + ") <> 'text' OR CAST(CAST(" + value + " AS REAL) AS TEXT) = " + value +
         " OR (length(" + value + ") <= 15 AND " + value + " NOT GLOB '*[^-+.0-9]*' AND " + value +
         " GLOB '*[0-9]*')";
}

}  // namespace syncline::sqlite
