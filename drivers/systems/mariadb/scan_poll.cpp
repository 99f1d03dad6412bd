// Polls: the column that rises, the index that it needs, and where a round stands.
#include <algorithm>
#include <limits>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/indexes.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "drivers/systems/mariadb/detail/scan_tables.hpp"
#include "host/ports/trigger_text.hpp"

namespace syncline::mariadb {
namespace {

std::string poll_name(const Mapped& mapped) {
  return quoted_name(mapped.mapping->poll_by);
}

Result<bool> sees_transactions(Connection& connection) {
  SYN_TRY(Answer grants, connection.query("SHOW GRANTS"));
  while (grants.next()) {
    const std::string_view grant = grants.text(0);
    if (grant.find(" ON *.* ") == std::string_view::npos) continue;
    if (grant.find("ALL PRIVILEGES") != std::string_view::npos) return true;
    if (grant.find("PROCESS") != std::string_view::npos) return true;
  }
  return false;
}

Result<int64_t> oldest_open_us(Connection& connection) {
  SYN_TRY(Answer row, connection.query(connection.dialect().oldest_open));
  const bool is_any = row.next() && !row.is_null(0);
  return is_any ? row.integer(0) : std::numeric_limits<int64_t>::max();
}

// The present time in the column's own precision.
std::string now_of(const Column& column) {
  const uint16_t digits = column.type.precision;
  return "current_timestamp(" + (digits == 0 ? "" : std::to_string(digits)) + ")";
}

// What a user's INSERT leaves out is a change too, and its time is now.
Result<std::string> not_null_sql(Connection& connection, const Mapped& mapped) {
  const Column& column = *scan::find_poll_column(mapped);
  const bool is_clock = scan::is_clock(column.type.category);
  const std::string table = quoted_name(mapped.table.name);
  const std::string name = poll_name(mapped);
  SYN_TRY(std::string declared, read_declaration(connection, mapped.table.name, column));
  declared = without_null(declared);
  if (is_clock && !has_default(declared)) declared = with_default(declared, now_of(column));
  return "UPDATE " + table + " SET " + name + " = " + (is_clock ? "now(6)" : "0") + " WHERE " +
         name + " IS NULL; ALTER TABLE " + table + " " + modify_sql(column.name, declared) + ";";
}

Result<bool> is_set_by_trigger(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer rows, connection.query("SELECT ACTION_STATEMENT FROM information_schema.TRIGGERS "
                                        "WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND ACTION_TIMING "
                                        "= 'BEFORE' AND EVENT_MANIPULATION = 'UPDATE' AND "
                                        "EVENT_OBJECT_TABLE = " +
                                        literal(mapped.table.name)));
  while (rows.next()) {
    if (ports::assigns_new(rows.text(0), mapped.mapping->poll_by)) return true;
  }
  return false;
}

// A clock that the server does not set: whoever changes a row without setting it is not seen.
Result<void> find_still_clock(Connection& connection, const Mapped& mapped,
                              std::vector<ports::Finding>& out) {
  const Column* column = scan::find_poll_column(mapped);
  const bool may_stand =
      column != nullptr && scan::is_clock(column->type.category) && !column->is_touched_on_update;
  if (!may_stand) return success();
  SYN_TRY(const bool is_set, is_set_by_trigger(connection, mapped));
  if (is_set) return success();
  SYN_TRY(std::string declared, read_declaration(connection, mapped.table.name, *column));
  const std::string now = now_of(*column);
  if (!column->is_nullable && !has_default(declared)) declared = with_default(declared, now);
  out.push_back({ports::Severity::kWarning, mapped.schema->name,
                 "neither ON UPDATE nor a trigger sets " + column->name + " of " +
                     mapped.table.name + " when a row changes: a poll by it misses every change " +
                     "whose writer does not set it",
                 "ALTER TABLE " + quoted_name(mapped.table.name) + " " +
                     modify_sql(column->name, with_on_update(declared, now)) +
                     "; or nothing, where the application sets it with every change"});
  return success();
}

Result<scan::PollColumn> read_poll_column(Connection& connection, const Mapped& mapped) {
  scan::PollColumn out = scan::describe_poll_column(mapped);
  if (out.type.empty()) return out;
  if (out.is_nullable) {
    SYN_TRY(out.not_null_sql, not_null_sql(connection, mapped));
  }
  SYN_TRY(out.is_indexed, is_poll_indexed(connection, mapped));
  if (out.is_indexed) return out;
  SYN_TRY(out.index_sql, poll_index_sql(connection, mapped));
  return out;
}

// With max() the server would look at every row that the filter lets through.
std::string highest_sql(const Mapped& mapped, const std::string& condition) {
  return "SELECT " + poll_name(mapped) + " FROM " + quoted_name(mapped.table.name) + " WHERE TRUE" +
         filter_of(mapped) + condition + " ORDER BY " + poll_name(mapped) + " DESC LIMIT 1";
}

}  // namespace

Result<void> check_poll(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const auto column, read_poll_column(connection, mapped));
  return scan::check_poll(column);
}

Result<void> find_poll(Connection& connection, const Mapped& mapped,
                       std::vector<ports::Finding>& out) {
  SYN_TRY(const auto column, read_poll_column(connection, mapped));
  SYN_TRY(const bool sees, sees_transactions(connection));
  SYN_TRY(const std::string user, account(connection));
  scan::find_poll(column, sees ? "" : "GRANT PROCESS ON *.* TO " + user + ";", out);
  return find_still_clock(connection, mapped, out);
}

// A value from a clock that is ahead does not count before its time: what follows it would never be
// read.
Result<scan::Reached> ScanTables::reach(model::DatasetId dataset) {
  const Mapped& table = mapped(dataset);
  const Category category = scan::find_poll_column(table)->type.category;
  const std::string name = poll_name(table);
  const std::string limit = category == Category::kTimestamp  ? "now(6)"
                            : category == Category::kDatetime ? "now(6) + INTERVAL 14 HOUR"
                                                              : "";
  const std::string highest =
      highest_sql(table, limit.empty() ? "" : " AND " + name + " <= " + limit);
  SYN_TRY(const bool sees, sees_transactions(*connection_));
  int64_t oldest_us = std::numeric_limits<int64_t>::max();
  if (sees) {
    SYN_TRY(oldest_us, oldest_open_us(*connection_));
  }
  SYN_TRY(Answer row,
          connection_->query("SELECT CAST(unix_timestamp(now(6)) * 1000000 AS SIGNED), (" +
                             highest + ")"));
  scan::Reached reached;
  reached.is_clock = !limit.empty();
  if (!row.next()) return reached;
  reached.now_us = row.integer(0);
  reached.oldest_open_us = std::min(oldest_us, reached.now_us) - scan::kOpenMarginUs;
  if (!sees) reached.oldest_open_us -= scan::kUnseenOverlapUs;
  if (!row.is_null(1)) {
    reached.highest = sql_value_of_text(scan::find_poll_column(table)->type, row.text(1));
  }
  return reached;
}

// Local times may be those of any zone.
Result<std::string> ScanTables::highest_at(model::DatasetId dataset, int64_t time_us) {
  const Mapped& table = mapped(dataset);
  const Column& column = *scan::find_poll_column(table);
  const bool is_zoneless = column.type.category == Category::kDatetime;
  const std::string limit = "from_unixtime(" + std::to_string(time_us) + " / 1000000)" +
                            (is_zoneless ? " - INTERVAL 14 HOUR" : "");
  SYN_TRY(Answer row,
          connection_->query(highest_sql(table, " AND " + poll_name(table) + " <= " + limit)));
  return row.next() ? sql_value_of_text(column.type, row.text(0)) : std::string();
}

// The cursor is the column's value and the key's, as SQL has them.
Result<scan::Rows> ScanTables::changed(model::DatasetId dataset, const std::string& from,
                                       const std::string& cursor, size_t row_limit) {
  const Mapped& table = mapped(dataset);
  std::vector<std::string> terms = {poll_name(table)};
  std::string order = terms[0];
  for (size_t i = 0; i < table.key_count(); ++i) {
    terms.push_back(order_term(table.columns[i]));
    order += ", " + terms.back();
  }
  std::string sql = "SELECT " + select_list(table) + ", " + terms[0] + " FROM " +
                    quoted_name(table.table.name) + " WHERE TRUE" + filter_of(table);
  if (!cursor.empty()) {
    std::vector<std::string> values;
    ByteReader in(cursor);
    while (values.size() < terms.size()) values.emplace_back(in.text());
    sql += " AND " + terms[0] + " >= " + values[0] + " AND " + behind(terms, values);
  } else if (!from.empty()) {
    sql += " AND " + terms[0] + " >= " + from;
  }
  SYN_TRY(Answer rows,
          connection_->query(sql + " ORDER BY " + order + " LIMIT " + std::to_string(row_limit)));
  const bool is_last = rows.row_count() < row_limit;
  scan::Rows out;
  while (rows.next()) {
    take_row(table, rows, out);
    if (is_last) continue;
    out.cursor.clear();
    ByteWriter writer(out.cursor);
    writer.text(
        sql_value_of_text(scan::find_poll_column(table)->type, rows.text(table.columns.size())));
    for (size_t i = 0; i < table.key_count(); ++i) {
      writer.text(sql_value_of_text(table.columns[i].type, rows.text(i)));
    }
  }
  return out;
}

}  // namespace syncline::mariadb
