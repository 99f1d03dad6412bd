// What a database has among its tables that is none that can be synced, and why.
#include "drivers/systems/mariadb/detail/names.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"

namespace syncline::mariadb {
namespace {

// The columns of the period are the table's own where somebody declared them; a table of
// partitions by it has to lose those first.
std::string unversioned_sql(const std::string& table, const std::string& own_columns,
                            bool is_partitioned) {
  const std::string alter = "ALTER TABLE " + quoted_name(table);
  std::string sql = is_partitioned ? alter + " REMOVE PARTITIONING; " : "";
  if (!own_columns.empty()) sql += "SET system_versioning_alter_history = 'KEEP'; ";
  return sql + alter + " " + own_columns + "DROP SYSTEM VERSIONING;";
}

Result<std::string> unversioned_sql(Connection& connection, const std::string& table) {
  const std::string of_table =
      " WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " + literal(table);
  SYN_TRY(Answer columns,
          connection.query("SELECT COLUMN_NAME FROM information_schema.COLUMNS" + of_table +
                           " AND GENERATION_EXPRESSION IN ('ROW START', 'ROW END') ORDER BY "
                           "ORDINAL_POSITION"));
  std::string own;
  while (columns.next()) own += "DROP COLUMN " + quoted_name(columns.text(0)) + ", ";
  SYN_TRY(const Answer partitions,
          connection.query("SELECT 1 FROM information_schema.PARTITIONS" + of_table +
                           " AND PARTITION_METHOD = 'SYSTEM_TIME'"));
  return unversioned_sql(table, own, partitions.row_count() > 0);
}

}  // namespace

Result<std::vector<UnreadTable>> read_unread_tables(Connection& connection,
                                                    const std::optional<std::string>& only) {
  const std::string of_name = only ? " AND TABLE_NAME = " + literal(*only) : "";
  SYN_TRY(Answer rows,
          connection.query("SELECT " + logged_name("TABLE_NAME") +
                           ", TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = "
                           "DATABASE() AND TABLE_TYPE IN ('SYSTEM VERSIONED', 'VIEW', 'SEQUENCE')" +
                           of_name + " ORDER BY TABLE_NAME"));
  std::vector<UnreadTable> out;
  while (rows.next()) {
    UnreadTable& table = out.emplace_back();
    table.name = rows.text(0);
    const std::string_view type = rows.text(1);
    if (type != "SYSTEM VERSIONED") {
      table.why = type == "VIEW" ? "it is a view" : "it is a sequence";
      table.fix = type == "VIEW" ? "name the table that it shows" : "leave it out";
      continue;
    }
    table.why =
        "it is system-versioned: its log has past rows among the present ones, and this "
        "version does not tell them apart";
    SYN_TRY(const std::string sql, unversioned_sql(connection, table.name));
    table.fix = sql + " which drops its history, the rows of the past, too";
  }
  return out;
}

}  // namespace syncline::mariadb
