#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/cpu/detect_internal.hpp"

namespace syncline::cpu {
namespace {

using Scratch = engine::Detected::Scratch;
constexpr uint32_t kNone = ~uint32_t{0};

bool is_same_key(const DetectRows& rows, uint32_t a, uint32_t b) {
  return syn_key_bits(rows.keys[a]) == syn_key_bits(rows.keys[b]) && rows.lane[a] == rows.lane[b];
}

// Lists (row, first row with its key) for every row whose key came before: an open-addressed index
// of the batch's keys, at most half full.
void find_repeats(const DetectRows& rows, Scratch& scratch) {
  const size_t capacity = std::bit_ceil(std::max<size_t>(size_t{rows.row_count} * 2, 16));
  scratch.row_of_key.assign(capacity, kNone);
  scratch.repeats.clear();
  uint32_t* index = scratch.row_of_key.data();
  for (uint32_t row = 0; row < rows.row_count; ++row) {
    // The middle bits: the top ones are alike where batches come in the table's order.
    size_t place = (rows.keys[row].low >> 16) & (capacity - 1);
    while (index[place] != kNone && !is_same_key(rows, index[place], row)) {
      place = (place + 1) & (capacity - 1);
    }
    if (index[place] == kNone) {
      index[place] = row;
    } else {
      scratch.repeats.push_back(row);
      scratch.repeats.push_back(index[place]);
    }
  }
}

const uint8_t* find_cells(const DetectRows& rows, uint32_t row) {
  const engine::TableLaneRef& lane = rows.lanes[rows.lane[row]];
  const uint64_t key_bits = syn_key_bits(rows.keys[row]);
  uint64_t slot = syn_home_line(key_bits, lane.line_count) * SYN_SLOTS_PER_LINE;
  const uint64_t slot_count = lane.line_count * SYN_SLOTS_PER_LINE;
  while (lane.keys[slot] != key_bits) slot = slot + 1 == slot_count ? 0 : slot + 1;
  return lane.cells + slot * rows.value_count * SYN_CELL_SIZE;
}

// A key's state between two rows: word 0 says whether it is known, then its cells.
class State {
 public:
  State(const DetectRows& rows, uint64_t* words) : rows_(rows), words_(words) {}

  // What the first row with the key leaves, by the verdict that the kernel gave it.
  void start(uint32_t row) {
    const uint8_t verdict = rows_.verdicts[row];
    words_[0] = verdict != SYN_VERDICT_GONE && rows_.op[row] != SYN_OP_DELETE;
    if (words_[0] == 0) return;
    std::fill_n(words_ + 1, rows_.value_count, SYN_CELL_UNKNOWN);
    if (verdict != SYN_VERDICT_NEW) {
      const uint8_t* cells = find_cells(rows_, row);
      for (uint32_t i = 0; i < rows_.value_count; ++i) {
        std::memcpy(words_ + 1 + i, cells + size_t{i} * SYN_CELL_SIZE, SYN_CELL_SIZE);
      }
    }
    take(row);
  }

  void judge(uint32_t row) {
    uint64_t* changed = rows_.changed + size_t{row} * rows_.bitmap_words;
    std::fill_n(changed, rows_.bitmap_words, 0);
    const bool was_known = words_[0] != 0;
    if (rows_.op[row] == SYN_OP_DELETE) {
      rows_.verdicts[row] = was_known ? SYN_VERDICT_GONE : SYN_VERDICT_SAME;
      words_[0] = 0;
      return;
    }
    if (!was_known) std::fill_n(words_ + 1, rows_.value_count, SYN_CELL_UNKNOWN);
    words_[0] = 1;
    const bool is_changed = compare(row, changed);
    take(row);
    if (was_known) {
      rows_.verdicts[row] = is_changed ? SYN_VERDICT_CHANGED : SYN_VERDICT_SAME;
    } else {
      rows_.verdicts[row] = SYN_VERDICT_NEW;
    }
  }

 private:
  uint64_t cell(uint32_t row, uint32_t i) const {
    return syn_cell_of_fingerprint(rows_.cells[size_t{row} * rows_.value_count + i]);
  }
  bool compare(uint32_t row, uint64_t* changed) const {
    bool is_changed = false;
    for (uint32_t i = 0; i < rows_.value_count; ++i) {
      const uint64_t now = cell(row, i);
      if (now == SYN_CELL_UNKNOWN || now == words_[1 + i]) continue;
      changed[i / 64] |= uint64_t{1} << (i % 64);
      is_changed = true;
    }
    return is_changed;
  }
  void take(uint32_t row) {
    for (uint32_t i = 0; i < rows_.value_count; ++i) {
      const uint64_t now = cell(row, i);
      if (now != SYN_CELL_UNKNOWN) words_[1 + i] = now;
    }
  }

  const DetectRows& rows_;
  uint64_t* words_;
};

}  // namespace

void settle_repeats(const DetectRows& rows, Scratch& scratch) {
  find_repeats(rows, scratch);
  if (scratch.repeats.empty()) return;
  const size_t state_words = 1 + size_t{rows.value_count};
  scratch.state_of_row.assign(rows.row_count, kNone);
  scratch.states.resize(scratch.repeats.size() / 2 * state_words);
  uint32_t state_count = 0;
  for (size_t i = 0; i < scratch.repeats.size(); i += 2) {
    const uint32_t first = scratch.repeats[i + 1];
    uint32_t& index = scratch.state_of_row[first];
    const bool is_fresh = index == kNone;
    if (is_fresh) index = state_count++;
    State state(rows, scratch.states.data() + index * state_words);
    if (is_fresh) state.start(first);
    state.judge(scratch.repeats[i]);
  }
}

}  // namespace syncline::cpu
