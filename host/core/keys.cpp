// Keys that are one by the dataset's key, and that a system tells apart: it is written to under the
// key that its own row has. Which of several such rows is the record is decided before a step.
#include <utility>

#include "host/core/step_internal.hpp"
#include "host/model/key.hpp"

namespace syncline::core {

bool is_renamed(const RecordState& state, const SystemRole& role, const Row& row,
                const DatasetRules& rules) {
  if (!rules.tells_keys_apart(role) || row.is_ours) return false;
  if (row.op >= RowOp::kMissing || row.op == RowOp::kDelete) return false;
  return state.key_at(role.system, model::fold_key(row.key, *rules.schema)) != row.key;
}

// What is on its way there meets no row any more, or makes one beside it.
Step::KeyNews Step::note_key(Touched& record, const SystemRole& role, const Row& row) {
  RecordState& state = record.state();
  if (!is_renamed(state, role, row, *record.rules)) return KeyNews::kNone;
  state.set_key(role.system, row.key, model::fold_key(row.key, *record.rules->schema));
  record.is_dirty = true;
  const SystemView* view = state.view(role.system);
  return view != nullptr && view->is_in_flight() ? KeyNews::kOthersUnderWay : KeyNews::kNone;
}

// As long as a row of the record is there, or on its way, it keeps its key; a new one gets the key
// as whoever made the record wrote it.
std::string Step::key_for(Touched& record, const SystemRole& role) {
  if (!record.rules->tells_keys_apart(role)) return std::string(record.key);
  RecordState& state = record.state();
  const std::string folded = model::fold_key(record.key, *record.rules->schema);
  const SystemView* view = state.view(role.system);
  const bool is_free = view != nullptr && !view->is_in_flight() && view->generation % 2 == 0;
  if (is_free && state.set_key(role.system, record.key, folded)) record.is_dirty = true;
  return std::string(state.key_at(role.system, folded));
}

}  // namespace syncline::core
