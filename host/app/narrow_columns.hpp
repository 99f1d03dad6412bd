// Columns that hold less of a field than those of other systems, as findings: for plan and doctor.
//
// Opens connections of its own; changes nothing. Threads: one.
#pragma once

#include <vector>

#include "host/app/comparison.hpp"
#include "host/app/known_tables.hpp"

namespace syncline::app {

// Each with the statement that widens the column. Of systems whose tables cannot be read nothing is
// said.
std::vector<SystemFinding> find_narrow_columns(const Blueprint& blueprint,
                                               const KnownTables& tables);

}  // namespace syncline::app
