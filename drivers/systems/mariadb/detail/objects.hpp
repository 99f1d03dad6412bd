// What Syncline creates in a database: the table syncline_checkpoint, and where no log is read
// syncline_echo. And the sessions of ours
// there.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/mariadb/detail/shared.hpp"

namespace syncline::mariadb {

inline constexpr const char* kCheckpoint = "syncline_checkpoint";

inline constexpr const char* kEcho = "syncline_echo";

// Each does nothing where it is there.
Result<void> install_checkpoint(Connection& connection);
Result<void> install_echo(Connection& connection);  // of scans and polls

// " WHERE appliance = ... AND system = ..." of our rows in it.
std::string our_rows(const Shared& shared);

// Likewise of a row by which a replica is known as a copy of this database: its seq is a number
// that was drawn and written here.
std::string our_mark(const Shared& shared);
Result<std::string> make_mark(Connection& connection, const Shared& shared);  // the number

// Takes the lock by which this session is known as the one that writes there, from an earlier one
// if need be. Errors: kSystemBusy. place: see Shared::lock_name.
Result<void> claim_session(Connection& connection, const Shared& shared, size_t place);
// Ends the sessions of all places, and waits until the server has let go of their transactions.
Result<void> end_sessions(Connection& connection, const Shared& shared);

// "table syncline_checkpoint": what of ours is there.
Result<std::vector<std::string>> installed_objects(Connection& connection);
Result<std::vector<std::string>> remove_objects(Connection& connection, const Shared& shared);

}  // namespace syncline::mariadb
