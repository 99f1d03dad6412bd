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

// The partitions that hold rows, by their numbers, of each dataset whose table is partitioned: the
// file that each is in, and the transactions that attached it and what it is a part of.
using Partitions = std::map<model::DatasetId, std::map<std::string, std::string>>;

// One query for all of them, none where there are none. It waits for nobody's lock.
Result<Partitions> read_partitions(Connection& connection, const std::vector<Mapped>& tables);

// The datasets in both of them that lack partitions now, have some in other files (as TRUNCATE
// makes them, and VACUUM FULL) or attached again, or have others that are not empty.
std::vector<model::DatasetId> regrouped(Connection& connection, const Partitions& before,
                                        const Partitions& now);

}  // namespace syncline::postgres
