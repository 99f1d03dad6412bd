// Unique keys that the systems of a dataset do not all keep, as findings: for plan and doctor.
//
// Threads: one.
#pragma once

#include <vector>

#include "host/app/comparison.hpp"
#include "host/app/known_tables.hpp"

namespace syncline::app {

// Each with the statement that has the other system keep it too, and what gives it up.
std::vector<SystemFinding> find_unique_keys(const Blueprint& blueprint, const KnownTables& tables);

}  // namespace syncline::app
