// Tables as the system catalog describes them, and how a dataset lies on one.
//
// Threads: values; reads on the connection given. Errors: those of the connection; kSystemSchema
// and kSystemKey where a mapping does not fit its table.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "drivers/systems/postgres/detail/pgoutput.hpp"
#include "drivers/systems/postgres/detail/value.hpp"
#include "host/ports/catalog.hpp"
#include "host/ports/source.hpp"
#include "host/ports/system.hpp"

namespace syncline::postgres {

// How a column's own sequence counts.
struct Numbering {
  std::string sequence;     // as SQL names it; empty: the column owns none
  int64_t step = 1;         // INCREMENT BY
  int64_t last = 0;         // the value given last
  bool is_bounded = false;  // MINVALUE or MAXVALUE keep it in a range of its own
  bool is_writable = true;  // setval() is ours to call

  // Every number may come: what others have numbered is passed over only if somebody sees to it.
  bool is_plain() const { return !sequence.empty() && step == 1 && !is_bounded; }
};

struct Column {
  std::string name;
  Oid declared_type = 0;  // as the log names it: a domain, not its base type
  int32_t declared_modifier = -1;
  NativeType type;
  bool is_nullable = true;
  bool is_generated = false;
  bool has_default = false;         // also as an identity, or by its domain
  bool is_numbered = false;         // identity, or nextval() by default
  bool is_drawn = false;            // its default makes something else of a sequence's numbers
  bool is_always_identity = false;  // GENERATED ALWAYS AS IDENTITY
  Numbering numbering;              // of the sequence that the column owns
  model::KeyEquivalence equivalence = model::KeyEquivalence::kBytes;
  int64_t number = 0;   // never given to another
  std::string version;  // the transaction that said last what it is
};

struct UniqueSet {
  std::string index;
  std::vector<std::string> columns;
  bool is_primary = false;
  bool is_identity = false;      // REPLICA IDENTITY USING INDEX names it
  bool is_immediate = true;      // not DEFERRABLE
  bool is_constraint = false;    // not an index alone
  bool are_nulls_equal = false;  // NULLS NOT DISTINCT, from 15 on
};

struct Table {
  Oid oid = 0;
  std::string schema;
  std::string name;
  char kind = 'r';         // r ordinary, p partitioned
  char persistence = 'p';  // p permanent, u unlogged, t temporary
  char identity = 'd';
  std::string reader;  // our role
  std::string owner;
  bool is_owners_super = false;
  bool is_owned = false;     // by a role that we are a member of
  bool is_reachable = true;  // its schema's USAGE is ours
  bool is_filtered = false;  // row security hides rows of it from us
  bool is_readable = false;
  bool is_writable = false;
  std::string disinherit_sql;  // that takes its heirs away (INHERITS: no partitions); empty: none
  int64_t row_estimate = 0;
  std::string file;  // another when all rows were written anew
  std::vector<Column> columns;
  std::vector<UniqueSet> uniques;  // whole, without expressions; primary first
  std::vector<std::string> references;

  const Column* find(std::string_view column) const;
  std::string sql_name() const { return quoted_name(schema) + "." + quoted_name(name); }
  std::string display_name() const;  // "public.customer", as the config writes it
};

struct Mapped {
  const ports::DatasetMapping* mapping = nullptr;
  const model::Schema* schema = nullptr;
  Table table;
  std::vector<Column> columns;  // per schema field
  size_t rank = 0;              // above that of every mapped table that its foreign keys refer to

  model::DatasetId dataset() const { return schema->dataset; }
  size_t key_count() const { return schema->key_count; }
};

struct TableName {
  std::string schema;
  std::string name;
};
// "public.customer", "customer" (in public), "\"odd.name\".t".
TableName parse_table_name(std::string_view text);

// Every table of users; or the one of this name.
Result<std::vector<Table>> read_tables(Connection& connection,
                                       const std::optional<TableName>& only = {});

// The partitions of one that hold rows, without columns.
Result<std::vector<Table>> read_leaves(Connection& connection, const Table& root);

Result<Mapped> read_mapped(Connection& connection, const ports::DatasetMapping& mapping);

// Whether the index of this name is one of the dataset's key.
bool is_key_index(const Mapped& mapped, std::string_view index);

// Whether the table and its mapped columns are what they were.
bool is_same_shape(const Mapped& a, const Mapped& b);

// Whether the log tells changed and deleted records of this table by the dataset's key; else why
// not, and the statement that mends it.
std::optional<Error> identity_problem(const Mapped& mapped);
Error identity_error(const Mapped& mapped, std::string why);

// The statement that lets an identity column take values of ours; empty where it does.
std::string identity_sql(const Table& table, const Column& column);

// "a", "b" of the first `count` columns (0: all), each behind `prefix`.
std::string column_list(const Mapped& mapped, size_t count = 0, std::string_view prefix = "");

// "dataset customer, record id=7: ..." as a rejection for quarantine.
ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error);

}  // namespace syncline::postgres
