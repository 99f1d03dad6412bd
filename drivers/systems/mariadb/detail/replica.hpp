// A replica that tables are read from in chunks, so that a first sync does not weigh on the
// primary. Everything else stays with the primary.
//
// A chunk is as good as the primary's own if its snapshot holds
//   1. all that the primary's log holds when the chunk is asked for, so all that the log has told
//   and
//      all that was seen on the primary. What a replica counts as applied (gtid_slave_pos) is
//      visible there, so this is waited for before the snapshot is taken;
//   2. nothing that the primary does not show yet, or it would be seen older there afterwards. A
//      replica has a commit as soon as it is in the primary's log, and the primary may hold it back
//      (for a semi-synchronous replica) or be slower; so the log's end is asked for behind the
//      snapshot, and it is waited for until the primary shows all of it;
//   3. the primary's rows and no others: a number that was drawn and written to the primary stands
//   in
//      the snapshot too; replication filters and passes over nothing, and users do not write there.
// Transactions of one GTID domain become visible in their order, however many threads apply them;
// domains are held against each other one by one.
//
// All of it is bounded in time. Where the replica does not serve, the caller reads from the
// primary, and it is left alone for a while.
//
// Owner: one connection of its own. Threads: one at a time.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/mariadb/detail/reads.hpp"
#include "drivers/systems/mariadb/detail/shared.hpp"
#include "host/ports/catalog.hpp"
#include "host/ports/replica_watch.hpp"

namespace syncline::mariadb {

struct ReplicaSession {
  std::unique_ptr<Connection> reader;
  std::string mark;      // that was written to the primary
  std::string is_shown;  // GTIDs that the primary was seen to show
};

class Replica {
 public:
  Replica(std::shared_ptr<const Shared> shared, Clock& clock)
      : shared_(std::move(shared)), watch_(clock) {}

  // Whether the config names one that is not left alone for now.
  bool is_usable() const { return shared_->replica && !watch_.is_resting(); }
  // Nothing: it does not serve now, and nothing was given to the sink. server: the primary's
  // number.
  std::optional<ports::SnapshotChunk> read(Connection& primary, uint32_t server,
                                           const ChunkWanted& chunk, ports::ChangeSink& sink);
  // The primary was connected to anew: it may be another.
  void forget() { session_.reset(); }
  // Why it stopped serving; once for each time that it did.
  std::optional<Error> take_notice() { return watch_.take_notice(); }

 private:
  Result<ports::SnapshotChunk> try_read(Connection& primary, uint32_t server,
                                        const ChunkWanted& chunk, int& tries_left,
                                        ports::ChangeSink& sink);
  Result<void> check_mark(Connection& reader) const;
  Result<void> check_table(Connection& primary, Connection& reader, const Mapped& mapped);
  Result<void> wait_for_primary(Connection& primary, int& tries_left);

  std::shared_ptr<const Shared> shared_;
  ports::ReplicaWatch watch_;
  std::unique_ptr<ReplicaSession> session_;
  // The last read met a table that the log tells a change of later; one that was changed behind its
  // snapshot.
  bool is_changing_ = false;
  bool was_changed_ = false;
};

// What is wrong with the config's replica, as `doctor` says it; how far behind it is.
Result<void> find_replica(Connection& primary, const Shared& shared,
                          std::vector<ports::Finding>& out);

}  // namespace syncline::mariadb
