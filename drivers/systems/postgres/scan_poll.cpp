// Polls: the column that rises, the index that it needs, and where a round stands.
#include <algorithm>

#include "drivers/systems/postgres/detail/indexes.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"

namespace syncline::postgres {
namespace {

std::string poll_name(const Mapped& mapped) {
  return quoted_name(mapped.mapping->poll_by);
}

std::string poll_order(const Mapped& mapped) {
  return poll_name(mapped) + ", " + column_list(mapped, mapped.key_count());
}

// The column's type as SQL casts a text to it: with its digits.
std::string poll_type(const Mapped& mapped) {
  return scan::find_poll_column(mapped)->type.name;
}

Result<scan::PollColumn> read_poll_column(Connection& connection, const Mapped& mapped) {
  scan::PollColumn out = scan::describe_poll_column(mapped);
  if (out.type.empty()) return out;
  const bool is_clock = out.kind == scan::PollColumn::Kind::kClock;
  const std::string table = mapped.table.sql_name();
  const std::string name = poll_name(mapped);
  out.not_null_sql = "UPDATE " + table + " SET " + name + " = " + (is_clock ? "now()" : "0") +
                     " WHERE " + name + " IS NULL; ALTER TABLE " + table + " ALTER " + name +
                     " SET NOT NULL;";
  SYN_TRY(const IndexUse use, look_at_index(connection, mapped, Lead::kPollColumn));
  out.is_indexed = use.is_ordered;
  if (out.is_indexed) return out;
  SYN_TRY(out.index_sql, poll_index_sql(connection, mapped));
  return out;
}

// Transactions of other roles are seen only with the right to see them, and none of a session that
// does not report them. One that is prepared meanwhile is found by who asks for those next.
Result<scan::Reached> read_open(Connection& connection) {
  SYN_TRY(const Answer row,
          connection.query(
              "SELECT extract(epoch FROM statement_timestamp()) * 1000000, extract(epoch FROM "
              "min(xact_start)) * 1000000, pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') "
              "AND count(*) FILTER (WHERE state = 'disabled') = 0 FROM pg_stat_activity WHERE "
              "pid <> pg_backend_pid() AND backend_type NOT IN ('autovacuum worker', "
              "'walsender')"));
  scan::Reached reached;
  reached.now_us = row.integer(0, 0);
  reached.oldest_open_us =
      row.is_null(0, 1) ? reached.now_us : std::min(reached.now_us, row.integer(0, 1));
  reached.oldest_open_us -= scan::kOpenMarginUs;
  if (!row.is_true(0, 2)) reached.oldest_open_us -= scan::kUnseenOverlapUs;
  return reached;
}

std::string highest_sql(const Mapped& mapped, const std::string& condition) {
  return "SELECT max(" + poll_name(mapped) + ") FROM " + mapped.table.sql_name() + " WHERE true" +
         filter_of(mapped) + condition;
}

}  // namespace

std::string changed_sql(const Mapped& mapped, const std::string& condition, size_t row_limit) {
  return "SELECT " + column_list(mapped) + ", " + poll_name(mapped) + " FROM " +
         mapped.table.sql_name() + " WHERE true" + condition + filter_of(mapped) + " ORDER BY " +
         poll_order(mapped) + " LIMIT " + std::to_string(row_limit);
}

Result<void> check_poll(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const auto column, read_poll_column(connection, mapped));
  return scan::check_poll(column);
}

Result<void> find_poll(Connection& connection, const Mapped& mapped,
                       std::vector<ports::Finding>& out) {
  SYN_TRY(const auto column, read_poll_column(connection, mapped));
  SYN_TRY(const Answer row,
          connection.query("SELECT current_user, pg_has_role('pg_read_all_stats', 'USAGE'), "
                           "current_setting('track_activities')::boolean"));
  std::string mend;
  if (!row.is_true(0, 1)) {
    mend = "GRANT pg_read_all_stats TO " + quoted_name(row.text(0, 0)) + ";";
  }
  if (!row.is_true(0, 2)) {
    mend += mend.empty() ? "" : " ";
    mend += "ALTER SYSTEM SET track_activities = on; SELECT pg_reload_conf();";
  }
  scan::find_poll(column, mend, out);
  return success();
}

// A value from a clock that is ahead does not count before its time: what follows it would never be
// read.
Result<scan::Reached> ScanTables::reach(model::DatasetId dataset) {
  const Mapped& table = mapped(dataset);
  const Category category = scan::find_poll_column(table)->type.category;
  const std::string name = poll_name(table);
  const std::string limit = category == Category::kTimestamp ? "statement_timestamp()"
                            : category == Category::kDatetime
                                ? "(statement_timestamp() AT TIME ZONE 'UTC' + interval '14 hours')"
                                : "";
  const std::string highest =
      highest_sql(table, limit.empty() ? "" : " AND " + name + " <= " + limit);
  SYN_TRY(scan::Reached reached, read_open(*connection_));
  SYN_TRY(const Answer row,
          connection_->query("SELECT EXISTS (SELECT FROM pg_prepared_xacts WHERE database = "
                             "current_database()), (" +
                             highest + ")"));
  // When it began is not told, only when it was prepared.
  if (row.is_true(0, 0)) reached.oldest_open_us = 0;
  if (!row.is_null(0, 1)) reached.highest = row.text(0, 1);
  reached.is_clock = !limit.empty();
  return reached;
}

// Local times may be those of any zone.
Result<std::string> ScanTables::highest_at(model::DatasetId dataset, int64_t time_us) {
  const Mapped& table = mapped(dataset);
  const bool is_zoneless = scan::find_poll_column(table)->type.category == Category::kDatetime;
  const std::string time = "to_timestamp(" + std::to_string(time_us) + " / 1000000.0)";
  const std::string limit =
      is_zoneless ? "(" + time + " AT TIME ZONE 'UTC' - interval '14 hours')" : time;
  SYN_TRY(const Answer row,
          connection_->query(highest_sql(table, " AND " + poll_name(table) + " <= " + limit)));
  return std::string(row.text(0, 0));
}

// The cursor is the column's value and the key's, as texts.
Result<scan::Rows> ScanTables::changed(model::DatasetId dataset, const std::string& from,
                                       const std::string& cursor, size_t row_limit) {
  const Mapped& table = mapped(dataset);
  std::string condition;
  std::vector<Parameter> parameters;
  if (!cursor.empty()) {
    condition = " AND (" + poll_order(table) + ") > ($1::" + poll_type(table);
    ByteReader in(cursor);
    while (parameters.size() < table.key_count() + 1) parameters.emplace_back(in.text());
    for (size_t i = 0; i < table.key_count(); ++i) condition += ", $" + std::to_string(i + 2);
    condition += ")";
  } else if (!from.empty()) {
    condition = " AND " + poll_name(table) + " >= $1::" + poll_type(table);
    parameters.emplace_back(from);
  }
  SYN_TRY(const Answer rows,
          connection_->query(changed_sql(table, condition, row_limit), parameters));
  scan::Rows out = rows_of(table, rows);
  if (rows.row_count() < row_limit) return out;
  const size_t last = rows.row_count() - 1;
  ByteWriter writer(out.cursor);
  writer.text(rows.text(last, table.columns.size()));
  for (size_t i = 0; i < table.key_count(); ++i) writer.text(rows.text(last, i));
  return out;
}

}  // namespace syncline::postgres
