#include "kernels/device/table_copy.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace syncline::device {
namespace {

// Slots of a host lane that travel at once.
constexpr uint64_t kPieceSlots = 32768;

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

// Room for the host's lane and an eighth more, so that the copy grows less often than the host's.
uint64_t line_count_for(const engine::TableLaneRef& from, uint64_t more_records) {
  return from.line_count + from.line_count / 8 + more_records / 2 + 2;
}

// With every update, for the table stops keeping a log that nobody asks for.
void ask_for(const engine::TableLaneLog& log) {
  log.is_followed.store(true, std::memory_order_relaxed);
}

}  // namespace

void TableCopy::forget() {
  for (Lane& lane : lanes_) lane.is_there = false;
}

Result<void> TableCopy::lay_out(size_t index, uint64_t line_count, Slot& slot) {
  Lane& lane = lanes_[index];
  lane.is_there = false;
  SYN_TRY(lane.used_count, memory_->lay_out(index, line_count, slot));
  lane.line_count = line_count;
  lane.is_there = true;
  return success();
}

// From the host's memory, piece by piece.
Result<void> TableCopy::copy_lane(const engine::TableLaneRef& from, size_t index, Slot& slot) {
  Lane& lane = lanes_[index];
  memory_->drop(index, slot);
  lane.line_count = 0;
  SYN_TRY(lay_out(index, line_count_for(from, 0), slot));
  lane.is_there = false;
  const uint64_t record_size = uint64_t{value_count_} * SYN_CELL_SIZE;
  Layout layout;
  layout.add(kPieceSlots * sizeof(uint64_t));
  const size_t cells_at = layout.add(kPieceSlots * record_size);
  SYN_TRY(slot.reserve(Area::kHost, layout.size()));
  SYN_TRY(slot.reserve(Area::kInput, layout.size()));
  for (uint64_t first = 0; first < slots_of(from.line_count); first += kPieceSlots) {
    const uint64_t count = std::min(kPieceSlots, slots_of(from.line_count) - first);
    const size_t keys_size = count * sizeof(uint64_t);
    const size_t cells_size = count * record_size;
    SYN_TRY(slot.upload(from.keys + first, keys_size, keys_size, 0));
    SYN_TRY(slot.upload(from.cells + first * record_size, cells_size, cells_size, cells_at));
    SYN_TRY(memory_->fill(index, count, cells_at, slot));
    SYN_TRY(slot.wait(Work::kFill, keys_size + cells_size));
  }
  SYN_TRY(lane.used_count, memory_->used_count(index, slot));
  lane.number = from.log->end;
  lane.is_there = true;
  return success();
}

// A sixteenth stays empty, so that searches are short; and at least one slot, so that they end.
bool TableCopy::has_room(const engine::TableLaneRef& from, const Lane& lane) {
  const uint64_t slots = slots_of(lane.line_count);
  return lane.used_count + (from.log->end - lane.number) < slots - slots / 16;
}

Result<void> TableCopy::update_lane(const engine::TableLaneRef& from, size_t index, Slot& slot) {
  Lane& lane = lanes_[index];
  ask_for(*from.log);
  if (!lane.is_there || lane.number < from.log->first) {
    if (from.line_count != 0 || lane.line_count != 0) return copy_lane(from, index, slot);
    lane.number = from.log->end;
    lane.is_there = true;
    return success();
  }
  if (lane.number == from.log->end || has_room(from, lane)) return success();
  return lay_out(index, line_count_for(from, from.log->end - lane.number), slot);
}

Result<void> TableCopy::update(const engine::TableRef& table, Slot& slot) {
  SYN_TRY(memory_->prepare(slot));
  for (size_t i = 0; i < lanes_.size(); ++i) {
    SYN_TRY(update_lane(table.lanes[i], i, slot));
  }
  return apply_logs(table, slot);
}

TableCopy::Pending TableCopy::pending(const engine::TableRef& table) const {
  Pending pending;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    const engine::TableLaneLog& log = *table.lanes[i].log;
    if (lanes_[i].number == log.end) continue;
    pending.bytes += log.bytes.size() - log.offsets[lanes_[i].number - log.first];
    pending.records += log.end - lanes_[i].number;
  }
  return pending;
}

void TableCopy::gather(const engine::TableRef& table, const DeltaLayout& layout, uint8_t* into) {
  auto* deltas = reinterpret_cast<syn_lane_delta*>(into);
  auto* offsets = reinterpret_cast<uint32_t*>(into + layout.offsets);
  uint8_t* bytes = into + layout.bytes;
  std::memset(into, 0, layout.size);
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
}

Result<void> TableCopy::apply_logs(const engine::TableRef& table, Slot& slot) {
  const Pending more = pending(table);
  if (more.records == 0) return success();
  if (more.bytes > UINT32_MAX) {
    return fail(ErrorCode::kEngine, "a table's deltas are too many for one copy");
  }
  const DeltaLayout layout(lanes_.size(), more.records, more.bytes);
  SYN_TRY(slot.reserve(Area::kHost, layout.size));
  SYN_TRY(slot.reserve(Area::kInput, layout.size));
  gather(table, layout, slot.host());
  SYN_TRY(slot.copy_in(0, layout.size));
  SYN_TRY(memory_->apply(layout, slot));
  // Both areas are free for the batch itself only when the records are taken over.
  return slot.wait(Work::kApply, layout.size);
}

std::shared_ptr<TableCopy> TableCopies::find(const engine::TableRef& table, Device& device) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(copies_.begin(), copies_.end(),
                                  [&](const auto& copy) { return copy->id() == table.id; });
  if (found != copies_.end()) {
    copies_.splice(copies_.begin(), copies_, found);
    return copies_.front();
  }
  if (copies_.size() == kCopyCountMax) copies_.pop_back();
  auto fresh = std::make_unique<TableCopy>(
      table, device.make_table_memory(table.lane_count, table.value_count));
  copies_.emplace_front(fresh.release(), [this](TableCopy* dropped) {
    graveyard_.bury(std::shared_ptr<TableCopy>(dropped));
  });
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

}  // namespace syncline::device
