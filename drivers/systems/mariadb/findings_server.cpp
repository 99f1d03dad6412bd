// What of a server stands in the way of reading its log.
#include <algorithm>
#include <span>

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kKeptSeconds = 10 * kDaySeconds;

struct Setting {
  const char* name;
  const char* wanted;
  const char* why;
  Severity severity;
  const char* fix = nullptr;  // where it takes more than setting it
};

// MariaDB's own defaults are MIXED, NO_LOG and 0.
constexpr Setting kSettings[] = {
    {"binlog_format", "ROW", "the log tells statements, not rows", Severity::kStops},
    {"binlog_row_image", "FULL", "the log does not tell whole rows", Severity::kStops},
    {"binlog_row_metadata", "FULL", "the log does not tell which column is which",
     Severity::kStops},
    {"sync_binlog", "1", "after a crash of its machine, the log may lack commits that were read",
     Severity::kStops},
    {"innodb_flush_log_at_trx_commit", "1",
     "after a crash of its machine, commits that were read may be gone", Severity::kWarning},
};
constexpr Setting kMysqlSettings[] = {
    {"binlog_row_value_options", "", "the log tells parts of JSON values, not the values",
     Severity::kStops},
    {"gtid_mode", "ON", "only by GTIDs the server tells whether what its log says is visible yet",
     Severity::kStops,
     "SET GLOBAL enforce_gtid_consistency = ON; SET GLOBAL gtid_mode = OFF_PERMISSIVE; SET GLOBAL "
     "gtid_mode = ON_PERMISSIVE; SET GLOBAL gtid_mode = ON; and in the server's config: both = ON"},
    {"explicit_defaults_for_timestamp", "1",
     "NULL in a TIMESTAMP column that is NOT NULL becomes the present time", Severity::kWarning},
};

Finding unfit_setting(const Setting& setting, const std::string& value) {
  const std::string name = setting.name;
  const bool is_number =
      !value.empty() && value.find_first_not_of("0123456789") == std::string::npos;
  const std::string wanted = is_number ? setting.wanted : literal(setting.wanted);
  const std::string fix = setting.fix != nullptr ? setting.fix
                                                 : "SET GLOBAL " + name + " = " + wanted +
                                                       "; and in the server's config: " + name +
                                                       " = " + setting.wanted;
  return {setting.severity, "", name + " is " + value + ": " + setting.why, fix};
}

Result<void> find_settings(Connection& connection, std::span<const Setting> settings,
                           std::vector<Finding>& out) {
  for (const Setting& setting : settings) {
    SYN_TRY(const std::string value,
            connection.query_text(std::string("SELECT @@global.") + setting.name));
    if (value != setting.wanted) out.push_back(unfit_setting(setting, value));
  }
  return success();
}

Finding read_only() {
  return {Severity::kStops, "", "the server is read_only and takes no writes",
          "name the primary, or SET GLOBAL read_only = 0;"};
}

// libmariadb 3.3 cannot read such a log.
Result<void> find_compression(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string is_unreadable,
          connection.query_text(
              "SELECT @@global.log_bin_compress = 1 AND @@global.binlog_checksum = 'NONE'"));
  if (is_unreadable != "1") return success();
  out.push_back({Severity::kStops, "",
                 "binlog_checksum is NONE with log_bin_compress: such a log cannot be read",
                 "SET GLOBAL binlog_checksum = 'CRC32'; and in the server's config"});
  return success();
}

Result<void> find_log_keeping(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string seconds,
          connection.query_text("SELECT @@global.binlog_expire_logs_seconds"));
  const int64_t kept_s = std::strtoll(seconds.c_str(), nullptr, 10);
  if (kept_s == 0) return success();
  out.push_back({kept_s < 3 * kDaySeconds ? Severity::kWarning : Severity::kNote, "",
                 "the server keeps its log for " + std::to_string(kept_s / 3600) +
                     " hours: an appliance that was away longer needs a resync",
                 kept_s < kKeptSeconds
                     ? "SET GLOBAL binlog_expire_logs_seconds = " + std::to_string(kKeptSeconds) +
                           "; and in the server's config"
                     : "nothing, unless one may be away for longer"});
  return success();
}

// "shop,other".
bool is_listed(std::string_view names, std::string_view name) {
  for (size_t at = 0; at < names.size();) {
    const size_t end = std::min(names.find(',', at), names.size());
    if (names.substr(at, end - at) == name) return true;
    at = end + 1;
  }
  return false;
}

// Of a database that the server leaves out of its log, nobody reads anything.
Result<void> find_log_filter(Connection& connection, std::vector<Finding>& out) {
  const ServerKind& kind = connection.kind();
  const bool is_renamed = kind.is_mysql() && kind.version >= kMysql82;
  auto row = connection.query(is_renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS");
  if (!row) {
    if (mysql_errno(connection.handle()) != ER_SPECIFIC_ACCESS_DENIED_ERROR) return row.error();
    SYN_TRY(const std::string user, account(connection));
    out.push_back({Severity::kNote, "",
                   "user " + user +
                       " may not ask whether the server leaves databases out of its "
                       "log (binlog_do_db, binlog_ignore_db): of one that it does, nothing is read",
                   std::string("GRANT ") +
                       (kind.is_mysql() ? "REPLICATION CLIENT" : "BINLOG MONITOR") + " ON *.* TO " +
                       user + ";"});
    return success();
  }
  if (!row.value().next()) return success();  // no log
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  const std::string wanted(row.value().text(2));
  const std::string ignored(row.value().text(3));
  const bool is_left_out =
      wanted.empty() ? is_listed(ignored, database) : !is_listed(wanted, database);
  if (!is_left_out) return success();
  const std::string setting =
      wanted.empty() ? "binlog_ignore_db = " + ignored : "binlog_do_db = " + wanted;
  out.push_back({Severity::kStops, "",
                 "the server leaves database " + database + " out of its log (" + setting +
                     "): what changes in it is never read",
                 "in the server's config: " +
                     (wanted.empty() ? "take " + database + " out of binlog_ignore_db"
                                     : "add a line binlog_do_db = " + database) +
                     "; then restart it"});
  return success();
}

// Whether it takes on what another server's users write; of stopped ones a user without the right
// to look is told nothing.
Result<bool> is_replicating(Connection& connection) {
  const ServerKind& kind = connection.kind();
  const char* ask = "SHOW ALL SLAVES STATUS";
  if (kind.is_mysql()) ask = kind.version >= kMysql82 ? "SHOW REPLICA STATUS" : "SHOW SLAVE STATUS";
  const auto rows = connection.query(ask);
  if (rows) return rows.value().row_count() > 0;
  if (mysql_errno(connection.handle()) != ER_SPECIFIC_ACCESS_DENIED_ERROR) return rows.error();
  if (kind.is_mysql()) return false;
  SYN_TRY(Answer row, connection.query("SHOW GLOBAL STATUS LIKE 'Slaves_running'"));
  return row.next() && row.text(1) != "0";
}

Result<void> find_passed_on(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string is_logged, connection.query_text("SELECT @@global.log_slave_updates"));
  if (is_logged == "1") return success();
  SYN_TRY(const bool is_replica, is_replicating(connection));
  if (!is_replica) return success();
  out.push_back({Severity::kStops, "",
                 "the server replicates from another one and leaves what it takes on from there "
                 "out of its log (log_slave_updates is off): such changes are never read",
                 "in the server's config: log_slave_updates = ON; then restart it. Or name the "
                 "server that it replicates from"});
  return success();
}

}  // namespace

void find_flavour(const ServerKind& kind, const std::string& place, std::vector<Finding>& out) {
  if (!kind.is_mysql()) {
    if (kind.version < kMariadbUntested) return;
    out.push_back({Severity::kWarning, "",
                   place + " is a MariaDB " + kind.text +
                       ", newer than those that this version was tested with (10.11, 11.4): where "
                       "its log has something new, tables are read whole",
                   "try with a copy first, and compare with `syncline verify`"});
    return;
  }
  const bool is_new = kind.version >= kMysql80;
  out.push_back({Severity::kWarning, "",
                 place + " is a MySQL " + kind.text +
                     (is_new ? ": MySQL 8 is written for from its documentation, and untested"
                             : ": our writes wait for locks for up to a second, and in a deadlock "
                               "the server may choose the user's transaction"),
                 is_new ? "try with a copy first, and compare with `syncline verify`"
                        : "from 8.0 on, rows are locked without waiting"});
}

Result<void> find_in_server(Connection& connection, std::vector<Finding>& out) {
  if (auto unread = unread_log(connection.kind(), connection.place())) {
    out.push_back({Severity::kStops, "", unread->what + ": " + unread->why, unread->fix});
    return success();
  }
  SYN_TRY(Answer row, connection.query("SELECT @@global.log_bin, @@global.read_only"));
  row.next();
  if (row.integer(0) == 0) {
    out.push_back({Severity::kStops, "", "log_bin is off: the server writes no log of changes",
                   "in the server's config: log_bin = mariadb-bin; then restart it"});
  }
  if (row.integer(1) != 0) out.push_back(read_only());
  SYN_TRY(find_settings(connection, kSettings, out));
  if (connection.kind().is_mysql()) {
    SYN_TRY(find_settings(connection, kMysqlSettings, out));
  } else {
    SYN_TRY(find_compression(connection, out));
  }
  SYN_TRY(find_log_keeping(connection, out));
  SYN_TRY(find_log_filter(connection, out));
  SYN_TRY(find_passed_on(connection, out));
  return find_log_rights(connection, out);
}

Result<void> find_in_scanned_server(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string is_read_only, connection.query_text("SELECT @@global.read_only"));
  if (is_read_only == "0") return success();
  SYN_TRY(const bool may_write, may_write_all_the_same(connection));
  if (!may_write) out.push_back(read_only());
  return success();
}

}  // namespace syncline::mariadb
