// AES-256-GCM: a warp a record, as many blocks as the card holds at once.
//
// In shared memory lie the AES table once for each bank, so that 32 look-ups never wait for each
// other (32 KB), and the table that multiplies by H^32 (64 KB). What is computed is in
// kernels/bodies/aes_gcm.h; here are the tables' places and the joins by shuffles.
// 16 KB records: 161 GB/s on an H200 (engines.cuda.aes).
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

template <uint32_t direction>
__global__ void __launch_bounds__(kBlockSize, kBlocksPerProcessor) run_records(GcmWork work) {
  extern __shared__ uint4 memory[];
  SharedTables& shared = *reinterpret_cast<SharedTables*>(memory);
  load_tables(*work.key, shared);
  const uint32_t thread = threadIdx.x % 32;
  const uint32_t* table = shared.table + thread;
  const uint32_t step = gridDim.x * kWarpsPerBlock;
  for (uint32_t i = blockIdx.x * kWarpsPerBlock + threadIdx.x / 32; i < work.count; i += step) {
    const syn_gcm_record record = work.records[i];
    const syn_gf128 sum =
        syn_gcm_thread(&record, thread, direction, work.additional + record.additional_at,
                       work.input + record.input_at, work.output + record.output_at,
                       shared.round_keys, table, kBanks, shared.by_h32);
    const syn_gf128 whole = join_threads(sum, work.key->powers);
    if (thread != 0) continue;
    uint32_t words[4];
    syn_gcm_tag(&record, whole, work.key->powers[0], shared.round_keys, table, kBanks, words);
    for (uint32_t word = 0; word < 4; ++word) work.tags[i * 4 + word] = words[word];
  }
}

template <uint32_t direction>
cudaError_t launch(const GcmWork& work, cudaStream_t stream) {
  int device = 0;
  int processors = 0;
  cudaError_t status = cudaGetDevice(&device);
  if (status != cudaSuccess) return status;
  status = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  if (status != cudaSuccess) return status;
  status = cudaFuncSetAttribute(run_records<direction>, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                sizeof(SharedTables));
  if (status != cudaSuccess) return status;
  const uint32_t needed = (work.count + kWarpsPerBlock - 1) / kWarpsPerBlock;
  const uint32_t held = static_cast<uint32_t>(processors) * kBlocksPerProcessor;
  const uint32_t blocks = needed < held ? needed : held;
  const auto kernel = run_records<direction>;
  kernel<<<blocks, kBlockSize, sizeof(SharedTables), stream>>>(work);
  return cudaGetLastError();
}

}  // namespace

cudaError_t launch_gcm(const GcmWork& work, GcmDirection direction, cudaStream_t stream) {
  if (work.count == 0) return cudaSuccess;
  return direction == GcmDirection::kSeal ? launch<SYN_GCM_SEAL>(work, stream)
                                          : launch<SYN_GCM_OPEN>(work, stream);
}

}  // namespace syncline::cuda
