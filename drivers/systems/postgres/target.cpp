#include "drivers/systems/postgres/detail/target.hpp"

#include <algorithm>

#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/whole.hpp"

namespace syncline::postgres {
namespace {

constexpr std::string_view kReplica = "replica";
constexpr std::string_view kOrigin = "origin";
constexpr std::string_view kDivisionByZero = "22012";
constexpr size_t kMarkerIndex = 1;  // behind BEGIN
constexpr size_t kFillMin = 64;     // full records, all missing: those that follow may be, too

// Each record of a batch, and each checkpoint row, is found by its key's index, however the table's
// statistics stand: to read the table whole for a batch costs more the larger it is. Where there is
// no index the planner's cost is then a number that would have each such statement compiled.
constexpr const char* kPlanByKey =
    "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_seqscan = off; "
    "SET jit = off; SET plan_cache_mode = force_generic_plan";

// Moves every row or fails: what follows it in the pipeline is then not run. A row is found by its
// whole key, bucket and all, however many versions of it some old snapshot keeps: those of its
// numbers before are under other keys.
constexpr const char* kMove =
    "WITH m AS (SELECT * FROM unnest($1::bigint[], $2::int[], $3::bigint[], $4::bigint[]) AS "
    "m(stream, lane, previous, next)), "
    "moved AS (UPDATE syncline.syncline_checkpoint AS c SET seq = m.next, bucket = m.next >> 12, "
    "quiet = $9::boolean FROM m WHERE c.ctid = ANY(ARRAY(SELECT place.ctid FROM m, LATERAL "
    "(SELECT k.ctid FROM syncline.syncline_checkpoint AS k WHERE k.appliance = $5 AND "
    "k.system = $6 AND k.epoch = $7::bigint AND k.stream = m.stream AND k.lane = m.lane AND "
    "k.bucket = m.previous >> 12 OFFSET 0) AS place)) AND c.stream = m.stream AND "
    "c.lane = m.lane AND c.seq = m.previous RETURNING 1) "
    "SELECT 1 / (CASE WHEN (SELECT count(*) FROM moved) = $8::bigint THEN 1 ELSE 0 END)";

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
      SYN_TRY(problems, shared_key_problems(*connection_, read.value()));
    }
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
                           " AND system = " + literal(shared_->config.name) + " AND epoch ";
  const std::string table = kCheckpoint;
  return connection->run(
      "BEGIN; DELETE FROM " + table + ours + "< " + std::to_string(epoch) + "; INSERT INTO " +
      table + "(appliance, system, epoch, stream, lane, seq) SELECT " +
      literal(shared_->config.appliance) + ", " + literal(shared_->config.name) + ", " +
      std::to_string(epoch) + ", stream, lane, 0 FROM unnest(" + literal(wanted.finish()) +
      "::bigint[]) AS stream, generate_series(0, " + std::to_string(lane_count) +
      " - 1) AS lane WHERE NOT EXISTS (SELECT FROM " + table + " AS c" + ours + "= " +
      std::to_string(epoch) +
      " AND c.stream = stream.stream AND c.lane = lane.lane) ON CONFLICT "
      "DO NOTHING; COMMIT");
}

// An older session could still commit while it lives; once it is gone, what the rows say is final.
Result<std::vector<ports::Checkpoint>> PostgresTarget::probe(uint32_t epoch) {
  connection_.reset();
  SYN_TRY(auto looker, Connection::open(shared_->access("look"), Purpose::kSql));
  SYN_TRY(end_sessions(*looker, shared_->writers()));
  const std::string ours = " WHERE appliance = " + literal(shared_->config.appliance) +
                           " AND system = " + literal(shared_->config.name) +
                           " AND epoch = " + std::to_string(epoch);
  SYN_TRY(looker->run("BEGIN"));
  // A version before buckets, or a user, moved rows without them.
  SYN_TRY(looker->run("UPDATE " + std::string(kCheckpoint) + " SET bucket = seq >> 12" + ours +
                      " AND bucket <> seq >> 12"));
  SYN_TRY(const Answer rows,
          looker->query("SELECT stream, lane, seq FROM " + std::string(kCheckpoint) + ours +
                        " ORDER BY stream, lane FOR UPDATE"));
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
  if (!plan.poisons.empty()) return ports::refused_by(std::move(plan.poisons));
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
  if (!is_written) return after_error(batch, outcome, script);
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
    const bool is_whole = group.step == Step::kPut || group.step == Step::kNew;
    const bool tells_missing = is_whole && !group.is_moved;
    const bool is_move = group.step <= Step::kMove;
    add_group(std::move(group), script.statements);
    script.datasets.resize(script.statements.size(), put.dataset);
    put.statement = script.statements.size() - 1;
    if (tells_missing) script.puts.push_back(put);
    if (is_move) script.moves.insert(put.statement);
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

Result<ports::ApplyResult> PostgresTarget::after_error(const ports::WriteBatch& batch,
                                                       const Pipeline::Outcome& outcome,
                                                       const Script& script) {
  const std::vector<model::DatasetId>& datasets = script.datasets;
  if (outcome.sqlstate.empty()) {
    connection_.reset();
    return outcome.error;
  }
  roll_back();
  const size_t failed = outcome.affected_counts.size();
  const bool is_write = failed < datasets.size() && datasets[failed] != 0;
  if (failed <= kMarkerIndex && outcome.sqlstate == kDivisionByZero) return marker_moved(batch);
  const bool is_known = is_refusal(outcome.sqlstate) || is_of_dataset(outcome.error);
  if (is_known && script.moves.contains(failed) && connection_ != nullptr) {
    return apply_apart(batch);
  }
  if (is_write && !is_refusal(outcome.sqlstate) && is_of_dataset(outcome.error)) {
    return stop({{datasets[failed], outcome.error}});
  }
  const bool is_of_row = failed > kMarkerIndex && is_refusal(outcome.sqlstate);
  if (!is_of_row || connection_ == nullptr) return outcome.error;
  return apply_apart(batch);
}

// The records are committed: what goes wrong here costs a user a number that is taken, no more.
void PostgresTarget::advance_sequences() {
  const auto statements = sequences_.advance(brought_);
  if (statements.empty()) return;
  const Pipeline::Outcome outcome = pipeline_->run(statements);
  sequences_.done(brought_);
  if (!outcome.is_done && outcome.sqlstate.empty()) connection_.reset();
}

}  // namespace syncline::postgres
