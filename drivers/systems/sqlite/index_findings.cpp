#include "drivers/systems/sqlite/detail/index_findings.hpp"

#include "drivers/systems/sqlite/detail/table_reads.hpp"
#include "drivers/systems/sqlite/detail/table_text.hpp"

namespace syncline::sqlite {
namespace {

using ports::Finding, ports::Severity;

// A column that computes each expression, and the unique index on it instead; the expression keeps
// an index, for queries that look for it.
Result<std::string> column_sql(Connection& connection, const Table& table, const std::string& name,
                               const std::string& create) {
  SYN_TRY(Statement rows, connection.prepare("SELECT cid, coll FROM pragma_index_xinfo(" +
                                             literal(name) + ") WHERE key = 1 ORDER BY seqno"));
  const IndexText index = index_text(create);
  std::vector<std::string> terms = index.terms;
  std::string sql = "PRAGMA busy_timeout = 5000; BEGIN IMMEDIATE; ";
  for (std::string& term : terms) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) break;
    if (rows.integer(0) >= 0) continue;
    std::string column = name + "_value";
    while (table.find(column) != nullptr || sql.find(quoted(column)) != std::string::npos) {
      column += '_';
    }
    // A collation within the expression's brackets would stay behind in them.
    std::string about = table.is_strict ? " ANY" : "";
    if (rows.text(1) != "BINARY") about.append(" COLLATE ").append(quoted(rows.text(1)));
    sql.append("ALTER TABLE main.").append(quoted(table.name)).append(" ADD COLUMN ");
    sql.append(quoted(column)).append(about).append(" AS (").append(term).append("); ");
    term = quoted(column);
  }
  return sql + "DROP INDEX main." + quoted(name) + "; " +
         ended(index.with("UNIQUE ", name, terms)) +
         ended(index.with("", name + "_search", index.terms)) + "COMMIT;";
}

// What REPLACE removes is logged before by the columns of unique indexes, and expressions have
// none.
Result<void> find_unique_expressions(Connection& connection, const Mapped& mapped,
                                     std::vector<Finding>& out) {
  if (!mapped.table.has_unique_expression) return success();
  const std::string table = literal(mapped.table.name);
  SYN_TRY(Statement rows,
          connection.prepare(
              "SELECT l.name, s.sql FROM pragma_index_list(" + table +
              ") l JOIN sqlite_master s ON s.name = l.name AND s.type = 'index' WHERE l.\"unique\" "
              "= 1 AND EXISTS (SELECT 1 FROM pragma_index_xinfo(l.name) x WHERE x.key = 1 AND "
              "x.cid < 0) ORDER BY l.name"));
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return success();
    const std::string name(rows.text(0));
    SYN_TRY(std::string fix, column_sql(connection, mapped.table, name, std::string(rows.text(1))));
    out.push_back({Severity::kWarning, mapped.schema->name,
                   mapped.table.name + " has a unique index on an expression (" + name +
                       "): rows that REPLACE removes because of it are not captured",
                   std::move(fix) + " -- or avoid REPLACE on this table"});
  }
}

Result<void> find_order(Connection& connection, const Mapped& mapped, std::vector<Finding>& out) {
  SYN_TRY(const bool is_ordered, is_key_ordered(connection, mapped));
  if (is_ordered) return success();
  std::string names;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    names += (i == 0 ? "" : ", ") + quoted(mapped.columns[i].name);
  }
  out.push_back({Severity::kWarning, mapped.schema->name,
                 "no index has the order of the dataset's key in " + mapped.table.name +
                     ": each chunk that a scan, a first sync or `verify` reads sorts all of it",
                 "CREATE INDEX main." + quoted(mapped.table.name + "_syncline_order") + " ON " +
                     quoted(mapped.table.name) + "(" + names + ");"});
  return success();
}

}  // namespace

Result<void> find_in_indexes(Connection& connection, const Shared& shared, const Mapped& mapped,
                             std::vector<Finding>& out) {
  const bool is_logged = !shared.is_scan && mapped.mapping->direction != ports::Direction::kTo;
  if (is_logged) {
    SYN_TRY(find_unique_expressions(connection, mapped, out));
  }
  return find_order(connection, mapped, out);
}

}  // namespace syncline::sqlite
