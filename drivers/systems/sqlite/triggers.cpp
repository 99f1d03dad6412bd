#include "drivers/systems/sqlite/detail/triggers.hpp"

#include <algorithm>
#include <cctype>
#include <regex>

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/table_text.hpp"
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
constexpr size_t kLookedIntoMax = 8192;  // std::regex takes stack by the length of its text
constexpr const char* kIsNotOurs = "(SELECT applying FROM syncline_state) = 0";

// The table first: users write between this and our first start.
std::string guarded_sql(const Shared& shared, const Trigger& trigger) {
  const std::string anew = ports::with_condition(trigger.sql, "BEGIN", kIsNotOurs, kLexis);
  if (anew.empty()) return std::string("-- DROP and CREATE it with WHEN ") + kIsNotOurs;
  return "BEGIN; " + create_state_sql(shared.config.appliance) + " DROP TRIGGER main." +
         quoted(trigger.name) + "; " + ended(in_main(anew)) + "COMMIT;";
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
  std::string fix =
      "triggers = \"fire\" in the dataset's section accepts it as it is; or DROP TRIGGER " +
      quoted(trigger.name) + ";";
  if (!shared.is_scan) {
    fix = guarded_sql(shared, trigger) + "\n-- " +
          (accepted == "guarded" ? "or "
                                 : "and triggers = \"guarded\" in the dataset's section; or ") +
          fix;
  }
  return {Severity::kStops, mapped.schema->name, std::move(what), std::move(fix)};
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  return out;
}

// The assigned columns of "a = 1, b = f(2, 3)", as they are written, quotes and all.
std::vector<std::string> assigned(std::string_view assignments) {
  std::vector<std::string> columns;
  int depth = 0;
  std::string column;
  bool is_value = false;
  for (const char letter : assignments) {
    depth += (letter == '(' ? 1 : 0) - (letter == ')' ? 1 : 0);
    if (letter == ',' && depth == 0) {
      column.clear();
      is_value = false;
    } else if (letter == '=' && !is_value) {
      columns.push_back(column);
      is_value = true;
    } else if (!is_value && std::isspace(static_cast<unsigned char>(letter)) == 0) {
      column += letter;
    }
  }
  return columns;
}

// Columns of the updated row that a trigger sets whenever a row is updated, in lower case: SQLite
// has no assignment to NEW, so they do it by an UPDATE of the row that fired them. What is found is
// proposed to a person, no more.
std::vector<std::string> columns_kept_by(const Trigger& trigger, const std::string& table) {
  static const std::regex kEvent("\\bupdate\\b[^;]*\\bbegin\\b");
  const std::string sql = lower(trigger.sql);
  std::smatch event;
  if (sql.size() > kLookedIntoMax || !std::regex_search(sql, event, kEvent)) return {};
  static const std::regex kOwnRow(
      "\\bupdate\\s+(?:or\\s+\\w+\\s+)?[\"`\\[]?(\\w+)[\"`\\]]?\\s+set\\s([^;]*?)\\swhere\\s([^;]*"
      ")");
  std::vector<std::string> columns;
  const std::string body = event.suffix();
  for (std::sregex_iterator at(body.begin(), body.end(), kOwnRow), end; at != end; ++at) {
    const bool is_own =
        (*at)[1] == lower(table) && (*at)[3].str().find("new.") != std::string::npos;
    if (!is_own) continue;
    for (std::string& column : assigned((*at)[2].str())) columns.push_back(std::move(column));
  }
  return columns;
}

void find_kept(const Mapped& mapped, const Trigger& trigger, std::vector<Finding>& out) {
  const std::vector<std::string> kept = columns_kept_by(trigger, mapped.table.name);
  for (size_t i = mapped.key_count(); i < mapped.columns.size(); ++i) {
    const std::string name = lower(mapped.columns[i].name);
    const bool is_kept = std::any_of(kept.begin(), kept.end(), [&](const std::string& column) {
      return column == name || column == quoted(name) || column == "`" + name + "`" ||
             column == "[" + name + "]";
    });
    if (!is_kept) continue;
    Finding& finding =
        out.emplace_back(Severity::kWarning, mapped.schema->name,
                         "column " + mapped.columns[i].name + " of " + mapped.table.name +
                             " is set by every UPDATE of a user's (trigger " + trigger.name +
                             "): it travels as any other, and each system sets it",
                         "");
    finding.kept_field = static_cast<model::FieldIndex>(i);
  }
}

Result<std::vector<Trigger>> read_triggers(Connection& connection, const std::string& condition) {
  SYN_TRY(
      Statement rows,
      connection.prepare("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND NOT (" +
                         std::string(kIsTriggerOfOurs) + ")" + condition + " ORDER BY name"));
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
    const bool is_guarded = out.back().severity == Severity::kNote && out.back().fix.empty();
    if (!is_guarded) find_kept(mapped, trigger, out);
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

Result<void> check_nobody_asks(Connection& connection) {
  SYN_TRY(const auto triggers, read_triggers(connection, ""));
  for (const Trigger& trigger : triggers) {
    if (!ports::names(trigger.sql, kState, kLexis)) continue;
    std::string sql = trigger.sql;
    for (size_t at = sql.find(kIsNotOurs); at != std::string::npos; at = sql.find(kIsNotOurs)) {
      sql.replace(at, std::string_view(kIsNotOurs).size(), "TRUE");
    }
    std::string fix = "BEGIN; DROP TRIGGER main." + quoted(trigger.name) + "; ";
    if (ports::names(sql, kState, kLexis)) {
      fix += "COMMIT; -- and make it anew without that condition, then detach";
    } else {
      fix.append(ended(in_main(sql))).append("COMMIT; -- then detach");
    }
    return fail(ErrorCode::kSystemRefused, "cannot detach from " + connection.path(),
                "trigger " + trigger.name + " asks syncline_state, and would fail without it",
                std::move(fix));
  }
  return success();
}

}  // namespace syncline::sqlite
