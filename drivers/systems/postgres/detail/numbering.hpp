// Columns that the database numbers: what stands in the way of writing them, and keeping their
// sequences ahead of the numbers that we bring.
//
// Threads: values; findings on the connection given. Errors: those of the connection.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/pipeline.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::postgres {

// Keys of two systems that may meet, identity columns that take no value of ours, and sequences
// that we may not move; `role` is ours, quoted.
Result<void> find_numbering(Connection& connection, const Mapped& mapped, const std::string& role,
                            std::vector<ports::Finding>& out);

// The highest number that a batch brings, by sequence; only of those that give every number in
// turn and that are ours to move.
using Brought = std::map<std::string, int64_t>;
void note_brought(const Column& column, std::string_view text, Brought& brought);

// Keeps sequences at or behind what was brought, so that users are not given a number that is
// taken.
class Sequences {
 public:
  // write_connections: that move them, this one among them.
  explicit Sequences(size_t write_connections) : is_shared_(write_connections > 1) {}

  // To be run behind the commit, in one pipeline; nothing for those that are there already.
  std::vector<SqlStatement> advance(const Brought& brought) const;
  // They were run. One that failed is not tried again for this number.
  void done(const Brought& brought);

 private:
  Brought reached_;
  bool is_shared_;
};

}  // namespace syncline::postgres
