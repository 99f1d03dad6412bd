#include "drivers/systems/postgres/detail/target.hpp"

#include <algorithm>

#include "drivers/systems/postgres/detail/alike.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"

namespace syncline::postgres {
namespace {

constexpr std::string_view kReplica = "replica";
constexpr std::string_view kOrigin = "origin";
constexpr std::string_view kDivisionByZero = "22012";
constexpr std::string_view kUniqueViolation = "23505";
constexpr std::string_view kDataException = "22";  // how its codes begin
constexpr std::string_view kReferenceViolations[] = {"23503", "23001"};
constexpr std::string_view kGeneratedAlways = "428C9";
constexpr size_t kMarkerIndex = 1;  // behind BEGIN
constexpr int kDrawsMax = 64;       // of a value that no other record holds
constexpr size_t kFillMin = 64;     // full records, all missing: those that follow may be, too

// Each record of a batch is found by its key's index, however the table's statistics stand: to read
// the table whole for a batch costs more the larger it is.
constexpr const char* kPlanByKey =
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET plan_cache_mode = "
    "force_generic_plan";

// Moves every row or fails: what follows it in the pipeline is then not run.
constexpr const char* kMove =
    "WITH moved AS (UPDATE syncline.syncline_checkpoint AS c SET seq = m.next, quiet = $9::boolean "
    "FROM "
    "unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS m(stream, lane, previous, "
    "next) "
    "WHERE c.appliance = $5 AND c.system = $6 AND c.epoch = $7::bigint AND c.stream = m.stream AND "
    "c.lane = m.lane AND c.seq = m.previous RETURNING 1) SELECT 1 / (CASE WHEN (SELECT count(*) "
    "FROM moved) = $8::bigint THEN 1 ELSE 0 END)";

// What is taken as applied must outlive a crash of the server, whatever the role is set to.
Result<void> set_durable(Connection& connection) {
  return connection.run(
      "SELECT set_config('synchronous_commit', 'on', false) WHERE "
      "current_setting('synchronous_commit') = 'off'");
}

}  // namespace

// What `plan` asked is asked again: rights may have been taken away since, and triggers added.
Result<void> PostgresTarget::read_tables() {
  if (triggers_ == Triggers::kFire) {
    SYN_TRY(triggers_, suppress_triggers(*connection_));
  }
  std::vector<Mapped> mapped;
  std::map<model::DatasetId, Error> stopped;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.direction == ports::Direction::kFrom) continue;
    auto read = read_mapped(*connection_, mapping);
    if (!read) {
      const ErrorCode code = read.error().code;
      const bool is_of_table = code == ErrorCode::kSystemSchema || code == ErrorCode::kSystemKey;
      if (!is_of_table) return std::move(read).as_failure();
      stopped.emplace(mapping.schema->dataset, std::move(read).error());
      continue;
    }
    SYN_TRY(auto problems, trigger_problems(*connection_, read.value(), triggers_));
    if (problems.empty()) {
      mapped.push_back(std::move(read).value());
    } else {
      stopped.emplace(mapping.schema->dataset, std::move(problems.front()));
    }
  }
  SYN_TRY(rank_by_references(*connection_, mapped));
  SYN_TRY(look_at_tables(mapped));
  writer_ = std::make_unique<Writer>(std::move(mapped), std::move(stopped));
  uncopied_.clear();
  return success();
}

Result<void> PostgresTarget::connect() {
  writer_.reset();
  pipeline_.reset();
  connection_.reset();
  SYN_TRY(connection_,
          Connection::open(shared_->access(shared_->writer_role(place_)), Purpose::kWrite));
  pipeline_ = std::make_unique<Pipeline>(*connection_);
  SYN_TRY(connection_->run(kPlanByKey));
  SYN_TRY(connection_->run("SET syncline.applying = 'on'"));
  SYN_TRY(set_durable(*connection_));
  SYN_TRY(triggers_, suppress_triggers(*connection_));
  SYN_TRY(has_origin_, may_use_origin(*connection_, shared_->object, place_));
  return success();
}

Result<void> PostgresTarget::open() {
  SYN_TRY(auto installer, Connection::open(shared_->access("look"), Purpose::kSql));
  SYN_TRY(install_checkpoint(*installer));
  if (!shared_->is_scan) {
    SYN_TRY(install_origins(*installer, shared_->object, shared_->config.write_connections));
  }
  if (guard_ != nullptr) {
    SYN_TRY(install_echo(*installer));
  }
  return connect();
}

Result<void> PostgresTarget::open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                                        size_t lane_count) {
  SYN_TRY(auto connection, Connection::open(shared_->access("look"), Purpose::kSql));
  ArrayLiteral wanted;
  SYN_TRY(set_durable(*connection));
  for (const model::StreamId stream : streams) wanted.add(std::to_string(stream));
  const std::string ours = " WHERE appliance = " + literal(shared_->config.appliance) +
                           " AND system = " + literal(shared_->config.name) + " AND epoch < " +
                           std::to_string(epoch);
  return connection->run(
      "BEGIN; DELETE FROM " + std::string(kCheckpoint) + ours + "; INSERT INTO " + kCheckpoint +
      "(appliance, system, epoch, stream, lane, seq) SELECT " + literal(shared_->config.appliance) +
      ", " + literal(shared_->config.name) + ", " + std::to_string(epoch) +
      ", stream, lane, 0 FROM unnest(" + literal(wanted.finish()) +
      "::bigint[]) AS stream, generate_series(0, " + std::to_string(lane_count) +
      " - 1) AS lane ON CONFLICT DO NOTHING; COMMIT");
}

// An older session could still commit while it lives; once it is gone, what the rows say is final.
Result<std::vector<ports::Checkpoint>> PostgresTarget::probe(uint32_t epoch) {
  connection_.reset();
  SYN_TRY(auto looker, Connection::open(shared_->access("look"), Purpose::kSql));
  SYN_TRY(end_sessions(*looker, shared_->writers()));
  SYN_TRY(looker->run("BEGIN"));
  SYN_TRY(const Answer rows,
          looker->query("SELECT stream, lane, seq FROM " + std::string(kCheckpoint) +
                        " WHERE appliance = " + literal(shared_->config.appliance) +
                        " AND system = " + literal(shared_->config.name) + " AND epoch = " +
                        std::to_string(epoch) + " ORDER BY stream, lane FOR UPDATE"));
  SYN_TRY(looker->run("COMMIT"));
  std::vector<ports::Checkpoint> checkpoints;
  checkpoints.reserve(rows.row_count());
  for (size_t row = 0; row < rows.row_count(); ++row) {
    checkpoints.push_back({static_cast<model::StreamId>(rows.integer(row, 0)),
                           static_cast<model::LaneIndex>(rows.integer(row, 1)),
                           static_cast<model::Sequence>(rows.integer(row, 2))});
  }
  SYN_TRY(connect());
  return checkpoints;
}

SqlStatement PostgresTarget::marker(const ports::WriteBatch& batch, Telling telling) const {
  ArrayLiteral streams;
  ArrayLiteral lanes;
  ArrayLiteral previous;
  ArrayLiteral next;
  for (const ports::MarkerMove& move : batch.moves) {
    streams.add(std::to_string(move.stream));
    lanes.add(std::to_string(move.lane));
    previous.add(std::to_string(move.previous));
    next.add(std::to_string(move.next));
  }
  return {kMove,
          {streams.finish(), lanes.finish(), previous.finish(), next.finish(),
           shared_->config.appliance, shared_->config.name, std::to_string(batch.epoch),
           std::to_string(batch.moves.size()), telling == Telling::kQuietly ? "t" : "f"}};
}

Error PostgresTarget::marker_moved(const ports::WriteBatch& batch) const {
  return {ErrorCode::kMarkerMoved,
          "a checkpoint of epoch " + std::to_string(batch.epoch) + " in system " +
              shared_->config.name + " is not where we left it",
          "another appliance of this name writes here, or the database was restored",
          "stop the other one, or run `syncline resync --system " + shared_->config.name + "`"};
}

std::string_view PostgresTarget::role_for(const Mapped& mapped) const {
  return mapped.mapping->triggers == "suppress" ? kReplica : kOrigin;
}

// Triggers fire for the datasets that want it, and for no others.
std::optional<std::string> PostgresTarget::role_change(const Mapped& mapped) {
  const std::string_view role = role_for(mapped);
  if (triggers_ != Triggers::kSuppressed || role == role_) return {};
  role_ = role;
  return "SET LOCAL session_replication_role = " + std::string(role);
}

void PostgresTarget::add_group(Group group, std::vector<SqlStatement>& statements) {
  if (auto role = role_change(*group.mapped)) statements.push_back({std::move(*role), {}});
  statements.push_back(group.finish());
}

void PostgresTarget::roll_back() {
  // A connection on which this fails is gone, and its transaction with it.
  const bool is_back = connection_->run("ROLLBACK") && leave_origin();
  if (!is_back) connection_.reset();
}

// Whether a write failed by what its table is, by what we may do with it, or by the room it has.
bool PostgresTarget::is_of_dataset(const Error& error) {
  return error.code == ErrorCode::kSystemSchema || error.code == ErrorCode::kSystemKey ||
         error.code == ErrorCode::kSystemRefused || error.code == ErrorCode::kSystemFull;
}

// What the tables have become since they were looked at is looked at again.
ports::ApplyResult PostgresTarget::stop(std::vector<ports::DatasetStop> stopped) {
  writer_.reset();
  return {0, std::nullopt, std::move(stopped)};
}

Result<ports::ApplyResult> PostgresTarget::apply(const ports::WriteBatch& batch) {
  if (connection_ == nullptr || !connection_->is_usable()) {
    return fail(ErrorCode::kSystemOpen, "system " + shared_->config.name + " is not connected",
                "the connection broke off", "nothing: it is probed, then tried again");
  }
  if (writer_ == nullptr) {
    SYN_TRY(read_tables());
  }
  if (guard_ != nullptr) return apply_guarded(batch);
  return apply_together(batch, Telling::kQuietly);
}

// telling: kQuietly, if all that it writes may be.
Result<ports::ApplyResult> PostgresTarget::apply_together(const ports::WriteBatch& batch,
                                                          Telling telling) {
  Writer::Plan plan = writer_->plan(batch.writes, {}, filling_);
  if (!plan.stopped.empty()) return stop(std::move(plan.stopped));
  if (plan.poison) return ports::ApplyResult{0, std::move(plan.poison), {}};
  if (!may_be_quiet(batch, plan)) telling = Telling::kAloud;
  Script script = make_script(batch, plan, telling);
  brought_ = std::move(plan.brought);
  const size_t end = script.statements.size();
  const bool is_filling = !script.fills.empty();
  if (!is_filling) {
    script.add({"COMMIT", {}});
    for (SqlStatement& more : sequences_.advance(brought_)) script.add(std::move(more));
  }
  const Pipeline::Outcome outcome = pipeline_->run(script.statements);
  const bool is_written = outcome.affected_counts.size() > (is_filling ? end - 1 : end);
  if (const auto other = is_written ? std::nullopt : other_telling(outcome, script)) {
    roll_back();
    if (connection_ == nullptr) return outcome.error;
    SYN_TRY(read_tables());
    return apply_together(batch, *other);
  }
  if (!is_written) return after_error(batch, outcome, script.datasets);
  size_t rows_written = 0;
  for (size_t i = 0; i < end; ++i) {
    if (script.datasets[i] != 0) rows_written += outcome.affected_counts[i];
  }
  rows_written += note_puts(script.puts, outcome);
  if (is_filling) return fill(batch, script, rows_written);
  sequences_.done(brought_);
  if (!outcome.is_done && outcome.sqlstate.empty()) connection_.reset();
  return ports::ApplyResult{rows_written, {}, {}};
}

// All that goes before the COMMIT, or before what is copied in.
PostgresTarget::Script PostgresTarget::make_script(const ports::WriteBatch& batch,
                                                   Writer::Plan& plan, Telling telling) {
  Script script;
  script.add({"BEGIN", {}});
  script.add(marker(batch, telling));
  if (telling == Telling::kQuietly) begin_quiet(script);
  role_ = kReplica;
  for (Group& group : plan.groups) {
    if (telling == Telling::kQuietly) {
      const std::string name = group.mapped->table.sql_name();
      script.tables[name] = shapes_.at(name);
    }
    if (group.step == Step::kFill) {
      script.fills.push_back(std::move(group));
      continue;
    }
    Put put{0, group.mapped->dataset(), group.count};
    const bool is_put = group.step == Step::kPut;
    add_group(std::move(group), script.statements);
    script.datasets.resize(script.statements.size(), put.dataset);
    put.statement = script.statements.size() - 1;
    if (is_put) script.puts.push_back(put);
  }
  if (telling == Telling::kQuietly && script.fills.empty()) end_quiet(script);
  return script;
}

// Whether full records that follow are thought to be missing. Returns how many of these were there:
// they are written, too.
size_t PostgresTarget::note_puts(const std::vector<Put>& puts, const Pipeline::Outcome& outcome) {
  size_t found = 0;
  for (const Put& put : puts) {
    const size_t missing = outcome.affected_counts[put.statement];
    found += put.count - missing;
    if (missing < put.count) filling_.erase(put.dataset);
    const bool may_fill = missing == put.count && missing >= kFillMin;
    if (may_fill && !uncopied_.contains(put.dataset)) filling_.insert(put.dataset);
  }
  return found;
}

Result<ports::ApplyResult> PostgresTarget::after_error(
    const ports::WriteBatch& batch, const Pipeline::Outcome& outcome,
    const std::vector<model::DatasetId>& datasets) {
  if (outcome.sqlstate.empty()) {
    connection_.reset();
    return outcome.error;
  }
  roll_back();
  const size_t failed = outcome.affected_counts.size();
  const bool is_write = failed < datasets.size() && datasets[failed] != 0;
  if (failed <= kMarkerIndex && outcome.sqlstate == kDivisionByZero) return marker_moved(batch);
  if (is_write && !is_refusal(outcome.sqlstate) && is_of_dataset(outcome.error)) {
    return stop({{datasets[failed], outcome.error}});
  }
  const bool is_of_row = failed > kMarkerIndex && is_refusal(outcome.sqlstate);
  if (!is_of_row || connection_ == nullptr) return outcome.error;
  return apply_singly(batch);
}

// Record by record, each behind a savepoint, to find the one that is refused. Records may swap
// unique values: where the plain way meets a clash, those are given away first.
Result<ports::ApplyResult> PostgresTarget::apply_singly(const ports::WriteBatch& batch) {
  const Pipeline::Outcome begun = pipeline_->run({{"BEGIN", {}},
                                                  marker(batch, Telling::kAloud),
                                                  {"SET CONSTRAINTS ALL IMMEDIATE", {}},
                                                  {"SAVEPOINT syncline_writes", {}}});
  if (!begun.is_done) return after_error(batch, begun, {});
  size_t rows_written = 0;
  stop_.reset();
  auto refused = write_singly(batch, Way::kPlain, rows_written);
  if (refused && is_clash(refused.value()) && batch.writes.size() > 1) {
    if (auto back = connection_->run("ROLLBACK TO SAVEPOINT syncline_writes"); !back) {
      refused = std::move(back).as_failure();
    } else {
      rows_written = 0;
      refused = write_singly(batch, Way::kFreeFirst, rows_written);
    }
  }
  if (!refused) {
    roll_back();
    if (stop_) return stop({std::move(*stop_)});
    return refused.error();
  }
  if (const std::optional<Refused>& found = refused.value(); found.has_value()) {
    roll_back();
    return ports::ApplyResult{0, found->poison(), {}};
  }
  if (auto committed = connection_->run("COMMIT"); !committed) {
    // Not told that it failed is not told that it did.
    if (connection_->sqlstate().empty()) connection_.reset();
    return std::move(committed).as_failure();
  }
  advance_sequences();
  return ports::ApplyResult{rows_written, {}, {}};
}

// The records are committed: what goes wrong here costs a user a number that is taken, no more.
void PostgresTarget::advance_sequences() {
  const auto statements = sequences_.advance(brought_);
  if (statements.empty()) return;
  const Pipeline::Outcome outcome = pipeline_->run(statements);
  sequences_.done(brought_);
  if (!outcome.is_done && outcome.sqlstate.empty()) connection_.reset();
}

bool PostgresTarget::is_clash(const std::optional<Refused>& refused) {
  return refused.has_value() && refused->is_unique;
}

Result<std::optional<PostgresTarget::Refused>> PostgresTarget::write_singly(
    const ports::WriteBatch& batch, Way way, size_t& rows_written) {
  role_ = kReplica;
  std::vector<std::pair<size_t, Step>> late;  // what others of the batch must come before
  std::optional<Refused> last;
  const auto write = [&](size_t index, Step step) -> Result<std::optional<Refused>> {
    SYN_TRY(auto refused, write_one(batch, index, step, rows_written));
    if (!refused || !refused->is_reference) return refused;
    SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_write"));
    late.emplace_back(index, step);
    last = std::move(refused);
    return std::optional<Refused>();
  };
  for (const Step step : {Step::kDelete, Step::kFree, Step::kSet}) {
    if (step == Step::kFree && way == Way::kPlain) continue;
    for (const size_t i : writer_->in_order(batch.writes, step)) {
      SYN_TRY(auto refused, write(i, step));
      if (refused) return refused;
    }
  }
  for (size_t count = 0; !late.empty() && late.size() != count;) {
    count = late.size();
    for (const auto& [index, step] : std::exchange(late, {})) {
      SYN_TRY(auto refused, write(index, step));
      if (refused) return refused;
    }
  }
  return late.empty() ? std::optional<Refused>() : std::move(last);
}

Result<std::optional<PostgresTarget::Refused>> PostgresTarget::write_one(
    const ports::WriteBatch& batch, size_t index, Step step, size_t& rows_written) {
  const ports::RecordWrite& write = batch.writes[index];
  SYN_TRY(auto group, step == Step::kFree
                          ? writer_->freeing(write, scan::standing_of(standings_, index))
                          : writer_->single(write, scan::standing_of(standings_, index)));
  if (!group) return std::optional<Refused>();
  const Mapped& mapped = *group->mapped;
  const Step group_step = group->step;
  std::vector<SqlStatement> statements;
  if (auto role = role_change(mapped)) statements.push_back({std::move(*role), {}});  // outlasts it
  statements.push_back({"SAVEPOINT syncline_write", {}});
  statements.push_back(group->finish());
  statements.push_back({"RELEASE SAVEPOINT syncline_write", {}});
  Pipeline::Outcome outcome = pipeline_->run(statements);
  if (outcome.sqlstate == kUniqueViolation) {
    const bool is_of_key = is_key_index(mapped, connection_->constraint());
    SYN_TRY(auto taken, find_alike(mapped, write, index));  // a partition's index has its own name
    if (taken) return taken;
    if (is_of_key && group_step == Step::kNew) return guard_->was_inserted(write);
  }
  // A user may have inserted it between our UPDATE and our INSERT: the next UPDATE sees it. What is
  // made up may be what another record holds: the next draw is another.
  const int tries = group_step == Step::kPut ? 2 : group_step == Step::kFree ? kDrawsMax : 1;
  for (int tried = 1; outcome.sqlstate == kUniqueViolation && tried < tries; ++tried) {
    SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_write"));
    outcome = pipeline_->run(statements);
  }
  if (outcome.is_done) {
    // A full record is written whether it was there or not; the statement counts only the first.
    const size_t affected = outcome.affected_counts[statements.size() - 2];
    if (step != Step::kFree) rows_written += write.kind == model::EntryKind::kPut ? 1 : affected;
    return std::optional<Refused>();
  }
  if (!is_refusal(outcome.sqlstate)) {
    const bool is_known = !outcome.sqlstate.empty() && is_of_dataset(outcome.error);
    if (is_known) stop_ = ports::DatasetStop{write.dataset, outcome.error};
    return outcome.error;
  }
  const bool is_unique = outcome.sqlstate == kUniqueViolation;
  if (step == Step::kFree && !is_unique) {
    // Another constraint has no room for what was made up: the record keeps its values until its
    // turn.
    SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_write"));
    return std::optional<Refused>();
  }
  Error error = outcome.error;
  SYN_TRY(const std::string refused, refused_column(write, outcome.sqlstate));
  if (!refused.empty()) error.why = "column " + refused + ": " + error.why;
  error.code = ErrorCode::kSystemRefused;
  error.fix = "correct the record or the table, then `syncline quarantine retry`";
  if (outcome.sqlstate == kGeneratedAlways) {
    for (const Column& column : mapped.columns) {
      if (column.is_always_identity) error.fix += "; " + identity_sql(mapped.table, column);
    }
  }
  const bool is_reference =
      std::count(std::begin(kReferenceViolations), std::end(kReferenceViolations),
                 std::string_view(outcome.sqlstate)) > 0;
  return std::optional(
      Refused{index, writer_->refusal(write, std::move(error)), is_unique, is_reference});
}

// Whether its key clashes with that of another record, which the table takes for this one.
Result<std::optional<PostgresTarget::Refused>> PostgresTarget::find_alike(
    const Mapped& mapped, const ports::RecordWrite& write, size_t index) {
  if (!has_coarse_key(mapped)) return std::optional<Refused>();
  SYN_TRY(SqlStatement look, writer_->alike(write));
  std::vector<Parameter> key;
  key.reserve(look.parameters.size());
  for (std::string& array : look.parameters) key.emplace_back(std::move(array));
  SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_write"));
  SYN_TRY(const Answer rows, connection_->query(look.sql, key));
  if (rows.row_count() == 0) return std::optional<Refused>();
  RowCells cells;
  SYN_TRY(const std::string other, key_of(mapped, rows, 0, cells));
  return std::optional(Refused{index, writer_->refusal(write, taken_for(mapped, other))});
}

// The server's word on a value names its type, but not the column that it was meant for: found by
// having each read alone. Empty: none of them is the cause.
Result<std::string> PostgresTarget::refused_column(const ports::RecordWrite& write,
                                                   std::string_view sqlstate) {
  if (!sqlstate.starts_with(kDataException)) return std::string();
  const auto readings = writer_->readings(write);
  std::vector<SqlStatement> statements = {{"ROLLBACK TO SAVEPOINT syncline_write", {}}};
  for (const Writer::Reading& reading : readings) statements.push_back(reading.statement);
  const Pipeline::Outcome read = pipeline_->run(statements);
  const size_t done_count = read.affected_counts.size();
  if (!read.is_done && (read.sqlstate.empty() || done_count == 0)) return read.error;
  return read.is_done ? std::string() : readings[done_count - 1].column;
}

}  // namespace syncline::postgres
