#include <algorithm>

#include "host/core/echoes_internal.hpp"

namespace syncline::core {

using model::EntryKind;

void Echoes::take(const Marker& marker, const Flow& flow) {
  auto walk = std::find_if(walks_.begin(), walks_.end(),
                           [&](const auto& known) { return known.first == marker.stream; });
  if (walk == walks_.end()) walk = walks_.insert(walks_.end(), {marker.stream, {}});
  while (const Flow::Write* write = flow.next(walk->second, marker.sequence, prints_)) {
    if (write->kind == EntryKind::kDelete) deleted_.push_back(write->record);
    if (write->is_skipped) continue;
    model::collapse_onto<SentPrint>(written_[write->record], write->kind, 0, prints_);
  }
  if (flow.has_unknown(marker.sequence)) unknown_.push_back(marker.stream);
}

bool Echoes::is_plain(const Row& row, const DatasetRules& rules) const {
  if (!row.is_ours) return false;
  const auto at = written_.find({row.dataset, row.key_hash});
  if (at == written_.end()) return false;
  const auto stream = std::find(unknown_.begin(), unknown_.end(), rules.schema->stream);
  if (stream != unknown_.end()) return false;
  const SystemRole* role = rules.role(system_);
  if (role == nullptr || role->is_syncing()) return false;
  const Written& run = at->second;
  if (run.kind == EntryKind::kDelete) return row.op == RowOp::kDelete;
  if (row.op != RowOp::kUpdate && (row.op != RowOp::kInsert || run.kind != EntryKind::kPut)) {
    return false;
  }
  auto sent = run.cells.begin();
  return std::all_of(row.cells.begin(), row.cells.end(), [&](const RowCell& cell) {
    if (!rules.travels(cell.field)) return true;
    while (sent != run.cells.end() && sent->field < cell.field) ++sent;
    if (sent == run.cells.end() || sent->field != cell.field) return !cell.is_changed;
    return sent->fingerprint == cell.fingerprint;
  });
}

}  // namespace syncline::core
