#include "drivers/systems/postgres/detail/made_up.hpp"

#include <algorithm>

namespace syncline::postgres {
namespace {

constexpr uint32_t kFreeTextSize = 12;

// Of two lengths of which 0 is any.
uint32_t shorter(uint32_t one, uint32_t other) {
  return one == 0 || other == 0 ? std::max(one, other) : std::min(one, other);
}

// Signs that texts seldom consist of.
std::string free_text(uint32_t length) {
  std::string sql = "''";
  for (uint32_t i = 0; i < kFreeTextSize && (i < length || length == 0); ++i) {
    sql += " || chr(33 + floor(random() * 15)::int)";
  }
  return sql;
}

// One below zero; empty: it is none.
std::string free_integer(const Column& column) {
  if (column.type.category != Category::kInteger) return {};
  const bool is_short = column.type.name == "smallint";
  return "-(1 + floor(random() * " + std::string(is_short ? "32767" : "2147483647") + "))::int";
}

bool holds_text(const Column& column) {
  const Category category = column.type.category;
  return category == Category::kText || category == Category::kName ||
         category == Category::kVarchar || category == Category::kChar;
}

// Of a type that has a form of its own, also where the column keeps it as text: the first centuries
// are seldom spoken of. Empty: it is none of these.
std::string free_formed(const Column& column, model::TypeKind kind) {
  const std::string some_time = "floor(random() * 25e9) * interval '1 second'";
  const bool is_moment =
      column.type.category == Category::kDatetime || column.type.category == Category::kTimestamp;
  std::string sql;
  switch (kind) {
    case model::TypeKind::kUuid:
      if (column.type.category == Category::kUuid || holds_text(column)) {
        sql = "md5(random()::text || random()::text)::uuid";
      }
      break;
    case model::TypeKind::kDate:
      if (column.type.category == Category::kDate || is_moment || holds_text(column)) {
        sql = "(date '0100-01-01' + floor(random() * 300000)::int)";
      }
      break;
    case model::TypeKind::kDatetime:
      if (is_moment || holds_text(column)) sql = "(timestamp '0100-01-01' + " + some_time + ")";
      break;
    case model::TypeKind::kTimestamp:
      if (is_moment || holds_text(column)) {
        sql = "(timestamptz '0100-01-01 00:00:00Z' + " + some_time + ")";
      }
      break;
    default:
      break;
  }
  return sql.empty() || !holds_text(column) ? sql : sql + "::text";
}

}  // namespace

std::string free_value(const Mapped& mapped, model::FieldIndex field) {
  const Column& column = mapped.columns[field];
  if (column.is_nullable) return "NULL";
  if (column.type.is_array) return {};
  const model::LogicalType& type = mapped.schema->fields[field].type;
  switch (type.kind) {
    case model::TypeKind::kText:
    case model::TypeKind::kChar:
      if (!holds_text(column)) return free_integer(column);
      return free_text(shorter(logical_type_of(column.type).length, type.length));
    case model::TypeKind::kInt64:
    case model::TypeKind::kDecimal:
      return free_integer(column);
    default:
      return free_formed(column, type.kind);
  }
}

}  // namespace syncline::postgres
