#include "drivers/systems/postgres/detail/snapshots.hpp"

namespace syncline::postgres {
namespace {

using ports::Finding, ports::Severity;

constexpr int64_t kOldSeconds = 600;
// Of slots and standbys no time is told: how many transactions began since.
constexpr int64_t kOldTransactions = 1'000'000;

// who, the statement that ends it, seconds, transactions since. A session that writes holds as its
// transaction does, one that reads as its snapshot; VACUUM's count for nothing.
constexpr const char* kHolders =
    "SELECT who, ending, seconds, since FROM (SELECT 'the transaction of pid ' || pid || "
    "coalesce(' of role ' || quote_ident(usename), '') AS who, 'SELECT pg_terminate_backend(' || "
    "pid || ');' AS ending, extract(epoch FROM clock_timestamp() - coalesce(xact_start, "
    "query_start))::bigint AS seconds, greatest(age(backend_xmin), age(backend_xid)) AS since FROM "
    "pg_stat_activity WHERE (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL) AND pid <> "
    "pg_backend_pid() AND application_name NOT LIKE 'syncline\\_%' AND backend_type NOT IN "
    "('autovacuum worker', 'walsender') "
    "UNION ALL SELECT 'prepared transaction ' || quote_literal(gid) || ' of database ' || "
    "quote_ident(database), CASE WHEN database = current_database() THEN '' ELSE 'in database ' || "
    "quote_ident(database) || ': ' END || 'ROLLBACK PREPARED ' || quote_literal(gid) || ';', "
    "extract(epoch FROM clock_timestamp() - prepared)::bigint, age(transaction) FROM "
    "pg_prepared_xacts "
    "UNION ALL SELECT 'replication slot ' || quote_ident(slot_name) || CASE WHEN xmin IS NULL THEN "
    "' (of the catalogs)' ELSE '' END, CASE WHEN active THEN 'see to its reader: SELECT * FROM "
    "pg_stat_replication WHERE pid = ' || active_pid || ';' ELSE 'if its reader never comes back: "
    "SELECT pg_drop_replication_slot(' || quote_literal(slot_name) || ');' END, NULL, "
    "greatest(age(xmin), age(catalog_xmin)) FROM "
    "pg_replication_slots WHERE (xmin IS NOT NULL OR catalog_xmin IS NOT NULL) AND slot_name <> $1 "
    "UNION ALL SELECT 'a query on standby ' || quote_ident(application_name) || ' (pid ' || pid || "
    "', hot_standby_feedback)', 'there: SELECT pid, query FROM pg_stat_activity WHERE backend_xmin "
    "IS NOT NULL ORDER BY age(backend_xmin) DESC;', NULL, "
    "age(backend_xmin) FROM pg_stat_replication WHERE backend_xmin IS NOT NULL) AS held "
    "ORDER BY coalesce(seconds >= 600, false) DESC, since DESC NULLS LAST LIMIT 1";

Finding oldest(const Answer& row) {
  const bool is_timed = !row.is_null(0, 2);
  const int64_t seconds = row.integer(0, 2);
  const int64_t transactions = row.integer(0, 3);
  const bool is_old = is_timed ? seconds >= kOldSeconds : transactions >= kOldTransactions;
  std::string what = "the oldest snapshot is held by ";
  what.append(row.text(0, 0)).append(", ");
  what += is_timed ? "open for " + std::to_string(seconds) + " s"
                   : std::to_string(transactions) + " transactions old";
  what += ": while it lasts, nothing newer is vacuumed, and tables that change much grow";
  std::string fix = is_old ? "" : "if it does not end by itself: ";
  return {is_old ? Severity::kWarning : Severity::kNote, "", std::move(what),
          fix.append(row.text(0, 1))};
}

}  // namespace

Result<void> find_oldest_snapshot(Connection& connection, const std::string& own_slot,
                                  std::vector<Finding>& out) {
  const Parameter slot[] = {own_slot};
  SYN_TRY(const Answer held, connection.query(kHolders, slot));
  if (held.row_count() > 0) out.push_back(oldest(held));
  SYN_TRY(const Answer rights,
          connection.query("SELECT rolsuper OR pg_has_role('pg_read_all_stats', 'USAGE'), "
                           "quote_ident(rolname) FROM pg_roles WHERE rolname = current_user"));
  if (rights.is_true(0, 0)) return success();
  const std::string role(rights.text(0, 1));
  out.push_back({Severity::kNote, "",
                 "role " + role +
                     " is not told how long others' transactions are open: an old "
                     "snapshot that holds back vacuum may go unseen",
                 "GRANT pg_read_all_stats TO " + role + ";"});
  return success();
}

}  // namespace syncline::postgres
