// Which indexes the reads of a dataset's table want, and whether they are there.
//
// MariaDB has no partial indexes. Where a row filter holds columns to a value (region = 'CH' AND
// ...), an index that begins with those columns is the next best: what the filter lets through
// stands together in it, in the order that is asked for.
//
// Threads: on the connection given. Errors: those of the connection; kSystemSchema for a row filter
// that the database will not take.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/table.hpp"

namespace syncline::mariadb {

// The columns that `where` holds to one value; none if that cannot be told.
struct HeldColumn {
  std::string name;
  bool is_number = false;  // the value is one
};
std::vector<HeldColumn> held_columns(std::string_view where);

// ALTER TABLE for a poll: with all that is read where that is a small part of the rows.
Result<std::string> poll_index_sql(Connection& connection, const Mapped& mapped);
Result<bool> is_poll_indexed(Connection& connection, const Mapped& mapped);

// kSystemSchema: the row filter as the config writes it is not SQL for this table.
Result<void> check_filter(Connection& connection, const Mapped& mapped);

// Indexes that would spare reads, each with its statement. REQUIRES: check_filter() is content.
Result<void> find_indexes(Connection& connection, const Mapped& mapped,
                          std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
