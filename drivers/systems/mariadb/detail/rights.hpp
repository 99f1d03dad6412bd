// What our user may do on a server, and what it lacks, each with the GRANT that gives it.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::mariadb {

// The account that our user is to the server, as a GRANT names it.
Result<std::string> account(Connection& connection);

// Whether one of these grants, a line each as SHOW GRANTS tells them, gives the right on the table.
bool grants_on_table(std::string_view grants, std::string_view right, std::string_view database,
                     std::string_view table);

// Likewise of a right on the whole server.
bool grants_everywhere(std::string_view grants, std::string_view right);

Result<void> find_log_rights(Connection& connection, std::vector<ports::Finding>& out);
// On a table that we create in the user's database.
Result<void> find_own_table_rights(Connection& connection, const std::string& table,
                                   std::vector<ports::Finding>& out);
// Where the server is read_only.
Result<bool> may_write_all_the_same(Connection& connection);
Result<void> find_table_rights(Connection& connection, const Mapped& mapped,
                               std::vector<ports::Finding>& out);
// Without the right TRIGGER the server tells of no triggers, and all fire unseen.
Result<void> find_unseen_triggers(Connection& connection, const Mapped& mapped,
                                  std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
