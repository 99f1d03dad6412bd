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

// Takes out the keys that the system's fingerprint table knows.
Result<void> PipelineImpl::filter_unknown(model::SystemId system, model::DatasetId dataset,
                                          std::vector<std::string>& keys) {
  const model::Schema& schema = *with_.rules.at(dataset).schema;
  model::BatchBuilder builder(schema, options_.lane_count);
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
  const state::FingerprintTable& table = tables_.at(system, dataset);
  std::vector<std::string> unknown;
  for (size_t row = 0; row < keys.size(); ++row) {
    if (table.contains(batch.lane(row), fingerprints.keys[row])) continue;
    unknown.push_back(std::move(keys[row]));
  }
  keys = std::move(unknown);
  return success();
}

Result<std::vector<std::string>> PipelineImpl::missing_keys(model::SystemId system,
                                                            model::DatasetId dataset,
                                                            model::LaneIndex lane) {
  std::vector<std::string> missing;
  std::vector<std::string> chunk;
  Result<void> outcome = success();
  const auto take_chunk = [&] {
    outcome = filter_unknown(system, dataset, chunk);
    std::move(chunk.begin(), chunk.end(), std::back_inserter(missing));
    chunk.clear();
    return outcome.has_value();
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
  return missing;
}

Result<void> PipelineImpl::process_missing(model::SystemId system, model::DatasetId dataset) {
  SYN_TRY(commit());  // the shadow's scan shows what was applied
  for (size_t lane = 0; lane < options_.lane_count; ++lane) {
    SYN_TRY(const auto keys, missing_keys(system, dataset, static_cast<model::LaneIndex>(lane)));
    for (size_t first = 0; first < keys.size(); first += kChunkRecords) {
      const size_t count = std::min(kChunkRecords, keys.size() - first);
      SYN_TRY(process_redeliver(system, dataset, std::span(keys).subspan(first, count)));
    }
  }
  return success();
}

Result<void> PipelineImpl::process_redeliver(model::SystemId system, model::DatasetId dataset,
                                             std::span<const std::string> keys) {
  SYN_ASSERT(!is_waiting());
  const model::Schema& schema = *with_.rules.at(dataset).schema;
  std::map<model::LaneIndex, LaneWork> by_lane;
  for (const std::string& key : keys) {
    core::Row row;
    row.dataset = dataset;
    row.key_hash = model::record_hash(key, schema);
    row.key = key;
    row.op = core::RowOp::kMissing;
    const model::LaneIndex lane = model::lane_of(row.key_hash, options_.lane_count);
    LaneWork& work = by_lane[lane];
    work.lane = lane;
    work.input.system = system;
    work.input.now_us = with_.clock.now_us();
    work.input.items.emplace_back(std::move(row));
  }
  std::vector<LaneWork> work;
  for (auto& [lane, lane_work] : by_lane) work.push_back(std::move(lane_work));
  return run_work(work, system, {});
}

}  // namespace syncline::pipeline
