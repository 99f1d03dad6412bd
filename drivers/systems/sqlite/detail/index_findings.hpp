// Indexes that a mapped table has or lacks, where that matters to how it is read.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <vector>

#include "drivers/systems/sqlite/detail/shared.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

Result<void> find_in_indexes(Connection& connection, const Shared& shared, const Mapped& mapped,
                             std::vector<ports::Finding>& out);

}  // namespace syncline::sqlite
