#include "kernels/device/table_copy.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace syncline::device {
namespace {

__extension__ using uint128 = unsigned __int128;

// Slots of a host lane that travel as one.
constexpr uint64_t kPieceSlotsMin = 64;
constexpr uint64_t kPieceSlotsMax = 32'768;
constexpr size_t kPieceSize = 2u << 20;
// More keys than a piece has slots may be at home there.
constexpr uint64_t kSpillSlots = 1024;

uint64_t slots_of(uint64_t line_count) {
  return line_count * SYN_SLOTS_PER_LINE;
}

// A sixteenth stays empty, so that searches are short; and at least one slot, so that they end.
uint64_t room_of(uint64_t line_count) {
  const uint64_t slots = slots_of(line_count);
  return slots - slots / 16 - std::min<uint64_t>(slots, 1);
}

// Room for the host's lane and an eighth more, so that the copy grows less often than the host's.
uint64_t line_count_for(const engine::TableLaneRef& from, uint64_t more_records) {
  return from.line_count + from.line_count / 8 + more_records / 2 + 2;
}

uint64_t host_slots(const engine::TableRef& table) {
  uint64_t slots = 0;
  for (uint32_t i = 0; i < table.lane_count; ++i) slots += slots_of(table.lanes[i].line_count);
  return slots;
}

// With every update, for the table stops keeping a log that nobody asks for.
void ask_for(const engine::TableLaneLog& log) {
  log.is_followed.store(true, std::memory_order_relaxed);
}

// The last key that is at home before this line.
uint64_t last_key_before(uint64_t line, uint64_t line_count) {
  return static_cast<uint64_t>(((uint128{line} << 64) - 1) / line_count);
}

uint64_t key_of(const engine::TableLaneLog& log, size_t place) {
  uint64_t key_bits = 0;
  std::memcpy(&key_bits, log.bytes.data() + log.offsets[place] + 1, sizeof key_bits);
  return key_bits;
}

size_t record_end(const engine::TableLaneLog& log, size_t place) {
  return place + 1 < log.offsets.size() ? log.offsets[place + 1] : log.bytes.size();
}

// Places in the log of what a lane takes over, each with its bytes: of a part of the keys, only
// what is about them.
template <class Visit>
void for_each_record(const engine::TableLaneLog& log, uint64_t number, bool is_whole,
                     uint64_t keys_end, const Visit& visit) {
  for (size_t place = number - log.first; place < log.offsets.size(); ++place) {
    if (is_whole || key_of(log, place) < keys_end) {
      visit(log.offsets[place], record_end(log, place));
    }
  }
}

}  // namespace

void TableCopy::give_up(Slot& slot) {
  slot.bury(std::shared_ptr<TableMemory>(std::move(memory_)));
  std::ranges::fill(lanes_, Lane());
  renew_memory();
}

// The next batch on the copy may be another slot's, behind whose commands none of this one's may
// be.
Result<void> TableCopy::update(const engine::TableRef& table, Slot& slot) {
  Result<void> updated = go_on(table, slot);
  if (updated.has_value() || updated.error().code != ErrorCode::kEngineNotReady) return updated;
  SYN_TRY(slot.wait());
  return updated;
}

Result<void> TableCopy::go_on(const engine::TableRef& table, Slot& slot) {
  slots_left_ =
      std::min(shares_.slots, std::max<uint64_t>(shares_.bytes / slot_size(), kPieceSlotsMin));
  moved_left_ = shares_.moved_slots;
  SYN_TRY(begin_lanes(table, slot));
  for (size_t i = 0; i < lanes_.size(); ++i) {
    SYN_TRY(grow_lane(table.lanes[i], i, slot));
  }
  SYN_TRY(apply_logs(table, slot));
  SYN_TRY(copy_lanes(table, slot));
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].is_whole && lanes_[i].number == table.lanes[i].log->end) continue;
    return fail(ErrorCode::kEngineNotReady, "a table's copy is under way");
  }
  refusal_ = {};
  return success();
}

bool TableCopy::is_refused(const engine::TableRef& table) {
  const uint64_t slots = host_slots(table);
  if (slots < refusal_.slots - refusal_.slots / 8) refusal_ = {};
  if (refusal_.asks_left == 0) return false;
  --refusal_.asks_left;
  return true;
}

void TableCopy::refuse(const engine::TableRef& table, uint64_t turn) {
  const uint64_t patience = std::clamp<uint64_t>(2 * refusal_.patience, 1, kPatienceMax);
  refusal_ = {turn, host_slots(table), patience, patience - 1};
}

// Memory for all of them first: nothing is copied of a table that has no room.
Result<void> TableCopy::begin_lanes(const engine::TableRef& table, Slot& slot) {
  uint64_t line_count = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    ask_for(*table.lanes[i].log);
    if (lanes_[i].is_begun && lanes_[i].number >= table.lanes[i].log->first) continue;
    memory_->drop(i, slot);
    lanes_[i] = {.line_count = lanes_[i].line_count};
    line_count += line_count_for(table.lanes[i], 0);
  }
  SYN_TRY(memory_->prepare(line_count, slot));
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (lanes_[i].is_begun) continue;
    SYN_TRY(begin_lane(table.lanes[i], i, slot));
  }
  return success();
}

Result<void> TableCopy::begin_lane(const engine::TableLaneRef& from, size_t index, Slot& slot) {
  Lane fresh;
  // A lane that was there has to be seen to be empty.
  if (from.line_count > 0 || lanes_[index].line_count > 0) {
    fresh.line_count = line_count_for(from, 0);
    SYN_TRY(memory_->lay_out(index, fresh.line_count, slot));
    SYN_TRY(memory_->swap(index, slot));
  }
  fresh.number = from.log->end;
  fresh.is_whole = from.line_count == 0;
  fresh.is_begun = true;
  lanes_[index] = fresh;
  return success();
}

// What a lane must have room for: its log, and what is still to come from the host.
uint64_t TableCopy::wanted_room(const engine::TableLaneRef& from, const Lane& lane) {
  const uint64_t records = from.log->end - lane.number;
  if (lane.is_whole) return records;
  const uint64_t lines_done = syn_home_line(lane.keys_end, from.line_count);
  const uint64_t rest = slots_of(from.line_count - lines_done);
  return records + rest + rest / 32;
}

bool TableCopy::has_room(const engine::TableLaneRef& from, const Lane& lane) {
  return !lane.is_tight && lane.used_count + wanted_room(from, lane) <= room_of(lane.line_count);
}

Result<void> TableCopy::grow_lane(const engine::TableLaneRef& from, size_t index, Slot& slot) {
  Lane& lane = lanes_[index];
  if (lane.fresh_line_count == 0) {
    if (has_room(from, lane)) return success();
    // Counted were all records, also those of keys that were there already.
    SYN_TRY(lane.used_count, memory_->used_count(index, slot));
    if (has_room(from, lane)) return success();
    const uint64_t larger = lane.is_tight ? lane.line_count + lane.line_count / 8 + 2 : 0;
    const uint64_t line_count = std::max(line_count_for(from, from.log->end - lane.number), larger);
    SYN_TRY(memory_->lay_out(index, line_count, slot));
    lane.fresh_line_count = line_count;
    lane.moved_slots = 0;
  }
  return move_lane(index, slot);
}

Result<void> TableCopy::move_lane(size_t index, Slot& slot) {
  Lane& lane = lanes_[index];
  const uint64_t count = std::min(moved_left_, slots_of(lane.line_count) - lane.moved_slots);
  if (count > 0) {
    SYN_TRY(memory_->move(index, lane.moved_slots, count, slot));
    SYN_TRY(slot.wait(Work::kMove, count * slot_size()));
    moved_left_ -= count;
    lane.moved_slots += count;
  }
  if (lane.moved_slots < slots_of(lane.line_count)) return success();
  SYN_TRY(memory_->swap(index, slot));
  SYN_TRY(lane.used_count, memory_->used_count(index, slot));
  lane.line_count = std::exchange(lane.fresh_line_count, 0);
  lane.is_tight = false;
  return success();
}

TableCopy::Pending TableCopy::pending(const engine::TableRef& table) const {
  Pending pending;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (!follows(table.lanes[i], lanes_[i])) continue;
    for_each_record(*table.lanes[i].log, lanes_[i].number, lanes_[i].is_whole, lanes_[i].keys_end,
                    [&](size_t begin, size_t end) {
                      ++pending.records;
                      pending.bytes += end - begin;
                    });
  }
  return pending;
}

// Whether its log goes on: not while it is moved, nor where it has become too small meanwhile.
bool TableCopy::follows(const engine::TableLaneRef& from, const Lane& lane) {
  return lane.fresh_line_count == 0 && has_room(from, lane);
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
    deltas[i] = {bytes_done, offsets_done, 0};
    if (!follows(table.lanes[i], lane)) continue;
    for_each_record(log, lane.number, lane.is_whole, lane.keys_end, [&](size_t begin, size_t end) {
      offsets[offsets_done++] = bytes_done - deltas[i].bytes_at;
      std::memcpy(bytes + bytes_done, log.bytes.data() + begin, end - begin);
      bytes_done += static_cast<uint32_t>(end - begin);
      ++deltas[i].count;
    });
    lane.used_count += deltas[i].count;
    lane.number = log.end;
  }
}

Result<void> TableCopy::apply_logs(const engine::TableRef& table, Slot& slot) {
  const Pending more = pending(table);
  if (more.bytes > UINT32_MAX) {
    return fail(ErrorCode::kInternal, "a table's deltas are too many for one copy");
  }
  const DeltaLayout layout(lanes_.size(), more.records, more.bytes);
  SYN_TRY(slot.reserve(Area::kHost, layout.size));
  gather(table, layout, slot.host());
  if (more.records == 0) return success();
  SYN_TRY(slot.reserve(Area::kInput, layout.size));
  SYN_TRY(slot.copy_in(0, layout.size));
  SYN_TRY(memory_->apply(layout, slot));
  // Both areas are free for the batch itself only when the records are taken over.
  return slot.wait(Work::kApply, layout.size);
}

uint64_t TableCopy::piece_slots() const {
  const uint64_t slots =
      std::clamp<uint64_t>(kPieceSize / slot_size(), kPieceSlotsMin, kPieceSlotsMax);
  return std::min(slots, shares_.slots);
}

// As many lines as make one piece.
TableCopy::Range TableCopy::next_range(const engine::TableLaneRef& from, const Lane& lane) const {
  Range range{};
  range.first_key = lane.keys_end;
  range.first_line = syn_home_line(lane.keys_end, from.line_count);
  range.line_count =
      std::min(piece_slots() / SYN_SLOTS_PER_LINE, from.line_count - range.first_line);
  range.last_key = last_key_before(range.first_line + range.line_count, from.line_count);
  return range;
}

// Keys are in their home line or behind full ones: the first line behind the range that is not full
// ends the search.
void TableCopy::collect(const engine::TableLaneRef& from, const Range& range) {
  collected_.clear();
  uint64_t line = range.first_line;
  for (uint64_t seen = 1; seen <= from.line_count; ++seen) {
    bool is_full = true;
    for (uint64_t slot = slots_of(line); slot < slots_of(line + 1); ++slot) {
      const uint64_t key_bits = from.keys[slot];
      if (key_bits == SYN_KEY_EMPTY) is_full = false;
      const bool is_wanted = key_bits != SYN_KEY_EMPTY && key_bits != SYN_KEY_REMOVED &&
                             key_bits >= range.first_key && key_bits <= range.last_key;
      if (is_wanted) collected_.push_back(slot);
    }
    if (seen >= range.line_count && !is_full) return;
    line = syn_next_line(line, from.line_count);
  }
}

void TableCopy::put_collected(const engine::TableLaneRef& from, uint8_t* keys,
                              uint8_t* cells) const {
  for (const uint64_t slot : collected_) {
    std::memcpy(keys, from.keys + slot, sizeof(uint64_t));
    keys += sizeof(uint64_t);
    if (record_size() == 0) continue;
    std::memcpy(cells, from.cells + slot * record_size(), record_size());
    cells += record_size();
  }
}

// Pieces lie one behind the other in both areas, so that the device takes one while the next is
// put there. Gives where the next one goes; nothing is sent that has no room there.
Result<size_t> TableCopy::copy_range(const engine::TableLaneRef& from, size_t index, size_t at,
                                     size_t size_max, Slot& slot) {
  Lane& lane = lanes_[index];
  const Range range = next_range(from, lane);
  collect(from, range);
  slots_left_ -= std::min(slots_left_, slots_of(range.line_count));
  const uint64_t count = collected_.size();
  lane.is_tight = lane.used_count + count > room_of(lane.line_count);
  Layout layout;
  layout.add(count * sizeof(uint64_t));
  const size_t cells_at = layout.add(count * record_size());
  if (lane.is_tight || at + layout.size() > size_max) {
    slots_left_ = 0;
    return at;
  }
  if (count > 0) {
    put_collected(from, slot.host() + at, slot.host() + at + cells_at);
    SYN_TRY(slot.copy_in(at, layout.size()));
    SYN_TRY(memory_->fill(index, {.slot_count = count, .keys_at = at, .cells_at = at + cells_at},
                          slot));
  }
  lane.used_count += count;
  lane.is_whole = range.first_line + range.line_count == from.line_count;
  lane.keys_end = range.last_key + 1;
  return at + layout.size();
}

Result<void> TableCopy::copy_lanes(const engine::TableRef& table, Slot& slot) {
  const auto is_next = [&](size_t i) {
    return slots_left_ > 0 && !lanes_[i].is_whole && follows(table.lanes[i], lanes_[i]);
  };
  uint64_t slots = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    if (is_next(i)) slots += slots_of(table.lanes[i].line_count) + kSpillSlots;
  }
  if (slots == 0) return success();
  slots = std::min(slots, slots_left_ + piece_slots() + kSpillSlots);
  const size_t size_max = slots * slot_size();
  SYN_TRY(slot.reserve(Area::kHost, size_max));
  SYN_TRY(slot.reserve(Area::kInput, size_max));
  size_t at = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    while (is_next(i)) {
      SYN_TRY(at, copy_range(table.lanes[i], i, at, size_max, slot));
    }
  }
  return slot.wait(Work::kFill, at);
}

}  // namespace syncline::device
