/* Finding matches in a piece of up to 64 KiB, by one group of lanes: what zstd's sequences are made
 * of.
 *
 * The piece is gone through in tiles of 64 places. All lanes look a tile's places up in a table of
 * the last place with the same hash, and measure how long what stands there is the same; lane 0
 * then picks. What is found does not depend on how many lanes there are.
 * Threads: a group. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_ZSTD_MATCH_H
#define SYN_BODIES_ZSTD_MATCH_H

#include "kernels/bodies/zstd.h"

#define SYN_ZSTD_PIECE_SIZE 0x10000u
#define SYN_ZSTD_TILE 64u
#define SYN_ZSTD_HASH_BITS 13u
#define SYN_ZSTD_FOUND_MIN 4u
/* How far a length is measured before it is known whether the match is taken. */
#define SYN_ZSTD_MEASURED 32u
/* The places behind which nothing is looked up: a hash is of eight bytes there. */
#define SYN_ZSTD_TAIL 8u
#define SYN_ZSTD_SEQUENCES_MAX (SYN_ZSTD_PIECE_SIZE / SYN_ZSTD_FOUND_MIN)

typedef struct syn_zstd_sequence {
  uint16_t from;       /* of its literals, in the piece */
  uint16_t literal_at; /* of its literals, among all literals */
  uint16_t literal_length;
  uint16_t match_length;
  uint32_t offset_value; /* as it is written: 1 to 3 are offsets used before */
  uint8_t codes[4];      /* by kind */
} syn_zstd_sequence;

typedef struct syn_zstd_matcher {
  uint16_t table[1u << SYN_ZSTD_HASH_BITS];
  uint16_t hashes[SYN_ZSTD_TILE];
  uint16_t candidates[SYN_ZSTD_TILE];
  uint16_t lengths[SYN_ZSTD_TILE];
  uint16_t repeat_lengths[SYN_ZSTD_TILE]; /* by the offset used last before the tile */
  uint32_t repeats[3];
  uint32_t at;     /* of the tile */
  uint32_t anchor; /* of the literals that no sequence has yet */
  uint32_t sequence_count;
  uint32_t literal_count;
} syn_zstd_matcher;

SYN_INLINE uint32_t syn_zstd_hash(SYN_GLOBAL const uint8_t* bytes) {
  const uint64_t factor = 0x9e3779b185ebca87; /* ull would be of 128 bits in OpenCL C */
  const uint64_t five = syn_read64(bytes) << 24;
  return (uint32_t)((five * factor) >> (64 - SYN_ZSTD_HASH_BITS));
}

SYN_INLINE uint32_t syn_zstd_tile_size(SYN_LOCAL const syn_zstd_matcher* m, uint32_t size) {
  const uint32_t left = size - SYN_ZSTD_TAIL - m->at;
  return left < SYN_ZSTD_TILE ? left : SYN_ZSTD_TILE;
}

SYN_INLINE void syn_zstd_clear_table(SYN_LOCAL syn_zstd_matcher* m, uint32_t lane, uint32_t width) {
  for (uint32_t i = lane; i < 1u << SYN_ZSTD_HASH_BITS; i += width) m->table[i] = 0;
}

SYN_INLINE void syn_zstd_begin_matching(SYN_LOCAL syn_zstd_matcher* m) {
  m->repeats[0] = 1;
  m->repeats[1] = 4;
  m->repeats[2] = 8;
  m->at = 1;
  m->anchor = 0;
  m->sequence_count = 0;
  m->literal_count = 0;
}

SYN_INLINE void syn_zstd_hash_tile(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                                   uint32_t size, uint32_t lane, uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < count; i += width) {
    m->hashes[i] = (uint16_t)syn_zstd_hash(piece + m->at + i);
  }
}

/* One lane has the whole table to itself. */
SYN_INLINE void syn_zstd_look_up_alone(SYN_LOCAL syn_zstd_matcher* m, uint32_t size) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = 0; i < count; ++i) {
    m->candidates[i] = m->table[m->hashes[i]];
    m->table[m->hashes[i]] = (uint16_t)(m->at + i);
  }
}

/* Many lanes: the last place with the hash is in the tile itself, else in the table. */
SYN_INLINE void syn_zstd_look_up(SYN_LOCAL syn_zstd_matcher* m, uint32_t size, uint32_t lane,
                                 uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < count; i += width) {
    const uint32_t hash = m->hashes[i];
    uint32_t found = m->table[hash];
    for (uint32_t before = 0; before < i; ++before) {
      if (m->hashes[before] == hash) found = m->at + before;
    }
    m->candidates[i] = (uint16_t)found;
  }
}

/* The last place of each hash goes into the table. */
SYN_INLINE void syn_zstd_insert(SYN_LOCAL syn_zstd_matcher* m, uint32_t size, uint32_t lane,
                                uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < count; i += width) {
    const uint32_t hash = m->hashes[i];
    uint32_t is_last = 1;
    for (uint32_t after = i + 1; after < count; ++after) is_last &= m->hashes[after] != hash;
    if (is_last) m->table[hash] = (uint16_t)(m->at + i);
  }
}

/* How many bytes at two places are the same, up to a limit. */
SYN_INLINE uint32_t syn_zstd_same(SYN_GLOBAL const uint8_t* piece, uint32_t before, uint32_t at,
                                  uint32_t limit) {
  uint32_t length = 0;
  while (length + 8 <= limit) {
    const uint64_t difference =
        syn_read64(piece + before + length) ^ syn_read64(piece + at + length);
    if (difference != 0) {
      const uint32_t low = (uint32_t)difference;
      const uint32_t word = low != 0 ? low : (uint32_t)(difference >> 32);
      return length + (low != 0 ? 0u : 4u) + syn_high_bit(word & (0u - word)) / 8;
    }
    length += 8;
  }
  while (length < limit && piece[before + length] == piece[at + length]) ++length;
  return length;
}

/* The same, where less than four bytes are nothing. REQUIRES: eight bytes at both places. */
SYN_INLINE uint32_t syn_zstd_found_length(SYN_GLOBAL const uint8_t* piece, uint32_t before,
                                          uint32_t at, uint32_t limit) {
  if (syn_read32(piece + before) != syn_read32(piece + at)) return 0;
  return syn_zstd_same(piece, before, at, limit);
}

/* What place number i of the tile has. */
SYN_INLINE void syn_zstd_measure_place(SYN_LOCAL syn_zstd_matcher* m,
                                       SYN_GLOBAL const uint8_t* piece, uint32_t size, uint32_t i,
                                       uint32_t offset) {
  const uint32_t at = m->at + i;
  const uint32_t limit = size - at < SYN_ZSTD_MEASURED ? size - at : SYN_ZSTD_MEASURED;
  m->lengths[i] = (uint16_t)syn_zstd_found_length(piece, m->candidates[i], at, limit);
  m->repeat_lengths[i] =
      offset > at ? 0 : (uint16_t)syn_zstd_found_length(piece, at - offset, at, limit);
}

SYN_INLINE void syn_zstd_measure(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                                 uint32_t size, uint32_t lane, uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < count; i += width) {
    syn_zstd_measure_place(m, piece, size, i, m->repeats[0]);
  }
}

/* How an offset is written, given those before it, which it then joins. */
SYN_INLINE uint32_t syn_zstd_offset_value(SYN_LOCAL uint32_t* repeats, uint32_t offset,
                                          uint32_t literal_length) {
  const uint32_t shift = literal_length == 0;
  uint32_t index = 3;
  if (offset == repeats[2]) index = 2;
  if (offset == repeats[1]) index = 1;
  if (offset == repeats[0] && !shift) index = 0;
  if (index == 3 && shift && offset + 1 == repeats[0]) {
    index = 4; /* written as 3 */
  }
  if (index > 1) repeats[2] = repeats[1];
  if (index > 0) repeats[1] = repeats[0];
  repeats[0] = offset;
  if (index == 3) return offset + 3;
  return index == 4 ? 3 : index + 1 - shift;
}

SYN_INLINE void syn_zstd_emit(SYN_LOCAL syn_zstd_matcher* m,
                              SYN_GLOBAL syn_zstd_sequence* sequences, uint32_t at, uint32_t offset,
                              uint32_t length) {
  syn_zstd_sequence out;
  out.from = (uint16_t)m->anchor;
  out.literal_at = (uint16_t)m->literal_count;
  out.literal_length = (uint16_t)(at - m->anchor);
  out.match_length = (uint16_t)length;
  out.offset_value = syn_zstd_offset_value(m->repeats, offset, at - m->anchor);
  sequences[m->sequence_count++] = out;
  m->literal_count += at - m->anchor;
  m->anchor = at + length;
}

typedef struct syn_zstd_found {
  uint32_t offset;
  uint32_t length;
  uint32_t worth; /* 0: nothing */
} syn_zstd_found;

/* The better of the two matches at a place of the tile. A near offset takes fewer bits, one that
 * was used last next to none. */
SYN_INLINE syn_zstd_found syn_zstd_best(SYN_LOCAL const syn_zstd_matcher* m, uint32_t index,
                                        uint32_t repeat) {
  syn_zstd_found out = {0, 0, 0};
  const uint32_t length = m->lengths[index];
  const uint32_t again = m->repeat_lengths[index];
  if (length >= SYN_ZSTD_FOUND_MIN) {
    out.offset = m->at + index - m->candidates[index];
    out.length = length;
    const uint32_t cost = syn_high_bit(out.offset);
    out.worth = length * 5 > cost + 8 ? length * 5 - cost - 8 : 0;
  }
  if (again >= SYN_ZSTD_FOUND_MIN && again * 5 - 4 > out.worth) {
    out.offset = repeat;
    out.length = again;
    out.worth = again * 5 - 4;
  }
  return out;
}

/* The whole of a match of which a part was measured: on to its end, and back to where it begins. */
SYN_INLINE void syn_zstd_take(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                              uint32_t size, SYN_GLOBAL syn_zstd_sequence* sequences, uint32_t at,
                              syn_zstd_found found) {
  if (found.length == SYN_ZSTD_MEASURED) {
    const uint32_t end = at + found.length;
    found.length += syn_zstd_same(piece, end - found.offset, end, size - end);
  }
  while (at > m->anchor && at > found.offset && piece[at - 1] == piece[at - 1 - found.offset]) {
    --at;
    ++found.length;
  }
  syn_zstd_emit(m, sequences, at, found.offset, found.length);
}

/* Goes through a tile, place by place, and on to where the next one begins. Places from
 * measured_count on are measured when they are come to. */
SYN_INLINE void syn_zstd_pick(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                              uint32_t size, SYN_GLOBAL syn_zstd_sequence* sequences,
                              uint32_t measured_count) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  const uint32_t repeat = m->repeats[0];
  syn_zstd_found found = {0, 0, 0};
  uint32_t i = 0;
  while (i < count) {
    if (i >= measured_count) syn_zstd_measure_place(m, piece, size, i, repeat);
    const syn_zstd_found here = syn_zstd_best(m, i, repeat);
    const uint32_t is_better = here.worth > (found.worth == 0 ? 0 : found.worth + 4);
    if (is_better) found = here;
    if (is_better && found.length < SYN_ZSTD_MEASURED && i + 1 < count) {
      ++i;
      continue;
    }
    if (found.worth == 0) {
      ++i;
      continue;
    }
    syn_zstd_take(m, piece, size, sequences, m->at + i - !is_better, found);
    found.worth = 0;
    i = m->anchor - m->at;
  }
  const uint32_t end = m->at + count;
  m->at = m->anchor > end ? m->anchor : end;
}

/* All sequences of a piece; what is behind the last one's match is literals. */
SYN_INLINE void syn_zstd_match(syn_group group, SYN_LOCAL syn_zstd_matcher* m,
                               SYN_GLOBAL const uint8_t* piece, uint32_t size,
                               SYN_GLOBAL syn_zstd_sequence* sequences) {
  SYN_FIRST_LANE(group, syn_zstd_begin_matching(m));
  SYN_ALL_LANES(group, syn_zstd_clear_table(m, lane, group.width));
  while (m->at + SYN_ZSTD_TAIL < size) {
    SYN_ALL_LANES(group, syn_zstd_hash_tile(m, piece, size, lane, group.width));
    if (group.width == 1) {
      SYN_FIRST_LANE(group, syn_zstd_look_up_alone(m, size));
    } else {
      SYN_ALL_LANES(group, syn_zstd_look_up(m, size, lane, group.width));
      SYN_ALL_LANES(group, syn_zstd_insert(m, size, lane, group.width));
      SYN_ALL_LANES(group, syn_zstd_measure(m, piece, size, lane, group.width));
    }
    SYN_FIRST_LANE(group,
                   syn_zstd_pick(m, piece, size, sequences, group.width == 1 ? 0 : SYN_ZSTD_TILE));
  }
}

#endif
