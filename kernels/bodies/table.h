/* A fingerprint table's lane as a device reads it: finding a key, and judging one row against it.
 *
 * A device's copy has the contract's layout (kernels/contract/detect.h) with one addition: a slot
 * whose key was removed holds SYN_KEY_REMOVED until the lane is laid out anew. A real key with
 * those bits is never in a copy, and rows with it are judged on the host.
 * Cells are read in halves of 16 bits: 6-byte cells begin at even addresses.
 * Threads: any that only read. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_TABLE_H
#define SYN_BODIES_TABLE_H

#include "kernels/contract/detect.h"

/* Of a detect on a device: set in its status where a row has to be judged on the host. */
#define SYN_DETECT_RESERVED 1u

#define SYN_KEY_REMOVED 0xffffffffffffffffull
#define SYN_SLOT_ABSENT 0xffffffffffffffffull

typedef struct syn_table_lane {
  SYN_GLOBAL uint64_t* keys;
  SYN_GLOBAL uint8_t* cells;
  uint64_t line_count; /* 0: empty */
} syn_table_lane;

/* The delta records of one lane, as they lie behind each other in a buffer. */
typedef struct syn_lane_delta {
  uint32_t bytes_at;   /* of its first record, from where all bytes begin */
  uint32_t offsets_at; /* of its records' offsets, in words; they count from bytes_at */
  uint32_t count;
} syn_lane_delta;

SYN_INLINE uint64_t syn_next_line(uint64_t line, uint64_t line_count) {
  return line + 1 == line_count ? 0 : line + 1;
}

SYN_INLINE uint64_t syn_load_cell(SYN_GLOBAL const uint8_t* cells, uint32_t index) {
  SYN_GLOBAL const uint16_t* halves =
      (SYN_GLOBAL const uint16_t*)(cells + (uint64_t)index * SYN_CELL_SIZE);
  return halves[0] | (uint64_t)halves[1] << 16 | (uint64_t)halves[2] << 32;
}

SYN_INLINE void syn_store_cell(SYN_GLOBAL uint8_t* cells, uint32_t index, uint64_t cell) {
  SYN_GLOBAL uint16_t* halves = (SYN_GLOBAL uint16_t*)(cells + (uint64_t)index * SYN_CELL_SIZE);
  halves[0] = (uint16_t)cell;
  halves[1] = (uint16_t)(cell >> 16);
  halves[2] = (uint16_t)(cell >> 32);
}

/* Little endian, at any address. */
SYN_INLINE uint64_t syn_read_number(SYN_GLOBAL const uint8_t* bytes, uint32_t size) {
  uint64_t value = 0;
  for (uint32_t i = 0; i < size; ++i) value |= (uint64_t)bytes[i] << (8 * i);
  return value;
}

/* The cells of a put or a change, into a slot that was just taken or held the key before. body is
 * the record behind its head. */
SYN_INLINE void syn_apply_cells(uint8_t kind, SYN_GLOBAL const uint8_t* body, uint32_t is_fresh,
                                SYN_GLOBAL uint8_t* cells, uint32_t value_count) {
  SYN_GLOBAL const uint8_t* from = body;
  if (kind == SYN_DELTA_CHANGE) from += (value_count + 7) / 8;
  for (uint32_t i = 0; i < value_count; ++i) {
    if (kind == SYN_DELTA_PUT || (body[i / 8] >> (i % 8) & 1) != 0) {
      syn_store_cell(cells, i, syn_read_number(from, SYN_CELL_SIZE));
      from += SYN_CELL_SIZE;
    } else if (is_fresh) {
      syn_store_cell(cells, i, SYN_CELL_UNKNOWN);
    }
  }
}

/* REQUIRES: a lane with an empty slot, as every lane has. */
SYN_INLINE uint64_t syn_find_slot(syn_table_lane lane, uint64_t key_bits) {
  if (lane.line_count == 0) return SYN_SLOT_ABSENT;
  uint64_t line = syn_home_line(key_bits, lane.line_count);
  for (;;) {
    const uint64_t first = line * SYN_SLOTS_PER_LINE;
    for (uint64_t slot = first; slot < first + SYN_SLOTS_PER_LINE; ++slot) {
      const uint64_t held = lane.keys[slot];
      if (held == key_bits) return slot;
      if (held == SYN_KEY_EMPTY) return SYN_SLOT_ABSENT;
    }
    line = syn_next_line(line, lane.line_count);
  }
}

/* Whether a cell of a row counts as changed, beside what the table holds for a known key. */
SYN_INLINE uint32_t syn_is_changed(uint64_t fingerprint, uint64_t held) {
  const uint64_t cell = syn_cell_of_fingerprint(fingerprint);
  return cell != SYN_CELL_UNKNOWN && cell != held;
}

SYN_INLINE uint8_t syn_verdict(uint8_t op, uint32_t is_known, uint32_t is_any_changed) {
  if (op == SYN_OP_DELETE) return is_known ? SYN_VERDICT_GONE : SYN_VERDICT_SAME;
  if (!is_known) return SYN_VERDICT_NEW;
  return is_any_changed ? SYN_VERDICT_CHANGED : SYN_VERDICT_SAME;
}

/* One row by one thread: its verdict, and its bitmap of (value_count + 63) / 64 words. */
SYN_INLINE uint8_t syn_detect_row(syn_table_lane lane, uint8_t op, uint64_t key_bits,
                                  SYN_GLOBAL const uint64_t* fingerprints, uint32_t value_count,
                                  SYN_GLOBAL uint64_t* changed) {
  const uint64_t slot = syn_find_slot(lane, key_bits);
  const uint32_t is_known = slot != SYN_SLOT_ABSENT;
  uint64_t any = 0;
  for (uint32_t word = 0; word * 64 < value_count; ++word) {
    uint64_t bits = 0;
    for (uint32_t i = word * 64; i < value_count && i < word * 64 + 64; ++i) {
      const uint64_t held = is_known
                                ? syn_load_cell(lane.cells + slot * value_count * SYN_CELL_SIZE, i)
                                : SYN_CELL_UNKNOWN;
      bits |= (uint64_t)syn_is_changed(fingerprints[i], held) << (i % 64);
    }
    changed[word] = op == SYN_OP_DELETE ? 0 : bits;
    any |= bits;
  }
  return syn_verdict(op, is_known, any != 0);
}

#endif
