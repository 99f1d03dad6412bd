/* Work lists of seal and open: pieces to be coded, frames to be decoded, bytes to be moved; and
 * what a group does with one entry.
 *
 * Places are in bytes from the beginning of a buffer. Threads: a group an entry. C subset: compiles
 * as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_FRAMES_H
#define SYN_BODIES_FRAMES_H

#include "kernels/bodies/zstd_decode.h"
#include "kernels/bodies/zstd_encode.h"

typedef struct syn_piece_place {
  uint32_t from;
  uint32_t size; /* at most SYN_ZSTD_PIECE_SIZE */
  uint32_t to;   /* size + SYN_ZSTD_OVERHEAD_MAX bytes, or more for another's coder */
} syn_piece_place;

typedef struct syn_frame_place {
  uint32_t from;
  uint32_t size;
  uint32_t to;
  uint32_t content_size;
} syn_frame_place;

typedef struct syn_move {
  uint32_t from;
  uint32_t to;
  uint32_t size;
  uint32_t is_stored; /* it comes from the stored bytes, else from frames */
} syn_move;

/* What a group needs beside its own memory, one after the other. */
#define SYN_CODER_SCRATCH_SIZE \
  (SYN_ZSTD_SEQUENCES_MAX * (uint32_t)sizeof(syn_zstd_sequence) + SYN_ZSTD_PIECE_SIZE)
#define SYN_DECODER_SCRATCH_SIZE SYN_ZSTD_BLOCK_SIZE_MAX

/* Gives the frame's size. */
SYN_INLINE uint32_t syn_run_piece(syn_group group, SYN_LOCAL syn_zstd_encoder* encoder,
                                  syn_piece_place place, SYN_GLOBAL const uint8_t* contents,
                                  SYN_GLOBAL uint8_t* frames, SYN_GLOBAL uint8_t* scratch) {
  syn_zstd_piece piece;
  piece.bytes = contents + place.from;
  piece.size = place.size;
  piece.output = frames + place.to;
  piece.sequences = (SYN_GLOBAL syn_zstd_sequence*)scratch;
  piece.literals = scratch + SYN_ZSTD_SEQUENCES_MAX * sizeof(syn_zstd_sequence);
  return syn_zstd_encode(group, encoder, piece);
}

/* Gives SYN_ZSTD_OK, or why the frame has no content. */
SYN_INLINE uint32_t syn_run_frame(syn_group group, SYN_LOCAL syn_zstd_decoder* decoder,
                                  syn_frame_place place, SYN_GLOBAL const uint8_t* frames,
                                  SYN_GLOBAL uint8_t* contents, SYN_GLOBAL uint8_t* scratch) {
  syn_zstd_input in;
  in.bytes = frames + place.from;
  in.size = place.size;
  in.output = contents + place.to;
  in.output_size = place.content_size;
  in.scratch = scratch;
  return syn_zstd_decode(group, decoder, in);
}

/* A lane's part of a move. */
SYN_INLINE void syn_run_move(syn_move move, SYN_GLOBAL const uint8_t* frames,
                             SYN_GLOBAL const uint8_t* stored, SYN_GLOBAL uint8_t* to,
                             uint32_t lane, uint32_t width) {
  SYN_GLOBAL const uint8_t* from = (move.is_stored ? stored : frames) + move.from;
  for (uint32_t i = lane; i < move.size; i += width) to[move.to + i] = from[i];
}

#endif
