#include "host/app/systems.hpp"

#include "drivers/systems/mariadb/mariadb.hpp"
#include "drivers/systems/postgres/postgres.hpp"
#include "drivers/systems/sqlite/sqlite.hpp"

namespace syncline::app {
namespace {

// SQLite cannot keep a user's triggers from firing on our writes, and cascades show in its log.
config::SystemKind sqlite_offer() {
  return {"sqlite", {"log", "scan"}, {"fire"}, {"derive"}, false};
}

// What cascades write shows in its log, and our writes run none where that right is granted.
config::SystemKind postgres_offer() {
  return {"postgres", {"log"}, {"suppress", "fire"}, {"derive"}, true};
}

// Triggers fire for our writes, which a dataset must accept; what cascades write is in no log.
config::SystemKind mariadb_offer() {
  return {"mariadb", {"log"}, {"suppress", "fire"}, {"refuse"}};
}

}  // namespace

const std::vector<SystemRow>& system_table() {
  static const std::vector<SystemRow> kTable = {
      {"sqlite", {"sqlite"}, sqlite::make_sqlite, sqlite_offer},
      {"postgres", {"postgres", "postgresql"}, postgres::make_postgres, postgres_offer},
      {"mariadb", {"mariadb", "mysql"}, mariadb::make_mariadb, mariadb_offer},
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
