// What keeps the server from clearing away old rows: while it lasts, our checkpoint row grows
// slower to move.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

// The oldest of what holds them, with the SQL that ends it: a warning where that is old.
// own_slot: holds only what we have not read, which is said elsewhere.
Result<void> find_oldest_snapshot(Connection& connection, const std::string& own_slot,
                                  std::vector<ports::Finding>& out);

}  // namespace syncline::postgres
