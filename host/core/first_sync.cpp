// First sync: rows that a system already held, and those that it lacks. Their versions lie below
// every change that was made while anyone watched.
#include <algorithm>
#include <utility>

#include "host/core/step_internal.hpp"

namespace syncline::core {

using model::EntryKind, model::Version;

namespace {

// By the order of the systems, or by the row's own time where the dataset says so.
Version snapshot_version(const SystemRole& role, const Row& row) {
  Version version;
  version.time_us = row.commit_time_us > 0 ? row.commit_time_us : role.first_rank;
  version.origin = role.system;
  return version;
}

// Whether the system will be shown the record as it stands without another write.
bool is_put_on_its_way(const RecordState& state, const SystemRole& role) {
  const SystemView* view = state.view(role.system);
  if (view == nullptr || view->needs_full_write()) return false;
  return std::any_of(view->flight.begin(), view->flight.end(), [&](const InFlight& write) {
    return model::is_whole(write.kind) && !write.is_skipped && write.generation == state.generation;
  });
}

}  // namespace

// From now on writes may go there, though its first sync goes on.
void Step::mark_read(Touched& record, const SystemRole& role) {
  if (!role.is_syncing() || record.state().view(role.system) != nullptr) return;
  make_view(record, role);
  record.is_dirty = true;
}

// Of a record that a system's first sync has not come to.
bool Step::is_unread(const Touched& record, const SystemRole& role) {
  return role.phase == SyncPhase::kReading && record.state().view(role.system) == nullptr;
}

// A whole row in the log of a system whose first sync has not come to it says all that the sync
// would: the record counts as read, and what stands against the row is written there.
bool Step::is_read_by(const Touched& record, const SystemRole& role, const Row& row) {
  return is_unread(record, role) && row.cells.size() == record.rules->schema->value_count();
}

// A first reading, though the log had told a part of the row before.
void Step::take_first_reading(Touched& record, const SystemRole& role, const Row& row) {
  Row read = row;
  read.op = RowOp::kSnapshot;
  read.commit_time_us = 0;
  take_snapshot(record, role, read);
}

// A record that this system had shown, or had been given, and that ended: it is there again.
bool Step::is_made_again(Touched& record, const SystemRole& role) {
  const RecordState& state = record.state();
  const SystemView* view = state.view(role.system);
  return !state.exists() && state.generation != 0 && view != nullptr && !view->is_in_flight();
}

void Step::take_snapshot(Touched& record, const SystemRole& role, const Row& row) {
  if (is_made_again(record, role)) {
    Row insert = row;
    insert.op = RowOp::kInsert;
    insert.commit_time_us = input_.now_us;
    return take_change(record, role, insert);
  }
  RecordState& state = record.state();
  const bool is_known = state.exists() && state.view(role.system) == nullptr;
  const Reading reading = is_known ? Reading::kOfKnown : Reading::kOfItsOwn;
  mark_read(record, role);
  if (!state.exists() && state.generation != 0) return end_snapshot(record, role, row);
  state.cells.resize(record.rules->schema->value_count());
  Arriving& arriving = arriving_;
  arriving.begin(role.system, model::ConflictType::kInsertExists, row.commit_time_us);
  arriving.generation = std::max<uint64_t>(state.generation, 1);
  for (const RowCell& cell : row.cells) add_snapshot_cell(record, role, row, cell, reading);
  merge(record, arriving);
  write_back(record, role, arriving);
}

void Step::add_snapshot_cell(Touched& record, const SystemRole& role, const Row& row,
                             const RowCell& cell, Reading reading) {
  if (!record.rules->travels(cell.field)) return;
  if (row.is_read && is_on_its_way(record.state(), role.system, cell)) return;
  Version version = snapshot_version(role, row);
  Version base;
  Version& accepted = record.state().cells[record.value_index(cell.field)];
  const model::CellView value{cell.state, cell.bytes};
  if (!accepted.is_none()) {
    if (record.accepted_value(cell.field) == value) {  // agreement: the larger version
      record.is_dirty |= version > accepted;
      accepted = std::max(accepted, version);
      return;
    }
    if (accepted.origin == role.system && accepted.policy_number == 0) {
      if (reading == Reading::kOfItsOwn) {  // read once more, later
        base = accepted;
        version.time_us = std::max(version.time_us, accepted.time_us + 1);
      } else {
        version.time_us = std::min(version.time_us, accepted.time_us - 1);
      }
    }
    // An old reading of a record that this system has since changed; unless it was accepted before
    // this sync began: then the system was restored, or changed while nobody looked.
    const bool is_own = accepted.corrector == 0 || accepted.corrector == role.system;
    const bool is_old = accepted.origin == role.system && is_own && version < accepted;
    if (is_old && reading == Reading::kOfItsOwn) return;
    if (is_old) {
      add_conflict(record, cell.field, model::ConflictType::kInsertExists,
                   model::ConflictOutcome::kAcceptedStays, accepted_side(record, cell.field),
                   {role.system, version, value.state, std::string(value.bytes)});
    }
  }
  ArrivingCell& taken = arriving_.add(cell.field, value, cell.fingerprint);
  taken.version = std::move(version);
  taken.base = std::move(base);
}

// Where the accepted value stands against this system's own, it is written there.
void Step::write_back(Touched& record, const SystemRole& role, const Arriving& arriving) {
  RecordState& state = record.state();
  std::vector<model::EntryCell> cells;
  for (const ArrivingCell& cell : arriving.cells) {
    if (!cell.is_accepted) cells.push_back(accepted_cell(record, cell.field));
  }
  if (cells.empty() || !takes_writes(role, state)) return;
  SystemView& view = make_view(record, role);
  if (!view.is_in_flight()) {
    view.generation = state.generation;
    view.cells = state.cells;
    for (const ArrivingCell& cell : arriving.cells) {
      view.cells[record.value_index(cell.field)] = cell.version;
    }
  }
  record.is_dirty = true;
  write(record, EntryKind::kSet, std::move(cells), alone(role), arriving.commit_time_us);
}

// The record was deleted elsewhere while the sync went on: it ends here too.
void Step::end_snapshot(Touched& record, const SystemRole& role, const Row& row) {
  RecordState& state = record.state();
  std::vector<Version> shown(record.rules->schema->value_count());
  for (const RowCell& cell : row.cells) {
    if (!record.rules->travels(cell.field)) continue;
    const size_t value = record.value_index(cell.field);
    shown[value] = snapshot_version(role, row);
    const model::CellView held{cell.state, cell.bytes};
    const bool is_known = value < state.cells.size() && !state.cells[value].is_none();
    if (is_known && record.accepted_value(cell.field) == held) continue;
    add_conflict(record, cell.field, model::ConflictType::kInsertExists,
                 model::ConflictOutcome::kRecordEnds, {},
                 {role.system, shown[value], held.state, std::string(held.bytes)});
  }
  if (!takes_writes(role, state)) return;
  SystemView& view = make_view(record, role);
  if (!view.is_in_flight()) {
    view.generation = state.generation - 1;
    view.cells = std::move(shown);
  }
  record.is_dirty = true;
  write(record, EntryKind::kDelete, {}, alone(role), row.commit_time_us);
}

void Step::take_missing(Touched& record, const SystemRole& role) {
  mark_read(record, role);
  RecordState& state = record.state();
  if (!state.exists() || !takes_writes(role, state)) return;
  if (is_put_on_its_way(state, role)) return;
  SystemView& view = make_view(record, role);
  if (!view.is_in_flight()) {
    view.generation = state.generation - 1;
    view.cells.clear();
  }
  record.is_dirty = true;
  write(record, whole_kind(record, role), full_cells(record), alone(role), input_.now_us);
}

void Step::redeliver(Touched& record, const SystemRole& role) {
  RecordState& state = record.state();
  if (state.generation == 0 || !takes_writes(role, state)) return;
  SystemView& view = make_view(record, role);
  if (!view.is_in_flight()) {
    view.generation = state.generation;
    view.cells = state.cells;
  }
  record.is_dirty = true;
  // Of what it never had nothing is to be deleted.
  if (!state.exists() && view.is_in_flight() && whole_kind(record, role) == EntryKind::kInsert) {
    std::erase_if(view.flight, [](const InFlight& write) { return write.is_skipped; });
    return;
  }
  write(record, state.exists() ? whole_kind(record, role) : EntryKind::kDelete, full_cells(record),
        alone(role), input_.now_us);
}

}  // namespace syncline::core
