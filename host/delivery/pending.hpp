// What waits for one target: its entries, per (stream, lane) in order, and which groups of the
// journal still have any.
//
// Threads: the delivery's own.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
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
  size_t size_bytes = 0;  // its share of its frame
};

// Entries of one (stream, lane), in order. applied: the last sequence the target holds. Behind it,
// also of entries that are set aside: what the target refused, and what the journal holds a skip
// of. refused_before: what it refused before this start, as far as it was not read yet.
struct Flow {
  std::deque<PendingEntry> entries;
  size_t size_bytes = 0;
  size_t moved_count = 0;  // of entries of rows whose key was changed
  model::Sequence applied = 0;
  std::set<model::Sequence> refused;
  std::set<model::Sequence> refused_before;
  std::set<model::Sequence> skipped;
};

class Pending {
 public:
  Pending(model::SystemId target, const std::vector<const model::Schema*>& schemas);

  // Everything up to this group is done; REQUIRES: nothing was added yet.
  void begin_behind(journal::GroupNumber after) { read_ = after; }

  // Takes over what a committed group has for this target; returns the number of its entries that
  // the target does not hold yet.
  size_t add(const journal::GroupPointer& group);
  // What waits of a flow is let go, and what follows is passed over: the groups behind
  // aside_behind() have to be read again for it, with take_up().
  void set_aside(const FlowId& flow);
  // Where these are to be read from; nothing where none of them is set aside.
  std::optional<journal::GroupNumber> aside_behind(const std::set<FlowId>& flows) const;
  // A group for those of the flows that are set aside and have not read it. From the last that
  // add() took on they are like any other again.
  size_t take_up(const std::set<FlowId>& flows, const journal::GroupPointer& group);
  std::vector<FlowId> aside() const;

  // These of the flow's entries wait for their skips.
  void refuse(const FlowId& flow, const std::set<const model::Entry*>& entries);
  // Entries that are yet to be read. One that never comes holds up nothing.
  void refuse(const FlowId& flow, const std::vector<model::Sequence>& sequences);
  // Whether something of it was refused whose skip add() has not met.
  bool awaits_skip(const FlowId& flow) const;

  // The first `count` entries of a flow are applied or skipped.
  void finish(const FlowId& flow, size_t count);
  // What the target says it applied; entries up to there are done. Returns how many waited.
  size_t set_applied(const FlowId& flow, model::Sequence applied);

  std::map<FlowId, Flow>& flows() { return flows_; }
  const std::map<FlowId, Flow>& flows() const { return flows_; }
  size_t entry_count() const { return entry_count_; }
  size_t moved_count() const { return moved_count_; }  // of entries of rows whose key was changed
  size_t size_bytes() const { return size_bytes_; }    // of the memory that entries keep
  bool is_full(size_t entries_max, size_t size_bytes_max) const {
    return entry_count_ >= entries_max || size_bytes_ >= size_bytes_max;
  }
  // Every group up to here has nothing left for this target.
  journal::GroupNumber done() const;
  // Nothing of the flows that count.
  journal::GroupNumber done(const std::function<bool(const FlowId&)>& counts) const;
  std::optional<model::StreamId> stream_of(model::DatasetId dataset) const;

 private:
  size_t take(const model::FramePointer& frame, journal::GroupNumber group,
              const std::set<FlowId>* only);
  void take_skips(const model::Frame& frame);
  void note_move(Flow& flow, const model::Entry& entry, int change);
  void leave_group(journal::GroupNumber group);

  model::SystemId target_;
  std::map<model::DatasetId, model::StreamId> streams_;
  std::map<FlowId, Flow> flows_;
  std::map<journal::GroupNumber, size_t> open_groups_;  // entries left
  std::map<FlowId, journal::GroupNumber> aside_;        // up to here it was read
  size_t entry_count_ = 0;
  size_t moved_count_ = 0;
  size_t size_bytes_ = 0;
  journal::GroupNumber read_ = 0;
};

}  // namespace syncline::delivery
