// Places in one server's log, and whether a server is the one that a place is of.
//
// A log position is of a system (a cluster's own number) and a timeline: after a failover the new
// primary goes on, on a timeline of its own, from some place of the old one's log.
//
//   bytes   what
//   8       the last transaction's commit (big endian, as all)
//   8       the system
//   4       the timeline; not in places written by versions before this
//   8, 8    only inside a transaction that is taken in parts: its commit, and how many of its
//           changes were taken
//
// Threads: values; checks on the connection given. Errors: kSystemLost where the server is another,
// was restored, has branched off below the place, or took over with a slot that was made later;
// kSystemOpen for a standby.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "drivers/systems/postgres/detail/pgoutput.hpp"
#include "host/model/position.hpp"

namespace syncline::postgres {

struct Part {  // of a transaction
  Lsn commit_lsn = 0;
  uint64_t taken = 0;
};

struct Place {
  Lsn lsn = 0;
  uint64_t server = 0;
  uint32_t timeline = 0;  // 0: not known
  Part part;              // behind lsn

  // The last commit of which something was read.
  Lsn reach() const { return std::max(lsn, part.commit_lsn); }
};

model::Position position_of(const Place& place);
// Nothing: no place of a PostgreSQL log.
std::optional<Place> place_of(const model::Position& position);

// Where the server behind a replication connection stands; a standby too, with the timeline that it
// replays.
Result<Place> where_it_stands(Connection& connection);
// Likewise, of one that takes writes.
Result<Place> identify(Connection& connection);

// kSystemLost, with what is lost and the command that mends it. read_to: the last commit that was
// read; 0: not known.
Error lost_log(const std::string& system, std::string why, Lsn read_to = 0);
Error lost_slot(const std::string& system, const std::string& slot, const Place& before,
                const Place& now);

// Whether everything that was read up to `before` is in the log of the server, which stands at
// `now`, and everything behind that is kept by the slot, if it is there.
Result<void> check_place(Connection& connection, const std::string& system, const std::string& slot,
                         const Place& before, const Place& now);

// The place where `timeline` ended, by a server's history ("1\t0/3000000\tno recovery target");
// nothing: the history does not know it.
std::optional<Lsn> end_of_timeline(std::string_view history, uint32_t timeline);

}  // namespace syncline::postgres
