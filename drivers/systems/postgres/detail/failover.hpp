// What a standby that takes over would lack of our log, and standbys that the server waits for
// before it shows it to us. From 17 on: before, no standby keeps a slot of ours.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

// Makes our slot one that standbys keep, where it is not: somebody else made it.
Result<void> let_standbys_keep(Connection& connection, const Access& access,
                               const std::string& slot);

// With the SQL that mends it. None where there is no standby.
Result<void> find_failover(Connection& connection, std::vector<ports::Finding>& out);

// Why the server shows us nothing though there is more: a standby that it waits for is not there.
Result<void> find_absent_standby(Connection& connection, std::optional<Error>& out);

}  // namespace syncline::postgres
