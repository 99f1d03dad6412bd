#include "drivers/systems/mariadb/detail/objects.hpp"

#include <cstdio>

namespace syncline::mariadb {
namespace {

constexpr int kEndSeconds = 20;

// Names are bytes, so that the server's collations have no say in whose row is whose.
const std::string kCreate =
    std::string("CREATE TABLE IF NOT EXISTS ") + kCheckpoint +
    "(appliance VARBINARY(255) NOT NULL, `system` VARBINARY(255) NOT NULL, epoch BIGINT UNSIGNED "
    "NOT NULL, stream BIGINT UNSIGNED NOT NULL, lane INT UNSIGNED NOT NULL, seq BIGINT UNSIGNED "
    "NOT "
    "NULL, PRIMARY KEY (appliance, `system`, epoch, stream, lane)) ENGINE = InnoDB";

Result<bool> is_there(Connection& connection, const std::string& sql) {
  SYN_TRY(const Answer answer, connection.query(sql));
  return answer.row_count() > 0;
}

const std::string kIsInstalled =
    std::string(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND "
        "TABLE_NAME = '") +
    kCheckpoint + "'";

}  // namespace

std::string Shared::lock_name() const {
  const model::KeyHash hash =
      model::hash_key(config.appliance + "/" + config.name + "/" + endpoint.database);
  char digits[40];
  std::snprintf(digits, sizeof digits, "%016llx%016llx", static_cast<unsigned long long>(hash.high),
                static_cast<unsigned long long>(hash.low));
  return std::string("syncline_") + digits;
}

Result<void> install_checkpoint(Connection& connection) {
  SYN_TRY(const bool is_installed, is_there(connection, kIsInstalled));
  if (is_installed) return success();
  return connection.run(kCreate);
}

std::string our_rows(const Shared& shared) {
  return " WHERE appliance = " + literal(shared.config.appliance) +
         " AND `system` = " + literal(shared.config.name);
}

Result<void> end_session(Connection& connection, const Shared& shared) {
  const std::string lock = literal(shared.lock_name());
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

Result<void> claim_session(Connection& connection, const Shared& shared) {
  const std::string claim = "SELECT GET_LOCK(" + literal(shared.lock_name()) + ", 0)";
  SYN_TRY(std::string got, connection.query_text(claim));
  if (got == "1") return success();
  SYN_TRY(end_session(connection, shared));
  SYN_TRY(got, connection.query_text(claim));
  if (got == "1") return success();
  return fail(ErrorCode::kSystemBusy, "another session of ours writes to " + connection.place(),
              "another appliance has this one's name", "stop the other one");
}

Result<std::vector<std::string>> installed_objects(Connection& connection) {
  SYN_TRY(const bool is_installed, is_there(connection, kIsInstalled));
  std::vector<std::string> objects;
  if (is_installed) objects.push_back(std::string("table ") + kCheckpoint);
  return objects;
}

// The checkpoint table goes with the last appliance that uses it.
Result<std::vector<std::string>> remove_objects(Connection& connection, const Shared& shared) {
  SYN_TRY(auto objects, installed_objects(connection));
  SYN_TRY(end_session(connection, shared));
  if (objects.empty()) return objects;
  SYN_TRY(connection.run(std::string("DELETE FROM ") + kCheckpoint + our_rows(shared)));
  SYN_TRY(const bool is_used,
          is_there(connection, std::string("SELECT 1 FROM ") + kCheckpoint + " LIMIT 1"));
  if (is_used) {
    objects[0] = "our rows of " + objects[0];
    return objects;
  }
  SYN_TRY(connection.run(std::string("DROP TABLE ") + kCheckpoint));
  return objects;
}

}  // namespace syncline::mariadb
