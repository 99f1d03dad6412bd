// What of a server stands in the way of reading its log.
#include <span>

#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

constexpr int64_t kDaySeconds = 86'400;

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
                 "SET GLOBAL binlog_expire_logs_seconds = 864000; and in the server's config"});
  return success();
}

}  // namespace

void find_flavour(const Connection& connection, std::vector<Finding>& out) {
  const ServerKind& kind = connection.kind();
  if (!kind.is_mysql()) return;
  const bool is_new = kind.version >= kMysql80;
  out.push_back({Severity::kWarning, "",
                 connection.place() + " is a MySQL " + kind.text +
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
  if (row.integer(1) != 0) {
    out.push_back({Severity::kStops, "", "the server is read_only and takes no writes",
                   "name the primary, or SET GLOBAL read_only = 0;"});
  }
  SYN_TRY(find_settings(connection, kSettings, out));
  if (connection.kind().is_mysql()) {
    SYN_TRY(find_settings(connection, kMysqlSettings, out));
  } else {
    SYN_TRY(find_compression(connection, out));
  }
  SYN_TRY(find_log_keeping(connection, out));
  return find_rights(connection, out);
}

}  // namespace syncline::mariadb
