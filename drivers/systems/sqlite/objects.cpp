#include "drivers/systems/sqlite/detail/objects.hpp"

#include <algorithm>

namespace syncline::sqlite {
namespace {

constexpr int kFormat = 1;
constexpr int64_t kTableCount = 3;
constexpr const char* kHasDatasets =
    "SELECT count(*) FROM pragma_table_info('syncline_state') WHERE name = 'datasets'";

// julianday counts whole milliseconds inside; the half keeps its rounding from losing one.
constexpr std::string_view kNowMs =
    "CAST((julianday('now') - 2440587.5) * 86400000 + 0.5 AS INTEGER)";

std::string listed(const std::vector<std::string>& parts, std::string_view between) {
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : std::string(between)) + part;
  return out;
}

std::vector<std::string> key_names(const Mapped& mapped, std::string_view prefix) {
  std::vector<std::string> names;
  names.reserve(mapped.key_count());
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    names.push_back(std::string(prefix) + quoted(mapped.columns[i].name));
  }
  return names;
}

std::string op_text(ChangeOp op) {
  return std::to_string(static_cast<int>(op));
}

// INSERT INTO syncline_changes … SELECT … (the caller adds FROM or WHERE).
std::string log_row(const Mapped& mapped, ChangeOp op, std::string_view prefix,
                    std::string_view payload = "NULL") {
  return "INSERT INTO syncline_changes(applying, op, dataset, at, payload, " +
         key_columns(mapped.key_count()) + ") SELECT (SELECT applying FROM syncline_state), " +
         op_text(op) + ", " + std::to_string(mapped.dataset()) + ", " + std::string(kNowMs) + ", " +
         std::string(payload) + ", " + listed(key_names(mapped, prefix), ", ");
}

std::string trigger_sql(const std::string& name, const std::string& when, const std::string& body) {
  return "CREATE TRIGGER " + quoted(name) + " " + when + " BEGIN " + body + "; END";
}

// Rows that hold the same values of a unique index as the row to come.
std::string log_clashing(const Mapped& mapped, const UniqueSet& unique) {
  std::vector<std::string> conditions;
  for (size_t i = 0; i < unique.columns.size(); ++i) {
    const std::string column = quoted(unique.columns[i]);
    std::string& condition = conditions.emplace_back("t.");
    condition.append(column).append(" = NEW.").append(column);
    condition.append(" COLLATE ").append(quoted(unique.collations[i]));
  }
  return log_row(mapped, ChangeOp::kTouched, "t.") + " FROM " + quoted(mapped.table.name) +
         " AS t WHERE " + listed(conditions, " AND ");
}

std::string is_other_record(const Mapped& mapped) {
  std::vector<std::string> conditions;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const std::string column = quoted(mapped.columns[i].name);
    conditions.emplace_back("t.").append(column).append(" IS NOT OLD.").append(column);
  }
  return " AND (" + listed(conditions, " OR ") + ")";
}

// REPLACE removes rows without firing delete triggers, so rows that it may remove are logged
// before; where it removes nothing, their present state is found unchanged.
void add_replace_triggers(const Mapped& mapped, const std::string& prefix,
                          std::vector<Trigger>& out) {
  std::vector<std::string> on_insert;
  std::vector<std::string> on_update;
  std::vector<std::string> columns;
  bool has_generated = false;  // which no UPDATE names, and others change
  for (const UniqueSet& unique : mapped.table.uniques) {
    on_insert.push_back(log_clashing(mapped, unique));
    on_update.push_back(log_clashing(mapped, unique) + is_other_record(mapped));
    for (const std::string& name : unique.columns) {
      columns.push_back(quoted(name));
      const Column* column = mapped.table.find(name);
      has_generated = has_generated || (column != nullptr && column->is_generated);
    }
  }
  std::sort(columns.begin(), columns.end());
  columns.erase(std::unique(columns.begin(), columns.end()), columns.end());
  const std::string table = quoted(mapped.table.name);
  const std::string insert_name = prefix + "_before_insert";
  out.push_back({insert_name,
                 trigger_sql(insert_name, "BEFORE INSERT ON " + table, listed(on_insert, "; "))});
  const std::string update_name = prefix + "_before_update";
  const std::string of = has_generated ? "" : "OF " + listed(columns, ", ") + " ";
  out.push_back({update_name, trigger_sql(update_name, "BEFORE UPDATE " + of + "ON " + table,
                                          listed(on_update, "; "))});
}

std::string key_differs(const Mapped& mapped) {
  std::vector<std::string> conditions;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const std::string column = quoted(mapped.columns[i].name);
    conditions.emplace_back("OLD.").append(column).append(" IS NOT NEW.").append(column);
  }
  return listed(conditions, " OR ");
}

Result<void> add_key_columns(Connection& connection, size_t needed) {
  SYN_TRY(const int64_t present,
          connection.query_integer("SELECT count(*) FROM pragma_table_info('syncline_changes') "
                                   "WHERE name GLOB 'k[0-9]*'"));
  for (size_t i = static_cast<size_t>(present) + 1; i <= needed; ++i) {
    SYN_TRY(connection.execute("ALTER TABLE syncline_changes ADD COLUMN k" + std::to_string(i)));
  }
  return success();
}

Result<void> check_owner(Connection& connection, const std::string& appliance) {
  SYN_TRY(const std::string owner,
          connection.query_text("SELECT appliance FROM syncline_state WHERE id = 1"));
  if (owner == appliance) return success();
  return fail(ErrorCode::kSystemRefused,
              connection.path() + " is captured by the appliance " + owner,
              "a SQLite file keeps the change log of one appliance",
              "run `syncline detach` at " + owner + ", or sync with that appliance");
}

struct Difference {
  std::vector<std::string> statements;
  std::vector<model::DatasetId> rebuilt;
};

// What must be run to have exactly the triggers that the captured tables need.
Difference compare_triggers(std::map<std::string, std::string> present,
                            const std::vector<Mapped>& captured) {
  Difference difference;
  for (const Mapped& mapped : captured) {
    bool is_different = false;
    for (const Trigger& trigger : triggers_of(mapped)) {
      const auto found = present.find(trigger.name);
      if (found != present.end()) {
        const bool is_same = found->second == trigger.sql;
        present.erase(found);
        if (is_same) continue;
        difference.statements.push_back("DROP TRIGGER " + quoted(trigger.name));
      }
      difference.statements.push_back(trigger.sql);
      is_different = true;
    }
    if (is_different) difference.rebuilt.push_back(mapped.dataset());
  }
  for (const auto& [name, sql] : present) {
    difference.statements.push_back("DROP TRIGGER " + quoted(name));
  }
  return difference;
}

// Which datasets have had triggers: of others none are missing.
Result<void> remember(Connection& connection, const std::vector<Mapped>& captured) {
  SYN_TRY(const int64_t count, connection.query_integer(kHasDatasets));
  if (count == 0) {
    SYN_TRY(connection.execute("ALTER TABLE syncline_state ADD COLUMN datasets TEXT"));
  }
  std::string ids = ",";
  for (const Mapped& mapped : captured) ids += std::to_string(mapped.dataset()) + ",";
  return connection.execute("UPDATE syncline_state SET datasets = " + literal(ids));
}

size_t key_count_max(const std::vector<Mapped>& captured) {
  size_t count = 1;
  for (const Mapped& mapped : captured) count = std::max(count, mapped.key_count());
  return count;
}

constexpr const char* kCreateCheckpoint =
    "CREATE TABLE IF NOT EXISTS syncline_checkpoint(appliance TEXT NOT NULL, epoch INTEGER NOT "
    "NULL, stream INTEGER NOT NULL, lane INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY "
    "(appliance, epoch, stream, lane)) WITHOUT ROWID;";

// The change table begins with a row, so that there is always a last one.
std::string create_tables_sql(const std::string& appliance) {
  return kCreateCheckpoint + create_state_sql(appliance) +
         "CREATE TABLE IF NOT EXISTS syncline_changes(id INTEGER PRIMARY KEY AUTOINCREMENT, nonce "
         "INTEGER NOT NULL DEFAULT (random()), applying INTEGER NOT NULL, op INTEGER NOT NULL, "
         "dataset INTEGER NOT NULL, at INTEGER NOT NULL, payload BLOB, k1);"
         "INSERT INTO syncline_changes(applying, op, dataset, at) SELECT 0, " +
         op_text(ChangeOp::kOrigin) + ", 0, " + std::string(kNowMs) +
         " WHERE NOT EXISTS (SELECT 1 FROM syncline_changes)";
}

}  // namespace

std::string create_state_sql(const std::string& appliance) {
  return "CREATE TABLE IF NOT EXISTS syncline_state(id INTEGER PRIMARY KEY CHECK (id = 1), "
         "applying "
         "INTEGER NOT NULL, format INTEGER NOT NULL, appliance TEXT NOT NULL); INSERT OR IGNORE "
         "INTO syncline_state(id, applying, format, appliance) VALUES (1, 0, " +
         std::to_string(kFormat) + ", " + literal(appliance) + ");";
}

std::string key_columns(size_t count) {
  std::vector<std::string> names;
  for (size_t i = 1; i <= count; ++i) names.push_back("k" + std::to_string(i));
  return listed(names, ", ");
}

std::vector<Trigger> triggers_of(const Mapped& mapped) {
  const std::string prefix = "syncline_" + mapped.schema->name;
  const std::string table = quoted(mapped.table.name);
  std::vector<Trigger> triggers;
  const auto add = [&](const std::string& suffix, const std::string& when,
                       const std::string& body) {
    const std::string name = prefix + suffix;
    triggers.push_back({name, trigger_sql(name, when, body)});
  };
  const std::string differs = key_differs(mapped);
  add("_insert", "AFTER INSERT ON " + table, log_row(mapped, ChangeOp::kInsert, "NEW."));
  add("_update", "AFTER UPDATE ON " + table + " WHEN NOT (" + differs + ")",
      log_row(mapped, ChangeOp::kUpdate, "NEW."));
  add("_delete", "AFTER DELETE ON " + table, log_row(mapped, ChangeOp::kDelete, "OLD."));
  // A record that an update has given its key is new under that key.
  add("_rekey", "AFTER UPDATE ON " + table + " WHEN " + differs,
      log_row(mapped, ChangeOp::kDelete, "OLD.") + "; " +
          log_row(mapped, ChangeOp::kInsert, "NEW.", "x'01'"));
  add_replace_triggers(mapped, prefix, triggers);
  return triggers;
}

Result<void> install_scan_tables(Connection& connection) {
  return connection.execute(
      kCreateCheckpoint +
      std::string("CREATE TABLE IF NOT EXISTS syncline_echo(number INTEGER PRIMARY KEY "
                  "AUTOINCREMENT, appliance TEXT NOT NULL, dataset INTEGER NOT NULL, key BLOB NOT "
                  "NULL, image BLOB NOT NULL)"));
}

Result<void> install_tables(Connection& connection, const std::string& appliance) {
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM sqlite_master WHERE type = 'table' AND "
                                   "name IN ('syncline_checkpoint', 'syncline_state', "
                                   "'syncline_changes')"));
  if (count == kTableCount) return check_owner(connection, appliance);
  SYN_TRY(Transaction transaction, Transaction::begin(connection, Access::kWrite));
  SYN_TRY(connection.execute(create_tables_sql(appliance)));
  SYN_TRY(check_owner(connection, appliance));
  return transaction.commit();
}

Result<std::vector<model::DatasetId>> install(Connection& connection, const std::string& appliance,
                                              const std::vector<Mapped>& captured) {
  SYN_TRY(install_tables(connection, appliance));
  SYN_TRY(auto present, present_triggers(connection));
  Difference difference = compare_triggers(std::move(present), captured);
  if (difference.statements.empty()) return std::move(difference.rebuilt);
  SYN_TRY(Transaction transaction, Transaction::begin(connection, Access::kWrite));
  SYN_TRY(add_key_columns(connection, key_count_max(captured)));
  for (const std::string& statement : difference.statements) {
    SYN_TRY(connection.execute(statement));
  }
  SYN_TRY(remember(connection, captured));
  SYN_TRY(transaction.commit());
  return std::move(difference.rebuilt);
}

Result<std::map<std::string, std::string>> present_triggers(Connection& connection) {
  SYN_TRY(Statement rows,
          connection.prepare(std::string("SELECT name, sql FROM sqlite_master WHERE ") +
                             kIsTriggerOfOurs));
  std::map<std::string, std::string> triggers;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return triggers;
    triggers.emplace(rows.text(0), rows.text(1));
  }
}

Result<bool> was_captured(Connection& connection, model::DatasetId dataset) {
  SYN_TRY(const int64_t is_said, connection.query_integer(kHasDatasets));
  if (is_said == 0) return true;
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM syncline_state WHERE instr(datasets, ',' "
                                   "|| " +
                                   std::to_string(dataset) + " || ',') > 0"));
  return count > 0;
}

Result<std::vector<std::string>> installed_objects(Connection& connection) {
  SYN_TRY(Statement rows,
          connection.prepare(std::string("SELECT type || ' ' || name FROM sqlite_master WHERE (") +
                             kIsTriggerOfOurs + ") OR (type = 'table' AND name IN " +
                             kNamesOfOurTables + ") ORDER BY type = 'table', name"));
  std::vector<std::string> objects;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return objects;
    objects.emplace_back(rows.text(0));
  }
}

Result<std::vector<std::string>> remove_objects(Connection& connection) {
  SYN_TRY(Transaction transaction, Transaction::begin(connection, Access::kWrite));
  SYN_TRY(auto objects, installed_objects(connection));
  for (const std::string& object : objects) {
    const size_t space = object.find(' ');
    SYN_TRY(connection.execute("DROP " + object.substr(0, space) + " " +
                               quoted(object.substr(space + 1))));
  }
  SYN_TRY(transaction.commit());
  return objects;
}

}  // namespace syncline::sqlite
