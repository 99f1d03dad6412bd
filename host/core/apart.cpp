// Records apart: two systems' new rows of one key that are two records, where the dataset says so,
// since each system numbers its own. The one that comes first is the record. Of the other row
// nothing is taken, and nothing is written over it, until it is gone, or says what the record says,
// or somebody decides that the record takes its place.
#include <algorithm>
#include <utility>

#include "host/core/step_internal.hpp"

namespace syncline::core {
namespace {

std::string why_apart() {
  return to_string(
      {ErrorCode::kSystemRefused, "its row is another record of the same number (insert_exists)",
       "each system gave the number to a record of its own: `syncline conflicts list` shows both",
       "give this row another number in its system; `quarantine retry` writes the record over "
       "it"});
}

bool differs(const Touched& record, const Row& row) {
  return std::any_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
    return record.rules->travels(cell.field) &&
           record.accepted_value(cell.field) != model::CellView{cell.state, cell.bytes};
  });
}

// A system that is not written to knows what it has told.
bool has_seen(const RecordState& state, const SystemRole& role, const DatasetRules& rules) {
  const Shown shown = shown_to(state, role);
  const auto any_cell = [&state](const auto& holds) {
    for (size_t value = 0; value < state.cells.size(); ++value) {
      if (holds(value, state.cells[value])) return true;
    }
    return false;
  };
  if (shown.own_only != 0) {
    return any_cell(
        [&](size_t, const model::Version& version) { return version.origin == shown.own_only; });
  }
  if (shown.generation % 2 == 1) return true;
  // Where updates win, it may have made its own record again before it heard that it lives on.
  if (rules.deletes != DeletePolicy::kUpdateWins || shown.generation == 0) return false;
  return any_cell([&](size_t value, const model::Version& version) {
    return !version.is_none() && version.is_same_write(shown.version(value));
  });
}

bool shows(const Row& row, const InFlight& write) {
  const bool is_gone = row.op == RowOp::kDelete;
  if (is_gone || write.kind == model::EntryKind::kDelete) {
    return is_gone && write.kind == model::EntryKind::kDelete;
  }
  return std::all_of(write.cells.begin(), write.cells.end(), [&](const auto& sent) {
    return std::any_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
      return cell.field == sent.field && cell.fingerprint == sent.fingerprint;
    });
  });
}

}  // namespace

bool may_clash(const RecordState& state, const DatasetRules& rules, const SystemRole& role,
               const Row& row) {
  if (state.is_apart(role.system)) return true;
  return rules.insert_exists == InsertExists::kQuarantine && row.op == RowOp::kInsert &&
         !row.is_ours && state.exists();
}

// What a first sync finds was there before anyone watched: its rule decides.
bool Step::clashes(const Touched& record, const SystemRole& role, const Row& row) {
  const RecordState& state = record.state();
  if (!may_clash(state, *record.rules, role, row) || is_read_by(record, role, row)) return false;
  if (row.is_read && is_put_met_early(state, role.system, row, *record.rules)) return false;
  return !has_seen(state, role, *record.rules) && differs(record, row);
}

void Step::set_apart(Touched& record, const SystemRole& role, const Row& row) {
  RecordState& state = record.state();
  ++lane_.counters_.changes;
  for (const RowCell& cell : row.cells) {
    const model::CellView value{cell.state, cell.bytes};
    if (!record.rules->travels(cell.field) || record.accepted_value(cell.field) == value) continue;
    add_conflict(record, cell.field, model::ConflictType::kInsertExists,
                 model::ConflictOutcome::kHeld, accepted_side(record, cell.field),
                 {role.system, {}, cell.state, std::string(cell.bytes)});
  }
  state.set_apart(role.system);
  record.is_dirty = true;
  frame_.skips.push_back({role.system, record.id.dataset, record.id.key_hash,
                          std::string(record.key), model::kApartSequence, why_apart()});
  forget_refused(record, role);
  SystemView* view = state.view(role.system);
  if (view == nullptr) return;
  for (InFlight& write : view->flight) {  // of before it was known that there are two
    const bool is_insert = write.kind == model::EntryKind::kInsert;
    if (is_insert && !write.is_skipped) break;  // what follows it ends as it does
    if (!is_insert) skip(record, role.system, write);
  }
}

void Step::skip(const Touched& record, model::SystemId target, InFlight& write) {
  if (write.is_skipped) return;
  write.is_skipped = true;
  lane_.flows_[{target, record.rules->schema->stream}].skip(write.sequence);
  pass_over(record, target, write.sequence);
}

// The row is the record's though an insert is on its way yet, which it will refuse: with a delete
// behind that it would come to nothing. One behind the delete of that row is taken.
void Step::pass_over_inserts(Touched& record, const SystemRole& role) {
  SystemView* view = record.state().view(role.system);
  if (view == nullptr) return;
  bool has_row = view->generation % 2 == 1;
  auto at = std::find_if(view->flight.begin(), view->flight.end(), [&](const InFlight& write) {
    if (write.is_skipped || write.kind == model::EntryKind::kSet) return false;
    const bool is_refused = has_row && write.kind == model::EntryKind::kInsert;
    has_row = write.kind != model::EntryKind::kDelete;
    return is_refused;
  });
  for (; at != view->flight.end(); ++at) skip(record, role.system, *at);
}

// Inserts that its row refused: what they met is known by now.
void Step::forget_refused(const Touched& record, const SystemRole& role) {
  const SystemView* view = record.state().view(role.system);
  if (view == nullptr || record.rules->insert_exists == InsertExists::kMerge) return;
  for (const InFlight& write : view->flight) {
    if (write.is_skipped) pass_over(record, role.system, write.sequence);
  }
}

// A write may have been done when it was passed over: then the log shows a row of ours that is as
// it would be behind it. Where nothing else of ours has made that row, the last that gave it whole
// has, however its system stores that.
void Step::find_done(Touched& record, const Row& row) {
  if (record.rules->insert_exists == InsertExists::kMerge) return;
  SystemView* view = record.state().view(input_.system);
  if (view == nullptr) return;
  const model::Sequence up_to = lane_.confirmed(input_.system, record.rules->schema->stream);
  const InFlight* last_whole = nullptr;
  for (const InFlight& write : view->flight) {
    if (write.sequence <= up_to && model::is_whole(write.kind)) last_whole = &write;
  }
  if (row.op == RowOp::kDelete || !record.written.empty()) last_whole = nullptr;
  bool is_any = false;
  for (InFlight& write : view->flight) {
    const bool is_done = &write == last_whole || shows(row, write);
    if (write.sequence > up_to || !write.is_skipped || !is_done) continue;
    write.is_skipped = false;
    is_any = true;
  }
  if (is_any) confirm(record);
}

void Step::end_apart(Touched& record, const SystemRole& role) {
  record.state().end_apart(role.system);
  record.is_dirty = true;
  pass_over(record, role.system, model::kApartSequence);
}

// The target leaves it out, and nothing waits in quarantine for it.
void Step::pass_over(const Touched& record, model::SystemId target, model::Sequence sequence) {
  frame_.skips.push_back(
      {target, record.id.dataset, record.id.key_hash, std::string(record.key), sequence, {}});
}

void Step::take_apart(Touched& record, const SystemRole& role, const Row& row) {
  const RecordState& state = record.state();
  switch (row.op) {
    case RowOp::kInsert:
    case RowOp::kUpdate:
    case RowOp::kSnapshot: {
      const bool is_whole = row.cells.size() == record.rules->schema->value_count();
      if (is_whole && row.is_ours) return overwrite(record, role);  // it was written over before
      if (row.is_ours || !is_whole || (state.exists() && differs(record, row))) break;
      end_apart(record, role);
      mark_read(record, role);
      Row insert = row;
      insert.op = RowOp::kInsert;
      if (insert.commit_time_us == 0) insert.commit_time_us = input_.now_us;
      return take_change(record, role, insert);
    }
    case RowOp::kDelete:
    case RowOp::kMissing:
      end_apart(record, role);
      return make_up_for(record, role);
    case RowOp::kOverwrite:
      return overwrite(record, role);
    case RowOp::kRedeliver:
      break;
  }
}

// A new row of a system that was not told of the record's end, for it was never given the record,
// is no late news of the one that ended.
void Step::begin_anew(Touched& record, const SystemRole& role, const Row& row) {
  const RecordState& state = record.state();
  if (record.rules->insert_exists == InsertExists::kMerge || row.op != RowOp::kInsert) return;
  if (row.is_ours || state.exists() || state.generation == 0) return;
  SystemView* view = record.state().view(role.system);
  if (view == nullptr || !view->is_in_flight() || view->generation % 2 == 1) return;
  std::erase_if(view->flight, [](const InFlight& write) { return write.is_skipped; });
  view->generation = state.generation;
  view->cells = state.cells;  // its values are newer than all that there was
  record.is_dirty = true;
}

// A row that says what the record says is the record, in the life that it has by now, though its
// system has heard of an earlier one only, or of none.
void Step::join_this_life(Touched& record, const Row& row) {
  const RecordState& state = record.state();
  if (record.rules->insert_exists == InsertExists::kMerge || !state.exists()) return;
  SystemView* view = record.state().view(input_.system);
  if (view == nullptr || view->generation + 1 >= state.generation || differs(record, row)) return;
  view->generation = state.generation - 1;
  record.is_dirty = true;
}

// A change of the record that had the number before, by who had not heard of its end: what it was
// shown of the new one stays as it was. Where updates win that record may be the one that lives on.
bool Step::is_of_ended(const Touched& record, const Arriving& arriving) {
  const RecordState& state = record.state();
  if (record.rules->insert_exists == InsertExists::kMerge) return false;
  if (record.rules->deletes == DeletePolicy::kUpdateWins || !state.exists()) return false;
  return arriving.generation % 2 == 1 && arriving.generation < state.generation;
}

void Step::lose_change(const Touched& record, const Arriving& arriving) {
  for (const ArrivingCell& cell : arriving.cells) {
    add_conflict(record, cell.field, model::ConflictType::kUpdateMissing,
                 model::ConflictOutcome::kRecordEnds, {},
                 {arriving.system, {}, cell.cell.state, std::string(cell.cell.bytes)});
  }
}

bool is_worth_a_try(const SystemView& view, model::Sequence refused) {
  const auto at =
      std::find_if(view.flight.begin(), view.flight.end(),
                   [refused](const InFlight& write) { return write.sequence == refused; });
  if (at == view.flight.end() || at->kind != model::EntryKind::kInsert) return false;
  return view.generation % 2 == 1 || at + 1 != view.flight.end();
}

// The system has no row any more, and may have missed changes of the record: whole, also behind an
// insert that is on its way and may be taken now; or gone, if that one is.
void Step::make_up_for(Touched& record, const SystemRole& role) {
  const RecordState& state = record.state();
  if (!takes_writes(role, state)) return;
  if (!state.exists()) {
    SystemView* view = record.state().view(role.system);
    if (view == nullptr) return;
    std::erase_if(view->flight, [](const InFlight& write) { return write.is_skipped; });
    if (!view->is_in_flight()) return;
    return write(record, model::EntryKind::kDelete, {}, alone(role), input_.now_us);
  }
  SystemView& view = make_view(record, role);
  if (!view.is_in_flight()) view.generation = state.generation - 1;
  write(record, whole_kind(record, role), full_cells(record), alone(role), input_.now_us);
}

// A record that has ended takes nobody's place.
void Step::overwrite(Touched& record, const SystemRole& role) {
  if (!record.state().exists()) return;
  end_apart(record, role);
  if (!takes_writes(role, record.state())) return;
  SystemView& view = make_view(record, role);
  view.generation = record.state().generation;  // it has a row, but nobody there saw the record
  record.is_dirty = true;
  write(record, model::EntryKind::kPut, full_cells(record), alone(role), input_.now_us);
}

}  // namespace syncline::core
