// What Syncline creates in a user's database, all of it named syncline_*: three tables, and for
// each captured table the triggers that log touched keys.
//
//   syncline_checkpoint  the marker: one row per (stream, lane), moved by every transaction of ours
//   syncline_changes     touched keys in the order they were touched; a row is the log's unit
//   syncline_state       one row: which appliance captures here, and whether the transaction that
//                        is being written is ours, and which datasets have had triggers
//
// Triggers name key columns and the columns of unique indexes only, none of which can be dropped
// while they are that, so users' ALTER TABLE DROP COLUMN keeps working.
// Threads: pure, or on the connection given. Errors: those of the connection; kSystemRefused where
// another appliance captures from the file.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"

namespace syncline::sqlite {

// The op column of syncline_changes. Permanent values: triggers in users' databases write them.
enum class ChangeOp : uint8_t {
  kInsert = 1,  // payload not NULL: the row of the record in the row of changes before it
  kUpdate = 2,
  kDelete = 3,
  kTouched = 4,  // a row that a REPLACE may be about to remove
  kImage = 5,    // what a record was right before a write of ours
  kMarker = 6,   // the head of a marked transaction, with all that it writes
  kOrigin = 7,   // the first row: there is always a last one
};

inline bool is_record_op(ChangeOp op) {
  return op <= ChangeOp::kTouched;
}

struct Trigger {
  std::string name;
  std::string sql;
};

// Of rows of sqlite_master. Users may name objects of theirs syncline_* too.
inline constexpr const char* kIsTriggerOfOurs =
    "type = 'trigger' AND (name GLOB 'syncline_*_insert' OR name GLOB 'syncline_*_update' OR name "
    "GLOB 'syncline_*_delete' OR name GLOB 'syncline_*_rekey') AND instr(sql, 'INSERT INTO "
    "syncline_changes(applying, op, dataset, at, payload, ') > 0";
inline constexpr const char* kNamesOfOurTables =
    "('syncline_checkpoint', 'syncline_state', 'syncline_changes', 'syncline_echo')";

// The table that tells whether a transaction is ours, with its row, where they are missing.
std::string create_state_sql(const std::string& appliance);

std::vector<Trigger> triggers_of(const Mapped& mapped);

// "k1, k2" as many as key columns are captured.
std::string key_columns(size_t count);

// The three tables, where they are missing.
Result<void> install_tables(Connection& connection, const std::string& appliance);

// All that scanned files get: the checkpoint table, and one of what our writes left of each record,
// until that is durable on our side.
Result<void> install_scan_tables(Connection& connection);

// Brings tables and triggers to what the captured tables need, in a transaction of its own if there
// is anything to do. Returns the datasets whose triggers were missing or not as they should be.
Result<std::vector<model::DatasetId>> install(Connection& connection, const std::string& appliance,
                                              const std::vector<Mapped>& captured);

// Our triggers that are there: each one's text by its name.
Result<std::map<std::string, std::string>> present_triggers(Connection& connection);

// Whether the dataset has had triggers in this file, be they there or not.
// REQUIRES: syncline_state is there.
Result<bool> was_captured(Connection& connection, model::DatasetId dataset);

// Names of all that is there of ours, triggers first.
Result<std::vector<std::string>> installed_objects(Connection& connection);
Result<std::vector<std::string>> remove_objects(Connection& connection);

}  // namespace syncline::sqlite
