// A copy of a fingerprint table in a device's memory, kept equal to its host table by the deltas
// that the host's lanes log, and got by no batch in one go.
//
// A lane is copied from the host when it is met first, when its log no longer reaches back far
// enough, or when it was loaded or cleared: in the order of its keys, so much a call. Records of
// keys that are there already are taken over meanwhile, and those of others are in what is still to
// come. A lane that is too small is moved on the device, so much a call, into memory beside it; its
// own log waits for that. Until all lanes are equal to the host's, update() says kEngineNotReady.
// The layout is a copy's own: what must be equal is which keys are there and what their cells are.
// Owner: TableCopies. Threads: any; one batch at a time, while the mutex is held.
// Errors: kEngineNotReady (under way), kEngine (the device, or one that has no room: memory()
// knows).
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/engine/table_ref.hpp"

namespace syncline::device {

// What one call does at most, a piece more or less.
struct CopyShares {
  uint64_t slots = 262'144;  // of the host's lanes that are copied; at least a line
  size_t bytes = 16u << 20;  // of these
  uint64_t moved_slots = 16u << 20;
};

class TableCopy {
 public:
  TableCopy(const engine::TableRef& table, Device& device, const CopyShares& shares = {})
      : id_(table.id),
        value_count_(table.value_count),
        device_(&device),
        shares_(shares),
        lanes_(table.lane_count) {
    renew_memory();
  }

  uint64_t id() const { return id_; }
  std::mutex& mutex() { return mutex_; }
  TableMemory& memory() { return *memory_; }
  // Makes the copy equal to the host's table, by the slot, or brings it nearer: then nothing of it
  // is under way when it comes back. REQUIRES: the mutex is held.
  Result<void> update(const engine::TableRef& table, Slot& slot);
  // Nothing of it is there any more: its memory is buried, and the next update begins anew.
  void give_up(Slot& slot);

  // A table that the device had no room for is not tried again at every batch, but after one more,
  // two more and so on, or when it has become smaller. Of a copy that was refused last at this
  // turn:
  struct Refusal {
    uint64_t turn = 0;
    uint64_t slots = 0;  // of the host's table; 0: it was not
    uint64_t patience = 0;
    uint64_t asks_left = 0;
  };
  static constexpr uint64_t kPatienceMax = 64;
  bool is_refused(const engine::TableRef& table);
  void refuse(const engine::TableRef& table, uint64_t turn);
  const Refusal& refusal() const { return refusal_; }

 private:
  struct Lane {
    uint64_t line_count = 0;
    uint64_t number = 0;      // records of the log that it has taken over
    uint64_t used_count = 0;  // slots taken, at most
    uint64_t keys_end = 0;    // the host's keys below it are there; all, where it is whole
    bool is_begun = false;
    bool is_whole = false;
    bool is_tight = false;          // what comes from the host next has no room
    uint64_t fresh_line_count = 0;  // of what it is being moved to; 0: it is not
    uint64_t moved_slots = 0;
  };
  struct Pending {
    size_t records = 0;
    size_t bytes = 0;
  };
  // Of a host's lane: all keys from first_key to last_key, which are at home in these lines.
  struct Range {
    uint64_t first_line;
    uint64_t line_count;
    uint64_t first_key;
    uint64_t last_key;
  };

  void renew_memory() { memory_ = device_->make_table_memory(lanes_.size(), value_count_); }
  size_t record_size() const { return size_t{value_count_} * SYN_CELL_SIZE; }
  size_t slot_size() const { return sizeof(uint64_t) + record_size(); }

  Result<void> go_on(const engine::TableRef& table, Slot& slot);
  Result<void> begin_lanes(const engine::TableRef& table, Slot& slot);
  Result<void> begin_lane(const engine::TableLaneRef& from, size_t index, Slot& slot);
  Result<void> grow_lane(const engine::TableLaneRef& from, size_t index, Slot& slot);
  Result<void> move_lane(size_t index, Slot& slot);
  Result<void> apply_logs(const engine::TableRef& table, Slot& slot);
  Result<void> copy_lanes(const engine::TableRef& table, Slot& slot);
  Result<size_t> copy_range(const engine::TableLaneRef& from, size_t index, size_t at,
                            size_t size_max, Slot& slot);

  static uint64_t wanted_room(const engine::TableLaneRef& from, const Lane& lane);
  static bool has_room(const engine::TableLaneRef& from, const Lane& lane);
  static bool follows(const engine::TableLaneRef& from, const Lane& lane);
  uint64_t piece_slots() const;
  Range next_range(const engine::TableLaneRef& from, const Lane& lane) const;
  void collect(const engine::TableLaneRef& from, const Range& range);
  void put_collected(const engine::TableLaneRef& from, uint8_t* keys, uint8_t* cells) const;
  Pending pending(const engine::TableRef& table) const;
  void gather(const engine::TableRef& table, const DeltaLayout& layout, uint8_t* into);

  uint64_t id_;
  uint32_t value_count_;
  Device* device_;
  CopyShares shares_;
  std::vector<Lane> lanes_;
  std::unique_ptr<TableMemory> memory_;
  Refusal refusal_;
  std::mutex mutex_;
  // What is left of one call's share.
  uint64_t slots_left_ = 0;
  uint64_t moved_left_ = 0;
  std::vector<uint64_t> collected_;  // slots of the host's lane that go next
};

}  // namespace syncline::device
