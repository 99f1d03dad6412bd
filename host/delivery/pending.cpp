#include "host/delivery/pending.hpp"

#include <algorithm>

#include "host/base/assert.hpp"

namespace syncline::delivery {

Pending::Pending(model::SystemId target, const std::vector<const model::Schema*>& schemas)
    : target_(target) {
  for (const model::Schema* schema : schemas) streams_.emplace(schema->dataset, schema->stream);
}

size_t Pending::add(const journal::GroupPointer& group) {
  size_t waiting = 0;
  for (const model::FramePointer& frame : group->frames) {
    take_skips(*frame);
    for (const model::Entry& entry : frame->entries) {
      const auto stream = streams_.find(entry.dataset);
      if (stream == streams_.end()) continue;
      if (!std::binary_search(entry.targets.begin(), entry.targets.end(), target_)) continue;
      Flow& flow = flows_[{stream->second, frame->lane}];
      if (entry.sequence <= flow.applied) continue;
      flow.entries.push_back({group->number, frame, &entry, PendingState::kWaiting});
      ++waiting;
    }
  }
  read_ = group->number;
  entry_count_ += waiting;
  if (waiting > 0) open_groups_.emplace_back(group->number, waiting);
  if (open_groups_.empty()) done_ = read_;
  return waiting;
}

// The skip stands behind its entry in the journal, so the entry is here or already gone.
void Pending::take_skips(const model::Frame& frame) {
  for (const model::Skip& skip : frame.skips) {
    const auto stream = streams_.find(skip.dataset);
    if (skip.target != target_ || stream == streams_.end()) continue;
    for (PendingEntry& pending : flows_[{stream->second, frame.lane}].entries) {
      if (pending.entry->sequence == skip.sequence) pending.state = PendingState::kSkipped;
    }
  }
}

void Pending::finish(const FlowId& id, size_t count) {
  Flow& flow = flows_[id];
  SYN_ASSERT(count <= flow.entries.size());
  for (size_t i = 0; i < count; ++i) {
    const PendingEntry& first = flow.entries.front();
    flow.applied = std::max(flow.applied, first.entry->sequence);
    leave_group(first.group);
    flow.entries.pop_front();
  }
  entry_count_ -= count;
}

size_t Pending::set_applied(const FlowId& id, model::Sequence applied) {
  Flow& flow = flows_[id];
  flow.applied = applied;
  size_t count = 0;
  while (count < flow.entries.size() && flow.entries[count].entry->sequence <= applied) ++count;
  finish(id, count);
  return count;
}

void Pending::leave_group(journal::GroupNumber group) {
  const auto found = std::lower_bound(
      open_groups_.begin(), open_groups_.end(), group,
      [](const auto& known, journal::GroupNumber number) { return known.first < number; });
  SYN_ASSERT(found != open_groups_.end() && found->first == group && found->second > 0);
  --found->second;
  while (!open_groups_.empty() && open_groups_.front().second == 0) open_groups_.pop_front();
  done_ = open_groups_.empty() ? read_ : open_groups_.front().first - 1;
}

}  // namespace syncline::delivery
