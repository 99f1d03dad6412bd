#include "drivers/systems/postgres/detail/triggers.hpp"

#include <algorithm>
#include <map>

#include "host/ports/trigger_guard.hpp"
#include "host/ports/trigger_text.hpp"

namespace syncline::postgres {

using ports::Finding, ports::Severity;

namespace {

constexpr const char* kIsNotOurs =
    "current_setting('syncline.applying', true) IS DISTINCT FROM 'on'";

struct Trigger {
  std::string_view name;      // quoted where it must be
  std::string_view enabled;   // O for everybody but replicas, R for replicas, A for all
  std::string_view sql;       // that makes it
  std::string_view body;      // of its function
  bool is_of_parent = false;  // of the partitioned table's: it comes and goes with that
};

// Dropped and made anew, for a constraint trigger cannot be replaced, and before 14 none can.
std::string guarded_sql(const Mapped& mapped, const Trigger& trigger) {
  std::string anew = ports::with_condition(trigger.sql, "EXECUTE FUNCTION", kIsNotOurs, {});
  std::replace(anew.begin(), anew.end(), '\n', ' ');
  if (trigger.is_of_parent) {
    return "CREATE the trigger anew on the partitioned table, with WHEN (" +
           std::string(kIsNotOurs) + ")";
  }
  if (anew.empty())
    return "DROP and CREATE the trigger with WHEN (" + std::string(kIsNotOurs) + ")";
  std::string sql = "BEGIN; DROP TRIGGER ";
  sql.append(trigger.name).append(" ON ").append(mapped.table.sql_name()).append("; ");
  sql += anew + ";";
  if (trigger.enabled != "O") {
    sql.append(" ALTER TABLE ").append(mapped.table.sql_name());
    sql.append(trigger.enabled == "A" ? " ENABLE ALWAYS TRIGGER " : " ENABLE REPLICA TRIGGER ");
    sql.append(trigger.name).append(";");
  }
  return sql + " COMMIT;";
}

bool is_guarded(const Mapped& mapped, const Trigger& trigger) {
  constexpr std::string_view kSetting = "syncline.applying";
  return mapped.mapping->triggers == "guarded" &&
         (ports::names(trigger.sql, kSetting, {}) || ports::names(trigger.body, kSetting, {}));
}

Finding trigger_finding(const Mapped& mapped, Triggers triggers, const Trigger& trigger,
                        const std::string& grant) {
  const std::string& accepted = mapped.mapping->triggers;
  const bool is_accepted = accepted == "fire";
  const bool is_replica = triggers == Triggers::kSuppressed && accepted == "suppress";
  std::string what = "trigger ";
  what.append(trigger.name).append(" on ").append(mapped.table.display_name());
  if (trigger.enabled == (is_replica ? "O" : "R")) {
    what +=
        " does not fire for our writes: columns that only it keeps, and that do not travel, "
        "stay as they are";
    return {Severity::kNote, mapped.schema->name, std::move(what),
            is_replica ? "triggers = \"fire\" in the dataset's section, if it should" : ""};
  }
  if (is_guarded(mapped, trigger)) {
    what += " asks for syncline.applying, which our sessions set: what it does then is its own";
    return {Severity::kNote, mapped.schema->name, std::move(what), ""};
  }
  what += " fires for our writes too";
  std::string fix = guarded_sql(mapped, trigger);
  if (accepted == "suppress") {
    std::string quiet = grant;
    if (is_replica) {
      quiet = "ALTER TABLE " + mapped.table.sql_name();
      quiet.append(" ENABLE TRIGGER ").append(trigger.name).append(";");
    }
    fix = quiet + " or triggers = \"guarded\" in the dataset's section, and " + fix;
  }
  return {is_accepted ? Severity::kNote : Severity::kStops, mapped.schema->name, std::move(what),
          fix + " or triggers = \"fire\" in the dataset's section to accept it"};
}

// body: of a trigger for each row before its UPDATE.
void find_kept(const Mapped& mapped, std::string_view name, std::string_view body,
               std::vector<Finding>& out) {
  for (size_t i = mapped.key_count(); i < mapped.columns.size(); ++i) {
    const std::string& column = mapped.columns[i].name;
    if (!ports::assigns_new(body, column)) continue;
    std::string what = "column " + column + " of " + mapped.table.display_name();
    what.append(" is set by every UPDATE of a user's (trigger ").append(name);
    what += "): it travels as any other, and each system sets it";
    Finding& finding =
        out.emplace_back(Severity::kWarning, mapped.schema->name, std::move(what), "");
    finding.kept_field = static_cast<model::FieldIndex>(i);
  }
}

}  // namespace

std::string quiet_sql(int server_version, const std::string& role) {
  constexpr int kGrantable = 150000;
  if (server_version >= kGrantable) {
    return "GRANT SET ON PARAMETER session_replication_role TO " + role + ";";
  }
  return "ALTER ROLE " + role +
         " SUPERUSER; (before PostgreSQL 15 nobody else may suppress triggers)";
}

Result<Triggers> suppress_triggers(Connection& connection) {
  auto set = connection.run("SET session_replication_role = replica");
  if (set) return Triggers::kSuppressed;
  if (connection.sqlstate() == "42501") return Triggers::kFire;
  return std::move(set).as_failure();
}

Result<void> find_triggers(Connection& connection, const Mapped& mapped, Triggers triggers,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  SYN_TRY(const Answer rows,
          connection.query("SELECT quote_ident(tgname), tgisinternal, tgenabled, "
                           "quote_ident(current_user), tgtype & 19 = 19, (SELECT prosrc FROM "
                           "pg_proc WHERE oid = tgfoid), pg_get_triggerdef(oid), tgparentid <> 0 "
                           "FROM pg_trigger WHERE tgrelid = " +
                           std::to_string(mapped.table.oid) +
                           " AND tgenabled <> 'D' ORDER BY tgisinternal, tgname"));
  std::string grant;
  bool has_foreign_keys = false;
  for (size_t row = 0; row < rows.row_count(); ++row) {
    grant = quiet_sql(connection.version(), std::string(rows.text(row, 3)));
    if (rows.is_true(row, 1)) {
      has_foreign_keys = true;
      continue;
    }
    const Trigger trigger{rows.text(row, 0), rows.text(row, 2), rows.text(row, 6),
                          rows.text(row, 5), rows.is_true(row, 7)};
    out.push_back(trigger_finding(mapped, triggers, trigger, grant));
    const bool is_before_update = rows.is_true(row, 4);
    if (is_before_update && !is_guarded(mapped, trigger)) {
      find_kept(mapped, trigger.name, trigger.body, out);
    }
  }
  if (has_foreign_keys && triggers == Triggers::kFire && mapped.mapping->triggers == "suppress") {
    out.push_back({Severity::kStops, mapped.schema->name,
                   mapped.table.display_name() +
                       " has foreign keys, and our writes come per record, not in their order",
                   grant + " or triggers = \"fire\" in the dataset's section accepts it: what a "
                           "foreign key refuses is tried again, then quarantined"});
  }
  return success();
}

Result<void> rank_by_references(Connection& connection, std::vector<Mapped>& mapped) {
  std::map<int64_t, Mapped*> tables;
  for (Mapped& one : mapped) tables.emplace(one.table.oid, &one);
  SYN_TRY(const Answer rows,
          connection.query("SELECT conrelid::bigint, confrelid::bigint FROM pg_constraint WHERE "
                           "contype = 'f' AND conrelid <> confrelid"));
  for (size_t round = 0; round < mapped.size(); ++round) {
    for (size_t row = 0; row < rows.row_count(); ++row) {
      const auto child = tables.find(rows.integer(row, 0));
      const auto parent = tables.find(rows.integer(row, 1));
      if (child == tables.end() || parent == tables.end()) continue;
      child->second->rank = std::max(child->second->rank, parent->second->rank + 1);
    }
  }
  return success();
}

Result<std::vector<Error>> trigger_problems(Connection& connection, const Mapped& mapped,
                                            Triggers triggers) {
  std::vector<Finding> findings;
  SYN_TRY(find_triggers(connection, mapped, triggers, findings));
  std::vector<Error> problems;
  for (Finding& finding : findings) {
    if (finding.severity != Severity::kStops) continue;
    problems.push_back({ErrorCode::kSystemSchema,
                        "dataset " + mapped.schema->name + " is not written",
                        std::move(finding.what), std::move(finding.fix)});
  }
  return problems;
}

}  // namespace syncline::postgres
