#include "drivers/systems/mariadb/detail/replica_checks.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"

namespace syncline::mariadb {
namespace {

constexpr const char* kFixUrl = "name a replica of the server that `url` leads to in `replica`";

constexpr std::array kFilters = {
    "Replicate_Do_DB",         "Replicate_Ignore_DB",         "Replicate_Do_Table",
    "Replicate_Ignore_Table",  "Replicate_Wild_Do_Table",     "Replicate_Wild_Ignore_Table",
    "Replicate_Do_Domain_Ids", "Replicate_Ignore_Domain_Ids", "Replicate_Ignore_Server_Ids",
    "Replicate_Rewrite_DB"};

struct CopySetting {
  const char* name;
  const char* wanted;
  const char* why;
  const char* fix = nullptr;  // where it takes more than setting it
};
constexpr CopySetting kCopySettings[] = {
    {"read_only", "1", "users may write to it what the primary has not"},
    {"slave_exec_mode", "STRICT", "what does not fit there is passed over"},
    {"slave_skip_errors", "OFF", "what fails there is passed over",
     "take slave_skip_errors out of that server's config and restart it"},
    {"slave_run_triggers_for_rbr", "NO", "triggers there change rows"},
    {"replicate_events_marked_for_skip", "REPLICATE", "what is marked is passed over",
     "there: STOP SLAVE; SET GLOBAL replicate_events_marked_for_skip = REPLICATE; START SLAVE; and "
     "in that server's config"},
};

// "10.11" of "10.11.19-MariaDB-log".
std::string series_of(const std::string& version) {
  return version.substr(0, version.find('.', version.find('.') + 1));
}

bool is_of_table(const Error& error) {
  return error.code == ErrorCode::kSystemSchema || error.code == ErrorCode::kSystemKey;
}

// Rights are given on the primary, and replication takes them on.
Result<Answer> ask(Connection& connection, const char* sql, const std::string& right) {
  auto rows = connection.query(sql);
  if (rows) return rows;
  if (mysql_errno(connection.handle()) != ER_SPECIFIC_ACCESS_DENIED_ERROR) return rows.error();
  SYN_TRY(const std::string user, account(connection));
  return fail(ErrorCode::kConfigValue, "tables cannot be read from the replica",
              "user " + user + " may not ask " + connection.place() + " for " + sql,
              "on the primary: GRANT " + right + " ON *.* TO " + user + ";");
}

auto stands_still(const Connection& replica, const std::string& what, std::string_view why) {
  return fail(ErrorCode::kSystemOpen, "the replica " + replica.place() + " stands still",
              what + (why.empty() ? "" : ": " + std::string(why)),
              "SHOW ALL SLAVES STATUS there tells why; then START SLAVE;");
}

Result<void> check_running(const Connection& replica, const Answer& row) {
  if (row.text_of("Slave_SQL_Running") != "Yes") {
    return stands_still(replica, "it applies nothing", row.text_of("Last_SQL_Error"));
  }
  if (row.text_of("Slave_IO_Running") == "No") {
    return stands_still(replica, "it receives nothing", row.text_of("Last_IO_Error"));
  }
  if (row.text_of("Master_Server_Id") == "0") {
    return stands_still(replica, "it has not reached its primary", row.text_of("Last_IO_Error"));
  }
  return success();
}

Result<void> check_primary(const Connection& replica, const Answer& row, uint32_t server) {
  const std::string wanted = std::to_string(server);
  const std::string_view number = row.text_of("Master_Server_Id");
  if (number == wanted) return success();
  return unfit(
      replica,
      "it replicates from server number " + std::string(number) + ", and `url` leads to " + wanted,
      kFixUrl);
}

}  // namespace

Error unfit(const Connection& replica, std::string why, std::string fix) {
  return {ErrorCode::kConfigValue, "the replica " + replica.place() + " cannot be read from",
          std::move(why), std::move(fix)};
}

Result<void> check_release(Connection& primary, Connection& replica) {
  constexpr const char* kAsk = "SELECT @@global.version";
  SYN_TRY(const std::string ours, primary.query_text(kAsk));
  SYN_TRY(const std::string theirs, replica.query_text(kAsk));
  if (series_of(ours) == series_of(theirs)) return success();
  return unfit(replica,
               "it may order texts otherwise: it is of release " + series_of(theirs) +
                   ", the primary of " + series_of(ours),
               "run both on one release, or take `replica` out");
}

Result<void> check_replication(Connection& replica, uint32_t server) {
  SYN_TRY(Answer row, ask(replica, "SHOW ALL SLAVES STATUS", "SLAVE MONITOR"));
  if (!row.next()) {
    return unfit(replica, "it replicates from no server: it was promoted, or never was a replica",
                 std::string(kFixUrl) + "; behind a takeover the new primary in `url`");
  }
  if (row.row_count() > 1) {
    return unfit(replica, "it replicates from several servers, which may all write the same rows",
                 "name one in `replica` that replicates from the server of `url` alone");
  }
  SYN_TRY(check_running(replica, row));
  SYN_TRY(check_primary(replica, row, server));
  if (row.text_of("Using_Gtid") == "No") {
    return unfit(replica, "it replicates without GTIDs, so how far it is cannot be told",
                 "there: STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = slave_pos; START SLAVE;");
  }
  for (const char* filter : kFilters) {
    const std::string_view what = row.text_of(filter);
    if (what.empty()) continue;
    return unfit(
        replica,
        "it does not replicate everything: " + std::string(filter) + " is " + std::string(what),
        "take the filter out and make the replica anew, or name another one");
  }
  const std::string_view delay_s = row.text_of("SQL_Delay");
  if (delay_s.empty() || delay_s == "0") return success();
  return unfit(replica, "it stays " + std::string(delay_s) + " s behind on purpose (MASTER_DELAY)",
               "name one that does not, or take `replica` out");
}

Result<void> check_writers(Connection& primary, Connection& replica) {
  std::string names = "SELECT @@global.server_id, @@global.gtid_binlog_state";
  for (const CopySetting& setting : kCopySettings) {
    names += std::string(", @@global.") + setting.name;
  }
  SYN_TRY(Answer row, replica.query(names));
  row.next();
  for (size_t i = 0; i < std::size(kCopySettings); ++i) {
    const CopySetting& setting = kCopySettings[i];
    if (row.text(2 + i) == setting.wanted) continue;
    return unfit(
        replica,
        std::string(setting.name) + " is " + std::string(row.text(2 + i)) + ": " + setting.why,
        setting.fix != nullptr ? setting.fix
                               : "there: SET GLOBAL " + std::string(setting.name) + " = " +
                                     setting.wanted + "; and in that server's config");
  }
  const auto number = static_cast<uint32_t>(row.integer(0));
  auto own = parse_gtids(row.text(1));
  std::erase_if(own, [&](const Gtid& gtid) { return gtid.server != number; });
  if (own.empty()) return success();
  SYN_TRY(const std::string state, primary.query_text("SELECT @@global.gtid_binlog_state"));
  const auto known = parse_gtids(state);
  for (const Gtid& gtid : own) {
    const bool is_known = std::any_of(known.begin(), known.end(), [&](const Gtid& ours) {
      return ours.domain == gtid.domain && ours.server == gtid.server &&
             ours.sequence >= gtid.sequence;
    });
    if (is_known) continue;
    return unfit(replica,
                 "somebody has written to it: transaction " + to_string(gtid) +
                     " of its own is not on the primary",
                 "make the replica anew from the primary; if its rows are the same all the same, "
                 "RESET MASTER there forgets that it wrote");
  }
  return success();
}

Result<void> check_rights(Connection& primary) {
  const auto rows = ask(primary, "SHOW MASTER STATUS", "BINLOG MONITOR");
  if (!rows) return rows.error();
  return success();
}

Result<bool> is_same_table(Connection& replica, const Mapped& mapped, Charsets& charsets) {
  const auto locked = replica.run("SELECT 1 FROM " + quoted_name(mapped.table.name) + " LIMIT 0");
  if (!locked && locked.error().code == ErrorCode::kSystemSchema) return false;
  if (!locked) return locked.error();
  const auto theirs = read_mapped(replica, *mapped.mapping, charsets);
  if (!theirs && is_of_table(theirs.error())) return false;
  if (!theirs) return theirs.error();
  return theirs.value().table.engine == mapped.table.engine &&
         is_same_shape(mapped, theirs.value());
}

Error other_table(const Connection& replica, const Mapped& mapped) {
  return unfit(replica, "its table " + mapped.table.name + " is another than the primary's",
               "SHOW CREATE TABLE " + quoted_name(mapped.table.name) +
                   " on both shows where; make them the same");
}

// Without gtid_strict_mode, the numbers of two servers in one domain tell nothing of each other.
bool covers(std::string_view have, std::string_view wanted) {
  const auto known = parse_gtids(have);
  const auto all = parse_gtids(wanted);
  return std::all_of(all.begin(), all.end(), [&](const Gtid& one) {
    return std::any_of(known.begin(), known.end(), [&](const Gtid& gtid) {
      return gtid.domain == one.domain && gtid.server == one.server &&
             gtid.sequence >= one.sequence;
    });
  });
}

}  // namespace syncline::mariadb
