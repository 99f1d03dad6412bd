// Holds the config against the systems' tables: per dataset its logical schema, and where each
// field lies in each system.
//
// A field travels when every system of the dataset has it, under its own name or a mapped one. Its
// type is the coarsest among the systems (docs/types.md), or what the config says. Key fields come
// first, in the config's order; the others in the order of the first system's table.
//
// Threads: pure functions, but for KeySql and ColumnSql. Errors: kSystemSchema, kSystemKey,
// kConfigUnknown; `what` begins with the place in the config.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/config.hpp"
#include "host/model/schema.hpp"

namespace syncline::config {

// What a system says of a table. The app makes it from the ports' catalog.
struct ColumnShape {
  std::string name;
  model::LogicalType type;
  bool is_nullable = true;
  bool is_generated = false;
  model::KeyEquivalence equivalence = model::KeyEquivalence::kBytes;
  // What the dataset may take it for where another system's column is that: a set, of an array.
  std::optional<model::LogicalType> may_be = {};
  // As its system calls it, where only systems of the same kind understand its text ("money").
  std::string own_type = {};
  std::string declaration = {};  // its type and collation, as its system declares them
  bool is_numbered = false;      // the system gives new rows numbers here
};

struct TableShape {
  std::string name;
  std::vector<ColumnShape> columns;
  std::vector<std::vector<std::string>> keys;  // primary first, then unique ones without NULLs
  std::string kind = {};                       // of its system; empty: not known
  std::string unread = {};                     // why no dataset can live in it
  std::string unread_fix = {};
};

// The statements that make these columns a key of that table, or tell apart what their collations
// take for one. It may look at the table's system.
using KeySql = std::function<std::string(const std::string& table,
                                         std::span<const ColumnShape* const> columns)>;

// The statement that adds a column for a field of that type to a table.
using ColumnSql = std::function<std::string(const std::string& table, const std::string& column,
                                            const model::LogicalType& type)>;

struct SystemShape {
  std::string system;
  std::vector<TableShape> tables;
  KeySql make_key = nullptr;  // null: it is said in words
  KeySql finer_key = nullptr;
  ColumnSql add_column = nullptr;
};

struct ResolvedMapping {
  const Mapping* mapping = nullptr;
  std::vector<std::string> columns;  // physical name per schema field
};

struct ResolvedDataset {
  const Dataset* dataset = nullptr;
  model::Schema schema;
  std::vector<ResolvedMapping> mappings;  // as Dataset::mappings
  std::vector<Policy> policies;           // per schema field; those of key fields are not used
  // Systems that make records give them numbers for keys, each its own.
  bool is_numbered_apart = false;
};

struct Resolution {
  std::vector<ResolvedDataset> datasets;  // those without errors, in the config's order
  std::vector<Error> errors;              // in the config's order
  std::vector<std::string> notes;         // what does not travel and what was assumed, for people
};

// REQUIRES: config has no errors and outlives the result.
Resolution resolve(const Config& config, std::span<const SystemShape> systems);
// One of its datasets. REQUIRES: dataset is the config's.
Resolution resolve_dataset(const Config& config, const Dataset& dataset,
                           std::span<const SystemShape> systems);

// The type that holds what both hold; nothing where there is none.
std::optional<model::LogicalType> coarsest(const model::LogicalType& a,
                                           const model::LogicalType& b);

// Whether a takes more for one than b does.
bool is_coarser(model::KeyEquivalence a, model::KeyEquivalence b);

struct ColumnOf {
  const TableShape* table = nullptr;
  const ColumnShape* column = nullptr;
};

// The type that holds what all of these hold; nothing where there is none.
std::optional<model::LogicalType> common_type(std::span<const ColumnOf> columns);
// Whose text the column of another one's system does not understand; null: none.
const ColumnOf* find_not_understood(std::span<const ColumnOf> columns);

}  // namespace syncline::config
