#include "drivers/systems/mariadb/detail/target.hpp"

#include <algorithm>

#include "drivers/systems/mariadb/detail/objects.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

constexpr const char* kBegin = "START TRANSACTION";
constexpr const char* kCommit = "COMMIT";
constexpr const char* kBeforeFill = "SAVEPOINT syncline_fill";
constexpr const char* kUndoFill = "ROLLBACK TO SAVEPOINT syncline_fill";
constexpr size_t kFillMin = 64;  // full records, all missing: those that follow may be, too
constexpr size_t kPacketMargin = 4096;

Parameter number(uint64_t value) {
  Parameter parameter;
  parameter.integer = static_cast<int64_t>(value);
  return parameter;
}

// Of a row of the key's columns.
Result<std::string> read_key(const Mapped& mapped, const Answer& row) {
  std::vector<std::string> parts;
  std::vector<model::CellView> cells;
  cells.reserve(mapped.key_count());
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const NativeType& native = mapped.columns[i].type;
    SYN_TRY(const std::string text, text_of_cell(native, row.text(i)));
    SYN_TRY(std::string part, canonical_from_native(text, native, mapped.schema->fields[i].type));
    parts.push_back(std::move(part));
  }
  for (const std::string& part : parts) cells.push_back({model::CellState::kValue, part});
  return model::join_key(cells);
}

}  // namespace

Result<void> MariadbTarget::connect() {
  writer_.reset();
  bulk_.reset();
  connection_.reset();
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kWrite));
  SYN_TRY(claim_session(*connection, *shared_, place_));
  SYN_TRY(const std::string packet, connection->query_text("SELECT @@max_allowed_packet"));
  packet_size_max_ =
      std::max<size_t>(std::strtoull(packet.c_str(), nullptr, 10), 2 * kPacketMargin);
  connection_ = std::move(connection);
  bulk_ = std::make_unique<Bulk>(*connection_);
  return success();
}

Result<void> MariadbTarget::open() {
  SYN_TRY(auto installer, Connection::open(shared_->access(), Purpose::kSql));
  SYN_TRY(install_checkpoint(*installer));
  if (guard_ != nullptr) {
    SYN_TRY(install_echo(*installer));
  }
  return connect();
}

Result<void> MariadbTarget::open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                                       size_t lane_count) {
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kSql));
  const std::string ours = our_rows(*shared_);
  SYN_TRY(Answer present, connection->query(std::string("SELECT stream, lane FROM ") + kCheckpoint +
                                            ours + " AND epoch = " + std::to_string(epoch)));
  std::vector<std::pair<int64_t, int64_t>> known;
  while (present.next()) known.emplace_back(present.integer(0), present.integer(1));
  std::string rows;
  for (const model::StreamId stream : streams) {
    for (size_t lane = 0; lane < lane_count; ++lane) {
      const std::pair<int64_t, int64_t> row(stream, static_cast<int64_t>(lane));
      if (std::find(known.begin(), known.end(), row) != known.end()) continue;
      rows += (rows.empty() ? "(" : ", (") + literal(shared_->config.appliance) + ", " +
              literal(shared_->config.name) + ", " + std::to_string(epoch) + ", " +
              std::to_string(stream) + ", " + std::to_string(lane) + ", 0)";
    }
  }
  SYN_TRY(connection->run(kBegin));
  SYN_TRY(connection->run(std::string("DELETE FROM ") + kCheckpoint + ours + " AND epoch < " +
                          std::to_string(epoch)));
  if (!rows.empty()) {
    SYN_TRY(connection->run(std::string("INSERT INTO ") + kCheckpoint +
                            " (appliance, `system`, epoch, stream, lane, seq) VALUES " + rows));
  }
  return connection->run(kCommit);
}

// An older session could still commit while it lives; once it is gone, what the rows say is final.
Result<std::vector<ports::Checkpoint>> MariadbTarget::probe(uint32_t epoch) {
  bulk_.reset();
  connection_.reset();
  SYN_TRY(auto looker, Connection::open(shared_->access(), Purpose::kSql));
  SYN_TRY(end_sessions(*looker, *shared_));
  SYN_TRY(looker->run(kBegin));
  SYN_TRY(Answer rows, looker->query(std::string("SELECT stream, lane, seq FROM ") + kCheckpoint +
                                     our_rows(*shared_) + " AND epoch = " + std::to_string(epoch) +
                                     " ORDER BY stream, lane FOR UPDATE"));
  SYN_TRY(looker->run(kCommit));
  std::vector<ports::Checkpoint> checkpoints;
  while (rows.next()) {
    checkpoints.push_back({static_cast<model::StreamId>(rows.integer(0)),
                           static_cast<model::LaneIndex>(rows.integer(1)),
                           static_cast<model::Sequence>(rows.integer(2))});
  }
  SYN_TRY(connect());
  return checkpoints;
}

Error MariadbTarget::marker_moved(const ports::WriteBatch& batch) const {
  return {ErrorCode::kMarkerMoved,
          "a checkpoint of epoch " + std::to_string(batch.epoch) + " in system " +
              shared_->config.name + " is not where we left it",
          "another appliance of this name writes here, or the database was restored",
          "stop the other one, or run `syncline resync --system " + shared_->config.name + "`"};
}

void MariadbTarget::roll_back() {
  // A connection on which this fails is gone, and its transaction with it.
  if (connection_ != nullptr && !bulk_->run("ROLLBACK").is_done) {
    bulk_.reset();
    connection_.reset();
  }
}

// Whether a write failed by what its table is, by what we may do with it, or by the room it has.
bool MariadbTarget::is_of_dataset(const Error& error) {
  return error.code == ErrorCode::kSystemSchema || error.code == ErrorCode::kSystemKey ||
         error.code == ErrorCode::kSystemRefused || error.code == ErrorCode::kSystemFull;
}

// What the tables have become since they were looked at is looked at again.
ports::ApplyResult MariadbTarget::stop(std::vector<ports::DatasetStop> stopped) {
  writer_.reset();
  return {0, std::nullopt, std::move(stopped)};
}

// Moves every row of the checkpoint that the batch carries, or fails.
Result<void> MariadbTarget::begin(const ports::WriteBatch& batch) {
  if (const auto begun = bulk_->run(kBegin); !begun.is_done) return begun.error;
  ParameterArray next(ParameterKind::kUnsigned);
  ParameterArray stream(ParameterKind::kUnsigned);
  ParameterArray lane(ParameterKind::kUnsigned);
  ParameterArray previous(ParameterKind::kUnsigned);
  for (const ports::MarkerMove& move : batch.moves) {
    next.add(number(move.next));
    stream.add(number(move.stream));
    lane.add(number(move.lane));
    previous.add(number(move.previous));
  }
  const std::string sql = std::string("UPDATE ") + kCheckpoint + " SET seq = ?" +
                          our_rows(*shared_) + " AND epoch = " + std::to_string(batch.epoch) +
                          " AND stream = ? AND lane = ? AND seq = ?";
  const auto moved = bulk_->run(sql, {&next, &stream, &lane, &previous}, 0, batch.moves.size());
  if (!moved.is_done) return moved.error;
  if (moved.matched_count == batch.moves.size()) return success();
  return marker_moved(batch);
}

// In messages that the server takes.
Bulk::Outcome MariadbTarget::run_rows(const GroupSql& statement, const Group& group) {
  Bulk::Outcome total;
  const size_t room = packet_size_max_ / 2;
  size_t first = 0;
  while (first < group.count) {
    size_t count = 0;
    size_t size = 0;
    do {
      size += group.size_bytes(first + count++);
    } while (first + count < group.count && size + group.size_bytes(first + count) < room);
    Bulk::Outcome outcome = bulk_->run(statement.sql, statement.arrays, first, count);
    if (!outcome.is_done) return outcome;
    total.matched_count += outcome.matched_count;
    first += count;
  }
  return total;
}

// Of some of the records, rows were there: those are known one by one.
Bulk::Outcome MariadbTarget::insert_missing(Group& group) {
  const GroupSql insert = insert_sql(group);
  const GroupSql look = update_sql(group);
  for (size_t row = 0; row < group.count; ++row) {
    Bulk::Outcome outcome = bulk_->run(look.sql, look.arrays, row, 1);
    if (outcome.is_done && outcome.matched_count == 0) {
      outcome = bulk_->run(insert.sql, insert.arrays, row, 1);
    }
    if (!outcome.is_done) return outcome;
  }
  return {};
}

// Inserts at once. If one of the records is there, nothing was done.
Bulk::Outcome MariadbTarget::fill(Group& group) {
  Bulk::Outcome outcome = bulk_->run(kBeforeFill);
  if (outcome.is_done) outcome = run_rows(insert_sql(group), group);
  if (outcome.is_done || !outcome.is_clash()) return outcome;
  filling_.erase(group.mapped->dataset());
  Bulk::Outcome undone = bulk_->run(kUndoFill);
  return undone.is_done ? outcome : undone;
}

// What is NULL in whole records, where no zero date stands for it. done: of the rest of them.
Bulk::Outcome MariadbTarget::clear_kept(Group& group, Bulk::Outcome done) {
  for (const model::FieldIndex field : group.kept) {
    Bulk::Outcome cleared = run_rows(clear_sql(group, field), group);
    if (!cleared.is_done) return cleared;
  }
  return done;
}

Bulk::Outcome MariadbTarget::put(Group& group) {
  const model::DatasetId dataset = group.mapped->dataset();
  if (filling_.contains(dataset) && !group.is_moved) {
    Bulk::Outcome filled = fill(group);
    if (filled.is_done) filled.matched_count = group.count;
    if (filled.is_done || !filled.is_clash()) return filled;
  }
  Bulk::Outcome updated = run_rows(update_sql(group), group);
  if (updated.is_done) updated = clear_kept(group, std::move(updated));
  if (!updated.is_done || updated.matched_count == group.count) return updated;
  const bool are_missing = updated.matched_count == 0;
  Bulk::Outcome inserted = are_missing ? run_rows(insert_sql(group), group) : insert_missing(group);
  if (!inserted.is_done) return inserted;
  inserted.matched_count = group.count;
  if (are_missing && group.count >= kFillMin) filling_.insert(dataset);
  return inserted;
}

Bulk::Outcome MariadbTarget::run_group(Group& group) {
  switch (group.step) {
    case Step::kMove:
      return run_rows(move_sql(group), group);
    case Step::kClear:
    case Step::kDelete:
      return run_rows(delete_sql(group), group);
    case Step::kFree:
      return run_rows(free_sql(group), group);
    case Step::kSet:
      return run_rows(update_sql(group), group);
    case Step::kNew:
      return run_rows(insert_sql(group), group);
    case Step::kPut:
      break;
  }
  return put(group);
}

// A record larger than the server's messages would break the connection.
std::vector<ports::Poison> MariadbTarget::find_too_large(const ports::WriteBatch& batch) const {
  std::vector<ports::Poison> poisons;
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    const ports::RecordWrite& write = batch.writes[i];
    size_t size = 5 * write.key.size() + 2 * write.moved_from.size();
    for (const model::EntryCell& cell : write.cells) size += cell.bytes.size();
    if (connection_->kind().is_mysql()) size *= 2;  // as text
    if (size + kPacketMargin < packet_size_max_) continue;
    Error error{ErrorCode::kSystemRefused, "the record has " + std::to_string(size) + " bytes",
                "the server's max_allowed_packet is " + std::to_string(packet_size_max_),
                "SET GLOBAL max_allowed_packet = " + std::to_string(2 * size) +
                    "; then `syncline quarantine retry`"};
    poisons.push_back({i, writer_->refusal(write, std::move(error))});
  }
  return poisons;
}

// The record that the table's collation takes for this one, and that is another; or empty.
Result<std::string> MariadbTarget::alike(const Mapped& mapped, const ports::RecordWrite& write) {
  SYN_TRY(const std::string sql, Writer::alike_sql(mapped, write));
  SYN_TRY(Answer rows, connection_->query(sql));
  const std::string wanted = model::fold_key(write.key, *mapped.schema);
  while (rows.next()) {
    const auto found = read_key(mapped, rows);
    if (!found) return "one whose key is no record's: " + found.error().why;
    if (model::fold_key(found.value(), *mapped.schema) == wanted) continue;
    return "the record " + model::describe_key(found.value(), *mapped.schema);
  }
  return std::string();
}

Result<void> MariadbTarget::taken_for(const Mapped& mapped, const ports::RecordWrite& write,
                                      const std::string& other, Error& why) {
  SYN_TRY(const std::string exact, Writer::exact_key_sql(*connection_, mapped));
  why = writer_->refusal(
      write, {ErrorCode::kSystemRefused, "table " + mapped.table.name + " takes it for " + other,
              "the collation of its key does not tell the two apart",
              exact + "; then `syncline quarantine retry`"});
  return success();
}

Result<std::vector<ports::Poison>> MariadbTarget::find_alike(const ports::WriteBatch& batch) {
  std::vector<ports::Poison> poisons;
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    SYN_TRY(const Mapped* mapped, writer_->find(batch.writes[i].dataset));
    if (!Writer::is_doubtful(*mapped, batch.writes[i])) continue;
    SYN_TRY(const std::string other, alike(*mapped, batch.writes[i]));
    if (other.empty()) continue;
    ports::Poison poison{i, {}};
    SYN_TRY(taken_for(*mapped, batch.writes[i], other, poison.error));
    poisons.push_back(std::move(poison));
  }
  return poisons;
}

Error MariadbTarget::no_connection() const {
  return {ErrorCode::kSystemOpen, "system " + shared_->config.name + " is not connected",
          "the connection broke off", "nothing: it is probed, then tried again"};
}

Result<ports::ApplyResult> MariadbTarget::apply(const ports::WriteBatch& batch) {
  if (connection_ == nullptr || !connection_->is_usable()) {
    return no_connection();
  }
  SYN_TRY(look_for_triggers());
  if (writer_ == nullptr) {
    SYN_TRY(read_tables());
  }
  if (auto stopped = writer_->stopped(batch.writes); !stopped.empty()) {
    return stop(std::move(stopped));
  }
  std::unique_lock<std::mutex> held;
  if (guard_ != nullptr) held = guard_->hold();
  standings_.clear();
  stop_.reset();
  Writer::Plan plan = writer_->plan(batch.writes, {});
  if (!plan.poisons.empty()) return ports::refused_by(std::move(plan.poisons));
  SYN_TRY(auto unfit, check(batch));
  if (!unfit.empty()) return ports::refused_by(std::move(unfit));
  auto begun = begin_guarded(batch);
  if (!begun || !begun.value().empty()) roll_back();
  if (!begun && stop_) return stop({std::move(*stop_)});
  if (!begun) return begun.error();
  if (!begun.value().empty()) return ports::refused_by(std::move(begun).value());
  if (!standings_.empty()) plan = writer_->plan(batch.writes, standings_);
  size_t rows_written = 0;
  for (Group& group : plan.groups) {
    const Bulk::Outcome outcome = run_group(group);
    if (outcome.is_done) {
      if (group.step > Step::kMove) rows_written += outcome.matched_count;
      continue;
    }
    roll_back();
    if (connection_ == nullptr) return no_connection();
    const bool is_move = group.step <= Step::kMove && is_of_dataset(outcome.error);
    if (outcome.is_refusal() || is_move) return apply_apart(batch);
    if (!is_of_dataset(outcome.error)) return outcome.error;
    return stop({{group.mapped->dataset(), outcome.error}});
  }
  auto done = commit(batch, rows_written);
  if (!done || done.value().poison) roll_back_unless_lost(done);
  return done;
}

// What can be told of the records before anything is begun.
Result<std::vector<ports::Poison>> MariadbTarget::check(const ports::WriteBatch& batch) {
  auto too_large = find_too_large(batch);
  if (!too_large.empty()) return too_large;
  return find_alike(batch);
}

Result<std::vector<ports::Poison>> MariadbTarget::begin_guarded(const ports::WriteBatch& batch) {
  SYN_TRY(begin(batch));
  if (guard_ != nullptr) return guard(batch);
  SYN_TRY(lock_records(batch));
  return std::vector<ports::Poison>();
}

Result<ports::ApplyResult> MariadbTarget::commit(const ports::WriteBatch& batch,
                                                 size_t rows_written) {
  if (guard_ != nullptr) {
    SYN_TRY(auto outside, keep_echoes(batch));
    if (!outside.empty()) return ports::refused_by(std::move(outside));
  }
  const Bulk::Outcome outcome = bulk_->run(kCommit);
  if (!outcome.is_done) return outcome.error;
  if (guard_ != nullptr) guard_->wrote(batch.writes, left_);
  return ports::ApplyResult{rows_written, {}, {}};
}

// Not told that a commit failed is not told that it did: then nothing is done on that connection.
void MariadbTarget::roll_back_unless_lost(const Result<ports::ApplyResult>& done) {
  if (done || done.error().code != ErrorCode::kSystemOpen) roll_back();
}

}  // namespace syncline::mariadb
