#include "drivers/systems/postgres/detail/triggers.hpp"

#include "host/ports/trigger_text.hpp"

namespace syncline::postgres {

using ports::Finding, ports::Severity;

namespace {

// enabled: O for everybody but replicas, R for replicas, A for all.
Finding trigger_finding(const Mapped& mapped, Triggers triggers, std::string_view name,
                        std::string_view enabled, const std::string& grant) {
  const bool is_accepted = mapped.mapping->triggers == "fire";
  const bool is_replica = triggers == Triggers::kSuppressed && !is_accepted;
  std::string what = "trigger ";
  what.append(name).append(" on ").append(mapped.table.display_name());
  if (enabled == (is_replica ? "O" : "R")) {
    what +=
        " does not fire for our writes: columns that only it keeps, and that do not travel, "
        "stay as they are";
    return {Severity::kNote, mapped.schema->name, std::move(what),
            is_accepted ? "" : "triggers = \"fire\" in the dataset's section, if it should"};
  }
  what += " fires for our writes too";
  std::string fix = grant;
  if (is_replica) {
    fix = "ALTER TABLE " + mapped.table.sql_name();
    fix.append(" ENABLE TRIGGER ").append(name).append(";");
  }
  return {is_accepted ? Severity::kNote : Severity::kStops, mapped.schema->name, std::move(what),
          fix + " or triggers = \"fire\" in the dataset's section to accept it"};
}

// body: of a trigger for each row before its UPDATE; else empty.
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
                           "quote_ident(current_user), CASE WHEN tgtype & 19 = 19 THEN (SELECT "
                           "prosrc FROM pg_proc WHERE oid = tgfoid) ELSE '' END "
                           "FROM pg_trigger WHERE tgrelid = " +
                           std::to_string(mapped.table.oid) +
                           " AND tgenabled <> 'D' ORDER BY tgisinternal, tgname"));
  std::string grant;
  bool has_foreign_keys = false;
  for (size_t row = 0; row < rows.row_count(); ++row) {
    grant = "GRANT SET ON PARAMETER session_replication_role TO ";
    grant.append(rows.text(row, 3)).append(";");
    if (rows.is_true(row, 1)) {
      has_foreign_keys = true;
    } else {
      out.push_back(trigger_finding(mapped, triggers, rows.text(row, 0), rows.text(row, 2), grant));
      find_kept(mapped, rows.text(row, 0), rows.text(row, 4), out);
    }
  }
  if (has_foreign_keys && triggers == Triggers::kFire && mapped.mapping->triggers != "fire") {
    out.push_back({Severity::kStops, mapped.schema->name,
                   mapped.table.display_name() +
                       " has foreign keys, and our writes come per record, not in their order",
                   std::move(grant)});
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
