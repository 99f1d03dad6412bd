// The copies of fingerprint tables in a device's memory, each kept equal to its host table by the
// deltas that the host's lanes log.
//
// A lane is copied whole when it is met first, when its log no longer reaches back far enough, or
// when it was loaded or cleared; it is laid out anew on the device, without the host, when the
// host's grew or too many of its slots were used up by removed keys. The layout is a copy's own:
// what must be equal is which keys are there and what their cells are. When the device's memory is
// used up, the copies used least lately are dropped.
// Owner: the engine. Threads: any; one batch at a time per table, while its mutex is held.
// Errors: kEngine (a table that the device cannot hold, or the device).
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/engine/table_ref.hpp"

namespace syncline::device {

class TableCopy {
 public:
  TableCopy(const engine::TableRef& table, std::unique_ptr<TableMemory> memory)
      : id_(table.id),
        value_count_(table.value_count),
        lanes_(table.lane_count),
        memory_(std::move(memory)) {}

  uint64_t id() const { return id_; }
  std::mutex& mutex() { return mutex_; }
  TableMemory& memory() { return *memory_; }
  // Makes the copy equal to the host's table, by the slot. REQUIRES: the mutex is held.
  Result<void> update(const engine::TableRef& table, Slot& slot);
  // Nothing of it is believed any more: the next update copies all lanes.
  void forget();

 private:
  struct Lane {
    uint64_t line_count = 0;
    uint64_t number = 0;      // records of the log that it has taken over
    uint64_t used_count = 0;  // slots taken, at most
    bool is_there = false;
  };
  struct Pending {
    size_t records = 0;
    size_t bytes = 0;
  };

  Result<void> update_lane(const engine::TableLaneRef& from, size_t index, Slot& slot);
  Result<void> copy_lane(const engine::TableLaneRef& from, size_t index, Slot& slot);
  Result<void> lay_out(size_t index, uint64_t line_count, Slot& slot);
  Result<void> apply_logs(const engine::TableRef& table, Slot& slot);
  Pending pending(const engine::TableRef& table) const;
  void gather(const engine::TableRef& table, const DeltaLayout& layout, uint8_t* into);
  static bool has_room(const engine::TableLaneRef& from, const Lane& lane);

  uint64_t id_;
  uint32_t value_count_;
  std::vector<Lane> lanes_;
  std::unique_ptr<TableMemory> memory_;
  std::mutex mutex_;
};

class TableCopies {
 public:
  static constexpr size_t kCopyCountMax = 256;

  explicit TableCopies(Graveyard& graveyard) : graveyard_(graveyard) {}

  // Shared, so that a copy that is dropped meanwhile lives on for whoever uses it; the last one to
  // let it go buries it.
  std::shared_ptr<TableCopy> find(const engine::TableRef& table, Device& device);
  // Drops the copy used least lately, other than this one. False: there is no other.
  bool drop_another(const TableCopy& keep);
  void drop(const TableCopy& copy);

 private:
  Graveyard& graveyard_;
  std::mutex mutex_;
  std::list<std::shared_ptr<TableCopy>> copies_;  // the latest first
};

}  // namespace syncline::device
