// The statements of a group of writes.
#include "drivers/systems/postgres/detail/alike.hpp"
#include "drivers/systems/postgres/detail/made_up.hpp"
#include "drivers/systems/postgres/detail/writer.hpp"
#include "host/base/assert.hpp"

namespace syncline::postgres {
namespace {

std::string argument(size_t number) {
  return "a" + std::to_string(number + 1);
}

// unnest($1::text[], $2::text[]) AS v(a1, a2)
std::string values_sql(size_t count) {
  std::string arrays;
  std::string names;
  for (size_t i = 0; i < count; ++i) {
    arrays += (i == 0 ? "$" : ", $") + std::to_string(i + 1) + "::text[]";
    names += (i == 0 ? "" : ", ") + argument(i);
  }
  return "unnest(" + arrays + ") AS v(" + names + ")";
}

std::string cast(const Column& column, size_t number) {
  return "v." + argument(number) + "::" + column.type.name;
}

// What the table takes for the same key: more than the record itself, where its columns are coarse.
// first: of the arguments that are the key.
std::string key_seems(const Mapped& mapped, size_t first = 0) {
  std::string sql;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    sql += (i == 0 ? "" : " AND ") + std::string("t.") + quoted_name(mapped.columns[i].name) +
           " = " + cast(mapped.columns[i], first + i);
  }
  return sql;
}

std::string key_matches(const Mapped& mapped, size_t first = 0) {
  std::string sql = key_seems(mapped, first);
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const Column& column = mapped.columns[i];
    if (!is_coarse(column)) continue;
    sql +=
        " AND " + folded("t." + quoted_name(column.name)) + " = " + folded(cast(column, first + i));
  }
  return sql;
}

// What no UPDATE may name: a whole record that is there must hold it already.
bool is_fixed(const Group& group, const Column& column) {
  return group.step == Step::kPut && column.is_always_identity;
}

// A date of which NULL is all that is known outlives a whole record that has NULL there: no other
// system changed that field.
std::string kept_or_cast(const Column& column, size_t number) {
  const std::string held = "t." + quoted_name(column.name);
  return "CASE WHEN v." + argument(number) + " IS NULL AND (NOT isfinite(" + held + ") OR " + held +
         " < '0001-01-01') THEN " + held + " ELSE " + cast(column, number) + " END";
}

std::string assignments(const Group& group) {
  const Mapped& mapped = *group.mapped;
  std::string sql;
  for (size_t i = 0; i < group.fields.size(); ++i) {
    const Column& column = mapped.columns[group.fields[i]];
    if (is_fixed(group, column)) continue;
    const size_t number = mapped.key_count() + i;
    const bool may_be_kept = (group.step == Step::kPut || group.step == Step::kMove) &&
                             mapped.schema->fields[group.fields[i]].are_zero_dates_null &&
                             is_date(column.type);
    sql += (sql.empty() ? "" : ", ") + quoted_name(column.name) + " = " +
           (may_be_kept ? kept_or_cast(column, number) : cast(column, number));
  }
  return sql;
}

std::string record_matches(const Group& group) {
  std::string sql = key_matches(*group.mapped);
  for (size_t i = 0; i < group.fields.size(); ++i) {
    const Column& column = group.mapped->columns[group.fields[i]];
    if (!is_fixed(group, column)) continue;
    sql +=
        " AND t." + quoted_name(column.name) + " = " + cast(column, group.mapped->key_count() + i);
  }
  return sql;
}

std::string update_sql(const Group& group) {
  const size_t count = group.mapped->key_count() + group.fields.size();
  return "UPDATE " + group.mapped->table.sql_name() + " AS t SET " + assignments(group) + " FROM " +
         values_sql(count) + " WHERE " + record_matches(group);
}

std::string delete_sql(const Group& group) {
  return "DELETE FROM " + group.mapped->table.sql_name() + " AS t USING " +
         values_sql(group.mapped->key_count()) + " WHERE " + key_matches(*group.mapped);
}

// Full records, where none of them is there.
std::string insert_sql(const Group& group, const std::string& source) {
  const Mapped& mapped = *group.mapped;
  const size_t key_count = mapped.key_count();
  std::string names = column_list(mapped, key_count);
  std::string values;
  for (size_t i = 0; i < key_count + group.fields.size(); ++i) {
    const Column& column = mapped.columns[i < key_count ? i : group.fields[i - key_count]];
    if (i >= key_count) names += ", " + quoted_name(column.name);
    values += (i == 0 ? "" : ", ") + cast(column, i);
  }
  return "INSERT INTO " + mapped.table.sql_name() + " (" + names +
         ") OVERRIDING SYSTEM VALUE SELECT " + values + " FROM " + source;
}

// What the UPDATE did not find is inserted, also what a user deleted while the UPDATE waited for
// that row: the table as the statement first saw it does not count. A record of nothing but its key
// is only looked for.
std::string put_sql(const Group& group) {
  const Mapped& mapped = *group.mapped;
  const size_t count = mapped.key_count() + group.fields.size();
  const std::string table = mapped.table.sql_name();
  std::string keys;
  for (size_t i = 0; i < mapped.key_count(); ++i) keys += (i == 0 ? "v." : ", v.") + argument(i);
  const std::string with = "WITH v AS MATERIALIZED (SELECT * FROM " + values_sql(count) + ")";
  const std::string insert = insert_sql(group, "v WHERE ");
  const std::string changes = assignments(group);
  if (changes.empty()) {
    return with + " " + insert + "NOT EXISTS (SELECT 1 FROM " + table + " AS t WHERE " +
           record_matches(group) + ")";
  }
  // NOT IN is answered from a hash table, however the joins are planned; keys are never NULL.
  return with + ", found AS (UPDATE " + table + " AS t SET " + changes + " FROM v WHERE " +
         record_matches(group) + " RETURNING " + keys + ") " + insert + "(" + keys +
         ") NOT IN (TABLE found)";
}

std::string move_sql(const Group& group) {
  const Mapped& mapped = *group.mapped;
  const std::string table = mapped.table.sql_name();
  const size_t old_key = mapped.key_count() + group.fields.size();
  std::string changes = assignments(group);
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    changes += (changes.empty() ? "" : ", ") + quoted_name(mapped.columns[i].name) + " = " +
               cast(mapped.columns[i], i);
  }
  return "UPDATE " + table + " AS t SET " + changes + " FROM " +
         values_sql(old_key + mapped.key_count()) + " WHERE " + key_matches(mapped, old_key) +
         " AND NOT EXISTS (SELECT 1 FROM " + table + " AS t WHERE " + key_seems(mapped) + ")";
}

std::string free_sql(const Group& group) {
  std::string sql;
  for (const model::FieldIndex field : group.fields) {
    sql += (sql.empty() ? "" : ", ") + quoted_name(group.mapped->columns[field].name) + " = " +
           free_value(*group.mapped, field);
  }
  return "UPDATE " + group.mapped->table.sql_name() + " AS t SET " + sql + " FROM " +
         values_sql(group.mapped->key_count()) + " WHERE " + key_matches(*group.mapped);
}

}  // namespace

SqlStatement Group::finish() {
  SYN_ASSERT(step != Step::kFill);
  SqlStatement statement;
  switch (step) {
    case Step::kMove:
      statement.sql = move_sql(*this);
      break;
    case Step::kClear:
    case Step::kDelete:
      statement.sql = delete_sql(*this);
      break;
    case Step::kFree:
      statement.sql = free_sql(*this);
      break;
    case Step::kSet:
      statement.sql = update_sql(*this);
      break;
    case Step::kPut:
      statement.sql = put_sql(*this);
      break;
    case Step::kNew:
      statement.sql = insert_sql(*this, values_sql(mapped->key_count() + fields.size()));
      break;
    case Step::kFill:
      break;
  }
  for (ArrayLiteral& array : arrays) statement.parameters.push_back(array.finish());
  return statement;
}

std::string Group::copy_sql() const {
  std::string names = column_list(*mapped, mapped->key_count());
  for (const model::FieldIndex field : fields) {
    names += ", " + quoted_name(mapped->columns[field].name);
  }
  return "COPY " + mapped->table.sql_name() + " (" + names + ") FROM STDIN";
}

std::string alike_sql(const Mapped& mapped) {
  return "SELECT " + column_list(mapped, mapped.key_count(), "t.") + " FROM " +
         mapped.table.sql_name() + " AS t, " + values_sql(mapped.key_count()) + " WHERE " +
         key_seems(mapped) + " AND NOT (" + key_matches(mapped) + ")";
}

}  // namespace syncline::postgres
