#include "host/delivery/moves.hpp"

#include <algorithm>
#include <vector>

namespace syncline::delivery {
namespace {

struct Front {
  FlowId id;
  const Flow* flow = nullptr;
  size_t count = 0;

  const PendingEntry* next() const {
    if (count == flow->entries.size()) return nullptr;
    const PendingEntry& entry = flow->entries[count];
    return entry.state == PendingState::kRefused ? nullptr : &entry;
  }
};

}  // namespace

std::set<model::StreamId> moving_streams(const Pending& pending,
                                         const std::function<bool(const FlowId&)>& may_go) {
  std::set<model::StreamId> streams;
  if (pending.moved_count() == 0) return streams;
  for (const auto& [id, flow] : pending.flows()) {
    if (flow.moved_count > 0 && may_go(id)) streams.insert(id.first);
  }
  return streams;
}

Taken take_whole_groups(const std::map<FlowId, Flow>& flows, size_t entries_max,
                        const std::function<bool(const FlowId&)>& may_go) {
  std::vector<Front> fronts;
  for (const auto& [id, flow] : flows) {
    if (!flow.entries.empty() && may_go(id)) fronts.push_back({id, &flow});
  }
  size_t total = 0;
  while (total < entries_max) {
    std::optional<journal::GroupNumber> group;
    for (const Front& front : fronts) {
      if (const PendingEntry* next = front.next()) {
        group = std::min(group.value_or(next->group), next->group);
      }
    }
    if (!group) break;
    for (Front& front : fronts) {
      for (const PendingEntry* next = front.next(); next != nullptr && next->group == *group;
           next = front.next()) {
        ++front.count;
        ++total;
      }
    }
  }
  Taken taken;
  for (const Front& front : fronts) {
    if (front.count > 0) taken[front.id] = front.count;
  }
  return taken;
}

}  // namespace syncline::delivery
