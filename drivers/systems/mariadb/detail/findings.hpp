// What of a server and of a table stands in the way of syncing it, each with the SQL that mends it.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::mariadb {

Result<void> find_in_server(Connection& connection, std::vector<ports::Finding>& out);
Result<void> find_in_table(Connection& connection, const Mapped& mapped,
                           std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
