#include "host/delivery/pending.hpp"

#include <algorithm>

#include "host/base/assert.hpp"

namespace syncline::delivery {
Pending::Pending(model::SystemId target, const std::vector<const model::Schema*>& schemas)
    : target_(target) {
  for (const model::Schema* schema : schemas) streams_.emplace(schema->dataset, schema->stream);
}

std::optional<model::StreamId> Pending::stream_of(model::DatasetId dataset) const {
  const auto found = streams_.find(dataset);
  return found == streams_.end() ? std::nullopt : std::optional(found->second);
}

size_t Pending::add(const journal::GroupPointer& group) {
  size_t waiting = 0;
  for (const model::FramePointer& frame : group->frames) {
    waiting += take(frame, group->number, nullptr);
  }
  read_ = group->number;
  return waiting;
}

size_t Pending::take_up(const std::set<FlowId>& flows, const journal::GroupPointer& group) {
  size_t waiting = 0;
  for (const model::FramePointer& frame : group->frames) {
    waiting += take(frame, group->number, &flows);
  }
  for (const FlowId& id : flows) {
    const auto behind = aside_.find(id);
    if (behind == aside_.end()) continue;
    behind->second = std::max(behind->second, group->number);
    if (behind->second >= read_) aside_.erase(behind);
  }
  return waiting;
}

// only: flows that are read behind the others; otherwise all that are not set aside.
size_t Pending::take(const model::FramePointer& frame, journal::GroupNumber group,
                     const std::set<FlowId>* only) {
  size_t waiting = 0;
  take_skips(*frame);
  const size_t share = model::memory_size(*frame) / std::max<size_t>(1, frame->entries.size());
  for (const model::Entry& entry : frame->entries) {
    const auto stream = streams_.find(entry.dataset);
    if (stream == streams_.end()) continue;
    const FlowId id{stream->second, frame->lane};
    const auto behind = aside_.find(id);
    const bool is_aside = behind != aside_.end();
    if (only == nullptr && is_aside) continue;
    if (only != nullptr && (!is_aside || behind->second >= group || !only->contains(id))) continue;
    if (!std::binary_search(entry.targets.begin(), entry.targets.end(), target_)) continue;
    Flow& flow = flows_[id];
    if (entry.sequence <= flow.applied) continue;
    if (flow.refused_before.erase(entry.sequence) > 0) flow.refused.insert(entry.sequence);
    PendingState state = PendingState::kWaiting;
    if (flow.refused.contains(entry.sequence)) state = PendingState::kRefused;
    if (flow.skipped.contains(entry.sequence)) state = PendingState::kSkipped;
    flow.entries.push_back({group, frame, &entry, state, share});
    flow.size_bytes += share;
    size_bytes_ += share;
    note_move(flow, entry, 1);
    ++waiting;
  }
  entry_count_ += waiting;
  if (waiting > 0) open_groups_[group] += waiting;
  return waiting;
}

// The skip stands behind its entry in the journal, so the entry is here, already gone, or set
// aside: read again, it may be here long before its skip is met again.
void Pending::take_skips(const model::Frame& frame) {
  for (const model::Skip& skip : frame.skips) {
    const auto stream = streams_.find(skip.dataset);
    if (skip.target != target_ || stream == streams_.end()) continue;
    if (skip.sequence == model::kApartSequence) continue;
    Flow& flow = flows_[{stream->second, frame.lane}];
    if (skip.sequence <= flow.applied) continue;
    flow.refused.erase(skip.sequence);
    flow.refused_before.erase(skip.sequence);
    flow.skipped.insert(skip.sequence);
    for (PendingEntry& pending : flow.entries) {
      if (pending.entry->sequence == skip.sequence) pending.state = PendingState::kSkipped;
    }
  }
}

void Pending::set_aside(const FlowId& id) {
  const auto known = aside_.find(id);
  journal::GroupNumber behind = known == aside_.end() ? read_ : known->second;
  Flow& flow = flows_[id];
  for (const PendingEntry& entry : flow.entries) {
    behind = std::min(behind, entry.group - 1);
    note_move(flow, *entry.entry, -1);
    leave_group(entry.group);
  }
  entry_count_ -= flow.entries.size();
  size_bytes_ -= std::exchange(flow.size_bytes, 0);
  flow.entries.clear();
  aside_[id] = behind;
}

std::optional<journal::GroupNumber> Pending::aside_behind(const std::set<FlowId>& flows) const {
  std::optional<journal::GroupNumber> first;
  for (const FlowId& id : flows) {
    const auto behind = aside_.find(id);
    if (behind == aside_.end()) continue;
    first = std::min(first.value_or(behind->second), behind->second);
  }
  return first;
}

std::vector<FlowId> Pending::aside() const {
  std::vector<FlowId> flows;
  flows.reserve(aside_.size());
  for (const auto& [id, behind] : aside_) flows.push_back(id);
  return flows;
}

void Pending::refuse(const FlowId& id, const std::set<const model::Entry*>& entries) {
  Flow& flow = flows_[id];
  for (PendingEntry& pending : flow.entries) {
    if (!entries.contains(pending.entry)) continue;
    pending.state = PendingState::kRefused;
    flow.refused.insert(pending.entry->sequence);
  }
}

void Pending::refuse(const FlowId& id, const std::vector<model::Sequence>& sequences) {
  flows_[id].refused_before.insert(sequences.begin(), sequences.end());
}

bool Pending::awaits_skip(const FlowId& id) const {
  const auto flow = flows_.find(id);
  return flow != flows_.end() && !flow->second.refused.empty();
}

journal::GroupNumber Pending::done() const {
  journal::GroupNumber done = open_groups_.empty() ? read_ : open_groups_.begin()->first - 1;
  for (const auto& [id, behind] : aside_) done = std::min(done, behind);
  return done;
}

journal::GroupNumber Pending::done(const std::function<bool(const FlowId&)>& counts) const {
  journal::GroupNumber done = read_;
  for (const auto& [id, flow] : flows_) {
    if (!flow.entries.empty() && counts(id)) done = std::min(done, flow.entries.front().group - 1);
  }
  for (const auto& [id, behind] : aside_) {
    if (counts(id)) done = std::min(done, behind);
  }
  return done;
}

void Pending::finish(const FlowId& id, size_t count) {
  Flow& flow = flows_[id];
  SYN_ASSERT(count <= flow.entries.size());
  for (size_t i = 0; i < count; ++i) {
    const PendingEntry& first = flow.entries.front();
    flow.applied = std::max(flow.applied, first.entry->sequence);
    note_move(flow, *first.entry, -1);
    leave_group(first.group);
    flow.size_bytes -= first.size_bytes;
    size_bytes_ -= first.size_bytes;
    flow.entries.pop_front();
  }
  entry_count_ -= count;
  flow.refused.erase(flow.refused.begin(), flow.refused.upper_bound(flow.applied));
  flow.skipped.erase(flow.skipped.begin(), flow.skipped.upper_bound(flow.applied));
}

size_t Pending::set_applied(const FlowId& id, model::Sequence applied) {
  Flow& flow = flows_[id];
  flow.applied = applied;
  size_t count = 0;
  while (count < flow.entries.size() && flow.entries[count].entry->sequence <= applied) ++count;
  finish(id, count);
  return count;
}

void Pending::note_move(Flow& flow, const model::Entry& entry, int change) {
  if (entry.moved_with.is_none()) return;
  flow.moved_count += static_cast<size_t>(change);
  moved_count_ += static_cast<size_t>(change);
}

void Pending::leave_group(journal::GroupNumber group) {
  const auto found = open_groups_.find(group);
  SYN_ASSERT(found != open_groups_.end() && found->second > 0);
  if (--found->second == 0) open_groups_.erase(found);
}

}  // namespace syncline::delivery
