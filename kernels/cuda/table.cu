// The copy of a fingerprint table in device memory: laid out from slots that lie elsewhere, and
// kept equal by the host table's own deltas.
//
// Keys are only ever added to a line, by compare-and-swap, and a removed one leaves its slot taken
// (SYN_KEY_REMOVED) until the lane is laid out anew; so a key lies in its home line or behind full
// ones at every moment, whatever runs beside.
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kBlockSize = 256;
constexpr uint32_t kWarp = 0xffffffff;
// A key's records are all taken by one warp of its lane, chosen by the key, in their order.
constexpr uint32_t kWarpsPerLane = 32;
constexpr uint32_t kBlocksPerLane = kWarpsPerLane / (kBlockSize / 32);

__device__ uint64_t take_slot(syn_table_lane lane, uint64_t key_bits, unsigned long long* used) {
  uint64_t slot = syn_home_line(key_bits, lane.line_count) * SYN_SLOTS_PER_LINE;
  const uint64_t slot_count = lane.line_count * SYN_SLOTS_PER_LINE;
  auto* keys = reinterpret_cast<unsigned long long*>(lane.keys);
  while (atomicCAS(keys + slot, SYN_KEY_EMPTY, key_bits) != SYN_KEY_EMPTY) {
    slot = slot + 1 == slot_count ? 0 : slot + 1;
  }
  atomicAdd(used, 1ull);
  return slot;
}

__global__ void __launch_bounds__(kBlockSize) fill_slots(FillWork work) {
  const uint64_t from = uint64_t{blockIdx.x} * kBlockSize + threadIdx.x;
  if (from >= work.slot_count) return;
  const uint64_t key_bits = work.keys[from];
  if (key_bits == SYN_KEY_EMPTY || key_bits == SYN_KEY_REMOVED) return;
  const uint64_t to = take_slot(work.into, key_bits, work.used);
  const uint64_t half_count = uint64_t{work.value_count} * SYN_CELL_SIZE / 2;
  const auto* source = reinterpret_cast<const uint16_t*>(work.cells) + from * half_count;
  auto* target = reinterpret_cast<uint16_t*>(work.into.cells) + to * half_count;
  for (uint64_t i = 0; i < half_count; ++i) target[i] = source[i];
}

// One thread of the warp; keys are read past the first-level cache: other blocks add to them.
__device__ uint64_t find_now(syn_table_lane lane, uint64_t key_bits) {
  uint64_t slot = syn_home_line(key_bits, lane.line_count) * SYN_SLOTS_PER_LINE;
  const uint64_t slot_count = lane.line_count * SYN_SLOTS_PER_LINE;
  for (;;) {
    const uint64_t held = __ldcg(lane.keys + slot);
    if (held == key_bits) return slot;
    if (held == SYN_KEY_EMPTY) return SYN_SLOT_ABSENT;
    slot = slot + 1 == slot_count ? 0 : slot + 1;
  }
}

__device__ void apply_record(syn_table_lane lane, const uint8_t* record, uint64_t key_bits,
                             uint32_t value_count, unsigned long long* used) {
  const uint8_t kind = record[0];
  uint64_t slot = find_now(lane, key_bits);
  if (kind == SYN_DELTA_REMOVE) {
    if (slot != SYN_SLOT_ABSENT) {
      atomicExch(reinterpret_cast<unsigned long long*>(lane.keys) + slot, SYN_KEY_REMOVED);
    }
    return;
  }
  const bool is_fresh = slot == SYN_SLOT_ABSENT;
  if (is_fresh) slot = take_slot(lane, key_bits, used);
  syn_apply_cells(kind, record + SYN_DELTA_HEAD_SIZE, is_fresh,
                  lane.cells + slot * value_count * SYN_CELL_SIZE, value_count);
}

// Each warp reads all records' keys of its lane, 32 at a time, and takes its own. Different keys go
// side by side; where two of the 32 are of one key, one after the other.
__global__ void __launch_bounds__(kBlockSize) apply_deltas(ApplyWork work) {
  const uint32_t lane_index = blockIdx.x / kBlocksPerLane;
  const syn_lane_delta delta = work.deltas[lane_index];
  const uint32_t warp = blockIdx.x % kBlocksPerLane * (kBlockSize / 32) + threadIdx.x / 32;
  for (uint32_t first = 0; first < delta.count; first += 32) {
    const uint32_t number = first + threadIdx.x % 32;
    const uint8_t* record = nullptr;
    uint64_t key_bits = SYN_KEY_REMOVED;
    if (number < delta.count) {
      record = work.bytes + delta.bytes_at + work.offsets[delta.offsets_at + number];
      key_bits = syn_read_number(record + 1, sizeof key_bits);
    }
    // SYN_KEY_REMOVED is never in a copy, and record is null with no other key.
    bool is_mine = key_bits != SYN_KEY_REMOVED && key_bits % kWarpsPerLane == warp;
    while (__any_sync(kWarp, is_mine)) {
      const uint32_t same = __match_any_sync(kWarp, is_mine ? key_bits : SYN_KEY_REMOVED);
      const bool is_first =
          static_cast<uint32_t>(__ffs(static_cast<int>(same)) - 1) == threadIdx.x % 32;
      if (is_mine && is_first) {
        apply_record(work.lanes[lane_index], record, key_bits, work.value_count,
                     work.used + lane_index);
        is_mine = false;
      }
      __syncwarp();
    }
    __threadfence();
  }
}

}  // namespace

cudaError_t launch_fill(const FillWork& work, cudaStream_t stream) {
  if (work.slot_count == 0) return cudaSuccess;
  const auto blocks = static_cast<uint32_t>((work.slot_count + kBlockSize - 1) / kBlockSize);
  fill_slots<<<blocks, kBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_apply(const ApplyWork& work, cudaStream_t stream) {
  if (work.lane_count == 0) return cudaSuccess;
  apply_deltas<<<work.lane_count * kBlocksPerLane, kBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

}  // namespace syncline::cuda
