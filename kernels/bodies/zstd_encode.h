/* A coder of zstd frames (RFC 8878) for one group of lanes: a piece of up to 64 KiB becomes a frame
 * of one block, which any decoder of zstd takes.
 *
 * Matches by all lanes (zstd_match.h); literals by a Huffman tree of their own in one stream or
 * four, or plain; sequences by predefined or fitted FSE tables (zstd_streams.h). A piece that does
 * not shrink is kept as it is. The bytes do not depend on how many lanes there are.
 * Owner: the caller's memory: SYN_ZSTD_FRAME_SIZE_MAX of output, a syn_zstd_encoder in the group's
 * memory, sequences and literals (syn_zstd_piece). C subset: compiles as C, C++, CUDA and
 * OpenCL C. */
#ifndef SYN_BODIES_ZSTD_ENCODE_H
#define SYN_BODIES_ZSTD_ENCODE_H

#include "kernels/bodies/zstd_streams.h"

SYN_INLINE uint32_t syn_zstd_code_of(SYN_LOCAL const syn_zstd_codes* codes, uint32_t kind,
                                     uint32_t length) {
  const uint32_t is_match = kind == SYN_ZSTD_MATCH;
  const uint32_t value = is_match ? length - SYN_ZSTD_MATCH_MIN : length;
  if (value >= (is_match ? 128u : 64u)) return syn_high_bit(value) + (is_match ? 36 : 19);
  if (value < (is_match ? 32u : 16u)) return value;
  uint32_t code = is_match ? 32 : 16;
  while (codes->base[kind][code + 1] <= length) ++code;
  return code;
}

/* What the coder needs of the matcher, whose memory it takes over. */
SYN_INLINE void syn_zstd_take_over(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  e->sequence_count = e->of.matcher.progress.sequence_count;
  e->anchor = e->of.matcher.progress.anchor;
  e->literal_count = e->of.matcher.progress.literal_count + piece.size - e->anchor;
  e->head_size = piece.size < 256 ? 9 : 10;
  e->at = e->head_size;
  e->limit = e->head_size + piece.size;
  syn_zstd_fill_codes(&e->codes);
}

SYN_INLINE void syn_zstd_clear_counts(SYN_LOCAL syn_zstd_encoder* e, uint32_t lane,
                                      uint32_t width) {
  for (uint32_t i = lane; i < SYN_HUFFMAN_SYMBOLS; i += width) {
    e->of.coder.huffman.histogram[i] = 0;
  }
  for (uint32_t i = lane; i < SYN_ZSTD_SYMBOLS_MAX; i += width) {
    for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) e->of.coder.histograms[kind][i] = 0;
  }
}

SYN_INLINE void syn_zstd_gather(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece, uint32_t from,
                                uint32_t to, uint32_t count, uint32_t first, uint32_t step) {
  for (uint32_t i = first; i < count; i += step) {
    const uint8_t byte = piece.bytes[from + i];
    piece.literals[to + i] = byte;
    SYN_LOCAL_ADD(&e->of.coder.huffman.histogram[byte], 1u);
  }
}

/* A lane's sequences: their codes counted, their literals put in place. */
SYN_INLINE void syn_zstd_count(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece, uint32_t lane,
                               uint32_t width) {
  for (uint32_t i = lane; i < e->sequence_count; i += width) {
    syn_zstd_sequence sequence = piece.sequences[i];
    const uint32_t codes[SYN_ZSTD_KINDS] = {
        syn_zstd_code_of(&e->codes, SYN_ZSTD_LITERALS, sequence.literal_length),
        syn_high_bit(sequence.offset_value),
        syn_zstd_code_of(&e->codes, SYN_ZSTD_MATCH, sequence.match_length)};
    for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
      sequence.codes[kind] = (uint8_t)codes[kind];
      SYN_LOCAL_ADD(&e->of.coder.histograms[kind][codes[kind]], 1u);
    }
    piece.sequences[i] = sequence;
    syn_zstd_gather(e, piece, sequence.from, sequence.literal_at, sequence.literal_length, 0, 1);
  }
  const uint32_t last = piece.size - e->anchor;
  syn_zstd_gather(e, piece, e->anchor, e->literal_count - last, last, lane, width);
}

/* Few literals are not worth a tree; for the streams' lengths in ten bits one stream does. */
SYN_INLINE void syn_zstd_plan_literals(SYN_LOCAL syn_zstd_encoder* e) {
  e->is_coded = e->literal_count >= 32;
  e->stream_count = e->literal_count < 256 ? 1 : 4;
  for (uint32_t i = 0; i < 4; ++i) e->stream_bits[i] = 0;
  if (!e->is_coded) return;
  syn_huffman_build(&e->of.coder.huffman);
  e->is_coded = e->of.coder.huffman.leaf_count > 1;
}

SYN_INLINE void syn_zstd_measure_streams(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                         uint32_t lane, uint32_t width) {
  if (!e->is_coded) return;
  for (uint32_t i = 0; i < e->stream_count; ++i) {
    const uint32_t bits =
        syn_huffman_bits(&e->of.coder.huffman, piece.literals + syn_zstd_stream_at(e, i),
                         syn_zstd_stream_length(e, i), lane, width);
    SYN_LOCAL_ADD(&e->stream_bits[i], bits);
  }
}

/* Numbers of the format at the output's end, as far as there is room. */
SYN_INLINE void syn_zstd_write_number(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                      uint64_t value, uint32_t size) {
  for (uint32_t i = 0; i < size; ++i) {
    if (e->at < e->limit) piece.output[e->at] = (uint8_t)(value >> (8 * i));
    ++e->at;
  }
}

/* The head of plain literals, or of one literal again and again. */
SYN_INLINE void syn_zstd_head_plain(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  const uint32_t count = e->literal_count;
  const uint32_t type = count > 1 && e->of.coder.huffman.histogram[piece.literals[0]] == count
                            ? SYN_ZSTD_RLE
                            : SYN_ZSTD_RAW;
  const uint32_t size = count < 32 ? 1 : count < 4096 ? 2 : 3;
  const uint32_t format = size == 1 ? 0 : size == 2 ? 1 : 3;
  syn_zstd_write_number(e, piece, type | format << 2 | (uint64_t)count << (size == 1 ? 3 : 4),
                        size);
  e->stream_count = 0;
  e->is_coded = 0;
  e->stream_size[0] = type == SYN_ZSTD_RLE ? 1 : count;
}

/* The head of coded literals, the tree, and the jump table; where the streams begin is e->at. */
SYN_INLINE void syn_zstd_head_coded(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  uint32_t streams = e->stream_count == 4 ? 6 : 0;
  for (uint32_t i = 0; i < e->stream_count; ++i) {
    e->stream_size[i] = e->stream_bits[i] / 8 + 1; /* with the bit that marks the end */
    streams += e->stream_size[i];
  }
  const uint32_t most = e->literal_count;
  const uint32_t head = most < 1024 ? 3 : most < 16384 ? 4 : 5;
  const uint32_t width = head == 3 ? 10 : head == 4 ? 14 : 18;
  const uint32_t format = e->stream_count == 1 ? 0 : head - 2;
  e->tree_size = syn_huffman_write_tree(&e->of.coder.huffman, &e->of.coder.kinds[0],
                                        e->of.coder.table, piece.output, e->at + head, e->limit);
  const uint32_t coded = e->tree_size + streams;
  if (e->tree_size == 0 || coded + head >= e->literal_count || e->at + head + coded > e->limit) {
    syn_zstd_head_plain(e, piece);
    return;
  }
  syn_zstd_write_number(
      e, piece,
      SYN_ZSTD_COMPRESSED | format << 2 | (uint64_t)most << 4 | (uint64_t)coded << (4 + width),
      head);
  e->at += e->tree_size;
  for (uint32_t i = 0; i + 1 < e->stream_count; ++i) {
    syn_zstd_write_number(e, piece, e->stream_size[i], 2);
  }
}

SYN_INLINE void syn_zstd_begin_literals(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  if (e->is_coded) {
    syn_zstd_head_coded(e, piece);
  } else {
    syn_zstd_head_plain(e, piece);
  }
  e->literal_to = e->at;
  const uint32_t count = e->is_coded ? e->stream_count : 1;
  for (uint32_t i = 0; i < count; ++i) e->at += e->stream_size[i];
}

/* Those that are not coded. */
SYN_INLINE void syn_zstd_copy_literals_out(SYN_LOCAL const syn_zstd_encoder* e,
                                           syn_zstd_piece piece, uint32_t lane, uint32_t width) {
  const uint32_t count = e->stream_size[0];
  if (e->is_coded || e->literal_to + count > e->limit) return;
  for (uint32_t i = lane; i < count; i += width) {
    piece.output[e->literal_to + i] = piece.literals[i];
  }
}

/* log2 in 256ths, by its high bit and a straight line: at most a twelfth of a bit too low. */
SYN_INLINE uint32_t syn_zstd_log2(uint32_t value) {
  const uint32_t high = syn_high_bit(value);
  return (high << 8) + (((value << 8) >> high) & 255u);
}

/* What the codes of a kind would take by these places, in 256ths of a bit. */
SYN_INLINE uint32_t syn_zstd_cost(SYN_LOCAL const uint32_t* histogram,
                                  SYN_LOCAL const syn_fse_coder* coder, uint32_t log) {
  uint32_t cost = 0;
  for (uint32_t i = 0; i < coder->symbol_count; ++i) {
    if (histogram[i] == 0) continue;
    const uint32_t count = coder->counts[i] < 1 ? 1 : (uint32_t)coder->counts[i];
    cost += histogram[i] * ((log << 8) - syn_zstd_log2(count));
  }
  return cost;
}

SYN_INLINE uint32_t syn_zstd_fitted_log(uint32_t kind, uint32_t distinct, uint32_t total) {
  uint32_t log = total < 128 ? 5 : syn_high_bit(total) - 1;
  while (1u << log < 2 * distinct) ++log;
  const uint32_t most = syn_zstd_log_max(kind);
  return log < most ? log : most;
}

/* Chooses and writes a kind's table; gives its mode. */
SYN_INLINE uint32_t syn_zstd_write_table(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece,
                                         uint32_t kind) {
  SYN_LOCAL syn_fse_coder* coder = &e->of.coder.kinds[kind];
  SYN_LOCAL const uint32_t* histogram = e->of.coder.histograms[kind];
  uint32_t distinct = 0;
  for (uint32_t i = 0; i < syn_zstd_symbol_count(kind); ++i) {
    if (histogram[i] == 0) continue;
    ++distinct;
    coder->symbol_count = i + 1;
  }
  if (distinct == 1) {
    coder->log = 0;
    syn_zstd_write_number(e, piece, coder->symbol_count - 1, 1);
    return SYN_ZSTD_RLE;
  }
  const uint32_t log = syn_zstd_predefined(kind, coder->counts);
  const uint32_t plain = syn_zstd_cost(histogram, coder, log);
  coder->log = syn_zstd_fitted_log(kind, distinct, e->sequence_count);
  syn_fse_fit(coder, histogram, e->sequence_count);
  syn_bits_out out = syn_bits_out_at(piece.output, e->at, e->limit);
  syn_fse_write_counts(coder, &out);
  const uint32_t fitted =
      syn_zstd_cost(histogram, coder, coder->log) + (out.at - e->at) * (8u << 8);
  if (fitted < plain) {
    e->at = out.at;
  } else {
    coder->log = syn_zstd_predefined(kind, coder->counts);
    coder->symbol_count = kind == SYN_ZSTD_OFFSET ? 29 : syn_zstd_symbol_count(kind);
  }
  syn_fse_encode_table(coder, e->of.coder.table);
  return fitted < plain ? SYN_ZSTD_COMPRESSED : SYN_ZSTD_PREDEFINED;
}

/* All but the sequences' bits; those are written then, if there are any and there is room. */
SYN_INLINE void syn_zstd_begin_sequences_out(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  const uint32_t count = e->sequence_count;
  if (count < 128) {
    syn_zstd_write_number(e, piece, count, 1);
  } else {
    syn_zstd_write_number(e, piece, (count >> 8) + 128, 1);
    syn_zstd_write_number(e, piece, count & 255, 1);
  }
  if (count == 0 || e->at >= e->limit) {
    e->sequence_count = 0;
    return;
  }
  const uint32_t modes_at = e->at++;
  uint32_t modes = 0;
  for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
    modes |= syn_zstd_write_table(e, piece, kind) << (6 - 2 * kind);
  }
  piece.output[modes_at] = (uint8_t)modes;
}

SYN_INLINE void syn_zstd_begin_streams(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  syn_zstd_begin_literals(e, piece);
  syn_zstd_begin_sequences_out(e, piece);
  syn_zstd_next_stream(e, 0);
}

/* The heads of frame and block, now that it is known what the block is. */
SYN_INLINE void syn_zstd_write_heads(SYN_LOCAL syn_zstd_encoder* e, syn_zstd_piece piece) {
  const uint32_t is_raw = e->at >= e->limit;
  const uint32_t end = is_raw ? e->limit : e->at;
  const uint32_t size = end - e->head_size;
  const uint32_t is_short = e->head_size == 9;
  e->at = 0;
  syn_zstd_write_number(e, piece, SYN_ZSTD_MAGIC, 4);
  syn_zstd_write_number(e, piece, is_short ? 0x20 : 0x60, 1);
  syn_zstd_write_number(e, piece, is_short ? piece.size : piece.size - 256, is_short ? 1 : 2);
  syn_zstd_write_number(e, piece,
                        1 | (is_raw ? SYN_ZSTD_RAW : SYN_ZSTD_COMPRESSED) << 1 | size << 3, 3);
  e->at = end;
  e->is_coded = !is_raw;
}

SYN_INLINE void syn_zstd_copy_raw(SYN_LOCAL const syn_zstd_encoder* e, syn_zstd_piece piece,
                                  uint32_t lane, uint32_t width) {
  if (e->is_coded) return;
  for (uint32_t i = lane; i < piece.size; i += width)
    piece.output[e->head_size + i] = piece.bytes[i];
}

/* Every lane calls it, and every lane gets the same: the frame's size. */
SYN_INLINE uint32_t syn_zstd_encode(syn_group group, SYN_LOCAL syn_zstd_encoder* e,
                                    syn_zstd_piece piece) {
  SYN_FENCE();
  syn_zstd_match(group, &e->of.matcher, piece.bytes, piece.size, piece.sequences);
  SYN_FIRST_LANE(group, syn_zstd_take_over(e, piece));
  SYN_FENCE();
  SYN_ALL_LANES(group, syn_zstd_clear_counts(e, lane, group.width));
  SYN_ALL_LANES(group, syn_zstd_count(e, piece, lane, group.width));
  SYN_ALL_LANES(group, syn_huffman_rank(&e->of.coder.huffman, lane, group.width));
  SYN_FIRST_LANE(group, syn_zstd_plan_literals(e));
  SYN_ALL_LANES(group, syn_zstd_measure_streams(e, piece, lane, group.width));
  SYN_ALL_LANES(group, syn_zstd_clear_pack(e, lane, group.width));
  SYN_FIRST_LANE(group, syn_zstd_begin_streams(e, piece));
  SYN_ALL_LANES(group, syn_zstd_copy_literals_out(e, piece, lane, group.width));
  syn_zstd_write_streams(group, e, piece);
  SYN_FIRST_LANE(group, syn_zstd_write_heads(e, piece));
  SYN_ALL_LANES(group, syn_zstd_copy_raw(e, piece, lane, group.width));
  return e->at;
}

#endif
