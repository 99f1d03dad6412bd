// What waits for one target: its entries, per (stream, lane) in order, and which groups of the
// journal still have any.
//
// Threads: the delivery's own.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/journal/journal.hpp"
#include "host/model/frame.hpp"
#include "host/model/schema.hpp"

namespace syncline::delivery {

using FlowId = std::pair<model::StreamId, model::LaneIndex>;

enum class PendingState : uint8_t {
  kWaiting,
  kRefused,  // reported; nothing behind it goes before the journal holds the skip
  kSkipped,  // the journal holds the skip: passed over
};

struct PendingEntry {
  journal::GroupNumber group = 0;
  model::FramePointer frame;  // keeps the entry alive
  const model::Entry* entry = nullptr;
  PendingState state = PendingState::kWaiting;
};

// Entries of one (stream, lane), in order. applied: the last sequence the target holds.
struct Flow {
  std::deque<PendingEntry> entries;
  model::Sequence applied = 0;
};

class Pending {
 public:
  Pending(model::SystemId target, const std::vector<const model::Schema*>& schemas);

  // Everything up to this group is done; REQUIRES: nothing was added yet.
  void begin_behind(journal::GroupNumber after) { read_ = done_ = after; }

  // Takes over what a committed group has for this target; returns the number of its entries that
  // the target does not hold yet.
  size_t add(const journal::GroupPointer& group);
  // The first `count` entries of a flow are applied or skipped.
  void finish(const FlowId& flow, size_t count);
  // What the target says it applied; entries up to there are done. Returns how many waited.
  size_t set_applied(const FlowId& flow, model::Sequence applied);

  std::map<FlowId, Flow>& flows() { return flows_; }
  size_t entry_count() const { return entry_count_; }
  // Every group up to here has nothing left for this target.
  journal::GroupNumber done() const { return done_; }

 private:
  void take_skips(const model::Frame& frame);
  void leave_group(journal::GroupNumber group);

  model::SystemId target_;
  std::map<model::DatasetId, model::StreamId> streams_;
  std::map<FlowId, Flow> flows_;
  std::deque<std::pair<journal::GroupNumber, size_t>> open_groups_;  // with entries left
  size_t entry_count_ = 0;
  journal::GroupNumber read_ = 0;
  journal::GroupNumber done_ = 0;
};

}  // namespace syncline::delivery
