#include "kernels/cuda/table_memory.hpp"

#include <cstring>
#include <memory>
#include <utility>

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/slot.hpp"

namespace syncline::cuda {
namespace {

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

cudaStream_t stream_of(device::Slot& slot) {
  return static_cast<CudaSlot&>(slot).stream();
}

void bury(const syn_table_lane& lane, device::Slot& slot) {
  if (lane.keys != nullptr) slot.bury(std::shared_ptr<void>(lane.keys, cudaFree));
}

}  // namespace

CudaTableMemory::~CudaTableMemory() {
  for (const syn_table_lane& lane : lanes_) cudaFree(lane.keys);
}

void CudaTableMemory::drop(size_t lane, device::Slot& slot) {
  bury(std::exchange(lanes_[lane], {}), slot);
}

Result<syn_table_lane> CudaTableMemory::allocate(uint64_t line_count, device::Slot& slot) {
  const uint64_t keys_size = slots_of(line_count) * sizeof(uint64_t);
  const uint64_t cells_size =
      slots_of(line_count) * value_count_ * SYN_CELL_SIZE + device::kSlackSize;
  void* memory = nullptr;
  const cudaError_t taken = cudaMalloc(&memory, keys_size + cells_size);
  is_full_ = taken == cudaErrorMemoryAllocation;
  SYN_TRY(check(taken, "a table does not fit on the card"));
  const cudaError_t cleared = cudaMemsetAsync(memory, 0, keys_size, stream_of(slot));
  auto* bytes = static_cast<uint8_t*>(memory);
  const syn_table_lane lane{reinterpret_cast<uint64_t*>(bytes), bytes + keys_size, line_count};
  if (cleared != cudaSuccess) {
    bury(lane, slot);
    return check(cleared, "memory on the card cannot be cleared").as_failure();
  }
  return lane;
}

Result<void> CudaTableMemory::prepare(device::Slot& slot) {
  if (is_prepared_) return success();
  const size_t size = lanes_.size() * (sizeof(syn_table_lane) + sizeof(uint64_t));
  SYN_TRY(pinned_.reserve(size, slot));
  SYN_TRY(device_.reserve(size, slot));
  SYN_TRY(check(cudaMemsetAsync(device_.data(), 0, size, stream_of(slot)),
                "a table's copy cannot be begun"));
  is_prepared_ = true;
  return success();
}

Result<void> CudaTableMemory::publish(size_t lane, cudaStream_t stream) {
  const size_t at = lane * sizeof(syn_table_lane);
  *pinned_.at<syn_table_lane>(at) = lanes_[lane];
  return check(cudaMemcpyAsync(device_.data() + at, pinned_.data() + at, sizeof(syn_table_lane),
                               cudaMemcpyHostToDevice, stream),
               "a lane's description cannot be copied to the card");
}

Result<uint64_t> CudaTableMemory::used_count(size_t lane, device::Slot& slot) {
  const size_t at = lanes_.size() * sizeof(syn_table_lane) + lane * sizeof(uint64_t);
  SYN_TRY(check(cudaMemcpyAsync(pinned_.data() + at, device_used() + lane, sizeof(uint64_t),
                                cudaMemcpyDeviceToHost, stream_of(slot)),
                "a lane's size cannot be read"));
  SYN_TRY(slot.wait());
  uint64_t used = 0;
  std::memcpy(&used, pinned_.data() + at, sizeof used);
  return used;
}

Result<uint64_t> CudaTableMemory::lay_out(size_t lane, uint64_t line_count, device::Slot& slot) {
  const cudaStream_t stream = stream_of(slot);
  SYN_TRY(const syn_table_lane fresh, allocate(line_count, slot));
  const syn_table_lane old = std::exchange(lanes_[lane], fresh);
  bury(old, slot);
  SYN_TRY(check(cudaMemsetAsync(device_used() + lane, 0, sizeof(uint64_t), stream),
                "a lane's size cannot be cleared"));
  if (old.line_count != 0) {
    const FillWork work{fresh,     device_used() + lane,     old.keys,
                        old.cells, slots_of(old.line_count), value_count_};
    SYN_TRY(check(launch_fill(work, stream), "a lane cannot be laid out"));
  }
  SYN_TRY(publish(lane, stream));
  return used_count(lane, slot);
}

Result<void> CudaTableMemory::fill(size_t lane, uint64_t slot_count, size_t cells_at,
                                   device::Slot& slot) {
  Buffer& input = static_cast<CudaSlot&>(slot).input();
  const FillWork work{
      lanes_[lane], device_used() + lane, input.at<uint64_t>(0), input.at<uint8_t>(cells_at),
      slot_count,   value_count_};
  return check(launch_fill(work, stream_of(slot)), "a lane cannot be laid out");
}

Result<void> CudaTableMemory::apply(const device::DeltaLayout& deltas, device::Slot& slot) {
  Buffer& input = static_cast<CudaSlot&>(slot).input();
  const ApplyWork work{device_lanes(),
                       device_used(),
                       input.at<syn_lane_delta>(0),
                       input.at<uint8_t>(deltas.bytes),
                       input.at<uint32_t>(deltas.offsets),
                       static_cast<uint32_t>(lanes_.size()),
                       value_count_};
  return check(launch_apply(work, stream_of(slot)), "deltas cannot be applied");
}

}  // namespace syncline::cuda
