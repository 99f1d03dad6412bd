#include "drivers/systems/sqlite/detail/table.hpp"

#include <algorithm>

#include "drivers/scan/findings.hpp"

namespace syncline::sqlite {
namespace {

std::string upper(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char letter) { return static_cast<char>(std::toupper(letter)); });
  return out;
}

// SQLite's identifiers are equal regardless of ASCII case.
bool is_same_name(std::string_view left, std::string_view right) {
  return sqlite3_strnicmp(left.data(), right.data(),
                          static_cast<int>(std::max(left.size(), right.size()))) == 0 &&
         left.size() == right.size();
}

Result<void> read_columns(Connection& connection, Table& table) {
  SYN_TRY(Statement rows,
          connection.prepare("SELECT name, type, \"notnull\", pk, hidden, dflt_value IS NOT "
                             "NULL FROM pragma_table_xinfo(" +
                             literal(table.name) + ") ORDER BY cid"));
  constexpr int64_t kHiddenGenerated = 2;  // 2: virtual, 3: stored
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return success();
    Column column;
    column.name = rows.text(0);
    column.declared_type = rows.text(1);
    column.collation = "BINARY";
    column.affinity = affinity_of(column.declared_type);
    if (table.is_strict && upper(column.declared_type) == "ANY") column.affinity = Affinity::kNone;
    column.is_nullable = rows.integer(2) == 0;
    column.primary_key_place = static_cast<int>(rows.integer(3));
    column.is_generated = rows.integer(4) >= kHiddenGenerated;
    column.has_default = rows.integer(5) != 0;
    table.columns.push_back(std::move(column));
  }
}

// An INTEGER PRIMARY KEY is the rowid, the only one that has no index of its own.
void add_rowid_key(Table& table) {
  for (const Column& column : table.columns) {
    if (column.primary_key_place == 1 && !table.is_without_rowid) {
      table.uniques.insert(table.uniques.begin(), {{column.name}, {"BINARY"}, false});
    }
  }
}

// origin: "pk", "u", or "c" of CREATE INDEX
Result<void> read_index(Connection& connection, UniqueSet unique, std::string_view origin,
                        Table& table) {
  SYN_TRY(Statement rows,
          connection.prepare("SELECT cid, name, coll FROM pragma_index_xinfo(" +
                             literal(unique.index) + ") WHERE key = 1 ORDER BY seqno"));
  unique.is_created = origin == "c";
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) break;
    if (rows.integer(0) < 0) {
      table.has_unique_expression = true;
      return success();
    }
    unique.columns.emplace_back(rows.text(1));
    unique.collations.emplace_back(rows.text(2));
  }
  table.uniques.insert(origin == "pk" ? table.uniques.begin() : table.uniques.end(),
                       std::move(unique));
  return success();
}

Result<void> read_uniques(Connection& connection, Table& table) {
  SYN_TRY(Statement rows,
          connection.prepare("SELECT name, origin, partial FROM pragma_index_list(" +
                             literal(table.name) + ") WHERE \"unique\" = 1 ORDER BY seq DESC"));
  bool has_primary_index = false;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) break;
    const std::string origin(rows.text(1));
    has_primary_index |= origin == "pk";
    UniqueSet unique;
    unique.index = rows.text(0);
    unique.is_partial = rows.integer(2) != 0;
    SYN_TRY(read_index(connection, std::move(unique), origin, table));
  }
  if (!has_primary_index) add_rowid_key(table);
  return success();
}

// The collation that decides whether two keys are one: that of the column itself.
Result<void> read_collations(Connection& connection, Table& table) {
  for (Column& column : table.columns) {
    SYN_TRY(column.collation, connection.column_collation(table.name, column.name));
  }
  return success();
}

auto schema_error(const ports::DatasetMapping& mapping, std::string what, std::string why,
                  std::string fix) {
  return fail(ErrorCode::kSystemSchema, "dataset " + mapping.schema->name + ": " + std::move(what),
              std::move(why), std::move(fix));
}

// The key must be what the database itself keeps unique.
Result<void> check_key(const Mapped& mapped) {
  const auto is_key = [&](const UniqueSet& unique) {
    if (unique.is_partial || unique.columns.size() != mapped.key_count()) return false;
    return std::all_of(unique.columns.begin(), unique.columns.end(), [&](const auto& name) {
      return std::any_of(mapped.columns.begin(), mapped.columns.begin() + mapped.key_count(),
                         [&](const Column& column) { return column.name == name; });
    });
  };
  std::string names;
  bool is_declared_null = false;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    names += (i == 0 ? "" : ", ") + quoted(mapped.columns[i].name);
    is_declared_null |= mapped.columns[i].is_nullable && mapped.columns[i].primary_key_place == 0;
  }
  const auto& uniques = mapped.table.uniques;
  if (!is_declared_null && std::any_of(uniques.begin(), uniques.end(), is_key)) return success();
  return fail(ErrorCode::kSystemKey,
              "dataset " + mapped.schema->name + ": table " + mapped.table.name +
                  " does not keep its key (" + names + ") unique",
              is_declared_null ? "a key column is declared without NOT NULL"
                               : "no primary key or unique index has just these columns",
              "CREATE UNIQUE INDEX " + quoted(mapped.table.name + "_key") + " ON " +
                  quoted(mapped.table.name) + "(" + names +
                  "), on columns declared NOT NULL, or name the table's own key in the config");
}

}  // namespace

const Column* Table::find(std::string_view column) const {
  for (const Column& candidate : columns) {
    if (is_same_name(candidate.name, column)) return &candidate;
  }
  return nullptr;
}

Result<std::optional<Table>> read_table(Connection& connection, const std::string& name) {
  SYN_TRY(
      Statement row,
      connection.prepare("SELECT l.name, l.type, l.wr, s.sql, l.strict FROM pragma_table_list l "
                         "LEFT JOIN sqlite_master s ON s.name = l.name WHERE l.schema = 'main' "
                         "AND l.name = " +
                         literal(name) + " COLLATE NOCASE"));
  const int code = row.step();
  if (code == SQLITE_DONE) return std::optional<Table>();
  if (code != SQLITE_ROW) return connection.error(code, "cannot read the schema of " + name);
  Table table;
  table.name = row.text(0);
  const std::string type(row.text(1));
  if (type != "table") {
    return fail(ErrorCode::kSystemSchema, name + " is a " + type + " table, view or module",
                "only ordinary tables have triggers and keys",
                "map the dataset to the table behind it");
  }
  table.is_without_rowid = row.integer(2) != 0;
  table.sql = row.text(3);
  table.is_strict = row.integer(4) != 0;
  table.declares_conflicts = upper(table.sql).find("ON CONFLICT") != std::string::npos;
  SYN_TRY(read_columns(connection, table));
  SYN_TRY(read_uniques(connection, table));
  SYN_TRY(read_collations(connection, table));
  return std::optional(std::move(table));
}

Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping) {
  SYN_TRY(auto table, read_table(connection, mapping.table));
  if (!table) {
    return schema_error(mapping, "table " + mapping.table + " is not in " + connection.path(),
                        "it was dropped or renamed, or the config misspells it",
                        "correct `table` in the config, or bring the table back");
  }
  Mapped mapped{&mapping, mapping.schema, std::move(*table), {}};
  for (const std::string& name : mapping.columns) {
    const Column* column = mapped.table.find(name);
    if (column == nullptr) {
      return schema_error(mapping, "table " + mapping.table + " has no column " + name,
                          "it was dropped or renamed, or the config misspells it",
                          "correct `fields` in the config, or bring the column back");
    }
    if (column->is_generated) {
      return schema_error(mapping, "column " + name + " of " + mapping.table + " is generated",
                          "the database computes it", "leave it out of the dataset's fields");
    }
    mapped.columns.push_back(*column);
  }
  SYN_TRY(check_key(mapped));
  if (mapping.where.empty()) return mapped;
  const auto filter = connection.prepare("SELECT 1 FROM " + quoted(mapped.table.name) +
                                         " WHERE TRUE" + filter_condition(mapped));
  if (!filter) return scan::filter_error(mapping, filter.error());
  return mapped;
}

std::string mapped_difference(const Mapped& before, const Mapped& after) {
  for (size_t i = 0; i < before.columns.size(); ++i) {
    const Column& old_column = before.columns[i];
    const Column& new_column = after.columns[i];
    if (upper(old_column.declared_type) != upper(new_column.declared_type)) {
      return "column " + old_column.name + " was " + old_column.declared_type + " and is now " +
             new_column.declared_type;
    }
    if (old_column.collation != new_column.collation) {
      return "column " + old_column.name + " was compared by " + old_column.collation +
             " and is now by " + new_column.collation;
    }
  }
  return {};
}

std::string column_list(const std::vector<Column>& columns) {
  std::string sql;
  for (const Column& column : columns) sql += (sql.empty() ? "" : ", ") + quoted(column.name);
  return sql;
}

std::string key_condition(const Mapped& mapped, size_t first_parameter) {
  std::string sql;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    sql += (i == 0 ? "" : " AND ") + quoted(mapped.columns[i].name) + " = ?" +
           std::to_string(first_parameter + i);
  }
  return sql;
}

std::string filter_condition(const Mapped& mapped) {
  return mapped.mapping->where.empty() ? "" : " AND (" + mapped.mapping->where + ")";
}

}  // namespace syncline::sqlite
