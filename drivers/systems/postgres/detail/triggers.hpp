// What the database does by itself when we write: triggers, rules and foreign keys.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

enum class Triggers : uint8_t {
  kFire,        // for our writes as for everybody's: the right to keep them quiet is not ours
  kSuppressed,  // the session runs as a replica: only ENABLE ALWAYS and REPLICA triggers fire
};

// The statement that gives a role the right to suppress triggers. server_version: 150018.
std::string quiet_sql(int server_version, const std::string& role);

// Makes the session a replica, if that is its right.
Result<Triggers> suppress_triggers(Connection& connection);

// One finding a trigger, of the table's partitions too, one a rule, and one for foreign keys; none
// where the table is only read.
Result<void> find_triggers(Connection& connection, const Mapped& mapped, Triggers triggers,
                           std::vector<ports::Finding>& out);

// One finding a foreign key that refers to the table and is silent for our writes, from a table
// that no dataset of ours writes. all: the system's.
Result<void> find_silent_keys(Connection& connection, const Mapped& mapped, Triggers triggers,
                              std::span<const ports::DatasetMapping> all,
                              std::vector<ports::Finding>& out);

// Why this dataset cannot be written: something would run that its section does not accept.
Result<std::vector<Error>> trigger_problems(Connection& connection, const Mapped& mapped,
                                            Triggers triggers);

// Gives each table its rank by the foreign keys between them; those of a circle have any.
Result<void> rank_by_references(Connection& connection, std::vector<Mapped>& mapped);

}  // namespace syncline::postgres
