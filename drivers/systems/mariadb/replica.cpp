#include "drivers/systems/mariadb/detail/replica.hpp"

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/objects.hpp"
#include "drivers/systems/mariadb/detail/replica_checks.hpp"
#include "drivers/systems/mariadb/detail/takeover.hpp"

namespace syncline::mariadb {
namespace {

constexpr int kTryMs = 10;
constexpr int kChangeTriesMax = 5;
constexpr int kExactAtTry = 3;  // from then on, and seldom: the server reads a log file for it
constexpr int kExactEveryTries = 100;
constexpr const char* kApplied = "SELECT @@global.gtid_slave_pos";
constexpr const char* kWritten = "SELECT @@global.gtid_binlog_pos";

Result<void> pause(Connection& connection) {
  return connection.run("DO SLEEP(0.01)");
}

Result<std::unique_ptr<Connection>> connect(Connection& primary, const Shared& shared) {
  if (primary.kind().is_mysql()) {
    return fail(ErrorCode::kConfigValue, "a replica of MySQL is not read from",
                "what it has applied is told otherwise than by MariaDB",
                "take `replica` out of the system's section");
  }
  auto reader = Connection::open(shared.replica_access(), Purpose::kCopy);
  if (!reader) {
    Error error = std::move(reader).error();
    error.what = "the replica does not serve: " + error.what;
    return error;
  }
  SYN_TRY(check_release(primary, *reader.value()));
  return reader;
}

Result<void> check(Connection& primary, Connection& replica, uint32_t server) {
  SYN_TRY(check_replication(replica, server));
  return check_writers(primary, replica);
}

auto too_far_behind(const Connection& replica, const std::string& wanted,
                    const std::string& applied) {
  return fail(ErrorCode::kSystemBusy, "the replica " + replica.place() + " is too far behind",
              "it has not applied " + wanted + " in time, and stands at " +
                  (applied.empty() ? "no transaction" : applied),
              "see why it lags: SHOW ALL SLAVES STATUS there");
}

// What keeps it from coming there is told before it was waited for in vain.
Result<void> wait_for_copy(Connection& primary, Connection& replica, uint32_t server,
                           int& tries_left) {
  SYN_TRY(const std::string wanted, primary.query_text(kWritten));
  for (int tries = 0;; ++tries) {
    SYN_TRY(const std::string applied, replica.query_text(kApplied));
    if (covers(applied, wanted)) return success();
    if (tries == 0) {
      SYN_TRY(check(primary, replica, server));
    }
    if (tries_left-- <= 0) return too_far_behind(replica, wanted, applied);
    SYN_TRY(pause(replica));
  }
}

struct Written {
  LogEnd end;
  std::string gtids;  // at or before that end
};

Result<Written> read_written(Connection& primary) {
  Written written;
  SYN_TRY(written.gtids, primary.query_text(kWritten));
  SYN_TRY(Answer row, primary.query("SHOW MASTER STATUS"));
  if (!row.next()) {
    return fail(ErrorCode::kSystemOpen, primary.place() + " writes no binary log", "log_bin is off",
                "set log_bin in the server's config and restart it");
  }
  if (const auto file = parse_file_name(row.text(0))) written.end.file = *file;
  written.end.offset = static_cast<uint64_t>(row.integer(1));
  return written;
}

// By places where they tell it: behind its last transaction a log may have other events, which the
// place that is shown never comes to.
Result<bool> shows(Connection& primary, const Written& written, int tries) {
  SYN_TRY(const LogEnd shown, log_end(primary));
  const Place at{0, shown.file.number, shown.offset};
  if (at >= Place{0, written.end.file.number, written.end.offset}) return true;
  if (tries % kExactEveryTries != kExactAtTry) return false;
  SYN_TRY(const std::string gtids,
          primary.query_text("SELECT BINLOG_GTID_POS(" +
                             literal(file_name(shown.file.base, shown.file.number)) + ", " +
                             std::to_string(shown.offset) + ")"));
  return covers(gtids, written.gtids);
}

// What the primary itself took from elsewhere counts as its own.
Result<void> check_history(Connection& primary, Connection& replica, const std::string& applied) {
  SYN_TRY(const std::string known,
          primary.query_text("SELECT concat(@@global.gtid_binlog_pos, ',', "
                             "@@global.gtid_slave_pos)"));
  if (covers(known, applied)) return success();
  return unfit(replica,
               "it has applied " + applied + ", and the primary has only " + known +
                   ": one of them is of another history",
               "make the replica anew from the primary");
}

}  // namespace

// The row is read in the snapshot: it stands there if the primary's transactions do.
Result<void> Replica::check_mark(Connection& reader) const {
  const auto seen =
      reader.query_text(std::string("SELECT seq FROM ") + kCheckpoint + our_mark(*shared_));
  if (seen && seen.value() == session_->mark) return success();
  if (!seen && seen.error().code != ErrorCode::kSystemSchema) return seen.error();
  return unfit(reader,
               "it has not what was just written to the primary's " + std::string(kCheckpoint) +
                   ": it is no copy of this database",
               "name a replica of the server that `url` leads to, and the same database");
}

// What was changed a moment ago is read from the primary until the log has told it.
Result<void> Replica::check_table(Connection& primary, Connection& reader, const Mapped& mapped) {
  SYN_TRY(const bool is_same, is_same_table(reader, mapped, *shared_->charsets));
  if (is_same) return success();
  const auto now = read_mapped(primary, *mapped.mapping, *shared_->charsets);
  is_changing_ = !now || !is_same_shape(mapped, now.value());
  return other_table(reader, mapped);
}

Result<void> Replica::wait_for_primary(Connection& primary, int& tries_left) {
  Connection& reader = *session_->reader;
  SYN_TRY(const Written written, read_written(primary));
  if (written.gtids == session_->is_shown) return success();
  for (int tries = 0;; ++tries) {
    SYN_TRY(const bool is_shown, shows(primary, written, tries));
    if (is_shown) break;
    if (tries_left-- <= 0) {
      return fail(ErrorCode::kSystemBusy, "the replica " + reader.place() + " is ahead",
                  "the primary does not show yet what is in its log, for a semi-synchronous "
                  "replica is late",
                  "see rpl_semi_sync_master_wait_point and rpl_semi_sync_master_timeout there");
    }
    SYN_TRY(pause(primary));
  }
  session_->is_shown = written.gtids;
  return success();
}

Result<ports::SnapshotChunk> Replica::try_read(Connection& primary, uint32_t server,
                                               const ChunkWanted& chunk, int& tries_left,
                                               ports::ChangeSink& sink) {
  if (!session_) {
    SYN_TRY(auto reader, connect(primary, *shared_));
    SYN_TRY(check(primary, *reader, server));
    SYN_TRY(check_rights(primary));
    SYN_TRY(const std::string mark, make_mark(primary, *shared_));
    session_ = std::make_unique<ReplicaSession>(ReplicaSession{std::move(reader), mark, {}});
  }
  Connection& reader = *session_->reader;
  SYN_TRY(wait_for_copy(primary, reader, server, tries_left));
  ReadTransaction transaction(reader);
  SYN_TRY(transaction.begin());
  SYN_TRY(check_mark(reader));
  SYN_TRY(check_table(primary, reader, chunk.mapped));
  SYN_TRY(const std::string applied, reader.query_text(kApplied));
  SYN_TRY(check(primary, reader, server));
  SYN_TRY(check_history(primary, reader, applied));
  SYN_TRY(wait_for_primary(primary, tries_left));
  auto shown = show_chunk(reader, chunk, sink);
  was_changed_ = !shown && mysql_errno(reader.handle()) == ER_TABLE_DEF_CHANGED;
  return shown;
}

std::optional<ports::SnapshotChunk> Replica::read(Connection& primary, uint32_t server,
                                                  const ChunkWanted& chunk,
                                                  ports::ChangeSink& sink) {
  Error last;
  const int tries_max = shared_->limits.replica_ms / kTryMs;
  int tries_left = tries_max;
  for (int attempt = 0; attempt < kChangeTriesMax; ++attempt) {
    is_changing_ = was_changed_ = false;
    auto shown = try_read(primary, server, chunk, tries_left, sink);
    if (shown) {
      watch_.served(session_->reader->place(), (tries_max - tries_left) * kTryMs);
      shown.value().notice = watch_.take_notice();
      return std::move(shown).value();
    }
    if (is_changing_) return {};
    last = std::move(shown).error();
    // One that is gone does not open.
    const bool was_ended = session_ && !session_->reader->is_usable();
    if (!was_changed_) session_.reset();
    if (!was_changed_ && !was_ended) break;
  }
  if (!primary.is_usable()) return {};  // nothing is known of the replica
  watch_.failed(std::move(last));
  return {};
}

Result<void> find_replica(Connection& primary, const Shared& shared,
                          std::vector<ports::Finding>& out) {
  if (!shared.replica) return success();
  const auto look = [&]() -> Result<std::string> {
    SYN_TRY(const uint32_t server, server_number(primary));
    SYN_TRY(auto reader, connect(primary, shared));
    SYN_TRY(check(primary, *reader, server));
    SYN_TRY(check_rights(primary));
    int tries_left = shared.limits.replica_ms / kTryMs;
    SYN_TRY(wait_for_copy(primary, *reader, server, tries_left));
    SYN_TRY(const std::string applied, reader->query_text(kApplied));
    SYN_TRY(check_history(primary, *reader, applied));
    for (const ports::DatasetMapping& mapping : shared.config.datasets) {
      const auto mapped = read_mapped(primary, mapping, *shared.charsets);
      if (!mapped || mapping.direction == ports::Direction::kTo) continue;
      SYN_TRY(const bool is_same, is_same_table(*reader, mapped.value(), *shared.charsets));
      if (!is_same) return other_table(*reader, mapped.value());
    }
    return reader->place();
  };
  const auto looked = look();
  if (!primary.is_usable()) return looked.error();
  if (looked) {
    out.push_back({ports::Severity::kNote, "",
                   "first syncs and scans after schema changes read tables from the replica " +
                       looked.value() + ", which has applied all that the primary wrote",
                   "nothing"});
    return success();
  }
  const Error& error = looked.error();
  const bool is_wrong = error.code == ErrorCode::kConfigValue;
  out.push_back({is_wrong ? ports::Severity::kStops : ports::Severity::kWarning, "",
                 error.what + ": " + error.why, error.fix});
  return success();
}

}  // namespace syncline::mariadb
