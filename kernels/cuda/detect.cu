// Detect: eight threads a row, one for each slot of a line, then one for each cell.
//
// A line is one load of 64 bytes by eight neighbours, and the record's cells are read side by side;
// four rows of a warp are looked up at once, and each eight work on kRowsAhead rows so that more
// lines are on their way.
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kBlockSize = 256;
constexpr uint32_t kTile = SYN_SLOTS_PER_LINE;
constexpr uint32_t kRowsAhead = 2;
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
  if (row.key_bits == SYN_KEY_REMOVED) atomicOr(work.status, kStatusReserved);
}

__global__ void __launch_bounds__(kBlockSize) detect_rows(DetectWork work) {
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

}  // namespace

cudaError_t launch_detect(const DetectWork& work, cudaStream_t stream) {
  if (work.row_count == 0) return cudaSuccess;
  const uint32_t blocks = (work.row_count + kRowsPerBlock - 1) / kRowsPerBlock;
  detect_rows<<<blocks, kBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

}  // namespace syncline::cuda
