#include "drivers/systems/mariadb/detail/target.hpp"

#include <algorithm>

#include <mysqld_error.h>

#include "drivers/systems/mariadb/detail/objects.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

constexpr const char* kBegin = "START TRANSACTION";
constexpr const char* kCommit = "COMMIT";
constexpr int kDrawsMax = 64;  // of a value that no other record holds
constexpr const char* kBeforeFill = "SAVEPOINT syncline_fill";
constexpr const char* kUndoFill = "ROLLBACK TO SAVEPOINT syncline_fill";
constexpr size_t kFillMin = 64;  // full records, all missing: those that follow may be, too
constexpr size_t kPacketMargin = 4096;

Parameter number(uint64_t value) {
  Parameter parameter;
  parameter.integer = static_cast<int64_t>(value);
  return parameter;
}

bool is_clash(unsigned error) {
  return error == ER_DUP_ENTRY || error == ER_DUP_ENTRY_WITH_KEY_NAME || error == ER_DUP_KEY;
}

// "Duplicate entry 'x' for key 'PRIMARY'"; MySQL from 8.0.19 on: 'table.PRIMARY'
std::string_view key_of(std::string_view message) {
  constexpr std::string_view kMark = "for key '";
  const size_t at = message.rfind(kMark);
  if (at == std::string_view::npos) return {};
  message.remove_prefix(at + kMark.size());
  return message.substr(0, message.rfind('\''));
}

// Whether a clash is about the record's own key, and not about another unique value of it.
bool is_own_key(const Mapped& mapped, std::string_view index) {
  return std::any_of(
      mapped.table.uniques.begin(), mapped.table.uniques.end(), [&](const UniqueSet& unique) {
        const bool is_it = index == unique.index || index == mapped.table.name + "." + unique.index;
        if (!is_it || unique.columns.size() != mapped.key_count()) return false;
        return std::all_of(unique.columns.begin(), unique.columns.end(), [&](const auto& name) {
          return std::any_of(mapped.columns.begin(),
                             mapped.columns.begin() + static_cast<ptrdiff_t>(mapped.key_count()),
                             [&](const Column& key) { return key.name == name; });
        });
      });
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
  if (outcome.is_done || !is_clash(outcome.number)) return outcome;
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
  if (filling_.contains(dataset)) {
    Bulk::Outcome filled = fill(group);
    if (filled.is_done) filled.matched_count = group.count;
    if (filled.is_done || !is_clash(filled.number)) return filled;
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
Result<std::optional<ports::Poison>> MariadbTarget::find_too_large(const ports::WriteBatch& batch) {
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    const ports::RecordWrite& write = batch.writes[i];
    size_t size = 2 * write.key.size();
    for (const model::EntryCell& cell : write.cells) size += cell.bytes.size();
    if (connection_->kind().is_mysql()) size *= 2;  // as text
    if (size + kPacketMargin < packet_size_max_) continue;
    Error error{ErrorCode::kSystemRefused, "the record has " + std::to_string(size) + " bytes",
                "the server's max_allowed_packet is " + std::to_string(packet_size_max_),
                "SET GLOBAL max_allowed_packet = " + std::to_string(2 * size) +
                    "; then `syncline quarantine retry`"};
    return std::optional(ports::Poison{i, writer_->refusal(write, std::move(error))});
  }
  return std::optional<ports::Poison>();
}

// The key of a row that the table's collation takes for this record, and that is another; or empty.
Result<std::string> MariadbTarget::alike(const Mapped& mapped, const ports::RecordWrite& write) {
  SYN_TRY(const std::string sql, Writer::alike_sql(mapped, write));
  SYN_TRY(Answer rows, connection_->query(sql));
  const std::string wanted = model::fold_key(write.key, *mapped.schema);
  while (rows.next()) {
    std::vector<std::string> parts;
    std::vector<model::CellView> cells;
    cells.reserve(mapped.key_count());
    for (size_t i = 0; i < mapped.key_count(); ++i) {
      SYN_TRY(std::string part, canonical_from_native(rows.text(i), mapped.columns[i].type,
                                                      mapped.schema->fields[i].type));
      parts.push_back(std::move(part));
    }
    for (const std::string& part : parts) cells.push_back({model::CellState::kValue, part});
    std::string found = model::join_key(cells);
    if (model::fold_key(found, *mapped.schema) != wanted) return found;
  }
  return std::string();
}

Result<void> MariadbTarget::taken_for(const Mapped& mapped, const ports::RecordWrite& write,
                                      const std::string& other, Error& why) {
  SYN_TRY(const std::string exact, Writer::exact_key_sql(*connection_, mapped));
  why = writer_->refusal(write, {ErrorCode::kSystemRefused,
                                 "table " + mapped.table.name + " takes it for the record " +
                                     model::describe_key(other, *mapped.schema),
                                 "the collation of its key does not tell the two apart",
                                 exact + "; then `syncline quarantine retry`"});
  return success();
}

Result<std::optional<ports::Poison>> MariadbTarget::find_alike(const ports::WriteBatch& batch) {
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    SYN_TRY(const Mapped* mapped, writer_->find(batch.writes[i].dataset));
    if (!Writer::is_doubtful(*mapped, batch.writes[i])) continue;
    SYN_TRY(const std::string other, alike(*mapped, batch.writes[i]));
    if (other.empty()) continue;
    ports::Poison poison{i, {}};
    SYN_TRY(taken_for(*mapped, batch.writes[i], other, poison.error));
    return std::optional(std::move(poison));
  }
  return std::optional<ports::Poison>();
}

Result<ports::ApplyResult> MariadbTarget::apply(const ports::WriteBatch& batch) {
  if (connection_ == nullptr || !connection_->is_usable()) {
    return fail(ErrorCode::kSystemOpen, "system " + shared_->config.name + " is not connected",
                "the connection broke off", "nothing: it is probed, then tried again");
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
  SYN_TRY(auto unfit, check(batch, plan));
  if (unfit) return ports::ApplyResult{0, std::move(unfit), {}};
  auto begun = begin_guarded(batch);
  if (!begun || begun.value()) roll_back();
  if (!begun && stop_) return stop({std::move(*stop_)});
  if (!begun) return begun.error();
  if (begun.value()) return ports::ApplyResult{0, std::move(begun).value(), {}};
  if (!standings_.empty()) plan = writer_->plan(batch.writes, standings_);
  size_t rows_written = 0;
  for (Group& group : plan.groups) {
    const Bulk::Outcome outcome = run_group(group);
    if (outcome.is_done) {
      rows_written += outcome.matched_count;
      continue;
    }
    roll_back();
    if (connection_ == nullptr) return outcome.error;
    if (outcome.is_refusal()) return apply_singly(batch);
    if (!is_of_dataset(outcome.error)) return outcome.error;
    return stop({{group.mapped->dataset(), outcome.error}});
  }
  auto done = commit(batch, rows_written);
  if (!done || done.value().poison) roll_back_unless_lost(done);
  return done;
}

// What can be told of the records before anything is begun.
Result<std::optional<ports::Poison>> MariadbTarget::check(const ports::WriteBatch& batch,
                                                          Writer::Plan& plan) {
  if (plan.poison) return std::move(plan.poison);
  SYN_TRY(auto too_large, find_too_large(batch));
  if (too_large) return too_large;
  return find_alike(batch);
}

Result<std::optional<ports::Poison>> MariadbTarget::begin_guarded(const ports::WriteBatch& batch) {
  SYN_TRY(begin(batch));
  if (guard_ != nullptr) return guard(batch);
  SYN_TRY(lock_records(batch));
  return std::optional<ports::Poison>();
}

Result<ports::ApplyResult> MariadbTarget::commit(const ports::WriteBatch& batch,
                                                 size_t rows_written) {
  if (guard_ != nullptr) {
    SYN_TRY(auto outside, keep_echoes(batch));
    if (outside) return ports::ApplyResult{0, std::move(outside), {}};
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

Result<MariadbTarget::Singly> MariadbTarget::try_singly(const ports::WriteBatch& batch, Way way) {
  SYN_TRY(auto outside, begin_guarded(batch));
  if (outside) return Singly{{0, std::move(outside), {}}, false};
  size_t rows_written = 0;
  SYN_TRY(auto refused, write_singly(batch, way, rows_written));
  if (refused) {
    return Singly{{0, ports::Poison{refused->index, std::move(refused->error)}, {}},
                  refused->is_unique};
  }
  SYN_TRY(auto done, commit(batch, rows_written));
  return Singly{std::move(done), false};
}

// Record by record, to find the one that is refused. Records may swap unique values: where the
// plain way meets a clash, those are given away first.
Result<ports::ApplyResult> MariadbTarget::apply_singly(const ports::WriteBatch& batch) {
  stop_.reset();
  auto tried = try_singly(batch, Way::kPlain);
  if (tried && tried.value().is_clash && batch.writes.size() > 1) {
    roll_back();
    if (connection_ == nullptr) return std::move(tried).value().result;
    tried = try_singly(batch, Way::kFreeFirst);
  }
  if (!tried && tried.error().code == ErrorCode::kSystemOpen) return tried.error();
  if (!tried || tried.value().result.poison) roll_back();
  if (!tried && stop_) return stop({std::move(*stop_)});
  if (!tried) return tried.error();
  return std::move(tried).value().result;
}

Result<std::optional<MariadbTarget::Refused>> MariadbTarget::write_singly(
    const ports::WriteBatch& batch, Way way, size_t& rows_written) {
  for (const Step step : {Step::kDelete, Step::kFree, Step::kSet}) {
    if (step == Step::kFree && way == Way::kPlain) continue;
    for (size_t i = 0; i < batch.writes.size(); ++i) {
      const bool is_delete = batch.writes[i].kind == model::EntryKind::kDelete;
      if (is_delete != (step == Step::kDelete)) continue;
      SYN_TRY(auto refused, write_one(batch, i, way, step, rows_written));
      if (refused) return refused;
    }
  }
  return std::optional<Refused>();
}

Result<std::optional<MariadbTarget::Refused>> MariadbTarget::write_one(
    const ports::WriteBatch& batch, size_t index, Way way, Step step, size_t& rows_written) {
  const ports::RecordWrite& write = batch.writes[index];
  SYN_TRY(auto group, step == Step::kFree
                          ? writer_->freeing(write, scan::standing_of(standings_, index))
                          : writer_->single(write, scan::standing_of(standings_, index)));
  if (!group) return std::optional<Refused>();
  Bulk::Outcome outcome = run_group(*group);
  for (int draws = 1; step == Step::kFree && is_clash(outcome.number) && draws < kDrawsMax; ++draws)
    outcome = run_group(*group);
  if (outcome.is_done) {
    if (step != Step::kFree) rows_written += outcome.matched_count;
    return std::optional<Refused>();
  }
  if (!outcome.is_refusal()) {
    if (is_of_dataset(outcome.error)) stop_ = ports::DatasetStop{write.dataset, outcome.error};
    return outcome.error;
  }
  Error error = outcome.error;
  const bool is_unique = is_clash(outcome.number);
  // Another constraint has no room for what was made up: the record keeps its values until its
  // turn.
  if (step == Step::kFree && !is_unique) return std::optional<Refused>();
  if (is_unique && is_own_key(*group->mapped, key_of(outcome.message))) {
    SYN_TRY(const std::string other, alike(*group->mapped, write));
    if (!other.empty()) {
      SYN_TRY(taken_for(*group->mapped, write, other, error));
      return std::optional(Refused{index, std::move(error), false});
    }
    if (group->step == Step::kNew) return guard_->was_inserted(write);
    if (way == Way::kPlain) {  // a user inserted it between our UPDATE and our INSERT
      error.code = ErrorCode::kSystemBusy;
      return error;
    }
  }
  error.code = ErrorCode::kSystemRefused;
  error.fix = "correct the record or the table, then `syncline quarantine retry`";
  return std::optional(Refused{index, writer_->refusal(write, std::move(error)), is_unique});
}

}  // namespace syncline::mariadb
