/* A decoder of zstd frames (RFC 8878) for one group of lanes: any bytes in, the content or why not.
 *
 * The four Huffman streams have a lane each, a short copy is a lane's own, a long one or one out of
 * the same batch is all lanes'; what is serial (tables, the sequences' bits) is lane 0's. A frame's
 * content size must be in its header; a dictionary and the checksum are not looked at here
 * (syn_zstd_frame says where the checksum is). Stricter than libzstd, as the format is: bits left
 * over or overdrawn, reserved bits, trees deeper than 11. Owner: the caller's memory, bounded: the
 * frame, its place, SYN_ZSTD_BLOCK_SIZE_MAX bytes for literals, a syn_zstd_decoder in the group's
 * memory. Nothing outside of them is written, nor read but for the slack of syn_read32. C subset:
 * compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_ZSTD_DECODE_H
#define SYN_BODIES_ZSTD_DECODE_H

#include "kernels/bodies/huffman_decode.h"
#include "kernels/bodies/zstd_frame.h"

#define SYN_ZSTD_BATCH_SIZE 32u
/* What one lane copies alone, while the others copy theirs. */
#define SYN_ZSTD_ALONE_MAX 32u

typedef struct syn_zstd_copy {
  uint32_t literal_at; /* among the block's literals */
  uint32_t literal_length;
  uint32_t output_at; /* of its literals; the match follows them */
  uint32_t match_length;
  uint32_t offset;
} syn_zstd_copy;

/* What goes on from sequence to sequence. */
typedef struct syn_zstd_cursor {
  uint32_t states[SYN_ZSTD_KINDS];
  uint32_t repeats[3];
  uint32_t literals_used;
  uint32_t produced; /* bytes of the output */
} syn_zstd_cursor;

typedef struct syn_zstd_input {
  SYN_GLOBAL const uint8_t* bytes;
  uint32_t size;
  uint32_t output_size;
  SYN_GLOBAL uint8_t* output;
  SYN_GLOBAL uint8_t* scratch; /* SYN_ZSTD_BLOCK_SIZE_MAX bytes */
} syn_zstd_input;

/* One frame's state, in the group's memory. */
typedef struct syn_zstd_decoder {
  uint64_t window; /* of the sequences' bits, between batches */
  uint32_t bits_at;
  int32_t bits_left;
  syn_zstd_codes codes;
  syn_fse_entry tables[SYN_ZSTD_KINDS][SYN_ZSTD_TABLE_SIZE];
  uint32_t logs[SYN_ZSTD_KINDS];
  uint32_t has_tables;
  syn_huffman huffman;
  syn_zstd_copy copies[SYN_ZSTD_BATCH_SIZE];
  uint32_t copy_count;
  uint32_t copies_at;   /* in the output: all before it is there */
  uint32_t is_long;     /* bits of copies whose literals all lanes copy */
  uint32_t is_together; /* bits of copies whose matches all lanes copy, one after the other */
  syn_zstd_cursor cursor;
  uint32_t status;
  uint32_t at; /* of the block, then of what follows it */
  uint32_t block_type;
  uint32_t block_size; /* of an RLE block: how often */
  uint32_t is_last;
  uint32_t literal_type;
  uint32_t literal_size;
  uint32_t literal_at; /* raw and RLE: in the frame */
  uint32_t stream_count;
  uint32_t stream_at[4];
  uint32_t stream_size[4];
  uint32_t stream_status[4];
  uint32_t sequences_left;
  int16_t counts[SYN_ZSTD_SYMBOLS_MAX];
  uint16_t next[SYN_ZSTD_SYMBOLS_MAX];
} syn_zstd_decoder;

SYN_INLINE void syn_zstd_begin(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in) {
  syn_zstd_frame frame;
  d->status = syn_zstd_read_header(in.bytes, in.size, &frame);
  d->is_last = 0;
  d->cursor.produced = 0;
  d->has_tables = 0;
  d->huffman.log = 0;
  d->cursor.repeats[0] = 1;
  d->cursor.repeats[1] = 4;
  d->cursor.repeats[2] = 8;
  if (d->status != SYN_ZSTD_OK) return;
  d->at = frame.header_size;
  if (frame.content_size != in.output_size) d->status = SYN_ZSTD_TOO_LONG;
  syn_zstd_fill_codes(&d->codes);
}

SYN_INLINE void syn_zstd_begin_block(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in) {
  d->status = SYN_ZSTD_CORRUPT;
  if (in.size - d->at < 3) return;
  const uint32_t head = (uint32_t)syn_zstd_number(in.bytes + d->at, 3);
  d->at += 3;
  d->is_last = head & 1;
  d->block_type = head >> 1 & 3;
  d->block_size = head >> 3;
  if (d->block_type == 3 || syn_zstd_block_bytes(head) > in.size - d->at) return;
  const uint32_t is_compressed = d->block_type == SYN_ZSTD_COMPRESSED;
  if (is_compressed && d->block_size >= SYN_ZSTD_BLOCK_SIZE_MAX) return;
  if (!is_compressed && d->block_size > in.output_size - d->cursor.produced) {
    d->status = SYN_ZSTD_TOO_LONG;
    return;
  }
  d->status = SYN_ZSTD_OK;
}

SYN_INLINE void syn_zstd_copy_plain(SYN_LOCAL const syn_zstd_decoder* d, syn_zstd_input in,
                                    uint32_t lane, uint32_t width) {
  const uint32_t step = d->block_type == SYN_ZSTD_RAW;
  for (uint32_t i = lane; i < d->block_size; i += width) {
    in.output[d->cursor.produced + i] = in.bytes[d->at + i * step];
  }
}

SYN_INLINE void syn_zstd_end_plain(SYN_LOCAL syn_zstd_decoder* d) {
  d->cursor.produced += d->block_size;
  d->at += d->block_type == SYN_ZSTD_RLE ? 1 : d->block_size;
}

/* One stream, or the four behind their jump table. */
SYN_INLINE uint32_t syn_zstd_place_streams(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                           uint32_t at, uint32_t size) {
  d->stream_at[0] = at;
  d->stream_size[0] = size;
  if (d->stream_count == 1) return SYN_ZSTD_OK;
  if (size < 10) return SYN_ZSTD_CORRUPT;
  uint32_t left = size - 6;
  uint32_t begin = at + 6;
  for (uint32_t i = 0; i < 4; ++i) {
    const uint32_t declared = i == 3 ? left : (uint32_t)syn_zstd_number(in.bytes + at + 2 * i, 2);
    if (declared > left) return SYN_ZSTD_CORRUPT;
    d->stream_at[i] = begin;
    d->stream_size[i] = declared;
    begin += declared;
    left -= declared;
  }
  return (d->literal_size + 3) / 4 * 3 > d->literal_size ? SYN_ZSTD_CORRUPT : SYN_ZSTD_OK;
}

/* Compressed literals: the tree, if there is one, and where the streams lie. */
SYN_INLINE uint32_t syn_zstd_coded_literals(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                            uint32_t end) {
  if (end - d->at < 5) return SYN_ZSTD_CORRUPT;
  const uint64_t head = syn_zstd_number(in.bytes + d->at, 5);
  const uint32_t format = (uint32_t)head >> 2 & 3;
  const uint32_t width = format < 2 ? 10 : format == 2 ? 14 : 18;
  const uint32_t mask = (1u << width) - 1;
  d->stream_count = format == 0 ? 1 : 4;
  d->literal_size = (uint32_t)(head >> 4) & mask;
  uint32_t size = (uint32_t)(head >> (4 + width)) & mask;
  d->at += (4 + 2 * width + 7) / 8;
  if (d->literal_size == 0 || d->literal_size > SYN_ZSTD_BLOCK_SIZE_MAX || size > end - d->at) {
    return SYN_ZSTD_CORRUPT;
  }
  if (d->stream_count == 4 && d->literal_size < 6) return SYN_ZSTD_CORRUPT;
  uint32_t at = d->at;
  d->at += size;
  if (d->literal_type == SYN_ZSTD_COMPRESSED) {
    const uint32_t tree_size = syn_huffman_read(&d->huffman, in.bytes + at, size);
    if (tree_size == 0) return SYN_ZSTD_STRICT;
    at += tree_size;
    size -= tree_size;
  }
  if (d->huffman.log == 0) return SYN_ZSTD_CORRUPT;
  return syn_zstd_place_streams(d, in, at, size);
}

SYN_INLINE uint32_t syn_zstd_literals(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                      uint32_t end) {
  d->stream_count = 0;
  d->cursor.literals_used = 0;
  if (end - d->at < 2) return SYN_ZSTD_CORRUPT;
  const uint32_t head = in.bytes[d->at];
  d->literal_type = head & 3;
  if (d->literal_type >= SYN_ZSTD_COMPRESSED) return syn_zstd_coded_literals(d, in, end);
  const uint32_t format = head >> 2 & 3;
  const uint32_t head_size = (format & 1) == 0 ? 1 : format == 1 ? 2 : 3;
  if (head_size > end - d->at) return SYN_ZSTD_CORRUPT;
  d->literal_size =
      (uint32_t)syn_zstd_number(in.bytes + d->at, head_size) >> ((format & 1) == 0 ? 3 : 4);
  d->literal_at = d->at + head_size;
  const uint32_t size = d->literal_type == SYN_ZSTD_RAW ? d->literal_size : 1;
  if (d->literal_size > SYN_ZSTD_BLOCK_SIZE_MAX || size > end - d->literal_at) {
    return SYN_ZSTD_CORRUPT;
  }
  d->at = d->literal_at + size;
  return SYN_ZSTD_OK;
}

/* The table of one kind, by the mode that the block says. */
SYN_INLINE uint32_t syn_zstd_read_table(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                        uint32_t end, uint32_t kind, uint32_t mode) {
  if (mode == SYN_ZSTD_REPEAT) return d->has_tables ? SYN_ZSTD_OK : SYN_ZSTD_CORRUPT;
  uint32_t symbol_count = syn_zstd_symbol_count(kind);
  if (mode == SYN_ZSTD_RLE) {
    if (d->at >= end || in.bytes[d->at] >= symbol_count) return SYN_ZSTD_CORRUPT;
    d->logs[kind] = 0;
    d->tables[kind][0].symbol = in.bytes[d->at++];
    d->tables[kind][0].bits = 0;
    d->tables[kind][0].next = 0;
    return SYN_ZSTD_OK;
  }
  if (mode == SYN_ZSTD_PREDEFINED) {
    d->logs[kind] = syn_zstd_predefined(kind, d->counts);
  } else {
    const syn_fse_description description = syn_fse_describe(
        in.bytes + d->at, end - d->at, syn_zstd_log_max(kind), symbol_count, d->counts);
    if (description.size == 0) return SYN_ZSTD_CORRUPT;
    d->at += description.size;
    d->logs[kind] = description.log;
    symbol_count = description.symbol_count;
  }
  syn_fse_decode_table(d->tables[kind], d->logs[kind], d->counts, symbol_count, d->next);
  return SYN_ZSTD_OK;
}

/* 0x7f00 and more take three bytes. */
SYN_INLINE uint32_t syn_zstd_sequence_count(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                            uint32_t end) {
  if (d->at >= end) return SYN_ZSTD_CORRUPT;
  const uint32_t head = in.bytes[d->at++];
  d->sequences_left = head;
  if (head < 128) return SYN_ZSTD_OK;
  const uint32_t more = head == 255 ? 2 : 1;
  if (more > end - d->at) return SYN_ZSTD_CORRUPT;
  const uint32_t rest = (uint32_t)syn_zstd_number(in.bytes + d->at, more);
  d->at += more;
  d->sequences_left = head == 255 ? rest + 0x7f00 : (head - 128) << 8 | rest;
  return d->sequences_left == 0 ? SYN_ZSTD_STRICT : SYN_ZSTD_OK;
}

SYN_INLINE uint32_t syn_zstd_begin_sequences(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                             uint32_t end) {
  uint32_t status = syn_zstd_sequence_count(d, in, end);
  if (status != SYN_ZSTD_OK) return status;
  if (d->sequences_left == 0) return d->at == end ? SYN_ZSTD_OK : SYN_ZSTD_CORRUPT;
  if (d->at >= end) return SYN_ZSTD_CORRUPT;
  const uint32_t modes = in.bytes[d->at++];
  if ((modes & 3) != 0) return SYN_ZSTD_STRICT;
  for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
    status = syn_zstd_read_table(d, in, end, kind, modes >> (6 - 2 * kind) & 3);
    if (status != SYN_ZSTD_OK) return status;
  }
  d->has_tables = 1;
  syn_bits bits;
  if (!syn_bits_open(&bits, in.bytes + d->at, end - d->at)) return SYN_ZSTD_CORRUPT;
  for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; ++kind) {
    d->cursor.states[kind] = syn_bits_read(&bits, d->logs[kind]);
  }
  d->window = bits.window;
  d->bits_at = bits.at;
  d->bits_left = bits.left;
  return SYN_ZSTD_OK;
}

SYN_INLINE void syn_zstd_begin_compressed(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in) {
  const uint32_t end = d->at + d->block_size;
  d->status = syn_zstd_literals(d, in, end);
  if (d->status != SYN_ZSTD_OK) return;
  d->status = syn_zstd_begin_sequences(d, in, end);
}

/* A lane's streams of Huffman codes, or its part of a repeated literal. */
SYN_INLINE void syn_zstd_decode_literals(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in,
                                         uint32_t lane, uint32_t width) {
  if (d->literal_type == SYN_ZSTD_RLE) {
    for (uint32_t i = lane; i < d->literal_size; i += width) {
      in.scratch[i] = in.bytes[d->literal_at];
    }
  }
  const uint32_t each = d->stream_count == 4 ? (d->literal_size + 3) / 4 : d->literal_size;
  for (uint32_t i = lane; i < d->stream_count; i += width) {
    const uint32_t count = i == 3 ? d->literal_size - 3 * each : each;
    d->stream_status[i] = syn_huffman_stream(&d->huffman, in.bytes + d->stream_at[i],
                                             d->stream_size[i], in.scratch + i * each, count);
  }
}

SYN_INLINE void syn_zstd_check_streams(SYN_LOCAL syn_zstd_decoder* d) {
  for (uint32_t i = 0; i < d->stream_count; ++i) {
    if (!d->stream_status[i]) d->status = SYN_ZSTD_STRICT;
  }
}

/* What an offset's value means, given those before it; 0: nothing. */
SYN_INLINE uint32_t syn_zstd_resolve(syn_zstd_cursor* c, uint32_t value, uint32_t literal_length) {
  const uint32_t index = value > 3 ? 3 : value - 1 + (literal_length == 0);
  uint32_t offset = value - 3;
  if (value <= 3) {
    offset = c->repeats[0] - 1;
    if (index == 0) offset = c->repeats[0];
    if (index == 1) offset = c->repeats[1];
    if (index == 2) offset = c->repeats[2];
  }
  if (index > 1) c->repeats[2] = c->repeats[1];
  if (index > 0) c->repeats[1] = c->repeats[0];
  c->repeats[0] = offset;
  return offset;
}

SYN_INLINE uint32_t syn_zstd_check_copy(const syn_zstd_cursor* c, uint32_t literal_size,
                                        uint32_t output_size, const syn_zstd_copy* copy) {
  if (copy->literal_length > literal_size - c->literals_used) return SYN_ZSTD_CORRUPT;
  if (copy->literal_length + copy->match_length > output_size - c->produced) {
    return SYN_ZSTD_TOO_LONG;
  }
  if (copy->offset == 0) return SYN_ZSTD_STRICT;
  return copy->offset > c->produced + copy->literal_length ? SYN_ZSTD_CORRUPT : SYN_ZSTD_OK;
}

/* One sequence, and the states moved on to the next one, if there is one. */
SYN_INLINE syn_zstd_copy syn_zstd_read_sequence(SYN_LOCAL const syn_zstd_decoder* d,
                                                syn_zstd_cursor* c, syn_bits* bits,
                                                uint32_t has_next) {
  const syn_fse_entry offset = d->tables[SYN_ZSTD_OFFSET][c->states[SYN_ZSTD_OFFSET]];
  const syn_fse_entry match = d->tables[SYN_ZSTD_MATCH][c->states[SYN_ZSTD_MATCH]];
  const syn_fse_entry literal = d->tables[SYN_ZSTD_LITERALS][c->states[SYN_ZSTD_LITERALS]];
  syn_zstd_copy copy;
  syn_bits_refill(bits);
  const uint32_t value = (1u << offset.symbol) + syn_bits_read(bits, offset.symbol);
  syn_bits_refill(bits);
  copy.match_length = d->codes.base[SYN_ZSTD_MATCH][match.symbol] +
                      syn_bits_read(bits, d->codes.bits[SYN_ZSTD_MATCH][match.symbol]);
  copy.literal_length = d->codes.base[SYN_ZSTD_LITERALS][literal.symbol] +
                        syn_bits_read(bits, d->codes.bits[SYN_ZSTD_LITERALS][literal.symbol]);
  if (has_next) {
    syn_bits_refill(bits);
    c->states[SYN_ZSTD_LITERALS] = literal.next + syn_bits_read(bits, literal.bits);
    c->states[SYN_ZSTD_MATCH] = match.next + syn_bits_read(bits, match.bits);
    c->states[SYN_ZSTD_OFFSET] = offset.next + syn_bits_read(bits, offset.bits);
  }
  copy.offset = syn_zstd_resolve(c, value, copy.literal_length);
  copy.literal_at = c->literals_used;
  copy.output_at = c->produced;
  return copy;
}

/* Reads the next sequences and holds each against what is there: copying them is safe then. */
SYN_INLINE void syn_zstd_read_batch(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in) {
  syn_bits bits;
  bits.bytes = in.bytes + d->at;
  bits.window = d->window;
  bits.at = d->bits_at;
  bits.left = d->bits_left;
  syn_zstd_cursor cursor = d->cursor;
  const uint32_t literal_size = d->literal_size;
  uint32_t left = d->sequences_left;
  uint32_t count = 0;
  uint32_t status = SYN_ZSTD_OK;
  d->copies_at = cursor.produced;
  d->is_long = 0;
  d->is_together = 0;
  while (count < SYN_ZSTD_BATCH_SIZE && left > 0) {
    --left;
    const syn_zstd_copy copy = syn_zstd_read_sequence(d, &cursor, &bits, left > 0);
    status = syn_zstd_check_copy(&cursor, literal_size, in.output_size, &copy);
    if (status != SYN_ZSTD_OK) break;
    d->copies[count++] = copy;
    cursor.literals_used += copy.literal_length;
    cursor.produced += copy.literal_length + copy.match_length;
  }
  if (left == 0 && status == SYN_ZSTD_OK && !syn_bits_is_at_end(&bits)) status = SYN_ZSTD_STRICT;
  d->status = status;
  d->copy_count = count;
  d->sequences_left = left;
  d->cursor = cursor;
  d->window = bits.window;
  d->bits_at = bits.at;
  d->bits_left = bits.left;
}

SYN_INLINE SYN_GLOBAL const uint8_t* syn_zstd_literal_bytes(SYN_LOCAL const syn_zstd_decoder* d,
                                                            syn_zstd_input in) {
  return d->literal_type == SYN_ZSTD_RAW ? in.bytes + d->literal_at : in.scratch;
}

/* A lane's sequences: short literals, and short matches of what was there before the batch. What
 * else there is, is noted for all lanes. */
SYN_INLINE void syn_zstd_copy_alone(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in, uint32_t lane,
                                    uint32_t width) {
  SYN_GLOBAL const uint8_t* literals = syn_zstd_literal_bytes(d, in);
  for (uint32_t i = lane; i < d->copy_count; i += width) {
    const syn_zstd_copy copy = d->copies[i];
    SYN_GLOBAL uint8_t* to = in.output + copy.output_at;
    if (copy.literal_length > SYN_ZSTD_ALONE_MAX) {
      SYN_LOCAL_ADD(&d->is_long, 1u << i);
    } else {
      for (uint32_t byte = 0; byte < copy.literal_length; ++byte) {
        to[byte] = literals[copy.literal_at + byte];
      }
    }
    const uint32_t match_at = copy.output_at + copy.literal_length;
    if (copy.match_length > SYN_ZSTD_ALONE_MAX ||
        match_at - copy.offset + copy.match_length > d->copies_at) {
      SYN_LOCAL_ADD(&d->is_together, 1u << i);
    } else {
      to += copy.literal_length;
      SYN_GLOBAL const uint8_t* source = to - copy.offset;
      for (uint32_t byte = 0; byte < copy.match_length; ++byte) to[byte] = source[byte];
    }
  }
}

SYN_INLINE void syn_zstd_copy_literals(SYN_LOCAL const syn_zstd_decoder* d, syn_zstd_input in,
                                       uint32_t index, uint32_t lane, uint32_t width) {
  SYN_GLOBAL const uint8_t* literals = syn_zstd_literal_bytes(d, in);
  const syn_zstd_copy copy = d->copies[index];
  for (uint32_t byte = lane; byte < copy.literal_length; byte += width) {
    in.output[copy.output_at + byte] = literals[copy.literal_at + byte];
  }
}

/* A match that overlaps itself repeats its first bytes: those are there for every lane. */
SYN_INLINE void syn_zstd_copy_match(SYN_LOCAL const syn_zstd_decoder* d, syn_zstd_input in,
                                    uint32_t index, uint32_t lane, uint32_t width) {
  const syn_zstd_copy copy = d->copies[index];
  SYN_GLOBAL uint8_t* to = in.output + copy.output_at + copy.literal_length;
  SYN_GLOBAL const uint8_t* from = to - copy.offset;
  if (copy.offset >= copy.match_length || width == 1) {
    for (uint32_t i = lane; i < copy.match_length; i += width) to[i] = from[i];
    return;
  }
  for (uint32_t i = lane; i < copy.match_length; i += width) to[i] = from[i % copy.offset];
}

/* All copies of a batch. Literals wait for nothing; a match that is copied by all lanes waits for
 * those before it, and what it repeats of the batch is there then. */
SYN_INLINE void syn_zstd_copy_batch(syn_group group, SYN_LOCAL syn_zstd_decoder* d,
                                    syn_zstd_input in) {
  SYN_ALL_LANES(group, syn_zstd_copy_alone(d, in, lane, group.width));
  for (uint32_t left = d->is_long; left != 0; left &= left - 1) {
    SYN_ALL_LANES(group, syn_zstd_copy_literals(d, in, syn_low_bit(left), lane, group.width));
  }
  for (uint32_t left = d->is_together; left != 0; left &= left - 1) {
    SYN_ALL_LANES(group, syn_zstd_copy_match(d, in, syn_low_bit(left), lane, group.width));
  }
}

/* The literals behind the last sequence. */
SYN_INLINE void syn_zstd_end_compressed(SYN_LOCAL syn_zstd_decoder* d, syn_zstd_input in) {
  syn_zstd_copy copy;
  copy.literal_at = d->cursor.literals_used;
  copy.literal_length = d->literal_size - d->cursor.literals_used;
  copy.output_at = d->cursor.produced;
  copy.match_length = 0;
  copy.offset = 1;
  if (copy.literal_length > in.output_size - d->cursor.produced) {
    d->status = SYN_ZSTD_TOO_LONG;
    return;
  }
  d->copies[0] = copy;
  d->cursor.produced += copy.literal_length;
}

SYN_INLINE void syn_zstd_decode_block(syn_group group, SYN_LOCAL syn_zstd_decoder* d,
                                      syn_zstd_input in) {
  const uint32_t end = d->at + d->block_size;
  SYN_FIRST_LANE(group, syn_zstd_begin_compressed(d, in));
  if (d->status != SYN_ZSTD_OK) return;
  SYN_ALL_LANES(group, syn_zstd_decode_literals(d, in, lane, group.width));
  SYN_FIRST_LANE(group, syn_zstd_check_streams(d));
  while (d->status == SYN_ZSTD_OK && d->sequences_left > 0) {
    SYN_FIRST_LANE(group, syn_zstd_read_batch(d, in));
    if (d->status != SYN_ZSTD_OK) return;
    syn_zstd_copy_batch(group, d, in);
  }
  if (d->status != SYN_ZSTD_OK) return;
  SYN_FIRST_LANE(group, syn_zstd_end_compressed(d, in));
  if (d->status != SYN_ZSTD_OK) return;
  SYN_ALL_LANES(group, syn_zstd_copy_literals(d, in, 0, lane, group.width));
  SYN_FIRST_LANE(group, d->at = end);
}

/* Every lane calls it, and every lane gets the same: SYN_ZSTD_OK, or why the output is no content.
 * in.size: the frame's, as syn_zstd_walk gave it; what follows the last block is not looked at. */
SYN_INLINE uint32_t syn_zstd_decode(syn_group group, SYN_LOCAL syn_zstd_decoder* d,
                                    syn_zstd_input in) {
  SYN_FIRST_LANE(group, syn_zstd_begin(d, in));
  while (d->status == SYN_ZSTD_OK && !d->is_last) {
    SYN_FIRST_LANE(group, syn_zstd_begin_block(d, in));
    if (d->status != SYN_ZSTD_OK) break;
    if (d->block_type == SYN_ZSTD_COMPRESSED) {
      syn_zstd_decode_block(group, d, in);
      continue;
    }
    SYN_ALL_LANES(group, syn_zstd_copy_plain(d, in, lane, group.width));
    SYN_FIRST_LANE(group, syn_zstd_end_plain(d));
  }
  if (d->status != SYN_ZSTD_OK) return d->status;
  return d->cursor.produced == in.output_size ? SYN_ZSTD_OK : SYN_ZSTD_TOO_LONG;
}

#endif
