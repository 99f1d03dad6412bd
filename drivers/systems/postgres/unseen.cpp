#include "drivers/systems/postgres/detail/unseen.hpp"

namespace syncline::postgres {
namespace {

// A COMMIT PREPARED waits without a number of its own: it may be of any that is prepared.
constexpr const char* kWaiting =
    "WITH waiting AS (SELECT backend_xid AS xid FROM pg_stat_activity WHERE wait_event = "
    "'SyncRep') SELECT xid FROM waiting WHERE xid IS NOT NULL UNION SELECT transaction FROM "
    "pg_prepared_xacts WHERE EXISTS (SELECT FROM waiting WHERE xid IS NULL)";
constexpr const char* kRunning = "SELECT x::xid FROM pg_snapshot_xip(pg_current_snapshot()) AS x";

// What others wait for is not shown to every role; that nobody waits may be known all the same.
constexpr const char* kIsHidden =
    "SELECT NOT rolsuper AND NOT pg_has_role('pg_read_all_stats', 'USAGE') AND "
    "current_setting('synchronous_standby_names') <> '' FROM pg_roles WHERE rolname = current_user";

}  // namespace

Result<std::vector<uint32_t>> unseen_commits(Connection& connection) {
  SYN_TRY(const std::string is_hidden, connection.query_text(kIsHidden));
  if (is_hidden == "t") {
    // A snapshot lists those that began before the last that has ended: that is ours now.
    SYN_TRY(connection.run("BEGIN; SELECT pg_current_xact_id(); ROLLBACK"));
  }
  SYN_TRY(const Answer rows, connection.query(is_hidden == "t" ? kRunning : kWaiting));
  std::vector<uint32_t> xids;
  xids.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) {
    xids.push_back(static_cast<uint32_t>(rows.integer(row, 0)));
  }
  return xids;
}

}  // namespace syncline::postgres
