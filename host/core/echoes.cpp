#include <algorithm>

#include "host/core/echoes_internal.hpp"

namespace syncline::core {

using model::EntryKind;

void Echoes::take(const Marker& marker, const Lane& lane) {
  lane.each_write(system_, marker, walks_,
                  [&](const Flow::Write& write, const std::vector<SentPrint>& prints) {
                    if (write.kind == EntryKind::kDelete) deleted_.push_back(write.record);
                    // Of a quiet one no row is to be expected.
                    if (write.is_skipped || marker.is_quiet) return;
                    model::collapse_onto<SentPrint>(written_[write.record], write.kind, 0, prints);
                  });
  if (lane.has_unknown(system_, marker)) unknown_.push_back(marker.stream);
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
  if (row.op != RowOp::kUpdate && (row.op != RowOp::kInsert || !model::is_whole(run.kind))) {
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
