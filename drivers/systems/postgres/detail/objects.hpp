// What Syncline creates in a database: the schema `syncline` with the checkpoint table, one
// publication (publication.hpp) and one replication slot, both named after appliance and system;
// where no log is read, the table of echoes instead of these two.
//
// Threads: on the connection given. Errors: those of the connection; kSystemOpen where the server
// is not set up for logical replication; kSystemLost for a slot that is gone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/shared.hpp"

namespace syncline::postgres {

inline constexpr const char* kCheckpointSchema = "syncline";
inline constexpr const char* kCheckpointTable = "syncline_checkpoint";
inline constexpr const char* kCheckpoint = "syncline.syncline_checkpoint";

inline constexpr const char* kEcho = "syncline.syncline_echo";

// Each does nothing where it is there.
Result<void> install_checkpoint(Connection& connection);
Result<void> install_echo(Connection& connection);  // of scans and polls

inline constexpr int kFailoverSlots = 170000;  // the first version that has them
enum class Slot : uint8_t {
  kMissing,
  kUsable,
  kLost,  // there, but the server has removed the log behind it
};
Result<Slot> find_slot(Connection& connection, const std::string& name);
Result<void> create_slot(Connection& connection, const std::string& name);
Result<void> drop_slot(Connection& connection, const std::string& name);

// Bytes of its log that the server keeps for the slot; 0 where it is not there.
Result<uint64_t> retained_log(Connection& connection, const std::string& name);
// What beside our slot makes the server keep its log, for a message; empty: nothing is known.
Result<std::string> find_log_holder(Connection& connection);

// Ends sessions of ours that an earlier run has left, and waits until they are gone. sessions: a
// regular expression of what Shared calls them.
Result<void> end_sessions(Connection& connection, const std::string& sessions);

// "slot syncline_zurich_erp", "publication ...": what of ours is there.
Result<std::vector<std::string>> installed_objects(Connection& connection, const Shared& shared);
Result<std::vector<std::string>> remove_objects(Connection& connection, const Shared& shared);

}  // namespace syncline::postgres
