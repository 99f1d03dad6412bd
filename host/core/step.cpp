// Cause: what a change's writer knew, and what our own marked writes look like when they come back.
#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/core/causality_internal.hpp"
#include "host/core/step_internal.hpp"

namespace syncline::core {
namespace {

using model::Version;

model::ConflictType conflict_type(const RecordState& record, model::EntryKind kind) {
  if (model::is_whole(kind)) return model::ConflictType::kInsertExists;
  if (kind == model::EntryKind::kDelete) return model::ConflictType::kDeleteOriginDiffers;
  return record.exists() ? model::ConflictType::kUpdateOriginDiffers
                         : model::ConflictType::kUpdateMissing;
}

}  // namespace

// Whether a reading met a record that we put there, before the log has shown the marker: with what
// we wrote, to the last cell. REQUIRES: the row was read.
bool is_put_met_early(const RecordState& state, model::SystemId system, const Row& row,
                      const DatasetRules& rules) {
  const SystemView* view = state.view(system);
  if (view == nullptr) return false;
  const bool is_put = std::any_of(
      view->flight.begin(), view->flight.end(),
      [](const InFlight& write) { return !write.is_skipped && model::is_whole(write.kind); });
  return is_put && std::all_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
           return !rules.travels(cell.field) || is_on_its_way(state, system, cell);
         });
}

bool is_on_its_way(const RecordState& state, model::SystemId system, const RowCell& cell) {
  const SystemView* view = state.view(system);
  if (view == nullptr) return false;
  return std::any_of(view->flight.begin(), view->flight.end(), [&](const InFlight& write) {
    return !write.is_skipped &&
           std::any_of(write.cells.begin(), write.cells.end(), [&](const SentCell& sent) {
             return sent.field == cell.field && sent.fingerprint == cell.fingerprint;
           });
  });
}

const Version& Shown::version(size_t value) const {
  static const Version kNone;
  if (view != nullptr) return value < view->cells.size() ? view->cells[value] : kNone;
  if (value >= record->cells.size()) return kNone;
  const Version& accepted = record->cells[value];
  return own_only == 0 || accepted.origin == own_only ? accepted : kNone;
}

Shown shown_to(const RecordState& record, const SystemRole& role) {
  const SystemView* view = record.view(role.system);
  if (view != nullptr && view->is_in_flight()) return {view->generation, &record, view, 0};
  return {record.generation, &record, nullptr, takes_writes(role, record) ? 0 : role.system};
}

bool takes_writes(const SystemRole& role, const RecordState& record) {
  if (!role.is_written_to || role.phase == SyncPhase::kWaiting) return false;
  if (record.is_apart(role.system)) return false;
  return role.phase != SyncPhase::kReading || record.view(role.system) != nullptr;
}

Step::Step(Lane& lane, const Input& input, RecordSet& records)
    : lane_(lane), input_(input), records_(records) {
  touched_.reserve(records.size());
  frame_.entries.reserve(input.items.size());
  frame_.records.reserve(records.size());
}

model::Frame Step::run() {
  frame_.lane = lane_.index_;
  frame_.number = ++lane_.frame_number_;
  frame_.time_us = input_.now_us;
  tell_epochs();
  for (const model::Skip& skip : input_.skips) take(skip);
  for (const model::Skip& skip : input_.skips) follow_up(skip);
  for (const Item& item : input_.items) {
    std::visit([this](const auto& taken) { take(taken); }, item);
  }
  for (Touched& record : touched_) finish(record);
  if (!input_.position.is_start() || !input_.snapshot_cursor.empty()) {
    frame_.progress.push_back({input_.system, input_.position, input_.snapshot_cursor});
  }
  return std::move(frame_);
}

// Where a system's deliveries begin anew: a restart has to forget there what was on its way before,
// and no more.
void Step::tell_epochs() {
  for (const model::SystemId system : std::exchange(lane_.renewed_, {})) {
    for (const auto& [id, flow] : lane_.flows_) {
      if (id.first != system) continue;
      frame_.confirmations.push_back({system, id.second, lane_.epoch_of(system), 0});
    }
  }
}

SystemView& Step::make_view(Touched& record, const SystemRole& role) const {
  SystemView* known = record.state().view(role.system);
  if (known != nullptr) return *known;
  SystemView& made = record.state().make_view(role.system, lane_.epoch_of(role.system));
  made.is_read = role.is_syncing();
  return made;
}

Touched& Step::touch(const RecordId& id, const DatasetRules& rules, std::string_view key) {
  const auto loaded = records_.find(id);
  SYN_ASSERT(loaded != records_.end());
  uint32_t& place = loaded->second.place;
  if (place == 0) {
    SYN_ASSERT(touched_.size() < touched_.capacity());
    Touched& made = touched_.emplace_back();
    place = static_cast<uint32_t>(touched_.size());
    made.id = id;
    made.loaded = &loaded->second;
    made.rules = &rules;
    auto& cells = made.state().cells;
    if (!cells.empty()) cells.resize(rules.schema->value_count());  // fields may have been added
  }
  Touched& record = touched_[place - 1];
  if (!key.empty()) record.key = key;
  confirm(record);
  return record;
}

void Step::take(const Row& row) {
  const DatasetRules* rules = lane_.rules_of(row.dataset);
  const SystemRole* role = rules == nullptr ? nullptr : rules->role(input_.system);
  if (role == nullptr) return;
  const RecordId id{row.dataset, row.key_hash};
  if (row.is_ours && !records_.contains(id)) {  // needs() knew it for what we wrote
    ++lane_.counters_.echoes_dropped;
    return;
  }
  Touched& record = touch(id, *rules, row.key);
  const KeyNews news = note_key(record, *role, row);
  take(record, *role, row);
  if (news == KeyNews::kOthersUnderWay) redeliver(record, *role);
}

void Step::take(Touched& record, const SystemRole& role, const Row& row) {
  if (row.is_ours) find_done(record, row);
  if (record.state().is_apart(role.system)) return take_apart(record, role, row);
  if (clashes(record, role, row)) return set_apart(record, role, row);
  if (row.op == RowOp::kInsert) forget_refused(record, role);
  switch (row.op) {
    case RowOp::kInsert:
    case RowOp::kUpdate:
      return take_change(record, role, row);
    case RowOp::kDelete:
      return take_delete(record, role, row);
    case RowOp::kSnapshot:
      return take_snapshot(record, role, row);
    case RowOp::kMissing:
      return take_missing(record, role);
    case RowOp::kRedeliver:
      return redeliver(record, role);
    case RowOp::kOverwrite:  // there is nothing to decide any more
      return;
  }
}

void Step::take(const Joined& joined) {
  const model::Entry& entry = *joined.entry;
  const DatasetRules* rules = lane_.rules_of(entry.dataset);
  if (rules == nullptr || rules->role(input_.system) == nullptr) return;
  Touched& record = touch({entry.dataset, entry.key_hash}, *rules, entry.key);
  Arriving& arriving = arriving_;
  arriving.begin(input_.system, conflict_type(record.state(), entry.kind), entry.commit_time_us);
  arriving.generation = entry.generation;
  arriving.moved_with = entry.moved_with;
  for (const model::EntryCell& cell : entry.cells) {
    if (!rules->travels(cell.field) || cell.version.is_none()) continue;
    const model::CellView value{cell.state, cell.bytes};
    ArrivingCell& taken = arriving.add(cell.field, value, model::fingerprint(value, lane_.secret_));
    taken.version = cell.version;
    taken.base = cell.base;
  }
  if (rules->deletes == DeletePolicy::kDeleteWins) note_unseen(record, arriving);
  merge(record, arriving);
}

// What a peer's delete ends here without knowing of it. The peer would say so, too, but not where
// the record lives again by the time that it hears of it. Where updates win the peer revives it.
void Step::note_unseen(const Touched& record, Arriving& arriving) {
  const RecordState& state = record.state();
  if (!state.exists() || arriving.generation % 2 == 1) return;
  for (size_t value = 0; value < state.cells.size(); ++value) {
    const model::FieldIndex field = record.field_at(value);
    const auto ended = std::find_if(arriving.cells.begin(), arriving.cells.end(),
                                    [&](const auto& cell) { return cell.field == field; });
    const model::Version seen = ended == arriving.cells.end() ? model::Version() : ended->version;
    const bool is_of_first_sync = state.cells[value].policy_number == 0;
    if (is_of_first_sync || !record.rules->travels(field)) continue;
    if (state.cells[value].compare_write(seen) > 0) arriving.unseen.push_back(field);
  }
}

// The entry stays in flight, and that record's next write to this target is a full one. What
// follows an insert is not meant for the row that the insert met.
void Step::take(const model::Skip& skip) {
  const size_t place = frame_.skips.size();
  frame_.skips.push_back(skip);
  const DatasetRules* rules = lane_.rules_of(skip.dataset);
  if (rules == nullptr) return;
  Touched& record = touch({skip.dataset, skip.key_hash}, *rules, skip.key);
  SystemView* view = record.state().view(skip.target);
  if (view != nullptr) lane_.flows_[{skip.target, rules->schema->stream}].skip(skip.sequence);
  bool has_reason = rules->insert_exists == InsertExists::kMerge;
  bool is_passed_over = false;  // it stands behind an insert that was refused
  bool is_insert = false;
  bool is_repeated = false;  // what followed since is meant for the row that it met
  bool is_any_behind = false;
  for (size_t i = 0; view != nullptr && i < view->flight.size(); ++i) {
    InFlight& write = view->flight[i];
    if (write.sequence == skip.sequence) {
      has_reason = has_reason || !is_passed_over || !write.is_skipped;
      is_insert = write.kind == model::EntryKind::kInsert;
      is_repeated = std::exchange(write.is_skipped, true);
      record.is_dirty = true;
    } else if (is_insert && !is_repeated) {
      this->skip(record, skip.target, write);
      is_any_behind = true;
    }
    is_passed_over =
        write.is_skipped && (is_passed_over || write.kind == model::EntryKind::kInsert);
  }
  const bool is_told_apart = record.state().is_apart(skip.target);
  const bool is_over = is_insert && (!record.state().exists() || is_any_behind ||
                                     view->generation % 2 == 1);  // or follow_up() tries again
  if (!has_reason || is_told_apart || is_over) frame_.skips[place].reason.clear();
}

// Writes that were on their way behind the skipped one may be too little for a record that the
// system does not have as they expect it: a full one follows them.
void Step::follow_up(const model::Skip& skip) {
  const DatasetRules* rules = lane_.rules_of(skip.dataset);
  const SystemRole* role = rules == nullptr ? nullptr : rules->role(skip.target);
  if (role == nullptr) return;
  Touched& record = touch({skip.dataset, skip.key_hash}, *rules, skip.key);
  const SystemView* view = record.state().view(skip.target);
  if (view == nullptr || !view->needs_full_write()) return;
  const bool is_followed = std::any_of(
      view->flight.begin(), view->flight.end(),
      [&](const InFlight& write) { return !write.is_skipped && write.sequence > skip.sequence; });
  if (is_followed || is_worth_a_try(*view, skip.sequence)) redeliver(record, *role);
}

// Whether this cell says nothing new: our own write come back, or stored otherwise than we wrote
// it.
bool Step::compare_with_written(Touched& record, const Row& row, const RowCell& cell) {
  const auto sent = std::find_if(record.written.begin(), record.written.end(),
                                 [&](const SentCell& known) { return known.field == cell.field; });
  if (sent == record.written.end()) return false;
  if (sent->fingerprint == cell.fingerprint) return true;
  if (row.is_ours) {
    correct(record, row, cell, *sent);
    return true;
  }
  record.written.erase(sent);
  return false;
}

// A system rounded, trimmed or replaced what we wrote: the same write, just above itself.
void Step::correct(Touched& record, const Row& row, const RowCell& cell, SentCell& sent) {
  const Version corrected = sent.version;
  sent.fingerprint = cell.fingerprint;
  if (corrected.correction_round >= kCorrectionRoundsMax) {
    frame_.locals.push_back({row.dataset, row.key_hash, cell.field, input_.system});
    return;
  }
  ++lane_.counters_.corrections;
  ++sent.version.correction_round;
  sent.version.corrector = input_.system;
  const size_t value = record.value_index(cell.field);
  SystemView* view = record.state().view(input_.system);
  if (view != nullptr && view->is_in_flight()) {
    view->cells[value] = std::max(view->cells[value], sent.version);
    record.is_dirty = true;
  }
  if (record.state().cells[value] != corrected) return;
  Arriving& arriving = corrected_;
  arriving.begin(input_.system, model::ConflictType::kUpdateOriginDiffers, row.commit_time_us);
  arriving.generation = record.written_generation;
  ArrivingCell& taken = arriving.add(cell.field, {cell.state, cell.bytes}, cell.fingerprint);
  taken.version = sent.version;
  taken.base = corrected;
  merge(record, arriving);
}

void Step::take_change(Touched& record, const SystemRole& role, const Row& row) {
  const bool was_shown = shown_to(record.state(), role).generation % 2 == 1;
  const bool is_first_reading = is_read_by(record, role, row);
  if (is_first_reading && row.is_read && !row.is_ours) {
    return take_first_reading(record, role, row);
  }
  if (!was_shown && row.is_read &&
      is_put_met_early(record.state(), role.system, row, *record.rules)) {
    ++lane_.counters_.echoes_dropped;
    return;
  }
  begin_anew(record, role, row);
  Arriving& arriving = arriving_;
  arriving.begin(input_.system, model::ConflictType::kUpdateOriginDiffers, row.commit_time_us);
  arriving.moved_with = row.moved_with;
  for (const RowCell& cell : row.cells) {
    if (!record.rules->travels(cell.field)) continue;
    if (compare_with_written(record, row, cell)) continue;
    if (was_shown && row.is_read && is_on_its_way(record.state(), role.system, cell)) continue;
    const bool is_news = cell.is_changed || !was_shown;
    if (is_news) arriving.add(cell.field, {cell.state, cell.bytes}, cell.fingerprint);
  }
  const bool is_insert = !was_shown && (row.op == RowOp::kInsert ||
                                        arriving.cells.size() == record.rules->travelling_count());
  if (arriving.cells.empty() && !is_insert) {
    if (is_first_reading && record.state().exists()) mark_read(record, role);
    ++lane_.counters_.echoes_dropped;
    return;
  }
  ++lane_.counters_.changes;
  if (is_insert) join_this_life(record, row);
  const Shown shown = shown_to(record.state(), role);
  arriving.generation = shown.generation + (is_insert ? 1 : 0);
  arriving.conflict_type =
      conflict_type(record.state(), is_insert || row.op == RowOp::kInsert ? model::EntryKind::kPut
                                                                          : model::EntryKind::kSet);
  if (is_of_ended(record, arriving)) return lose_change(record, arriving);
  set_versions(record, shown, row, arriving);
  if (is_insert) mark_read(record, role);
  if (!is_insert && !was_shown && takes_writes(role, record.state())) {
    refuse_update(record, arriving);
  }
  merge(record, arriving);
  if (is_first_reading && record.state().exists()) {
    mark_read(record, role);
    write_back(record, role, arriving);
  }
}

// Cells of a record that ought not to be there, and not enough to make one of: what is unknown must
// not become NULL. The tombstone keeps them.
void Step::refuse_update(const Touched& record, const Arriving& arriving) {
  for (const ArrivingCell& cell : arriving.cells) {
    add_conflict(record, cell.field, model::ConflictType::kUpdateMissing,
                 model::ConflictOutcome::kAcceptedStays, {}, side(cell.version, cell.cell));
  }
}

// Each cell's version rises above the one that its writer was shown; so does what it is shown.
void Step::set_versions(Touched& record, const Shown& shown, const Row& row, Arriving& arriving) {
  const ChangeTime time = change_time(row.commit_time_us, row.time_resolution_us, input_.now_us);
  if (time.is_clamped) ++lane_.counters_.times_clamped;
  for (ArrivingCell& cell : arriving.cells) {
    cell.base = shown.version(record.value_index(cell.field));
    cell.version = version_above(cell.base, record.rules->fields[cell.field],
                                 record.rules->policy_number, input_.system, time.time_us);
  }
  if (shown.view == nullptr) return;
  SystemView& view = *record.state().view(input_.system);
  view.generation = arriving.generation;
  view.cells.resize(record.rules->schema->value_count());
  for (const ArrivingCell& cell : arriving.cells) {
    view.cells[record.value_index(cell.field)] = cell.version;
  }
  record.is_dirty = true;
}

// Who deletes all that there is ends it, whatever life it is in. So does who deletes what its first
// sync has not come to: rows that were only read elsewhere are what it had, too.
void Step::take_delete(Touched& record, const SystemRole& role, const Row& row) {
  record.written.clear();
  const RecordState& state = record.state();
  const Shown shown = shown_to(state, role);
  const bool was_shown = shown.generation % 2 == 1;
  const bool was_read = !is_unread(record, role);
  mark_read(record, role);
  if (!was_shown && state.generation != 0) {
    ++lane_.counters_.echoes_dropped;
    return;
  }
  ++lane_.counters_.changes;
  Arriving& arriving = arriving_;
  arriving.begin(input_.system, model::ConflictType::kDeleteOriginDiffers, row.commit_time_us);
  arriving.moved_with = row.moved_with;
  for (size_t value = 0; state.exists() && value < state.cells.size(); ++value) {
    if (state.cells[value].compare_write(shown.version(value)) <= 0) continue;
    if (!was_read && state.cells[value].policy_number == 0) continue;  // of a first sync
    arriving.unseen.push_back(record.field_at(value));
  }
  const bool ends_all = state.exists() && arriving.unseen.empty();
  arriving.generation = ends_all ? state.generation + 1 : shown.generation + (was_shown ? 1 : 2);
  set_versions(record, shown, row, arriving);
  merge(record, arriving);
}

void Step::finish(Touched& record) {
  record.loaded->place = 0;
  if (!record.is_dirty) return;
  RecordState& state = record.state();
  std::erase_if(state.views, [&](SystemView& view) { return !is_kept(view, *record.rules); });
  if (auto& values = record.loaded->values; values.has_value()) {
    values->resize(record.rules->schema->value_count());
    for (const model::EntryCell& cell : record.changed) {
      (*values)[record.value_index(cell.field)] = {cell.state, cell.bytes};
    }
  }
  model::RecordImage& image = frame_.records.emplace_back();
  image.dataset = record.id.dataset;
  image.key_hash = record.id.key_hash;
  image.key = record.key;
  image.state = encode(state);
  image.cells = std::move(record.changed);
  image.is_full = image.cells.size() == record.rules->schema->value_count();
}

}  // namespace syncline::core
