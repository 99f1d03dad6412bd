#include "drivers/systems/postgres/detail/failover.hpp"

#include "drivers/systems/postgres/detail/objects.hpp"

namespace syncline::postgres {
namespace {

using ports::Finding, ports::Severity;

constexpr std::string_view kReload = "; SELECT pg_reload_conf();";

// Whom the server waits for before it shows us anything: who of them is not there, who is, and
// whether there is anything that those absent have not got.
constexpr const char* kAwaited =
    "SELECT coalesce(string_agg(name, ', ') FILTER (WHERE is_absent), ''), "
    "coalesce(string_agg(name, ', ') FILTER (WHERE NOT is_absent), ''), "
    "coalesce(bool_or(is_absent AND is_behind), false) FROM (SELECT name, active IS NOT TRUE AS "
    "is_absent, restart_lsn IS NULL OR restart_lsn < pg_current_wal_flush_lsn() AS is_behind FROM "
    "(SELECT trim(part, ' \"') AS name FROM unnest(string_to_array(current_setting("
    "'synchronized_standby_slots'), ',')) AS part) AS named LEFT JOIN pg_replication_slots ON "
    "slot_name = name AND slot_type = 'physical' WHERE name <> '') AS awaited";

// Of standbys: their slots, those that show no feedback, one without a slot that is seen, and
// whether one is at work on keeping our slot in step. A session of that kind comes and goes on
// some.
constexpr const char* kStandbys =
    "SELECT coalesce(string_agg(slot_name, ', ' ORDER BY slot_name), ''), "
    "coalesce(string_agg(slot_name, ', ' ORDER BY slot_name) FILTER (WHERE xmin IS NULL), ''), "
    "coalesce((SELECT min(application_name) FROM pg_stat_replication AS seen WHERE state = "
    "'streaming' AND application_name NOT LIKE 'pg\\_receive%' AND NOT EXISTS (SELECT FROM "
    "pg_replication_slots WHERE active_pid = seen.pid)), ''), EXISTS (SELECT FROM pg_stat_activity "
    "WHERE application_name LIKE '%slotsync%'), current_setting('synchronized_standby_slots') = '' "
    "FROM pg_replication_slots WHERE slot_type = 'physical' AND active AND NOT temporary";

std::string set_awaited(const std::string& slots) {
  return "ALTER SYSTEM SET synchronized_standby_slots = " + slots + std::string(kReload);
}

Error absent(const std::string& place, const std::string& names, const std::string& others) {
  return {
      ErrorCode::kSystemBusy, place + " holds its log back from us",
      "its synchronized_standby_slots names " + names +
          ", and no standby is there: nothing is shown that it has not got",
      "start that standby; if it is gone for good: " + set_awaited(others.empty() ? "''" : others)};
}

Result<void> find_absent(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const Answer awaited, connection.query(kAwaited));
  if (awaited.text(0, 0).empty()) return success();
  const Error error =
      absent(connection.place(), std::string(awaited.text(0, 0)), std::string(awaited.text(0, 1)));
  out.push_back({Severity::kWarning, "", error.what + ": " + error.why, error.fix});
  return success();
}

}  // namespace

Result<void> let_standbys_keep(Connection& connection, const Access& access,
                               const std::string& slot) {
  if (connection.version() < kFailoverSlots) return success();
  SYN_TRY(const Answer row,
          connection.query("SELECT FROM pg_replication_slots WHERE NOT failover AND slot_name = " +
                           literal(slot)));
  if (row.row_count() == 0) return success();
  SYN_TRY(auto walsender, Connection::open(access, Purpose::kReplication));
  return walsender->run("ALTER_REPLICATION_SLOT " + quoted_name(slot) + " (FAILOVER true)");
}

Result<void> find_absent_standby(Connection& connection, std::optional<Error>& out) {
  out.reset();
  if (connection.version() < kFailoverSlots) return success();
  SYN_TRY(const Answer awaited, connection.query(kAwaited));
  if (awaited.is_true(0, 2)) {
    out = absent(connection.place(), std::string(awaited.text(0, 0)),
                 std::string(awaited.text(0, 1)));
  }
  return success();
}

Result<void> find_failover(Connection& connection, std::vector<Finding>& out) {
  if (connection.version() < kFailoverSlots) return success();
  SYN_TRY(find_absent(connection, out));
  SYN_TRY(const Answer row, connection.query(kStandbys));
  const auto warn = [&](const std::string& what, std::string fix) {
    out.push_back({Severity::kWarning, "",
                   what + "; if it is to take over, a resync would be needed then",
                   std::move(fix)});
  };
  const std::string slots(row.text(0, 0));
  const std::string silent(row.text(0, 1));
  const std::string without(row.text(0, 2));
  if (!without.empty()) {
    warn("the standby " + without + " follows without a slot of its own, so it cannot keep ours",
         "SELECT pg_create_physical_replication_slot('standby'); and there: ALTER SYSTEM SET "
         "primary_slot_name = 'standby'" +
             std::string(kReload));
  }
  if (slots.empty()) return success();
  if (!silent.empty()) {
    warn("the standby at slot " + silent + " gives no feedback, so it cannot keep our slot",
         "there: ALTER SYSTEM SET hot_standby_feedback = on" + std::string(kReload));
  }
  if (!row.is_true(0, 3)) {
    warn("no standby keeps our slot in step (slots of standbys: " + slots + ")",
         "there: ALTER SYSTEM SET sync_replication_slots = on" + std::string(kReload) +
             " and a dbname in its primary_conninfo");
  }
  if (row.is_true(0, 4)) {
    warn("we are shown what the standby at slot " + slots + " may not have got yet",
         set_awaited(slots));
  }
  return success();
}

}  // namespace syncline::postgres
