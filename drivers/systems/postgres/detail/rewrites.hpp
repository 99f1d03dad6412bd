// Columns that no row of the log tells of: one that was retyped to its own type (TYPE text USING
// lower(name)), or dropped and made anew with the same name and type.
//
// Threads: values.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

struct Layout {
  struct Field {
    int64_t number = 0;
    std::string version;
  };
  std::string file;
  std::vector<Field> fields;  // the mapped columns
};
using Layouts = std::map<model::DatasetId, Layout>;

Layouts layouts_of(const std::vector<Mapped>& tables);

// The datasets in both of them of which a column is another, or was declared again while all rows
// were written anew: VACUUM FULL alone does not declare it, and ALTER ... SET NOT NULL writes none.
std::vector<model::DatasetId> rewritten(const Layouts& before, const Layouts& now);

}  // namespace syncline::postgres
