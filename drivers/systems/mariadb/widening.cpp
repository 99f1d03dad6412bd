// What columns hold, and the ALTER TABLE after which one holds more.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "drivers/systems/mariadb/mariadb.hpp"

namespace syncline::mariadb {
namespace {

using model::Extent, model::LogicalType, model::TypeKind;

constexpr uint64_t kIndexBytesMax = 3072;
constexpr uint64_t kCharacterBytesMax = 4;
constexpr uint64_t kDecimalDigitsMax = 65;
constexpr uint64_t kScaleMax = 30;  // MySQL's, too
constexpr uint32_t kCharMax = 255;

struct IntegerName {
  std::string_view name;
  unsigned bits;
};
constexpr std::array kIntegers = {IntegerName{"tinyint", 8}, IntegerName{"smallint", 16},
                                  IntegerName{"mediumint", 24}, IntegerName{"int", 32},
                                  IntegerName{"bigint", 64}};

struct LargeName {
  std::string_view text;
  std::string_view bytes;
  uint64_t size_bytes_max;
};
// The largest hold more than any other system's do.
constexpr std::array kLarge = {LargeName{"tinytext", "tinyblob", 255},
                               LargeName{"text", "blob", 65'535},
                               LargeName{"mediumtext", "mediumblob", 16'777'215}};

struct Range {
  int64_t least;
  uint64_t most;
};

Range range_of(unsigned bits, bool is_unsigned) {
  const uint64_t all = ~uint64_t{0} >> (64 - bits);
  if (is_unsigned) return {0, all};
  return {-static_cast<int64_t>(all >> 1) - 1, all >> 1};
}

// "varbinary(40)": 40.
uint64_t number_in(std::string_view type) {
  uint64_t number = 0;
  const size_t at = std::min(type.find('('), type.size() - 1) + 1;
  std::from_chars(type.data() + at, type.data() + type.size(), number);
  return number;
}

std::string sized(std::string_view name, uint64_t size) {
  return std::string(name) + "(" + std::to_string(size) + ")";
}

std::string integer_type(const Extent& wanted, const std::string& now) {
  const bool is_unsigned = wanted.least >= 0;
  for (const IntegerName& known : kIntegers) {
    const Range range = range_of(known.bits, is_unsigned);
    if (range.least > wanted.least || range.most < wanted.most) continue;
    const bool is_filled = is_unsigned && now.ends_with(" zerofill");
    return std::string(known.name) + (is_unsigned ? " unsigned" : "") +
           (is_filled ? " zerofill" : "");
  }
  return "";
}

// Of numbers with any count of digits: as many as there can be.
std::string decimal_type(const LogicalType& wanted, const Column& column) {
  const uint64_t whole_now = column.type.precision - column.type.scale;
  uint64_t precision = wanted.precision;
  uint64_t scale = wanted.scale;
  if (precision == 0 || precision > kDecimalDigitsMax || scale > kScaleMax) {
    precision = kDecimalDigitsMax;
    scale = std::min(kScaleMax, kDecimalDigitsMax - whole_now);
  }
  return "decimal(" + std::to_string(precision) + "," + std::to_string(scale) + ")" +
         (column.type.is_unsigned ? " unsigned" : "");
}

std::string large_type(uint64_t size_bytes, bool is_text) {
  for (const LargeName& known : kLarge) {
    if (size_bytes == 0 || size_bytes > known.size_bytes_max) continue;
    return std::string(is_text ? known.text : known.bytes);
  }
  return is_text ? "longtext" : "longblob";
}

struct Indexed {
  std::string index;
  std::string column;
  bool is_whole = true;     // not the first characters alone
  uint64_t size_bytes = 0;  // of an entry
};

// What is asked of a table once, for all its columns.
struct Asked {
  Table table;
  std::string created;  // SHOW CREATE TABLE
  std::vector<Indexed> indexed;
};

Result<std::vector<Indexed>> read_indexed(Connection& connection, const std::string& table) {
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT s.INDEX_NAME, s.COLUMN_NAME, s.SUB_PART IS NULL, COALESCE(s.SUB_PART * 4, "
              "c.CHARACTER_OCTET_LENGTH, 16) FROM information_schema.STATISTICS s JOIN "
              "information_schema.COLUMNS c ON c.TABLE_SCHEMA = s.TABLE_SCHEMA AND c.TABLE_NAME = "
              "s.TABLE_NAME AND c.COLUMN_NAME = s.COLUMN_NAME WHERE s.TABLE_SCHEMA = DATABASE() "
              "AND s.TABLE_NAME = " +
              literal(table)));
  std::vector<Indexed> indexed;
  while (rows.next()) {
    indexed.push_back({std::string(rows.text(0)), std::string(rows.text(1)), rows.integer(2) != 0,
                       static_cast<uint64_t>(rows.integer(3))});
  }
  return indexed;
}

// The bytes that its indexes leave it; nothing where none has it whole.
std::optional<uint64_t> room_of(std::span<const Indexed> indexed, const Column& column) {
  std::optional<uint64_t> room;
  for (const Indexed& one : indexed) {
    if (one.column != column.name || !one.is_whole) continue;
    uint64_t taken = 0;
    for (const Indexed& other : indexed) {
      if (other.index == one.index && other.column != one.column) taken += other.size_bytes;
    }
    const uint64_t left = kIndexBytesMax - std::min(kIndexBytesMax, taken);
    room = std::min(room.value_or(left), left);
  }
  return room;
}

uint64_t character_bytes(const Column& column) {
  if (column.type.charset == "latin1" || column.type.charset == "ascii") return 1;
  return column.type.charset == "utf8mb3" || column.type.charset == "utf8" ? 3 : kCharacterBytesMax;
}

// room: in bytes.
std::string text_type(const Extent& wanted, const Column& column, std::optional<uint64_t> room) {
  uint64_t length = wanted.type.length;
  if (room) {
    const uint64_t most = *room / character_bytes(column);
    length = length == 0 ? most : std::min(length, most);
    if (length <= column.type.length) return "";
  }
  if (length == 0) return large_type(wanted.size_bytes_max, true);
  const bool is_char = column.type.category == Category::kChar && length <= kCharMax;
  return sized(is_char ? "char" : "varchar", length);
}

std::string bytes_type(const Extent& wanted, const Column& column, std::optional<uint64_t> room) {
  if (!room) return large_type(wanted.size_bytes_max, false);
  const uint64_t now = number_in(column.type.name);
  const uint64_t size = wanted.size_bytes_max == 0 ? *room : std::min(wanted.size_bytes_max, *room);
  return size > now ? sized("varbinary", size) : "";
}

std::string type_for(const Asked& asked, const Column& column, const Extent& wanted) {
  switch (wanted.type.kind) {
    case TypeKind::kInt64:
    case TypeKind::kUint64:
      return integer_type(wanted, column.type.name);
    case TypeKind::kDecimal:
      return decimal_type(wanted.type, column);
    case TypeKind::kFloat32:
      return "float";
    case TypeKind::kFloat64:
      return "double";
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
    case TypeKind::kTime: {
      const std::string& now = column.type.name;
      return sized(now.substr(0, now.find('(')), wanted.type.precision);
    }
    case TypeKind::kText:
    case TypeKind::kChar:
      return text_type(wanted, column, room_of(asked.indexed, column));
    case TypeKind::kBytes:
      return bytes_type(wanted, column, room_of(asked.indexed, column));
    default:
      return "";
  }
}

// Of the whole database: the catalog is slow to ask, and columns are many.
class Widener {
 public:
  explicit Widener(Connection& connection) : connection_(connection) {}

  Result<std::string> widen(const ports::Widening& wanted) {
    SYN_TRY(const Asked* asked, ask(wanted.table));
    const Column* column = asked == nullptr ? nullptr : asked->table.find(wanted.column);
    if (column == nullptr) return std::string();
    const std::string type = type_for(*asked, *column, wanted.wanted);
    if (type.empty() || type == column->type.name) return std::string();
    const std::string declared = declaration_of(asked->created, *column);
    SYN_TRY(const std::string keys, holding_keys(wanted.table, wanted.column));
    return "ALTER TABLE " + quoted_name(wanted.table) + " " +
           modify_sql(wanted.column, with_type(declared, type)) + ";" +
           (keys.empty() ? ""
                         : " -- when the foreign keys " + keys +
                               " are dropped; widen their other columns too, and add them again");
  }

 private:
  using ColumnName = std::pair<std::string, std::string>;  // of a table
  using Holding = std::map<ColumnName, std::set<std::string>>;

  Result<const Asked*> ask(const std::string& name) {
    const auto known = tables_.find(name);
    if (known != tables_.end()) return known->second.get();
    SYN_TRY(auto read, read_tables(connection_, name));
    std::unique_ptr<Asked>& asked = tables_[name];
    if (read.empty()) return asked.get();
    SYN_TRY(std::string created, read_created(connection_, name));
    SYN_TRY(auto indexed, read_indexed(connection_, name));
    asked = std::make_unique<Asked>(
        Asked{std::move(read.front()), std::move(created), std::move(indexed)});
    return asked.get();
  }

  // The foreign keys that hold its type to another column's.
  Result<std::string> holding_keys(const std::string& table, const std::string& column) {
    if (!holding_) {
      SYN_TRY(holding_, read_holding());
    }
    std::string names;
    const auto found = holding_->find({table, column});
    if (found == holding_->end()) return names;
    for (const std::string& name : found->second) names += (names.empty() ? "" : ", ") + name;
    return names;
  }

  Result<Holding> read_holding() {
    SYN_TRY(Answer rows, connection_.query(
                             "SELECT CONSTRAINT_NAME, TABLE_NAME, COLUMN_NAME, "
                             "REFERENCED_TABLE_NAME, REFERENCED_COLUMN_NAME, TABLE_SCHEMA = "
                             "DATABASE(), REFERENCED_TABLE_SCHEMA = DATABASE() FROM "
                             "information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_NAME IS "
                             "NOT NULL AND DATABASE() IN (TABLE_SCHEMA, REFERENCED_TABLE_SCHEMA)"));
    Holding holding;
    while (rows.next()) {
      const std::string name(rows.text(0));
      const auto add = [&](size_t at) {
        holding[{std::string(rows.text(at)), std::string(rows.text(at + 1))}].insert(name);
      };
      if (rows.integer(5) != 0) add(1);
      if (rows.integer(6) != 0) add(3);
    }
    return holding;
  }

  Connection& connection_;
  std::map<std::string, std::unique_ptr<Asked>> tables_;  // null: it is not there
  std::optional<Holding> holding_;
};

std::string new_text(uint32_t length) {
  const bool is_short = length > 0 && length * kCharacterBytesMax <= kIndexBytesMax;
  return (is_short ? sized("varchar", length) : "longtext") + " CHARACTER SET utf8mb4";
}

bool is_decimal_here(const LogicalType& type) {
  return type.precision > 0 && type.precision <= kDecimalDigitsMax && type.scale <= kScaleMax;
}

}  // namespace

std::string new_column_type(const LogicalType& type) {
  switch (type.kind) {
    case TypeKind::kBool:
      return "boolean";
    case TypeKind::kInt64:
      return "bigint";
    case TypeKind::kUint64:
      return "bigint unsigned";
    case TypeKind::kDecimal:
      if (!is_decimal_here(type)) return new_text(0);
      return "decimal(" + std::to_string(type.precision) + "," + std::to_string(type.scale) + ")";
    case TypeKind::kFloat32:
      return "float";
    case TypeKind::kFloat64:
      return "double";
    case TypeKind::kChar:
      if (type.length == 0 || type.length > kCharMax) return new_text(type.length);
      return sized("char", type.length) + " CHARACTER SET utf8mb4";
    case TypeKind::kBytes:
      return type.length > 0 && type.length <= kCharMax ? sized("binary", type.length) : "longblob";
    case TypeKind::kSpatial:
      return "longblob";
    case TypeKind::kBit:
      return sized("bit", type.length);
    case TypeKind::kDatetime:
    case TypeKind::kTime:
      return sized(model::kind_name(type.kind), type.precision);
    case TypeKind::kTimestamp:
      return sized("timestamp", type.precision) + " NULL";
    case TypeKind::kDate:
    case TypeKind::kYear:
    case TypeKind::kJson:
      return std::string(model::kind_name(type.kind));
    default:  // as texts, which hold what they are
      return new_text(type.kind == TypeKind::kText ? type.length : 0);
  }
}

Extent extent_of(const ports::ColumnInfo& column) {
  Extent extent{.type = column.type};
  const std::string_view declared = column.native_type;
  const std::string_view name = declared.substr(0, declared.find_first_of("( "));
  for (const IntegerName& known : kIntegers) {
    if (known.name != name) continue;
    const Range range = range_of(known.bits, declared.find("unsigned") != std::string_view::npos);
    extent.least = range.least;
    extent.most = range.most;
  }
  for (const LargeName& known : kLarge) {
    if (known.text == name || known.bytes == name) extent.size_bytes_max = known.size_bytes_max;
  }
  if (name == "varbinary") extent.size_bytes_max = number_in(declared);
  const bool is_real =
      column.type.kind == TypeKind::kFloat32 || column.type.kind == TypeKind::kFloat64;
  if (const size_t comma = declared.find(','); is_real && comma != std::string_view::npos) {
    int16_t digits = 0;
    std::from_chars(declared.data() + comma + 1, declared.data() + declared.size(), digits);
    extent.fraction_digits = digits;
  }
  return extent;
}

Result<std::vector<std::string>> widening_sql(const ports::SystemConfig& config,
                                              std::span<const ports::Widening> columns) {
  SYN_TRY(const Endpoint endpoint, parse_endpoint(config.name, config.url));
  SYN_TRY(auto connection,
          Connection::open({config.name, endpoint, config.password}, Purpose::kSql));
  Widener widener(*connection);
  std::vector<std::string> statements;
  for (const ports::Widening& column : columns) {
    SYN_TRY(statements.emplace_back(), widener.widen(column));
  }
  return statements;
}

}  // namespace syncline::mariadb
