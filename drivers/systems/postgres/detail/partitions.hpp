// What partitioned tables are made of. The log names their roots alone: that a single partition is
// emptied, attached, detached or dropped is told by nothing but its catalog.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// The partitions that hold rows, and the files that they are in, of each dataset whose table is
// partitioned.
using Partitions = std::map<model::DatasetId, std::string>;

// One query for all of them, none where there are none. It waits for nobody's lock.
Result<Partitions> read_partitions(Connection& connection, const std::vector<Mapped>& tables);

// The datasets in both of them whose partitions are others, or have other files: as TRUNCATE makes
// them, and VACUUM FULL.
std::vector<model::DatasetId> regrouped(const Partitions& before, const Partitions& now);

}  // namespace syncline::postgres
