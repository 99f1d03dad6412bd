// Tables as information_schema describes them, and how a dataset lies on one.
//
// Threads: values; reads on the connection given. Errors: those of the connection; kSystemSchema
// and kSystemKey where a mapping does not fit its table.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/charset.hpp"
#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/value.hpp"
#include "host/ports/source.hpp"
#include "host/ports/system.hpp"

namespace syncline::mariadb {

struct Column {
  std::string name;
  NativeType type;
  std::string collation;  // empty: no text
  bool is_nullable = true;
  bool is_generated = false;
  bool is_numbered = false;           // AUTO_INCREMENT
  bool is_touched_on_update = false;  // ON UPDATE CURRENT_TIMESTAMP
};

struct UniqueSet {
  std::string index;
  std::vector<std::string> columns;
  bool is_primary = false;
  bool is_partial = false;  // while it is read: those that are do not stay
};

struct ForeignKey {
  std::string name;
  std::vector<std::string> columns;
  std::string referenced_database;
  std::string referenced;  // the table
  std::vector<std::string> referenced_columns;
  std::string on_delete;
  std::string on_update;
  bool cascades() const;  // to this table's rows, without a trace in the log
  bool operator==(const ForeignKey&) const = default;
};

struct Table {
  std::string name;
  std::string engine;
  uint64_t row_estimate = 0;
  std::vector<Column> columns;     // in the table's order
  std::vector<UniqueSet> uniques;  // of whole columns; primary first
  std::vector<ForeignKey> foreign_keys;

  const Column* find(std::string_view column) const;
};

struct Mapped {
  const ports::DatasetMapping* mapping = nullptr;
  const model::Schema* schema = nullptr;
  Table table;
  std::vector<Column> columns;  // per schema field
  std::vector<size_t> places;   // of those in the table

  model::DatasetId dataset() const { return schema->dataset; }
  size_t key_count() const { return schema->key_count; }
};

// Every table of the connection's database but ours; or the one of this name.
Result<std::vector<Table>> read_tables(Connection& connection,
                                       const std::optional<std::string>& only = {});

// What stands among them that cannot be synced: system-versioned tables, views, sequences.
struct UnreadTable {
  std::string name;
  std::string why;
  std::string fix;
};
Result<std::vector<UnreadTable>> read_unread_tables(Connection& connection,
                                                    const std::optional<std::string>& only = {});

// With the letters of its columns' character sets.
Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping,
                           Charsets& charsets);
// kSystemSchema: a set's cannot be told.
Result<void> read_letters(Connection& connection, Charsets& charsets, Mapped& mapped);

// Whether the mapped columns are what they were.
bool is_same_shape(const Mapped& a, const Mapped& b);

// SHOW CREATE TABLE; empty where there is none. Ask once for all columns.
Result<std::string> read_created(Connection& connection, const std::string& table);
// The column's whole declaration as it is now (declaration.hpp), and the ALTER TABLE of another
// one.
std::string declaration_of(std::string_view created, const Column& column);
Result<std::string> read_declaration(Connection& connection, const std::string& table,
                                     const Column& column);
std::string modify_sql(const std::string& column, const std::string& declaration);

std::string column_list(const std::vector<std::string>& names);  // `a`, `b`
// `a`, `b` of the first `count` columns (0: all).
std::string column_list(const Mapped& mapped, size_t count = 0);

// "dataset customer, record id=7: ..." as a rejection for quarantine.
ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error);

}  // namespace syncline::mariadb
