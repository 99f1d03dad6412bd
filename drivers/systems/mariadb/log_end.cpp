// Where the log ends, and snapshots that see all that it has shown.
#include <cctype>

#include "drivers/systems/mariadb/detail/reads.hpp"

namespace syncline::mariadb {
namespace {

constexpr int kSeeTriesMax = 200;  // of 10 ms each
constexpr const char* kPause = "DO SLEEP(0.01)";

auto no_log(const Connection& connection) {
  return fail(ErrorCode::kSystemOpen, connection.place() + " writes no binary log",
              "log_bin is off", "set log_bin in the server's config and restart it");
}

auto not_visible_yet(const Connection& connection) {
  return fail(ErrorCode::kSystemBusy, connection.place() + " does not show yet what its log says",
              "a commit waits for a replica", "nothing: it is tried again");
}

Result<LogEnd> written_end(Connection& connection) {
  const bool is_renamed = connection.kind().version >= kMysql82;
  SYN_TRY(Answer row,
          connection.query(is_renamed ? "SHOW BINARY LOG STATUS" : "SHOW MASTER STATUS"));
  if (!row.next()) return no_log(connection);
  const auto name = parse_file_name(row.text(0));
  if (!name) return no_log(connection);
  return LogEnd{*name, static_cast<uint64_t>(row.integer(1))};
}

// "3e11fa47-...:23#14:24#15" is 3e11fa47-...:23:24, owned by sessions 14 and 15.
std::string without_owners(std::string_view owned) {
  std::string gtids;
  bool is_owner = false;
  for (const char letter : owned) {
    const bool is_digit = std::isdigit(static_cast<unsigned char>(letter)) != 0;
    is_owner = letter == '#' || (is_owner && is_digit);
    if (!is_owner && std::isspace(static_cast<unsigned char>(letter)) == 0) gtids += letter;
  }
  return gtids;
}

// A transaction is in the log before it is visible. From then until it is, its GTID is owned by its
// session: those that are owned now are waited for.
Result<void> wait_visible(Connection& connection) {
  SYN_TRY(const std::string owned, connection.query_text("SELECT @@global.gtid_owned"));
  const std::string gtids = without_owners(owned);
  for (int attempt = 0; attempt < kSeeTriesMax; ++attempt) {
    if (gtids.empty()) return success();
    SYN_TRY(const std::string is_done,
            connection.query_text("SELECT GTID_SUBSET(" + literal(gtids) +
                                  ", @@global.gtid_executed)"));
    if (is_done == "1") return success();
    SYN_TRY(connection.run(kPause));
  }
  return not_visible_yet(connection);
}

}  // namespace

Result<void> check_log(Connection& connection) {
  if (auto unread = unread_log(connection.kind(), connection.place())) return *unread;
  if (!connection.kind().is_mysql()) return success();
  SYN_TRY(const std::string mode, connection.query_text("SELECT @@global.gtid_mode"));
  if (mode == "ON") return success();
  return fail(ErrorCode::kSystemOpen, connection.place() + " has gtid_mode " + mode,
              "only by GTIDs the server tells whether what its log says is visible yet",
              "`syncline doctor` prints how to set it while the server runs");
}

Result<LogEnd> log_end(Connection& connection) {
  SYN_TRY(Answer rows, connection.query("SHOW STATUS LIKE 'binlog_snapshot_%'"));
  LogEnd end;
  while (rows.next()) {
    if (rows.text(0) == "Binlog_snapshot_position") {
      end.offset = static_cast<uint64_t>(rows.integer(1));
    } else if (rows.text(0) == "Binlog_snapshot_file") {
      if (const auto name = parse_file_name(rows.text(1))) end.file = *name;
    }
  }
  if (end.file.number > 0) return end;
  return no_log(connection);
}

Result<LogEnd> read_log_end(Connection& connection) {
  if (connection.kind().is_mysql()) return written_end(connection);
  ReadTransaction transaction(connection);
  SYN_TRY(transaction.begin());
  return log_end(connection);
}

Result<Place> begin_seeing(Connection& connection, ReadTransaction& transaction, Place shown) {
  if (connection.kind().is_mysql()) {
    SYN_TRY(wait_visible(connection));
    SYN_TRY(transaction.begin());
    return shown;
  }
  for (int attempt = 0; attempt < kSeeTriesMax; ++attempt) {
    SYN_TRY(transaction.begin());
    SYN_TRY(const LogEnd end, log_end(connection));
    const Place seen{shown.turn, end.file.number, end.offset};
    if (seen > shown) return seen;
    transaction.end();
    SYN_TRY(connection.run(kPause));
  }
  return not_visible_yet(connection);
}

}  // namespace syncline::mariadb
