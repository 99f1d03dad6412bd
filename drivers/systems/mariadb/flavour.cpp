#include "drivers/systems/mariadb/detail/flavour.hpp"

#include <array>

namespace syncline::mariadb {
namespace {

// Values that are out of range are errors, never changed.
constexpr const char* kSqlMode =
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ZERO_DATE,NO_ZERO_IN_DATE,"
    "ERROR_FOR_DIVISION_BY_ZERO,NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION'";
constexpr const char* kCommon =
    "SET SESSION time_zone = '+00:00', autocommit = 1, sql_auto_is_null = 0, sql_select_limit = "
    "DEFAULT, wait_timeout = 2592000, completion_type = 'NO_CHAIN'";
constexpr const char* kIsolation = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";

constexpr std::array kMariadbSession = {kSqlMode, kCommon, kIsolation,
                                        "SET SESSION explicit_defaults_for_timestamp = 1"};
constexpr std::array kMysql56Session = {kSqlMode, kCommon, kIsolation};
// Estimates of rows as they are, not as they were a day ago.
constexpr std::array kMysql80Session = {kSqlMode, kCommon, kIsolation,
                                        "SET SESSION information_schema_stats_expiry = 0"};

// A write never waits behind a user, whose transaction might be the victim of the deadlock, and
// runs no referential actions, which are in no log. MySQL knows no wait below a second. A user's
// guarded trigger asks for @syncline.
constexpr const char* kMariadbWrites =
    "SET SESSION innodb_lock_wait_timeout = 0, lock_wait_timeout = 0, foreign_key_checks = 0, "
    "unique_checks = 1, max_statement_time = 0, @syncline = 1";
constexpr const char* kMysql56Writes =
    "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, foreign_key_checks = 0, "
    "unique_checks = 1, @syncline = 1";
constexpr const char* kMysql80Writes =
    "SET SESSION innodb_lock_wait_timeout = 1, lock_wait_timeout = 1, foreign_key_checks = 0, "
    "unique_checks = 1, max_execution_time = 0, @syncline = 1";

// The server tells when a transaction began as a local time, in whole seconds. Where the clock is
// set back, an hour comes twice: of the two the earlier one is taken.
constexpr const char* kMariadbOldest =
    "SET STATEMENT time_zone = 'SYSTEM' FOR SELECT CAST(min(unix_timestamp(trx_started) - "
    "IF(from_unixtime(unix_timestamp(trx_started) - 3600) = trx_started, 3600, 0)) * 1000000 AS "
    "INT) FROM information_schema.INNODB_TRX";
constexpr const char* kMysqlOldest =
    "SELECT CAST(min(at - IF(CONVERT_TZ(from_unixtime(at - 3600), '+00:00', 'SYSTEM') = local, "
    "3600, 0)) * 1000000 AS SIGNED) FROM (SELECT trx_started AS local, "
    "unix_timestamp(CONVERT_TZ(trx_started, 'SYSTEM', '+00:00')) AS at FROM "
    "information_schema.INNODB_TRX) AS open_ones";

constexpr const char* kNoWait = " FOR UPDATE NOWAIT";
constexpr const char* kWait = " FOR UPDATE";
constexpr const char* kGeneration = "c.GENERATION_EXPRESSION";

constexpr uint32_t kMysql56 = 50'600;
constexpr uint32_t kMysql57 = 50'703;

// The last that fits a server is its own.
constexpr std::array kDialects = {
    Dialect{Flavour::kMariadb, 0, "MariaDB", kMariadbSession, kMariadbWrites,
            "SET SESSION lock_wait_timeout = 20, max_statement_time = 0", kGeneration, true,
            kNoWait, true, kMariadbOldest},
    Dialect{Flavour::kMysql, kMysql56, "MySQL", kMysql56Session, kMysql56Writes,
            "SET SESSION lock_wait_timeout = 20", "''", false, kWait, false, kMysqlOldest},
    Dialect{Flavour::kMysql, kMysql57, "MySQL", kMysql56Session, kMysql56Writes,
            "SET SESSION lock_wait_timeout = 20", kGeneration, false, kWait, true, kMysqlOldest},
    Dialect{Flavour::kMysql, kMysql80, "MySQL", kMysql80Session, kMysql80Writes,
            "SET SESSION lock_wait_timeout = 20, max_execution_time = 0", kGeneration, false,
            kNoWait, true, kMysqlOldest},
};

}  // namespace

Result<ServerKind> kind_of_server(Flavour flavour, uint32_t version, std::string text,
                                  const std::string& place) {
  ServerKind kind{nullptr, version, std::move(text)};
  for (const Dialect& dialect : kDialects) {
    if (dialect.flavour == flavour && dialect.version <= version) kind.dialect = &dialect;
  }
  if (kind.dialect != nullptr) return kind;
  return fail(ErrorCode::kSystemOpen, place + " is a server that is not spoken to",
              "it says that it is " + kind.text, "name a MariaDB, or a MySQL from 5.6 on");
}

std::optional<Error> unread_log(const ServerKind& kind, const std::string& place) {
  if (!kind.is_mysql()) return std::nullopt;
  std::string why;
  if (kind.version < kMysql80) {
    why = "a log of MySQL before 8.0 does not tell which column is which";
  } else if (kind.version >= kMysql90) {
    why = "this version knows the logs of MySQL 8.0 and 8.4";
  } else {
    return std::nullopt;
  }
  return Error{ErrorCode::kSystemOpen,
               "the log of " + place + ", a MySQL " + kind.text + ", is not read", std::move(why),
               "capture = \"scan\" or \"poll\" in the system's section reads its tables instead"};
}

}  // namespace syncline::mariadb
