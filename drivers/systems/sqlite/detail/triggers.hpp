// Users' triggers on the tables that are written to: SQLite fires them for our writes too.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

// One finding a trigger; none where the table is only read.
Result<void> find_triggers(Connection& connection, const Shared& shared, const Mapped& mapped,
                           std::vector<ports::Finding>& out);

// Why this dataset cannot be written: something would run that its section does not accept.
Result<std::vector<Error>> trigger_problems(Connection& connection, const Shared& shared,
                                            const Mapped& mapped);

// kSystemRefused where a user's trigger asks for our mark, and would fail without its table.
Result<void> check_nobody_asks(Connection& connection);

}  // namespace syncline::sqlite
