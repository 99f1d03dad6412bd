#include "drivers/systems/postgres/detail/table.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "host/model/key.hpp"

namespace syncline::postgres {
namespace {

constexpr const char* kFrom = " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace";

// Users' tables, without partitions: those belong to their root.
constexpr const char* kOfUsers =
    " WHERE c.relkind IN ('r', 'p') "
    "AND NOT c.relispartition AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', "
    "'syncline') AND c.relpersistence <> 't'";

constexpr const char* kTables =
    "SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident, "
    "pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'SELECT'), "
    "has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE') AND "
    "has_table_privilege(c.oid, 'DELETE'), greatest(c.reltuples, 0)::bigint, c.relfilenode, "
    "has_schema_privilege(n.oid, 'USAGE'), row_security_active(c.oid), CASE WHEN c.relkind = "
    "'r' THEN (SELECT string_agg(format('ALTER TABLE %I.%I NO INHERIT %I.%I;', s.nspname, "
    "x.relname, n.nspname, c.relname), ' ' ORDER BY s.nspname, x.relname) FROM pg_inherits h JOIN "
    "pg_class x ON x.oid = h.inhrelid JOIN pg_namespace s ON s.oid = x.relnamespace WHERE "
    "h.inhparent = c.oid) END, current_user, o.rolname, o.rolsuper";

constexpr const char* kOfOwners = " LEFT JOIN pg_roles o ON o.oid = c.relowner";

// Those that hold rows. A foreign table is none of a table that has a key: PostgreSQL refuses it.
constexpr const char* kLeaves =
    "WITH RECURSIVE part AS (SELECT $1::oid AS id UNION ALL SELECT i.inhrelid FROM part p JOIN "
    "pg_inherits i ON i.inhparent = p.id) SELECT c.oid, n.nspname, c.relname, c.relreplident, "
    "c.relpersistence FROM part p JOIN pg_class c ON c.oid = p.id AND c.relkind = 'r' JOIN "
    "pg_namespace n ON n.oid = c.relnamespace ORDER BY n.nspname, c.relname";

// A domain counts as its base type, with the modifier nearest to the column.
constexpr std::string_view kBases =
    "WITH RECURSIVE base(declared, type, modifier) AS (SELECT oid, oid, -1 FROM pg_type WHERE "
    "typtype <> 'd' UNION ALL SELECT d.oid, b.type, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod "
    "ELSE b.modifier END FROM pg_type d JOIN base b ON d.typtype = 'd' AND d.typbasetype = "
    "b.declared) ";

constexpr const char* kColumns =
    "SELECT a.attrelid, a.attname, a.atttypid, a.atttypmod, CASE WHEN a.atttypmod >= 0 "
    "THEN a.atttypmod ELSE b.modifier END, t.typname, t.typtype, format_type(t.oid, NULL), "
    "e.typname, e.typtype, t.typcategory = 'A' AND e.typdelim = ',', a.attnotnull, a.attgenerated "
    "<> '', a.attidentity <> '' OR pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', a.attidentity "
    "= 'a', NOT coalesce(l.collisdeterministic, true) OR t.typname = 'citext', a.attnum, a.xmin, "
    "a.atthasdef OR a.attidentity <> '' OR g.typdefault IS NOT NULL, EXISTS (SELECT FROM pg_depend "
    "q JOIN pg_class s ON s.oid = q.refobjid AND s.relkind = 'S' WHERE q.classid = "
    "'pg_attrdef'::regclass AND q.objid = d.oid AND q.refclassid = 'pg_class'::regclass) AND "
    "pg_get_expr(d.adbin, d.adrelid) NOT LIKE 'nextval(%' FROM pg_attribute a JOIN base b ON "
    "b.declared = a.atttypid JOIN pg_type t ON t.oid = b.type "
    "LEFT JOIN pg_type e "
    "ON e.oid = t.typelem LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum "
    "LEFT JOIN pg_collation l ON l.oid = a.attcollation LEFT JOIN pg_type g ON g.oid = a.atttypid "
    "WHERE a.attnum > 0 AND NOT a.attisdropped "
    "AND a.attrelid = ANY($1::oid[]) ORDER BY a.attrelid, a.attnum";

// What the composites among the columns are made of.
constexpr const char* kAttributes =
    "SELECT a.attrelid, a.attname, x.attname, t.typname, t.typtype, e.typname, e.typtype, "
    "t.typcategory = 'A' AND e.typdelim = ',', CASE WHEN x.atttypmod >= 0 THEN x.atttypmod ELSE "
    "y.modifier END FROM pg_attribute a JOIN base b ON b.declared = a.atttypid JOIN pg_type c ON "
    "c.oid = b.type AND c.typtype = 'c' JOIN pg_attribute x ON "
    "x.attrelid = c.typrelid AND x.attnum > 0 AND NOT x.attisdropped JOIN base y ON y.declared = "
    "x.atttypid JOIN pg_type t ON t.oid = y.type LEFT JOIN pg_type e ON e.oid = t.typelem WHERE "
    "a.attnum > 0 AND NOT a.attisdropped AND a.attrelid = ANY($1::oid[]) ORDER BY a.attrelid, "
    "a.attnum, x.attnum";

constexpr const char* kUniques =
    "SELECT i.indrelid, x.relname, i.indisprimary, i.indisreplident, i.indimmediate, a.attname, "
    "EXISTS (SELECT 1 FROM pg_constraint u WHERE u.conindid = i.indexrelid AND u.contype IN ('p', "
    "'u')), coalesce(to_jsonb(i)->>'indnullsnotdistinct', 'f') = 'true' FROM "
    "pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN LATERAL unnest(i.indkey::int2[]) WITH "
    "ORDINALITY k(attnum, place) ON k.place <= i.indnkeyatts LEFT JOIN pg_attribute a ON "
    "a.attrelid "
    "= i.indrelid AND a.attnum = k.attnum WHERE i.indisunique AND i.indisvalid AND i.indpred IS "
    "NULL AND i.indexprs IS NULL AND i.indrelid = ANY($1::oid[]) ORDER BY i.indrelid, "
    "i.indisprimary "
    "DESC, x.relname, k.place";

constexpr const char* kSequences =
    "SELECT d.refobjid, a.attname, quote_ident(n.nspname) || '.' || quote_ident(s.relname), "
    "q.seqincrement, coalesce(CASE WHEN has_sequence_privilege(s.oid, 'SELECT') THEN "
    "pg_sequence_last_value(s.oid) END, q.seqstart - q.seqincrement), "
    "q.seqmin > 1 OR q.seqmax < CASE q.seqtypid WHEN 'int2'::regtype THEN 32767 WHEN "
    "'int4'::regtype THEN 2147483647 ELSE 9223372036854775807 END, has_sequence_privilege(s.oid, "
    "'UPDATE') AND has_sequence_privilege(s.oid, 'SELECT') FROM pg_depend d JOIN pg_class s ON "
    "s.oid = d.objid AND s.relkind = 'S' JOIN pg_sequence q ON q.seqrelid = s.oid JOIN "
    "pg_namespace n ON n.oid = s.relnamespace JOIN pg_attribute a ON a.attrelid = d.refobjid AND "
    "a.attnum = d.refobjsubid WHERE d.classid = 'pg_class'::regclass AND d.refclassid = "
    "'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') AND d.refobjid = "
    "ANY($1::oid[])";

constexpr const char* kReferences =
    "SELECT DISTINCT f.conrelid, n.nspname, c.relname FROM pg_constraint f JOIN pg_class c ON "
    "c.oid "
    "= f.confrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE f.contype = 'f' AND "
    "f.conrelid = ANY($1::oid[]) ORDER BY 1, 2, 3";

bool is_plain_name(std::string_view name) {
  return name.find_first_of(".\"") == std::string_view::npos;
}

std::string name_part(std::string_view name) {
  return is_plain_name(name) ? std::string(name) : quoted_name(name);
}

std::string display(std::string_view schema, std::string_view name) {
  return name_part(schema) + "." + name_part(name);
}

auto schema_error(const ports::DatasetMapping& mapping, std::string what, std::string why,
                  std::string fix) {
  return fail(ErrorCode::kSystemSchema, "dataset " + mapping.schema->name + ": " + std::move(what),
              std::move(why), std::move(fix));
}

Column column_of(const Answer& rows, size_t row) {
  Column column;
  column.name = rows.text(row, 1);
  column.declared_type = static_cast<Oid>(rows.integer(row, 2));
  column.declared_modifier = static_cast<int32_t>(rows.integer(row, 3));
  column.type.modifier = static_cast<int32_t>(rows.integer(row, 4));
  column.type.name = cast_name(rows.text(row, 5), rows.text(row, 7));
  column.type.is_array = rows.is_true(row, 10);
  const size_t at = column.type.is_array ? 8 : 5;
  const std::string_view kind = rows.text(row, at + 1);
  column.type.category = category_of(rows.text(row, at), kind.empty() ? 'b' : kind[0]);
  column.is_nullable = !rows.is_true(row, 11);
  column.is_generated = rows.is_true(row, 12);
  column.is_numbered = rows.is_true(row, 13);
  column.is_always_identity = rows.is_true(row, 14);
  if (rows.is_true(row, 15)) column.equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  column.number = rows.integer(row, 16);
  column.version = rows.text(row, 17);
  column.has_default = rows.is_true(row, 18);
  column.is_drawn = rows.is_true(row, 19);
  return column;
}

void add_unique(const Answer& rows, size_t row, Table& table) {
  const std::string_view index = rows.text(row, 1);
  if (table.uniques.empty() || table.uniques.back().index != index) {
    UniqueSet& made = table.uniques.emplace_back();
    made.index = index;
    made.is_primary = rows.is_true(row, 2);
    made.is_identity = rows.is_true(row, 3);
    made.is_immediate = rows.is_true(row, 4);
    made.is_constraint = rows.is_true(row, 6);
    made.are_nulls_equal = rows.is_true(row, 7);
  }
  table.uniques.back().columns.emplace_back(rows.text(row, 5));
}

void add_numbering(const Answer& rows, size_t row, Table& table) {
  for (Column& column : table.columns) {
    if (column.name != rows.text(row, 1) || !column.is_numbered) continue;
    column.numbering = {std::string(rows.text(row, 2)), rows.integer(row, 3), rows.integer(row, 4),
                        rows.is_true(row, 5), rows.is_true(row, 6)};
  }
}

void add_attribute(const Answer& rows, size_t row, Table& table) {
  const size_t at = rows.is_true(row, 7) ? 5 : 3;
  const std::string_view kind = rows.text(row, at + 1);
  for (Column& column : table.columns) {
    if (column.name != rows.text(row, 1)) continue;
    column.type.attributes.push_back({std::string(rows.text(row, 2)),
                                      category_of(rows.text(row, at), kind.empty() ? 'b' : kind[0]),
                                      static_cast<int32_t>(rows.integer(row, 8)),
                                      rows.is_true(row, 7)});
  }
}

// No more is asked where no column is a composite.
Result<void> read_attributes(Connection& connection, std::span<const Parameter> tables,
                             const std::map<int64_t, Table*>& by_oid) {
  const bool has_composite = std::any_of(by_oid.begin(), by_oid.end(), [](const auto& entry) {
    const auto& columns = entry.second->columns;
    return std::any_of(columns.begin(), columns.end(), [](const Column& column) {
      return column.type.category == Category::kComposite && !column.type.is_array;
    });
  });
  if (!has_composite) return success();
  SYN_TRY(const Answer rows, connection.query(std::string(kBases) + kAttributes, tables));
  for (size_t row = 0; row < rows.row_count(); ++row) {
    add_attribute(rows, row, *by_oid.at(rows.integer(row, 0)));
  }
  return success();
}

Result<void> read_uniques(Connection& connection, const Parameter& tables,
                          const std::map<int64_t, Table*>& by_oid) {
  SYN_TRY(const Answer uniques, connection.query(kUniques, std::span(&tables, 1)));
  for (size_t row = 0; row < uniques.row_count(); ++row) {
    add_unique(uniques, row, *by_oid.at(uniques.integer(row, 0)));
  }
  return success();
}

Result<void> read_details(Connection& connection, std::vector<Table>& tables) {
  ArrayLiteral oids;
  std::map<int64_t, Table*> by_oid;
  for (Table& table : tables) {
    oids.add(std::to_string(table.oid));
    by_oid[table.oid] = &table;
  }
  const Parameter parameter[] = {oids.finish()};
  SYN_TRY(const Answer columns, connection.query(std::string(kBases) + kColumns, parameter));
  for (size_t row = 0; row < columns.row_count(); ++row) {
    by_oid.at(columns.integer(row, 0))->columns.push_back(column_of(columns, row));
  }
  SYN_TRY(read_attributes(connection, parameter, by_oid));
  SYN_TRY(const Answer sequences, connection.query(kSequences, parameter));
  for (size_t row = 0; row < sequences.row_count(); ++row) {
    add_numbering(sequences, row, *by_oid.at(sequences.integer(row, 0)));
  }
  SYN_TRY(read_uniques(connection, *parameter, by_oid));
  SYN_TRY(const Answer references, connection.query(kReferences, parameter));
  for (size_t row = 0; row < references.row_count(); ++row) {
    by_oid.at(references.integer(row, 0))
        ->references.push_back(display(references.text(row, 1), references.text(row, 2)));
  }
  return success();
}

std::vector<std::string> key_columns(const Mapped& mapped) {
  std::vector<std::string> names;
  names.reserve(mapped.key_count());
  for (size_t i = 0; i < mapped.key_count(); ++i) names.push_back(mapped.columns[i].name);
  return names;
}

bool is_of_key(const Mapped& mapped, const UniqueSet& unique) {
  const auto names = key_columns(mapped);
  return std::set<std::string>(unique.columns.begin(), unique.columns.end()) ==
         std::set<std::string>(names.begin(), names.end());
}

// The unique index whose columns are the dataset's key: of several one that is not DEFERRABLE.
const UniqueSet* key_index(const Mapped& mapped) {
  const UniqueSet* found = nullptr;
  for (const UniqueSet& unique : mapped.table.uniques) {
    if (!is_of_key(mapped, unique)) continue;
    if (unique.is_immediate) return &unique;
    if (found == nullptr) found = &unique;
  }
  return found;
}

Result<void> check_key(const Mapped& mapped) {
  const UniqueSet* unique = key_index(mapped);
  std::string names;
  for (const std::string& name : key_columns(mapped)) {
    names += (names.empty() ? "" : ", ") + quoted_name(name);
  }
  if (unique == nullptr) {
    return fail(ErrorCode::kSystemKey,
                "dataset " + mapped.schema->name + ": (" + names + ") is no key of " +
                    mapped.table.display_name(),
                "no unique index has exactly these columns",
                "CREATE UNIQUE INDEX ON " + mapped.table.sql_name() + " (" + names + ");");
  }
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    if (!mapped.columns[i].is_nullable) continue;
    return fail(ErrorCode::kSystemKey,
                "dataset " + mapped.schema->name + ": key column " + mapped.columns[i].name +
                    " of " + mapped.table.display_name() + " may be NULL",
                "a record is known by its key, and NULL equals nothing",
                "ALTER TABLE " + mapped.table.sql_name() + " ALTER " +
                    quoted_name(mapped.columns[i].name) + " SET NOT NULL;");
  }
  return success();
}

}  // namespace

const Column* Table::find(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const Column& known) { return known.name == column; });
  return found == columns.end() ? nullptr : &*found;
}

std::string Table::display_name() const {
  return display(schema, name);
}

TableName parse_table_name(std::string_view text) {
  std::vector<std::string> parts(1);
  bool is_quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '"') {
      const bool is_doubled = is_quoted && i + 1 < text.size() && text[i + 1] == '"';
      if (is_doubled) {
        parts.back() += text[i++];
      } else {
        is_quoted = !is_quoted;
      }
    } else if (text[i] == '.' && !is_quoted && parts.size() == 1) {
      parts.emplace_back();
    } else {
      parts.back() += text[i];
    }
  }
  if (parts.size() == 1) return {"public", parts[0]};
  return {parts[0], parts[1]};
}

Result<std::vector<Table>> read_tables(Connection& connection,
                                       const std::optional<TableName>& only) {
  std::string sql = std::string(kTables) + kFrom + kOfOwners + kOfUsers;
  if (only) {
    sql += " AND n.nspname = " + literal(only->schema) + " AND c.relname = " + literal(only->name);
  }
  SYN_TRY(const Answer rows, connection.query(sql + " ORDER BY n.nspname, c.relname"));
  std::vector<Table> tables(rows.row_count());
  for (size_t row = 0; row < tables.size(); ++row) {
    Table& table = tables[row];
    table.oid = static_cast<Oid>(rows.integer(row, 0));
    table.schema = rows.text(row, 1);
    table.name = rows.text(row, 2);
    table.kind = rows.text(row, 3)[0];
    table.persistence = rows.text(row, 4)[0];
    table.identity = rows.text(row, 5)[0];
    table.is_owned = rows.is_true(row, 6);
    table.is_readable = rows.is_true(row, 7);
    table.is_writable = rows.is_true(row, 8);
    table.row_estimate = rows.integer(row, 9);
    table.file = rows.text(row, 10);
    table.is_reachable = rows.is_true(row, 11);
    table.is_filtered = rows.is_true(row, 12);
    table.disinherit_sql = rows.text(row, 13);
    table.reader = rows.text(row, 14);
    table.owner = rows.text(row, 15);
    table.is_owners_super = rows.is_true(row, 16);
  }
  if (tables.empty()) return tables;
  SYN_TRY(read_details(connection, tables));
  return tables;
}

Result<std::vector<Table>> read_leaves(Connection& connection, const Table& root) {
  const Parameter parameter[] = {std::to_string(root.oid)};
  SYN_TRY(const Answer rows, connection.query(kLeaves, parameter));
  std::vector<Table> leaves(rows.row_count());
  std::map<int64_t, Table*> by_oid;
  ArrayLiteral oids;
  for (size_t row = 0; row < leaves.size(); ++row) {
    Table& leaf = leaves[row];
    leaf.oid = static_cast<Oid>(rows.integer(row, 0));
    leaf.schema = rows.text(row, 1);
    leaf.name = rows.text(row, 2);
    leaf.identity = rows.text(row, 3)[0];
    leaf.persistence = rows.text(row, 4)[0];
    by_oid[leaf.oid] = &leaf;
    oids.add(std::to_string(leaf.oid));
  }
  if (leaves.empty()) return leaves;
  SYN_TRY(read_uniques(connection, oids.finish(), by_oid));
  return leaves;
}

Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping) {
  SYN_TRY(auto tables, read_tables(connection, parse_table_name(mapping.table)));
  if (tables.empty()) {
    return schema_error(mapping, "table " + mapping.table + " is not in " + connection.place(),
                        "it was dropped or renamed, or the config misspells it",
                        "correct `table` in the config, or bring the table back");
  }
  Mapped mapped{&mapping, mapping.schema, std::move(tables[0]), {}};
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
  return mapped;
}

bool is_same_shape(const Mapped& a, const Mapped& b) {
  return a.table.oid == b.table.oid &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& one, const Column& other) {
                      return one.declared_type == other.declared_type &&
                             one.declared_modifier == other.declared_modifier &&
                             one.type.attributes == other.type.attributes;
                    });
}

bool is_key_index(const Mapped& mapped, std::string_view index) {
  const auto& uniques = mapped.table.uniques;
  return std::any_of(uniques.begin(), uniques.end(), [&](const UniqueSet& unique) {
    return unique.index == index && is_of_key(mapped, unique);
  });
}

Error identity_error(const Mapped& mapped, std::string why) {
  std::string fix = "ALTER TABLE " + mapped.table.sql_name() + " REPLICA IDENTITY ";
  const UniqueSet* unique = key_index(mapped);
  if (unique == nullptr || !unique->is_immediate) {
    fix += "FULL;";
  } else if (unique->is_primary) {
    fix += "DEFAULT;";
  } else {
    fix += "USING INDEX " + quoted_name(unique->index) + ";";
  }
  return {ErrorCode::kSystemKey,
          "dataset " + mapped.schema->name + ": the log of " + mapped.table.display_name() +
              " does not tell records by the dataset's key",
          std::move(why), std::move(fix)};
}

std::optional<Error> identity_problem(const Mapped& mapped) {
  const Table& table = mapped.table;
  if (table.identity == 'f') return {};
  if (table.identity == 'n') {
    return identity_error(mapped,
                          "its replica identity is NOTHING, so updates and deletes name no "
                          "record");
  }
  const UniqueSet* identity = nullptr;
  for (const UniqueSet& unique : table.uniques) {
    if (table.identity == 'i' ? unique.is_identity : unique.is_primary) identity = &unique;
  }
  if (identity == nullptr || !identity->is_immediate) {
    return identity_error(mapped, "it has no primary key that its replica identity could be");
  }
  for (const std::string& name : key_columns(mapped)) {
    const auto& columns = identity->columns;
    if (std::find(columns.begin(), columns.end(), name) != columns.end()) continue;
    return identity_error(mapped, "its replica identity, index " + identity->index +
                                      ", is without the key column " + name);
  }
  return {};
}

std::string identity_sql(const Table& table, const Column& column) {
  if (!column.is_always_identity) return {};
  return "ALTER TABLE " + table.sql_name() + " ALTER " + quoted_name(column.name) +
         " SET GENERATED BY DEFAULT;";
}

std::string column_list(const Mapped& mapped, size_t count, std::string_view prefix) {
  if (count == 0) count = mapped.columns.size();
  std::string sql;
  for (size_t i = 0; i < count; ++i) {
    sql += (i == 0 ? "" : ", ") + std::string(prefix) + quoted_name(mapped.columns[i].name);
  }
  return sql;
}

ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error) {
  std::string record = "dataset " + mapped.schema->name;
  if (!key.empty()) record += ", record " + model::describe_key(key, *mapped.schema);
  error.what = record + ": " + error.what;
  return {mapped.dataset(), std::move(key), std::move(error)};
}

}  // namespace syncline::postgres
