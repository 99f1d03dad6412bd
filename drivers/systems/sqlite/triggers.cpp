#include "drivers/systems/sqlite/detail/triggers.hpp"

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "host/ports/trigger_guard.hpp"

namespace syncline::sqlite {
namespace {

using ports::Finding, ports::Severity;

// A trigger's body has lines, and a log's line is one.
constexpr const char* kProblemFix =
    "triggers = \"fire\" in the dataset's section accepts it; `syncline plan` prints the SQL that "
    "lets it leave our writes alone";
constexpr std::string_view kState = "syncline_state";
constexpr ports::Lexis kLexis{.has_brackets = true};
constexpr const char* kIsNotOurs = "(SELECT applying FROM syncline_state) = 0";
constexpr const char* kUsersTriggers =
    "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name NOT LIKE 'syncline\\_%' "
    "ESCAPE '\\'";

// The table first: users write between this and our first start.
std::string guarded_sql(const Shared& shared, const Trigger& trigger) {
  const std::string anew = ports::with_condition(trigger.sql, "BEGIN", kIsNotOurs, kLexis);
  if (anew.empty()) return std::string("DROP and CREATE it with WHEN ") + kIsNotOurs;
  return "BEGIN; " + create_state_sql(shared.config.appliance) + " DROP TRIGGER " +
         quoted(trigger.name) + "; " + anew + "; COMMIT;";
}

Finding trigger_finding(const Shared& shared, const Mapped& mapped, const Trigger& trigger) {
  const std::string& accepted = mapped.mapping->triggers;
  std::string what = "trigger " + trigger.name + " on " + mapped.table.name;
  if (accepted == "guarded" && ports::names(trigger.sql, kState, kLexis)) {
    what += " asks syncline_state whether a write is ours: what it does then is its own";
    return {Severity::kNote, mapped.schema->name, std::move(what), ""};
  }
  what +=
      " fires for Syncline's writes too: SQLite cannot suppress it, and what it changes travels to "
      "the other systems";
  if (accepted == "fire") {
    return {Severity::kNote, mapped.schema->name, std::move(what),
            "nothing: triggers = \"fire\" accepts it"};
  }
  std::string fix = "triggers = \"fire\" in the dataset's section accepts that";
  if (!shared.is_scan) {
    fix += "; or let it leave our writes alone: triggers = \"guarded\" there, and " +
           guarded_sql(shared, trigger);
  }
  return {Severity::kStops, mapped.schema->name, std::move(what), std::move(fix)};
}

Result<std::vector<Trigger>> read_triggers(Connection& connection, const std::string& condition) {
  SYN_TRY(Statement rows, connection.prepare(kUsersTriggers + condition + " ORDER BY name"));
  std::vector<Trigger> triggers;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return triggers;
    triggers.push_back({std::string(rows.text(0)), std::string(rows.text(1))});
  }
}

}  // namespace

Result<void> find_triggers(Connection& connection, const Shared& shared, const Mapped& mapped,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  SYN_TRY(const auto triggers,
          read_triggers(connection,
                        " AND tbl_name = " + literal(mapped.table.name) + " COLLATE NOCASE"));
  for (const Trigger& trigger : triggers) {
    out.push_back(trigger_finding(shared, mapped, trigger));
  }
  return success();
}

Result<std::vector<Error>> trigger_problems(Connection& connection, const Shared& shared,
                                            const Mapped& mapped) {
  std::vector<Finding> findings;
  SYN_TRY(find_triggers(connection, shared, mapped, findings));
  std::vector<Error> problems;
  for (Finding& finding : findings) {
    if (finding.severity != Severity::kStops) continue;
    problems.push_back({ErrorCode::kSystemSchema,
                        "dataset " + mapped.schema->name + " is not written",
                        std::move(finding.what), kProblemFix});
  }
  return problems;
}

Result<std::vector<std::string>> triggers_that_need_state(Connection& connection) {
  SYN_TRY(const auto triggers, read_triggers(connection, ""));
  std::vector<std::string> found;
  for (const Trigger& trigger : triggers) {
    if (ports::names(trigger.sql, kState, kLexis)) found.push_back(trigger.name);
  }
  return found;
}

}  // namespace syncline::sqlite
