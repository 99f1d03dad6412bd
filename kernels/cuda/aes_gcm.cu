// AES-256-GCM: a warp a record, or a part of a long one, as many blocks as the card holds at once.
//
// In shared memory lie the AES table once for each bank, so that 32 look-ups never wait for each
// other (32 KB), and the table that multiplies by H^32 (64 KB). What is computed is in
// kernels/bodies/aes_gcm.h; here are the tables' places and the joins by shuffles.
// 16 KB records: 161 GB/s on an H200 (engines.cuda.aes), before there were parts.
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kBlockSize = 512;
constexpr uint32_t kBlocksPerProcessor = 2;
constexpr uint32_t kWarpsPerBlock = kBlockSize / 32;
constexpr uint32_t kBanks = 32;
constexpr uint32_t kWarp = 0xffffffff;

struct SharedTables {
  syn_gf128 by_h32[SYN_GF_TABLE_SIZE];
  uint32_t table[SYN_AES_TABLE_SIZE * kBanks];
  uint32_t round_keys[SYN_AES_KEY_WORDS];
};

__device__ void load_tables(const syn_gcm_key& key, SharedTables& shared) {
  for (uint32_t i = threadIdx.x; i < SYN_GF_TABLE_SIZE; i += kBlockSize) {
    shared.by_h32[i] = key.by_h32[i];
  }
  for (uint32_t i = threadIdx.x; i < SYN_AES_TABLE_SIZE * kBanks; i += kBlockSize) {
    shared.table[i] = key.table[i / kBanks];
  }
  for (uint32_t i = threadIdx.x; i < SYN_AES_KEY_WORDS; i += kBlockSize) {
    shared.round_keys[i] = key.round_keys[i];
  }
  __syncthreads();
}

// Thread 0 ends with the record's sum.
__device__ syn_gf128 join_threads(syn_gf128 sum, const syn_gf128* powers) {
#pragma unroll 1
  for (uint32_t step = 0; step < SYN_GCM_STEPS; ++step) {
    syn_gf128 odd;
    odd.high = __shfl_down_sync(kWarp, sum.high, 1u << step);
    odd.low = __shfl_down_sync(kWarp, sum.low, 1u << step);
    sum = syn_gcm_join(sum, odd, powers[step]);
  }
  return sum;
}

// Which parts are whose, by one warp: the first part of each record, and their count.
__global__ void __launch_bounds__(32) place_parts(GcmWork work) {
  uint32_t before = 0;
  for (uint32_t base = 0; base < work.count; base += 32) {
    const uint32_t i = base + threadIdx.x;
    const uint32_t count = i < work.count ? syn_gcm_part_count(&work.records[i]) : 0;
    uint32_t sum = count;
    for (uint32_t step = 1; step < 32; step *= 2) {
      const uint32_t other = __shfl_up_sync(kWarp, sum, step);
      if (threadIdx.x >= step) sum += other;
    }
    if (i < work.count) work.first_parts[i] = before + sum - count;
    before += __shfl_sync(kWarp, sum, 31);
  }
  if (threadIdx.x == 0) work.first_parts[work.count] = before;
}

// The record of a part: the last whose first part is not behind it.
__device__ uint32_t record_of(const GcmWork& work, uint32_t part) {
  uint32_t low = 0;
  uint32_t high = work.count;
  while (high - low > 1) {
    const uint32_t middle = (low + high) / 2;
    if (work.first_parts[middle] <= part) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

__device__ void write_tag(const GcmWork& work, uint32_t index, const syn_gcm_record& record,
                          syn_gf128 sum, const uint32_t* round_keys, const uint32_t* table,
                          uint32_t stride) {
  uint32_t words[4];
  syn_gcm_tag(&record, sum, work.key->powers[0], round_keys, table, stride, words);
  for (uint32_t word = 0; word < 4; ++word) work.tags[index * 4 + word] = words[word];
}

template <uint32_t direction, bool has_parts>
__global__ void __launch_bounds__(kBlockSize, kBlocksPerProcessor) run_records(GcmWork work) {
  extern __shared__ uint4 memory[];
  SharedTables& shared = *reinterpret_cast<SharedTables*>(memory);
  load_tables(*work.key, shared);
  const uint32_t thread = threadIdx.x % 32;
  const uint32_t* table = shared.table + thread;
  const uint32_t step = gridDim.x * kWarpsPerBlock;
  for (uint32_t i = blockIdx.x * kWarpsPerBlock + threadIdx.x / 32; i < work.part_count;
       i += step) {
    const uint32_t index = has_parts ? record_of(work, i) : i;
    const syn_gcm_record record = work.records[index];
    const syn_gcm_turns turns = has_parts ? syn_gcm_part_turns(&record, i - work.first_parts[index])
                                          : syn_gcm_all_turns(&record);
    const syn_gf128 sum =
        syn_gcm_thread(&record, turns, thread, direction, work.additional + record.additional_at,
                       work.input + record.input_at, work.output + record.output_at,
                       shared.round_keys, table, kBanks, shared.by_h32);
    const syn_gf128 whole = join_threads(sum, work.key->powers);
    if (thread != 0) continue;
    if (has_parts) {
      work.part_sums[i] = whole;
    } else {
      write_tag(work, index, record, whole, shared.round_keys, table, kBanks);
    }
  }
}

// A warp a record: its parts' sums, and its tag.
__global__ void __launch_bounds__(32) join_parts(GcmWork work) {
  for (uint32_t i = blockIdx.x; i < work.count; i += gridDim.x) {
    const uint32_t first = work.first_parts[i];
    const syn_gf128 sum =
        syn_gcm_parts_thread(work.part_sums + first, work.first_parts[i + 1] - first, threadIdx.x,
                             work.key->part_powers[SYN_GCM_STEPS]);
    const syn_gf128 whole = join_threads(sum, work.key->part_powers);
    if (threadIdx.x != 0) continue;
    write_tag(work, i, work.records[i], whole, work.key->round_keys, work.key->table, 1);
  }
}

template <uint32_t direction, bool has_parts>
cudaError_t launch_parts(const GcmWork& work, cudaStream_t stream) {
  int device = 0;
  int processors = 0;
  cudaError_t status = cudaGetDevice(&device);
  if (status != cudaSuccess) return status;
  status = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (status != cudaSuccess) return status;
  const auto kernel = run_records<direction, has_parts>;
  status = cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                sizeof(SharedTables));
  if (status != cudaSuccess) return status;
  const uint32_t needed = (work.part_count + kWarpsPerBlock - 1) / kWarpsPerBlock;
  const uint32_t held = static_cast<uint32_t>(processors) * kBlocksPerProcessor;
  const uint32_t blocks = needed < held ? needed : held;
  kernel<<<blocks, kBlockSize, sizeof(SharedTables), stream>>>(work);
  return cudaGetLastError();
}

template <uint32_t direction>
cudaError_t launch(const GcmWork& work, cudaStream_t stream) {
  if (work.part_count == work.count) return launch_parts<direction, false>(work, stream);
  place_parts<<<1, 32, 0, stream>>>(work);
  cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) status = launch_parts<direction, true>(work, stream);
  if (status != cudaSuccess) return status;
  join_parts<<<work.count, 32, 0, stream>>>(work);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_gcm(const GcmWork& work, GcmDirection direction, cudaStream_t stream) {
  if (work.count == 0) return cudaSuccess;
  return direction == GcmDirection::kSeal ? launch<SYN_GCM_SEAL>(work, stream)
                                          : launch<SYN_GCM_OPEN>(work, stream);
}

}  // namespace syncline::cuda
