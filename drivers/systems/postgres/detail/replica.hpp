// A hot standby that tables are read from in chunks, so that a first sync does not weigh on the
// primary. Everything else stays with the primary.
//
// A chunk is as good as the primary's own if its snapshot holds
//   - all that the log has shown us and all that was seen on the primary: replay is waited for;
//   - nothing that the primary does not show yet, or it would be seen older there afterwards: the
//     commits that the primary holds back (for a synchronous standby) are looked for;
//   - the primary's history and no other: a standby that follows another timeline is left.
// All of it is bounded in time. What a standby cancels because replay needs the way is tried again.
// Where it does not serve, the caller reads from the primary, and it is left alone for a while.
//
// Owner: two connections of its own, one for rows, one for the timeline. Threads: one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/reads.hpp"
#include "drivers/systems/postgres/detail/shared.hpp"
#include "host/ports/replica_watch.hpp"

namespace syncline::postgres {

// What a standby has to have replayed.
struct Replayed {
  Lsn end = 0;     // to here
  Lsn commit = 0;  // and the commit that is written here
};

struct ReplicaSession {
  std::unique_ptr<Connection> reader;
  std::unique_ptr<Connection> looker;  // speaks replication: it tells the timeline
  uint32_t timeline = 0;               // the primary's
};

class Replica {
 public:
  Replica(std::shared_ptr<const Shared> shared, Clock& clock)
      : shared_(std::move(shared)), watch_(clock) {}

  // Whether the config names one that is not left alone for now.
  bool is_usable() const;
  // Nothing: it does not serve now, and nothing was given to the sink.
  std::optional<ports::SnapshotChunk> read(Connection& primary, const ChunkWanted& chunk,
                                           Replayed wanted, ports::ChangeSink& sink);
  // The primary was connected to anew: it may be another.
  void forget() { session_.reset(); }
  // Why it stopped serving; once for each time that it did.
  std::optional<Error> take_notice() { return watch_.take_notice(); }

 private:
  Result<ports::SnapshotChunk> try_read(Connection& primary, const ChunkWanted& chunk,
                                        Replayed wanted, int& tries_left, ports::ChangeSink& sink);

  std::shared_ptr<const Shared> shared_;
  ports::ReplicaWatch watch_;
  std::optional<ReplicaSession> session_;
  bool was_cancelled_ = false;  // the last read, for the sake of replay
};

// Where the primary's log ends now, as a standby that has replayed all of it says it.
Result<Lsn> end_of_log(Connection& primary);

// What is wrong with the config's replica, as `doctor` says it; how far behind it is.
Result<void> find_replica(Connection& primary, const Shared& shared,
                          std::vector<ports::Finding>& out);

}  // namespace syncline::postgres
