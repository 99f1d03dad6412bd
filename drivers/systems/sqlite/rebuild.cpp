#include "drivers/systems/sqlite/detail/rebuild.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/numbering.hpp"

namespace syncline::sqlite {
namespace {

std::string of_users(const Table& table) {
  return " FROM main.sqlite_master WHERE tbl_name = " + literal(table.name) +
         " AND name NOT LIKE 'syncline\\_%' ESCAPE '\\'";
}

// How many objects the table has, and how long their texts are.
constexpr const char* kObjects = "SELECT count(*) || ' ' || sum(length(sql))";

// Plain SQL cannot ask: a CHECK can, and its name is what the error says.
Result<std::string> guard_sql(Connection& connection, const Table& table) {
  SYN_TRY(const std::string objects, connection.query_text(kObjects + of_users(table)));
  return "CREATE TEMP TABLE syncline_as_planned(is_so CONSTRAINT " +
         quoted(table.name + " is not as it was: ask `syncline plan` again") +
         " CHECK (is_so)); INSERT INTO temp.syncline_as_planned SELECT (" + kObjects +
         of_users(table) + ") IS " + literal(objects) + "; DROP TABLE temp.syncline_as_planned; ";
}

Result<std::string> free_name(Connection& connection, const Table& table) {
  std::string name = table.name + "_anew";
  while (true) {
    SYN_TRY(const int64_t count,
            connection.query_integer("SELECT count(*) FROM main.sqlite_master WHERE name = " +
                                     literal(name) + " COLLATE NOCASE"));
    if (count == 0) return name;
    name += '_';
  }
}

// The name that the number of a row goes by where no column is it; empty: there is none to keep.
Result<std::string> rowid_of(Connection& connection, const Table& table) {
  if (table.is_without_rowid) return std::string();
  for (const Column& column : table.columns) {
    SYN_TRY(const bool is_rowid, is_numbered(connection, table, column));
    if (is_rowid) return std::string();
  }
  for (const char* name : {"rowid", "_rowid_", "oid"}) {
    if (table.find(name) == nullptr) return std::string(name);
  }
  return std::string();
}

Result<std::string> copy_sql(Connection& connection, const Table& table, const std::string& name) {
  SYN_TRY(std::string columns, rowid_of(connection, table));
  for (const Column& column : table.columns) {
    if (!column.is_generated) columns += (columns.empty() ? "" : ", ") + quoted(column.name);
  }
  std::string sql = "INSERT INTO " + quoted(name) + "(" + columns + ") SELECT " + columns +
                    " FROM " + quoted(table.name) + "; ";
  SYN_TRY(const int64_t sequence_count,
          connection.query_integer(
              "SELECT count(*) FROM main.sqlite_master WHERE name = 'sqlite_sequence'"));
  if (sequence_count == 0) return sql;
  SYN_TRY(const int64_t is_counted,
          connection.query_integer("SELECT count(*) FROM sqlite_sequence WHERE name = " +
                                   literal(table.name)));
  if (is_counted == 0) return sql;
  return sql + "DELETE FROM sqlite_sequence WHERE name = " + literal(name) +
         "; INSERT INTO sqlite_sequence(name, seq) SELECT " + literal(name) +
         ", seq FROM sqlite_sequence WHERE name = " + literal(table.name) + "; ";
}

// Indexes and triggers as they were made, in their order.
Result<std::string> objects_sql(Connection& connection, const Table& table) {
  SYN_TRY(Statement rows, connection.prepare("SELECT sql" + of_users(table) +
                                             " AND type IN ('index', 'trigger') AND sql IS NOT "
                                             "NULL ORDER BY type, rowid"));
  std::string sql;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return sql;
    sql.append(rows.text(0)).append("; ");
  }
}

std::string in_words(const Table& table, const Rebuild& rebuild) {
  std::string words;
  for (const ColumnChange& change : rebuild.changes) {
    words += (words.empty() ? "" : ", ") + quoted(change.column);
    if (!change.type.empty()) words += " " + change.type;
    if (!change.collation.empty()) words += " COLLATE " + change.collation;
    if (change.null == ColumnChange::Null::kRefused) words += " NOT NULL";
    if (change.null == ColumnChange::Null::kAllowed) words += " without NOT NULL";
    if (change.numbers == ColumnChange::Numbers::kNeverTwice) words += " AUTOINCREMENT";
  }
  return "-- make table " + quoted(table.name) + " anew with " + words;
}

}  // namespace

Result<std::string> rebuild_sql(Connection& connection, const Table& table,
                                const Rebuild& rebuild) {
  SYN_TRY(const std::string guard, guard_sql(connection, table));
  SYN_TRY(const std::string name, free_name(connection, table));
  const std::string create = create_changed(table.sql, name, rebuild.changes);
  if (create.empty() || !connection.prepare(create)) return in_words(table, rebuild);
  SYN_TRY(const std::string copy, copy_sql(connection, table, name));
  SYN_TRY(const std::string objects, objects_sql(connection, table));
  const std::string legacy = "PRAGMA legacy_alter_table = ";
  return "PRAGMA foreign_keys = OFF; " + legacy + "ON; BEGIN IMMEDIATE; " + guard + rebuild.before +
         create + "; " + copy + "DROP TABLE " + quoted(table.name) + "; ALTER TABLE " +
         quoted(name) + " RENAME TO " + quoted(table.name) + "; " + objects + rebuild.after +
         "PRAGMA foreign_key_check; COMMIT; " + legacy + "OFF;";
}

}  // namespace syncline::sqlite
