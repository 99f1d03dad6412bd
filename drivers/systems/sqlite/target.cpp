#include "drivers/systems/sqlite/detail/target.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/payload.hpp"
#include "drivers/systems/sqlite/detail/triggers.hpp"
#include "host/ports/moves.hpp"

namespace syncline::sqlite {
namespace {

constexpr int64_t kForgetRowsMax = 4096;  // of one marked transaction

auto marker_moved(const Shared& shared, const ports::MarkerMove& move) {
  return fail(ErrorCode::kMarkerMoved,
              "the checkpoint of stream " + std::to_string(move.stream) + ", lane " +
                  std::to_string(move.lane) + " in " + shared.path + " is not " +
                  std::to_string(move.previous),
              "another appliance of this name writes here, or the file was restored",
              "stop the other one, or run " + resync_command(shared));
}

}  // namespace

Result<void> SqliteTarget::connect() {
  writer_.reset();
  move_ = {};
  mark_ = {};
  log_ = {};
  touched_.clear();
  schema_version_ = -1;
  is_lost_ = false;
  connection_.reset();
  SYN_TRY(connection_, Connection::open(shared_->path, Access::kWrite, "FULL", kLockWaitMs));
  return success();
}

Result<void> SqliteTarget::open() {
  SYN_TRY(connect());
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto installer, Connection::open(shared_->path, Access::kWrite, "FULL", kInstallWaitMs));
  if (guard_ != nullptr) return install_scan_tables(*installer);
  return install_tables(*installer, shared_->config.appliance);
}

Result<void> SqliteTarget::open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                                      size_t lane_count) {
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kWrite, "FULL", kInstallWaitMs));
  SYN_TRY(Transaction transaction, Transaction::begin(*connection, Access::kWrite));
  const std::string appliance = literal(shared_->config.appliance);
  SYN_TRY(connection->execute("DELETE FROM syncline_checkpoint WHERE appliance = " + appliance +
                              " AND epoch < " + std::to_string(epoch)));
  SYN_TRY(Statement insert,
          connection->prepare("INSERT OR IGNORE INTO syncline_checkpoint VALUES (" + appliance +
                              ", ?1, ?2, ?3, 0)"));
  for (const model::StreamId stream : streams) {
    for (size_t lane = 0; lane < lane_count; ++lane) {
      insert.bind(1, static_cast<int64_t>(epoch));
      insert.bind(2, static_cast<int64_t>(stream));
      insert.bind(3, static_cast<int64_t>(lane));
      const int code = insert.run();
      if (code != SQLITE_DONE) return connection->error(code, "cannot open an epoch");
    }
  }
  return transaction.commit();
}

// SQLite has one writer: once we hold the write lock no older session of ours can still commit.
Result<std::vector<ports::Checkpoint>> SqliteTarget::probe(uint32_t epoch) {
  SYN_TRY(connect());
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kWrite, "FULL", kInstallWaitMs));
  SYN_TRY(const Transaction transaction, Transaction::begin(*connection, Access::kWrite));
  SYN_TRY(
      Statement rows,
      connection->prepare("SELECT stream, lane, seq FROM syncline_checkpoint WHERE appliance = " +
                          literal(shared_->config.appliance) + " AND epoch = ?1"));
  rows.bind(1, static_cast<int64_t>(epoch));
  std::vector<ports::Checkpoint> checkpoints;
  while (true) {
    SYN_TRY(const bool has_row, connection->next(rows));
    if (!has_row) return checkpoints;
    checkpoints.push_back({static_cast<model::StreamId>(rows.integer(0)),
                           static_cast<model::LaneIndex>(rows.integer(1)),
                           static_cast<model::Sequence>(rows.integer(2))});
  }
}

// A dataset whose table does not fit, or has triggers that nobody accepted, is left out; the others
// go on.
Result<void> SqliteTarget::refresh_schema() {
  SYN_TRY(const int64_t version, connection_->query_integer("PRAGMA schema_version"));
  if (version == schema_version_) return success();
  std::vector<Mapped> mapped;
  std::map<model::DatasetId, Error> stopped;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    auto read = read_mapped(*connection_, mapping);
    if (read) {
      SYN_TRY(auto problems, trigger_problems(*connection_, *shared_, read.value()));
      if (problems.empty()) {
        mapped.push_back(std::move(read).value());
      } else {
        stopped.emplace(mapping.schema->dataset, std::move(problems.front()));
      }
    } else if (read.error().code == ErrorCode::kSystemSchema ||
               read.error().code == ErrorCode::kSystemKey) {
      stopped.emplace(mapping.schema->dataset, std::move(read).error());
    } else {
      return std::move(read).as_failure();
    }
  }
  writer_ = std::make_unique<Writer>(*connection_, std::move(mapped), std::move(stopped));
  SYN_TRY(move_,
          connection_->prepare("UPDATE syncline_checkpoint SET seq = ?1 WHERE appliance = " +
                               literal(shared_->config.appliance) +
                               " AND epoch = ?2 AND stream = ?3 AND lane = ?4 AND seq = ?5"));
  schema_version_ = version;
  if (guard_ != nullptr) return success();
  SYN_TRY(mark_, connection_->prepare("UPDATE syncline_state SET applying = ?1"));
  SYN_TRY(log_, connection_->prepare(
                    "INSERT INTO syncline_changes(applying, op, dataset, at, payload) VALUES (1, " +
                    std::to_string(static_cast<int>(ChangeOp::kMarker)) + ", 0, ?1, ?2)"));
  return success();
}

Result<void> SqliteTarget::move_markers(const ports::WriteBatch& batch) {
  for (const ports::MarkerMove& move : batch.moves) {
    move_.bind(1, static_cast<int64_t>(move.next));
    move_.bind(2, static_cast<int64_t>(batch.epoch));
    move_.bind(3, static_cast<int64_t>(move.stream));
    move_.bind(4, static_cast<int64_t>(move.lane));
    move_.bind(5, static_cast<int64_t>(move.previous));
    const int code = move_.run();
    if (code != SQLITE_DONE) return connection_->error(code, "cannot move a checkpoint");
    if (connection_->changed_rows() != 1) return marker_moved(*shared_, move);
  }
  return success();
}

Result<void> SqliteTarget::begin_mark(const ports::WriteBatch& batch) {
  const std::string payload = marker_payload(shared_->config.appliance, batch);
  log_.bind(1, clock_.now_us() / 1000);
  log_.bind_blob(2, payload);
  int code = log_.run();
  if (code != SQLITE_DONE) return connection_->error(code, "cannot log a marker");
  mark_.bind(1, int64_t{1});
  code = mark_.run();
  if (code != SQLITE_DONE) return connection_->error(code, "cannot mark a transaction");
  return success();
}

Result<void> SqliteTarget::end_mark() {
  mark_.bind(1, int64_t{0});
  const int code = mark_.run();
  if (code != SQLITE_DONE) return connection_->error(code, "cannot mark a transaction");
  return success();
}

Result<void> SqliteTarget::keep_images(const ports::WriteBatch& batch) {
  imaged_.clear();
  const int64_t now_ms = clock_.now_us() / 1000;
  for (const ports::RecordWrite& write : batch.writes) {
    SYN_TRY(const Mapped* mapped, writer_->find(write.dataset));
    std::string name = record_name(*mapped, write.key);
    if (!touched_.contains(name)) continue;
    SYN_TRY(writer_->keep_image(write, now_ms));
    imaged_.push_back(std::move(name));
  }
  return success();
}

// A row that cannot be moved is deleted and inserted after all. A trigger that ends the transaction
// with it ends all moves of the batch.
Result<void> SqliteTarget::move_rows(const ports::WriteBatch& batch, Found& found) {
  const auto is_replacing = [&](size_t i) { return batch.writes[i].is_replacing; };
  SYN_TRY(clear_rows(batch, is_replacing));
  if (are_moves_off_) return success();
  for (const size_t index : ports::moved_in_order(batch.writes)) {
    SYN_TRY(auto outcome, writer_->move(batch.writes[index]));
    if (connection_->is_in_transaction()) {
      if (outcome.rows_written == 0) continue;
      found.moved.insert(index);
      found.rows_written += outcome.rows_written;
      if (outcome.refusal) found.refused.push_back({index, std::move(*outcome.refusal)});
      continue;
    }
    are_moves_off_ = true;
    if (outcome.refusal) found.refused.push_back({index, std::move(*outcome.refusal)});
    return success();
  }
  // What stays would get another's values, beside what only this file holds of it.
  const ports::MoveWaves waves(batch.writes);
  return clear_rows(batch, [&](size_t i) { return waves.is_left(i) && !found.moved.contains(i); });
}

// Those rows are deleted, and written anew later.
Result<void> SqliteTarget::clear_rows(const ports::WriteBatch& batch,
                                      const std::function<bool(size_t)>& is_cleared) {
  for (size_t i = 0; i < batch.writes.size() && !are_moves_off_; ++i) {
    if (!is_cleared(i)) continue;
    SYN_TRY(writer_->clear(batch.writes[i]));
    are_moves_off_ = !connection_->is_in_transaction();
  }
  return success();
}

// Deletes first, for what they give free; records in the batch's order otherwise. Goes on behind
// one that is refused, for all that are, unless a trigger ended the transaction with it.
Result<SqliteTarget::Found> SqliteTarget::write_once(const ports::WriteBatch& batch, Way way) {
  Found found;
  if (guard_ == nullptr && !are_moves_off_) {
    SYN_TRY(move_rows(batch, found));
    if (are_moves_off_) return found;
  }
  const bool may_swap = way == Way::kPlain && can_swap(batch);
  enum class Pass : uint8_t { kDeletes, kFreeing, kOthers };
  for (const Pass pass : {Pass::kDeletes, Pass::kFreeing, Pass::kOthers}) {
    if (pass == Pass::kFreeing && way == Way::kPlain) continue;
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      const ports::RecordWrite& write = batch.writes[i];
      const bool is_delete = write.kind == model::EntryKind::kDelete;
      if (is_delete != (pass == Pass::kDeletes) || found.moved.contains(i)) continue;
      SYN_TRY(auto outcome,
              pass == Pass::kFreeing ? writer_->free_unique_values(write) : writer_->write(write));
      found.rows_written += outcome.rows_written;
      if (!outcome.refusal) continue;
      const bool is_over = !connection_->is_in_transaction();
      // What was made up does not suit another constraint: the record keeps its values for now.
      if (pass == Pass::kFreeing && !is_over) continue;
      found.is_unique_clash = found.is_unique_clash || outcome.is_unique_clash;
      found.refused.push_back({i, std::move(*outcome.refusal)});
      if (is_over || (found.is_unique_clash && may_swap)) return found;
    }
  }
  return found;
}

bool SqliteTarget::can_swap(const ports::WriteBatch& batch) const {
  return batch.writes.size() > 1 && writer_->has_unique_values(batch.writes);
}

// Records of one batch may swap unique values: then the plain way meets a clash that is none.
Result<ports::ApplyResult> SqliteTarget::write_all(const ports::WriteBatch& batch) {
  const bool may_swap = can_swap(batch);
  if (may_swap) {
    SYN_TRY(connection_->execute("SAVEPOINT syncline_writes"));
  }
  SYN_TRY(auto found, write_once(batch, Way::kPlain));
  if (found.is_unique_clash && may_swap && connection_->is_in_transaction()) {
    SYN_TRY(connection_->execute("ROLLBACK TO syncline_writes"));
    SYN_TRY(found, write_once(batch, Way::kFreeFirst));
  }
  if (!found.refused.empty()) return ports::refused_by(std::move(found.refused));
  return ports::ApplyResult{found.rows_written, {}, {}};
}

Result<void> SqliteTarget::commit() {
  auto committed = connection_->execute("COMMIT");
  if (committed) return success();
  Error error = std::move(committed).error();
  const bool is_known =
      error.code == ErrorCode::kSystemBusy || error.code == ErrorCode::kSystemFull;
  connection_->rollback();
  if (!is_known) error.code = ErrorCode::kSystemOpen;
  is_lost_ = !is_known;
  return error;
}

// What is acknowledged goes in the same transaction: one sync for both.
Result<void> SqliteTarget::forget_acknowledged() {
  const int64_t end =
      std::min(shared_->acknowledged_id.load(), shared_->first_kept_id + kForgetRowsMax);
  if (end <= shared_->first_kept_id) return success();
  SYN_TRY(connection_->execute("DELETE FROM syncline_changes WHERE id < " + std::to_string(end)));
  forgotten_to_ = end;
  return success();
}

Result<ports::ApplyResult> SqliteTarget::write_logged(const ports::WriteBatch& batch) {
  forgotten_to_ = 0;
  SYN_TRY(touched_.read(*connection_, writer_->mapped(), shared_->acknowledged_id));
  SYN_TRY(begin_mark(batch));
  SYN_TRY(keep_images(batch));
  SYN_TRY(auto result, write_all(batch));
  if (result.poison) return result;
  SYN_TRY(forget_acknowledged());
  SYN_TRY(end_mark());
  SYN_TRY(const int64_t last_id,
          connection_->query_integer("SELECT max(id) FROM syncline_changes"));
  SYN_TRY(commit());
  touched_.skip_to(last_id);
  for (const std::string& name : imaged_) touched_.remove(name);
  shared_->first_kept_id = std::max(shared_->first_kept_id.load(), forgotten_to_);
  return result;
}

Result<ports::ApplyResult> SqliteTarget::apply(const ports::WriteBatch& batch) {
  const std::lock_guard lock(shared_->writing);
  const auto held = guard_ != nullptr ? guard_->hold() : std::unique_lock<std::mutex>();
  are_moves_off_ = false;
  auto result = write_batch(batch);
  return are_moves_off_ ? write_batch(batch) : result;
}

Result<ports::ApplyResult> SqliteTarget::write_batch(const ports::WriteBatch& batch) {
  if (connection_ == nullptr || is_lost_ || !connection_->is_same_file()) {
    SYN_TRY(connect());
  }
  SYN_TRY(Transaction transaction, Transaction::begin(*connection_, Access::kWrite));
  SYN_TRY(refresh_schema());
  if (auto stopped = writer_->stopped(batch.writes); !stopped.empty()) {
    return ports::ApplyResult{0, std::nullopt, std::move(stopped)};
  }
  SYN_TRY(move_markers(batch));
  return guard_ != nullptr ? write_guarded(batch) : write_logged(batch);
}

}  // namespace syncline::sqlite
