// A table as SQLite describes it, and a dataset's mapping onto it, checked.
//
// Threads: values; reading uses the connection given. Errors: kSystemSchema and kSystemKey, naming
// the dataset; those of the connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "host/model/schema.hpp"
#include "host/ports/system.hpp"

namespace syncline::sqlite {

struct Column {
  std::string name;
  std::string declared_type;
  std::string collation;  // BINARY, NOCASE, RTRIM or the user's own
  Affinity affinity = Affinity::kNone;
  bool is_nullable = true;
  bool is_generated = false;
  bool has_default = false;
  int primary_key_place = 0;  // from 1; 0: not in the primary key
};

struct UniqueSet {  // columns that no two rows share
  std::vector<std::string> columns;
  std::vector<std::string> collations;
  bool is_partial = false;
  std::string index = {};   // empty: the rowid needs none
  bool is_created = false;  // by CREATE INDEX, and not within the table's own text
};

struct Table {
  std::string name;
  std::string sql;
  std::vector<Column> columns;
  std::vector<UniqueSet> uniques;  // the primary key first
  bool is_without_rowid = false;
  bool is_strict = false;
  bool has_unique_expression = false;  // an index that REPLACE may empty rows by, unseen by us
  bool declares_conflicts = false;     // an ON CONFLICT clause of its own

  const Column* find(std::string_view column) const;
};

// Nothing where there is no such table. Views and virtual tables are kSystemSchema.
Result<std::optional<Table>> read_table(Connection& connection, const std::string& name);

// One dataset on its table. columns are in the order of the schema's fields.
struct Mapped {
  const ports::DatasetMapping* mapping = nullptr;
  const model::Schema* schema = nullptr;
  Table table;
  std::vector<Column> columns;

  size_t key_count() const { return schema->key_count; }
  model::DatasetId dataset() const { return schema->dataset; }
};

Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping);

// What of the mapped columns has changed between two readings, in words; empty: nothing.
std::string mapped_difference(const Mapped& before, const Mapped& after);

// Pieces of SQL. "a", "b" | "a" = ?1 AND "b" = ?2, from a first parameter on
std::string column_list(const std::vector<Column>& columns);
std::string key_condition(const Mapped& mapped, size_t first_parameter);
// The row filter as a further condition: " AND (...)", or empty.
std::string filter_condition(const Mapped& mapped);

}  // namespace syncline::sqlite
