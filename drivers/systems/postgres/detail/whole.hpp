// Whether a table shows us all of its records, its log tells all that becomes of them, and each has
// a key of its own.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <optional>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// Row security that hides rows from our role, or heirs (INHERITS), whose rows are read with the
// table's and whose log is their own: the statement that mends it.
std::optional<Error> hidden_problem(const Mapped& mapped);

// Records that may share a key within a transaction, for each unique index of it is DEFERRABLE. The
// log does not tell them apart; and what checks such an index is a trigger, which does not run
// for our writes. Also of a single partition. One error at the most. Queries of its own where it is
// partitioned.
Result<std::vector<Error>> shared_key_problems(Connection& connection, const Mapped& mapped);

// What keeps its log from us: a table that is not our role's to publish, either of these, UNLOGGED
// partitions, or identity_problem() of the table and each of its partitions, for those keep replica
// identities of their own. One error of each kind at the most; any of them stops the dataset.
Result<std::vector<Error>> log_problems(Connection& connection, const Mapped& mapped);

}  // namespace syncline::postgres
