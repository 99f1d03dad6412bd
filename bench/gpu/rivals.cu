#include "bench/gpu/rivals.hpp"
#include "kernels/bodies/xxh3.h"

namespace syncline::bench {
namespace {

constexpr uint32_t kBlockSize = 256;

uint32_t blocks_for(uint64_t thread_count) {
  return static_cast<uint32_t>((thread_count + kBlockSize - 1) / kBlockSize);
}

__global__ void thread_per_row(cuda::FingerprintWork work,
                               const __grid_constant__ cuda::SecretArgument secret) {
  const auto* secret_bytes = reinterpret_cast<const uint8_t*>(secret.words);
  const uint32_t row = blockIdx.x * kBlockSize + threadIdx.x;
  if (row >= work.row_count) return;
  work.keys[row] =
      syn_xxh3_128(work.arena + work.key_offset[row], work.key_length[row], secret_bytes);
  const uint32_t value_count = work.field_count - work.key_count;
  for (uint32_t i = 0; i < value_count; ++i) {
    const uint64_t cell = uint64_t{row} * work.field_count + work.key_count + i;
    const uint32_t length = work.cell_length[cell];
    uint64_t hash = length == SYN_LENGTH_NULL ? SYN_FINGERPRINT_NULL : SYN_FINGERPRINT_UNCHANGED;
    if (length < SYN_LENGTH_UNCHANGED) {
      hash = syn_fingerprint_of_value(
          syn_xxh3_64(work.arena + work.cell_offset[cell], length, secret_bytes));
    }
    work.cells[uint64_t{row} * value_count + i] = hash;
  }
}

__global__ void thread_per_key(cuda::DetectWork work) {
  const uint32_t row = blockIdx.x * kBlockSize + threadIdx.x;
  if (row >= work.row_count) return;
  const uint32_t word_count = (work.value_count + 63) / 64;
  work.verdicts[row] =
      syn_detect_row(work.lanes[work.lane[row]], work.op[row], syn_key_bits(work.keys[row]),
                     work.cells + uint64_t{row} * work.value_count, work.value_count,
                     work.changed + uint64_t{row} * word_count);
}

// SplitMix64's finaliser.
__device__ uint64_t mix(uint64_t value) {
  value += 0x9e3779b97f4a7c15;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9;
  value = (value ^ (value >> 27)) * 0x94d049bb133111eb;
  return value ^ (value >> 31);
}

__device__ uint64_t fingerprint_of(uint64_t record, uint32_t field) {
  return mix(record * 257 + field);
}

__global__ void make_slots(uint64_t* keys, uint8_t* cells, uint64_t first, uint64_t count,
                           uint64_t step, uint32_t value_count) {
  const uint64_t slot = uint64_t{blockIdx.x} * kBlockSize + threadIdx.x;
  if (slot >= count) return;
  const uint64_t record = first + slot * step;
  keys[slot] = syn_key_bits({mix(record), 0});
  for (uint32_t i = 0; i < value_count; ++i) {
    syn_store_cell(cells + slot * value_count * SYN_CELL_SIZE, i,
                   syn_cell_of_fingerprint(fingerprint_of(record, i)));
  }
}

__global__ void make_rows(MadeRows rows, uint32_t row_count, uint32_t value_count,
                          uint64_t record_count, uint32_t lane_count, uint64_t seed) {
  const uint32_t row = blockIdx.x * kBlockSize + threadIdx.x;
  if (row >= row_count) return;
  const uint64_t record = mix(seed + row) % record_count;
  rows.op[row] = SYN_OP_UPDATE;
  rows.lane[row] = static_cast<uint16_t>(record % lane_count);
  rows.keys[row] = {mix(record), mix(~record)};
  for (uint32_t i = 0; i < value_count; ++i) {
    const bool is_changed = row % 10 == 9 && i < 2;
    rows.cells[uint64_t{row} * value_count + i] = fingerprint_of(record, i) + (is_changed ? 1 : 0);
  }
}

}  // namespace

cudaError_t launch_thread_per_row(const cuda::FingerprintWork& work,
                                  const cuda::SecretArgument& secret) {
  thread_per_row<<<blocks_for(work.row_count), kBlockSize>>>(work, secret);
  return cudaGetLastError();
}

cudaError_t launch_thread_per_key(const cuda::DetectWork& work) {
  thread_per_key<<<blocks_for(work.row_count), kBlockSize>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_make_slots(uint64_t* keys, uint8_t* cells, uint64_t first, uint64_t count,
                              uint64_t step, uint32_t value_count) {
  make_slots<<<blocks_for(count), kBlockSize>>>(keys, cells, first, count, step, value_count);
  return cudaGetLastError();
}

cudaError_t launch_make_rows(const MadeRows& rows, uint32_t row_count, uint32_t value_count,
                             uint64_t record_count, uint32_t lane_count, uint64_t seed) {
  make_rows<<<blocks_for(row_count), kBlockSize>>>(rows, row_count, value_count, record_count,
                                                   lane_count, seed);
  return cudaGetLastError();
}

}  // namespace syncline::bench
