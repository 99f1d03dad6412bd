#include "host/app/systems.hpp"

#include "drivers/systems/mariadb/mariadb.hpp"
#include "drivers/systems/postgres/postgres.hpp"
#include "drivers/systems/sqlite/sqlite.hpp"

namespace syncline::app {
namespace {

// SQLite cannot keep a user's triggers from firing on our writes, and cascades show in its log.
config::SystemKind sqlite_offer() {
  return {"sqlite", {"log", "scan"}, {"fire", "guarded"}, {"derive"}, false};
}

// What cascades write shows in its log, and our writes run none where that right is granted.
config::SystemKind postgres_offer() {
  return {"postgres",
          {"log", "scan", "poll"},
          {"suppress", "fire", "guarded"},
          {"derive"},
          true,
          ports::kWriteConnectionsMax,
          true};
}

// Triggers fire for our writes, which a dataset must accept; what cascades write is in no log, and
// is made up where it is asked for.
config::SystemKind mariadb_offer() {
  return {"mariadb",
          {"log", "scan", "poll"},
          {"suppress", "fire", "guarded"},
          {"refuse", "derive"},
          false,
          ports::kWriteConnectionsMax,
          true};
}

std::string sqlite_finer_key(const std::string& table, const ports::ColumnInfo& column) {
  return "make table " + table + " anew with " + column.name + " " + column.native_type +
         " COLLATE BINARY";
}

std::string postgres_finer_key(const std::string& table, const ports::ColumnInfo& column) {
  return "ALTER TABLE " + table + " ALTER COLUMN \"" + column.name + "\" TYPE text COLLATE \"C\";";
}

std::string mariadb_finer_key(const std::string& table, const ports::ColumnInfo& column) {
  return "ALTER TABLE `" + table + "` MODIFY `" + column.name + "` " + column.native_type +
         " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL;";
}

}  // namespace

const std::vector<SystemRow>& system_table() {
  static const std::vector<SystemRow> kTable = {
      {"sqlite", {"sqlite"}, sqlite::make_sqlite, sqlite_offer, sqlite_finer_key},
      {"postgres",
       {"postgres", "postgresql"},
       postgres::make_postgres,
       postgres_offer,
       postgres_finer_key},
      {"mariadb", {"mariadb", "mysql"}, mariadb::make_mariadb, mariadb_offer, mariadb_finer_key},
  };
  return kTable;
}

Result<ports::System> make_system(const std::string& kind, const ports::SystemConfig& config,
                                  Clock& clock) {
  std::string known;
  for (const SystemRow& row : system_table()) {
    if (row.kind == kind) return row.make(config, clock);
    known += (known.empty() ? "" : ", ") + std::string(row.kind);
  }
  return fail(ErrorCode::kConfigValue,
              "system '" + config.name + "' is of an unknown kind '" + kind + "'",
              "this version knows: " + known, "set `kind` to one of these");
}

}  // namespace syncline::app
