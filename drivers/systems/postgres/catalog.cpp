#include "drivers/systems/postgres/detail/catalog.hpp"

#include <algorithm>

#include "drivers/scan/findings.hpp"
#include "drivers/systems/postgres/detail/failover.hpp"
#include "drivers/systems/postgres/detail/indexes.hpp"
#include "drivers/systems/postgres/detail/numbering.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/origins.hpp"
#include "drivers/systems/postgres/detail/replica.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"
#include "drivers/systems/postgres/detail/snapshots.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "drivers/systems/postgres/detail/triggers.hpp"
#include "drivers/systems/postgres/detail/whole.hpp"

namespace syncline::postgres {
namespace {

using ports::Finding, ports::Severity;

constexpr int64_t kMebibyte = 1 << 20;
constexpr int64_t kRetainedBytesMax = 1024 * kMebibyte;
constexpr int64_t kMoreAtOnce = 10;  // than a limit of the server that is reached

ports::UniqueInfo unique_info(const Table& table, const UniqueSet& unique) {
  ports::UniqueInfo info;
  info.columns = unique.columns;
  for (const std::string& name : unique.columns) {
    const Column* column = table.find(name);
    info.equivalences.push_back(column == nullptr ? model::KeyEquivalence::kBytes
                                                  : column->equivalence);
  }
  info.are_nulls_equal = unique.are_nulls_equal;
  const std::string index = quoted_name(unique.index);
  info.drop = unique.is_constraint
                  ? "ALTER TABLE " + table.sql_name() + " DROP CONSTRAINT " + index + ";"
                  : "DROP INDEX " + quoted_name(table.schema) + "." + index + ";";
  return info;
}

ports::TableInfo table_info(const Table& table) {
  ports::TableInfo info;
  info.name = table.display_name();
  info.references = table.references;
  info.row_count = static_cast<uint64_t>(table.row_estimate);
  for (const Column& column : table.columns) {
    info.columns.push_back({column.name, logical_type_of(column.type), shown_name(column.type),
                            column.is_nullable, column.is_generated, column.equivalence,
                            other_type_of(column.type), is_understood_here_only(column.type)});
    info.columns.back().is_numbered = column.is_numbered || column.is_drawn;
  }
  for (const UniqueSet& unique : table.uniques) {
    const bool is_usable =
        std::all_of(unique.columns.begin(), unique.columns.end(), [&](const std::string& name) {
          const Column* column = table.find(name);
          return column != nullptr && !column->is_nullable;
        });
    if (is_usable) info.keys.push_back(unique.columns);
    info.uniques.push_back(unique_info(table, unique));
  }
  return info;
}

// Who owns our schema, where that keeps us from using it.
constexpr const char* kForeignSchema =
    "SELECT pg_get_userbyid(n.nspowner) FROM pg_namespace n LEFT JOIN pg_class c ON c.relnamespace "
    "= n.oid AND c.relname = 'syncline_checkpoint' WHERE n.nspname = 'syncline' AND NOT "
    "pg_has_role(n.nspowner, 'USAGE') AND NOT (has_schema_privilege(n.oid, 'USAGE') AND CASE WHEN "
    "c.oid IS NULL THEN has_schema_privilege(n.oid, 'CREATE') ELSE has_table_privilege(c.oid, "
    "'SELECT') AND has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') "
    "END)";

// Whether we may be there at all.
Result<void> find_in_server(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const Answer row,
          connection.query(
              "SELECT has_database_privilege(current_database(), 'CREATE'), pg_is_in_recovery(), "
              "current_user, current_database()"));
  const std::string role = quoted_name(row.text(0, 2));
  SYN_TRY(const std::string owner, connection.query_text(kForeignSchema));
  if (!owner.empty()) {
    out.push_back({Severity::kStops, "",
                   "the schema `syncline` belongs to role " + quoted_name(owner) +
                       ", and what is in it is not ours to use",
                   "GRANT " + quoted_name(owner) + " TO " + role + ";"});
  }
  if (!row.is_true(0, 0)) {
    out.push_back(
        {Severity::kStops, "",
         "role " + role + " may not create what we need, at first the schema `syncline`",
         "GRANT CREATE ON DATABASE " + quoted_name(row.text(0, 3)) + " TO " + role + ";"});
  }
  if (row.is_true(0, 1)) {
    out.push_back(
        {Severity::kStops, "", "the server is a standby and takes no writes", "name the primary"});
  }
  return success();
}

// What the server must be set to so that its log can be read, with the statement that sets it.
Result<void> find_in_log(Connection& connection, const Shared& shared, std::vector<Finding>& out) {
  SYN_TRY(
      const Answer row,
      connection.query(
          "SELECT current_setting('wal_level'), r.rolreplication OR r.rolsuper, "
          "current_setting('max_replication_slots')::int, (SELECT count(*) FROM "
          "pg_replication_slots WHERE slot_name <> " +
          literal(shared.object) +
          "), current_user, current_setting('max_slot_wal_keep_size'), "
          "current_setting('max_wal_senders')::int, (SELECT count(*) FROM pg_stat_replication "
          "WHERE application_name IS DISTINCT FROM " +
          literal(shared.session("source")) + ") FROM pg_roles r WHERE r.rolname = current_user"));
  const std::string role = quoted_name(row.text(0, 4));
  const auto stop = [&](std::string what, std::string fix) {
    out.push_back({Severity::kStops, "", std::move(what), std::move(fix)});
  };
  if (row.text(0, 0) != "logical") {
    stop("wal_level is " + std::string(row.text(0, 0)) + ": the log does not tell changes",
         "ALTER SYSTEM SET wal_level = 'logical'; then restart the server");
  }
  if (!row.is_true(0, 1)) {
    stop("role " + role + " may not replicate", "ALTER ROLE " + role + " REPLICATION;");
  }
  const auto want_more = [&](const std::string& setting, size_t at) {
    const int64_t limit = row.integer(0, at);
    if (row.integer(0, at + 1) < limit) return;
    stop("all that " + setting + " of the server allows are taken (" + std::to_string(limit) + ")",
         "ALTER SYSTEM SET " + setting + " = " + std::to_string(limit + kMoreAtOnce) +
             "; then restart the server");
  };
  want_more("max_replication_slots", 2);
  want_more("max_wal_senders", 6);
  if (row.text(0, 5) == "-1") {
    out.push_back(
        {Severity::kNote, "",
         "the server keeps its log for our slot without limit while the appliance is away",
         "ALTER SYSTEM SET max_slot_wal_keep_size = '64GB'; SELECT pg_reload_conf(); "
         "-- beyond it the slot is lost and a resync is needed"});
  }
  return success();
}

// By the category of the column's type, or its name; the rest has nothing that is sure to fit.
constexpr const char* kSomeDefault =
    "SELECT CASE t.typcategory WHEN 'N' THEN '0' WHEN 'S' THEN $$''$$ WHEN 'B' THEN 'false' WHEN "
    "'D' THEN 'now()' WHEN 'T' THEN $$'0'$$ WHEN 'A' THEN $$'{}'$$ WHEN 'R' THEN $$'empty'$$ WHEN "
    "'E' THEN (SELECT quote_literal(enumlabel) FROM pg_enum WHERE enumtypid = t.oid ORDER BY "
    "enumsortorder LIMIT 1) ELSE CASE t.typname WHEN 'uuid' THEN 'gen_random_uuid()' WHEN 'json' "
    "THEN $$'null'$$ WHEN 'jsonb' THEN $$'null'$$ WHEN 'bytea' THEN $$''$$ WHEN 'varbit' THEN "
    "$$''$$ WHEN 'bit' THEN CASE WHEN a.atttypmod > 0 THEN format('0::bit(%s)', a.atttypmod) END "
    "END END FROM pg_attribute a JOIN pg_type d ON d.oid = a.atttypid JOIN pg_type t ON t.oid = "
    "CASE WHEN d.typtype = 'd' THEN d.typbasetype ELSE d.oid END WHERE a.attrelid = $1::oid AND "
    "a.attname = $2";

Result<std::string> some_default(Connection& connection, const Table& table, const Column& column) {
  const Parameter parameters[] = {std::to_string(table.oid), column.name};
  SYN_TRY(const Answer row, connection.query(kSomeDefault, parameters));
  return row.row_count() == 0 ? std::string() : std::string(row.text(0, 0));
}

// What every new record lacks: neither synced, nor given by the database.
Result<void> find_unfilled(Connection& connection, const Mapped& mapped,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  const auto& synced = mapped.mapping->columns;
  const std::string alter = "ALTER TABLE " + mapped.table.sql_name() + " ALTER ";
  // A trigger that may fire for our writes can give it.
  const auto severity =
      mapped.mapping->triggers == "suppress" ? Severity::kStops : Severity::kWarning;
  for (const Column& column : mapped.table.columns) {
    if (column.is_nullable || column.has_default || column.is_generated) continue;
    if (std::find(synced.begin(), synced.end(), column.name) != synced.end()) continue;
    const std::string alter_column = alter + quoted_name(column.name);
    SYN_TRY(const std::string value, some_default(connection, mapped.table, column));
    std::string fix = alter_column;
    fix += " DROP NOT NULL; or ";
    if (!value.empty()) fix.append(alter_column).append(" SET DEFAULT ").append(value).append("; ");
    fix += value.empty() ? "a default, or sync it too" : "or another default, or sync it too";
    out.push_back({severity, mapped.schema->name,
                   "column " + column.name + " of " + mapped.table.display_name() +
                       " is NOT NULL without a default, and does not travel: every new record "
                       "would be refused",
                   std::move(fix)});
  }
  return success();
}

void find_rights(const Mapped& mapped, const std::string& role, std::vector<Finding>& out) {
  const std::string& dataset = mapped.schema->name;
  const std::string table = mapped.table.sql_name();
  const bool is_written = mapped.mapping->direction != ports::Direction::kFrom;
  if (!mapped.table.is_reachable) {
    out.push_back(
        {Severity::kStops, dataset,
         "role " + role + " may not use the schema of " + mapped.table.display_name(),
         "GRANT USAGE ON SCHEMA " + quoted_name(mapped.table.schema) + " TO " + role + ";"});
  }
  if (!mapped.table.is_readable || (is_written && !mapped.table.is_writable)) {
    const std::string rights = is_written ? "SELECT, INSERT, UPDATE, DELETE" : "SELECT";
    out.push_back({Severity::kStops, dataset,
                   "role " + role + " may not read " + (is_written ? "and write " : "") +
                       mapped.table.display_name(),
                   "GRANT " + rights + " ON " + table + " TO " + role + ";"});
  }
}

// What keeps us from seeing all that becomes of its records, or from writing them.
Result<void> find_problem(Connection& connection, const Mapped& mapped, std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  const bool is_read = mapping.direction != ports::Direction::kTo;
  const bool is_logged = is_read && mapping.capture == ports::Capture::kLog;
  std::vector<Error> problems;
  if (is_logged) {
    SYN_TRY(problems, log_problems(connection, mapped));
  } else if (auto hidden = hidden_problem(mapped)) {
    problems.push_back(std::move(*hidden));
  }
  for (const Error& problem : problems) {
    out.push_back({is_read ? Severity::kStops : Severity::kWarning, mapping.schema->name,
                   problem.what + ": " + problem.why, problem.fix});
  }
  if (is_logged || mapping.direction == ports::Direction::kFrom) return success();
  SYN_TRY(problems, shared_key_problems(connection, mapped));
  for (const Error& problem : problems) {
    out.push_back(
        {Severity::kStops, mapping.schema->name, problem.what + ": " + problem.why, problem.fix});
  }
  return success();
}

// How its rows will be read. REQUIRES: rights are found already.
Result<void> find_reads(Connection& connection, const Mapped& mapped, std::vector<Finding>& out) {
  if (!mapped.table.is_readable || !mapped.table.is_reachable) return success();
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (const auto filter = check_filter(connection, mapped); !filter) {
    const Error& error = filter.error();
    if (error.code != ErrorCode::kSystemSchema) return error;
    out.push_back(
        {Severity::kStops, mapping.schema->name, error.what + ": " + error.why, error.fix});
    return success();
  }
  if (mapping.capture == ports::Capture::kPoll && mapping.direction != ports::Direction::kTo) {
    SYN_TRY(find_poll(connection, mapped, out));
  }
  return find_indexes(connection, mapped, out);
}

// What comes where the server keeps more of its log for us than the config allows.
Result<std::string> at_the_limit(Connection& connection, const Shared& shared,
                                 uint64_t kept_bytes) {
  const auto mebibytes = [](uint64_t bytes) { return std::to_string(bytes >> 20) + " MiB"; };
  const uint64_t pause = shared.config.log_pause_bytes;
  if (shared.config.log_limit_bytes > 0) {
    return "; beyond log_limit (" + mebibytes(shared.config.log_limit_bytes) +
           ") the slot is dropped";
  }
  if (pause == 0) return std::string();
  if (kept_bytes <= pause) {
    return "; beyond log_limit (" + mebibytes(pause) + ") our writes there pause";
  }
  SYN_TRY(const std::string holder, find_log_holder(connection));
  return "; that is more than log_limit (" + mebibytes(pause) + "), so our writes there pause" +
         (holder.empty() ? "" : ": " + holder);
}

// How much of its log the server keeps for us, and whether that is alarming.
Result<void> find_retained_log(Connection& connection, const Shared& shared,
                               std::vector<Finding>& out) {
  SYN_TRY(const Answer row,
          connection.query("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint, "
                           "coalesce(wal_status, '') FROM pg_replication_slots WHERE slot_name = " +
                           literal(shared.object)));
  if (row.row_count() == 0) return success();
  const int64_t kept_bytes = row.integer(0, 0);
  const bool is_lost = row.text(0, 1) == "lost";
  const auto pause_bytes = static_cast<int64_t>(shared.config.log_pause_bytes);
  const bool is_much =
      kept_bytes > kRetainedBytesMax || (pause_bytes > 0 && kept_bytes > pause_bytes);
  const auto severity = is_lost ? Severity::kStops : is_much ? Severity::kWarning : Severity::kNote;
  SYN_TRY(
      const std::string limit,
      at_the_limit(connection, shared, static_cast<uint64_t>(std::max<int64_t>(0, kept_bytes))));
  out.push_back({severity, "",
                 "the server keeps " + std::to_string(kept_bytes / kMebibyte) +
                     " MiB of log for slot " + shared.object + " (" + std::string(row.text(0, 1)) +
                     ")" + limit,
                 is_lost ? "syncline resync --system " + shared.config.name
                         : "it goes as the appliance reads on; `syncline detach` gives it up"});
  return success();
}

Result<void> find_objects(Connection& connection, const Shared& shared, std::vector<Finding>& out) {
  SYN_TRY(const auto present, installed_objects(connection, shared));
  std::string missing;
  std::vector<std::string> wanted = {std::string("table ") + kCheckpoint};
  if (shared.is_scan) {
    wanted.push_back(std::string("table ") + kEcho);
  } else {
    wanted.push_back("publication " + shared.object);
    wanted.push_back("slot " + shared.object);
    for (size_t place = 0; place < shared.config.write_connections; ++place) {
      SYN_TRY(const std::string origin, wanted_origin(connection, shared.object, place));
      if (!origin.empty()) wanted.push_back("origin " + origin);
    }
  }
  for (const std::string& object : wanted) {
    if (std::find(present.begin(), present.end(), object) != present.end()) continue;
    missing += (missing.empty() ? "" : ", ") + object;
  }
  if (missing.empty()) return success();
  out.push_back({Severity::kNote, "",
                 "Syncline will create in " + connection.place() + ": " + missing,
                 "nothing; `syncline detach` removes all of it"});
  return success();
}

}  // namespace

Result<std::vector<ports::TableInfo>> PostgresCatalog::tables() {
  SYN_TRY(auto connection, Connection::open(shared_->access("look"), Purpose::kSql));
  SYN_TRY(const auto tables, read_tables(*connection));
  std::vector<ports::TableInfo> infos;
  for (const Table& table : tables) infos.push_back(table_info(table));
  return infos;
}

Result<std::vector<Finding>> PostgresCatalog::findings() {
  SYN_TRY(auto connection, Connection::open(shared_->access("look"), Purpose::kSql));
  std::vector<Finding> out;
  SYN_TRY(find_in_server(*connection, out));
  SYN_TRY(find_oldest_snapshot(*connection, shared_->object, out));
  if (!shared_->is_scan) {
    SYN_TRY(find_in_log(*connection, *shared_, out));
    SYN_TRY(find_failover(*connection, out));
    SYN_TRY(find_needless_echoes(*connection, shared_->object, out));
  }
  SYN_TRY(const Triggers triggers, suppress_triggers(*connection));
  SYN_TRY(const std::string user, connection->query_text("SELECT current_user"));
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    auto mapped = read_mapped(*connection, mapping);
    if (!mapped) {
      const Error& error = mapped.error();
      out.push_back(
          {Severity::kStops, mapping.schema->name, error.what + ": " + error.why, error.fix});
      continue;
    }
    SYN_TRY(find_problem(*connection, mapped.value(), out));
    find_rights(mapped.value(), quoted_name(user), out);
    scan::find_unseen(mapping, out);
    SYN_TRY(find_reads(*connection, mapped.value(), out));
    SYN_TRY(find_unfilled(*connection, mapped.value(), out));
    SYN_TRY(find_triggers(*connection, mapped.value(), triggers, out));
    SYN_TRY(find_silent_keys(*connection, mapped.value(), triggers, shared_->config.datasets, out));
    SYN_TRY(find_numbering(*connection, mapped.value(), quoted_name(user), out));
  }
  if (!shared_->is_scan) {
    SYN_TRY(find_retained_log(*connection, *shared_, out));
  }
  SYN_TRY(find_replica(*connection, *shared_, out));
  SYN_TRY(find_objects(*connection, *shared_, out));
  return out;
}

Result<std::vector<std::string>> PostgresCatalog::detach() {
  SYN_TRY(auto connection, Connection::open(shared_->access("look"), Purpose::kSql));
  return remove_objects(*connection, *shared_);
}

}  // namespace syncline::postgres
