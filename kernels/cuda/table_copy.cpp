#include "kernels/cuda/table_copy.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace syncline::cuda {
namespace {

// Slots of a host lane that cross the bus at once.
constexpr uint64_t kPieceSlots = 32768;

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

// Room for the host's lane and an eighth more, so that the copy grows less often than the host's.
uint64_t line_count_for(const engine::TableLaneRef& from, uint64_t more_records) {
  return from.line_count + from.line_count / 8 + more_records / 2 + 2;
}

}  // namespace

TableCopy::~TableCopy() {
  for (const Lane& lane : lanes_) {
    if (lane.memory.keys != nullptr) cudaFree(lane.memory.keys);
  }
}

Result<syn_table_lane> TableCopy::allocate(uint64_t line_count, Slot& slot) {
  const uint64_t keys_size = slots_of(line_count) * sizeof(uint64_t);
  const uint64_t cells_size = slots_of(line_count) * value_count_ * SYN_CELL_SIZE + kSlackSize;
  void* memory = nullptr;
  const cudaError_t taken = cudaMalloc(&memory, keys_size + cells_size);
  is_card_full_ = taken == cudaErrorMemoryAllocation;
  SYN_TRY(check(taken, "a table does not fit on the card"));
  const cudaError_t cleared = cudaMemsetAsync(memory, 0, keys_size, slot.stream);
  if (cleared != cudaSuccess) {
    cudaFree(memory);
    return check(cleared, "memory on the card cannot be cleared").as_failure();
  }
  auto* bytes = static_cast<uint8_t*>(memory);
  return syn_table_lane{reinterpret_cast<uint64_t*>(bytes), bytes + keys_size, line_count};
}

Result<void> TableCopy::prepare(Slot& slot) {
  if (device_.capacity() != 0) return success();
  const size_t size = lanes_.size() * (sizeof(syn_table_lane) + sizeof(uint64_t));
  SYN_TRY(device_.reserve(size));
  SYN_TRY(pinned_.reserve(size));
  return check(cudaMemsetAsync(device_.data(), 0, size, slot.stream),
               "a table's copy cannot be begun");
}

Result<void> TableCopy::publish(size_t index, Slot& slot) {
  const size_t at = index * sizeof(syn_table_lane);
  *pinned_.at<syn_table_lane>(at) = lanes_[index].memory;
  return check(cudaMemcpyAsync(device_.data() + at, pinned_.data() + at, sizeof(syn_table_lane),
                               cudaMemcpyHostToDevice, slot.stream),
               "a lane's description cannot be copied to the card");
}

Result<void> TableCopy::read_used(size_t index, Slot& slot) {
  uint64_t& used = lanes_[index].used_count;
  const size_t at = lanes_.size() * sizeof(syn_table_lane) + index * sizeof used;
  SYN_TRY(check(cudaMemcpyAsync(pinned_.data() + at, device_used() + index, sizeof used,
                                cudaMemcpyDeviceToHost, slot.stream),
                "a lane's size cannot be read"));
  SYN_TRY(slot.wait());
  std::memcpy(&used, pinned_.data() + at, sizeof used);
  return success();
}

Result<void> TableCopy::fill(const FillWork& work, Slot& slot) {
  return check(launch_fill(work, slot.stream), "a lane cannot be laid out");
}

// The lane's memory anew, with what was in it; empty where there was none.
Result<void> TableCopy::lay_out(size_t index, uint64_t line_count, Slot& slot) {
  Lane& lane = lanes_[index];
  SYN_TRY(const syn_table_lane fresh, allocate(line_count, slot));
  const syn_table_lane old = std::exchange(lane.memory, fresh);
  SYN_TRY(check(cudaMemsetAsync(device_used() + index, 0, sizeof(uint64_t), slot.stream),
                "a lane's size cannot be cleared"));
  if (old.line_count != 0) {
    SYN_TRY(fill({lane.memory, device_used() + index, old.keys, old.cells, slots_of(old.line_count),
                  value_count_},
                 slot));
  }
  SYN_TRY(publish(index, slot));
  SYN_TRY(read_used(index, slot));
  if (old.keys != nullptr) cudaFree(old.keys);
  return success();
}

// From the host's memory, piece by piece.
Result<void> TableCopy::copy_lane(const engine::TableLaneRef& from, size_t index, Slot& slot) {
  Lane& lane = lanes_[index];
  lane.is_there = false;
  if (lane.memory.keys != nullptr) cudaFree(lane.memory.keys);
  lane.memory = {};
  SYN_TRY(lay_out(index, line_count_for(from, 0), slot));
  const uint64_t record_size = uint64_t{value_count_} * SYN_CELL_SIZE;
  const size_t cells_at = kPieceSlots * sizeof(uint64_t);
  const size_t size = cells_at + kPieceSlots * record_size;
  SYN_TRY(slot.pinned.reserve(size));
  SYN_TRY(slot.input.reserve(size));
  for (uint64_t first = 0; first < slots_of(from.line_count); first += kPieceSlots) {
    const uint64_t count = std::min(kPieceSlots, slots_of(from.line_count) - first);
    SYN_TRY(slot.upload(from.keys + first, count * sizeof(uint64_t), 0));
    SYN_TRY(slot.upload(from.cells + first * record_size, count * record_size, cells_at));
    SYN_TRY(fill({lane.memory, device_used() + index, slot.input.at<uint64_t>(0),
                  slot.input.at<uint8_t>(cells_at), count, value_count_},
                 slot));
    SYN_TRY(slot.wait());
  }
  SYN_TRY(read_used(index, slot));
  from.log->is_followed.store(true, std::memory_order_relaxed);
  lane.number = from.log->end;
  lane.is_there = true;
  return success();
}

// A sixteenth stays empty, so that searches are short; and at least one slot, so that they end.
bool TableCopy::has_room(const engine::TableLaneRef& from, const Lane& lane) const {
  const uint64_t slots = slots_of(lane.memory.line_count);
  return lane.used_count + (from.log->end - lane.number) < slots - slots / 16;
}

Result<void> TableCopy::update(const engine::TableRef& table, Slot& slot) {
  SYN_TRY(prepare(slot));
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const engine::TableLaneRef& from = table.lanes[i];
    Lane& lane = lanes_[i];
    if (!lane.is_there || lane.number < from.log->first) {
      if (from.line_count == 0 && lane.memory.line_count == 0) {
        from.log->is_followed.store(true, std::memory_order_relaxed);
        lane.number = from.log->end;
        lane.is_there = true;
      } else {
        SYN_TRY(copy_lane(from, i, slot));
      }
    } else if (lane.number != from.log->end && !has_room(from, lane)) {
      SYN_TRY(lay_out(i, line_count_for(from, from.log->end - lane.number), slot));
    }
  }
  return apply_logs(table, slot);
}

Result<void> TableCopy::apply_logs(const engine::TableRef& table, Slot& slot) {
  Layout layout;
  size_t byte_count = 0;
  size_t record_count = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const engine::TableLaneLog& log = *table.lanes[i].log;
    const uint64_t skipped = lanes_[i].number - log.first;
    if (lanes_[i].number == log.end) continue;
    byte_count += log.bytes.size() - log.offsets[skipped];
    record_count += log.end - lanes_[i].number;
  }
  if (record_count == 0) return success();
  if (byte_count > UINT32_MAX) {
    return fail(ErrorCode::kEngine, "cuda: a table's deltas are too many for one copy");
  }
  const size_t deltas_at = layout.add(lanes_.size() * sizeof(LaneDelta));
  const size_t offsets_at = layout.add(record_count * sizeof(uint32_t));
  const size_t bytes_at = layout.add(byte_count);
  SYN_TRY(slot.pinned.reserve(layout.size()));
  SYN_TRY(log_.reserve(layout.size()));
  auto* deltas = slot.pinned.at<LaneDelta>(deltas_at);
  auto* offsets = slot.pinned.at<uint32_t>(offsets_at);
  uint8_t* bytes = slot.pinned.at<uint8_t>(bytes_at);
  uint32_t bytes_done = 0;
  uint32_t offsets_done = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    Lane& lane = lanes_[i];
    const engine::TableLaneLog& log = *table.lanes[i].log;
    const auto count = static_cast<uint32_t>(log.end - lane.number);
    deltas[i] = {bytes_done, offsets_done, count};
    if (count == 0) continue;
    const size_t skipped = lane.number - log.first;
    const uint32_t start = log.offsets[skipped];
    for (uint32_t n = 0; n < count; ++n) {
      offsets[offsets_done + n] = log.offsets[skipped + n] - start;
    }
    std::copy(log.bytes.begin() + start, log.bytes.end(), bytes + bytes_done);
    bytes_done += static_cast<uint32_t>(log.bytes.size() - start);
    offsets_done += count;
    lane.used_count += count;
    lane.number = log.end;
  }
  SYN_TRY(check(cudaMemcpyAsync(log_.data(), slot.pinned.data(), layout.size(),
                                cudaMemcpyHostToDevice, slot.stream),
                "deltas cannot be copied to the card"));
  SYN_TRY(check(launch_apply({device_lanes(), device_used(), log_.at<LaneDelta>(deltas_at),
                              log_.at<uint8_t>(bytes_at), log_.at<uint32_t>(offsets_at),
                              static_cast<uint32_t>(lanes_.size()), value_count_},
                             slot.stream),
                "deltas cannot be applied"));
  // The pinned buffer is free for the batch itself only when the copy is done.
  return slot.wait();
}

std::shared_ptr<TableCopy> TableCopies::find(const engine::TableRef& table) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(copies_.begin(), copies_.end(),
                                  [&](const auto& copy) { return copy->id() == table.id; });
  if (found != copies_.end()) {
    copies_.splice(copies_.begin(), copies_, found);
    return copies_.front();
  }
  if (copies_.size() == kCopyCountMax) copies_.pop_back();
  copies_.push_front(std::make_shared<TableCopy>(table));
  return copies_.front();
}

bool TableCopies::drop_another(const TableCopy& keep) {
  const std::lock_guard lock(mutex_);
  const auto last = std::find_if(copies_.rbegin(), copies_.rend(),
                                 [&](const auto& copy) { return copy.get() != &keep; });
  if (last == copies_.rend()) return false;
  copies_.erase(std::next(last).base());
  return true;
}

void TableCopies::drop(const TableCopy& copy) {
  const std::lock_guard lock(mutex_);
  copies_.remove_if([&](const auto& held) { return held.get() == &copy; });
}

}  // namespace syncline::cuda
