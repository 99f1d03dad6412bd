// A card that the host plays, under the CUDA engine's own host code: the runtime's calls on the
// host's memory, and the launches as loops over the bodies. The engines' suite runs on it, so that
// places, sizes, lifetimes and waits are held up without a card; the .cu files are not in it.
//
// A stream's commands take effect as late as they may, when the stream is asked for the second time
// whether it is done; the first answer is "not ready", which it leaves behind as the runtime does.
#include "tests/unit/cuda/played_card.hpp"

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>

#include "host/base/assert.hpp"
#include "kernels/bodies/gcm_group.h"
#include "kernels/bodies/xxh3.h"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/kernels.hpp"
#include "tests/conformance/engines_under_test.hpp"
#include "tests/unit/bodies/gcm_parts.hpp"
#include "tests/unit/cuda/played_nvcomp.hpp"

namespace syncline::cuda {
namespace {

constexpr int kProcessors = 2;
constexpr syn_group kWarp{0, 32};

// As a launch ends: with whatever error was left behind.
cudaError_t launched(cudaStream_t stream, std::vector<Range> uses, std::function<void()> kernel,
                     const syn_table_lane* lanes = nullptr) {
  PlayedCard& card = PlayedCard::get();
  card.later(Call::kLaunch, stream, {std::move(kernel), std::move(uses), lanes});
  return card.last_error();
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
  const size_t cells = size_t{work.row_count} * work.field_count;
  const size_t value_count = work.field_count - work.key_count;
  const std::vector<Range> uses{range(work.key_offset, work.row_count),
                                range(work.key_length, work.row_count),
                                range(work.cell_offset, cells),
                                range(work.cell_length, cells),
                                range(work.arena, SYN_READ_SLACK_SIZE),
                                range(work.keys, work.row_count),
                                range(work.cells, work.row_count * value_count)};
  return launched(stream, uses, [work, secret] {
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
  const size_t words = (work.value_count + 63) / 64;
  const std::vector<Range> uses{range(work.op, work.row_count),
                                range(work.lane, work.row_count),
                                range(work.keys, work.row_count),
                                range(work.cells, size_t{work.row_count} * work.value_count),
                                range(work.lanes, 1),
                                range(work.verdicts, work.row_count),
                                range(work.changed, work.row_count * words),
                                range(work.status, 1)};
  const auto kernel = [work] {
    for (uint32_t row = 0; row < work.row_count; ++row) detect_row(work, row);
  };
  return launched(stream, uses, kernel, work.lanes);
}

cudaError_t launch_fill(const FillWork& work, cudaStream_t stream) {
  const size_t size = size_t{work.value_count} * SYN_CELL_SIZE;
  const uint64_t slot_count = work.into.line_count * SYN_SLOTS_PER_LINE;
  const std::vector<Range> uses{range(work.into.keys, slot_count),
                                range(work.into.cells, slot_count * size), range(work.used, 1),
                                range(work.keys, work.slot_count),
                                range(work.cells, work.slot_count * size)};
  return launched(stream, uses, [work, size] {
    for (uint64_t i = 0; i < work.slot_count; ++i) {
      if (work.keys[i] == SYN_KEY_EMPTY || work.keys[i] == SYN_KEY_REMOVED) continue;
      const uint64_t to = take_slot(work.into, work.keys[i], work.used);
      std::memcpy(work.into.cells + to * size, work.cells + i * size, size);
    }
  });
}

cudaError_t launch_apply(const ApplyWork& work, cudaStream_t stream) {
  const std::vector<Range> uses{
      range(work.lanes, work.lane_count), range(work.used, work.lane_count),
      range(work.deltas, work.lane_count), range(work.bytes, 1), range(work.offsets, 1)};
  const auto kernel = [work] {
    for (uint32_t lane = 0; lane < work.lane_count; ++lane) {
      const syn_lane_delta delta = work.deltas[lane];
      for (uint32_t i = 0; i < delta.count; ++i) {
        apply_record(work, lane, work.bytes + delta.bytes_at + work.offsets[delta.offsets_at + i]);
      }
    }
    const uint64_t slot_count = work.lanes[0].line_count * SYN_SLOTS_PER_LINE;
    if (slot_count > 0) PlayedCard::get().note_lane(work.used[0], slot_count);
  };
  return launched(stream, uses, kernel, work.lanes);
}

// As the card's warps share it out; where a record has parts, all memory for them is written.
cudaError_t launch_gcm(const GcmWork& work, GcmDirection direction, cudaStream_t stream) {
  const bool has_parts = work.part_count != work.count;
  const std::vector<Range> uses{range(work.key, 1),
                                range(work.records, work.count),
                                range(work.first_parts, has_parts ? work.count + 1 : 0),
                                range(work.part_sums, has_parts ? work.part_count : 0),
                                range(work.additional, 1),
                                range(work.input, 1),
                                range(work.output, 1),
                                range(work.tags, size_t{work.count} * 4)};
  return launched(stream, uses, [work, direction, has_parts] {
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
  const std::vector<Range> uses{range(work.places, work.count), range(work.contents, 1),
                                range(work.frames, 1), range(work.sizes, work.count),
                                range(work.scratch, size_t{groups} * SYN_CODER_SCRATCH_SIZE)};
  return launched(stream, uses, [work, groups] {
    const auto encoder = std::make_unique<syn_zstd_encoder>();
    for (uint32_t i = 0; i < work.count; ++i) {
      uint8_t* const mine = work.scratch + size_t{i % groups} * SYN_CODER_SCRATCH_SIZE;
      work.sizes[i] =
          syn_run_piece(kWarp, encoder.get(), work.places[i], work.contents, work.frames, mine);
      if (PlayedCard::get().is_coding_wrongly) {
        work.frames[work.places[i].to + work.sizes[i] / 2] ^= 1;
      }
    }
  });
}

cudaError_t launch_list_pieces(const ListWork& work, cudaStream_t stream) {
  const std::vector<Range> uses{range(work.places, work.count),
                                range(work.contents, 1),
                                range(work.frames, 1),
                                range(work.from, work.count),
                                range(work.from_sizes, work.count),
                                range(work.to, work.count)};
  return launched(stream, uses, [work] {
    for (uint32_t i = 0; i < work.count; ++i) {
      work.from[i] = work.contents + work.places[i].from;
      work.from_sizes[i] = work.places[i].size;
      work.to[i] = work.frames + work.places[i].to;
    }
  });
}

cudaError_t launch_take_sizes(const SizesWork& work, cudaStream_t stream) {
  const std::vector<Range> uses{range(work.to_sizes, work.count), range(work.statuses, work.count),
                                range(work.sizes, work.count)};
  return launched(stream, uses, [work] {
    for (uint32_t i = 0; i < work.count; ++i) {
      const bool is_done = work.statuses[i] == 0 && work.to_sizes[i] < UINT32_MAX;
      work.sizes[i] = is_done ? static_cast<uint32_t>(work.to_sizes[i]) : UINT32_MAX;
    }
  });
}

cudaError_t launch_decompress(const DecompressWork& work, uint32_t groups, cudaStream_t stream) {
  const std::vector<Range> uses{range(work.places, work.count), range(work.frames, 1),
                                range(work.contents, 1), range(work.statuses, work.count),
                                range(work.scratch, size_t{groups} * SYN_DECODER_SCRATCH_SIZE)};
  return launched(stream, uses, [work, groups] {
    const auto decoder = std::make_unique<syn_zstd_decoder>();
    for (uint32_t i = 0; i < work.count; ++i) {
      uint8_t* const mine = work.scratch + size_t{i % groups} * SYN_DECODER_SCRATCH_SIZE;
      work.statuses[i] =
          syn_run_frame(kWarp, decoder.get(), work.places[i], work.frames, work.contents, mine);
    }
  });
}

cudaError_t launch_gather(const GatherWork& work, cudaStream_t stream) {
  const std::vector<Range> uses{range(work.moves, work.count), range(work.frames, 1),
                                range(work.stored, 1), range(work.to, 1)};
  return launched(stream, uses, [work] {
    for (uint32_t i = 0; i < work.count; ++i) {
      syn_run_move(work.moves[i], work.frames, work.stored, work.to, 0, 1);
    }
  });
}

}  // namespace syncline::cuda

namespace syncline::conformance {

namespace {

const cuda::Nvcomp* none() {
  return nullptr;
}

const cuda::Nvcomp* played() {
  static const cuda::PlayedNvcomp nvcomp;
  return &nvcomp;
}

template <const cuda::Nvcomp* (*find_nvcomp)()>
std::unique_ptr<engine::Engine> make() {
  return std::move(cuda::make_cuda_engine({.find_nvcomp = find_nvcomp, .sample_count = 6}).value());
}

}  // namespace

std::vector<EngineUnderTest> engines_under_test() {
  return {{"cuda_played", "fingerprint sm_80", make<none>},
          {"cuda_played_nvcomp", "fingerprint sm_80", make<played>}};
}

}  // namespace syncline::conformance
