// Which indexes the reads of a dataset's table want, and whether they are there. The server's
// planner is asked, with every other way of reading priced out: whatever index serves counts, in
// whatever form.
//
// Threads: on the connection given, outside of a transaction. Errors: those of the connection;
// kSystemSchema for a row filter that the database will not take.
#pragma once

#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"

namespace syncline::postgres {

// The SQL of a poll's look, up to its ORDER BY: from the table's beginning, or with this condition.
std::string changed_sql(const Mapped& mapped, const std::string& condition, size_t row_limit);

// What an index would begin with.
enum class Lead : uint8_t { kKey, kPollColumn };

// How the planner reads what Syncline asks for in the order of Lead.
struct IndexUse {
  bool is_ordered = false;      // some index gives the order: nothing is sorted whole
  bool is_filter_free = false;  // and no row is fetched that the row filter then leaves out
  bool is_alone = false;        // and the index holds all that is read: no row is fetched at all
};
Result<IndexUse> look_at_index(Connection& connection, const Mapped& mapped, Lead lead);

// CREATE INDEX for a poll: partial where there is a row filter that an index can have, with all
// that is read where that is a small part of the rows.
Result<std::string> poll_index_sql(Connection& connection, const Mapped& mapped);

// kSystemSchema: the row filter as the config writes it is not SQL for this table.
Result<void> check_filter(Connection& connection, const Mapped& mapped);

// Indexes that would spare reads, each with its statement. REQUIRES: check_filter() is content.
Result<void> find_indexes(Connection& connection, const Mapped& mapped,
                          std::vector<ports::Finding>& out);

}  // namespace syncline::postgres
