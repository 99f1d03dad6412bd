#include "drivers/systems/postgres/detail/triggers.hpp"

#include <algorithm>
#include <map>

#include "host/ports/silent_key.hpp"
#include "host/ports/trigger_guard.hpp"
#include "host/ports/trigger_text.hpp"

namespace syncline::postgres {

using ports::Finding, ports::Severity;

namespace {

constexpr const char* kIsNotOurs =
    "current_setting('syncline.applying', true) IS DISTINCT FROM 'on'";

// What a trigger is made anew by.
struct Remake {
  std::string name;   // quoted where it must be
  std::string table;  // as SQL names it
  std::string sql;
  std::string settings;  // statements that enable it as it was
};

struct Trigger {
  Table table;               // that it is on: the dataset's, or a partition or heir of it
  std::string_view name;     // quoted where it must be
  std::string_view enabled;  // O for everybody but replicas, R for replicas, A for all
  std::string_view sql;      // that makes it
  std::string_view body;     // of its function
  Remake remake = {};
};

// The table's triggers; and those of its partitions and heirs, which fire for each row that a write
// to the table itself reaches there (an INSERT reaches no heir), unless they are the table's own
// and enabled as those. We truncate nothing.
std::string triggers_sql(const Mapped& mapped) {
  return "WITH RECURSIVE part AS (SELECT " + std::to_string(mapped.table.oid) +
         "::oid AS id, true AS is_root UNION SELECT inhrelid, false FROM part JOIN pg_inherits ON "
         "inhparent = id) SELECT quote_ident(t.tgname), t.tgisinternal, t.tgenabled, "
         "quote_ident(current_user), is_root AND t.tgtype & 19 = 19, (SELECT prosrc FROM pg_proc "
         "WHERE oid = t.tgfoid), pg_get_triggerdef(t.oid), n.nspname, c.relname, t.oid "
         "FROM part JOIN pg_trigger t ON t.tgrelid = id JOIN pg_class c ON c.oid = id JOIN "
         "pg_namespace n ON n.oid = c.relnamespace WHERE t.tgenabled <> 'D' AND t.tgtype & 28 <> 0 "
         "AND (is_root OR "
         "t.tgtype & 1 = 1 AND (c.relispartition OR t.tgtype & 24 <> 0) AND NOT EXISTS (SELECT "
         "FROM pg_trigger o WHERE o.oid = t.tgparentid AND "
         "o.tgenabled = t.tgenabled)) ORDER BY is_root DESC, t.tgisinternal, t.tgname, id";
}

// A partition's trigger may be one of the partitioned table's: that is made anew, and with it those
// of all partitions, each of which may be enabled in a way of its own.
Result<Remake> read_remake(Connection& connection, int64_t trigger) {
  SYN_TRY(
      const Answer rows,
      connection.query(
          "WITH RECURSIVE up AS (SELECT oid, tgparentid FROM pg_trigger WHERE oid = " +
          std::to_string(trigger) +
          " UNION ALL SELECT t.oid, t.tgparentid FROM up JOIN pg_trigger t ON t.oid = "
          "up.tgparentid), down AS (SELECT oid, true AS is_top FROM up WHERE tgparentid = 0 UNION "
          "ALL SELECT t.oid, false FROM down JOIN pg_trigger t ON t.tgparentid = down.oid) SELECT "
          "quote_ident(t.tgname), quote_ident(n.nspname) || '.' || quote_ident(c.relname), "
          "pg_get_triggerdef(t.oid), CASE t.tgenabled WHEN 'A' THEN ' ENABLE ALWAYS' WHEN 'R' THEN "
          "' ENABLE REPLICA' WHEN 'D' THEN ' DISABLE' END FROM down JOIN pg_trigger t ON t.oid = "
          "down.oid JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = "
          "c.relnamespace ORDER BY is_top DESC, 2"));
  Remake remake;
  if (rows.row_count() == 0) return remake;  // dropped meanwhile
  remake.name = rows.text(0, 0);
  remake.table = rows.text(0, 1);
  remake.sql = rows.text(0, 2);
  for (size_t row = 0; row < rows.row_count(); ++row) {
    if (rows.is_null(row, 3)) continue;
    remake.settings.append(" ALTER TABLE ONLY ").append(rows.text(row, 1));
    remake.settings.append(rows.text(row, 3)).append(" TRIGGER ").append(remake.name).append(";");
  }
  return remake;
}

// Dropped and made anew, for a constraint trigger cannot be replaced, and before 14 none can.
std::string guarded_sql(const Remake& remake) {
  std::string anew = ports::with_condition(remake.sql, "EXECUTE FUNCTION", kIsNotOurs, {});
  std::replace(anew.begin(), anew.end(), '\n', ' ');
  if (anew.empty())
    return "DROP and CREATE the trigger with WHEN (" + std::string(kIsNotOurs) + ")";
  return "BEGIN; DROP TRIGGER " + remake.name + " ON " + remake.table + "; " + anew + ";" +
         remake.settings + " COMMIT;";
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
  what.append(trigger.name).append(" on ").append(trigger.table.display_name());
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
  std::string fix = guarded_sql(trigger.remake);
  if (accepted == "suppress") {
    std::string quiet = grant;
    if (is_replica) {
      quiet = "ALTER TABLE " + trigger.table.sql_name();
      quiet.append(" ENABLE TRIGGER ").append(trigger.name).append(";");
    }
    fix = quiet + " or triggers = \"guarded\" in the dataset's section, and " + fix;
  }
  return {is_accepted ? Severity::kNote : Severity::kStops, mapped.schema->name, std::move(what),
          fix + " or triggers = \"fire\" in the dataset's section to accept it"};
}

// To the table and of it, in whose way the one that is not $1 stands. Those of partitions come with
// their root's. One whose triggers a superuser had fire always is not silent, and one whose
// triggers are disabled does nothing for users either.
constexpr const char* kSilentKeys =
    "SELECT quote_ident(f.conname), n.nspname, c.relname, f.confdeltype, f.confupdtype, (SELECT "
    "string_agg(quote_ident(a.attname), ', ' ORDER BY k.place) FROM unnest(f.own_columns) WITH "
    "ORDINALITY k(number, place) JOIN pg_attribute a ON a.attrelid = f.own AND a.attnum = "
    "k.number), f.is_child FROM (SELECT *, conrelid AS other, confrelid AS own, confkey AS "
    "own_columns, true AS is_child FROM pg_constraint UNION ALL SELECT *, confrelid, conrelid, "
    "conkey, false FROM pg_constraint) f JOIN pg_class c ON c.oid = coalesce(pg_partition_root("
    "f.other), f.other) JOIN pg_namespace n ON n.oid = c.relnamespace WHERE f.contype = 'f' AND "
    "f.conparentid = 0 AND (f.own = $1::oid OR pg_partition_root(f.own) = $1::oid) AND EXISTS ("
    "SELECT FROM pg_trigger t WHERE t.tgconstraint = f.oid AND t.tgrelid = f.own AND t.tgenabled = "
    "'O') ORDER BY NOT f.is_child, n.nspname, c.relname, f.conname";

// By the letter of pg_constraint.
const char* action_text(std::string_view letter) {
  switch (letter.front()) {
    case 'c':
      return "CASCADE";
    case 'n':
      return "SET NULL";
    case 'd':
      return "SET DEFAULT";
    case 'r':
      return "RESTRICT";
    default:
      return "NO ACTION";
  }
}

struct Rule {
  std::string_view name;     // quoted where it must be
  std::string_view enabled;  // as a trigger is
  bool is_of_delete = false;
};

// Where a rule makes something else of an INSERT or an UPDATE, the server takes none of our
// statements for full records.
Finding rule_finding(const Mapped& mapped, Triggers triggers, const Rule& rule,
                     const std::string& grant) {
  const std::string& accepted = mapped.mapping->triggers;
  const bool is_replica = triggers == Triggers::kSuppressed && accepted == "suppress";
  std::string what = "rule ";
  what.append(rule.name).append(" on ").append(mapped.table.display_name());
  if (rule.enabled == (is_replica ? "O" : "R")) {
    what += " leaves our writes as they are: what it does for users does not happen for them";
    return {Severity::kNote, mapped.schema->name, std::move(what), ""};
  }
  what += " rewrites our writes too";
  std::string fix = "DROP RULE ";
  fix.append(rule.name).append(" ON ").append(mapped.table.sql_name()).append(";");
  if (is_replica) {
    std::string quiet = "ALTER TABLE " + mapped.table.sql_name() + " ENABLE RULE ";
    fix = quiet.append(rule.name).append("; or ") + fix;
  } else if (accepted == "suppress") {
    fix = grant + " or " + fix;
  }
  const bool is_accepted = accepted == "fire" && rule.is_of_delete;
  return {is_accepted ? Severity::kNote : Severity::kStops, mapped.schema->name, std::move(what),
          std::move(fix)};
}

Result<void> find_rules(Connection& connection, const Mapped& mapped, Triggers triggers,
                        std::vector<Finding>& out) {
  SYN_TRY(const Answer rows,
          connection.query("SELECT quote_ident(rulename), ev_enabled, ev_type = '4', "
                           "quote_ident(current_user) FROM pg_rewrite WHERE ev_type <> '1' AND "
                           "ev_enabled <> 'D' AND ev_class = " +
                           std::to_string(mapped.table.oid) + " ORDER BY rulename"));
  for (size_t row = 0; row < rows.row_count(); ++row) {
    const std::string grant = quiet_sql(connection.version(), std::string(rows.text(row, 3)));
    const Rule rule{rows.text(row, 0), rows.text(row, 1), rows.is_true(row, 2)};
    out.push_back(rule_finding(mapped, triggers, rule, grant));
  }
  return success();
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
  SYN_TRY(const Answer rows, connection.query(triggers_sql(mapped)));
  std::string grant;
  bool has_foreign_keys = false;
  for (size_t row = 0; row < rows.row_count(); ++row) {
    grant = quiet_sql(connection.version(), std::string(rows.text(row, 3)));
    if (rows.is_true(row, 1)) {
      has_foreign_keys = true;
      continue;
    }
    Trigger trigger{{}, rows.text(row, 0), rows.text(row, 2), rows.text(row, 6), rows.text(row, 5)};
    trigger.table.schema = rows.text(row, 7);
    trigger.table.name = rows.text(row, 8);
    SYN_TRY(trigger.remake, read_remake(connection, rows.integer(row, 9)));
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
  return find_rules(connection, mapped, triggers, out);
}

Result<void> find_silent_keys(Connection& connection, const Mapped& mapped, Triggers triggers,
                              std::span<const ports::DatasetMapping> all,
                              std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  const bool are_silent = mapping.direction != ports::Direction::kFrom &&
                          triggers == Triggers::kSuppressed && mapping.triggers == "suppress";
  if (!are_silent) return success();
  const Parameter table[] = {std::to_string(mapped.table.oid)};
  SYN_TRY(const Answer rows, connection.query(kSilentKeys, table));
  for (size_t row = 0; row < rows.row_count(); ++row) {
    Table other;
    other.schema = rows.text(row, 1);
    other.name = rows.text(row, 2);
    const bool is_written = std::any_of(all.begin(), all.end(), [&](const auto& dataset) {
      const TableName name = parse_table_name(dataset.table);
      return dataset.direction != ports::Direction::kFrom && name.schema == other.schema &&
             name.name == other.name;
    });
    if (is_written) continue;
    const bool is_child = rows.is_true(row, 6);
    const std::string own_name = mapped.table.display_name();
    const ports::SilentKey key{.name = std::string(rows.text(row, 0)),
                               .child = is_child ? other.display_name() : own_name,
                               .parent = is_child ? own_name : other.display_name(),
                               .columns = std::string(rows.text(row, 5)),
                               .on_delete = action_text(rows.text(row, 3)),
                               .on_update = action_text(rows.text(row, 4))};
    out.push_back(is_child ? ports::silent_key(key, mapped.schema->name)
                           : ports::parentless_key(key, mapped.schema->name));
    out.back().fix +=
        "; or triggers = \"fire\" in the dataset's section: then foreign keys and triggers act on "
        "our writes as on users'";
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
