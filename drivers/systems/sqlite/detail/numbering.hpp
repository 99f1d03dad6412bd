// Keys that SQLite numbers, where other systems number theirs too.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

// Whether it is an INTEGER PRIMARY KEY: the only one without an index of its own.
Result<bool> is_numbered(Connection& connection, const Table& table, const Column& column);
// SQLite counts in no steps, and always above what others have brought: whoever lets it number keys
// beside another system must say so in the config.
Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<ports::Finding>& out);

}  // namespace syncline::sqlite
