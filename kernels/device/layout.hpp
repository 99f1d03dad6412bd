// Where arrays lie in a slot's memory, on the host and on the device alike.
//
// Everything begins at a multiple of 16, and what lies between two arrays is zero.
// Threads: values.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/bodies/table.h"
#include "kernels/bodies/words.h"
#include "kernels/contract/batch.h"

namespace syncline::device {

inline constexpr size_t kAlignment = 16;
// Buffers that kernels read words from have this much room behind their last byte.
inline constexpr size_t kSlackSize = SYN_READ_SLACK_SIZE;

// Lays arrays out one after the other.
class Layout {
 public:
  size_t add(size_t size) {
    const size_t at = size_;
    size_ = (size_ + size + kAlignment - 1) / kAlignment * kAlignment;
    return at;
  }
  size_t size() const { return size_; }

 private:
  size_t size_ = 0;
};

// A batch's arrays in a slot's input.
struct BatchLayout {
  explicit BatchLayout(const syn_batch& batch) {
    const size_t rows = batch.row_count;
    const size_t cells = rows * batch.field_count;
    Layout layout;
    key_offset = layout.add(rows * sizeof(uint32_t));
    key_length = layout.add(rows * sizeof(uint32_t));
    cell_offset = layout.add(cells * sizeof(uint32_t));
    cell_length = layout.add(cells * sizeof(uint32_t));
    arena = layout.add(batch.arena_size + kSlackSize);
    size = layout.size();
  }

  size_t key_offset;
  size_t key_length;
  size_t cell_offset;
  size_t cell_length;
  size_t arena;
  size_t size;
};

// A batch's fingerprints: on the device, and in the host's buffer on their way.
struct FingerprintLayout {
  FingerprintLayout(uint32_t row_count, uint32_t value_count) {
    Layout layout;
    layout.add(keys_size = row_count * sizeof(syn_hash128));
    cells = layout.add(cells_size = size_t{row_count} * value_count * sizeof(uint64_t));
    size = layout.size();
  }

  size_t keys_size;
  size_t cells_size;
  size_t cells;  // keys lie at 0
  size_t size;
};

// What detect takes beside the fingerprints, in the input; and what it gives.
struct DetectLayout {
  DetectLayout(uint32_t row_count, size_t bitmap_words) {
    Layout in;
    op = in.add(row_count);
    lane = in.add(row_count * sizeof(uint16_t));
    in_size = in.size();
    Layout out;
    out.add(sizeof(uint32_t));
    verdicts = out.add(row_count);
    changed = out.add(row_count * bitmap_words * sizeof(uint64_t));
    out_size = out.size();
  }

  size_t op;
  size_t lane;
  size_t in_size;
  size_t verdicts;  // the status (SYN_DETECT_*) lies at 0
  size_t changed;
  size_t out_size;
};

// Delta records of all lanes, in the input: a syn_lane_delta a lane, the offsets, the bytes.
struct DeltaLayout {
  DeltaLayout(size_t lane_count, size_t record_count, size_t byte_count) {
    Layout layout;
    layout.add(lane_count * sizeof(syn_lane_delta));
    offsets = layout.add(record_count * sizeof(uint32_t));
    bytes = layout.add(byte_count);
    size = layout.size();
  }

  size_t offsets;  // the lanes' records lie at 0
  size_t bytes;
  size_t size;
};

}  // namespace syncline::device
