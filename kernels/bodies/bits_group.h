/* A stream of bits written by all lanes of a group: batches of items, each of up to 96 bits, whose
 * places are known once all are measured.
 *
 * A batch is: every item's bits in starts, SYN_SUM_BEFORE, every item put, then steps that write,
 * keep and clear. Whole bytes go out; what is left waits for the next batch, or for
 * syn_pack_bits_out.
 * Threads: a group. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_BITS_GROUP_H
#define SYN_BODIES_BITS_GROUP_H

#include "kernels/bodies/fse_encode.h"
#include "kernels/bodies/group.h"

#define SYN_PACK_ITEMS 64u
#define SYN_PACK_ITEM_BITS_MAX 96u
#define SYN_PACK_WORDS (SYN_PACK_ITEMS * SYN_PACK_ITEM_BITS_MAX / 32 + 2)

/* In the group's memory. */
typedef struct syn_pack {
  uint32_t words[SYN_PACK_WORDS];      /* zero where no item is yet */
  uint32_t starts[SYN_PACK_ITEMS + 1]; /* an item's bits, then where they begin */
  uint32_t at;                         /* in the output */
  uint32_t limit;                      /* beyond it nothing is written, but counted */
  uint32_t held;                       /* bits in the first word */
  uint32_t whole;                      /* bytes of this batch */
} syn_pack;

/* One lane's own. */
typedef struct syn_item {
  uint64_t low;
  uint32_t high;
  uint32_t size; /* bits */
} syn_item;

/* REQUIRES: value has no more bits than count, which is at most 32; fewer than 96 before, no more
 * after. */
SYN_INLINE void syn_item_add(syn_item* item, uint32_t value, uint32_t count) {
  if (item->size < 64) {
    item->low |= (uint64_t)value << item->size;
    /* By two shifts: one of 64 is none. */
    item->high |= (uint32_t)((uint64_t)value >> 1 >> (63 - item->size));
  } else {
    item->high |= value << (item->size - 64);
  }
  item->size += count;
}

/* The first stream of a group; REQUIRES: all words are zero. Or the next one, once the last was
 * ended. */
SYN_INLINE void syn_pack_begin(SYN_LOCAL syn_pack* pack, uint32_t at, uint32_t limit) {
  pack->words[0] = 0;
  pack->held = 0;
  pack->at = at;
  pack->limit = limit;
}

SYN_INLINE void syn_pack_put(SYN_LOCAL syn_pack* pack, uint32_t index, syn_item item) {
  const uint32_t start = pack->held + pack->starts[index];
  const uint32_t shift = start % 32;
  const uint64_t next = item.low >> 32 | (uint64_t)item.high << 32;
  SYN_LOCAL uint32_t* word = pack->words + start / 32;
  const uint32_t parts[4] = {
      (uint32_t)(item.low << shift), (uint32_t)(item.low >> 1 >> (31 - shift)),
      (uint32_t)(next >> 1 >> (31 - shift)), (uint32_t)((uint64_t)item.high >> 1 >> (31 - shift))};
  for (uint32_t i = 0; i < 4; ++i) {
    if (parts[i] != 0) SYN_LOCAL_ADD(word + i, parts[i]);
  }
}

SYN_INLINE void syn_pack_write(SYN_LOCAL const syn_pack* pack, SYN_GLOBAL uint8_t* bytes,
                               uint32_t count, uint32_t lane, uint32_t width) {
  const uint32_t whole = (pack->held + pack->starts[count]) / 8;
  const uint32_t room = pack->at < pack->limit ? pack->limit - pack->at : 0;
  const uint32_t end = whole < room ? whole : room;
  for (uint32_t i = lane; i < end; i += width) {
    bytes[pack->at + i] = (uint8_t)(pack->words[i / 4] >> (i % 4 * 8));
  }
}

/* The bits that are no whole byte go to the front. */
SYN_INLINE void syn_pack_keep(SYN_LOCAL syn_pack* pack, uint32_t count) {
  const uint32_t bits = pack->held + pack->starts[count];
  const uint32_t whole = bits / 8;
  const uint32_t rest = pack->words[whole / 4] >> (whole % 4 * 8) & 255u;
  pack->whole = whole;
  pack->at += whole;
  pack->held = bits % 8;
  pack->words[0] = rest;
}

/* Behind those. */
SYN_INLINE void syn_pack_clear(SYN_LOCAL syn_pack* pack, uint32_t lane, uint32_t width) {
  for (uint32_t i = 1 + lane; i <= pack->whole / 4; i += width) pack->words[i] = 0;
}

/* For the stream's end, which one lane writes. */
SYN_INLINE syn_bits_out syn_pack_bits_out(SYN_LOCAL const syn_pack* pack,
                                          SYN_GLOBAL uint8_t* bytes) {
  syn_bits_out out = syn_bits_out_at(bytes, pack->at, pack->limit);
  out.window = pack->words[0];
  out.held = pack->held;
  return out;
}

#endif
