// Whether a server is a true copy of another, as far as it tells itself: that it replicates from
// it, all of it, and from nobody else.
//
// Threads: on the connections given. Errors: those of the connections; kConfigValue for what cannot
// be right until somebody mends it; kSystemOpen where replication stands still.
#pragma once

#include <string>
#include <string_view>

#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/table.hpp"

namespace syncline::mariadb {

Error unfit(const Connection& replica, std::string why, std::string fix);

// What stays as it is while a server runs. Chunks of one table may be read here and there, each
// behind the last one's key: in another order of texts some rows would be passed over.
Result<void> check_release(Connection& primary, Connection& replica);
// Whom it replicates from, and how. server: the primary's number.
Result<void> check_replication(Connection& replica, uint32_t server);
// That it takes nobody's writes but the primary's, and has taken none.
Result<void> check_writers(Connection& primary, Connection& replica);
// The primary's rights that reading from a replica needs.
Result<void> check_rights(Connection& primary);
// Whether the dataset's table there, which is locked against changes where the connection is in a
// transaction, is what `mapped` says.
Result<bool> is_same_table(Connection& replica, const Mapped& mapped, Charsets& charsets);
Error other_table(const Connection& replica, const Mapped& mapped);

// Whether `have` is at or behind `wanted` in each of its domains.
bool covers(std::string_view have, std::string_view wanted);

}  // namespace syncline::mariadb
