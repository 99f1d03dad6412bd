// Replication origins (16 and later): under ours the server leaves the rows that we write out of
// what it sends us. It then leaves out those of every other origin too, so this is done only while
// nobody else writes to the database under one.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

enum class Origin : uint8_t {
  kNone,     // there is none of ours, or it is of no use to us
  kOurs,     // rows under it are ours alone, and nobody else writes under one
  kForeign,  // ours is there, and somebody else's too: that one's rows may have been left out
};
Result<Origin> find_origin(Connection& connection, const std::string& object);

// Makes it, where the server knows how and we may. kNone: it does not, or may not be used.
Result<Origin> install_origin(Connection& connection, const std::string& object);
// Nothing where it is not there. kSystemBusy: a session of ours still uses it.
Result<void> drop_origin(Connection& connection, const std::string& object);

// The SQL text of its name in this database.
std::string origin_sql(const std::string& object);
// Why the server sends our own writes back, where it need not, and what mends it.
Result<void> find_origins(Connection& connection, const std::string& object,
                          std::vector<ports::Finding>& out);

}  // namespace syncline::postgres
