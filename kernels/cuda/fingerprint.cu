// Fingerprints: a thread a cell. A block takes a run of cells and sorts them by XXH3's case first,
// so that the threads of a warp mostly do the same (unsorted, a warp goes through every case that
// its rows have); results go back in order through shared memory. A warp together hashes each cell
// or key from 241 bytes on.
// Rows of 200 bytes, 12 cells: 4.7 G rows/s on an H200, 46 % of what its memory copies
// (engines.cuda.fingerprint of tools/gpu-check). With eight cells a thread instead of four 4.3 G,
// in the cells' own order 3.7 G.
#include "kernels/bodies/xxh3.h"
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kBlockSize = 256;
constexpr uint32_t kBlocksPerProcessor = 6;  // 40 registers
constexpr uint32_t kCellsPerThread = 4;
constexpr uint32_t kCellsPerBlock = kBlockSize * kCellsPerThread;
constexpr uint32_t kWarp = 0xffffffff;

// The eight accumulators lie in eight threads, four times over; each of the four takes every fourth
// stripe. All threads of the warp return with the accumulator of index threadIdx % 8.
__device__ uint64_t accumulate_long(const uint8_t* bytes, uint32_t length, const uint8_t* secret) {
  const uint32_t index = threadIdx.x % 8;
  const uint32_t group = threadIdx.x % 32 / 8;
  const uint32_t stripe_count = (length - 1) / SYN_XXH3_STRIPE_SIZE;
  uint64_t sum = group == 0 ? syn_xxh3_start(index) : 0;
  const auto add_up = [&] {
    sum += __shfl_xor_sync(kWarp, sum, 8);
    sum += __shfl_xor_sync(kWarp, sum, 16);
  };
  for (uint32_t first = 0; first < stripe_count; first += SYN_XXH3_STRIPES_PER_BLOCK) {
    const uint32_t count = min(SYN_XXH3_STRIPES_PER_BLOCK, stripe_count - first);
    for (uint32_t at = 0; at < count; at += 4) {
      const uint32_t stripe = at + group;
      const bool is_there = stripe < count;
      const uint8_t* place = bytes + uint64_t{first + stripe} * SYN_XXH3_STRIPE_SIZE + 8 * index;
      const uint64_t word = is_there ? syn_read64(place) : 0;
      const uint64_t beside = __shfl_xor_sync(kWarp, word, 1);
      if (is_there) {
        sum += syn_xxh3_stripe_share(word, beside, syn_read64(secret + 8 * (stripe + index)));
      }
    }
    if (count < SYN_XXH3_STRIPES_PER_BLOCK) break;
    add_up();
    sum = syn_xxh3_scramble(sum, syn_read64(secret + SYN_XXH3_SCRAMBLE_AT + 8 * index));
    if (group != 0) sum = 0;
  }
  add_up();
  const uint64_t word = syn_read64(bytes + length - SYN_XXH3_STRIPE_SIZE + 8 * index);
  const uint64_t beside = __shfl_xor_sync(kWarp, word, 1);
  return sum +
         syn_xxh3_stripe_share(word, beside, syn_read64(secret + SYN_XXH3_LAST_AT + 8 * index));
}

__device__ uint64_t merge_long(uint64_t accumulator, const uint8_t* secret, uint64_t start) {
  const uint64_t odd = __shfl_down_sync(kWarp, accumulator, 1);
  const uint32_t index = threadIdx.x % 8;
  uint64_t share = 0;
  if (index % 2 == 0) share = syn_xxh3_merge_share(accumulator, odd, index / 2, secret);
  share += __shfl_xor_sync(kWarp, share, 2);
  share += __shfl_xor_sync(kWarp, share, 4);
  return syn_xxh3_avalanche(start + __shfl_sync(kWarp, share, 0));
}

// Whole warps call this. length: of a value, or SYN_LENGTH_*.
__device__ uint64_t fingerprint_cell(const uint8_t* arena, uint32_t offset, uint32_t length,
                                     const uint8_t* secret) {
  const bool is_value = length < SYN_LENGTH_UNCHANGED;
  const bool is_long = is_value && length >= SYN_XXH3_LONG_MIN;
  uint64_t hash = 0;
  if (is_value && !is_long) hash = syn_xxh3_64_short(arena + offset, length, secret);
  for (uint32_t left = __ballot_sync(kWarp, is_long); left != 0; left &= left - 1) {
    const int owner = __ffs(static_cast<int>(left)) - 1;
    const uint32_t its_offset = __shfl_sync(kWarp, offset, owner);
    const uint32_t its_length = __shfl_sync(kWarp, length, owner);
    const uint64_t accumulator = accumulate_long(arena + its_offset, its_length, secret);
    const uint64_t whole =
        merge_long(accumulator, secret + SYN_XXH3_MERGE_AT, its_length * SYN_PRIME64_1);
    if (static_cast<int>(threadIdx.x % 32) == owner) hash = whole;
  }
  if (is_value) return syn_fingerprint_of_value(hash);
  return length == SYN_LENGTH_NULL ? SYN_FINGERPRINT_NULL : SYN_FINGERPRINT_UNCHANGED;
}

__device__ syn_hash128 fingerprint_key(const uint8_t* arena, uint32_t offset, uint32_t length,
                                       bool is_there, const uint8_t* secret) {
  const bool is_long = is_there && length >= SYN_XXH3_LONG_MIN;
  syn_hash128 hash = {0, 0};
  if (is_there && !is_long) hash = syn_xxh3_128_short(arena + offset, length, secret);
  for (uint32_t left = __ballot_sync(kWarp, is_long); left != 0; left &= left - 1) {
    const int owner = __ffs(static_cast<int>(left)) - 1;
    const uint32_t its_offset = __shfl_sync(kWarp, offset, owner);
    const uint32_t its_length = __shfl_sync(kWarp, length, owner);
    const uint64_t accumulator = accumulate_long(arena + its_offset, its_length, secret);
    syn_hash128 whole;
    whole.low = merge_long(accumulator, secret + SYN_XXH3_MERGE_AT, its_length * SYN_PRIME64_1);
    whole.high =
        merge_long(accumulator, secret + SYN_XXH3_MERGE_HIGH_AT, ~(its_length * SYN_PRIME64_2));
    if (static_cast<int>(threadIdx.x % 32) == owner) hash = whole;
  }
  return hash;
}

// XXH3's case of a length: what threads of one warp should share.
__device__ uint32_t case_of(uint32_t length) {
  if (length >= SYN_LENGTH_UNCHANGED) return 0;
  if (length >= SYN_XXH3_LONG_MIN) return 8;
  if (length <= 3) return 1;
  if (length <= 8) return 2;
  if (length <= 16) return 3;
  if (length <= 32) return 4;
  if (length <= 64) return 5;
  return length <= 128 ? 6 : 7;
}
constexpr uint32_t kCaseCount = 9;

// A block's cells: first where they lie, then, in the same place, what they hash to.
struct CellBlock {
  uint64_t slots[kCellsPerBlock];
  uint16_t order[kCellsPerBlock];  // by case
  uint32_t counts[kCaseCount];
  uint64_t first_row;
  uint32_t first_value;
};

__device__ uint64_t load_cell(const FingerprintWork& work, const CellBlock& block, uint32_t at,
                              uint32_t value_count, uint64_t cell_count) {
  const uint64_t index = uint64_t{blockIdx.x} * kCellsPerBlock + at;
  if (index >= cell_count) return uint64_t{SYN_LENGTH_UNCHANGED} << 32;
  const uint32_t value = block.first_value + at;
  const uint64_t row = block.first_row + value / value_count;
  const uint64_t cell = row * work.field_count + work.key_count + value % value_count;
  return uint64_t{work.cell_length[cell]} << 32 | work.cell_offset[cell];
}

// The place of this thread's cell among those of its case; whole warps call this.
__device__ uint32_t take_rank(CellBlock& block, uint32_t its_case) {
  const uint32_t same = __match_any_sync(kWarp, its_case);
  const int leader = __ffs(static_cast<int>(same)) - 1;
  const uint32_t before = __popc(same & ((1u << threadIdx.x % 32) - 1));
  uint32_t first = 0;
  if (before == 0) first = atomicAdd(&block.counts[its_case], __popc(same));
  return __shfl_sync(kWarp, first, leader) + before;
}

__global__ void __launch_bounds__(kBlockSize, kBlocksPerProcessor)
    fingerprint_cells(FingerprintWork work, const __grid_constant__ SecretArgument secret) {
  __shared__ CellBlock block;
  const auto* secret_bytes = reinterpret_cast<const uint8_t*>(secret.words);
  const uint32_t value_count = work.field_count - work.key_count;
  const uint64_t cell_count = uint64_t{work.row_count} * value_count;
  const uint64_t first = uint64_t{blockIdx.x} * kCellsPerBlock;
  if (threadIdx.x < kCaseCount) block.counts[threadIdx.x] = 0;
  if (threadIdx.x == 0) {
    block.first_row = first / value_count;
    block.first_value = static_cast<uint32_t>(first % value_count);
  }
  __syncthreads();

  uint32_t cases[kCellsPerThread];
  uint32_t ranks[kCellsPerThread];
#pragma unroll
  for (uint32_t i = 0; i < kCellsPerThread; ++i) {
    const uint32_t at = i * kBlockSize + threadIdx.x;
    const uint64_t slot = load_cell(work, block, at, value_count, cell_count);
    block.slots[at] = slot;
    cases[i] = case_of(static_cast<uint32_t>(slot >> 32));
    ranks[i] = take_rank(block, cases[i]);
  }
  __syncthreads();
#pragma unroll
  for (uint32_t i = 0; i < kCellsPerThread; ++i) {
    uint32_t place = ranks[i];
    for (uint32_t other = 0; other < cases[i]; ++other) place += block.counts[other];
    block.order[place] = static_cast<uint16_t>(i * kBlockSize + threadIdx.x);
  }
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < kCellsPerBlock; i += kBlockSize) {
    uint64_t& slot = block.slots[block.order[i]];
    slot = fingerprint_cell(work.arena, static_cast<uint32_t>(slot),
                            static_cast<uint32_t>(slot >> 32), secret_bytes);
  }
  __syncthreads();
  for (uint32_t i = threadIdx.x; i < kCellsPerBlock && first + i < cell_count; i += kBlockSize) {
    work.cells[first + i] = block.slots[i];
  }
}

__global__ void __launch_bounds__(kBlockSize)
    fingerprint_keys(FingerprintWork work, const __grid_constant__ SecretArgument secret) {
  const auto* secret_bytes = reinterpret_cast<const uint8_t*>(secret.words);
  const uint32_t row = blockIdx.x * kBlockSize + threadIdx.x;
  const bool is_there = row < work.row_count;
  const uint32_t offset = is_there ? work.key_offset[row] : 0;
  const uint32_t length = is_there ? work.key_length[row] : 0;
  const syn_hash128 hash = fingerprint_key(work.arena, offset, length, is_there, secret_bytes);
  if (is_there) work.keys[row] = hash;
}

uint32_t blocks_for(uint64_t count, uint32_t per_block) {
  return static_cast<uint32_t>((count + per_block - 1) / per_block);
}

}  // namespace

cudaError_t launch_fingerprint(const FingerprintWork& work, const SecretArgument& secret,
                               cudaStream_t stream) {
  if (work.row_count == 0) return cudaSuccess;
  const uint64_t cell_count = uint64_t{work.row_count} * (work.field_count - work.key_count);
  if (cell_count > 0) {
    fingerprint_cells<<<blocks_for(cell_count, kCellsPerBlock), kBlockSize, 0, stream>>>(work,
                                                                                         secret);
  }
  fingerprint_keys<<<blocks_for(work.row_count, kBlockSize), kBlockSize, 0, stream>>>(work, secret);
  return cudaGetLastError();
}

}  // namespace syncline::cuda
