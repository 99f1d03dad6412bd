/* A frame's streams of bits, which a coder (zstd_encode.h) writes once its tables are there: the
 * literals' Huffman codes and the sequences, whose states are three lanes' and whose bits are all
 * lanes' (bits_group.h).
 *
 * Threads: a group. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_ZSTD_STREAMS_H
#define SYN_BODIES_ZSTD_STREAMS_H

#include "kernels/bodies/huffman_encode.h"
#include "kernels/bodies/zstd_match.h"

#define SYN_ZSTD_OVERHEAD_MAX 10u /* magic, flags, content size, head of the block */

typedef struct syn_zstd_piece {
  SYN_GLOBAL const uint8_t* bytes;
  uint32_t size;
  SYN_GLOBAL uint8_t* output;              /* size + SYN_ZSTD_OVERHEAD_MAX bytes */
  SYN_GLOBAL uint8_t* literals;            /* SYN_ZSTD_PIECE_SIZE bytes */
  SYN_GLOBAL syn_zstd_sequence* sequences; /* SYN_ZSTD_SEQUENCES_MAX */
} syn_zstd_piece;

/* A piece's state in the group's memory: first matches are found, then they are coded. */
typedef struct syn_zstd_encoder {
  union {
    syn_zstd_matcher matcher;
    struct {
      syn_huffman_coder huffman;
      syn_fse_coder kinds[SYN_ZSTD_KINDS];
      syn_fse_entry table[SYN_ZSTD_TABLE_SIZE];
      uint32_t histograms[SYN_ZSTD_KINDS][SYN_ZSTD_SYMBOLS_MAX];
      syn_pack pack;
      uint8_t codes[SYN_PACK_ITEMS][4]; /* of a batch of sequences, the last one first */
      uint16_t moves[SYN_PACK_ITEMS][SYN_ZSTD_KINDS]; /* the bits of their states, and how many */
      uint32_t states[SYN_ZSTD_KINDS];
    } coder;
  } of;
  syn_zstd_codes codes;
  uint32_t sequence_count;
  uint32_t literal_count;
  uint32_t anchor;
  uint32_t head_size;  /* of the frame and the block */
  uint32_t at;         /* in the output */
  uint32_t literal_to; /* where the literals go, or their streams */
  uint32_t limit;      /* a block from here on would not be smaller than the piece */
  uint32_t is_coded;   /* literals go out as Huffman codes */
  uint32_t stream_count;
  uint32_t stream_bits[4];
  uint32_t stream_size[4];
  uint32_t tree_size;
  /* The stream that is being written, and the next batch of it. */
  uint32_t stream;     /* SYN_ZSTD_STREAM_* or a number of the literals' */
  uint32_t stream_end; /* of the literals or sequences that are left, the last ones first */
  uint32_t taken;      /* of these */
  uint32_t item_count;
  uint32_t is_first;
} syn_zstd_encoder;

#define SYN_ZSTD_STREAM_SEQUENCES 4u
#define SYN_ZSTD_STREAM_NONE 5u

SYN_INLINE uint32_t syn_zstd_stream_length(SYN_LOCAL const syn_zstd_encoder* e, uint32_t stream) {
  const uint32_t each = e->stream_count == 4 ? (e->literal_count + 3) / 4 : e->literal_count;
  return stream == 3 ? e->literal_count - 3 * each : each;
}

SYN_INLINE uint32_t syn_zstd_stream_at(SYN_LOCAL const syn_zstd_encoder* e, uint32_t stream) {
  return stream * syn_zstd_stream_length(e, 0);
}

/* The streams are written in batches, the last literal or sequence first: a decoder reads from the
 * end. Item i of a batch of sequences is number stream_end - 1 - i. */
SYN_INLINE void syn_zstd_load_codes(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                    uint32_t lane, uint32_t width) {
  if (e->stream != SYN_ZSTD_STREAM_SEQUENCES) return;
  for (uint32_t i = lane; i < e->item_count; i += width) {
    const syn_zstd_sequence sequence = piece.sequences[e->stream_end - 1 - i];
    for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
      e->of.coder.codes[i][kind] = sequence.codes[kind];
    }
  }
}

/* The states of one kind, through a batch. The last sequence begins them, and a kind whose only
 * code is told by its table has no bits. */
SYN_INLINE void syn_zstd_move_kind(SYN_LOCAL syn_zstd_encoder* e, uint32_t kind) {
  SYN_LOCAL const syn_fse_coder* coder = &e->of.coder.kinds[kind];
  const uint32_t count = e->item_count;
  const uint32_t has_bits = coder->log != 0;
  uint32_t state = e->of.coder.states[kind];
  if (e->is_first && has_bits) state = syn_fse_last_state(coder, e->of.coder.codes[0][kind]);
  uint32_t begin = 0;
  if (e->is_first || !has_bits) {
    begin = has_bits ? 1 : count;
    for (uint32_t i = 0; i < begin; ++i) e->of.coder.moves[i][kind] = 0;
  }
  if (begin < count) {
    /* What the next step needs is loaded before this one is stored. */
    syn_fse_move next = coder->moves[e->of.coder.codes[begin][kind]];
    for (uint32_t i = begin; i < count; ++i) {
      const syn_fse_move move = next;
      if (i + 1 < count) next = coder->moves[e->of.coder.codes[i + 1][kind]];
      const uint32_t bits = (state + move.bits_from) >> 16;
      e->of.coder.moves[i][kind] = (uint16_t)((state & ((1u << bits) - 1)) | bits << 12);
      state = coder->states[(int32_t)(state >> bits) + move.place];
    }
  }
  e->of.coder.states[kind] = state;
}

SYN_INLINE void syn_zstd_move_states(SYN_LOCAL syn_zstd_encoder* e, uint32_t lane, uint32_t width) {
  if (e->stream != SYN_ZSTD_STREAM_SEQUENCES) return;
  for (uint32_t kind = lane; kind < SYN_ZSTD_KINDS; kind += width) syn_zstd_move_kind(e, kind);
}

SYN_INLINE syn_item syn_zstd_sequence_item(SYN_LOCAL const syn_zstd_encoder* e,
                                           syn_zstd_piece piece, uint32_t index) {
  const syn_zstd_sequence sequence = piece.sequences[e->stream_end - 1 - index];
  const uint32_t literal = sequence.codes[SYN_ZSTD_LITERALS];
  const uint32_t match = sequence.codes[SYN_ZSTD_MATCH];
  const uint32_t offset = sequence.codes[SYN_ZSTD_OFFSET];
  const uint32_t order[SYN_ZSTD_KINDS] = {SYN_ZSTD_OFFSET, SYN_ZSTD_MATCH, SYN_ZSTD_LITERALS};
  syn_item item = {0, 0, 0};
  for (uint32_t k = 0; k < SYN_ZSTD_KINDS; ++k) {
    const uint32_t move = e->of.coder.moves[index][order[k]];
    syn_item_add(&item, move & 4095u, move >> 12);
  }
  syn_item_add(&item, sequence.literal_length - e->codes.base[SYN_ZSTD_LITERALS][literal],
               e->codes.bits[SYN_ZSTD_LITERALS][literal]);
  syn_item_add(&item, sequence.match_length - e->codes.base[SYN_ZSTD_MATCH][match],
               e->codes.bits[SYN_ZSTD_MATCH][match]);
  syn_item_add(&item, sequence.offset_value - (1u << offset), offset);
  return item;
}

SYN_INLINE uint32_t syn_zstd_sequence_size(SYN_LOCAL const syn_zstd_encoder* e, uint32_t index) {
  uint32_t bits = e->of.coder.codes[index][SYN_ZSTD_OFFSET];
  for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
    bits += e->of.coder.moves[index][kind] >> 12;
    if (kind != SYN_ZSTD_OFFSET) bits += e->codes.bits[kind][e->of.coder.codes[index][kind]];
  }
  return bits;
}

SYN_INLINE SYN_GLOBAL const uint8_t* syn_zstd_stream_bytes(SYN_LOCAL const syn_zstd_encoder* e,
                                                           syn_zstd_piece piece) {
  return piece.literals + syn_zstd_stream_at(e, e->stream);
}

SYN_INLINE void syn_zstd_size_items(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                    uint32_t lane, uint32_t width) {
  for (uint32_t i = lane; i < e->item_count; i += width) {
    e->of.coder.pack.starts[i] =
        e->stream == SYN_ZSTD_STREAM_SEQUENCES
            ? syn_zstd_sequence_size(e, i)
            : syn_huffman_item_size(&e->of.coder.huffman, syn_zstd_stream_bytes(e, piece),
                                    e->stream_end - i * SYN_HUFFMAN_ITEM);
  }
}

SYN_INLINE void syn_zstd_put_items(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                   uint32_t lane, uint32_t width) {
  for (uint32_t i = lane; i < e->item_count; i += width) {
    const syn_item item =
        e->stream == SYN_ZSTD_STREAM_SEQUENCES
            ? syn_zstd_sequence_item(e, piece, i)
            : syn_huffman_item(&e->of.coder.huffman, syn_zstd_stream_bytes(e, piece),
                               e->stream_end - i * SYN_HUFFMAN_ITEM);
    syn_pack_put(&e->of.coder.pack, i, item);
  }
}

SYN_INLINE void syn_zstd_next_batch(SYN_LOCAL syn_zstd_encoder* e) {
  const uint32_t each = e->stream == SYN_ZSTD_STREAM_SEQUENCES ? 1 : SYN_HUFFMAN_ITEM;
  const uint32_t most = SYN_PACK_ITEMS * each;
  e->taken = e->stream_end < most ? e->stream_end : most;
  e->item_count = (e->taken + each - 1) / each;
}

/* Begins the next stream, the literals' first. */
SYN_INLINE void syn_zstd_next_stream(SYN_LOCAL syn_zstd_encoder* e, uint32_t stream) {
  if (stream < SYN_ZSTD_STREAM_SEQUENCES && !(e->is_coded && stream < e->stream_count)) {
    stream = SYN_ZSTD_STREAM_SEQUENCES;
  }
  if (stream == SYN_ZSTD_STREAM_SEQUENCES && e->sequence_count == 0) stream = SYN_ZSTD_STREAM_NONE;
  e->stream = stream;
  e->is_first = 1;
  if (stream < SYN_ZSTD_STREAM_SEQUENCES) {
    uint32_t at = e->literal_to;
    for (uint32_t i = 0; i < stream; ++i) at += e->stream_size[i];
    e->stream_end = syn_zstd_stream_length(e, stream);
    syn_pack_begin(&e->of.coder.pack, at, at + e->stream_size[stream]);
  } else {
    e->stream_end = stream == SYN_ZSTD_STREAM_SEQUENCES ? e->sequence_count : 0;
    syn_pack_begin(&e->of.coder.pack, e->at, e->limit);
  }
  syn_zstd_next_batch(e);
}

/* What the decoder's states begin with, and the end of the sequences' bits. */
SYN_INLINE void syn_zstd_end_codes(SYN_LOCAL syn_zstd_encoder* e, syn_bits_out* out) {
  const uint32_t order[SYN_ZSTD_KINDS] = {SYN_ZSTD_MATCH, SYN_ZSTD_OFFSET, SYN_ZSTD_LITERALS};
  for (uint32_t k = 0; k < SYN_ZSTD_KINDS; ++k) {
    const uint32_t log = e->of.coder.kinds[order[k]].log;
    if (log != 0) syn_bits_write(out, e->of.coder.states[order[k]] & ((1u << log) - 1), log);
  }
  syn_bits_close(out);
  e->at = out->at;
}

SYN_INLINE void syn_zstd_end_stream(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  syn_bits_out out = syn_pack_bits_out(&e->of.coder.pack, piece.output);
  if (e->stream == SYN_ZSTD_STREAM_SEQUENCES) {
    syn_zstd_end_codes(e, &out);
  } else {
    syn_bits_close(&out);
  }
}

/* After a batch was written. */
SYN_INLINE void syn_zstd_end_batch(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  if (e->stream == SYN_ZSTD_STREAM_NONE) return;
  syn_pack_keep(&e->of.coder.pack, e->item_count);
  e->stream_end -= e->taken;
  e->is_first = 0;
  if (e->stream_end > 0) {
    syn_zstd_next_batch(e);
    return;
  }
  syn_zstd_end_stream(e, piece);
  syn_zstd_next_stream(e, e->stream + 1);
}

SYN_INLINE void syn_zstd_clear_pack(SYN_LOCAL syn_zstd_encoder* e, uint32_t lane, uint32_t width) {
  for (uint32_t i = lane; i < SYN_PACK_WORDS; i += width) e->of.coder.pack.words[i] = 0;
  if (lane == 0) e->of.coder.pack.whole = 0;
}

SYN_INLINE void syn_zstd_write_codes_alone(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  const uint32_t order[SYN_ZSTD_KINDS] = {SYN_ZSTD_OFFSET, SYN_ZSTD_MATCH, SYN_ZSTD_LITERALS};
  const uint32_t count = e->sequence_count;
  syn_bits_out out = syn_bits_out_at(piece.output, e->at, e->limit);
  for (uint32_t i = count; i > 0; --i) {
    const syn_zstd_sequence sequence = piece.sequences[i - 1];
    const uint32_t literal = sequence.codes[SYN_ZSTD_LITERALS];
    const uint32_t match = sequence.codes[SYN_ZSTD_MATCH];
    const uint32_t offset = sequence.codes[SYN_ZSTD_OFFSET];
    for (uint32_t k = 0; k < SYN_ZSTD_KINDS; ++k) {
      const uint32_t code = sequence.codes[order[k]];
      SYN_LOCAL const syn_fse_coder* coder = &e->of.coder.kinds[order[k]];
      if (coder->log == 0) continue;
      const uint32_t state = e->of.coder.states[order[k]];
      e->of.coder.states[order[k]] =
          i < count ? syn_fse_put(coder, state, code, &out) : syn_fse_last_state(coder, code);
    }
    syn_bits_write(&out, sequence.literal_length - e->codes.base[SYN_ZSTD_LITERALS][literal],
                   e->codes.bits[SYN_ZSTD_LITERALS][literal]);
    syn_bits_write(&out, sequence.match_length - e->codes.base[SYN_ZSTD_MATCH][match],
                   e->codes.bits[SYN_ZSTD_MATCH][match]);
    syn_bits_write(&out, sequence.offset_value - (1u << offset), offset);
  }
  syn_zstd_end_codes(e, &out);
}

/* One lane has nobody to share a batch with. */
SYN_INLINE void syn_zstd_write_alone(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  uint32_t at = e->literal_to;
  for (uint32_t i = 0; e->is_coded && i < e->stream_count; ++i) {
    syn_huffman_write_alone(&e->of.coder.huffman, piece.literals + syn_zstd_stream_at(e, i),
                            syn_zstd_stream_length(e, i), piece.output + at, e->stream_size[i]);
    at += e->stream_size[i];
  }
  if (e->sequence_count > 0) syn_zstd_write_codes_alone(e, piece);
}

/* One loop for all streams, gone through at least once: PoCL multiplies what follows a barrier that
 * not every way has. */
SYN_INLINE void syn_zstd_write_streams(syn_group group, SYN_LOCAL syn_zstd_encoder* e,
                                       syn_zstd_piece piece) {
  SYN_LOCAL syn_pack* pack = &e->of.coder.pack;
  if (group.width == 1) {
    SYN_FIRST_LANE(group, syn_zstd_write_alone(e, piece));
    return;
  }
  do {
    SYN_ALL_LANES(group, syn_zstd_load_codes(e, piece, lane, group.width));
    SYN_ALL_LANES(group, syn_zstd_move_states(e, lane, group.width));
    SYN_ALL_LANES(group, syn_zstd_size_items(e, piece, lane, group.width));
    SYN_SUM_BEFORE(group, pack->starts, e->item_count);
    SYN_ALL_LANES(group, syn_zstd_put_items(e, piece, lane, group.width));
    SYN_ALL_LANES(group, syn_pack_write(pack, piece.output, e->item_count, lane, group.width));
    SYN_FIRST_LANE(group, syn_zstd_end_batch(e, piece));
    SYN_ALL_LANES(group, syn_pack_clear(pack, lane, group.width));
  } while (e->stream != SYN_ZSTD_STREAM_NONE);
}

#endif
