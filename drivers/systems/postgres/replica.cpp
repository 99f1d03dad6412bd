#include "drivers/systems/postgres/detail/replica.hpp"

#include "drivers/systems/postgres/detail/place.hpp"

namespace syncline::postgres {
namespace {

constexpr int kTryMs = 10;
constexpr int kPushAfterTries = 20;
constexpr int kConflictTriesMax = 5;
constexpr Lsn kPageBytes = 8192;
constexpr Lsn kPageHeaderBytesMax = 40;

// Replay needed the way: it took the statement, or the transaction between two of them.
bool is_cancelled(const std::string& sqlstate) {
  return sqlstate == "40001" || sqlstate == "25P02";
}

Result<void> pause(Connection& connection) {
  SYN_TRY(connection.query("SELECT pg_sleep(0.01)"));
  return success();
}

Access replica_access(const Shared& shared) {
  Access access = shared.access("replica");
  access.url = shared.config.replica_url;
  return access;
}

Error unfit(const Connection& connection, std::string why, std::string fix) {
  return {ErrorCode::kConfigValue, "the replica " + connection.place() + " cannot be read from",
          std::move(why), std::move(fix)};
}

Error promoted(const Connection& replica) {
  return unfit(replica, "it is not in recovery any more: it was promoted",
               "name the new primary in `url`, and a standby of it in `replica`");
}

Error of_another_timeline(const Connection& replica, uint32_t its, uint32_t ours) {
  return unfit(replica,
               "it follows timeline " + std::to_string(its) + ", the primary is on " +
                   std::to_string(ours) + ": their histories are not the same",
               "name a standby of the server that `url` leads to in `replica`");
}

Result<std::string> database_number(Connection& connection) {
  return connection.query_text("SELECT oid FROM pg_database WHERE datname = current_database()");
}

// What orders texts there, of each provider: versions of its libraries.
Result<std::string> collation_versions(Connection& connection) {
  return connection.query_text(
      "SELECT coalesce(string_agg(DISTINCT version COLLATE \"C\", ' ' ORDER BY version COLLATE "
      "\"C\"), '') FROM (SELECT pg_collation_actual_version(oid) AS version FROM pg_collation) AS "
      "v");
}

// Chunks of one table may be read here and there, each behind the last one's key: in another order
// some rows would be passed over.
Result<void> check_order(Connection& primary, Connection& replica) {
  SYN_TRY(const std::string ours, collation_versions(primary));
  SYN_TRY(const std::string theirs, collation_versions(replica));
  if (ours == theirs) return success();
  return unfit(replica,
               "it may order texts otherwise: its collations are of versions " + theirs +
                   ", those of the primary of " + ours,
               "run both on the same release of the operating system, or take the line out");
}

// Nothing that is read there is worth anything unless it is a copy of the primary.
Result<void> check_identity(Connection& primary, const Place& ours, ReplicaSession& replica) {
  SYN_TRY(const Place theirs, where_it_stands(*replica.looker));
  if (ours.server != theirs.server) {
    return unfit(*replica.reader,
                 "it is of another cluster: its system identifier is " +
                     std::to_string(theirs.server) + ", that of `url` " +
                     std::to_string(ours.server),
                 "name a standby of the server that `url` leads to in `replica`");
  }
  SYN_TRY(const std::string is_standby, replica.reader->query_text("SELECT pg_is_in_recovery()"));
  if (is_standby != "t") {
    return unfit(*replica.reader, "it is not in recovery: it is a primary, not a standby",
                 "name a standby in `replica`, or take the line out");
  }
  if (theirs.timeline != ours.timeline) {
    return of_another_timeline(*replica.reader, theirs.timeline, ours.timeline);
  }
  SYN_TRY(const std::string our_database, database_number(primary));
  SYN_TRY(const std::string their_database, database_number(*replica.reader));
  if (our_database == their_database) return check_order(primary, *replica.reader);
  return unfit(*replica.reader, "it is another database than that of `url`",
               "name the same database in `replica`");
}

Result<ReplicaSession> open_session(Connection& primary, const Shared& shared) {
  SYN_TRY(auto looker, Connection::open(shared.access("replica"), Purpose::kReplication));
  SYN_TRY(const Place ours, identify(*looker));
  const auto connect = [&](Purpose purpose) {
    auto connection = Connection::open(replica_access(shared), purpose);
    if (connection) return connection;
    Error error = std::move(connection).error();
    error.what = "the replica does not serve: " + error.what;
    return Result<std::unique_ptr<Connection>>(std::move(error));
  };
  ReplicaSession session;
  SYN_TRY(session.reader, connect(Purpose::kSql));
  SYN_TRY(session.looker, connect(Purpose::kReplication));
  session.timeline = ours.timeline;
  SYN_TRY(check_identity(primary, ours, session));
  return session;
}

Result<bool> has_replayed(Connection& replica, Replayed wanted) {
  SYN_TRY(const Answer row,
          replica.query("SELECT pg_is_in_recovery(), coalesce(pg_last_wal_replay_lsn(), '0/0')"));
  if (!row.is_true(0, 0)) return promoted(replica);
  SYN_TRY(const Lsn replayed, parse_lsn(row.text(0, 1)));
  return replayed >= wanted.end && replayed > wanted.commit;
}

// A number that is taken and given back makes the log's writer go to the log's end, for a primary
// sends what it has flushed, and what an open transaction wrote last may stay behind for long. It
// also ends the primary's snapshots behind all numbers that a standby may have begun with.
Result<void> take_number(Connection& primary) {
  SYN_TRY(primary.query("SELECT pg_current_xact_id()"));
  return success();
}

Result<void> wait_for_replay(Connection& primary, Connection& replica, Replayed wanted,
                             int& tries_left) {
  for (int tries = 0;; ++tries) {
    SYN_TRY(const bool is_there, has_replayed(replica, wanted));
    if (is_there) return success();
    if (tries_left-- <= 0) break;
    if (tries == kPushAfterTries) {
      SYN_TRY(take_number(primary));
    }
    SYN_TRY(pause(replica));
  }
  return fail(ErrorCode::kSystemBusy, "the replica " + replica.place() + " is too far behind",
              "it has not replayed " + lsn_text(std::max(wanted.end, wanted.commit)) + " in time",
              "see why it lags: pg_stat_replication on the primary, recovery_min_apply_delay and "
              "pg_is_wal_replay_paused() on the replica");
}

// Whether the standby's snapshot may hold commits that the primary's, which is later, does not.
Result<bool> is_ahead(Connection& primary, Connection& replica) {
  SYN_TRY(std::string snapshot, primary.query_text("SELECT pg_current_snapshot()"));
  const Parameter parameters[] = {std::move(snapshot)};
  SYN_TRY(const Answer row,
          replica.query("SELECT own.xmax > pg_snapshot_xmax($1::pg_snapshot) OR EXISTS (SELECT "
                        "FROM pg_snapshot_xip($1::pg_snapshot) AS xid WHERE CASE WHEN xid < "
                        "own.xmax THEN pg_xact_status(xid) = 'committed' END) FROM (SELECT "
                        "pg_snapshot_xmax(pg_current_snapshot()) AS xmax) AS own",
                        parameters));
  return row.is_true(0, 0);
}

// A commit is in the log, and so on the standby, before the primary shows it.
// REQUIRES: a read transaction on the standby.
Result<void> wait_for_primary(Connection& primary, Connection& replica, int& tries_left) {
  for (int tries = 0;; ++tries) {
    SYN_TRY(const bool has_more, is_ahead(primary, replica));
    if (!has_more) return success();
    if (tries_left-- <= 0) break;
    if (tries == kPushAfterTries) {
      SYN_TRY(take_number(primary));
    }
    SYN_TRY(pause(primary));
  }
  return fail(ErrorCode::kSystemBusy, "the replica " + replica.place() + " is ahead",
              "the primary does not show yet what was committed, for a synchronous standby is late",
              "see synchronous_standby_names on the primary");
}

}  // namespace

bool Replica::is_usable() const {
  return !shared_->config.replica_url.empty() && !watch_.is_resting();
}

Result<ports::SnapshotChunk> Replica::try_read(Connection& primary, const ChunkWanted& chunk,
                                               Replayed wanted, int& tries_left,
                                               ports::ChangeSink& sink) {
  if (!session_) {
    SYN_TRY(session_, open_session(primary, *shared_));
  }
  Connection& reader = *session_->reader;
  SYN_TRY(wait_for_replay(primary, reader, wanted, tries_left));
  ReadTransaction transaction(reader);
  const auto read = [&]() -> Result<ports::SnapshotChunk> {
    SYN_TRY(transaction.begin());
    SYN_TRY(const Place now, where_it_stands(*session_->looker));
    if (now.timeline != session_->timeline) {
      return of_another_timeline(reader, now.timeline, session_->timeline);
    }
    SYN_TRY(wait_for_primary(primary, reader, tries_left));
    return show_chunk(reader, chunk, sink);
  };
  auto shown = read();
  was_cancelled_ = !shown && is_cancelled(reader.sqlstate());
  return shown;
}

std::optional<ports::SnapshotChunk> Replica::read(Connection& primary, const ChunkWanted& chunk,
                                                  Replayed wanted, ports::ChangeSink& sink) {
  Error last;
  const int tries_max = shared_->limits.replay_ms / kTryMs;
  int tries_left = tries_max;
  for (int attempt = 0; attempt < kConflictTriesMax; ++attempt) {
    was_cancelled_ = false;
    auto shown = try_read(primary, chunk, wanted, tries_left, sink);
    if (shown) {
      watch_.served(session_->reader->place(), (tries_max - tries_left) * kTryMs);
      shown.value().notice = watch_.take_notice();
      return std::move(shown).value();
    }
    last = std::move(shown).error();
    // Between two statements a standby ends the session itself. One that is gone does not open.
    const bool was_ended = session_ && !session_->reader->is_usable();
    session_.reset();
    if (!was_cancelled_ && !was_ended) break;
  }
  if (!primary.is_usable()) return {};  // nothing is known of the standby
  if (was_cancelled_) last.fix = "hot_standby_feedback = on at the replica keeps replay off";
  watch_.failed(std::move(last));
  return {};
}

// At the begin of a page it stands behind the page's header, where no record ends.
Result<Lsn> end_of_log(Connection& primary) {
  SYN_TRY(const std::string text, primary.query_text("SELECT pg_current_wal_insert_lsn()"));
  SYN_TRY(const Lsn end, parse_lsn(text));
  const Lsn in_page = end % kPageBytes;
  return in_page <= kPageHeaderBytesMax ? end - in_page : end;
}

Result<void> find_replica(Connection& primary, const Shared& shared,
                          std::vector<ports::Finding>& out) {
  if (shared.config.replica_url.empty()) return success();
  const auto add = [&](ports::Severity severity, const Error& error) {
    out.push_back({severity, "", error.what + ": " + error.why, error.fix});
  };
  SYN_TRY(const Lsn end, end_of_log(primary));
  auto session = open_session(primary, shared);
  if (!session) {
    const Error& error = session.error();
    const bool is_wrong = error.code == ErrorCode::kConfigValue;
    add(is_wrong ? ports::Severity::kStops : ports::Severity::kWarning, error);
    return success();
  }
  Connection& reader = *session.value().reader;
  int tries_left = shared.limits.replay_ms / kTryMs;
  if (auto replayed = wait_for_replay(primary, reader, {end, 0}, tries_left); !replayed) {
    add(ports::Severity::kWarning, replayed.error());
    return success();
  }
  out.push_back({ports::Severity::kNote, "",
                 "first syncs and scans after schema changes read tables from the replica " +
                     reader.place() + ", which has replayed all that the primary wrote",
                 "nothing"});
  return success();
}

}  // namespace syncline::postgres
