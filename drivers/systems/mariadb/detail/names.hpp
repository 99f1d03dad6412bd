// How the log names tables and databases. Where the server takes a name in any case for one
// (lower_case_table_names is not 0), its log has it in lower case, however its catalog keeps it.
// Names are read from the catalog so, and the config must have them so: the driver compares bytes.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <optional>
#include <string>

#include "drivers/systems/mariadb/detail/connection.hpp"

namespace syncline::mariadb {

// Of a column of the catalog, as an expression of SQL.
std::string logged_name(const std::string& column);

// Of the connection's database. The error, where the URL names it otherwise: its rows would never
// be met.
Result<std::string> logged_database(Connection& connection);
std::optional<Error> other_database(const Connection& connection, const std::string& named,
                                    const std::string& logged);

}  // namespace syncline::mariadb
