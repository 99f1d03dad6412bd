#include "drivers/systems/sqlite/detail/rebuild.hpp"

#include "drivers/systems/sqlite/detail/copied_values.hpp"
#include "drivers/systems/sqlite/detail/numbering.hpp"
#include "drivers/systems/sqlite/detail/objects.hpp"

namespace syncline::sqlite {
namespace {

constexpr const char* kCountViolations =
    "CREATE TEMP TABLE syncline_before AS SELECT count(*) AS violations FROM "
    "pragma_foreign_key_check; ";
constexpr const char* kNoMoreViolations =
    "(SELECT count(*) FROM pragma_foreign_key_check) <= (SELECT violations FROM "
    "temp.syncline_before)";

std::string of_users(const Table& table) {
  return " FROM main.sqlite_master WHERE tbl_name = " + literal(table.name) +
         " AND sql IS NOT NULL AND NOT (" + kIsTriggerOfOurs + ")";
}

// Plain SQL cannot ask: a CHECK can, and its name is what the error says. Nothing of the script
// has happened then.
std::string guard_sql(const std::string& otherwise, const std::string& condition) {
  return "CREATE TEMP TABLE syncline_guard(is_so CONSTRAINT " + quoted(otherwise) +
         " CHECK (is_so IS TRUE)); INSERT OR ROLLBACK INTO temp.syncline_guard SELECT " +
         condition + "; DROP TABLE temp.syncline_guard; ";
}

// The table, its indexes and its triggers are word for word what they were, and no more.
Result<std::string> as_planned(Connection& connection, const Table& table) {
  SYN_TRY(Statement rows, connection.prepare("SELECT type, name, sql" + of_users(table)));
  std::string objects;
  size_t count = 0;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) break;
    objects += (count++ == 0 ? "(" : ", (") + literal(rows.text(0)) + ", " + literal(rows.text(1)) +
               ", " + literal(rows.text(2)) + ")";
  }
  const std::string counted = "(SELECT count(*)" + of_users(table);
  const std::string are_all = ") = " + std::to_string(count);
  return guard_sql(table.name + " is not as it was: ask `syncline plan` again",
                   counted + are_all + " AND " + counted + " AND (type, name, sql) IN (VALUES " +
                       objects + ")" + are_all);
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

// AUTOINCREMENT goes on from where it is when the script runs.
std::string counter_sql(const Table& table, const std::string& name) {
  const std::string before = " FROM main.sqlite_sequence WHERE name = " + literal(table.name);
  return "DELETE FROM main.sqlite_sequence WHERE name = " + literal(name) +
         " AND EXISTS (SELECT 1" + before +
         "); INSERT INTO main.sqlite_sequence(name, seq) SELECT " + literal(name) + ", seq" +
         before + "; ";
}

// Rows go over one by one: the table's own ON CONFLICT clauses would drop some in silence.
Result<std::string> copy_sql(Connection& connection, const Table& table, const std::string& name,
                             const Rebuild& rebuild) {
  SYN_TRY(std::string columns, rowid_of(connection, table));
  SYN_TRY(const std::string encoding, connection.query_text("PRAGMA encoding"));
  const Encoding texts = encoding == "UTF-8" ? Encoding::kUtf8 : Encoding::kUtf16;
  std::string values = columns.empty() ? "" : "t." + columns;
  const std::string from = " FROM main." + quoted(table.name) + " AS t";
  std::string guards;
  for (const Column& column : table.columns) {
    if (column.is_generated) continue;
    const char* comma = columns.empty() ? "" : ", ";
    columns.append(comma).append(quoted(column.name));
    values.append(comma).append(copied_value(column, rebuild.changes));
    const std::string condition = survives(column, rebuild.changes, texts);
    if (condition.empty()) continue;
    std::string lost = "NOT EXISTS (SELECT 1";
    lost.append(from).append(" WHERE NOT (").append(condition).append("))");
    guards +=
        guard_sql("a value of " + column.name + " would not be the same in the new type", lost);
  }
  return guards + "INSERT OR ROLLBACK INTO main." + quoted(name) + "(" + columns + ") SELECT " +
         values + from + "; " +
         guard_sql(
             "not all rows of " + table.name + " were copied",
             "(SELECT count(*) FROM main." + quoted(name) + ") = (SELECT count(*)" + from + ")");
}

// Indexes and triggers as they were made, in their order.
Result<std::string> objects_sql(Connection& connection, const Table& table) {
  SYN_TRY(Statement rows,
          connection.prepare("SELECT sql" + of_users(table) +
                             " AND type IN ('index', 'trigger') ORDER BY type, rowid"));
  std::string sql;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return sql;
    sql.append(ended(in_main(rows.text(0))));
  }
}

// A key's index that names collations of its own does not follow the column's.
Result<bool> has_own_collation(Connection& connection, const Table& table,
                               const ColumnChange& change) {
  if (change.collation.empty()) return false;
  if (has_key_collation(table.sql)) return true;
  SYN_TRY(Statement rows,
          connection.prepare(
              "SELECT s.sql FROM pragma_index_list(" + literal(table.name) +
              ") l JOIN main.sqlite_master s ON s.name = l.name AND s.type = 'index' WHERE "
              "l.\"unique\" = 1 AND s.sql IS NOT NULL AND EXISTS (SELECT 1 FROM "
              "pragma_index_info(l.name) i WHERE i.name = " +
              literal(change.column) + " COLLATE NOCASE)"));
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return false;
    if (has_word(rows.text(0), "COLLATE")) return true;
  }
}

Result<bool> is_mended_so(Connection& connection, const Table& table, const Rebuild& rebuild) {
  for (const ColumnChange& change : rebuild.changes) {
    SYN_TRY(const bool is_own, has_own_collation(connection, table, change));
    if (is_own) return false;
  }
  return true;
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
  SYN_TRY(const bool is_mended, is_mended_so(connection, table, rebuild));
  if (!is_mended) {
    return in_words(table, rebuild) + ", and without the COLLATE in its keys and unique indexes";
  }
  SYN_TRY(const std::string guard, as_planned(connection, table));
  SYN_TRY(const std::string name, free_name(connection, table));
  const std::string create = create_changed(table.sql, name, rebuild.changes);
  if (create.empty() || !connection.prepare(create)) return in_words(table, rebuild);
  SYN_TRY(const std::string copy, copy_sql(connection, table, name, rebuild));
  SYN_TRY(const std::string objects, objects_sql(connection, table));
  const std::string legacy = "PRAGMA legacy_alter_table = ";
  const std::string counter =
      has_word(create, "AUTOINCREMENT") ? counter_sql(table, name) : std::string();
  return "PRAGMA busy_timeout = 5000; PRAGMA foreign_keys = OFF; " + legacy +
         "ON; BEGIN IMMEDIATE; " + guard + kCountViolations + rebuild.before + ended(create) +
         copy + counter + "DROP TABLE main." + quoted(table.name) + "; ALTER TABLE main." +
         quoted(name) + " RENAME TO " + quoted(table.name) + "; " + objects + rebuild.after +
         guard_sql("rows would refer to records that are not there", kNoMoreViolations) +
         "DROP TABLE temp.syncline_before; COMMIT; " + legacy +
         "OFF;\n-- in a shell of its own: foreign keys stay off in it";
}

}  // namespace syncline::sqlite
