// What of a server and of a table stands in the way of syncing it, each with the SQL that mends it.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::mariadb {

// A foreign key that changes rows of the table unseen, where they are read from the log.
std::optional<Error> cascade_problem(const Mapped& mapped);
// All triggers of the database by name and time of making, as one text.
Result<std::string> list_triggers(Connection& connection);
// Triggers that would fire for our writes and were not accepted.
Result<std::vector<Error>> trigger_problems(Connection& connection, const Mapped& mapped);

// What is to be known of a server that is no MariaDB, or a newer one than those of the tests.
void find_flavour(const ServerKind& kind, const std::string& place,
                  std::vector<ports::Finding>& out);
Result<void> find_in_server(Connection& connection, std::vector<ports::Finding>& out);
// Where texts of other systems may not fit.
Result<void> find_narrow_texts(Connection& connection, const Mapped& mapped,
                               std::vector<ports::Finding>& out);
// Of one whose log is not read.
Result<void> find_in_scanned_server(Connection& connection, std::vector<ports::Finding>& out);
Result<void> find_in_table(Connection& connection, const Mapped& mapped, const Shared& shared,
                           std::vector<ports::Finding>& out);
// One finding a foreign key that refers to a table that we write, from one of the same database
// that we do not write, as far as our rights show them.
Result<void> find_silent_keys(Connection& connection, std::span<const ports::DatasetMapping> all,
                              std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
