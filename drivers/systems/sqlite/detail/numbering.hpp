// Keys that SQLite numbers, where other systems number theirs too.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

// SQLite counts in no steps, and always above what others have brought: whoever lets it number keys
// beside another system must say so in the config.
Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<ports::Finding>& out);

}  // namespace syncline::sqlite
