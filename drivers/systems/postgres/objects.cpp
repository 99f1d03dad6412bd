#include "drivers/systems/postgres/detail/objects.hpp"

#include <algorithm>
#include <cstdio>

#include "drivers/systems/postgres/detail/origins.hpp"
#include "host/model/ids.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kNameMax = 55;    // with "/source" behind it, a session's name still fits in 63
constexpr size_t kNumberSize = 9;  // "_1a2b3c4d"
constexpr int kEndTriesMax = 100;
constexpr std::string_view kSlotPatience = "'30s'";
constexpr std::string_view kCanceled = "57014";

// Moved by every transaction of ours: room on its pages keeps those moves in place (HOT). bucket is
// seq / 4,096: while somebody holds an old snapshot, the versions of a row pile up under its key,
// and each move looks at all of them; so the key moves on from time to time, and leaves them
// behind.
constexpr const char* kCreate =
    "CREATE SCHEMA IF NOT EXISTS syncline; CREATE TABLE IF NOT EXISTS syncline.syncline_checkpoint("
    "appliance text NOT NULL, system text NOT NULL, epoch bigint NOT NULL, stream bigint NOT NULL, "
    "lane integer NOT NULL, seq bigint NOT NULL, quiet boolean NOT NULL DEFAULT false, "
    "bucket bigint NOT NULL DEFAULT 0, PRIMARY KEY (appliance, system, epoch, stream, lane, "
    "bucket)) WITH (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, "
    "autovacuum_vacuum_threshold = 1000)";

// Rows live for a moment: written by a transaction of ours, removed by a later one.
constexpr const char* kCreateEcho =
    "CREATE TABLE IF NOT EXISTS syncline.syncline_echo(number bigint GENERATED ALWAYS AS IDENTITY, "
    "appliance text NOT NULL, system text NOT NULL, dataset bigint NOT NULL, key bytea NOT NULL, "
    "image bytea NOT NULL, PRIMARY KEY (appliance, system, number)) WITH "
    "(autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000)";

Result<bool> is_there(Connection& connection, const std::string& sql) {
  SYN_TRY(const Answer answer, connection.query(sql));
  return answer.row_count() > 0;
}

Result<bool> is_table(Connection& connection, const std::string& name) {
  return is_there(connection, "SELECT 1 WHERE to_regclass('" + name + "') IS NOT NULL");
}

}  // namespace

std::string object_name(const std::string& appliance, const std::string& system) {
  std::string name = "syncline_" + appliance + "_" + system;
  const uint32_t number = model::stable_id(appliance + "/" + system);
  bool is_changed = name.size() > kNameMax || appliance.find('_') != std::string::npos;
  for (char& letter : name) {
    const bool is_plain =
        (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_';
    if (is_plain) continue;
    is_changed = true;
    letter = letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : '_';
  }
  if (!is_changed) return name;
  char suffix[kNumberSize + 1];
  std::snprintf(suffix, sizeof suffix, "_%08x", number);
  name.resize(std::min(name.size(), kNameMax - kNumberSize));
  return name + suffix;
}

Result<void> install_checkpoint(Connection& connection) {
  SYN_TRY(const bool is_installed, is_table(connection, kCheckpoint));
  if (!is_installed) return connection.run(kCreate);
  SYN_TRY(const bool is_of_now,
          is_there(connection,
                   "SELECT 1 FROM pg_attribute WHERE attname = 'bucket' AND attrelid = "
                   "to_regclass('" +
                       std::string(kCheckpoint) + "')"));
  if (is_of_now) return success();
  SYN_TRY(const Answer key,
          connection.query("SELECT conname FROM pg_constraint WHERE contype = 'p' AND conrelid = "
                           "to_regclass('" +
                           std::string(kCheckpoint) + "')"));
  const std::string drop =
      key.row_count() == 0 ? "" : "DROP CONSTRAINT " + quoted_name(key.text(0, 0)) + ", ";
  const std::string mend =
      "ALTER TABLE " + std::string(kCheckpoint) +
      " ADD COLUMN IF NOT EXISTS quiet boolean NOT NULL DEFAULT false, ADD COLUMN IF NOT EXISTS "
      "bucket bigint NOT NULL DEFAULT 0, " +
      drop +
      "ADD PRIMARY KEY (appliance, system, epoch, stream, lane, bucket), REPLICA IDENTITY DEFAULT";
  // Not for long behind a user's dump: whoever else writes here would wait behind us.
  auto mended = connection.run("SET lock_timeout = '200ms'; " + mend);
  SYN_TRY(connection.run("RESET lock_timeout"));
  if (mended) return success();
  Error error = std::move(mended).error();
  error.what = "the table " + std::string(kCheckpoint) + " is of an earlier version: " + error.what;
  error.fix = "as its owner: " + mend + ";";
  return error;
}

Result<void> install_echo(Connection& connection) {
  SYN_TRY(const bool is_installed, is_table(connection, kEcho));
  if (is_installed) return success();
  return connection.run(kCreateEcho);
}

Result<Slot> find_slot(Connection& connection, const std::string& name) {
  SYN_TRY(const Answer rows,
          connection.query("SELECT coalesce(wal_status, '') FROM pg_replication_slots WHERE "
                           "slot_name = " +
                           literal(name)));
  if (rows.row_count() == 0) return Slot::kMissing;
  return rows.text(0, 0) == "lost" ? Slot::kLost : Slot::kUsable;
}

// From 17 on a failover slot, so that a standby that takes over has it too.
Result<void> create_slot(Connection& connection, const std::string& name) {
  SYN_TRY(const std::string level, connection.query_text("SHOW wal_level"));
  if (level != "logical") {
    return fail(ErrorCode::kSystemOpen, connection.place() + " writes no logical log",
                "wal_level is " + level,
                "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
  }
  const std::string more = connection.version() >= kFailoverSlots ? ", false, false, true" : "";
  SYN_TRY(connection.run("SET statement_timeout = " + std::string(kSlotPatience)));
  const auto made = connection.query("SELECT pg_create_logical_replication_slot(" + literal(name) +
                                     ", 'pgoutput'" + more + ")");
  if (made) return connection.run("RESET statement_timeout");
  if (connection.sqlstate() != kCanceled) return made.error();
  return fail(ErrorCode::kSystemBusy, connection.place() + " cannot begin a log for us yet",
              "it waits for all transactions that were open before",
              "SELECT pid, xact_start, query FROM pg_stat_activity WHERE xact_start IS NOT NULL "
              "ORDER BY xact_start; end those, or start again later");
}

Result<void> drop_slot(Connection& connection, const std::string& name) {
  SYN_TRY(
      connection.query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
                       "WHERE slot_name = " +
                       literal(name)));
  return success();
}

Result<uint64_t> retained_log(Connection& connection, const std::string& name) {
  SYN_TRY(const Answer row,
          connection.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint FROM "
                           "pg_replication_slots WHERE slot_name = " +
                           literal(name)));
  return row.row_count() == 0 ? 0 : static_cast<uint64_t>(row.integer(0, 0));
}

// A slot cannot let go what the oldest writing transaction of the whole server began in; prepared
// ones count, too.
Result<std::string> find_log_holder(Connection& connection) {
  SYN_TRY(
      const Answer row,
      connection.query(
          "SELECT who, extract(epoch FROM now() - since)::bigint, (SELECT rolsuper OR "
          "pg_has_role('pg_read_all_stats', 'USAGE') FROM pg_roles WHERE rolname = "
          "current_user) FROM (SELECT 1) one LEFT JOIN (SELECT 'pid ' || pid || ' of role ' || "
          "coalesce(usename, backend_type) AS who, xact_start AS since FROM pg_stat_activity WHERE "
          "backend_xid IS NOT "
          "NULL AND pid <> pg_backend_pid() UNION ALL SELECT 'prepared transaction ' || "
          "quote_literal(gid) || ' of role ' || owner, prepared FROM pg_prepared_xacts ORDER BY "
          "since LIMIT 1) oldest ON since < now() - interval '2 s'"));
  if (!row.is_null(0, 0)) {
    return "the oldest open transaction that writes is that of " + std::string(row.text(0, 0)) +
           ", open for " + std::to_string(row.integer(0, 1)) +
           " s: until it ends, the server keeps "
           "the log since its beginning";
  }
  if (row.is_true(0, 2)) return std::string();
  return std::string(
      "an open transaction may hold it; to see those of others, GRANT pg_read_all_stats TO our "
      "role");
}

Result<void> end_sessions(Connection& connection, const std::string& sessions) {
  const std::string ours = " FROM pg_stat_activity WHERE application_name ~ " +
                           literal("^(" + sessions + ")$") +
                           " AND usename = current_user AND pid <> pg_backend_pid()";
  for (int attempt = 0; attempt < kEndTriesMax; ++attempt) {
    SYN_TRY(const Answer ended, connection.query("SELECT pg_terminate_backend(pid)" + ours));
    if (ended.row_count() == 0) return success();
    SYN_TRY(connection.query("SELECT pg_sleep(0.05)"));
  }
  return fail(ErrorCode::kSystemBusy,
              "an earlier session of ours in " + connection.place() + " does not end",
              "its outcome is not known while it lives", "nothing: it is tried again");
}

Result<std::vector<std::string>> installed_objects(Connection& connection, const Shared& shared) {
  const std::string name = literal(shared.object);
  SYN_TRY(const Answer rows,
          connection.query(
              "SELECT 'slot ' || slot_name FROM pg_replication_slots WHERE slot_name = " + name +
              " UNION ALL SELECT 'publication ' || pubname FROM pg_publication "
              "WHERE pubname = " +
              name + " UNION ALL SELECT 'origin ' || roname FROM pg_replication_origin o WHERE " +
              is_ours(shared.object) + " UNION ALL SELECT 'table ' || t FROM unnest(ARRAY['" +
              kCheckpoint + "', '" + kEcho +
              "']) AS t WHERE t IN (SELECT 'syncline.' || c.relname FROM pg_class c JOIN "
              "pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'syncline')"));
  std::vector<std::string> objects;
  objects.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) objects.emplace_back(rows.text(row, 0));
  return objects;
}

// The checkpoint table goes with the last appliance that uses it.
Result<std::vector<std::string>> remove_objects(Connection& connection, const Shared& shared) {
  SYN_TRY(auto objects, installed_objects(connection, shared));
  SYN_TRY(end_sessions(connection, shared.session("source")));
  SYN_TRY(end_sessions(connection, shared.writers()));
  SYN_TRY(drop_slot(connection, shared.object));
  SYN_TRY(drop_origins(connection, shared.object));
  SYN_TRY(connection.run("DROP PUBLICATION IF EXISTS " + quoted_name(shared.object)));
  const std::string ours = " WHERE appliance = " + literal(shared.config.appliance) +
                           " AND system = " + literal(shared.config.name);
  const auto has = [&](const std::string& table) {
    return std::find(objects.begin(), objects.end(), "table " + table) != objects.end();
  };
  if (has(kEcho)) {
    SYN_TRY(connection.query(std::string("DELETE FROM ") + kEcho + ours));
  }
  if (!has(kCheckpoint)) return objects;
  SYN_TRY(connection.query(std::string("DELETE FROM ") + kCheckpoint + ours));
  SYN_TRY(const bool is_used,
          is_there(connection, std::string("SELECT 1 FROM ") + kCheckpoint +
                                   " UNION ALL SELECT 1 FROM pg_publication_tables WHERE "
                                   "schemaname = 'syncline'"));
  if (is_used) {
    for (std::string& object : objects) {
      if (object.starts_with("table ")) object.insert(0, "our rows of ");
    }
    return objects;
  }
  SYN_TRY(connection.run(std::string("DROP TABLE IF EXISTS ") + kEcho + "; DROP TABLE " +
                         kCheckpoint + "; DROP SCHEMA syncline"));
  objects.emplace_back("schema syncline");
  return objects;
}

}  // namespace syncline::postgres
