// A fingerprint table's lanes in the card's memory, one allocation a lane.
//
// Owner: the table's copy. Threads: one at a time. Errors: kEngine.
#pragma once

#include <vector>

#include "kernels/bodies/table.h"
#include "kernels/cuda/memory.hpp"
#include "kernels/device/device.hpp"

namespace syncline::cuda {

class CudaTableMemory final : public device::TableMemory {
 public:
  CudaTableMemory(size_t lane_count, uint32_t value_count)
      : value_count_(value_count), lanes_(lane_count), fresh_(lane_count) {}
  ~CudaTableMemory() override;
  CudaTableMemory(const CudaTableMemory&) = delete;
  CudaTableMemory& operator=(const CudaTableMemory&) = delete;

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

  const syn_table_lane* device_lanes() { return device_.at<syn_table_lane>(0); }

 private:
  Result<void> publish(size_t lane, cudaStream_t stream);
  unsigned long long* device_used() {
    return device_.at<unsigned long long>(lanes_.size() * sizeof(syn_table_lane));
  }

  uint32_t value_count_;
  std::vector<syn_table_lane> lanes_;
  std::vector<syn_table_lane> fresh_;  // what was laid out for them
  Buffer device_{Place::kDevice};      // the lanes' descriptions, then how many slots each has used
  Buffer pinned_{Place::kPinned};
  bool is_prepared_ = false;
  Shortage shortage_ = Shortage::kNone;
};

}  // namespace syncline::cuda
