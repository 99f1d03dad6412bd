// What columns hold, and the ALTER TABLE after which one holds more.
#include <algorithm>
#include <array>
#include <charconv>

#include "drivers/systems/postgres/detail/shared.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "drivers/systems/postgres/postgres.hpp"

namespace syncline::postgres {
namespace {

using model::Extent, model::LogicalType, model::TypeKind;

struct IntegerName {
  std::string_view name;
  int64_t least;
  uint64_t most;
};
constexpr std::array kIntegers = {
    IntegerName{"smallint", -32'768, 32'767},
    IntegerName{"integer", -2'147'483'648, 2'147'483'647},
    IntegerName{"bigint", std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()},
};
constexpr IntegerName kObjectNumber = {"oid", 0, 4'294'967'295};

struct ShortText {
  std::string_view name;
  uint64_t size_bytes_max;
};
constexpr std::array kShortTexts = {ShortText{"name", 63}, ShortText{"\"char\"", 1}};

// "interval(2)": 2, "numeric(5,-2)": -2; nothing where the type's name says none.
std::optional<int16_t> last_number(std::string_view type) {
  const size_t at = type.find_last_of("(,");
  int16_t number = 0;
  if (at == std::string_view::npos) return std::nullopt;
  const auto read = std::from_chars(type.data() + at + 1, type.data() + type.size(), number);
  return read.ec == std::errc() ? std::optional(number) : std::nullopt;
}

std::string sized(const std::string& name, uint64_t size) {
  return name + "(" + std::to_string(size) + ")";
}

std::string integer_type(const Extent& wanted) {
  for (const IntegerName& known : kIntegers) {
    if (known.least > wanted.least || known.most < wanted.most) continue;
    return std::string(known.name);
  }
  return "";
}

std::string timed(const std::string& name, uint16_t digits) {
  return digits == kTimeDigitsMax ? name : sized(name, digits);
}

std::string type_for(const Extent& wanted) {
  const LogicalType& type = wanted.type;
  switch (type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kUint64:
      return integer_type(wanted);
    case TypeKind::kDecimal:
      if (type.precision == 0) return "numeric";
      return "numeric(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
    case TypeKind::kFloat64:
      return "double precision";
    case TypeKind::kDatetime:
      return timed("timestamp", type.precision);
    case TypeKind::kTimestamp:
      return timed("timestamptz", type.precision);
    case TypeKind::kTime:
      return timed("time", type.precision);
    case TypeKind::kInterval:
      return timed("interval",
                   static_cast<uint16_t>(wanted.fraction_digits.value_or(kTimeDigitsMax)));
    case TypeKind::kText:
      return type.length == 0 ? "text" : sized("varchar", type.length);
    case TypeKind::kChar:
      return type.length == 0 ? "text" : sized("char", type.length);
    default:
      return "";
  }
}

// Its collation, where that is not the default; whether its type is a domain; what would have to be
// dropped before its type is another.
constexpr const char* kAround =
    "SELECT CASE WHEN l.collname <> 'default' THEN quote_ident(m.nspname) || '.' || "
    "quote_ident(l.collname) END, t.typtype = 'd', (SELECT string_agg(DISTINCT "
    "replace(pg_describe_object(d.classid, d.objid, 0), 'rule _RETURN on ', ''), ', ') FROM "
    "pg_depend d LEFT JOIN pg_attrdef e ON "
    "d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid WHERE d.refclassid = "
    "'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND (d.classid "
    "IN ('pg_rewrite'::regclass, 'pg_trigger'::regclass, 'pg_policy'::regclass) OR e.adnum <> "
    "a.attnum)) FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_collation l "
    "ON l.oid = a.attcollation LEFT JOIN pg_namespace m ON m.oid = l.collnamespace WHERE "
    "a.attrelid = $1::regclass AND a.attname = $2";

Result<std::string> widen(Connection& connection, const ports::Widening& wanted) {
  const std::string type = type_for(wanted.wanted);
  if (type.empty()) return std::string();
  const TableName name = parse_table_name(wanted.table);
  const std::string table = quoted_name(name.schema) + "." + quoted_name(name.name);
  const std::vector<Parameter> parameters = {table, wanted.column};
  SYN_TRY(const Answer row, connection.query(kAround, parameters));
  if (row.row_count() == 0) return std::string();
  std::string sql =
      "ALTER TABLE " + table + " ALTER COLUMN " + quoted_name(wanted.column) + " TYPE " + type;
  if (!row.is_null(0, 0)) sql.append(" COLLATE ").append(row.text(0, 0));
  sql += ';';
  if (row.is_true(0, 1)) sql += " -- in place of its domain";
  if (!row.is_null(0, 2)) {
    sql.append(" -- when this is dropped, to be made anew behind it: ").append(row.text(0, 2));
  }
  return sql;
}

}  // namespace

std::string new_column_type(const LogicalType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return "boolean";
    case TypeKind::kUint64:
      return "bigint";  // what they have in common
    case TypeKind::kFloat32:
      return "real";
    case TypeKind::kBytes:
    case TypeKind::kSpatial:
      return "bytea";
    case TypeKind::kBit:
      return type.length == 0 ? "bit varying" : sized("bit", type.length);
    case TypeKind::kYear:
      return "smallint";
    case TypeKind::kJson:
      return "jsonb";
    case TypeKind::kDate:
    case TypeKind::kInterval:
    case TypeKind::kUuid:
    case TypeKind::kInet:
    case TypeKind::kMacaddr:
      return std::string(model::kind_name(type.kind));
    case TypeKind::kEnum:
    case TypeKind::kSet:
      return "text";
    default:
      return type_for({.type = type});
  }
}

Extent extent_of(const ports::ColumnInfo& column) {
  Extent extent{.type = column.type};
  const auto take = [&](const IntegerName& known) {
    if (known.name != column.native_type) return;
    extent.least = known.least;
    extent.most = known.most;
  };
  std::ranges::for_each(kIntegers, take);
  take(kObjectNumber);
  for (const ShortText& known : kShortTexts) {
    if (known.name == column.native_type) extent.size_bytes_max = known.size_bytes_max;
  }
  const bool may_say_digits =
      column.type.kind == TypeKind::kInterval || column.type.kind == TypeKind::kDecimal;
  if (may_say_digits) extent.fraction_digits = last_number(column.native_type);
  return extent;
}

Result<std::vector<std::string>> widening_sql(const ports::SystemConfig& config,
                                              std::span<const ports::Widening> columns) {
  Shared shared;
  shared.config = config;
  shared.object = object_name(config.appliance, config.name);
  SYN_TRY(auto connection, Connection::open(shared.access("look"), Purpose::kSql));
  std::vector<std::string> statements;
  for (const ports::Widening& column : columns) {
    SYN_TRY(statements.emplace_back(), widen(*connection, column));
  }
  return statements;
}

}  // namespace syncline::postgres
