#include <algorithm>

#include "host/config/resolve.hpp"

namespace syncline::config {
namespace {

using model::LogicalType;
using model::TypeKind;

// Lengths, precisions: 0 means unbounded.
template <class T>
T smaller_bound(T a, T b) {
  if (a == 0 || b == 0) return std::max(a, b);
  return std::min(a, b);
}

bool is_text(TypeKind kind) {
  return kind == TypeKind::kText || kind == TypeKind::kChar;
}

// Types that a system without them keeps as their text.
bool is_kept_as_text(TypeKind kind) {
  switch (kind) {
    case TypeKind::kDecimal:
    case TypeKind::kDate:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kTime:
    case TypeKind::kInterval:
    case TypeKind::kUuid:
    case TypeKind::kInet:
    case TypeKind::kMacaddr:
    case TypeKind::kJson:
    case TypeKind::kEnum:
    case TypeKind::kSet:
      return true;
    default:
      return false;
  }
}

std::optional<LogicalType> coarsest_decimal(const LogicalType& a, const LogicalType& b) {
  if (a.precision == 0 || b.precision == 0) return a.precision == 0 ? b : a;
  LogicalType type = a;
  type.scale = std::min(a.scale, b.scale);
  const int whole = std::min(a.precision - a.scale, b.precision - b.scale);
  type.precision = static_cast<uint16_t>(whole + type.scale);
  return type.precision == 0 ? std::nullopt : std::optional(type);
}

std::optional<LogicalType> coarsest_of_kind(const LogicalType& a, const LogicalType& b) {
  LogicalType type = a;
  switch (a.kind) {
    case TypeKind::kDecimal:
      return coarsest_decimal(a, b);
    case TypeKind::kBytes:
    case TypeKind::kBit:  // fixed lengths: two different ones have no value in common
      if (a.length != 0 && b.length != 0 && a.length != b.length) return std::nullopt;
      type.length = std::max(a.length, b.length);
      return type;
    default:
      type.precision = std::min(a.precision, b.precision);
      type.length = smaller_bound(a.length, b.length);
      return type;
  }
}

// REQUIRES: a.kind < b.kind.
std::optional<LogicalType> coarsest_of_two(const LogicalType& a, const LogicalType& b) {
  const auto is_pair = [&](TypeKind one, TypeKind other) {
    return a.kind == one && b.kind == other;
  };
  if (is_pair(TypeKind::kBool, TypeKind::kInt64)) return a;
  if (is_pair(TypeKind::kInt64, TypeKind::kUint64)) return a;
  if (is_pair(TypeKind::kInt64, TypeKind::kYear)) return a;
  if (is_pair(TypeKind::kInt64, TypeKind::kDecimal) && b.scale == 0) return a;
  if (is_pair(TypeKind::kFloat32, TypeKind::kFloat64)) return a;
  if (is_pair(TypeKind::kText, TypeKind::kChar)) {
    LogicalType type = b;
    type.length = smaller_bound(a.length, b.length);
    return type;
  }
  if (is_pair(TypeKind::kBytes, TypeKind::kSpatial) && a.length == 0) return b;
  if (is_text(a.kind) && is_kept_as_text(b.kind)) return b;
  if (is_text(b.kind) && is_kept_as_text(a.kind)) return a;
  return std::nullopt;
}

// Of another kind for certain: an older data folder does not say it.
bool is_of_other_kind(const TableShape& a, const TableShape& b) {
  return !a.kind.empty() && !b.kind.empty() && a.kind != b.kind;
}

// What the column is among the others.
LogicalType type_among(const ColumnOf& one, std::span<const ColumnOf> all) {
  const std::optional<LogicalType>& other = one.column->may_be;
  const bool is_other = other && std::ranges::any_of(all, [&](const ColumnOf& of) {
                          return of.column->type.kind == other->kind;
                        });
  return is_other ? *other : one.column->type;
}

}  // namespace

const ColumnOf* find_not_understood(std::span<const ColumnOf> columns) {
  for (const ColumnOf& one : columns) {
    if (one.column->own_type.empty()) continue;
    for (const ColumnOf& other : columns) {
      if (is_of_other_kind(*one.table, *other.table)) return &one;
    }
  }
  return nullptr;
}

bool is_coarser(model::KeyEquivalence a, model::KeyEquivalence b) {
  using enum model::KeyEquivalence;
  // From fine to coarse; the enumeration's numbers are permanent and not in this order.
  constexpr model::KeyEquivalence kOrder[] = {kBytes, kTrailingSpaces, kAsciiCaseInsensitive};
  return std::ranges::find(kOrder, a) > std::ranges::find(kOrder, b);
}

std::optional<LogicalType> common_type(std::span<const ColumnOf> columns) {
  if (find_not_understood(columns) != nullptr) return std::nullopt;
  std::optional<LogicalType> type = type_among(columns.front(), columns);
  for (const ColumnOf& one : columns) {
    if (type) type = coarsest(*type, type_among(one, columns));
  }
  return type;
}

std::optional<LogicalType> coarsest(const LogicalType& a, const LogicalType& b) {
  if (a.kind == b.kind) return coarsest_of_kind(a, b);
  return a.kind < b.kind ? coarsest_of_two(a, b) : coarsest_of_two(b, a);
}

}  // namespace syncline::config
