// COPY ... FROM STDIN, the way many rows are put into a table at the least cost to the server.
//
// Threads: one at a time per connection. Errors: those of the connection, whose sqlstate() tells
// more; the transaction is then as the server left it, failed or gone.
#pragma once

#include <span>
#include <string>

#include "drivers/systems/postgres/detail/connection.hpp"

namespace syncline::postgres {

// sql: statements without parameters, run together; each COPY among them takes the next text.
// Returns how many rows were copied.
Result<size_t> copy_rows(Connection& connection, const std::string& sql,
                         std::span<const std::string* const> texts);

}  // namespace syncline::postgres
