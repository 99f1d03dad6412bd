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
    waiting += take(frame, group->number, std::nullopt);
  }
  read_ = group->number;
  return waiting;
}

size_t Pending::take_up(model::StreamId stream, const journal::GroupPointer& group) {
  size_t waiting = 0;
  for (const model::FramePointer& frame : group->frames) {
    waiting += take(frame, group->number, stream);
  }
  aside_[stream] = group->number;
  if (group->number >= read_) aside_.erase(stream);
  return waiting;
}

// only: a stream that is read behind the others; otherwise all that are not set aside.
size_t Pending::take(const model::FramePointer& frame, journal::GroupNumber group,
                     std::optional<model::StreamId> only) {
  size_t waiting = 0;
  take_skips(*frame);
  const size_t share = model::memory_size(*frame) / std::max<size_t>(1, frame->entries.size());
  for (const model::Entry& entry : frame->entries) {
    const auto stream = streams_.find(entry.dataset);
    if (stream == streams_.end()) continue;
    if (only ? stream->second != *only : aside_.contains(stream->second)) continue;
    if (!std::binary_search(entry.targets.begin(), entry.targets.end(), target_)) continue;
    Flow& flow = flows_[{stream->second, frame->lane}];
    if (entry.sequence <= flow.applied) continue;
    flow.entries.push_back({group, frame, &entry, PendingState::kWaiting, share});
    size_bytes_ += share;
    ++waiting;
  }
  entry_count_ += waiting;
  if (waiting > 0) open_groups_[group] += waiting;
  return waiting;
}

// The skip stands behind its entry in the journal, so the entry is here, already gone, or set aside
// and read again with its skip.
void Pending::take_skips(const model::Frame& frame) {
  for (const model::Skip& skip : frame.skips) {
    const auto stream = streams_.find(skip.dataset);
    if (skip.target != target_ || stream == streams_.end()) continue;
    for (PendingEntry& pending : flows_[{stream->second, frame.lane}].entries) {
      if (pending.entry->sequence == skip.sequence) pending.state = PendingState::kSkipped;
    }
  }
}

void Pending::set_aside(model::StreamId stream) {
  const auto known = aside_.find(stream);
  journal::GroupNumber behind = known == aside_.end() ? read_ : known->second;
  for (auto& [id, flow] : flows_) {
    if (id.first != stream) continue;
    for (const PendingEntry& entry : flow.entries) {
      behind = std::min(behind, entry.group - 1);
      leave_group(entry.group);
      size_bytes_ -= entry.size_bytes;
    }
    entry_count_ -= flow.entries.size();
    flow.entries.clear();
  }
  aside_[stream] = behind;
}

std::optional<journal::GroupNumber> Pending::aside_behind(model::StreamId stream) const {
  const auto found = aside_.find(stream);
  return found == aside_.end() ? std::nullopt : std::optional(found->second);
}

std::vector<model::StreamId> Pending::aside() const {
  std::vector<model::StreamId> streams;
  for (const auto& [stream, behind] : aside_) streams.push_back(stream);
  return streams;
}

journal::GroupNumber Pending::done() const {
  journal::GroupNumber done = open_groups_.empty() ? read_ : open_groups_.begin()->first - 1;
  for (const auto& [stream, behind] : aside_) done = std::min(done, behind);
  return done;
}

void Pending::finish(const FlowId& id, size_t count) {
  Flow& flow = flows_[id];
  SYN_ASSERT(count <= flow.entries.size());
  for (size_t i = 0; i < count; ++i) {
    const PendingEntry& first = flow.entries.front();
    flow.applied = std::max(flow.applied, first.entry->sequence);
    leave_group(first.group);
    size_bytes_ -= first.size_bytes;
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
  const auto found = open_groups_.find(group);
  SYN_ASSERT(found != open_groups_.end() && found->second > 0);
  if (--found->second == 0) open_groups_.erase(found);
}

}  // namespace syncline::delivery
