// Indexes that hold all that is read of a row, so that no row is fetched: what that is, whether it
// pays, and whether an index can hold it. MariaDB has no INCLUDE: all of it are parts of the key,
// and those have limits.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/table.hpp"

namespace syncline::mariadb {

using Columns = std::vector<std::string>;

// Letters of names that stand without backticks, and in which case they are compared.
bool is_of_name(char letter);
char lower_of(char letter);

// `first`, and behind it the mapped columns and those that the row filter names.
Columns all_that_is_read(const Mapped& mapped, Columns first);

// Whether they are a third of a row or less, by the server's statistics and a sample.
Result<bool> is_small_part(Connection& connection, const Mapped& mapped, const Columns& columns);

// Why no index can hold these columns whole; empty: one can.
Result<std::string> why_none_holds(Connection& connection, const Mapped& mapped,
                                   const Columns& columns);

}  // namespace syncline::mariadb
