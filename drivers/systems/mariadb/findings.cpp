#include "drivers/systems/mariadb/detail/findings.hpp"

#include <algorithm>

#include "drivers/systems/mariadb/detail/links.hpp"
#include "drivers/systems/mariadb/detail/names.hpp"
#include "drivers/systems/mariadb/detail/numbering.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "host/ports/silent_key.hpp"
#include "host/ports/trigger_guard.hpp"
#include "host/ports/trigger_text.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

// A trigger's body has lines, and a log's line is one.
constexpr const char* kProblemFix =
    "triggers = \"fire\" in the dataset's section accepts it; `syncline plan` prints the SQL that "
    "lets it leave our writes alone";
constexpr std::string_view kOurs = "@syncline";  // what our writing sessions set
constexpr ports::Lexis kLexis{.has_hash_comments = true, .has_backslashes = true};

Finding kept_field(const Mapped& mapped, size_t field, const std::string& what) {
  Finding finding{Severity::kWarning, mapped.schema->name,
                  "column " + mapped.columns[field].name + " of " + mapped.table.name +
                      " is set by every UPDATE of a user's" + what +
                      ": it travels as any other, and each system sets it",
                  ""};
  finding.kept_field = static_cast<model::FieldIndex>(field);
  return finding;
}

void find_kept(const Mapped& mapped, const std::string& trigger, std::string_view body,
               std::vector<Finding>& out) {
  for (size_t i = mapped.key_count(); i < mapped.columns.size(); ++i) {
    if (!ports::assigns_new(body, mapped.columns[i].name)) continue;
    out.push_back(kept_field(mapped, i, " (" + trigger + ")"));
  }
}

struct Trigger {
  std::string name;
  std::string timing;  // BEFORE, AFTER
  std::string event;   // INSERT, UPDATE, DELETE
  std::string body;
  std::string definer;
  std::string sql_mode;
  std::string collation;  // of its literals
};

// Those of one timing and event stand in the order in which they fire.
Result<std::vector<Trigger>> read_triggers(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, DEFINER, "
              "SQL_MODE, COLLATION_CONNECTION FROM "
              "information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() AND "
              "EVENT_OBJECT_TABLE = " +
              literal(mapped.table.name) +
              " ORDER BY ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER, TRIGGER_NAME"));
  std::vector<Trigger> triggers;
  while (rows.next()) {
    // What it does is not told without the right TRIGGER, which is asked for then.
    if (rows.is_null(3) && mapped.mapping->triggers != "fire") continue;
    const auto text = [&](size_t column) { return std::string(rows.text(column)); };
    triggers.push_back({text(0), text(1), text(2), text(3), text(4), text(5), text(6)});
  }
  return triggers;
}

// A trigger that is made anew would come last of its kind.
std::string place_among(const std::vector<Trigger>& all, size_t at) {
  const auto is_of_kind = [&](size_t other) {
    return all[other].timing == all[at].timing && all[other].event == all[at].event;
  };
  if (at > 0 && is_of_kind(at - 1)) return "FOLLOWS " + quoted_name(all[at - 1].name) + " ";
  if (at + 1 == all.size() || !is_of_kind(at + 1)) return {};
  return "PRECEDES " + quoted_name(all[at + 1].name) + " ";
}

// user@host, each quoted; a user's name may hold an @, a host's may not. A role has no host.
std::string definer_of(std::string_view account) {
  const size_t at = account.rfind('@');
  std::string user = quoted_name(account.substr(0, at));
  if (at == std::string_view::npos || at + 1 == account.size()) return user;
  return user + "@" + quoted_name(account.substr(at + 1));
}

// The trigger with its guard, for the client, which is sent UTF-8 whatever its text was made in;
// its statements may hold semicolons.
std::string guarded_sql(const ServerKind& server, const Mapped& mapped, const Trigger& trigger,
                        const std::string& place) {
  const std::string name = quoted_name(trigger.name);
  std::string sql = "SET @mode = @@sql_mode, SESSION sql_mode = " + literal(trigger.sql_mode) +
                    "; SET NAMES utf8mb4, collation_connection = " + trigger.collation +
                    ";\nDELIMITER //\n";
  sql += server.is_mysql() ? "DROP TRIGGER " + name + "//\nCREATE" : "CREATE OR REPLACE";
  sql += " DEFINER = " + definer_of(trigger.definer) + " TRIGGER " + name + " " + trigger.timing +
         " " + trigger.event + " ON " + quoted_name(mapped.table.name) + " FOR EACH ROW " + place;
  return sql + "IF @syncline IS NULL THEN\n" + trigger.body +
         "\n; END IF//\nDELIMITER ;\nSET SESSION sql_mode = @mode; SET NAMES utf8mb4;";
}

// What fires for our writes must be accepted, as it is or where its body asks whose write it is.
Finding trigger_finding(const ServerKind& server, const Mapped& mapped, const Trigger& trigger,
                        const std::string& place) {
  const std::string& accepted = mapped.mapping->triggers;
  std::string what = "trigger " + trigger.name + " (" + trigger.timing + " " + trigger.event +
                     ") on " + mapped.table.name;
  if (accepted == "guarded" && ports::names(trigger.body, kOurs, kLexis)) {
    what += " asks for @syncline, which our sessions set: what it does for our writes is its own";
    return {Severity::kNote, mapped.schema->name, std::move(what), ""};
  }
  what += " fires for our writes too, and " + std::string(server.dialect->name) +
          " has no way to keep it from that: what it changes in synced tables counts twice";
  if (accepted == "fire") {
    return {Severity::kNote, mapped.schema->name, std::move(what),
            "nothing: triggers = \"fire\" accepts it"};
  }
  std::string fix =
      accepted == "guarded" ? "" : "triggers = \"guarded\" in the dataset's section, and ";
  fix += guarded_sql(server, mapped, trigger, place);
  fix += "\nor triggers = \"fire\" there accepts it as it is; or DROP TRIGGER " +
         quoted_name(trigger.name) + ";";
  return {Severity::kStops, mapped.schema->name, std::move(what), std::move(fix)};
}

Result<void> find_triggers(Connection& connection, const Mapped& mapped,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  SYN_TRY(const auto triggers, read_triggers(connection, mapped));
  for (size_t i = 0; i < triggers.size(); ++i) {
    Finding finding =
        trigger_finding(connection.kind(), mapped, triggers[i], place_among(triggers, i));
    const bool is_guarded = finding.severity == Severity::kNote && finding.fix.empty();
    if (!is_guarded && triggers[i].timing == "BEFORE" && triggers[i].event == "UPDATE") {
      find_kept(mapped, "trigger " + triggers[i].name, triggers[i].body, out);
    }
    out.push_back(std::move(finding));
  }
  return success();
}

// What cascades do is in no log: the rows of this table would change unseen.
Error unseen_cascade(const Mapped& mapped, const ForeignKey& key) {
  const std::string table = quoted_name(mapped.table.name);
  return {ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + " is not read",
          "foreign key " + key.name + " of " + mapped.table.name + " changes its rows ON DELETE " +
              key.on_delete + " ON UPDATE " + key.on_update + " of " + key.referenced +
              ", and the server's log does not tell that",
          "ALTER TABLE " + table + " DROP FOREIGN KEY " + quoted_name(key.name) + "; ALTER TABLE " +
              table + " ADD CONSTRAINT " + quoted_name(key.name) + " FOREIGN KEY (" +
              column_list(key.columns) + ") REFERENCES " + quoted_name(key.referenced_database) +
              "." + quoted_name(key.referenced) + " (" + column_list(key.referenced_columns) +
              ") ON DELETE RESTRICT ON UPDATE RESTRICT; and let the application do it. Or set "
              "cascade = "
              "\"derive\" for the dataset in this system: what they do is then made up"};
}

std::vector<Error> unseen_cascades(const Mapped& mapped) {
  std::vector<Error> all;
  const ports::DatasetMapping& mapping = *mapped.mapping;
  const bool is_logged =
      mapping.direction != ports::Direction::kTo && mapping.capture == ports::Capture::kLog;
  if (!is_logged || mapping.cascade == ports::Cascade::kDerive) return all;
  for (const ForeignKey& key : mapped.table.foreign_keys) {
    if (key.cascades()) all.push_back(unseen_cascade(mapped, key));
  }
  return all;
}

void find_cascades(const Mapped& mapped, std::vector<Finding>& out) {
  for (Error& error : unseen_cascades(mapped)) {
    out.push_back(
        {Severity::kStops, mapped.schema->name, std::move(error.why), std::move(error.fix)});
  }
}

Result<void> find_underivable(Connection& connection, const Mapped& mapped, const Shared& shared,
                              std::vector<Finding>& out) {
  SYN_TRY(Links links, read_links(connection, mapped, shared));
  for (Error& problem : links.problems) {
    out.push_back(
        {Severity::kStops, mapped.schema->name, std::move(problem.why), std::move(problem.fix)});
  }
  return success();
}

void find_touched(const Mapped& mapped, std::vector<Finding>& out) {
  for (size_t i = mapped.key_count(); i < mapped.columns.size(); ++i) {
    if (mapped.columns[i].is_touched_on_update) out.push_back(kept_field(mapped, i, ""));
  }
}

// What a column without a default may be given; empty: nothing that would fit any of its type.
std::string some_default(const NativeType& type) {
  switch (type.category) {
    case Category::kInteger:
    case Category::kDecimal:
    case Category::kFloat:
    case Category::kDouble:
    case Category::kBit:
    case Category::kYear:
      return "0";
    case Category::kDate:
    case Category::kTime:
    case Category::kDatetime:
    case Category::kTimestamp:
      return "(current_timestamp())";
    case Category::kUuid:
      return "(uuid())";
    case Category::kJson:
      return "'null'";
    case Category::kInet:
    case Category::kGeometry:
    case Category::kOther:
      return {};
    default:
      return "''";
  }
}

Finding unfilled_column(const Mapped& mapped, const Column& column) {
  const std::string value = some_default(column.type);
  const std::string fix = value.empty()
                              ? ""
                              : "ALTER TABLE " + quoted_name(mapped.table.name) + " ALTER " +
                                    quoted_name(column.name) + " SET DEFAULT " + value + ";";
  return {Severity::kStops, mapped.schema->name,
          "column " + column.name + " of " + mapped.table.name +
              " is not synced, takes no NULL and has no default: no record of another system's can "
              "be inserted",
          fix.empty() ? "give it a default, or let it take NULL, or sync it"
                      : fix + " or another default, or let it take NULL, or sync it"};
}

bool is_filled_by_trigger(const std::vector<Trigger>& triggers, const std::string& column) {
  return std::any_of(triggers.begin(), triggers.end(), [&](const Trigger& trigger) {
    return trigger.timing == "BEFORE" && trigger.event == "INSERT" &&
           ports::assigns_new(trigger.body, column);
  });
}

// The first label of an ENUM is its default where it has no other.
Result<void> find_unfilled(Connection& connection, const Mapped& mapped,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  SYN_TRY(Answer rows,
          connection.query("SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA "
                           "= DATABASE() AND IS_NULLABLE = 'NO' AND COLUMN_DEFAULT IS NULL AND "
                           "TABLE_NAME = " +
                           literal(mapped.table.name) + " ORDER BY ORDINAL_POSITION"));
  std::vector<Trigger> triggers;
  if (mapped.mapping->triggers == "fire") {
    SYN_TRY(triggers, read_triggers(connection, mapped));
  }
  const auto& synced = mapped.mapping->columns;
  while (rows.next()) {
    const Column* column = mapped.table.find(rows.text(0));
    const bool is_left_out =
        column != nullptr && std::find(synced.begin(), synced.end(), column->name) == synced.end();
    if (!is_left_out || column->is_numbered || column->is_generated) continue;
    if (column->type.category == Category::kEnum) continue;
    if (is_filled_by_trigger(triggers, column->name)) continue;
    out.push_back(unfilled_column(mapped, *column));
  }
  return success();
}

}  // namespace

// Our sessions have foreign_key_checks = 0. Asked once for all tables: the server opens each of the
// database for the answer.
Result<void> find_silent_keys(Connection& connection, std::span<const ports::DatasetMapping> all,
                              std::vector<Finding>& out) {
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT k.CONSTRAINT_NAME, " + logged_name("k.TABLE_NAME") + ", " +
              logged_name("k.REFERENCED_TABLE_NAME") +
              ", group_concat("
              "k.REFERENCED_COLUMN_NAME ORDER BY k.ORDINAL_POSITION SEPARATOR ', '), "
              "max(r.DELETE_RULE), max(r.UPDATE_RULE), group_concat(k.COLUMN_NAME ORDER BY "
              "k.ORDINAL_POSITION SEPARATOR ', ') FROM information_schema.KEY_COLUMN_USAGE k "
              "LEFT JOIN information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = "
              "k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = "
              "k.TABLE_NAME WHERE k.CONSTRAINT_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_SCHEMA "
              "= DATABASE() GROUP BY k.CONSTRAINT_NAME, k.TABLE_NAME, k.REFERENCED_TABLE_NAME "
              "ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME"));
  const auto find_written = [&](std::string_view table) {
    return std::find_if(all.begin(), all.end(), [&](const ports::DatasetMapping& mapping) {
      return mapping.table == table && mapping.direction != ports::Direction::kFrom;
    });
  };
  while (rows.next()) {
    const auto child = find_written(rows.text(1));
    const auto parent = find_written(rows.text(2));
    if ((child == all.end()) == (parent == all.end())) continue;
    const auto text = [&](size_t column) { return std::string(rows.text(column)); };
    ports::SilentKey key{.name = text(0),
                         .child = text(1),
                         .parent = text(2),
                         .columns = text(3),
                         .on_delete = text(4),
                         .on_update = text(5)};
    if (child == all.end()) {
      out.push_back(ports::silent_key(key, parent->schema->name));
    } else {
      key.columns = text(6);
      out.push_back(ports::parentless_key(key, child->schema->name));
    }
  }
  return success();
}

Result<std::string> list_triggers(Connection& connection) {
  SYN_TRY(Answer rows,
          connection.query("SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME, CREATED FROM "
                           "information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE() "
                           "ORDER BY 1, 2"));
  std::string list;
  while (rows.next()) {
    for (size_t column = 0; column < 3; ++column) {
      list += rows.is_null(column) ? "" : std::string(rows.text(column));
      list += column < 2 ? ' ' : '\n';
    }
  }
  return list;
}

Result<std::vector<Error>> trigger_problems(Connection& connection, const Mapped& mapped) {
  std::vector<Finding> found;
  std::vector<Error> problems;
  SYN_TRY(find_unseen_triggers(connection, mapped, found));
  SYN_TRY(find_triggers(connection, mapped, found));
  for (Finding& finding : found) {
    if (finding.severity != Severity::kStops) continue;
    const bool has_lines = finding.fix.find('\n') != std::string::npos;
    problems.push_back({ErrorCode::kSystemSchema,
                        "dataset " + mapped.schema->name + " is not written",
                        std::move(finding.what), has_lines ? kProblemFix : finding.fix});
  }
  return problems;
}

std::optional<Error> cascade_problem(const Mapped& mapped) {
  std::vector<Error> all = unseen_cascades(mapped);
  return all.empty() ? std::nullopt : std::optional(std::move(all.front()));
}

Result<void> find_in_table(Connection& connection, const Mapped& mapped, const Shared& shared,
                           std::vector<Finding>& out) {
  if (mapped.table.engine != "InnoDB") {
    out.push_back({Severity::kStops, mapped.schema->name,
                   mapped.table.name + " is kept by engine " + mapped.table.engine +
                       ", which cannot roll back",
                   "ALTER TABLE " + quoted_name(mapped.table.name) + " ENGINE = InnoDB;"});
  }
  SYN_TRY(find_table_rights(connection, mapped, out));
  SYN_TRY(find_unseen_triggers(connection, mapped, out));
  SYN_TRY(find_triggers(connection, mapped, out));
  find_cascades(mapped, out);
  SYN_TRY(find_underivable(connection, mapped, shared, out));
  find_touched(mapped, out);
  SYN_TRY(find_narrow_texts(connection, mapped, out));
  SYN_TRY(find_unfilled(connection, mapped, out));
  return find_numbering(connection, mapped, out);
}

}  // namespace syncline::mariadb
