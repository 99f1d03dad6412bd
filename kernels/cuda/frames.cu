// zstd frames made and opened: a warp a piece or a frame, a block a warp, as many as the card
// holds.
//
// A warp's tables lie in shared memory, its literals and sequences in a part of scratch. What is
// computed is in kernels/bodies; as it is now, it was not yet run on a card.
#include "kernels/cuda/kernels.hpp"

namespace syncline::cuda {
namespace {

constexpr uint32_t kWarpSize = 32;
constexpr uint32_t kGatherBlockSize = 256;
constexpr uint32_t kListBlockSize = 128;

__device__ syn_group this_warp() {
  return {threadIdx.x, kWarpSize};
}

__global__ void __launch_bounds__(kWarpSize) compress_pieces(CompressWork work) {
  __shared__ syn_zstd_encoder encoder;
  uint8_t* const mine = work.scratch + size_t{blockIdx.x} * SYN_CODER_SCRATCH_SIZE;
  for (uint32_t i = blockIdx.x; i < work.count; i += gridDim.x) {
    const uint32_t size =
        syn_run_piece(this_warp(), &encoder, work.places[i], work.contents, work.frames, mine);
    if (threadIdx.x == 0) work.sizes[i] = size;
  }
}

__global__ void __launch_bounds__(kWarpSize) decompress_frames(DecompressWork work) {
  __shared__ syn_zstd_decoder decoder;
  uint8_t* const mine = work.scratch + size_t{blockIdx.x} * SYN_DECODER_SCRATCH_SIZE;
  for (uint32_t i = blockIdx.x; i < work.count; i += gridDim.x) {
    const uint32_t status =
        syn_run_frame(this_warp(), &decoder, work.places[i], work.frames, work.contents, mine);
    if (threadIdx.x == 0) work.statuses[i] = status;
  }
}

__global__ void __launch_bounds__(kGatherBlockSize) gather_bytes(GatherWork work) {
  syn_run_move(work.moves[blockIdx.x], work.frames, work.stored, work.to, threadIdx.x,
               kGatherBlockSize);
}

__global__ void __launch_bounds__(kListBlockSize) list_pieces(ListWork work) {
  const uint32_t i = blockIdx.x * kListBlockSize + threadIdx.x;
  if (i >= work.count) return;
  const syn_piece_place place = work.places[i];
  work.from[i] = work.contents + place.from;
  work.from_sizes[i] = place.size;
  work.to[i] = work.frames + place.to;
}

__global__ void __launch_bounds__(kListBlockSize) take_sizes(SizesWork work) {
  const uint32_t i = blockIdx.x * kListBlockSize + threadIdx.x;
  if (i >= work.count) return;
  const bool is_done = work.statuses[i] == 0 && work.to_sizes[i] < UINT32_MAX;
  work.sizes[i] = is_done ? static_cast<uint32_t>(work.to_sizes[i]) : UINT32_MAX;
}

uint32_t list_blocks(uint32_t count) {
  return (count + kListBlockSize - 1) / kListBlockSize;
}

template <class Kernel>
cudaError_t count_blocks(Kernel kernel, uint32_t& count) {
  int device = 0;
  int processors = 0;
  int blocks = 0;
  cudaError_t status = cudaGetDevice(&device);
  if (status == cudaSuccess) {
    status = cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, device);
  }
  if (status == cudaSuccess) {
    status = cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, kWarpSize, 0);
  }
  count = static_cast<uint32_t>(processors * blocks);
  return status;
}

}  // namespace

cudaError_t count_groups(GroupCounts& counts) {
  const cudaError_t status = count_blocks(compress_pieces, counts.compress);
  return status == cudaSuccess ? count_blocks(decompress_frames, counts.decompress) : status;
}

cudaError_t launch_compress(const CompressWork& work, uint32_t groups, cudaStream_t stream) {
  compress_pieces<<<groups, kWarpSize, 0, stream>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_list_pieces(const ListWork& work, cudaStream_t stream) {
  list_pieces<<<list_blocks(work.count), kListBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_take_sizes(const SizesWork& work, cudaStream_t stream) {
  take_sizes<<<list_blocks(work.count), kListBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_decompress(const DecompressWork& work, uint32_t groups, cudaStream_t stream) {
  decompress_frames<<<groups, kWarpSize, 0, stream>>>(work);
  return cudaGetLastError();
}

cudaError_t launch_gather(const GatherWork& work, cudaStream_t stream) {
  gather_bytes<<<work.count, kGatherBlockSize, 0, stream>>>(work);
  return cudaGetLastError();
}

}  // namespace syncline::cuda
