#include "kernels/opencl/table_memory.hpp"

#include <algorithm>
#include <cstring>

namespace syncline::opencl {
namespace {

constexpr uint64_t kPlaceAlignment = 64;
constexpr uint64_t kPoolSizeMin = 64 << 10;

OpenclSlot& as_opencl(device::Slot& slot) {
  return static_cast<OpenclSlot&>(slot);
}

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

uint64_t aligned(uint64_t size) {
  return (size + kPlaceAlignment - 1) / kPlaceAlignment * kPlaceAlignment;
}

Result<void> clear(cl_command_queue queue, cl_mem memory, uint64_t at, uint64_t size) {
  const cl_uint zero = 0;
  return check(
      clEnqueueFillBuffer(queue, memory, &zero, sizeof zero, at, size, 0, nullptr, nullptr),
      "memory on the device cannot be cleared");
}

}  // namespace

syn_pool_lane OpenclTableMemory::lane_at(uint64_t at, uint64_t line_count) const {
  syn_pool_lane lane{};
  lane.keys_at = at;
  lane.counts_at = at + slots_of(line_count) * sizeof(uint64_t);
  lane.cells_at = aligned(lane.counts_at + line_count * sizeof(uint32_t));
  lane.line_count = line_count;
  return lane;
}

uint64_t OpenclTableMemory::size_of(uint64_t line_count) const {
  return aligned(lane_at(0, line_count).cells_at +
                 slots_of(line_count) * value_count_ * SYN_CELL_SIZE + device::kSlackSize);
}

// Room for all that comes at first, so that nothing has to be moved into a larger pool soon.
Result<void> OpenclTableMemory::prepare(uint64_t line_count, device::Slot& slot) {
  shortage_ = Shortage::kNone;
  if (pool_) return success();
  OpenclSlot& on = as_opencl(slot);
  SYN_TRY(device_lanes_.reserve(shared_, on, lanes_.size() * sizeof(syn_pool_lane)));
  SYN_TRY(used_.reserve(shared_, on, lanes_.size() * sizeof(cl_uint)));
  SYN_TRY(clear(on.queue(), used_.memory(), 0, lanes_.size() * sizeof(cl_uint)));
  SYN_TRY(publish(on));
  const uint64_t size = std::max(
      kPoolSizeMin, size_of(line_count) + lane_count_ * (size_of(0) + 2 * kPlaceAlignment));
  SYN_TRY(pool_, make_pool(size, size, pool_size_));
  return success();
}

void OpenclTableMemory::drop(size_t lane, device::Slot& /*slot*/) {
  lanes_[lane] = {};
  lanes_[lane_count_ + lane] = {};
  const bool is_empty =
      std::ranges::all_of(lanes_, [](const syn_pool_lane& held) { return held.line_count == 0; });
  if (is_empty) pool_used_ = 0;
}

// The numbers lie in lanes_ until the next change of it, which waits.
Result<void> OpenclTableMemory::publish(OpenclSlot& slot) {
  SYN_TRY(check(clEnqueueWriteBuffer(slot.queue(), device_lanes_.memory(), CL_FALSE, 0,
                                     lanes_.size() * sizeof(syn_pool_lane), lanes_.data(), 0,
                                     nullptr, nullptr),
                "lanes cannot be described to the device"));
  return slot.wait();
}

Result<Memory> OpenclTableMemory::make_pool(uint64_t least, uint64_t wanted, uint64_t& size) {
  shortage_ = Shortage::kNone;
  if (least > shared_.allocation_size_max) {
    shortage_ = Shortage::kTooLarge;
    return fail(ErrorCode::kEngine, "a fingerprint table is too large for the device",
                "it takes " + std::to_string(least) + " bytes in one piece, and the device gives " +
                    std::to_string(shared_.allocation_size_max),
                "Use another engine for this dataset, or a device with more memory.");
  }
  size = std::min(wanted, shared_.allocation_size_max);
  cl_int status = CL_MEM_OBJECT_ALLOCATION_FAILURE;
  Memory pool;
  if (memory_held() + size + device::slots_share(shared_.memory_size) <= shared_.memory_size) {
    pool = make_memory(shared_.context.get(), CL_MEM_READ_WRITE, size, status);
  }
  if (status != CL_SUCCESS && size > least) return make_pool(least, least, size);
  shortage_ = is_memory_short(status) ? Shortage::kFull : Shortage::kNone;
  SYN_TRY(check(status, "a table does not fit on the device"));
  return pool;
}

// One behind the other, without what lanes that were given up had.
Result<void> OpenclTableMemory::move_lanes(Memory to, uint64_t to_size, OpenclSlot& slot) {
  std::vector<syn_pool_lane> moved(lanes_.size());
  uint64_t end = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const syn_pool_lane& lane = lanes_[i];
    if (lane.line_count == 0) continue;
    const uint64_t size = size_of(lane.line_count);
    SYN_TRY(check(clEnqueueCopyBuffer(slot.queue(), pool(), to.get(), lane.keys_at, end, size, 0,
                                      nullptr, nullptr),
                  "a table cannot be moved on the device"));
    moved[i] = lane_at(end, lane.line_count);
    end += size;
  }
  SYN_TRY(slot.wait());
  lanes_ = std::move(moved);
  slot.bury(std::make_shared<Memory>(std::exchange(pool_, std::move(to))));
  pool_size_ = to_size;
  pool_used_ = end;
  return success();
}

Result<void> OpenclTableMemory::make_room(uint64_t size, OpenclSlot& slot) {
  if (pool_used_ + size <= pool_size_) return success();
  uint64_t needed = size;
  for (const syn_pool_lane& lane : lanes_) {
    if (lane.line_count != 0) needed += size_of(lane.line_count);
  }
  uint64_t larger_size = 0;
  SYN_TRY(Memory larger, make_pool(needed, needed + needed / 2, larger_size));
  return move_lanes(std::move(larger), larger_size, slot);
}

Result<void> OpenclTableMemory::lay_out(size_t lane, uint64_t line_count, device::Slot& slot) {
  OpenclSlot& on = as_opencl(slot);
  const uint64_t size = size_of(line_count);
  SYN_TRY(make_room(size, on));
  const size_t index = lane_count_ + lane;
  const syn_pool_lane fresh = lane_at(pool_used_, line_count);
  pool_used_ += size;
  lanes_[index] = fresh;
  SYN_TRY(clear(on.queue(), pool(), fresh.keys_at, fresh.cells_at - fresh.keys_at));
  SYN_TRY(clear(on.queue(), used_.memory(), index * sizeof(cl_uint), sizeof(cl_uint)));
  return publish(on);
}

Result<void> OpenclTableMemory::move(size_t lane, uint64_t first_slot, uint64_t slot_count,
                                     device::Slot& slot) {
  const syn_pool_lane& from = lanes_[lane];
  return fill_from(lane_count_ + lane, slot_count, pool(),
                   from.keys_at + first_slot * sizeof(uint64_t),
                   from.cells_at + first_slot * value_count_ * SYN_CELL_SIZE, as_opencl(slot));
}

// What the lane had stays in the pool until that is left.
Result<void> OpenclTableMemory::swap(size_t lane, device::Slot& slot) {
  OpenclSlot& on = as_opencl(slot);
  const size_t fresh = lane_count_ + lane;
  lanes_[lane] = std::exchange(lanes_[fresh], {});
  SYN_TRY(
      check(clEnqueueCopyBuffer(on.queue(), used_.memory(), used_.memory(), fresh * sizeof(cl_uint),
                                lane * sizeof(cl_uint), sizeof(cl_uint), 0, nullptr, nullptr),
            "a lane's size cannot be put in place"));
  return publish(on);
}

Result<void> OpenclTableMemory::fill_from(size_t lane, uint64_t slot_count, cl_mem from,
                                          uint64_t keys_at, uint64_t cells_at, OpenclSlot& slot) {
  if (slot_count == 0) return success();
  return slot.run(KernelId::kFill, slot_count, static_cast<cl_uint>(slot_count), value_count_, from,
                  cl_ulong{keys_at}, cl_ulong{cells_at}, pool(), lanes(),
                  static_cast<cl_uint>(lane), used_.memory());
}

Result<void> OpenclTableMemory::fill(size_t lane, const device::FillShape& shape,
                                     device::Slot& slot) {
  OpenclSlot& on = as_opencl(slot);
  return fill_from(lane, shape.slot_count, on.input(), shape.keys_at, shape.cells_at, on);
}

Result<uint64_t> OpenclTableMemory::used_count(size_t lane, device::Slot& slot) {
  OpenclSlot& on = as_opencl(slot);
  SYN_TRY(slot.reserve(device::Area::kHost, sizeof(cl_uint)));
  SYN_TRY(check(clEnqueueReadBuffer(on.queue(), used_.memory(), CL_FALSE, lane * sizeof(cl_uint),
                                    sizeof(cl_uint), slot.host(), 0, nullptr, nullptr),
                "a lane's size cannot be read"));
  SYN_TRY(slot.wait());
  cl_uint used = 0;
  std::memcpy(&used, slot.host(), sizeof used);
  return uint64_t{used};
}

Result<void> OpenclTableMemory::apply(const device::DeltaLayout& deltas, device::Slot& slot) {
  OpenclSlot& on = as_opencl(slot);
  const auto lane_count = static_cast<cl_uint>(lane_count_);
  const cl_uint workers = shared_.lane_workers;
  return on.run(KernelId::kApply, size_t{lane_count} * workers, lane_count, workers, value_count_,
                on.input(), cl_ulong{deltas.offsets}, cl_ulong{deltas.bytes}, pool(), lanes(),
                used_.memory());
}

}  // namespace syncline::opencl
