// The copies of fingerprint tables in the card's memory, each kept equal to its host table by the
// deltas that the host's lanes log.
//
// A lane is copied whole when it is met first, when its log no longer reaches back far enough, or
// when it was loaded or cleared; it is laid out anew on the card, without the host, when the host's
// grew or too many of its slots were used up by removed keys. The layout is a copy's own: what must
// be equal is which keys are there and what their cells are. When the card's memory is used up, the
// copies used least lately are dropped.
// Owner: the engine. Threads: any; one batch at a time per table, from bring_up_to_date() until the
// Use is gone. Errors: kEngine (a table that the card cannot hold, or the card).
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/slot.hpp"
#include "kernels/engine/table_ref.hpp"

namespace syncline::cuda {

class TableCopy {
 public:
  explicit TableCopy(const engine::TableRef& table)
      : id_(table.id), value_count_(table.value_count), lanes_(table.lane_count) {}
  ~TableCopy();
  TableCopy(const TableCopy&) = delete;
  TableCopy& operator=(const TableCopy&) = delete;

  uint64_t id() const { return id_; }
  std::mutex& mutex() { return mutex_; }
  // Makes the copy equal to the host's table, on the slot's stream. REQUIRES: the mutex is held.
  Result<void> update(const engine::TableRef& table, Slot& slot);
  // Whether the last update failed for want of memory on the card.
  bool is_card_full() const { return is_card_full_; }
  const syn_table_lane* device_lanes() { return device_.at<syn_table_lane>(0); }

 private:
  struct Lane {
    syn_table_lane memory{};
    uint64_t number = 0;      // records of the log that it has taken over
    uint64_t used_count = 0;  // slots taken, at most
    bool is_there = false;
  };

  Result<void> prepare(Slot& slot);
  Result<void> copy_lane(const engine::TableLaneRef& from, size_t index, Slot& slot);
  Result<void> lay_out(size_t index, uint64_t line_count, Slot& slot);
  Result<void> fill(const FillWork& work, Slot& slot);
  Result<void> publish(size_t index, Slot& slot);
  Result<void> read_used(size_t index, Slot& slot);
  Result<void> apply_logs(const engine::TableRef& table, Slot& slot);
  Result<syn_table_lane> allocate(uint64_t line_count, Slot& slot);
  bool has_room(const engine::TableLaneRef& from, const Lane& lane) const;
  unsigned long long* device_used() {
    return device_.at<unsigned long long>(lanes_.size() * sizeof(syn_table_lane));
  }

  uint64_t id_;
  uint32_t value_count_;
  std::vector<Lane> lanes_;
  Buffer device_{Place::kDevice};  // the lanes' descriptions, then how many slots each has used
  Buffer pinned_{Place::kPinned};
  Buffer log_{Place::kDevice};
  bool is_card_full_ = false;
  std::mutex mutex_;
};

class TableCopies {
 public:
  static constexpr size_t kCopyCountMax = 256;

  // Shared, so that a copy that is dropped meanwhile lives on for whoever uses it.
  std::shared_ptr<TableCopy> find(const engine::TableRef& table);
  // Drops the copy used least lately, other than this one. False: there is no other.
  bool drop_another(const TableCopy& keep);
  void drop(const TableCopy& copy);

 private:
  std::mutex mutex_;
  std::list<std::shared_ptr<TableCopy>> copies_;  // the latest first
};

}  // namespace syncline::cuda
