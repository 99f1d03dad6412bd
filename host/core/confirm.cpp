// Confirmation: what a system has been shown once its log has shown our markers. One marker speaks
// of many records; each learns of it when it is next looked at. Over several markers puts and sets
// come to the same together as one after the other; deletes do not, so needs() asks for the records
// that a marker says are deleted.
#include <algorithm>
#include <utility>

#include "host/core/step_internal.hpp"

namespace syncline::core {

using model::EntryKind, model::Version;

namespace {

using Run = model::Collapsed<SentCell>;

bool has_confirmed(const SystemView& view, model::Sequence up_to) {
  return std::any_of(view.flight.begin(), view.flight.end(), [up_to](const InFlight& write) {
    return !write.is_skipped && write.sequence <= up_to;
  });
}

// What the marked transactions wrote, not each step towards it. A full write supersedes what was
// skipped before it. REQUIRES: has_confirmed.
Run take_confirmed(SystemView& view, model::Sequence up_to) {
  Run run;
  auto kept = view.flight.begin();  // what stays is moved up to here
  auto at = kept;
  for (; at != view.flight.end() && at->sequence <= up_to; ++at) {
    if (at->is_skipped) {
      if (kept != at) *kept = std::move(*at);
      ++kept;
      continue;
    }
    if (at->kind != EntryKind::kSet) kept = view.flight.begin();
    model::collapse_onto<SentCell>(run, at->kind, at->generation, at->cells);
  }
  view.flight.erase(kept, at);
  return run;
}

// Returns whether the record is there at that system, as far as it was shown.
bool show(SystemView& view, const Run& run, const model::Schema& schema) {
  if (run.is_nothing()) return false;  // it met another's row, or none
  // The highest life it was shown; a stale row over its own delete is the old life again.
  const uint64_t held = view.generation;
  if (run.kind == EntryKind::kDelete) {
    view.generation = std::max(run.generation, held + held % 2);
  } else if (model::is_whole(run.kind)) {
    view.generation = held % 2 == 1 ? std::max(run.generation, held) : run.generation;
  }
  if (run.kind == EntryKind::kDelete || view.generation % 2 == 0) return false;
  view.cells.resize(schema.value_count());
  for (const SentCell& sent : run.cells) {
    Version& shown = view.cells[sent.field - schema.key_count];
    shown = std::max(shown, sent.version);
  }
  return true;
}

}  // namespace

void Lane::bring_up_to_date(model::DatasetId dataset, RecordState& state) const {
  const DatasetRules* rules = rules_of(dataset);
  std::erase_if(state.views, [&](SystemView& view) {
    if (view.epoch != epoch_of(view.system)) return true;
    if (rules == nullptr || view.flight.empty()) return false;
    const model::Sequence up_to = confirmed(view.system, rules->schema->stream);
    if (!has_confirmed(view, up_to)) return false;
    show(view, take_confirmed(view, up_to), *rules->schema);
    return !is_kept(view, *rules);
  });
}

bool is_kept(SystemView& view, const DatasetRules& rules) {
  const SystemRole* role = rules.role(view.system);
  view.is_read = view.is_read && role != nullptr && role->phase != SyncPhase::kLive;
  if (view.is_in_flight()) return true;
  view.generation = 0;
  view.cells.clear();
  return view.is_read;
}

void Step::take(const Marker& marker) {
  if (!lane_.counts(input_.system, marker)) {
    ++lane_.counters_.markers_ignored;
    return;
  }
  Flow& flow = lane_.flows_[{input_.system, marker.stream}];
  std::vector<RecordId> ids;  // of the step's records, those that it may speak of
  if (flow.has_unknown(marker.sequence)) {
    for (const auto& [id, record] : records_) ids.push_back(id);
  } else if (!records_.empty()) {
    flow.each_record(marker.sequence, [&](const RecordId& id) {
      if (records_.contains(id)) ids.push_back(id);
    });
  }
  lane_.confirm(flow, marker.sequence);
  // What this marker confirms is shown before what the next one does.
  for (const RecordId& id : ids) {
    if (const DatasetRules* rules = lane_.rules_of(id.dataset)) touch(id, *rules, {});
  }
  frame_.confirmations.push_back({input_.system, marker.stream, marker.epoch, marker.sequence});
}

// The record learns of the markers that this step has met.
void Step::confirm(Touched& record) {
  SystemView* view = record.state().view(input_.system);
  if (view == nullptr || view->flight.empty()) return;
  const model::Sequence up_to = lane_.confirmed(input_.system, record.rules->schema->stream);
  if (!has_confirmed(*view, up_to)) return;
  Run run = take_confirmed(*view, up_to);
  record.is_dirty = true;
  if (!show(*view, run, *record.rules->schema)) {
    record.written.clear();
    return;
  }
  record.written_generation = view->generation;
  Run written{.cells = std::move(record.written)};
  model::collapse_onto<SentCell>(written, EntryKind::kSet, view->generation, run.cells);
  record.written = std::move(written.cells);
}

}  // namespace syncline::core
