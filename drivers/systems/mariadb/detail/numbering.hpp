// Columns that the server or a sequence numbers, where other systems number theirs too.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::mariadb {

// The server counts for all its tables in steps, each system with a remainder of its own.
Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
