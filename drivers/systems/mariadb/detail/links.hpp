// The foreign keys whose actions capture makes up (`cascade = "derive"`): what each is made of on
// both of its sides, and how the server compares its values.
//
// Threads: values; reads on the connection given. Errors: those of the connection.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "drivers/systems/mariadb/detail/children.hpp"
#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/model/cell.hpp"

namespace syncline::mariadb {

enum class Action : uint8_t { kNone, kDelete, kSetNull, kFollow };

struct Link {
  ForeignKey key;
  std::vector<size_t> fields;  // of the child's dataset
  std::vector<NativeType> types;
  std::vector<model::LogicalType> logical;
  std::vector<NativeType> parent_types;
  std::vector<size_t> parent_places;  // of the referenced columns in their table
  size_t parent_column_count = 0;
  // The referenced columns as fields of the parent's own dataset, where foreign keys act on that
  // one too: its rows then change without a trace as well.
  std::optional<model::DatasetId> parent_dataset;
  std::vector<size_t> parent_fields;

  Action on_delete() const;
  Action on_update() const;
  bool operator==(const Link&) const = default;
};

// Those of a table that act on its rows, where the dataset says so; or why what they do cannot be
// made up.
struct Links {
  std::vector<Link> links;
  std::vector<Error> problems;
};
Result<Links> read_links(Connection& connection, const Mapped& mapped, const Shared& shared);

// Of the values of a link, one a column, in the child's logical types.
ParentRef parent_ref(const Link& link, std::span<const model::Cell> cells);

}  // namespace syncline::mariadb
