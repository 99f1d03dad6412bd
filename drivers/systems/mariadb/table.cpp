#include "drivers/systems/mariadb/detail/table.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/names.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

using ByName = std::map<std::string, Table*, std::less<>>;

// Names compare as the database's own do not matter here: they come from the same catalog.
std::string where(const std::string& schema_column, const std::string& table_column,
                  const std::optional<std::string>& only) {
  std::string sql = " WHERE " + schema_column + " = DATABASE()";
  if (only) sql += " AND " + table_column + " = " + literal(*only);
  return sql;
}

Table* find_table(const ByName& tables, std::string_view name) {
  const auto found = tables.find(name);
  return found == tables.end() ? nullptr : found->second;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// What the catalog says beside the columns. Joined to them, the server looks it all up for each.
struct Around {
  std::map<std::string, uint32_t, std::less<>> collations;    // their numbers
  std::set<std::pair<std::string, std::string>> json_checks;  // of a table: what they say
};

Result<Around> read_around(Connection& connection, const std::optional<std::string>& only) {
  Around around;
  SYN_TRY(Answer collations, connection.query("SELECT COLLATION_NAME, ID FROM "
                                              "information_schema.COLLATIONS"));
  while (collations.next()) {
    around.collations.emplace(collations.text(0), static_cast<uint32_t>(collations.integer(1)));
  }
  if (!connection.dialect().has_json_checks) return around;
  SYN_TRY(Answer checks, connection.query("SELECT " + logged_name("TABLE_NAME") +
                                          ", CHECK_CLAUSE FROM "
                                          "information_schema.CHECK_CONSTRAINTS" +
                                          where("CONSTRAINT_SCHEMA", "TABLE_NAME", only)));
  while (checks.next()) around.json_checks.emplace(checks.text(0), checks.text(1));
  return around;
}

Column column_of(const Answer& row, const Around& around) {
  Column column;
  column.name = row.text(1);
  Declaration declared;
  declared.data_type = row.text(2);
  declared.column_type = row.text(3);
  declared.charset = row.text(4);
  declared.collation = row.text(5);
  const auto collation = around.collations.find(row.text(5));
  if (collation != around.collations.end()) declared.collation_id = collation->second;
  declared.length = static_cast<uint32_t>(row.integer(6));
  declared.precision = static_cast<uint16_t>(row.is_null(9) ? row.integer(7) : row.integer(9));
  declared.scale = static_cast<uint16_t>(row.integer(8));
  column.collation = declared.collation;
  column.is_nullable = row.text(10) == "YES";
  const std::string_view extra = row.text(11);
  column.is_numbered = contains(extra, "auto_increment");
  column.is_touched_on_update = contains(extra, "on update");
  column.is_generated = !row.is_null(12) && !row.text(12).empty();
  declared.is_json = around.json_checks.contains(
      {std::string(row.text(0)), "json_valid(" + quoted_name(column.name) + ")"});
  column.type = native_type_of(declared);
  return column;
}

Result<void> read_columns(Connection& connection, const std::optional<std::string>& only,
                          const ByName& tables) {
  SYN_TRY(const Around around, read_around(connection, only));
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT " + logged_name("c.TABLE_NAME") +
              ", c.COLUMN_NAME, c.DATA_TYPE, c.COLUMN_TYPE, "
              "c.CHARACTER_SET_NAME, c.COLLATION_NAME, c.CHARACTER_MAXIMUM_LENGTH, "
              "c.NUMERIC_PRECISION, c.NUMERIC_SCALE, c.DATETIME_PRECISION, c.IS_NULLABLE, "
              "c.EXTRA, " +
              std::string(connection.dialect().generation) + " FROM information_schema.COLUMNS c" +
              where("c.TABLE_SCHEMA", "c.TABLE_NAME", only) +
              " ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION"));
  while (rows.next()) {
    if (Table* table = find_table(tables, rows.text(0)))
      table->columns.push_back(column_of(rows, around));
  }
  return success();
}

// Indexes of parts of columns, or of expressions, tell nothing of the whole.
Result<void> read_uniques(Connection& connection, const std::optional<std::string>& only,
                          const ByName& tables) {
  SYN_TRY(Answer rows,
          connection.query("SELECT " + logged_name("TABLE_NAME") +
                           ", INDEX_NAME, COLUMN_NAME, SUB_PART IS NOT NULL OR "
                           "COLUMN_NAME IS NULL FROM information_schema.STATISTICS" +
                           where("TABLE_SCHEMA", "TABLE_NAME", only) +
                           " AND NON_UNIQUE = 0 ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', "
                           "INDEX_NAME, SEQ_IN_INDEX"));
  while (rows.next()) {
    Table* table = find_table(tables, rows.text(0));
    if (table == nullptr) continue;
    const std::string_view index = rows.text(1);
    if (table->uniques.empty() || table->uniques.back().index != index) {
      table->uniques.push_back({std::string(index), {}, index == "PRIMARY"});
    }
    UniqueSet& unique = table->uniques.back();
    unique.is_partial = unique.is_partial || rows.integer(3) != 0;
    unique.columns.emplace_back(rows.text(2));
  }
  for (const auto& [name, table] : tables) {
    std::erase_if(table->uniques, [](const UniqueSet& unique) { return unique.is_partial; });
  }
  return success();
}

// What follows " ON DELETE " or " ON UPDATE " in a constraint's line of SHOW CREATE TABLE.
std::string rule_after(std::string_view line, std::string_view words) {
  const size_t at = line.rfind(words);
  if (at == std::string_view::npos || at < line.rfind(')')) return "RESTRICT";
  line.remove_prefix(at + words.size());
  for (const std::string_view rule : {"CASCADE", "SET NULL", "SET DEFAULT", "NO ACTION"}) {
    if (line.starts_with(rule)) return std::string(rule);
  }
  return "RESTRICT";
}

// To a user whose rights are on tables alone, REFERENTIAL_CONSTRAINTS shows nothing.
Result<void> read_rules(Connection& connection, Table& table) {
  const bool is_known = std::none_of(table.foreign_keys.begin(), table.foreign_keys.end(),
                                     [](const ForeignKey& key) { return key.on_delete.empty(); });
  if (is_known) return success();
  SYN_TRY(Answer row, connection.query("SHOW CREATE TABLE " + quoted_name(table.name)));
  if (!row.next()) return success();
  const std::string_view text = row.text(1);
  for (ForeignKey& key : table.foreign_keys) {
    const size_t begin = text.find("\n  CONSTRAINT " + quoted_name(key.name) + " FOREIGN KEY");
    if (begin == std::string_view::npos) continue;
    const std::string_view line = text.substr(begin, text.find('\n', begin + 1) - begin);
    key.on_delete = rule_after(line, " ON DELETE ");
    key.on_update = rule_after(line, " ON UPDATE ");
  }
  return success();
}

Result<void> read_foreign_keys(Connection& connection, const std::optional<std::string>& only,
                               const ByName& tables) {
  SYN_TRY(Answer rows,
          connection.query(
              "SELECT " + logged_name("k.TABLE_NAME") + ", k.CONSTRAINT_NAME, " +
              logged_name("k.REFERENCED_TABLE_NAME") +
              ", r.DELETE_RULE, "
              "r.UPDATE_RULE, k.COLUMN_NAME, " +
              logged_name("k.REFERENCED_TABLE_SCHEMA") +
              ", k.REFERENCED_COLUMN_NAME "
              "FROM information_schema.KEY_COLUMN_USAGE k LEFT JOIN "
              "information_schema.REFERENTIAL_CONSTRAINTS r ON r.CONSTRAINT_SCHEMA = "
              "k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME AND r.TABLE_NAME = "
              "k.TABLE_NAME" +
              where("k.CONSTRAINT_SCHEMA", "k.TABLE_NAME", only) +
              " AND k.REFERENCED_TABLE_NAME IS NOT NULL ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, "
              "k.ORDINAL_POSITION"));
  while (rows.next()) {
    Table* table = find_table(tables, rows.text(0));
    if (table == nullptr) continue;
    auto& keys = table->foreign_keys;
    const bool is_new = keys.empty() || keys.back().name != rows.text(1);
    if (is_new) {
      ForeignKey& key = keys.emplace_back();
      key.name = rows.text(1);
      key.referenced = rows.text(2);
      key.on_delete = rows.text(3);
      key.on_update = rows.text(4);
      key.referenced_database = rows.text(6);
    }
    keys.back().columns.emplace_back(rows.text(5));
    keys.back().referenced_columns.emplace_back(rows.text(7));
  }
  for (const auto& [name, table] : tables) {
    SYN_TRY(read_rules(connection, *table));
  }
  return success();
}

auto schema_error(const ports::DatasetMapping& mapping, std::string what, std::string why,
                  std::string fix) {
  return fail(ErrorCode::kSystemSchema, "dataset " + mapping.schema->name + ": " + std::move(what),
              std::move(why), std::move(fix));
}

// One on which a user has no right at all is not there for it.
Result<Mapped> no_table(Connection& connection, const ports::DatasetMapping& mapping) {
  SYN_TRY(const auto unread, read_unread_tables(connection, mapping.table));
  if (!unread.empty()) {
    return schema_error(mapping, "table " + mapping.table + " cannot be synced", unread[0].why,
                        unread[0].fix);
  }
  SYN_TRY(const std::string user, account(connection));
  SYN_TRY(const std::string database, connection.query_text("SELECT DATABASE()"));
  return schema_error(mapping, "table " + mapping.table + " is not in " + connection.place(),
                      "it was dropped or renamed, or the config misspells it, or user " + user +
                          " has no right on it",
                      "correct `table` in the config, or bring the table back, or GRANT SELECT, "
                      "INSERT, UPDATE, DELETE ON " +
                          quoted_name(database) + "." + quoted_name(mapping.table) + " TO " + user +
                          ";");
}

// The log tells its rows under that name, and no others.
Result<Mapped> other_name(const Connection& connection, const ports::DatasetMapping& mapping,
                          const std::string& name) {
  return schema_error(mapping,
                      "table " + mapping.table + " is " + name + " to " + connection.place(),
                      "the server takes names in any case for one (lower_case_table_names), and "
                      "its log has this one",
                      "table = \"" + name + "\" in the config");
}

Result<void> check_key(Connection& connection, const Mapped& mapped) {
  std::set<std::string> wanted;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const Column& column = mapped.columns[i];
    wanted.insert(column.name);
    if (!column.is_nullable) continue;
    SYN_TRY(const std::string declared, read_declaration(connection, mapped.table.name, column));
    return fail(ErrorCode::kSystemKey,
                "dataset " + mapped.schema->name + ": key column " + column.name + " of " +
                    mapped.table.name + " may be NULL",
                "a record is known by its key, and NULL equals nothing",
                "ALTER TABLE " + quoted_name(mapped.table.name) + " " +
                    modify_sql(column.name, without_null(declared)) + ";");
  }
  const bool is_unique = std::any_of(
      mapped.table.uniques.begin(), mapped.table.uniques.end(), [&](const UniqueSet& unique) {
        return std::set<std::string>(unique.columns.begin(), unique.columns.end()) == wanted;
      });
  if (is_unique) return success();
  return fail(ErrorCode::kSystemKey,
              "dataset " + mapped.schema->name + ": (" + column_list(mapped, mapped.key_count()) +
                  ") is no key of " + mapped.table.name,
              "several rows could be one record",
              "ALTER TABLE " + quoted_name(mapped.table.name) + " ADD UNIQUE (" +
                  column_list(mapped, mapped.key_count()) + ");");
}

}  // namespace

bool ForeignKey::cascades() const {
  const auto acts = [](const std::string& rule) {
    return rule == "CASCADE" || rule == "SET NULL" || rule == "SET DEFAULT";
  };
  return acts(on_delete) || acts(on_update);
}

const Column* Table::find(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& known) { return known.name == column; });
  return found == columns.end() ? nullptr : &*found;
}

Result<std::vector<Table>> read_tables(Connection& connection,
                                       const std::optional<std::string>& only) {
  SYN_TRY(Answer rows,
          connection.query("SELECT " + logged_name("TABLE_NAME") +
                           ", ENGINE, TABLE_ROWS FROM information_schema.TABLES" +
                           where("TABLE_SCHEMA", "TABLE_NAME", only) +
                           " AND TABLE_TYPE = 'BASE TABLE' AND TABLE_NAME NOT IN (" +
                           literal(kCheckpoint) + ", " + literal(kEcho) + ") ORDER BY TABLE_NAME"));
  std::vector<Table> tables;
  tables.reserve(rows.row_count());
  while (rows.next()) {
    Table& table = tables.emplace_back();
    table.name = rows.text(0);
    table.engine = rows.text(1);
    table.row_estimate = static_cast<uint64_t>(rows.integer(2));
  }
  if (tables.empty()) return tables;
  ByName by_name;
  for (Table& table : tables) by_name[table.name] = &table;
  SYN_TRY(read_columns(connection, only, by_name));
  SYN_TRY(read_uniques(connection, only, by_name));
  SYN_TRY(read_foreign_keys(connection, only, by_name));
  return tables;
}

Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping,
                           Charsets& charsets) {
  SYN_TRY(auto tables, read_tables(connection, mapping.table));
  if (tables.empty()) return no_table(connection, mapping);
  if (tables[0].name != mapping.table) return other_name(connection, mapping, tables[0].name);
  Mapped mapped{&mapping, mapping.schema, std::move(tables[0]), {}, {}};
  for (const std::string& name : mapping.columns) {
    const Column* column = mapped.table.find(name);
    if (column == nullptr) {
      return schema_error(mapping, "table " + mapping.table + " has no column " + name,
                          "it was dropped or renamed, or the config misspells it",
                          "correct `fields` in the config, or bring the column back; the dataset "
                          "then goes on by a scan");
    }
    if (column->is_generated) {
      return schema_error(mapping, "column " + name + " of " + mapping.table + " is generated",
                          "the database computes it", "leave it out of the dataset's fields");
    }
    if (column->type.category == Category::kOther) {
      return schema_error(
          mapping, "column " + name + " of " + mapping.table + " is of type " + column->type.name,
          "this version does not know that type", "leave it out of the dataset's fields");
    }
    mapped.columns.push_back(*column);
    mapped.places.push_back(static_cast<size_t>(column - mapped.table.columns.data()));
  }
  SYN_TRY(check_key(connection, mapped));
  SYN_TRY(read_letters(connection, charsets, mapped));
  return mapped;
}

Result<std::string> read_created(Connection& connection, const std::string& table) {
  SYN_TRY(Answer row, connection.query("SHOW CREATE TABLE " + quoted_name(table)));
  return row.next() ? std::string(row.text(1)) : std::string();
}

std::string declaration_of(std::string_view created, const Column& column) {
  if (auto declared = declaration_in(created, column.name)) return std::move(*declared);
  return column.type.name + (column.collation.empty() ? "" : " COLLATE " + column.collation) +
         (column.is_nullable ? "" : " NOT NULL");
}

Result<std::string> read_declaration(Connection& connection, const std::string& table,
                                     const Column& column) {
  SYN_TRY(const std::string created, read_created(connection, table));
  return declaration_of(created, column);
}

std::string modify_sql(const std::string& column, const std::string& declaration) {
  return "MODIFY " + quoted_name(column) + " " + declaration;
}

bool is_same_shape(const Mapped& a, const Mapped& b) {
  return a.table.name == b.table.name && a.table.columns.size() == b.table.columns.size() &&
         a.places == b.places &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& one, const Column& other) { return one.type == other.type; });
}

std::string column_list(const std::vector<std::string>& names) {
  std::string sql;
  for (const std::string& name : names) sql += (sql.empty() ? "" : ", ") + quoted_name(name);
  return sql;
}

std::string column_list(const Mapped& mapped, size_t count) {
  if (count == 0) count = mapped.columns.size();
  std::string sql;
  for (size_t i = 0; i < count; ++i) {
    sql += (i == 0 ? "" : ", ") + quoted_name(mapped.columns[i].name);
  }
  return sql;
}

ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error) {
  std::string record = "dataset " + mapped.schema->name;
  if (!key.empty()) record += ", record " + model::describe_key(key, *mapped.schema);
  error.what = record + ": " + error.what;
  return {mapped.dataset(), std::move(key), std::move(error)};
}

}  // namespace syncline::mariadb
