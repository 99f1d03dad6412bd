// A table made anew with some columns declared otherwise, as one script for the user: SQLite's own
// procedure (sqlite.org/lang_altertable.html, 7), from the text that the file holds.
//
// The script runs as it stands in the sqlite3 shell and by sqlite3_exec, which end at the first
// error within a line: so it has no line ends but within a statement, and an error leaves the table
// as it was, never half of the work. It ends at once where the table, its indexes or its triggers
// are no longer those that it was made from, and where rows, values or references would be lost.
// Rows keep their rowids, and AUTOINCREMENT its number. Our own triggers are not made anew: that
// they are gone has the table scanned.
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <span>
#include <string>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "drivers/systems/sqlite/detail/table_text.hpp"

namespace syncline::sqlite {

struct Rebuild {
  std::vector<ColumnChange> changes;
  std::string before = {};  // statements that run first, and last, in the same transaction
  std::string after = {};
};

// Says what to do in a comment where the table's text is not understood.
// REQUIRES: something changes.
Result<std::string> rebuild_sql(Connection& connection, const Table& table, const Rebuild& rebuild);

}  // namespace syncline::sqlite
