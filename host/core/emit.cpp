// Emit: every system ends on the accepted state. An accepted change goes to every other system, and
// back to its own behind whatever is in flight there that would otherwise overwrite it. No more of
// it than that: who goes on from his own value within those milliseconds would meet it older.
#include <algorithm>
#include <array>
#include <map>
#include <span>
#include <utility>

#include <boost/container/small_vector.hpp>

#include "host/base/assert.hpp"
#include "host/core/step_internal.hpp"

namespace syncline::core {

using model::CellList, model::EntryCell, model::EntryKind, model::SystemId, model::Targets;

namespace {

// What the step has changed of the record is mostly just this change.
CellList changed_cells(const Touched& record, const Arriving& arriving) {
  const auto count = std::count_if(arriving.cells.begin(), arriving.cells.end(),
                                   [](const ArrivingCell& cell) { return cell.is_accepted; });
  if (record.changed.size() == static_cast<size_t>(count)) return record.changed;
  std::vector<EntryCell> cells;
  cells.reserve(static_cast<size_t>(count));
  for (const ArrivingCell& cell : arriving.cells) {
    if (cell.is_accepted) cells.push_back(*record.find_changed(cell.field));
  }
  return cells;
}

// Whether what is in flight to the system may overwrite this cell of its row.
bool is_overwritten(const SystemView& view, model::FieldIndex field) {
  return std::any_of(view.flight.begin(), view.flight.end(), [field](const InFlight& write) {
    return write.kind != EntryKind::kSet ||
           std::any_of(write.cells.begin(), write.cells.end(),
                       [field](const SentCell& sent) { return sent.field == field; });
  });
}

// What of a change has to come back to its own system.
CellList overwritten_cells(const CellList& cells, const SystemView& view) {
  std::vector<EntryCell> overwritten;
  for (const EntryCell& cell : cells) {
    if (is_overwritten(view, cell.field)) overwritten.push_back(cell);
  }
  if (overwritten.size() == cells.size()) return cells;
  return overwritten;
}

}  // namespace

void Step::emit(Touched& record, const Arriving& arriving, uint64_t old_generation) {
  const RecordState& state = record.state();
  const bool is_new_life = state.generation != old_generation;
  const bool is_writer_behind = state.generation > arriving.generation;
  const size_t first_entry = frame_.entries.size();
  const EntryKind full_kind = state.exists() ? EntryKind::kPut : EntryKind::kDelete;
  const EntryKind kind = is_new_life      ? full_kind
                         : state.exists() ? EntryKind::kSet
                                          : EntryKind::kNote;
  const CellList cells = is_new_life ? full_cells(record) : changed_cells(record, arriving);
  Targets targets;
  Targets full_targets;    // those that a set is not enough for
  Targets insert_targets;  // those that it has to be new to
  CellList returned;       // to its own system, where that is not told all
  for (const SystemRole& role : record.rules->systems) {
    if (!takes_writes(role, state)) continue;
    const bool is_writer = role.system == arriving.system;
    bool needs_full = false;
    if (role.kind == SystemKind::kPeer) {
      if (is_writer && !is_writer_behind) continue;
      needs_full = is_writer;
    } else {
      if (kind == EntryKind::kNote) continue;
      const SystemView* view = state.view(role.system);
      const bool is_in_flight = view != nullptr && view->is_in_flight();
      if (is_writer && !is_in_flight && !is_writer_behind) continue;
      needs_full = is_in_flight && view->needs_full_write();
      if (!is_in_flight) show_before(record, arriving, old_generation, role);
      if (!state.exists()) pass_over_inserts(record, role);
      if ((needs_full || is_new_life) && whole_kind(record, role) == EntryKind::kInsert) {
        // Of what it never had nothing is to be deleted.
        if (state.exists()) insert_targets.push_back(role.system);
        if (state.exists() || needs_full) continue;
      }
      if (is_writer && !is_writer_behind && !is_new_life && !needs_full) {
        returned = overwritten_cells(cells, *view);
        if (returned.size() < cells.size()) continue;
        returned = {};
      }
    }
    (needs_full && !is_new_life ? full_targets : targets).push_back(role.system);
  }
  if (!insert_targets.empty()) {
    write(record, EntryKind::kInsert, full_cells(record), insert_targets, arriving.commit_time_us);
  }
  if (!targets.empty() || (full_targets.empty() && insert_targets.empty())) {
    write(record, kind, cells, targets, arriving.commit_time_us);
  }
  if (!returned.empty()) {
    write(record, kind, returned, std::array{arriving.system}, arriving.commit_time_us);
  }
  if (!full_targets.empty()) {
    write(record, full_kind, full_cells(record), full_targets, arriving.commit_time_us);
  }
  const bool is_taken = state.exists() == (arriving.generation % 2 == 1);
  if (!is_new_life || !is_taken || arriving.moved_with.is_none()) return;
  for (model::Entry& entry : std::span(frame_.entries).subspan(first_entry)) {
    if (entry.kind == full_kind) entry.moved_with = arriving.moved_with;
  }
}

// How a record that exists is given to this system whole. REQUIRES: a view.
EntryKind Step::whole_kind(const Touched& record, const SystemRole& role) {
  if (record.rules->insert_exists == InsertExists::kMerge) return EntryKind::kPut;
  if (role.kind == SystemKind::kPeer || !role.is_read) return EntryKind::kPut;
  const SystemView& view = *record.state().view(role.system);
  bool has_row = view.generation % 2 == 1;
  for (const InFlight& write : view.flight) {
    if (write.is_skipped || write.kind == EntryKind::kSet) continue;
    has_row = write.kind != EntryKind::kDelete;
  }
  return has_row ? EntryKind::kPut : EntryKind::kInsert;
}

// Nothing is in flight to this system yet: what it was shown is the state before this change, or,
// where it made the change, that with the change.
void Step::show_before(Touched& record, const Arriving& arriving, uint64_t old_generation,
                       const SystemRole& role) {
  const bool is_writer = role.system == arriving.system;
  SystemView& view = make_view(record, role);
  view.generation = is_writer ? arriving.generation : old_generation;
  view.cells = record.state().cells;
  for (const ArrivingCell& cell : arriving.cells) {
    if (is_writer) {
      view.cells[record.value_index(cell.field)] = cell.version;
    } else if (cell.is_accepted) {
      view.cells[record.value_index(cell.field)] = cell.replaced;
    }
  }
}

EntryCell Step::accepted_cell(const Touched& record, model::FieldIndex field) const {
  EntryCell cell;
  if (const EntryCell* changed = record.find_changed(field)) {
    cell = *changed;
  } else {
    const model::CellView known = record.accepted_value(field);
    cell.field = field;
    cell.state = known.state;
    cell.bytes = known.bytes;
    cell.fingerprint = model::fingerprint(known, lane_.secret_);
  }
  cell.version = record.state().cells[record.value_index(field)];
  return cell;
}

// Every cell that has a value; of a tombstone only peers want them.
CellList Step::full_cells(const Touched& record) const {
  const RecordState& state = record.state();
  if (!state.exists() && !record.rules->has_peers()) return {};
  boost::container::small_vector<model::FieldIndex, 64> fields;
  for (size_t value = 0; value < state.cells.size(); ++value) {
    const model::FieldIndex field = record.field_at(value);
    if (!state.cells[value].is_none() && record.rules->travels(field)) fields.push_back(field);
  }
  const bool is_all_changed = std::equal(
      fields.begin(), fields.end(), record.changed.begin(), record.changed.end(),
      [&](model::FieldIndex field, const EntryCell& cell) {
        return cell.field == field && cell.version == state.cells[record.value_index(field)];
      });
  if (is_all_changed) return record.changed;
  std::vector<EntryCell> cells;
  cells.reserve(fields.size());
  for (const model::FieldIndex field : fields) cells.push_back(accepted_cell(record, field));
  return cells;
}

// REQUIRES: every database among the targets has a view. Where systems write the record's key
// otherwise, each is told under its own.
void Step::write(Touched& record, EntryKind kind, CellList cells, std::span<const SystemId> targets,
                 int64_t commit_time_us) {
  const bool is_one_key = record.rules->schema->key_equivalence == model::KeyEquivalence::kBytes ||
                          std::none_of(targets.begin(), targets.end(), [&](SystemId target) {
                            return record.rules->tells_keys_apart(*record.rules->role(target));
                          });
  if (is_one_key) {
    return write_as(record, record.key, kind, std::move(cells), targets, commit_time_us);
  }
  std::map<std::string, Targets> by_key;
  for (const SystemId target : targets) {
    by_key[key_for(record, *record.rules->role(target))].push_back(target);
  }
  for (auto& [key, those] : by_key) {
    write_as(record, key, kind, cells, those, commit_time_us);
  }
}

void Step::write_as(Touched& record, std::string_view key, EntryKind kind, CellList cells,
                    std::span<const SystemId> targets, int64_t commit_time_us) {
  const model::StreamId stream = record.rules->schema->stream;
  model::Entry& entry = frame_.entries.emplace_back();
  entry.dataset = record.id.dataset;
  entry.sequence = ++lane_.sequences_[stream];
  entry.key_hash = record.id.key_hash;
  entry.key = key;
  entry.kind = kind;
  entry.generation = record.state().generation;
  entry.cells = std::move(cells);
  entry.targets.assign(targets.begin(), targets.end());
  entry.origin = input_.system;
  entry.commit_time_us = commit_time_us;
  for (const SystemId target : entry.targets) {
    if (record.rules->role(target)->kind == SystemKind::kPeer) continue;
    SystemView* view = record.state().view(target);
    SYN_ASSERT(view != nullptr);
    InFlight& write = view->flight.emplace_back();
    write.sequence = entry.sequence;
    write.kind = kind;
    write.generation = entry.generation;
    if (kind != EntryKind::kDelete) {
      write.cells.reserve(entry.cells.size());
      for (const EntryCell& cell : entry.cells) {
        write.cells.push_back({cell.field, cell.version, cell.fingerprint});
      }
    }
  }
  lane_.send_to_targets(entry, *record.rules, Lane::Limit::kBounded);
}

}  // namespace syncline::core
