// A fingerprint table's lanes on an OpenCL device: one buffer, the pool, in which lanes are laid
// out one behind the other.
//
// A lane that is laid out anew gets a new place at the pool's end; when the end is reached, a
// larger pool takes over the lanes that are there, all in one call. So a table may be as large as
// the device's largest allocation. Owner: the table's copy. Threads: one at a time. Errors:
// kEngine.
#pragma once

#include <vector>

#include "kernels/device/device.hpp"
#include "kernels/opencl/pool.h"
#include "kernels/opencl/slot.hpp"

namespace syncline::opencl {

class OpenclTableMemory final : public device::TableMemory {
 public:
  OpenclTableMemory(const Shared& shared, size_t lane_count, uint32_t value_count)
      : shared_(shared),
        value_count_(value_count),
        lane_count_(lane_count),
        lanes_(2 * lane_count) {}

  Result<void> prepare(uint64_t line_count, device::Slot& slot) override;
  Result<void> lay_out(size_t lane, uint64_t line_count, device::Slot& slot) override;
  Result<void> move(size_t lane, uint64_t first_slot, uint64_t slot_count,
                    device::Slot& slot) override;
  Result<void> swap(size_t lane, device::Slot& slot) override;
  void drop(size_t lane, device::Slot& slot) override;
  Result<void> fill(size_t lane, const device::FillShape& shape, device::Slot& slot) override;
  Result<uint64_t> used_count(size_t lane, device::Slot& slot) override;
  Result<void> apply(const device::DeltaLayout& deltas, device::Slot& slot) override;
  Shortage shortage() const override { return shortage_; }

  cl_mem pool() const { return pool_.get(); }
  cl_mem lanes() const { return device_lanes_.memory(); }

 private:
  uint64_t size_of(uint64_t line_count) const;
  syn_pool_lane lane_at(uint64_t at, uint64_t line_count) const;
  Result<void> make_room(uint64_t size, OpenclSlot& slot);
  Result<Memory> make_pool(uint64_t least, uint64_t wanted, uint64_t& size);
  Result<void> move_lanes(Memory to, uint64_t to_size, OpenclSlot& slot);
  Result<void> publish(OpenclSlot& slot);
  // Slots that lie in another place of the same device, into one of lanes_.
  Result<void> fill_from(size_t lane, uint64_t slot_count, cl_mem from, uint64_t keys_at,
                         uint64_t cells_at, OpenclSlot& slot);

  const Shared& shared_;
  uint32_t value_count_;
  size_t lane_count_;
  // The lanes, then what was laid out for them.
  std::vector<syn_pool_lane> lanes_;
  Memory pool_;
  uint64_t pool_size_ = 0;
  uint64_t pool_used_ = 0;  // what lies before the end, lanes that are given up among it
  Buffer device_lanes_{Buffer::Place::kDevice};
  Buffer used_{Buffer::Place::kDevice};  // slots taken, a 32-bit number a lane
  Shortage shortage_ = Shortage::kNone;
};

}  // namespace syncline::opencl
