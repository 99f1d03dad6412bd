// Resolve: the larger generation, and cell by cell the larger version. Nothing else decides.
#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/core/step_internal.hpp"

namespace syncline::core {
namespace {

using model::ConflictOutcome, model::ConflictSide, model::ConflictType, model::Version;

model::EntryCell to_entry_cell(const ArrivingCell& cell) {
  return {cell.field,   cell.cell.state, std::string(cell.cell.bytes),
          cell.version, cell.base,       cell.fingerprint};
}

auto find_field(auto& cells, model::FieldIndex field) {
  return std::lower_bound(
      cells.begin(), cells.end(), field,
      [](const auto& known, model::FieldIndex wanted) { return known.field < wanted; });
}

}  // namespace

ConflictSide side(const Version& version, const model::CellView& cell) {
  return {version.origin, version, cell.state, std::string(cell.bytes)};
}

ConflictSide accepted_side(const Touched& record, model::FieldIndex field) {
  return side(record.state().cells[record.value_index(field)], record.accepted_value(field));
}

void Arriving::begin(model::SystemId writer, ConflictType type, int64_t commit_us) {
  system = writer;
  generation = 0;
  cells.clear();
  unseen.clear();
  conflict_type = type;
  commit_time_us = commit_us;
  moved_with = {};
}

ArrivingCell& Arriving::add(model::FieldIndex field, const model::CellView& cell,
                            uint64_t fingerprint) {
  ArrivingCell& added = cells.emplace_back();
  added.field = field;
  added.cell = cell;
  added.fingerprint = fingerprint;
  return added;
}

void Step::merge(Touched& record, Arriving& arriving) {
  RecordState& state = record.state();
  const uint64_t old_generation = state.generation;
  const bool is_any_accepted = accept_cells(record, arriving);
  state.generation = std::max(state.generation, arriving.generation);
  decide_existence(record, arriving);
  if (state.generation == old_generation && !is_any_accepted) return;
  record.is_dirty = true;
  emit(record, arriving, old_generation);
}

bool Step::accept_cells(Touched& record, Arriving& arriving) {
  RecordState& state = record.state();
  if (!arriving.cells.empty()) state.cells.resize(record.rules->schema->value_count());
  const bool has_peers = record.rules->has_peers();
  bool is_any_accepted = false;
  for (ArrivingCell& cell : arriving.cells) {
    compare_cell(record, arriving, cell);
    if (has_peers) meet(record, cell);
    if (cell.version <= state.cells[record.value_index(cell.field)]) continue;
    accept(record, cell, arriving.cells.size());
    is_any_accepted = true;
  }
  return is_any_accepted;
}

void Step::accept(Touched& record, ArrivingCell& cell, size_t cell_count) {
  cell.is_accepted = true;
  cell.replaced = std::exchange(record.state().cells[record.value_index(cell.field)], cell.version);
  std::vector<model::EntryCell>& changed = record.changed.edit();
  if (changed.empty()) changed.reserve(cell_count);
  const auto at = find_field(changed, cell.field);
  if (at != changed.end() && at->field == cell.field) {
    *at = to_entry_cell(cell);
  } else {
    changed.insert(at, to_entry_cell(cell));
  }
}

// A conflict: a value wins over one that its writer had not seen, or loses without this appliance
// having met it before. Equal values are agreement.
void Step::compare_cell(Touched& record, const Arriving& arriving, const ArrivingCell& cell) {
  const Version& accepted = record.state().cells[record.value_index(cell.field)];
  if (accepted.is_none() || cell.version.is_same_write(accepted)) return;
  const bool wins = cell.version > accepted;
  if (wins && !cell.base.is_none() && cell.base >= accepted) return;
  if (!wins && (cell.version.origin == accepted.origin || is_met(record, cell))) return;
  if (record.accepted_value(cell.field) == cell.cell) return;
  ConflictSide arrived = side(cell.version, cell.cell);
  ConflictSide stood = accepted_side(record, cell.field);
  if (!wins) std::swap(arrived, stood);
  add_conflict(record, cell.field, arriving.conflict_type,
               wins ? ConflictOutcome::kArrivingWins : ConflictOutcome::kAcceptedStays,
               std::move(arrived), std::move(stood));
}

// A delete whose writer had not seen the latest values, or a newer value for a record deleted
// without knowing of it: the next life, or a conflict.
void Step::decide_existence(Touched& record, const Arriving& arriving) {
  RecordState& state = record.state();
  if (state.exists()) return;
  const bool is_of_older_life =
      arriving.generation % 2 == 1 && arriving.generation < state.generation;
  const bool is_late =
      is_of_older_life &&
      std::any_of(arriving.cells.begin(), arriving.cells.end(), [](const ArrivingCell& cell) {
        return cell.is_accepted && !cell.version.is_same_write(cell.replaced);
      });
  if (!is_late && arriving.unseen.empty()) return;
  const bool stays = record.rules->deletes == DeletePolicy::kUpdateWins;
  if (stays) ++state.generation;
  const auto outcome = stays ? ConflictOutcome::kRecordStays : ConflictOutcome::kRecordEnds;
  const auto add = [&](model::FieldIndex field, ConflictType type, model::SystemId deleter) {
    ConflictSide deleted{.system = deleter, .version = {}, .bytes = {}};
    ConflictSide value = accepted_side(record, field);
    if (stays) std::swap(deleted, value);
    add_conflict(record, field, type, outcome, std::move(deleted), std::move(value));
  };
  for (const ArrivingCell& cell : arriving.cells) {
    if (is_late && cell.is_accepted) add(cell.field, ConflictType::kUpdateMissing, 0);
  }
  for (const model::FieldIndex field : arriving.unseen) {
    add(field, ConflictType::kDeleteOriginDiffers, arriving.system);
  }
}

void Step::add_conflict(const Touched& record, model::FieldIndex field, ConflictType type,
                        ConflictOutcome outcome, ConflictSide winner, ConflictSide loser) {
  model::Conflict& conflict = frame_.conflicts.emplace_back();
  conflict.dataset = record.id.dataset;
  conflict.key_hash = record.id.key_hash;
  conflict.key = record.key;
  conflict.field = field;
  conflict.type = type;
  conflict.outcome = outcome;
  conflict.winner = std::move(winner);
  conflict.loser = std::move(loser);
  conflict.policy = record.rules->fields[field].text;
  conflict.time_us = input_.now_us;
}

const model::EntryCell* Touched::find_changed(model::FieldIndex field) const {
  const auto at = find_field(changed, field);
  return at != changed.end() && at->field == field ? &*at : nullptr;
}

model::CellView Touched::accepted_value(model::FieldIndex field) const {
  if (const model::EntryCell* cell = find_changed(field)) return {cell->state, cell->bytes};
  SYN_ASSERT(loaded->values.has_value());
  const size_t value = value_index(field);
  return value < loaded->values->size() ? (*loaded->values)[value].view() : model::CellView{};
}

// One origin's writes of a cell rise, so its newest stands for all before it.
bool Step::is_met(const Touched& record, const ArrivingCell& cell) {
  const std::vector<Met>& met = record.state().met;
  return std::any_of(met.begin(), met.end(), [&](const Met& known) {
    return known.field == cell.field && known.version.origin == cell.version.origin &&
           cell.version.compare_write(known.version) <= 0;
  });
}

void Step::meet(Touched& record, const ArrivingCell& cell) {
  std::vector<Met>& met = record.state().met;
  const auto at = std::find_if(met.begin(), met.end(), [&](const Met& known) {
    return known.field == cell.field && known.version.origin == cell.version.origin;
  });
  if (at == met.end()) {
    met.push_back({cell.field, cell.version});
  } else if (cell.version.compare_write(at->version) > 0) {
    at->version = cell.version;
  } else {
    return;
  }
  record.is_dirty = true;
}

}  // namespace syncline::core
