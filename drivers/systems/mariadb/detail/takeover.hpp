// Another server that has taken over: whether its log holds all that was read of the one before,
// and where it is read on. MariaDB numbers transactions the same on a primary and its replicas
// (GTIDs).
//
// Threads: on the connection given. Errors: those of the connection; kSystemLost.
#pragma once

#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"

namespace syncline::mariadb {

// The number that a server is set to; no two of one replication have the same.
Result<uint32_t> server_number(Connection& connection);

// What the server says of the GTIDs at `from`, into the position, so that another one's log may be
// read on from there. Where it cannot tell, the position stays as it is.
Result<void> learn_history(Connection& connection, uint32_t server, LogPosition& position);

// Whether the log of server `now` holds all that was read up to the position.
Result<void> check_takeover(Connection& connection, const std::string& system, uint32_t now,
                            const LogPosition& position);

}  // namespace syncline::mariadb
