// What the kernels take: plain pointers into device memory, launched on the caller's stream.
//
// The .cu files hold only what runs on the card and how it is spread; what is computed is in
// kernels/bodies. Threads: any. Errors: a launch's own, as cudaGetLastError gives it.
#pragma once

#include <cstdint>

#include <cuda_runtime.h>

#include "kernels/bodies/aes_gcm.h"
#include "kernels/bodies/frames.h"
#include "kernels/bodies/table.h"
#include "kernels/contract/batch.h"

namespace syncline::cuda {

// The secret travels as a kernel's argument: it lies in constant memory, and in no buffer.
struct SecretArgument {
  uint64_t words[SYN_SECRET_SIZE / 8];
};

struct FingerprintWork {
  uint32_t row_count;
  uint32_t field_count;
  uint32_t key_count;
  const uint32_t* key_offset;
  const uint32_t* key_length;
  const uint32_t* cell_offset;
  const uint32_t* cell_length;
  const uint8_t* arena;  // SYN_READ_SLACK_SIZE readable bytes behind it
  syn_hash128* keys;
  uint64_t* cells;
};

cudaError_t launch_fingerprint(const FingerprintWork& work, const SecretArgument& secret,
                               cudaStream_t stream);

struct DetectWork {
  uint32_t row_count;
  uint32_t value_count;
  const uint8_t* op;
  const uint16_t* lane;
  const syn_hash128* keys;
  const uint64_t* cells;
  const syn_table_lane* lanes;
  uint8_t* verdicts;
  uint64_t* changed;
  uint32_t* status;  // SYN_DETECT_RESERVED is set where a row has to be judged on the host
};

// Judges every row against the table, as if no key came twice.
cudaError_t launch_detect(const DetectWork& work, cudaStream_t stream);

// A lane that is being filled. used counts its slots that are taken, removed keys among them.
struct FillWork {
  syn_table_lane into;
  unsigned long long* used;
  const uint64_t* keys;  // [slot_count], empty and removed ones are passed over
  const uint8_t* cells;
  uint64_t slot_count;
  uint32_t value_count;
};

// Puts slots that lie elsewhere into a lane that has room for them. REQUIRES: distinct keys.
cudaError_t launch_fill(const FillWork& work, cudaStream_t stream);

struct ApplyWork {
  const syn_table_lane* lanes;
  unsigned long long* used;      // [lane_count]
  const syn_lane_delta* deltas;  // [lane_count]
  const uint8_t* bytes;
  const uint32_t* offsets;
  uint32_t lane_count;
  uint32_t value_count;
};

// Takes deltas over: all records of a key in their order. REQUIRES: room for as many new keys.
cudaError_t launch_apply(const ApplyWork& work, cudaStream_t stream);

// Records of one key, each sealed or opened with a nonce and a tag of its own. Those of several
// parts are worked at by as many warps; where there are none, both arrays are null.
struct GcmWork {
  const syn_gcm_key* key;
  const syn_gcm_record* records;
  uint32_t count;
  uint32_t part_count;    // of all records
  uint32_t* first_parts;  // [count + 1]
  syn_gf128* part_sums;   // [part_count]
  const uint8_t* additional;
  const uint8_t* input;  // records begin at multiples of 16
  uint8_t* output;       // likewise; may be input
  uint32_t* tags;        // [count * 4]; opening: what the tag must be, for the host to compare
};
enum class GcmDirection { kSeal, kOpen };

cudaError_t launch_gcm(const GcmWork& work, GcmDirection direction, cudaStream_t stream);

// How many groups the current card holds at once, of those that compress and of those that
// decompress.
struct GroupCounts {
  uint32_t compress;
  uint32_t decompress;
};
cudaError_t count_groups(GroupCounts& counts);

// Pieces to be compressed by so many groups, each with its SYN_CODER_SCRATCH_SIZE of scratch.
// REQUIRES: a count above 0, here and below.
struct CompressWork {
  uint32_t count;
  const syn_piece_place* places;
  const uint8_t* contents;
  uint8_t* frames;
  uint32_t* sizes;  // [count]
  uint8_t* scratch;
};
cudaError_t launch_compress(const CompressWork& work, uint32_t groups, cudaStream_t stream);

// The same pieces as nvCOMP wants them said.
struct ListWork {
  uint32_t count;
  const syn_piece_place* places;
  const uint8_t* contents;
  uint8_t* frames;
  const void** from;  // [count], and so the others
  size_t* from_sizes;
  void** to;
};
cudaError_t launch_list_pieces(const ListWork& work, cudaStream_t stream);

// What came out of it: sizes as ours are, UINT32_MAX where there is no frame.
struct SizesWork {
  uint32_t count;
  const size_t* to_sizes;
  const uint32_t* statuses;  // 0: done
  uint32_t* sizes;
};
cudaError_t launch_take_sizes(const SizesWork& work, cudaStream_t stream);

// The reverse: SYN_DECODER_SCRATCH_SIZE a group.
struct DecompressWork {
  uint32_t count;
  const syn_frame_place* places;
  const uint8_t* frames;
  uint8_t* contents;
  uint32_t* statuses;  // [count] SYN_ZSTD_*
  uint8_t* scratch;
};
cudaError_t launch_decompress(const DecompressWork& work, uint32_t groups, cudaStream_t stream);

struct GatherWork {
  uint32_t count;
  const syn_move* moves;
  const uint8_t* frames;
  const uint8_t* stored;
  uint8_t* to;
};
cudaError_t launch_gather(const GatherWork& work, cudaStream_t stream);

}  // namespace syncline::cuda
