#include "drivers/systems/postgres/detail/triggers.hpp"

namespace syncline::postgres {

using ports::Finding, ports::Severity;

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
          connection.query("SELECT tgname, tgisinternal, tgenabled, quote_ident(current_user) FROM "
                           "pg_trigger WHERE tgrelid = " +
                           std::to_string(mapped.table.oid) +
                           " AND tgenabled <> 'D' ORDER BY tgisinternal, tgname"));
  const bool is_accepted = mapped.mapping->triggers == "fire";
  const std::string table = mapped.table.display_name();
  std::string grant;
  bool has_foreign_keys = false;
  for (size_t row = 0; row < rows.row_count(); ++row) {
    const std::string name(rows.text(row, 0));
    grant = "GRANT SET ON PARAMETER session_replication_role TO " + std::string(rows.text(row, 3)) +
            ";";
    if (rows.is_true(row, 1)) {
      has_foreign_keys = true;
      continue;
    }
    const std::string_view enabled = rows.text(row, 2);
    const bool is_always = enabled == "A" || enabled == "R";
    if (triggers == Triggers::kSuppressed && !is_accepted && !is_always) {
      out.push_back({Severity::kNote, mapped.schema->name,
                     "trigger " + name + " on " + table +
                         " does not fire for our writes: columns that only it keeps, and that do "
                         "not travel, stay as they are",
                     "triggers = \"fire\" in the dataset's section, if it should"});
      continue;
    }
    const std::string quiet = is_always ? "ALTER TABLE " + mapped.table.sql_name() +
                                              " ENABLE TRIGGER " + quoted_name(name) + ";"
                                        : grant;
    out.push_back({is_accepted ? Severity::kNote : Severity::kStops, mapped.schema->name,
                   "trigger " + name + " on " + table + " fires for our writes too",
                   quiet + " or triggers = \"fire\" in the dataset's section to accept it"});
  }
  if (has_foreign_keys && triggers == Triggers::kFire && !is_accepted) {
    out.push_back({Severity::kStops, mapped.schema->name,
                   table + " has foreign keys, and our writes come per record, not in their order",
                   grant});
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
