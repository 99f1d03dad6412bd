// Detect: a thread a row where records are narrow, eight threads a row where they are wide.
//
// A narrow row's thread reads the whole line by four loads of 16 bytes at once, then the record and
// its fingerprints in pieces as wide as their alignment allows: what counts is how many of the
// table's lines are on their way. A wide row's eight threads share the line, a slot each, and then
// the cells, so that a record of up to 1.5 KB is read side by side.
// Eight cells, 1e9 records on an H200: 9.5 G rows/s (engines.cuda.detect); eight threads a row 5.7
// G.
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kBlockSize = 256;
constexpr uint32_t kTile = SYN_SLOTS_PER_LINE;
constexpr uint32_t kRowsAhead = 2;
// Up to so many values a row is narrow; its bitmap is one word.
constexpr uint32_t kNarrowMax = 32;
constexpr uint32_t kRowsPerBlock = kBlockSize / kTile * kRowsAhead;

// The eight threads of a row within their warp.
struct Tile {
  uint32_t index;  // of this thread
  uint32_t first;  // thread of the warp
  uint32_t mask;

  __device__ Tile()
      : index(threadIdx.x % kTile), first(threadIdx.x % 32 / kTile * kTile), mask(0xffu << first) {}
  // One bit a thread, thread 0's the lowest.
  __device__ uint32_t ballot(bool value) const {
    return (__ballot_sync(mask, value) & mask) >> first;
  }
};

struct Row {
  uint32_t number;
  uint8_t op;
  uint64_t key_bits;
  syn_table_lane lane;
  uint64_t line;
  uint64_t held;  // by this thread's slot of the line
};

__device__ Row start_row(const DetectWork& work, uint32_t number, const Tile& tile) {
  Row row;
  row.number = number;
  row.op = work.op[number];
  row.key_bits = syn_key_bits(work.keys[number]);
  row.lane = work.lanes[work.lane[number]];
  row.line = syn_home_line(row.key_bits, row.lane.line_count);
  row.held = SYN_KEY_EMPTY;
  if (row.lane.line_count != 0) {
    row.held = __ldg(row.lane.keys + row.line * SYN_SLOTS_PER_LINE + tile.index);
  }
  return row;
}

__device__ uint64_t find_slot(Row& row, const Tile& tile) {
  for (;;) {
    const uint32_t found = tile.ballot(row.held == row.key_bits);
    if (found != 0) return row.line * SYN_SLOTS_PER_LINE + (__ffs(static_cast<int>(found)) - 1);
    if (tile.ballot(row.held == SYN_KEY_EMPTY) != 0) return SYN_SLOT_ABSENT;
    row.line = syn_next_line(row.line, row.lane.line_count);
    row.held = __ldg(row.lane.keys + row.line * SYN_SLOTS_PER_LINE + tile.index);
  }
}

__device__ void finish_row(const DetectWork& work, const Row& row, uint64_t slot,
                           const Tile& tile) {
  const bool is_known = slot != SYN_SLOT_ABSENT;
  const uint64_t* fingerprints = work.cells + uint64_t{row.number} * work.value_count;
  const uint8_t* held = row.lane.cells + slot * work.value_count * SYN_CELL_SIZE;
  const uint32_t word_count = (work.value_count + 63) / 64;
  uint64_t* changed = work.changed + uint64_t{row.number} * word_count;
  uint64_t any = 0;
  for (uint32_t word = 0; word < word_count; ++word) {
    uint64_t bits = 0;
    const uint32_t end = min(work.value_count, word * 64 + 64);
    for (uint32_t first = word * 64; first < end; first += kTile) {
      const uint32_t value = first + tile.index;
      bool is_changed = false;
      if (value < end) {
        const uint64_t cell = is_known ? syn_load_cell(held, value) : SYN_CELL_UNKNOWN;
        is_changed = syn_is_changed(fingerprints[value], cell) != 0;
      }
      bits |= uint64_t{tile.ballot(is_changed)} << (first % 64);
    }
    if (row.op == SYN_OP_DELETE) bits = 0;
    any |= bits;
    if (tile.index == 0) changed[word] = bits;
  }
  if (tile.index != 0) return;
  work.verdicts[row.number] = syn_verdict(row.op, is_known, any != 0);
  if (row.key_bits == SYN_KEY_REMOVED) atomicOr(work.status, SYN_DETECT_RESERVED);
}

__global__ void __launch_bounds__(kBlockSize) detect_wide(DetectWork work) {
  const Tile tile;
  const uint32_t first = blockIdx.x * kRowsPerBlock + threadIdx.x / kTile;
  Row rows[kRowsAhead];
  uint64_t slots[kRowsAhead];
#pragma unroll
  for (uint32_t i = 0; i < kRowsAhead; ++i) {
    const uint32_t number = first + i * (kBlockSize / kTile);
    // A tile beyond the end does the last row again: the same answer, and no thread goes missing.
    rows[i] = start_row(work, min(number, work.row_count - 1), tile);
  }
#pragma unroll
  for (uint32_t i = 0; i < kRowsAhead; ++i) slots[i] = find_slot(rows[i], tile);
#pragma unroll
  for (uint32_t i = 0; i < kRowsAhead; ++i) finish_row(work, rows[i], slots[i], tile);
}

// All eight slots of a line at once.
__device__ uint64_t find_alone(syn_table_lane lane, uint64_t key_bits) {
  if (lane.line_count == 0) return SYN_SLOT_ABSENT;
  uint64_t line = syn_home_line(key_bits, lane.line_count);
  for (;;) {
    const auto* pairs = reinterpret_cast<const ulonglong2*>(lane.keys + line * SYN_SLOTS_PER_LINE);
    ulonglong2 held[SYN_SLOTS_PER_LINE / 2];
#pragma unroll
    for (uint32_t i = 0; i < SYN_SLOTS_PER_LINE / 2; ++i) held[i] = __ldg(pairs + i);
    bool has_empty = false;
    uint32_t found = SYN_SLOTS_PER_LINE;
#pragma unroll
    for (uint32_t i = 0; i < SYN_SLOTS_PER_LINE / 2; ++i) {
      if (held[i].x == key_bits) found = 2 * i;
      if (held[i].y == key_bits) found = 2 * i + 1;
      has_empty |= held[i].x == SYN_KEY_EMPTY || held[i].y == SYN_KEY_EMPTY;
    }
    if (found < SYN_SLOTS_PER_LINE) return line * SYN_SLOTS_PER_LINE + found;
    if (has_empty) return SYN_SLOT_ABSENT;
    line = syn_next_line(line, lane.line_count);
  }
}

// Eight cells in 48 bytes: three loads of 16.
__device__ void load_eight(const uint8_t* cells, uint64_t* out) {
  const auto* pieces = reinterpret_cast<const uint4*>(cells);
  const uint4 a = __ldg(pieces);
  const uint4 b = __ldg(pieces + 1);
  const uint4 c = __ldg(pieces + 2);
  const uint32_t words[12] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w, c.x, c.y, c.z, c.w};
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    out[2 * i] = words[3 * i] | static_cast<uint64_t>(words[3 * i + 1] & 0xffffu) << 32;
    out[2 * i + 1] = words[3 * i + 1] >> 16 | static_cast<uint64_t>(words[3 * i + 2]) << 16;
  }
}

// Bits of the eight values from first on. REQUIRES: value_count is a multiple of eight.
__device__ uint64_t compare_eight(const uint64_t* fingerprints, const uint8_t* held, bool is_known,
                                  uint32_t first) {
  uint64_t cells[8] = {};
  if (is_known) load_eight(held + uint64_t{first} * SYN_CELL_SIZE, cells);
  const auto* pairs = reinterpret_cast<const ulonglong2*>(fingerprints + first);
  uint64_t bits = 0;
#pragma unroll
  for (uint32_t i = 0; i < 4; ++i) {
    const ulonglong2 pair = __ldg(pairs + i);
    bits |= static_cast<uint64_t>(syn_is_changed(pair.x, cells[2 * i])) << (2 * i);
    bits |= static_cast<uint64_t>(syn_is_changed(pair.y, cells[2 * i + 1])) << (2 * i + 1);
  }
  return bits << first;
}

__device__ uint64_t compare_each(const uint64_t* fingerprints, const uint8_t* held, bool is_known,
                                 uint32_t value_count) {
  uint64_t bits = 0;
  for (uint32_t i = 0; i < value_count; ++i) {
    const uint64_t cell = is_known ? syn_load_cell(held, i) : SYN_CELL_UNKNOWN;
    bits |= static_cast<uint64_t>(syn_is_changed(fingerprints[i], cell)) << i;
  }
  return bits;
}

template <bool is_in_eights>
__global__ void __launch_bounds__(kBlockSize) detect_narrow(DetectWork work) {
  const uint32_t row = blockIdx.x * kBlockSize + threadIdx.x;
  if (row >= work.row_count) return;
  const uint8_t op = work.op[row];
  const uint64_t key_bits = syn_key_bits(work.keys[row]);
  const syn_table_lane lane = work.lanes[work.lane[row]];
  const uint64_t slot = find_alone(lane, key_bits);
  const bool is_known = slot != SYN_SLOT_ABSENT;
  const uint64_t* fingerprints = work.cells + uint64_t{row} * work.value_count;
  const uint8_t* held = lane.cells + slot * work.value_count * SYN_CELL_SIZE;
  uint64_t bits = 0;
  if (op != SYN_OP_DELETE) {
    if (is_in_eights) {
      for (uint32_t first = 0; first < work.value_count; first += 8) {
        bits |= compare_eight(fingerprints, held, is_known, first);
      }
    } else {
      bits = compare_each(fingerprints, held, is_known, work.value_count);
    }
  }
  if (work.value_count > 0) work.changed[row] = bits;
  work.verdicts[row] = syn_verdict(op, is_known, bits != 0);
  if (key_bits == SYN_KEY_REMOVED) atomicOr(work.status, SYN_DETECT_RESERVED);
}

}  // namespace

cudaError_t launch_detect(const DetectWork& work, cudaStream_t stream) {
  if (work.row_count == 0) return cudaSuccess;
  if (work.value_count > kNarrowMax) {
    const uint32_t blocks = (work.row_count + kRowsPerBlock - 1) / kRowsPerBlock;
    detect_wide<<<blocks, kBlockSize, 0, stream>>>(work);
    return cudaGetLastError();
  }
  const uint32_t blocks = (work.row_count + kBlockSize - 1) / kBlockSize;
  const auto kernel = work.value_count % 8 == 0 ? detect_narrow<true> : detect_narrow<false>;
  kernel<<<blocks, kBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

}  // namespace syncline::cuda
