#include "tests/simulation/model_system.hpp"

#include <algorithm>

#include "host/base/assert.hpp"
#include "host/model/key.hpp"
#include "host/ports/moves.hpp"

namespace syncline::simulation {

using model::Cell;
using model::EntryKind;
using ports::RowOp;

ModelSystem::ModelSystem(const Plan& plan, size_t index, SimClock& clock, History& history,
                         Lineage& lineage, Report& report)
    : plan_(plan),
      index_(index),
      clock_(clock),
      history_(history),
      lineage_(lineage),
      report_(report) {}

int64_t ModelSystem::commit_time_us() const {
  const int64_t time_us = clock_us();
  return time_us - time_us % plan().resolution_us;
}

const StoredRow* ModelSystem::row(const RecordKey& record) const {
  const auto found = rows_.find(record);
  return found == rows_.end() ? nullptr : &found->second;
}

bool ModelSystem::refuses(const Cell& cell, size_t dataset, size_t field) const {
  if (plan().poison_modulus == 0 || takes_everything) return false;
  const int64_t tag = tag_of(plan_.datasets[dataset].kind(field), cell);
  return tag > 0 && tag % plan().poison_modulus == 0;
}

void ModelSystem::user_transaction(std::span<const UserOp> ops) {
  LoggedTransaction transaction;
  transaction.commit_time_us = commit_time_us();
  for (const UserOp& op : ops) user_op(op, clock_us(), transaction);
  if (!transaction.rows.empty()) log(std::move(transaction));
}

void ModelSystem::user_op(const UserOp& op, int64_t time_us, LoggedTransaction& transaction) {
  const auto found = rows_.find(op.record);
  if ((found == rows_.end()) != (op.verb == UserVerb::kInsert)) return;
  if (found != rows_.end()) history_.look(index_, op.record, found->second);
  if (op.verb == UserVerb::kMove) {
    user_move(op, time_us, transaction);
  } else if (op.verb == UserVerb::kDelete) {
    lineage_.remove(found->second.line, op.record);
    LoggedRow logged = logged_row(op.record, RowOp::kDelete, false);
    logged.removal = history_.remove(index_, op.record, found->second);
    transaction.rows.push_back(logged);
    rows_.erase(found);
  } else {
    user_put(op, time_us, transaction);
  }
  if (report_.is_traced()) {
    static const char* const kVerbs[] = {"insert", "update", "delete", "replace", "touch", "move"};
    const StoredRow* now = row(op.record);
    report_.trace(plan().name + " user " + kVerbs[static_cast<size_t>(op.verb)] + " " +
                  (now != nullptr ? describe(plan_, op.record, *now) : describe(plan_, op.record)) +
                  (op.new_key.empty() ? "" : " to " + op.new_key));
  }
}

void ModelSystem::user_put(const UserOp& op, int64_t time_us, LoggedTransaction& transaction) {
  const bool is_insert = op.verb == UserVerb::kInsert || op.verb == UserVerb::kReplace;
  LoggedRow logged = logged_row(op.record, is_insert ? RowOp::kInsert : RowOp::kUpdate, false);
  if (op.verb == UserVerb::kReplace) {
    transaction.rows.push_back(logged_row(op.record, RowOp::kDelete, false));
    logged.before.reset();
  }
  const bool is_new = op.verb == UserVerb::kInsert;
  StoredRow& row = rows_[op.record];
  if (is_new) {
    begin_row(op.record, row);
  } else {
    lineage_.update(op.record);
  }
  if (op.verb == UserVerb::kReplace) {
    lineage_.renew(row.line);
    row.kept = ++last_kept_;
  }
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const model::TypeKind kind = plan_.datasets[op.record.dataset].kind(field);
    const std::optional<Cell>& wanted = op.cells[field];
    const Cell next = wanted ? stored(kind, plan().rounding, *wanted) : Cell();
    // Writing what the row holds already changes nothing that anybody could see.
    const bool is_change = wanted && (is_new || next != row[field].cell);
    if (is_change) {
      row[field].cell = next;
      row[field].tag = tag_of(kind, row[field].cell);
      history_.write(index_, op.record, field, form_of(kind, row[field].cell), time_us, row);
    }
    logged.is_touched[field] = wanted.has_value() || is_insert;
    logged.cells[field] = row[field].cell;
    logged.writes[field] = row[field].write;
  }
  logged.kept = row.kept;
  if (op.verb == UserVerb::kInsert) history_.insert(op.record, row);
  transaction.rows.push_back(logged);
}

void ModelSystem::open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                             size_t lane_count) {
  for (const model::StreamId stream : streams) {
    for (size_t lane = 0; lane < lane_count; ++lane) {
      checkpoints_.try_emplace({epoch, stream, static_cast<model::LaneIndex>(lane)}, 0);
    }
  }
  std::erase_if(checkpoints_, [epoch](const auto& row) { return std::get<0>(row.first) < epoch; });
}

std::vector<ports::Checkpoint> ModelSystem::checkpoints(uint32_t epoch) const {
  std::vector<ports::Checkpoint> found;
  for (const auto& [key, sequence] : checkpoints_) {
    if (std::get<0>(key) == epoch) {
      found.push_back({std::get<1>(key), std::get<2>(key), sequence});
    }
  }
  return found;
}

Session ModelSystem::make_session(const ports::WriteBatch& batch) const {
  Session session;
  session.epoch = batch.epoch;
  session.moves = batch.moves;
  for (const ports::RecordWrite& write : batch.writes) {
    const size_t dataset = plan_.dataset_index(write.dataset);
    session.writes.push_back({{dataset, std::string(model::split_key(write.key)[0])},
                              write.kind,
                              {write.cells.begin(), write.cells.end()},
                              {},
                              write.is_replacing});
    if (write.moved_from.empty()) continue;
    session.writes.back().moved_from = {dataset,
                                        std::string(model::split_key(write.moved_from)[0])};
  }
  session.moved = ports::moved_in_order(batch.writes);
  return session;
}

bool ModelSystem::move_markers(const Session& session, LoggedTransaction& transaction) {
  for (const ports::MarkerMove& move : session.moves) {
    const auto row = checkpoints_.find({session.epoch, move.stream, move.lane});
    if (row == checkpoints_.end()) return false;
    if (row->second != move.previous) return false;
    row->second = move.next;
    transaction.markers.push_back({plan_.appliances[plan().appliance].name, session.epoch,
                                   move.stream, move.lane, move.next});
  }
  return true;
}

CommitOutcome ModelSystem::commit(const Session& session) {
  CommitOutcome outcome;
  LoggedTransaction transaction;
  transaction.commit_time_us = commit_time_us();
  const auto before = checkpoints_;
  if (!move_markers(session, transaction)) {
    checkpoints_ = before;
    outcome.is_marker_moved = true;
    return outcome;
  }
  for (size_t index = 0; index < session.writes.size(); ++index) {
    if (!has_refusal(session.writes[index])) continue;
    checkpoints_ = before;
    outcome.poison = index;
    return outcome;
  }
  for (const ports::MarkerMove& move : session.moves) {
    const auto row = before.find({session.epoch, move.stream, move.lane});
    if (row->second != move.previous || move.next <= move.previous) {
      report_.violation("effect twice", plan().name + " took " + std::to_string(move.previous) +
                                            ".." + std::to_string(move.next) + " standing at " +
                                            std::to_string(row->second));
    }
  }
  transaction.is_quiet = session.is_quiet;
  std::set<RecordKey> moved;
  for (const Session::OwnedWrite& write : session.writes) {
    if (write.is_replacing) delete_ours(write.record, transaction);
  }
  for (const size_t index : session.moved) {
    const Session::OwnedWrite& write = session.writes[index];
    if (move_ours(write, transaction)) moved.insert(write.record);
  }
  for (const Session::OwnedWrite& write : session.writes) {
    if (!moved.contains(write.record)) write_ours(write, transaction);
  }
  outcome.rows_written = transaction.rows.size();
  ++marked_commits;
  if (session.is_quiet) ++quiet_commits;
  rows_written_by_us += outcome.rows_written;
  log(std::move(transaction));
  return outcome;
}

void ModelSystem::commit_stray() {
  const Session session = std::move(cut_sessions_.front());
  cut_sessions_.pop_front();
  const CommitOutcome outcome = commit(session);
  if (!outcome.is_marker_moved && !outcome.poison) ++stray_commits;
  if (report_.is_traced()) {
    report_.trace(plan().name + " a cut session " +
                  (outcome.is_marker_moved ? "finds its marker moved" : "commits"));
  }
}

StoredCell ModelSystem::arrived(const RecordKey& record, size_t field,
                                const model::EntryCell& cell) {
  const model::TypeKind kind = plan_.datasets[record.dataset].kind(field);
  StoredCell arriving;
  arriving.cell = stored(kind, plan().rounding, {cell.state, cell.bytes});
  arriving.tag = tag_of(kind, arriving.cell);
  if (!history_.knows(record, field, arriving.tag)) {
    report_.violation("a change that no user made",
                      plan().name + " is told " + describe(plan_, record) + " field " +
                          std::to_string(field) + " tag " + std::to_string(arriving.tag));
  }
  return arriving;
}

void ModelSystem::write_ours(const Session::OwnedWrite& write, LoggedTransaction& transaction) {
  const auto found = rows_.find(write.record);
  const bool is_there = found != rows_.end();
  if (is_there) history_.look(index_, write.record, found->second);
  if (is_there) check_whose(write, found->second);
  if (write.kind == EntryKind::kDelete) return delete_ours(write.record, transaction);
  if (!is_there && write.kind == EntryKind::kSet) return;
  LoggedRow logged = logged_row(write.record, is_there ? RowOp::kUpdate : RowOp::kInsert, true);
  StoredRow& row = rows_[write.record];
  for (const model::EntryCell& cell : write.cells) {
    const size_t field = cell.field - 1u;
    row[field] = arrived(write.record, field, cell);
    logged.is_touched[field] = true;
  }
  if (!is_there) take_in(write.record, row);
  follow_line(write.record, row);
  logged.kept = row.kept;
  for (size_t field = 0; field < kFieldsMax; ++field) logged.cells[field] = row[field].cell;
  history_.look(index_, write.record, row);
  transaction.rows.push_back(logged);
  if (report_.is_traced()) {
    report_.trace(plan().name + " applies " + describe(plan_, write.record, row));
  }
}

void ModelSystem::delete_ours(const RecordKey& record, LoggedTransaction& transaction) {
  const auto found = rows_.find(record);
  if (found == rows_.end()) return;
  history_.look(index_, record, found->second);
  transaction.rows.push_back(logged_row(record, RowOp::kDelete, true));
  rows_.erase(found);
  if (report_.is_traced()) {
    report_.trace(plan().name + " applies delete " + describe(plan_, record));
  }
}

LoggedRow ModelSystem::logged_row(const RecordKey& record, RowOp op, bool is_ours) const {
  LoggedRow logged;
  logged.record = record;
  logged.op = op;
  logged.is_ours = is_ours;
  if (const StoredRow* now = row(record)) {
    logged.before = {(*now)[0].cell, (*now)[1].cell};
    logged.kept_before = now->kept;
  }
  return logged;
}

void ModelSystem::show(const LoggedRow& row, uint64_t place) {
  for (size_t field = 0; field < kFieldsMax; ++field) {
    if (const auto write = row.writes[field]) history_.show(row.record, field, *write, place);
  }
  if (row.removal) history_.show_delete(row.record, *row.removal, place);
}

void ModelSystem::log(LoggedTransaction&& transaction) {
  transaction.number = log_.size() + 1;
  log_.push_back(std::move(transaction));
}

bool ModelSystem::has_effect(uint64_t after, uint64_t up_to) const {
  const bool is_net = plan().log_style == LogStyle::kNet;
  std::map<RecordKey, LoggedRow> first;
  std::map<RecordKey, LoggedRow> last;
  const auto differs = [](const LoggedRow& before, const LoggedRow& now) {
    const bool is_there = now.op != RowOp::kDelete;
    return before.before.has_value() != is_there || (is_there && *before.before != now.cells);
  };
  for (uint64_t number = after + 1; number <= up_to; ++number) {
    const LoggedTransaction& transaction = log_[number - 1];
    if (transaction.is_marked()) return true;
    for (const LoggedRow& row : transaction.rows) {
      if (!is_net && differs(row, row)) return true;
      first.try_emplace(row.record, row);
      last[row.record] = row;
    }
  }
  return std::any_of(first.begin(), first.end(),
                     [&](const auto& each) { return differs(each.second, last.at(each.first)); });
}

std::string describe(const Plan& plan, const RecordKey& record) {
  return plan.datasets[record.dataset].schema->name + "/" + record.key;
}

std::string describe(const Plan& plan, const RecordKey& record, const StoredRow& row) {
  std::string text = describe(plan, record) + " (";
  for (size_t field = 0; field < kFieldsMax; ++field) {
    const model::TypeKind kind = plan.datasets[record.dataset].kind(field);
    text += (field == 0 ? "" : ", ") + std::to_string(row[field].tag) + "." +
            std::to_string(form_of(kind, row[field].cell));
  }
  return text + "; keeps " + std::to_string(row.kept) + ")";
}

}  // namespace syncline::simulation
