// What peers accepted, on its way into the lanes. There is nothing to detect: each entry carries
// its versions, and joining it twice is joining it once.
#include <map>
#include <utility>

#include "host/base/assert.hpp"
#include "host/pipeline/pipeline_internal.hpp"

namespace syncline::pipeline {

Result<void> PipelineImpl::process_joined(const PeerEntries& read) {
  SYN_ASSERT(!is_waiting());
  std::map<model::LaneIndex, LaneWork> by_lane;
  for (const model::Entry* entry : read.entries) {
    const model::LaneIndex lane = model::lane_of(entry->key_hash, options_.lane_count);
    LaneWork& work = by_lane[lane];
    work.lane = lane;
    work.input.items.emplace_back(core::Joined{entry});
  }
  const int64_t now_us = with_.clock.now_us();
  std::vector<LaneWork> work;
  for (auto& [lane, lane_work] : by_lane) {
    lane_work.input.system = read.peer;
    lane_work.input.now_us = now_us;
    lane_work.input.position = read.position;
    work.push_back(std::move(lane_work));
  }
  return run_work(work, read.peer, read.position);
}

}  // namespace syncline::pipeline
