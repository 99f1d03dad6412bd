#include "host/app/systems.hpp"

#include <algorithm>

#include "drivers/systems/mariadb/mariadb.hpp"
#include "drivers/systems/postgres/postgres.hpp"
#include "drivers/systems/sqlite/sqlite.hpp"

namespace syncline::app {
namespace {

// SQLite cannot keep a user's triggers from firing on our writes, and cascades show in its log.
config::SystemKind sqlite_offer() {
  return {"sqlite", {"log", "scan"}, {"fire", "guarded"}, {"derive"}, false};
}

// What cascades write shows in its log, and our writes run none where that right is granted.
config::SystemKind postgres_offer() {
  return {"postgres",
          {"log", "scan", "poll"},
          {"suppress", "fire", "guarded"},
          {"derive"},
          true,
          ports::kWriteConnectionsMax,
          true};
}

// Triggers fire for our writes, which a dataset must accept; what cascades write is in no log, and
// is made up where it is asked for.
config::SystemKind mariadb_offer() {
  return {"mariadb",
          {"log", "scan", "poll"},
          {"suppress", "fire", "guarded"},
          {"refuse", "derive"},
          false,
          ports::kWriteConnectionsMax,
          true};
}

template <class Column>
std::vector<std::string> names_in(std::span<const Column* const> columns) {
  std::vector<std::string> names;
  names.reserve(columns.size());
  for (const Column* column : columns) names.push_back(column->name);
  return names;
}

std::string sql_or_error(const Result<std::string>& sql) {
  return sql ? sql.value() : to_string(sql.error());
}

std::string sqlite_finer_key(const ports::SystemConfig& config, const std::string& table,
                             std::span<const ports::ColumnInfo* const> columns) {
  return sql_or_error(sqlite::finer_key_sql(config, table, names_in(columns)));
}

std::string sqlite_make_key(const ports::SystemConfig& config, const std::string& table,
                            std::span<const config::ColumnShape* const> columns) {
  return sql_or_error(sqlite::make_key_sql(config, table, names_in(columns)));
}

// Where the column says all that its statement needs.
template <std::string (*kFinerKey)(const std::string&, const ports::ColumnInfo&)>
std::string finer_keys(const ports::SystemConfig& /*config*/, const std::string& table,
                       std::span<const ports::ColumnInfo* const> columns) {
  std::string sql;
  for (const ports::ColumnInfo* column : columns) {
    sql += (sql.empty() ? "" : " ") + kFinerKey(table, *column);
  }
  return sql;
}

// The type stays, with its length; but citext, which folds case whatever its collation.
std::string postgres_finer_key(const std::string& table, const ports::ColumnInfo& column) {
  const ports::SqlQuotes quotes = postgres::sql_quotes();
  std::string type = "text";
  if (column.native_type == "character varying" || column.native_type == "bpchar") {
    const bool is_bounded = column.type.length > 0;
    type = column.native_type + (is_bounded ? "(" + std::to_string(column.type.length) + ")" : "");
  }
  return "ALTER TABLE " + quotes.table(table) + " ALTER COLUMN " + quotes.name(column.name) +
         " TYPE " + type + " COLLATE \"C\";";
}

// MODIFY says a column anew, and this is written without a look at the server.
constexpr const char* kAndTheRest = " /* and its DEFAULT, ON UPDATE, CHECK and COMMENT, if any */";

std::string mariadb_finer_key(const std::string& table, const ports::ColumnInfo& column) {
  const ports::SqlQuotes quotes = mariadb::sql_quotes();
  return "ALTER TABLE " + quotes.table(table) + " MODIFY " + quotes.name(column.name) + " " +
         column.native_type + " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" +
         (column.is_nullable ? "" : " NOT NULL") + kAndTheRest + ";";
}

using Columns = std::span<const config::ColumnShape* const>;

std::string names_of(Columns columns, const ports::SqlQuotes& quotes) {
  std::string names;
  for (const config::ColumnShape* column : columns) {
    names += (names.empty() ? "" : ", ") + quotes.name(column->name);
  }
  return names;
}

std::string postgres_make_key(const ports::SystemConfig& /*config*/, const std::string& table,
                              Columns columns) {
  const ports::SqlQuotes quotes = postgres::sql_quotes();
  const std::string name = quotes.table(table);
  std::string statements;
  for (const config::ColumnShape* column : columns) {
    if (!column->is_nullable) continue;
    statements +=
        "ALTER TABLE " + name + " ALTER COLUMN " + quotes.name(column->name) + " SET NOT NULL; ";
  }
  return statements + "CREATE UNIQUE INDEX ON " + name + " (" + names_of(columns, quotes) + ");";
}

std::string mariadb_make_key(const ports::SystemConfig& /*config*/, const std::string& table,
                             Columns columns) {
  const ports::SqlQuotes quotes = mariadb::sql_quotes();
  std::string changes;
  for (const config::ColumnShape* column : columns) {
    if (!column->is_nullable) continue;
    changes += "MODIFY " + quotes.name(column->name) + " " + column->declaration + " NOT NULL" +
               kAndTheRest + ", ";
  }
  return "ALTER TABLE " + quotes.table(table) + " " + changes + "ADD UNIQUE KEY (" +
         names_of(columns, quotes) + ");";
}

std::string column_sql(const ports::SqlQuotes& quotes, const std::string& table,
                       const std::string& column, const std::string& type) {
  if (type.empty()) return {};
  return "ALTER TABLE " + quotes.table(table) + " ADD COLUMN " + quotes.name(column) + " " + type +
         ";";
}

std::string sqlite_add_column(const ports::SystemConfig& config, const std::string& table,
                              const std::string& column, const model::LogicalType& type) {
  const auto declared = sqlite::new_column_type(config, table, type);
  if (!declared) return to_string(declared.error());
  return column_sql(sqlite::sql_quotes(), table, column, declared.value());
}

std::string postgres_add_column(const ports::SystemConfig& /*config*/, const std::string& table,
                                const std::string& column, const model::LogicalType& type) {
  return column_sql(postgres::sql_quotes(), table, column, postgres::new_column_type(type));
}

std::string mariadb_add_column(const ports::SystemConfig& /*config*/, const std::string& table,
                               const std::string& column, const model::LogicalType& type) {
  return column_sql(mariadb::sql_quotes(), table, column, mariadb::new_column_type(type));
}

std::string unique_sql(const std::string& index, const std::string& table,
                       const std::string& columns) {
  return "CREATE UNIQUE INDEX " + index + (index.empty() ? "ON " : " ON ") + table + " (" +
         columns + ");";
}

std::string sqlite_collation(model::KeyEquivalence equivalence) {
  switch (equivalence) {
    case model::KeyEquivalence::kAsciiCaseInsensitive:
      return "NOCASE";
    case model::KeyEquivalence::kTrailingSpaces:
      return "RTRIM";
    case model::KeyEquivalence::kBytes:
      break;
  }
  return {};
}

// An index of SQLite may compare otherwise than its columns do.
std::string sqlite_make_unique(const std::string& table,
                               std::span<const ports::ColumnInfo> columns) {
  const ports::SqlQuotes quotes = sqlite::sql_quotes();
  std::string name = table;
  std::string terms;
  for (const ports::ColumnInfo& column : columns) {
    const std::string collation = sqlite_collation(column.equivalence);
    name += "_" + column.name + (collation.empty() ? "" : "_" + collation);
    terms += (terms.empty() ? "" : ", ") + quotes.name(column.name) +
             (collation.empty() ? "" : " COLLATE " + collation);
  }
  return unique_sql("main." + quotes.name(name + "_unique"), quotes.table(table), terms);
}

// On servers the columns say how they are compared.
std::string make_unique_as_it_is(const std::string& index, const ports::SqlQuotes& quotes,
                                 const std::string& table,
                                 std::span<const ports::ColumnInfo> columns) {
  std::string terms;
  for (const ports::ColumnInfo& column : columns) {
    if (column.equivalence != model::KeyEquivalence::kBytes) return {};
    terms += (terms.empty() ? "" : ", ") + quotes.name(column.name);
  }
  return unique_sql(index, quotes.table(table), terms);
}

std::string postgres_make_unique(const std::string& table,
                                 std::span<const ports::ColumnInfo> columns) {
  return make_unique_as_it_is("", postgres::sql_quotes(), table, columns);
}

std::string mariadb_make_unique(const std::string& table,
                                std::span<const ports::ColumnInfo> columns) {
  std::string name;
  for (const ports::ColumnInfo& column : columns) name += column.name + "_";
  const ports::SqlQuotes quotes = mariadb::sql_quotes();
  return make_unique_as_it_is(quotes.name(name + "unique"), quotes, table, columns);
}

// Of lengths and ranges it knows none.
model::Extent sqlite_extent_of(const ports::ColumnInfo& column) {
  return {.type = column.type, .is_kept_to = false};
}

}  // namespace

const SystemRow* find_system_row(std::string_view kind) {
  const auto row = std::ranges::find(system_table(), kind, &SystemRow::kind);
  return row == system_table().end() ? nullptr : &*row;
}

const std::vector<SystemRow>& system_table() {
  static const std::vector<SystemRow> kTable = {
      {"sqlite",
       {"sqlite"},
       sqlite::make_sqlite,
       sqlite_offer,
       sqlite::sql_quotes,
       sqlite_finer_key,
       sqlite_make_key,
       sqlite_add_column,
       sqlite_make_unique,
       sqlite_extent_of,
       sqlite::widening_sql},
      {"postgres",
       {"postgres", "postgresql"},
       postgres::make_postgres,
       postgres_offer,
       postgres::sql_quotes,
       finer_keys<postgres_finer_key>,
       postgres_make_key,
       postgres_add_column,
       postgres_make_unique,
       postgres::extent_of,
       postgres::widening_sql},
      {"mariadb",
       {"mariadb", "mysql"},
       mariadb::make_mariadb,
       mariadb_offer,
       mariadb::sql_quotes,
       finer_keys<mariadb_finer_key>,
       mariadb_make_key,
       mariadb_add_column,
       mariadb_make_unique,
       mariadb::extent_of,
       mariadb::widening_sql},
  };
  return kTable;
}

Result<ports::System> make_system(const std::string& kind, const ports::SystemConfig& config,
                                  Clock& clock) {
  if (const SystemRow* row = find_system_row(kind)) return row->make(config, clock);
  std::string known;
  for (const SystemRow& row : system_table()) {
    known += (known.empty() ? "" : ", ") + std::string(row.kind);
  }
  return fail(ErrorCode::kConfigValue,
              "system '" + config.name + "' is of an unknown kind '" + kind + "'",
              "this version knows: " + known, "set `kind` to one of these");
}

}  // namespace syncline::app
