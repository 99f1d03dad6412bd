// Commits that the log tells before a snapshot shows them, as of a life that has ended: what it was
// told by then is not told again, and rows that are read may be older.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <cstdint>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"

namespace syncline::postgres {

// The transactions whose commit waits for a synchronous standby, or all that run where our role is
// not told which those are; none where there are no such standbys.
Result<std::vector<uint32_t>> unseen_commits(Connection& connection);

}  // namespace syncline::postgres
