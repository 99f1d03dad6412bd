// A transaction that was refused, tried again in parts, to find every record that the server will
// not take. All of it stays one transaction, and is committed only if nothing is refused after all.
//
// A part that fails is cut into 16: of 8,192 records one refused costs some 50 statements and less
// than two times the writes; by halves its neighbours would be written, and undone, at each level.
// What a part wrote stays for those behind it to build on, as if they went one by one; so a single
// record is refused only where those before it stand, too. Where many are refused, and the server
// is far away, this takes long, and holds rows that users want: after a second, what was found is
// told, and the rest is looked for in the next try.
#include <algorithm>
#include <utility>

#include "drivers/systems/postgres/detail/alike.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"
#include "drivers/systems/postgres/detail/target.hpp"
#include "host/ports/moves.hpp"

namespace syncline::postgres {
namespace {

constexpr std::string_view kReplica = "replica";
constexpr std::string_view kUniqueViolation = "23505";
constexpr std::string_view kDataException = "22";  // how its codes begin
constexpr std::string_view kReferenceViolations[] = {"23503", "23001"};
constexpr std::string_view kGeneratedAlways = "428C9";
constexpr const char* kSavePart = "SAVEPOINT syncline_part";
constexpr const char* kReleasePart = "RELEASE SAVEPOINT syncline_part";
constexpr const char* kUndoPart =
    "ROLLBACK TO SAVEPOINT syncline_part; RELEASE SAVEPOINT syncline_part";
constexpr const char* kUndoAll = "ROLLBACK TO SAVEPOINT syncline_writes";
constexpr size_t kMoveTriesMax = 64;
constexpr size_t kPartsMax = 16;  // that one is cut into
constexpr int64_t kSearchUsMax = 1'000'000;
constexpr int kDrawsMax = 64;          // of a value that no other record holds
constexpr size_t kDrawsAllMax = 4096;  // likewise, for all records
constexpr int kLateDrawsMax = 4;       // and of one that none of the batch is to have,
constexpr size_t kDrawnAgainMax = 64;  // for as many records
constexpr size_t kLateMax = 256;       // records that are tried again behind the others

bool is_reference_violation(std::string_view sqlstate) {
  return std::find(std::begin(kReferenceViolations), std::end(kReferenceViolations), sqlstate) !=
         std::end(kReferenceViolations);
}

}  // namespace

Result<ports::ApplyResult> PostgresTarget::apply_apart(const ports::WriteBatch& batch) {
  const Pipeline::Outcome begun = pipeline_->run({{"BEGIN", {}},
                                                  marker(batch, Telling::kAloud),
                                                  {"SET CONSTRAINTS ALL IMMEDIATE", {}},
                                                  {"SAVEPOINT syncline_writes", {}}});
  if (!begun.is_done) return after_error(batch, begun, {});
  stop_.reset();
  auto found = write_apart(batch);
  if (!found) {
    roll_back();
    if (stop_) return stop({std::move(*stop_)});
    return found.error();
  }
  if (!found.value().refused.empty()) {
    roll_back();
    return result_of(std::move(found).value());
  }
  if (auto committed = connection_->run("COMMIT"); !committed) {
    // Not told that it failed is not told that it did.
    if (connection_->sqlstate().empty()) connection_.reset();
    return std::move(committed).as_failure();
  }
  advance_sequences();
  return ports::ApplyResult{found.value().rows_written, {}, {}};
}

ports::ApplyResult PostgresTarget::result_of(Found&& found) {
  std::vector<ports::Poison> poisons;
  poisons.reserve(found.refused.size());
  for (Refused& refused : found.refused) poisons.push_back(std::move(refused).poison());
  return ports::refused_by(std::move(poisons));
}

// Records may swap unique values: where the plain way meets a clash, those are given away first.
// REQUIRES: a savepoint before all writes.
Result<PostgresTarget::Found> PostgresTarget::write_apart(const ports::WriteBatch& batch) {
  SYN_TRY(auto plain, write_in_order(batch, Way::kPlain));
  if (!plain.is_over) return plain;
  SYN_TRY(connection_->run(kUndoAll));
  return write_in_order(batch, Way::kFreeFirst);
}

Result<PostgresTarget::Found> PostgresTarget::write_in_order(const ports::WriteBatch& batch,
                                                             Way way) {
  role_ = kReplica;
  Found found;
  found.way = way;
  found.draws_left = kDrawsAllMax;
  found.due_us = clock_.steady_us() + kSearchUsMax;
  SYN_TRY(move_all(batch));
  for (const Step step : {Step::kDelete, Step::kFree, Step::kSet}) {
    if (step == Step::kFree && way == Way::kPlain) continue;
    SYN_TRY(write_parts(batch, writer_->in_order(batch.writes, step), step, found));
    if (found.is_over || found.is_cut) return found;
  }
  SYN_TRY(write_late(batch, found));
  found.end();
  return found;
}

bool PostgresTarget::is_enough(const Found& found) const {
  return !found.refused.empty() && clock_.steady_us() >= found.due_us;
}

// As long as that helps, and each time from the other end, for values are passed on either way.
// What was made up for one may be what another is to have: it is drawn anew.
Result<void> PostgresTarget::write_late(const ports::WriteBatch& batch, Found& found) {
  int draws = found.way == Way::kFreeFirst ? kLateDrawsMax : 0;
  const auto may_help = [&](size_t count) {
    if (found.late.empty() || found.late.size() != count) return !found.late.empty();
    return count <= kDrawnAgainMax && draws-- > 0;
  };
  for (size_t count = 0; may_help(count);) {
    count = found.late.size();
    std::vector<Late> late = std::exchange(found.late, {});
    found.late_clashes = 0;
    std::reverse(late.begin(), late.end());
    for (const Late& one : late) {
      if (!one.refused.is_unique) continue;
      SYN_TRY(write_one(batch, one.refused.index, Step::kFree, found));
    }
    for (const Late& one : late) {
      SYN_TRY(write_one(batch, one.refused.index, one.step, found));
    }
  }
  return success();
}

// Those that need others are told where nothing else is: what was refused may be what they need.
void PostgresTarget::Found::end() {
  std::vector<Refused> waiting;
  for (Late& one : late) {
    (one.refused.is_unique ? refused : waiting).push_back(std::move(one.refused));
  }
  if (refused.empty()) refused = std::move(waiting);
}

Result<void> PostgresTarget::write_part(const ports::WriteBatch& batch,
                                        std::span<const size_t> indexes, Step step, Found& found) {
  if (indexes.size() == 1) return write_one(batch, indexes.front(), step, found);
  SYN_TRY(const bool is_written, try_part(batch, indexes, step, found));
  if (is_written) return success();
  return write_parts(batch, indexes, step, found);
}

Result<void> PostgresTarget::write_parts(const ports::WriteBatch& batch,
                                         std::span<const size_t> indexes, Step step, Found& found) {
  const size_t size = (indexes.size() + kPartsMax - 1) / kPartsMax;
  for (size_t first = 0; first < indexes.size(); first += size) {
    found.is_cut = found.is_cut || is_enough(found);
    if (found.is_over || found.is_cut) return success();
    const size_t count = std::min(size, indexes.size() - first);
    SYN_TRY(write_part(batch, indexes.subspan(first, count), step, found));
  }
  return success();
}

Result<std::vector<Group>> PostgresTarget::groups_of(const ports::WriteBatch& batch,
                                                     std::span<const size_t> indexes,
                                                     Step step) const {
  std::vector<ports::RecordWrite> writes;
  Writer::Standings standings;
  for (const size_t index : indexes) {
    writes.push_back(batch.writes[index]);
    if (step != Step::kMove) writes.back().moved_from = {};
    if (step > Step::kMove) writes.back().is_replacing = false;
    if (step == Step::kClear) writes.back().is_replacing = true;
    standings.push_back(scan::standing_of(standings_, index));
  }
  if (step == Step::kFree) return writer_->freeing(writes, standings);
  auto groups = writer_->plan(writes, standings, {}).groups;
  if (step <= Step::kMove) {
    std::erase_if(groups, [step](const Group& group) { return group.step > step; });
  }
  return groups;
}

// Rows that go to each other's places go together, or are written anew: one that stays would get
// the values of another, beside what only this system holds of it.
Result<void> PostgresTarget::move_all(const ports::WriteBatch& batch) {
  const ports::MoveWaves waves(batch.writes);
  std::vector<size_t> chained, others;
  for (const size_t index : ports::moved_in_order(batch.writes)) {
    (waves.is_chained(index) ? chained : others).push_back(index);
  }
  size_t tries_left = 1;
  SYN_TRY(const bool are_moved, move_rows(batch, chained, tries_left));
  std::vector<size_t> cleared;
  for (size_t i = 0; i < batch.writes.size(); ++i) {
    const bool is_in_the_way = batch.writes[i].is_replacing && !(are_moved && waves.at(i));
    if (is_in_the_way || (waves.is_left(i) && !are_moved)) cleared.push_back(i);
  }
  if (!cleared.empty()) {
    Found found;
    SYN_TRY(try_part(batch, cleared, Step::kClear, found));
  }
  tries_left = kMoveTriesMax;
  SYN_TRY(move_rows(batch, others, tries_left));
  return success();
}

// What cannot be moved, for whatever is said of it, is deleted and inserted. Few are looked for.
// Returns whether all were moved.
Result<bool> PostgresTarget::move_rows(const ports::WriteBatch& batch,
                                       std::span<const size_t> indexes, size_t& tries_left) {
  if (indexes.empty()) return true;
  if (tries_left == 0) return false;
  --tries_left;
  SYN_TRY(auto groups, groups_of(batch, indexes, Step::kMove));
  const std::string_view role = role_;
  SYN_TRY(const Tried tried, try_groups(std::move(groups), "syncline_part"));
  if (tried.is_done) return true;
  SYN_TRY(connection_->run(kUndoPart));
  role_ = role;
  if (indexes.size() == 1 || !tried.may_be_cut) return false;
  const size_t half = indexes.size() / 2;
  SYN_TRY(const bool first, move_rows(batch, indexes.first(half), tries_left));
  SYN_TRY(const bool second, move_rows(batch, indexes.subspan(half), tries_left));
  return first && second;
}

// False: something of it was refused, and nothing of it was done.
Result<bool> PostgresTarget::try_part(const ports::WriteBatch& batch,
                                      std::span<const size_t> indexes, Step step, Found& found) {
  SYN_TRY(auto groups, groups_of(batch, indexes, step));
  const std::string_view role = role_;
  SYN_TRY(const Tried tried, try_groups(std::move(groups), "syncline_part"));
  if (tried.is_done) {
    if (step != Step::kFree) found.rows_written += tried.rows_written;
    return true;
  }
  SYN_TRY(connection_->run(kUndoPart));
  role_ = role;  // what was set behind the savepoint went with it
  return false;
}

// All groups behind a savepoint, which is left where they are refused.
Result<PostgresTarget::Tried> PostgresTarget::try_groups(std::vector<Group> groups,
                                                         const std::string& savepoint) {
  std::vector<SqlStatement> statements = {{"SAVEPOINT " + savepoint, {}}};
  std::vector<model::DatasetId> datasets(1);  // of the statements that write
  std::vector<size_t> put_counts(1);
  const bool is_move = !groups.empty() && groups.front().step <= Step::kMove;
  for (Group& group : groups) {
    const size_t put_count = group.step == Step::kPut ? group.count : 0;
    const model::DatasetId dataset = group.mapped->dataset();
    add_group(std::move(group), statements);
    datasets.resize(statements.size());
    put_counts.resize(statements.size());
    datasets.back() = dataset;
    put_counts.back() = put_count;
  }
  statements.push_back({"RELEASE SAVEPOINT " + savepoint, {}});
  const Pipeline::Outcome outcome = pipeline_->run(statements);
  if (!outcome.is_done) {
    if (is_refusal(outcome.sqlstate)) return Tried{};
    const size_t failed = outcome.affected_counts.size();
    const bool is_write = failed < datasets.size() && datasets[failed] != 0;
    const bool is_known = !outcome.sqlstate.empty() && is_of_dataset(outcome.error);
    if (is_move && is_known) return Tried{false, false, 0};
    if (is_write && is_known) stop_ = ports::DatasetStop{datasets[failed], outcome.error};
    return outcome.error;
  }
  Tried tried{true, true, 0};
  for (size_t i = 1; i < datasets.size(); ++i) {
    if (datasets[i] == 0) continue;
    tried.rows_written += put_counts[i] > 0 ? put_counts[i] : outcome.affected_counts[i];
  }
  return tried;
}

// A full record is written whether it was there or not; the statement counts only the first.
Result<void> PostgresTarget::write_one(const ports::WriteBatch& batch, size_t index, Step step,
                                       Found& found) {
  const ports::RecordWrite& write = batch.writes[index];
  SYN_TRY(auto groups, groups_of(batch, {&index, 1}, step));
  if (groups.empty()) return success();
  Group& group = groups.front();
  const Mapped& mapped = *group.mapped;
  std::vector<SqlStatement> statements;
  if (auto role = role_change(mapped)) statements.push_back({std::move(*role), {}});  // outlasts it
  statements.push_back({kSavePart, {}});
  statements.push_back(group.finish());
  statements.push_back({kReleasePart, {}});
  Pipeline::Outcome outcome = pipeline_->run(statements);
  if (outcome.sqlstate == kUniqueViolation && step != Step::kFree) {
    const bool is_of_key = is_key_index(mapped, connection_->constraint());
    SYN_TRY(auto taken, find_alike(mapped, write, index));  // a partition's index has its own name
    if (taken) {
      SYN_TRY(connection_->run(kUndoPart));
      found.refused.push_back(std::move(*taken));
      return success();
    }
    const bool was_absent = scan::standing_of(standings_, index) == scan::Standing::kAbsent;
    if (is_of_key && group.step == Step::kNew && was_absent) return guard_->was_inserted(write);
    if (is_of_key && write.kind == model::EntryKind::kInsert) {
      SYN_TRY(connection_->run(kUndoPart));
      found.refused.push_back(
          {index, writer_->refusal(write, scan::another_is_there()), false, false});
      return success();
    }
  }
  SYN_TRY(outcome, try_again(std::move(outcome), group.step, statements, found));
  if (outcome.is_done) {
    const size_t affected = outcome.affected_counts[statements.size() - 2];
    if (step != Step::kFree) found.rows_written += model::is_whole(write.kind) ? 1 : affected;
    return success();
  }
  if (!is_refusal(outcome.sqlstate)) {
    const bool is_known = !outcome.sqlstate.empty() && is_of_dataset(outcome.error);
    if (is_known) stop_ = ports::DatasetStop{write.dataset, outcome.error};
    return outcome.error;
  }
  SYN_TRY(auto refused, refusal_of(mapped, write, outcome));
  refused.index = index;
  SYN_TRY(connection_->run(kUndoPart));
  // What was made up does not suit another constraint, or there is none left: the record keeps its
  // values until its turn.
  if (step == Step::kFree) return success();
  const bool is_swap = refused.is_unique && batch.writes.size() > 1;
  found.is_over = found.is_over || (is_swap && found.way == Way::kPlain);
  const bool may_yet = is_swap && found.way == Way::kFreeFirst && found.late_clashes < kLateMax;
  if (may_yet) ++found.late_clashes;
  if (refused.is_reference || may_yet) {
    found.late.push_back({std::move(refused), step});
  } else {
    found.refused.push_back(std::move(refused));
  }
  return success();
}

// A user may have inserted it between our UPDATE and our INSERT: the next UPDATE sees it. What is
// made up may be what another record holds: the next draw is another.
Result<Pipeline::Outcome> PostgresTarget::try_again(Pipeline::Outcome outcome, Step step,
                                                    const std::vector<SqlStatement>& statements,
                                                    Found& found) {
  const int tries = step == Step::kPut ? 2 : step == Step::kFree ? kDrawsMax : 1;
  for (int tried = 1; outcome.sqlstate == kUniqueViolation && tried < tries; ++tried) {
    if (step == Step::kFree && found.draws_left == 0) break;
    if (step == Step::kFree) --found.draws_left;
    SYN_TRY(connection_->run(kUndoPart));
    outcome = pipeline_->run(statements);
  }
  return outcome;
}

// Whether its key clashes with that of another record, which the table takes for this one.
Result<std::optional<PostgresTarget::Refused>> PostgresTarget::find_alike(
    const Mapped& mapped, const ports::RecordWrite& write, size_t index) {
  if (!has_coarse_key(mapped)) return std::optional<Refused>();
  SYN_TRY(SqlStatement look, writer_->alike(write));
  std::vector<Parameter> key;
  key.reserve(look.parameters.size());
  for (std::string& array : look.parameters) key.emplace_back(std::move(array));
  SYN_TRY(connection_->run("ROLLBACK TO SAVEPOINT syncline_part"));
  SYN_TRY(const Answer rows, connection_->query(look.sql, key));
  if (rows.row_count() == 0) return std::optional<Refused>();
  RowCells cells;
  SYN_TRY(const std::string other, key_of(mapped, rows, 0, cells));
  return std::optional(Refused{index, writer_->refusal(write, taken_for(mapped, other))});
}

Result<PostgresTarget::Refused> PostgresTarget::refusal_of(const Mapped& mapped,
                                                           const ports::RecordWrite& write,
                                                           const Pipeline::Outcome& outcome) {
  Error error = outcome.error;
  SYN_TRY(const std::string column, refused_column(write, outcome.sqlstate));
  if (!column.empty()) error.why = "column " + column + ": " + error.why;
  error.code = ErrorCode::kSystemRefused;
  error.fix = "correct the record or the table, then `syncline quarantine retry`";
  if (outcome.sqlstate == kGeneratedAlways) {
    for (const Column& each : mapped.columns) {
      if (each.is_always_identity) error.fix += "; " + identity_sql(mapped.table, each);
    }
  }
  return Refused{0, writer_->refusal(write, std::move(error)), outcome.sqlstate == kUniqueViolation,
                 is_reference_violation(outcome.sqlstate)};
}

// The server's word on a value names its type, but not the column that it was meant for: found by
// having each read alone. Empty: none of them is the cause.
Result<std::string> PostgresTarget::refused_column(const ports::RecordWrite& write,
                                                   std::string_view sqlstate) {
  if (!sqlstate.starts_with(kDataException)) return std::string();
  const auto readings = writer_->readings(write);
  std::vector<SqlStatement> statements = {{"ROLLBACK TO SAVEPOINT syncline_part", {}}};
  for (const Writer::Reading& reading : readings) statements.push_back(reading.statement);
  const Pipeline::Outcome read = pipeline_->run(statements);
  const size_t done_count = read.affected_counts.size();
  if (!read.is_done && (read.sqlstate.empty() || done_count == 0)) return read.error;
  return read.is_done ? std::string() : readings[done_count - 1].column;
}

}  // namespace syncline::postgres
