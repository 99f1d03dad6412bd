#include "tests/simulation/model_ports.hpp"

namespace syncline::simulation {

using model::CellState;
using model::EntryKind;

Result<void> ModelTarget::check_reachable() {
  if (system_.is_down) return fail(ErrorCode::kSystemOpen, "the simulated system is away");
  return success();
}

Result<void> ModelTarget::open() {
  return check_reachable();
}

Result<void> ModelTarget::open_epoch(uint32_t epoch, std::span<const model::StreamId> streams,
                                     size_t lane_count) {
  SYN_TRY(check_reachable());
  system_.open_epoch(epoch, streams, lane_count);
  return success();
}

Result<std::vector<ports::Checkpoint>> ModelTarget::probe(uint32_t epoch) {
  SYN_TRY(check_reachable());
  // An earlier session either commits before it is ended or not at all. Now and then one is still
  // on its way through the network, where nothing can end it: then only compare-and-set helps.
  while (!system_.cut_sessions().empty()) {
    if (dice_.chance(0.1)) break;
    if (dice_.chance(0.5)) {
      system_.commit_stray();
    } else {
      system_.cut_sessions().pop_front();
    }
  }
  return system_.checkpoints(epoch);
}

Result<ports::ApplyResult> ModelTarget::apply(const ports::WriteBatch& batch) {
  SYN_TRY(check_reachable());
  check_batch(batch);
  if (system_.is_full) return fail(ErrorCode::kSystemFull, "the simulated system is full");
  if (dice_.chance(weather_.faults.busy)) {
    system_.was_busy = true;
    return fail(ErrorCode::kSystemBusy, "the simulated system is busy");
  }
  Session session = system_.make_session(batch);
  const double quietness = system_.plan().quietness;
  session.is_quiet = batch.may_be_quiet && quietness > 0 && dice_.chance(quietness);
  if (dice_.chance(weather_.faults.lost_commit)) return break_connection(std::move(session));
  const CommitOutcome outcome = system_.commit(session);
  if (outcome.is_marker_moved) {
    if (system_.stray_commits == 0) {
      report_.violation("effect twice",
                        system_.plan().name + " finds its marker moved, and nobody else moves it");
    }
    return fail(ErrorCode::kMarkerMoved, "the simulated checkpoint row stands elsewhere");
  }
  ports::ApplyResult result;
  result.rows_written = outcome.rows_written;
  if (outcome.poison) {
    result.poison =
        ports::Poison{*outcome.poison,
                      Error{ErrorCode::kSystemRefused, "the simulated system refuses it", {}, {}}};
  }
  return result;
}

// The commit was sent, no answer came. It may have been done, or be lost, or be done later.
Result<ports::ApplyResult> ModelTarget::break_connection(Session&& session) {
  const size_t fate = dice_.below(3);
  if (fate == 0) system_.commit(session);
  if (fate == 1) system_.cut_sessions().push_back(std::move(session));
  report_.trace(system_.plan().name + (fate == 0   ? " connection lost after the commit"
                                       : fate == 1 ? " connection lost, the session lives on"
                                                   : " connection lost before the commit"));
  return fail(ErrorCode::kSystemOpen, "the simulated connection broke during commit");
}

void ModelTarget::check_batch(const ports::WriteBatch& batch) {
  const std::string& name = system_.plan().name;
  if (batch.moves.empty()) report_.violation("effect twice", name + " gets an unmarked write");
  for (const ports::RecordWrite& write : batch.writes) {
    if (write.kind == EntryKind::kNote) report_.violation("order", name + " gets a note");
    if (model::is_whole(write.kind) && write.cells.size() != kFieldsMax) {
      report_.violation("an unknown column becomes NULL", name + " gets half a record");
    }
    for (const model::EntryCell& cell : write.cells) {
      if (cell.state != CellState::kUnchanged && cell.field >= 1 && cell.field <= kFieldsMax) {
        continue;
      }
      report_.violation("an unknown column becomes NULL", name + " gets an unknown cell");
    }
  }
}

}  // namespace syncline::simulation
