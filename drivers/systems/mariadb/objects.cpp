#include "drivers/systems/mariadb/detail/objects.hpp"

#include <cstdio>

namespace syncline::mariadb {
namespace {

constexpr int kEndSeconds = 20;
constexpr const char* kMarkSuffix = "/replica";  // no system's name has a slash

// Names are bytes, so that the server's collations have no say in whose row is whose.
const std::string kCreate =
    std::string("CREATE TABLE IF NOT EXISTS ") + kCheckpoint +
    "(appliance VARBINARY(255) NOT NULL, `system` VARBINARY(255) NOT NULL, epoch BIGINT UNSIGNED "
    "NOT NULL, stream BIGINT UNSIGNED NOT NULL, lane INT UNSIGNED NOT NULL, seq BIGINT UNSIGNED "
    "NOT "
    "NULL, PRIMARY KEY (appliance, `system`, epoch, stream, lane)) ENGINE = InnoDB";

// Rows live for a moment: written by a transaction of ours, removed by a later one.
const std::string kCreateEcho =
    std::string("CREATE TABLE IF NOT EXISTS ") + kEcho +
    "(number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, appliance VARBINARY(255) NOT "
    "NULL, `system` VARBINARY(255) NOT NULL, dataset BIGINT UNSIGNED NOT NULL, `key` LONGBLOB NOT "
    "NULL, image LONGBLOB NOT NULL, KEY (appliance, `system`, number)) ENGINE = InnoDB";

Result<bool> is_there(Connection& connection, const std::string& sql) {
  SYN_TRY(const Answer answer, connection.query(sql));
  return answer.row_count() > 0;
}

Result<bool> is_table(Connection& connection, const std::string& name) {
  return is_there(connection,
                  "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
                  "TABLE_NAME = '" +
                      name + "'");
}

Result<void> end_session(Connection& connection, const Shared& shared, size_t place) {
  const std::string lock = literal(shared.lock_name(place));
  SYN_TRY(const std::string holder, connection.query_text("SELECT IS_USED_LOCK(" + lock + ")"));
  if (holder.empty()) return success();
  // It may end by itself in between; whether it has is what the lock says.
  (void)connection.run("KILL " + holder);
  SYN_TRY(const std::string got, connection.query_text("SELECT GET_LOCK(" + lock + ", " +
                                                       std::to_string(kEndSeconds) + ")"));
  if (got == "1") return connection.run("DO RELEASE_LOCK(" + lock + ")");
  return fail(ErrorCode::kSystemBusy,
              "an earlier session of ours in " + connection.place() + " does not end",
              "its outcome is not known while it lives", "nothing: it is tried again");
}

}  // namespace

std::string Shared::lock_name(size_t place) const {
  const model::KeyHash hash =
      model::hash_key(config.appliance + "/" + config.name + "/" + endpoint.database);
  char digits[40];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  const std::string number = place == 0 ? "" : "." + std::to_string(place + 1);
  return std::string("syncline_") + digits + number;
}

Result<void> install_checkpoint(Connection& connection) {
  SYN_TRY(const bool is_installed, is_table(connection, kCheckpoint));
  if (is_installed) return success();
  return connection.run(kCreate);
}

Result<void> install_echo(Connection& connection) {
  SYN_TRY(const bool is_installed, is_table(connection, kEcho));
  if (is_installed) return success();
  return connection.run(kCreateEcho);
}

std::string our_rows(const Shared& shared) {
  return " WHERE appliance = " + literal(shared.config.appliance) +
         " AND `system` = " + literal(shared.config.name);
}

std::string our_mark(const Shared& shared) {
  return " WHERE appliance = " + literal(shared.config.appliance) +
         " AND `system` = " + literal(shared.config.name + kMarkSuffix);
}

// Drawn first: as an expression a log of statements would draw it anew elsewhere.
Result<std::string> make_mark(Connection& connection, const Shared& shared) {
  SYN_TRY(const std::string drawn,
          connection.query_text("SELECT conv(left(md5(uuid()), 15), 16, 10)"));
  SYN_TRY(connection.run(std::string("INSERT INTO ") + kCheckpoint + " VALUES (" +
                         literal(shared.config.appliance) + ", " +
                         literal(shared.config.name + kMarkSuffix) + ", 0, 0, 0, " + drawn +
                         ") ON DUPLICATE KEY UPDATE seq = VALUES(seq)"));
  return drawn;
}

Result<void> end_sessions(Connection& connection, const Shared& shared) {
  std::string used;
  for (size_t place = 0; place < ports::kWriteConnectionsMax; ++place) {
    used += (place == 0 ? "SELECT " : ", ") + std::string("IS_USED_LOCK(") +
            literal(shared.lock_name(place)) + ")";
  }
  SYN_TRY(Answer holders, connection.query(used));
  if (!holders.next()) return success();
  for (size_t place = 0; place < ports::kWriteConnectionsMax; ++place) {
    if (holders.is_null(place)) continue;
    SYN_TRY(end_session(connection, shared, place));
  }
  return success();
}

Result<void> claim_session(Connection& connection, const Shared& shared, size_t place) {
  const std::string claim = "SELECT GET_LOCK(" + literal(shared.lock_name(place)) + ", 0)";
  SYN_TRY(std::string got, connection.query_text(claim));
  if (got == "1") return success();
  SYN_TRY(end_session(connection, shared, place));
  SYN_TRY(got, connection.query_text(claim));
  if (got == "1") return success();
  return fail(ErrorCode::kSystemBusy, "another session of ours writes to " + connection.place(),
              "another appliance has this one's name", "stop the other one");
}

Result<std::vector<std::string>> installed_objects(Connection& connection) {
  std::vector<std::string> objects;
  for (const char* name : {kCheckpoint, kEcho}) {
    SYN_TRY(const bool is_installed, is_table(connection, name));
    if (is_installed) objects.push_back(std::string("table ") + name);
  }
  return objects;
}

// A table goes with the last appliance that uses it.
Result<std::vector<std::string>> remove_objects(Connection& connection, const Shared& shared) {
  SYN_TRY(auto objects, installed_objects(connection));
  SYN_TRY(end_sessions(connection, shared));
  for (std::string& object : objects) {
    const std::string table = object.substr(object.find(' ') + 1);
    SYN_TRY(connection.run("DELETE FROM " + table + our_rows(shared)));
    SYN_TRY(connection.run("DELETE FROM " + table + our_mark(shared)));
    SYN_TRY(const bool is_used, is_there(connection, "SELECT 1 FROM " + table + " LIMIT 1"));
    if (is_used) {
      object.insert(0, "our rows of ");
    } else {
      SYN_TRY(connection.run("DROP TABLE " + table));
    }
  }
  return objects;
}

}  // namespace syncline::mariadb
