// Places in one server's log, and whether a server is the one that a place is of.
//
// A log position is of a system (a cluster's own number) and a timeline: after a failover the new
// primary goes on, on a timeline of its own, from some place of the old one's log.
//
//   bytes   what
//   8       the last transaction's commit (big endian, as all)
//   8       the system
//   4       the timeline
//   8, 8    inside a transaction that is taken in parts: its commit, and how many of its changes
//           were taken; else 0
//   8       up to where the server had sent everything, nothing of it ours; from the commit on
//
// Places written by earlier versions have only the first two, three or five numbers.
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
  uint32_t timeline = 0;          // 0: not known
  std::optional<Lsn> passed = 0;  // nothing: not known
  Part part = {};                 // behind lsn

  // The last commit of which something was read.
  Lsn reach() const { return std::max(lsn, part.commit_lsn); }
  // What the server need not send any more once this is durable; 0: nothing is known.
  Lsn flushed() const { return std::max(lsn == 0 ? 0 : lsn + 1, passed.value_or(0)); }
};

// As the place of a last commit, where a log ends: one that goes on from there on another timeline
// lacks nothing.
inline Lsn before_end(Lsn end) {
  return end == 0 ? 0 : end - 1;
}

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

// Where the slot begins; nothing: it is not there.
Result<std::optional<Lsn>> begin_of_slot(Connection& connection, const std::string& slot);

// Whether everything that was read up to `before` is in the log of the server, which stands at
// `now`, and everything behind that is kept by the slot, if it is there: nobody but us has moved it
// on, nor made it anew. Returns the place as it is in that log: what another server had passed by
// counts up to where its log ended. REQUIRES: the server is never told to keep less than is
// journalled.
Result<Place> check_place(Connection& connection, const std::string& system,
                          const std::string& slot, const Place& before, const Place& now);

// The place where `timeline` ended, by a server's history ("1\t0/3000000\tno recovery target");
// nothing: the history does not know it.
std::optional<Lsn> end_of_timeline(std::string_view history, uint32_t timeline);

}  // namespace syncline::postgres
