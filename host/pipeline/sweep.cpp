// Records that a system lacks: the end of a first sync, and what verify --repair asks for.
#include <algorithm>
#include <utility>

#include "host/base/assert.hpp"
#include "host/model/batch.hpp"
#include "host/model/key.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {
namespace {

constexpr size_t kChunkRecords = 4096;

}  // namespace

// The fingerprints under which the tables know these keys.
Result<std::vector<syn_hash128>> PipelineImpl::fingerprint_keys(model::DatasetId dataset,
                                                                std::span<const std::string> keys) {
  model::BatchBuilder builder(*with_.rules.at(dataset).schema, options_.lane_count);
  builder.begin_transaction({});
  std::vector<model::CellView> cells;
  for (const std::string& key : keys) {
    cells.clear();
    for (const std::string_view part : model::split_key(key)) {
      cells.push_back({model::CellState::kValue, part});
    }
    builder.add_key_row(SYN_OP_DELETE, false, 0, cells);
  }
  const model::Batch batch = builder.finish();
  engine::Fingerprints fingerprints;
  SYN_TRY(with_.dispatcher.fingerprint(batch.view(), with_.secret, fingerprints));
  return std::move(fingerprints.keys);
}

// The keys of a lane's existing records that `is_wanted` picks by fingerprint.
Result<std::vector<std::string>> PipelineImpl::pick_keys(
    model::DatasetId dataset, model::LaneIndex lane,
    const std::function<bool(const syn_hash128&)>& is_wanted) {
  std::vector<std::string> picked;
  std::vector<std::string> chunk;
  Result<void> outcome = success();
  const auto take_chunk = [&] {
    auto fingerprints = fingerprint_keys(dataset, chunk);
    if (!fingerprints) {
      outcome = std::move(fingerprints).as_failure();
      return false;
    }
    for (size_t i = 0; i < chunk.size(); ++i) {
      if (is_wanted(fingerprints.value()[i])) picked.push_back(std::move(chunk[i]));
    }
    chunk.clear();
    return true;
  };
  const auto visit = [&](const model::KeyHash&, std::string_view key,
                         const state::ShadowRecord& stored) {
    auto record = core::decode_record(stored.state);
    if (!record) {
      outcome = std::move(record).as_failure();
      return false;
    }
    if (!record.value().exists()) return true;
    chunk.emplace_back(key);
    return chunk.size() < kChunkRecords || take_chunk();
  };
  SYN_TRY(with_.shadow.scan(dataset, lane, options_.lane_count, value_count(dataset), visit));
  if (outcome && !chunk.empty()) take_chunk();
  if (!outcome) return std::move(outcome).as_failure();
  return picked;
}

void PipelineImpl::begin_sweep(model::SystemId system, model::DatasetId dataset) {
  tables_.at(system, dataset).begin_sweep();
}

// What the system showed before is no loss of what it is found with now.
Result<void> PipelineImpl::begin_first_sweep(model::SystemId system, model::DatasetId dataset,
                                             size_t row_estimate) {
  tables_.expect(dataset, row_estimate);
  SYN_TRY(forget_losses({system, dataset}));
  begin_sweep(system, dataset);
  return success();
}

// What the scan did not show is a delete, as if the system's log had said so.
Result<void> PipelineImpl::process_sweep(model::SystemId system, model::DatasetId dataset) {
  SYN_ASSERT(!is_waiting());
  SYN_TRY(commit());  // the shadow's scan shows what was applied
  SYN_TRY(const bool is_held, hold_sweep_if_beyond({system, dataset}));
  for (size_t index = 0; index < options_.lane_count && !is_held; ++index) {
    const auto lane = static_cast<model::LaneIndex>(index);
    auto unseen = tables_.at(system, dataset).unseen(lane);
    if (unseen.key_bits.empty()) continue;
    std::sort(unseen.key_bits.begin(), unseen.key_bits.end());
    SYN_TRY(const auto keys, pick_keys(dataset, lane, [&](const syn_hash128& key) {
              return std::binary_search(unseen.key_bits.begin(), unseen.key_bits.end(),
                                        syn_key_bits(key));
            }));
    std::vector<LaneWork> work(1);
    work[0].lane = lane;
    work[0].input.system = system;
    work[0].input.now_us = with_.clock.now_us();
    work[0].deltas.push_back({system, dataset, std::move(unseen.delta)});
    for (const std::string& key : keys) {
      core::Row row = key_row(dataset, key, core::RowOp::kDelete);
      // Another of its rows may be there.
      if (!is_twin({system, dataset}, row.key_hash)) work[0].input.items.emplace_back(row);
    }
    SYN_TRY(run_work(work, system, {}));
  }
  tables_.at(system, dataset).end_sweep();
  // Others will have shown as many once they have shown what they were given.
  tables_.expect(dataset, tables_.at(system, dataset).record_count());
  look_at_twins(system, dataset);
  publish_all();
  return is_held ? success() : end_approval({system, dataset});
}

core::Row PipelineImpl::key_row(model::DatasetId dataset, const std::string& key,
                                core::RowOp op) const {
  core::Row row;
  row.dataset = dataset;
  row.key_hash = model::record_hash(key, *with_.rules.at(dataset).schema);
  row.key = key;
  row.op = op;
  row.commit_time_us = with_.clock.now_us();
  return row;
}

// No deletes: a first sync takes nothing away.
Result<void> PipelineImpl::forget_unseen(model::SystemId system, model::DatasetId dataset) {
  for (size_t index = 0; index < options_.lane_count; ++index) {
    const auto lane = static_cast<model::LaneIndex>(index);
    auto unseen = tables_.at(system, dataset).unseen(lane);
    if (unseen.key_bits.empty()) continue;
    std::vector<LaneWork> work(1);
    work[0].lane = lane;
    work[0].input.system = system;
    work[0].input.now_us = with_.clock.now_us();
    work[0].deltas.push_back({system, dataset, std::move(unseen.delta)});
    SYN_TRY(run_work(work, system, {}));
  }
  tables_.at(system, dataset).end_sweep();
  return success();
}

// Not acknowledged: the source itself may still stand a little before that place.
Result<void> PipelineImpl::begin_reading(model::SystemId system, const model::Position& from) {
  SYN_ASSERT(!is_waiting());
  for (const auto& [dataset, rule] : with_.rules) {
    if (rule.role(system) == nullptr) continue;
    SYN_TRY(begin_first_sweep(system, dataset, 0));
    SYN_TRY(forget_unseen(system, dataset));
  }
  std::vector<LaneWork> work(1);
  work[0].input.system = system;
  work[0].input.now_us = with_.clock.now_us();
  work[0].input.position = from;
  SYN_TRY(run_work(work, system, {}));
  SYN_TRY(commit());
  const std::lock_guard lock(mutex_);
  positions_[system] = from;
  return success();
}

Result<void> PipelineImpl::process_missing(model::SystemId system, model::DatasetId dataset,
                                           model::LaneIndex lane) {
  SYN_ASSERT(!is_waiting());
  SYN_TRY(commit());  // the shadow's scan shows what was applied
  const state::FingerprintTable& table = tables_.at(system, dataset);
  SYN_TRY(const auto keys, pick_keys(dataset, lane, [&](const syn_hash128& key) {
            return !table.contains(lane, key);
          }));
  for (size_t first = 0; first < keys.size(); first += kChunkRecords) {
    const size_t count = std::min(kChunkRecords, keys.size() - first);
    SYN_TRY(process_keys(system, dataset, std::span(keys).subspan(first, count),
                         core::RowOp::kMissing));
  }
  return success();
}

Result<void> PipelineImpl::process_redeliver(model::SystemId system, model::DatasetId dataset,
                                             std::span<const std::string> keys) {
  return process_keys(system, dataset, keys, core::RowOp::kRedeliver);
}

Result<bool> PipelineImpl::process_overwrite(model::SystemId system, model::DatasetId dataset,
                                             const std::string& key) {
  SYN_TRY(commit());
  SYN_TRY(const bool is_there, exists(dataset, key));
  if (!is_there) return false;
  SYN_TRY(process_keys(system, dataset, std::span(&key, 1), core::RowOp::kOverwrite));
  return true;
}

Result<void> PipelineImpl::process_keys(model::SystemId system, model::DatasetId dataset,
                                        std::span<const std::string> keys, core::RowOp op) {
  SYN_ASSERT(!is_waiting());
  std::map<model::LaneIndex, LaneWork> by_lane;
  for (const std::string& key : keys) {
    core::Row row = key_row(dataset, key, op);
    const model::LaneIndex lane = model::lane_of(row.key_hash, options_.lane_count);
    LaneWork& work = by_lane[lane];
    work.lane = lane;
    work.input.system = system;
    work.input.now_us = with_.clock.now_us();
    work.input.items.emplace_back(std::move(row));
  }
  std::vector<LaneWork> work;
  work.reserve(by_lane.size());
  for (auto& [lane, lane_work] : by_lane) work.push_back(std::move(lane_work));
  return run_work(work, system, {});
}

}  // namespace syncline::pipeline
