// A fingerprint table whose file is damaged, or of other fields, is made anew from the shadow: what
// a system last showed is what was accepted, but for what is still in flight to it.
#include <algorithm>
#include <utility>

#include "host/model/batch.hpp"
#include "host/model/key.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

constexpr size_t kChunkRecords = 4096;

// Cells that the system may not have shown as they are accepted stay unknown: whatever it shows
// next is looked at.
void add_record(model::BatchBuilder& builder, const model::Schema& schema, std::string_view key,
                const state::ShadowRecord& stored, bool is_in_flight) {
  std::vector<model::CellView> cells;
  for (const std::string_view part : model::split_key(key)) {
    cells.push_back({model::CellState::kValue, part});
  }
  for (size_t value = 0; value < schema.value_count(); ++value) {
    const bool is_known = !is_in_flight && value < stored.values.size();
    cells.push_back(is_known ? stored.values[value].view() : model::CellView{});
  }
  builder.add_row(SYN_OP_SNAPSHOT, false, 0, cells);
}

}  // namespace

Result<void> PipelineImpl::take_rows(model::SystemId system, model::BatchBuilder& builder,
                                     model::LaneIndex lane) {
  if (builder.row_count() == 0) return success();
  const model::Batch batch = builder.finish();
  builder.begin_transaction({});
  Examined examined;
  SYN_TRY(with_.dispatcher.fingerprint(batch.view(), with_.secret, examined.fingerprints));
  state::FingerprintTable& table = tables_.at(system, batch.dataset());
  SYN_TRY(
      with_.dispatcher.detect(batch.view(), examined.fingerprints, table.ref(), examined.detected));
  return table.apply(lane, examined.detected.delta.lanes[lane]);
}

Result<void> PipelineImpl::rebuild_table(const Tables::Damage& damage) {
  const auto rule = with_.rules.find(damage.dataset);
  const core::SystemRole* role = rule->second.role(damage.system);
  if (role == nullptr || role->phase != core::SyncPhase::kLive) return success();
  const model::Schema& schema = *rule->second.schema;
  tables_.at(damage.system, damage.dataset).clear(damage.lane);
  model::BatchBuilder builder(schema, options_.lane_count);
  builder.begin_transaction({});
  Result<void> outcome = success();
  const model::Sequence confirmed = lanes_[damage.lane].confirmed(damage.system, schema.stream);
  const auto visit = [&](const model::KeyHash&, std::string_view key,
                         const state::ShadowRecord& stored) {
    auto record = core::decode_record(stored.state);
    if (!record) {
      outcome = std::move(record).as_failure();
      return false;
    }
    if (!record.value().exists()) return true;
    const core::SystemView* view = record.value().view(damage.system);
    add_record(builder, schema, key, stored,
               view != nullptr && view->is_in_flight_behind(confirmed));
    if (builder.row_count() < kChunkRecords) return true;
    outcome = take_rows(damage.system, builder, damage.lane);
    return outcome.has_value();
  };
  SYN_TRY(with_.shadow.scan(damage.dataset, damage.lane, options_.lane_count, schema.value_count(),
                            visit));
  if (!outcome) return outcome;
  return take_rows(damage.system, builder, damage.lane);
}

}  // namespace syncline::pipeline
