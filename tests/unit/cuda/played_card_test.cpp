// A card that the host plays, under the CUDA engine's own host code: the runtime's calls on the
// host's memory, and the launches as loops over the bodies. The engines' suite runs on it, so that
// places, sizes, lifetimes and waits are held up without a card; the .cu files are not in it.
//
// A stream's commands take effect as late as they may, when the stream is asked for the second time
// whether it is done; the first answer is "not ready", which it leaves behind as the runtime does.
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "host/base/assert.hpp"
#include "kernels/bodies/gcm_group.h"
#include "kernels/bodies/xxh3.h"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/kernels.hpp"
#include "tests/conformance/engines_under_test.hpp"
#include "tests/unit/bodies/gcm_parts.hpp"

struct CUstream_st {
  std::deque<std::function<void()>> commands;
  bool was_asked = false;
};

namespace syncline::cuda {
namespace {

constexpr int kProcessors = 2;
constexpr syn_group kWarp{0, 32};

thread_local cudaError_t last_error = cudaSuccess;

cudaError_t told(cudaError_t status) {
  if (status != cudaSuccess) last_error = status;
  return status;
}

cudaError_t later(cudaStream_t stream, std::function<void()> command) {
  stream->commands.push_back(std::move(command));
  stream->was_asked = false;
  return cudaSuccess;
}

// As a launch ends: with whatever error was left behind.
cudaError_t launched(cudaStream_t stream, std::function<void()> kernel) {
  later(stream, std::move(kernel));
  return cudaGetLastError();
}

cudaError_t allocate(void** memory, size_t size) {
  *memory = std::malloc(size);
  if (*memory == nullptr) return told(cudaErrorMemoryAllocation);
  std::memset(*memory, 0xcd, size);
  return cudaSuccess;
}

uint64_t cell_of(const FingerprintWork& work, const SecretArgument& secret, size_t cell) {
  const uint32_t length = work.cell_length[cell];
  if (length == SYN_LENGTH_NULL) return SYN_FINGERPRINT_NULL;
  if (length == SYN_LENGTH_UNCHANGED) return SYN_FINGERPRINT_UNCHANGED;
  const auto* bytes = reinterpret_cast<const uint8_t*>(secret.words);
  return syn_fingerprint_of_value(syn_xxh3_64(work.arena + work.cell_offset[cell], length, bytes));
}

uint64_t take_slot(syn_table_lane lane, uint64_t key_bits, unsigned long long* used) {
  const uint64_t slot_count = lane.line_count * SYN_SLOTS_PER_LINE;
  SYN_ASSERT(slot_count > 0);
  uint64_t slot = syn_home_line(key_bits, lane.line_count) * SYN_SLOTS_PER_LINE;
  while (lane.keys[slot] != SYN_KEY_EMPTY) slot = (slot + 1) % slot_count;
  lane.keys[slot] = key_bits;
  ++*used;
  return slot;
}

void apply_record(const ApplyWork& work, uint32_t lane_index, const uint8_t* record) {
  const syn_table_lane lane = work.lanes[lane_index];
  const uint64_t key_bits = syn_read_number(record + 1, sizeof key_bits);
  if (key_bits == SYN_KEY_REMOVED) return;
  uint64_t slot = syn_find_slot(lane, key_bits);
  const bool is_fresh = slot == SYN_SLOT_ABSENT;
  if (*record == SYN_DELTA_REMOVE) {
    if (!is_fresh) lane.keys[slot] = SYN_KEY_REMOVED;
    return;
  }
  if (is_fresh) slot = take_slot(lane, key_bits, work.used + lane_index);
  syn_apply_cells(*record, record + SYN_DELTA_HEAD_SIZE, is_fresh,
                  lane.cells + slot * work.value_count * SYN_CELL_SIZE, work.value_count);
}

void detect_row(const DetectWork& work, uint32_t row) {
  const uint64_t key_bits = syn_key_bits(work.keys[row]);
  const size_t words = (work.value_count + 63) / 64;
  work.verdicts[row] = syn_detect_row(work.lanes[work.lane[row]], work.op[row], key_bits,
                                      work.cells + size_t{row} * work.value_count, work.value_count,
                                      work.changed + row * words);
  if (key_bits == SYN_KEY_REMOVED) *work.status |= SYN_DETECT_RESERVED;
}

}  // namespace

cudaError_t launch_fingerprint(const FingerprintWork& work, const SecretArgument& secret,
                               cudaStream_t stream) {
  return launched(stream, [work, secret] {
    uint64_t* out = work.cells;
    for (uint32_t row = 0; row < work.row_count; ++row) {
      work.keys[row] = syn_xxh3_128(work.arena + work.key_offset[row], work.key_length[row],
                                    reinterpret_cast<const uint8_t*>(secret.words));
      for (uint32_t field = work.key_count; field < work.field_count; ++field) {
        *out++ = cell_of(work, secret, size_t{row} * work.field_count + field);
      }
    }
  });
}

cudaError_t launch_detect(const DetectWork& work, cudaStream_t stream) {
  return launched(stream, [work] {
    for (uint32_t row = 0; row < work.row_count; ++row) detect_row(work, row);
  });
}

cudaError_t launch_fill(const FillWork& work, cudaStream_t stream) {
  return launched(stream, [work] {
    const size_t size = size_t{work.value_count} * SYN_CELL_SIZE;
    for (uint64_t i = 0; i < work.slot_count; ++i) {
      if (work.keys[i] == SYN_KEY_EMPTY || work.keys[i] == SYN_KEY_REMOVED) continue;
      const uint64_t to = take_slot(work.into, work.keys[i], work.used);
      std::memcpy(work.into.cells + to * size, work.cells + i * size, size);
    }
  });
}

cudaError_t launch_apply(const ApplyWork& work, cudaStream_t stream) {
  return launched(stream, [work] {
    for (uint32_t lane = 0; lane < work.lane_count; ++lane) {
      const syn_lane_delta delta = work.deltas[lane];
      for (uint32_t i = 0; i < delta.count; ++i) {
        apply_record(work, lane, work.bytes + delta.bytes_at + work.offsets[delta.offsets_at + i]);
      }
    }
  });
}

// As the card's warps share it out; where a record has parts, all memory for them is written.
cudaError_t launch_gcm(const GcmWork& work, GcmDirection direction, cudaStream_t stream) {
  return launched(stream, [work, direction] {
    const bool has_parts = work.part_count != work.count;
    uint32_t part_count = 0;
    for (uint32_t i = 0; i < work.count; ++i) {
      const syn_gcm_record& record = work.records[i];
      if (has_parts) work.first_parts[i] = part_count;
      part_count += syn_gcm_part_count(&record);
      bodies::run_by_parts(*work.key, record,
                           direction == GcmDirection::kSeal ? SYN_GCM_SEAL : SYN_GCM_OPEN,
                           work.additional + record.additional_at, work.input + record.input_at,
                           work.output + record.output_at, work.tags + size_t{i} * 4);
    }
    if (part_count != work.part_count) std::abort();
    if (!has_parts) return;
    work.first_parts[work.count] = part_count;
    std::memset(static_cast<void*>(work.part_sums), 0, work.part_count * sizeof(syn_gf128));
  });
}

// A few, so that a group takes several entries.
cudaError_t count_groups(GroupCounts& counts) {
  counts = {kProcessors, 2 * kProcessors};
  return cudaSuccess;
}

// Groups take entries in turn, each in its own part of the scratch.
cudaError_t launch_compress(const CompressWork& work, uint32_t groups, cudaStream_t stream) {
  return launched(stream, [work, groups] {
    const auto encoder = std::make_unique<syn_zstd_encoder>();
    for (uint32_t i = 0; i < work.count; ++i) {
      uint8_t* const mine = work.scratch + size_t{i % groups} * SYN_CODER_SCRATCH_SIZE;
      work.sizes[i] =
          syn_run_piece(kWarp, encoder.get(), work.places[i], work.contents, work.frames, mine);
    }
  });
}

cudaError_t launch_decompress(const DecompressWork& work, uint32_t groups, cudaStream_t stream) {
  return launched(stream, [work, groups] {
    const auto decoder = std::make_unique<syn_zstd_decoder>();
    for (uint32_t i = 0; i < work.count; ++i) {
      uint8_t* const mine = work.scratch + size_t{i % groups} * SYN_DECODER_SCRATCH_SIZE;
      work.statuses[i] =
          syn_run_frame(kWarp, decoder.get(), work.places[i], work.frames, work.contents, mine);
    }
  });
}

cudaError_t launch_gather(const GatherWork& work, cudaStream_t stream) {
  return launched(stream, [work] {
    for (uint32_t i = 0; i < work.count; ++i) {
      syn_run_move(work.moves[i], work.frames, work.stored, work.to, 0, 1);
    }
  });
}

}  // namespace syncline::cuda

using syncline::cuda::allocate;
using syncline::cuda::later;
using syncline::cuda::told;

extern "C" {

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int /*device*/) {
  *properties = {};
  std::strcpy(properties->name, "a played card");
  properties->major = 8;
  return cudaSuccess;
}
cudaError_t cudaGetLastError() {
  return std::exchange(syncline::cuda::last_error, cudaSuccess);
}
const char* cudaGetErrorString(cudaError_t /*status*/) {
  return "the played card's error";
}

cudaError_t cudaMalloc(void** memory, size_t size) {
  return allocate(memory, size);
}
cudaError_t cudaMallocHost(void** memory, size_t size) {
  return allocate(memory, size);
}
cudaError_t cudaFree(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* memory) {
  std::free(memory);
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* /*memory*/) {
  *attributes = {};
  attributes->type = cudaMemoryTypeUnregistered;
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned int /*flags*/) {
  *stream = new CUstream_st;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  if (!std::exchange(stream->was_asked, true)) return told(cudaErrorNotReady);
  for (const auto& command : stream->commands) command();
  stream->commands.clear();
  return cudaSuccess;
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t size, cudaMemcpyKind /*kind*/,
                            cudaStream_t stream) {
  return later(stream, [=] {
    if (size > 0) std::memcpy(to, from, size);
  });
}
cudaError_t cudaMemsetAsync(void* memory, int value, size_t size, cudaStream_t stream) {
  return later(stream, [=] { std::memset(memory, value, size); });
}

}  // extern "C"

namespace syncline::conformance {

std::vector<EngineUnderTest> engines_under_test() {
  return {{"cuda_played", "fingerprint sm_80",
           [] { return std::move(cuda::make_cuda_engine().value()); }}};
}

}  // namespace syncline::conformance
