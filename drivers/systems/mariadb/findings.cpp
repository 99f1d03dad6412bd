#include "drivers/systems/mariadb/detail/findings.hpp"

#include <algorithm>

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/links.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "host/ports/trigger_guard.hpp"
#include "host/ports/trigger_text.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

// A trigger's body has lines, and a log's line is one.
constexpr const char* kProblemFix =
    "triggers = \"fire\" in the dataset's section accepts it; `syncline plan` prints the SQL that "
    "lets it leave our writes alone";
constexpr int64_t kDaySeconds = 86'400;
constexpr std::string_view kOurs = "@syncline";  // what our writing sessions set

struct Setting {
  const char* name;
  const char* wanted;
  const char* why;
  Severity severity;
};

// MariaDB's own defaults are MIXED, NO_LOG and 0.
constexpr Setting kSettings[] = {
    {"binlog_format", "ROW", "the log tells statements, not rows", Severity::kStops},
    {"binlog_row_image", "FULL", "the log does not tell whole rows", Severity::kStops},
    {"binlog_row_metadata", "FULL", "the log does not tell which column is which",
     Severity::kStops},
    {"sync_binlog", "1", "after a crash of its machine, the log may lack commits that were read",
     Severity::kWarning},
    {"innodb_flush_log_at_trx_commit", "1",
     "after a crash of its machine, commits that were read may be gone", Severity::kWarning},
};

Finding unfit_setting(const Setting& setting, const std::string& value) {
  const std::string name = setting.name;
  const bool is_number = value.find_first_not_of("0123456789") == std::string::npos;
  const std::string wanted = is_number ? setting.wanted : literal(setting.wanted);
  return {setting.severity, "", name + " is " + value + ": " + setting.why,
          "SET GLOBAL " + name + " = " + wanted + "; and in the server's config: " + name + " = " +
              setting.wanted};
}

Result<void> find_settings(Connection& connection, std::vector<Finding>& out) {
  for (const Setting& setting : kSettings) {
    SYN_TRY(const std::string value,
            connection.query_text(std::string("SELECT @@global.") + setting.name));
    if (value != setting.wanted) out.push_back(unfit_setting(setting, value));
  }
  return success();
}

// libmariadb 3.3 cannot read such a log.
Result<void> find_compression(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string is_unreadable,
          connection.query_text(
              "SELECT @@global.log_bin_compress = 1 AND @@global.binlog_checksum = 'NONE'"));
  if (is_unreadable != "1") return success();
  out.push_back({Severity::kStops, "",
                 "binlog_checksum is NONE with log_bin_compress: such a log cannot be read",
                 "SET GLOBAL binlog_checksum = 'CRC32'; and in the server's config"});
  return success();
}

// What the user may do, as the server lists it.
Result<void> find_rights(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string user,
          connection.query_text("SELECT concat('''', replace(substring_index(current_user(), "
                                "'@', 1), '''', ''''''), '''@''', "
                                "substring_index(current_user(), '@', -1), '''')"));
  SYN_TRY(Answer rows, connection.query("SHOW GRANTS"));
  std::string grants;
  while (rows.next()) grants += std::string(rows.text(0)) + "\n";
  const auto has = [&](std::string_view right) {
    return grants.find(right) != std::string::npos ||
           grants.find("GRANT ALL PRIVILEGES ON *.*") != std::string::npos;
  };
  if (!has("REPLICATION SLAVE")) {  // also as a part of REPLICATION SLAVE ADMIN, which names it
    out.push_back({Severity::kStops, "", "user " + user + " may not read the log",
                   "GRANT REPLICATION SLAVE ON *.* TO " + user + ";"});
  }
  const auto may_create = connection.query(std::string("EXPLAIN SELECT 1 FROM ") + kCheckpoint);
  if (may_create) return success();
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  const std::string all = "GRANT ALL PRIVILEGES ON " + quoted_name(database);
  std::string unescaped = grants;
  unescaped.erase(std::remove(unescaped.begin(), unescaped.end(), '\\'), unescaped.end());
  const bool is_owner = unescaped.find(all) != std::string::npos;
  if (!is_owner && !has("CREATE,") && !has("CREATE ON")) {
    out.push_back(
        {Severity::kStops, "", "user " + user + " may not create the table " + kCheckpoint,
         "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON " + quoted_name(database) + "." +
             quoted_name(kCheckpoint) + " TO " + user + ";"});
  }
  return success();
}

Result<void> find_log_keeping(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string seconds,
          connection.query_text("SELECT @@global.binlog_expire_logs_seconds"));
  const int64_t kept_s = std::strtoll(seconds.c_str(), nullptr, 10);
  if (kept_s == 0) return success();
  out.push_back({kept_s < 3 * kDaySeconds ? Severity::kWarning : Severity::kNote, "",
                 "the server keeps its log for " + std::to_string(kept_s / 3600) +
                     " hours: an appliance that was away longer needs a resync",
                 "SET GLOBAL binlog_expire_logs_seconds = 864000; and in the server's config"});
  return success();
}

// EXPLAIN asks for the rights of what it explains, and does nothing.
Result<void> find_table_rights(Connection& connection, const Mapped& mapped,
                               std::vector<Finding>& out) {
  const std::string table = quoted_name(mapped.table.name);
  const std::string key = quoted_name(mapped.columns[0].name);
  std::vector<std::string> statements = {"SELECT 1 FROM " + table};
  if (mapped.mapping->direction != ports::Direction::kFrom) {
    statements.push_back("UPDATE " + table + " SET " + key + " = " + key + " WHERE FALSE");
    statements.push_back("DELETE FROM " + table + " WHERE FALSE");
    statements.push_back("INSERT INTO " + table + " (" + key + ") SELECT " + key + " FROM " +
                         table + " WHERE FALSE");
  }
  for (const std::string& statement : statements) {
    const auto explained = connection.query("EXPLAIN " + statement);
    if (explained) continue;
    const unsigned number = mysql_errno(connection.handle());
    const bool is_denied =
        number == ER_TABLEACCESS_DENIED_ERROR || number == ER_COLUMNACCESS_DENIED_ERROR;
    if (!connection.is_usable()) return explained.error();
    if (!is_denied) continue;
    out.push_back({Severity::kStops, mapped.schema->name,
                   "the user may not read and write " + mapped.table.name,
                   "GRANT SELECT, INSERT, UPDATE, DELETE ON " + table + " TO the user"});
    break;
  }
  return success();
}

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

// Those of one kind fire in an order, which a trigger that is made anew would lose.
std::string place_among(std::string_view previous, std::string_view next) {
  if (!previous.empty()) return "FOLLOWS " + quoted_name(previous) + " ";
  return next.empty() ? "" : "PRECEDES " + quoted_name(next) + " ";
}

// user@host, each quoted; a user's name may hold an @, a host's may not.
std::string definer_of(std::string_view account) {
  const size_t at = account.rfind('@');
  return quoted_name(account.substr(0, at)) + "@" +
         quoted_name(at == std::string_view::npos ? "%" : account.substr(at + 1));
}

// The trigger with its guard, for the mariadb client; the statements of others may hold semicolons.
std::string guarded_sql(const Answer& row, const std::string& before) {
  const std::string name = quoted_name(row.text(0));
  std::string sql = "SET SESSION sql_mode = " + literal(row.text(5)) + ";\nDELIMITER //\n";
  sql.append("CREATE OR REPLACE DEFINER = ").append(definer_of(row.text(4)));
  sql.append(" TRIGGER ").append(name).append(" ").append(row.text(1));
  sql.append(" ").append(row.text(2)).append(" ON ").append(quoted_name(row.text(6)));
  sql.append(" FOR EACH ROW ").append(before);
  sql.append("IF @syncline IS NULL THEN\n").append(row.text(3));
  return sql.append("\n; END IF//\nDELIMITER ;");
}

// What fires for our writes must be accepted, as it is or where its body asks whose write it is.
Finding trigger_finding(const Mapped& mapped, const Answer& row, const std::string& before) {
  const std::string_view accepted = mapped.mapping->triggers;
  const std::string name(row.text(0));
  std::string what = "trigger " + name + " (" + std::string(row.text(1)) + " " +
                     std::string(row.text(2)) + ") on " + mapped.table.name;
  if (accepted == "guarded" && ports::names(row.text(3), kOurs)) {
    what += " asks for @syncline, which our sessions set: what it does for our writes is its own";
    return {Severity::kNote, mapped.schema->name, std::move(what), ""};
  }
  what +=
      " fires for our writes too, and MariaDB has no way to keep it from that: what it changes in "
      "synced tables counts twice";
  if (accepted == "fire") {
    return {Severity::kNote, mapped.schema->name, std::move(what),
            "nothing: triggers = \"fire\" accepts it"};
  }
  std::string fix =
      accepted == "guarded" ? "" : "triggers = \"guarded\" in the dataset's section, and ";
  fix += guarded_sql(row, before);
  fix += "\nor triggers = \"fire\" there accepts it as it is; or DROP TRIGGER " +
         quoted_name(name) + ";";
  return {Severity::kStops, mapped.schema->name, std::move(what), std::move(fix)};
}

Result<void> find_triggers(Connection& connection, const Mapped& mapped,
                           std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT, DEFINER, "
              "SQL_MODE, EVENT_OBJECT_TABLE, coalesce(lag(TRIGGER_NAME) OVER same, ''), "
              "coalesce(lead(TRIGGER_NAME) OVER same, '') FROM information_schema.TRIGGERS WHERE "
              "EVENT_OBJECT_SCHEMA = DATABASE() AND EVENT_OBJECT_TABLE = " +
              literal(mapped.table.name) +
              " WINDOW same AS (PARTITION BY ACTION_TIMING, EVENT_MANIPULATION ORDER BY "
              "ACTION_ORDER) ORDER BY 1"));
  while (rows.next()) {
    Finding finding = trigger_finding(mapped, rows, place_among(rows.text(7), rows.text(8)));
    const bool is_guarded = finding.severity == Severity::kNote && finding.fix.empty();
    if (!is_guarded && rows.text(1) == "BEFORE" && rows.text(2) == "UPDATE") {
      find_kept(mapped, "trigger " + std::string(rows.text(0)), rows.text(3), out);
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
              ", and MariaDB's log does not tell that",
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

void find_columns(const Mapped& mapped, std::vector<Finding>& out) {
  const bool is_both = mapped.mapping->direction == ports::Direction::kBoth;
  for (size_t i = 0; i < mapped.columns.size(); ++i) {
    const Column& column = mapped.columns[i];
    if (column.is_numbered && i < mapped.key_count() && is_both) {
      out.push_back({Severity::kWarning, mapped.schema->name,
                     "key column " + column.name + " of " + mapped.table.name +
                         " is numbered by this database: two systems that both make records must "
                         "not give the same numbers",
                     "in each system another remainder: SET GLOBAL auto_increment_increment = 2, "
                     "GLOBAL auto_increment_offset = 1; (the other system: 2), and in the server's "
                     "config"});
    }
    if (column.is_touched_on_update && i >= mapped.key_count()) {
      out.push_back(kept_field(mapped, i, ""));
    }
  }
}

}  // namespace

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
  SYN_TRY(find_triggers(connection, mapped, found));
  for (Finding& finding : found) {
    if (finding.severity != Severity::kStops) continue;
    problems.push_back({ErrorCode::kSystemSchema,
                        "dataset " + mapped.schema->name + " is not written",
                        std::move(finding.what), kProblemFix});
  }
  return problems;
}

std::optional<Error> cascade_problem(const Mapped& mapped) {
  std::vector<Error> all = unseen_cascades(mapped);
  return all.empty() ? std::nullopt : std::optional(std::move(all.front()));
}

Result<void> find_in_server(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(Answer row, connection.query("SELECT @@global.log_bin, @@global.read_only"));
  row.next();
  if (row.integer(0) == 0) {
    out.push_back({Severity::kStops, "", "log_bin is off: the server writes no log of changes",
                   "in the server's config: log_bin = mariadb-bin; then restart it"});
  }
  if (row.integer(1) != 0) {
    out.push_back({Severity::kStops, "", "the server is read_only and takes no writes",
                   "name the primary, or SET GLOBAL read_only = 0;"});
  }
  SYN_TRY(find_settings(connection, out));
  SYN_TRY(find_log_keeping(connection, out));
  SYN_TRY(find_compression(connection, out));
  return find_rights(connection, out);
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
  SYN_TRY(find_triggers(connection, mapped, out));
  find_cascades(mapped, out);
  SYN_TRY(find_underivable(connection, mapped, shared, out));
  find_columns(mapped, out);
  return success();
}

}  // namespace syncline::mariadb
