// The lookup loop of detect, for the kernel files: each instantiates it with its own way to match
// a line and to compare a record's cells. Ops lives in the file's anonymous namespace, so nothing
// here is shared between files compiled with different flags.
//
// Rows pass three stations, a group apart, so that the memory of one is on its way while the
// others are worked on: the home line is asked for; the line is matched and the cells asked for;
// the cells are compared.
//   Ops::match(line, key_bits)   bits 0-7: slots that hold the key, bits 8-15: empty slots
//   Ops::compare(rows, row, cells, changed)  writes the row's bitmap; true if any bit is set
#pragma once

#include "kernels/cpu/detect.hpp"

namespace syncline::cpu {

template <class Ops>
struct DetectLoop {
  static constexpr uint32_t kGroupSize = 32;
  static constexpr uint64_t kAbsent = ~uint64_t{0};

  struct Group {
    uint64_t line[kGroupSize];
    uint64_t slot[kGroupSize];
  };

  static void ask_for_lines(const DetectRows& rows, uint32_t first, uint32_t last, Group& group) {
    for (uint32_t row = first; row < last; ++row) {
      const engine::TableLaneRef& lane = rows.lanes[rows.lane[row]];
      const uint64_t line = syn_home_line(syn_key_bits(rows.keys[row]), lane.line_count);
      group.line[row - first] = line;
      __builtin_prefetch(lane.keys + line * SYN_SLOTS_PER_LINE);
    }
  }

  static uint64_t find(const engine::TableLaneRef& lane, uint64_t line, uint64_t key_bits) {
    if (lane.line_count == 0) return kAbsent;
    while (true) {
      const uint32_t found = Ops::match(lane.keys + line * SYN_SLOTS_PER_LINE, key_bits);
      if ((found & 0xff) != 0) {
        return line * SYN_SLOTS_PER_LINE + static_cast<uint32_t>(__builtin_ctz(found));
      }
      if (found != 0) return kAbsent;
      line = line + 1 == lane.line_count ? 0 : line + 1;
    }
  }

  static void match_lines(const DetectRows& rows, uint32_t first, uint32_t last, Group& group) {
    const uint64_t record_size = uint64_t{rows.value_count} * SYN_CELL_SIZE;
    for (uint32_t row = first; row < last; ++row) {
      const engine::TableLaneRef& lane = rows.lanes[rows.lane[row]];
      const uint64_t slot = find(lane, group.line[row - first], syn_key_bits(rows.keys[row]));
      group.slot[row - first] = slot;
      if (slot == kAbsent) continue;
      const uint8_t* cells = lane.cells + slot * record_size;
      __builtin_prefetch(cells);
      __builtin_prefetch(cells + record_size - 1);
    }
  }

  static void settle_new(const DetectRows& rows, uint32_t row, uint64_t* changed) {
    const uint64_t* cells = rows.cells + uint64_t{row} * rows.value_count;
    for (uint32_t word = 0; word < rows.bitmap_words; ++word) {
      const uint32_t left = rows.value_count - word * 64;
      const uint32_t count = left < 64 ? left : 64;
      uint64_t bits = 0;
      for (uint32_t i = 0; i < count; ++i) {
        const uint64_t is_known = cells[word * 64 + i] != SYN_FINGERPRINT_UNCHANGED;
        bits |= is_known << i;
      }
      changed[word] = bits;
    }
  }

  static void compare_rows(const DetectRows& rows, uint32_t first, uint32_t last,
                           const Group& group) {
    const uint64_t record_size = uint64_t{rows.value_count} * SYN_CELL_SIZE;
    for (uint32_t row = first; row < last; ++row) {
      const uint64_t slot = group.slot[row - first];
      uint64_t* changed = rows.changed + uint64_t{row} * rows.bitmap_words;
      if (rows.op[row] == SYN_OP_DELETE) {
        for (uint32_t word = 0; word < rows.bitmap_words; ++word) changed[word] = 0;
        rows.verdicts[row] = slot == kAbsent ? SYN_VERDICT_SAME : SYN_VERDICT_GONE;
      } else if (slot == kAbsent) {
        settle_new(rows, row, changed);
        rows.verdicts[row] = SYN_VERDICT_NEW;
      } else {
        const uint8_t* cells = rows.lanes[rows.lane[row]].cells + slot * record_size;
        const bool is_changed = Ops::compare(rows, row, cells, changed);
        rows.verdicts[row] = is_changed ? SYN_VERDICT_CHANGED : SYN_VERDICT_SAME;
      }
    }
  }

  static void run(const DetectRows& rows) {
    Group groups[3];
    const uint32_t group_count = (rows.row_count + kGroupSize - 1) / kGroupSize;
    const auto end_of = [&rows](uint32_t index) {
      const uint64_t end = (uint64_t{index} + 1) * kGroupSize;
      return end < rows.row_count ? static_cast<uint32_t>(end) : rows.row_count;
    };
    for (uint32_t step = 0; step < group_count + 2; ++step) {
      if (step < group_count) {
        ask_for_lines(rows, step * kGroupSize, end_of(step), groups[step % 3]);
      }
      if (step >= 1 && step - 1 < group_count) {
        match_lines(rows, (step - 1) * kGroupSize, end_of(step - 1), groups[(step - 1) % 3]);
      }
      if (step >= 2) {
        compare_rows(rows, (step - 2) * kGroupSize, end_of(step - 2), groups[(step - 2) % 3]);
      }
    }
  }
};

}  // namespace syncline::cpu
