// The systems' tables as they are now, read once for the findings that hold them against each
// other.
//
// Opens connections of its own; changes nothing. Threads: one.
#pragma once

#include <string>
#include <vector>

#include "host/app/blueprint.hpp"

namespace syncline::app {

class KnownTables {
 public:
  // Of a system that cannot be read none are known: why is a finding of its own.
  explicit KnownTables(const Blueprint& blueprint);

  // system: its place in the blueprint. Null where there is none.
  const ports::TableInfo* find(size_t system, const std::string& table) const;

 private:
  std::vector<std::vector<ports::TableInfo>> tables_;
};

// Likewise.
const ports::ColumnInfo* find_column(const ports::TableInfo* table, const std::string& column);

}  // namespace syncline::app
