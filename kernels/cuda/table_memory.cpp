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

Result<bool> has_room(size_t size) {
  size_t left = 0;
  size_t all = 0;
  SYN_TRY(check(cudaMemGetInfo(&left, &all), "the card does not say how much memory is left"));
  return size + device::slots_share(all) <= left;
}

void give_back_lane(void* keys) {
  give_back(Place::kDevice, keys);
}

void bury(const syn_table_lane& lane, device::Slot& slot) {
  if (lane.keys != nullptr) slot.bury(std::shared_ptr<void>(lane.keys, give_back_lane));
}

}  // namespace

CudaTableMemory::~CudaTableMemory() {
  for (const syn_table_lane& lane : lanes_) give_back_lane(lane.keys);
  for (const syn_table_lane& lane : fresh_) give_back_lane(lane.keys);
}

void CudaTableMemory::drop(size_t lane, device::Slot& slot) {
  bury(std::exchange(lanes_[lane], {}), slot);
  bury(std::exchange(fresh_[lane], {}), slot);
}

Result<void> CudaTableMemory::prepare(uint64_t /*line_count*/, device::Slot& slot) {
  shortage_ = Shortage::kNone;
  if (is_prepared_) return success();
  const size_t size = lanes_.size() * (sizeof(syn_table_lane) + sizeof(uint64_t));
  SYN_TRY(pinned_.reserve(size, slot));
  SYN_TRY(device_.reserve(size, slot));
  SYN_TRY(check(cudaMemsetAsync(device_.data(), 0, size, stream_of(slot)),
                "a table's copy cannot be begun"));
  is_prepared_ = true;
  return success();
}

// Its slots are counted anew: nothing is counted for the lane itself while it is moved.
Result<void> CudaTableMemory::lay_out(size_t lane, uint64_t line_count, device::Slot& slot) {
  const uint64_t keys_size = slots_of(line_count) * sizeof(uint64_t);
  const uint64_t cells_size =
      slots_of(line_count) * value_count_ * SYN_CELL_SIZE + device::kSlackSize;
  void* memory = nullptr;
  shortage_ = Shortage::kNone;
  SYN_TRY(const bool is_there, has_room(keys_size + cells_size));
  const cudaError_t taken = is_there ? allocate(Place::kDevice, &memory, keys_size + cells_size)
                                     : cudaErrorMemoryAllocation;
  shortage_ = taken == cudaErrorMemoryAllocation ? Shortage::kFull : Shortage::kNone;
  SYN_TRY(check(taken, "a table does not fit on the card"));
  auto* bytes = static_cast<uint8_t*>(memory);
  fresh_[lane] = {reinterpret_cast<uint64_t*>(bytes), bytes + keys_size, line_count};
  SYN_TRY(check(cudaMemsetAsync(memory, 0, keys_size, stream_of(slot)),
                "memory on the card cannot be cleared"));
  return check(cudaMemsetAsync(device_used() + lane, 0, sizeof(uint64_t), stream_of(slot)),
               "a lane's size cannot be cleared");
}

Result<void> CudaTableMemory::move(size_t lane, uint64_t first_slot, uint64_t slot_count,
                                   device::Slot& slot) {
  const syn_table_lane& from = lanes_[lane];
  const FillWork work{fresh_[lane],
                      device_used() + lane,
                      from.keys + first_slot,
                      from.cells + first_slot * value_count_ * SYN_CELL_SIZE,
                      slot_count,
                      value_count_};
  return check(launch_fill(work, stream_of(slot)), "a lane cannot be laid out");
}

Result<void> CudaTableMemory::swap(size_t lane, device::Slot& slot) {
  bury(std::exchange(lanes_[lane], std::exchange(fresh_[lane], {})), slot);
  return publish(lane, stream_of(slot));
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

Result<void> CudaTableMemory::fill(size_t lane, const device::FillShape& shape,
                                   device::Slot& slot) {
  Buffer& input = static_cast<CudaSlot&>(slot).input();
  const FillWork work{lanes_[lane],
                      device_used() + lane,
                      input.at<uint64_t>(shape.keys_at),
                      input.at<uint8_t>(shape.cells_at),
                      shape.slot_count,
                      value_count_};
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
