#include "host/pipeline/tables.hpp"

#include <cinttypes>
#include <cstdio>

#include "host/base/assert.hpp"

namespace syncline::pipeline {

Tables::Tables(Disk& disk, const core::Rules& rules, size_t lane_count)
    : disk_(disk), lane_count_(lane_count) {
  for (const auto& [dataset, rule] : rules) {
    for (const core::SystemRole& role : rule.systems) {
      if (role.kind != core::SystemKind::kDatabase) continue;
      tables_.emplace(Id{role.system, dataset},
                      state::FingerprintTable(rule.schema->value_count(), lane_count));
    }
  }
}

state::FingerprintTable& Tables::at(model::SystemId system, model::DatasetId dataset) {
  const auto found = tables_.find({system, dataset});
  SYN_ASSERT(found != tables_.end());
  return found->second;
}

const state::FingerprintTable* Tables::find(model::SystemId system,
                                            model::DatasetId dataset) const {
  const auto found = tables_.find({system, dataset});
  return found == tables_.end() ? nullptr : &found->second;
}

std::string Tables::folder(const Id& id) {
  char name[40];
  std::snprintf(name, sizeof name, "tables/%08" PRIx32 "-%08" PRIx32, id.first, id.second);
  return name;
}

Result<void> Tables::load() {
  for (auto& [id, table] : tables_) {
    for (size_t lane = 0; lane < lane_count_; ++lane) {
      const auto index = static_cast<model::LaneIndex>(lane);
      const auto saved = table.load(disk_, folder(id) + "/" + std::to_string(lane), index);
      if (saved) {
        saved_at_[{id, index}] = saved.value();
      } else if (saved.error().code == ErrorCode::kDamaged) {
        table.clear(index);
        damaged_.insert({id.first, id.second, index});
        unsaved_.insert({id, index});
      } else {
        return saved.as_failure();
      }
    }
  }
  return success();
}

Result<void> Tables::replay(const model::Frame& frame) {
  for (const model::TableDelta& delta : frame.deltas) {
    const auto found = tables_.find({delta.system, delta.dataset});
    if (found == tables_.end()) continue;  // the config no longer names it
    const auto saved = saved_at_.find({found->first, frame.lane});
    if (saved != saved_at_.end() && frame.number <= saved->second) continue;
    const Damage damage{delta.system, delta.dataset, frame.lane};
    if (damaged_.contains(damage)) continue;
    unsaved_.insert({found->first, frame.lane});
    const auto applied = found->second.apply(frame.lane, delta.bytes);
    if (applied) continue;
    if (applied.error().code != ErrorCode::kDamaged) return applied;
    damaged_.insert(damage);
  }
  return success();
}

Result<void> Tables::apply(const model::Frame& frame) {
  for (const model::TableDelta& delta : frame.deltas) {
    unsaved_.insert({{delta.system, delta.dataset}, frame.lane});
    SYN_TRY(at(delta.system, delta.dataset).apply(frame.lane, delta.bytes));
  }
  return success();
}

// What one system shows, the others are given.
void Tables::expect(model::DatasetId dataset, size_t record_count) {
  for (auto& [id, table] : tables_) {
    if (id.second == dataset) table.expect(record_count);
  }
}

Result<void> Tables::save(model::LaneIndex lane, uint64_t frame_number) {
  for (auto& [id, table] : tables_) {
    if (!unsaved_.contains({id, lane})) continue;
    SYN_TRY(disk_.make_folder(folder(id)));
    SYN_TRY(table.save(disk_, folder(id) + "/" + std::to_string(lane), lane, frame_number));
    unsaved_.erase({id, lane});
  }
  return success();
}

size_t Tables::size_bytes() const {
  size_t size = 0;
  for (const auto& [id, table] : tables_) size += table.size_bytes();
  return size;
}

}  // namespace syncline::pipeline
