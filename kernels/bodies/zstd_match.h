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
/* The bytes before both places are the same too. */
#define SYN_ZSTD_GOES_BACK 128u
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

/* How far a piece is cut into sequences. */
typedef struct syn_zstd_progress {
  uint32_t repeats[3]; /* the offsets used last */
  uint32_t anchor;     /* of the literals that no sequence has yet */
  uint32_t sequence_count;
  uint32_t literal_count;
} syn_zstd_progress;

typedef struct syn_zstd_matcher {
  uint16_t table[1u << SYN_ZSTD_HASH_BITS];
  uint16_t hashes[SYN_ZSTD_TILE];
  uint16_t candidates[SYN_ZSTD_TILE];
  /* The better match at a place: by its candidate, or by the offset used last before the tile. */
  uint16_t offsets[SYN_ZSTD_TILE];
  uint8_t lengths[SYN_ZSTD_TILE];         /* and SYN_ZSTD_GOES_BACK */
  uint8_t worths[SYN_ZSTD_TILE];          /* 0: there is none */
  uint32_t has_match[SYN_ZSTD_TILE / 32]; /* a bit a place */
  uint32_t at;                            /* of the tile */
  syn_zstd_progress progress;
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
  m->progress.repeats[0] = 1;
  m->progress.repeats[1] = 4;
  m->progress.repeats[2] = 8;
  m->progress.anchor = 0;
  m->progress.sequence_count = 0;
  m->progress.literal_count = 0;
  m->at = 1;
}

SYN_INLINE void syn_zstd_hash_tile(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                                   uint32_t size, uint32_t lane, uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < SYN_ZSTD_TILE / 32; i += width) m->has_match[i] = 0;
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

#ifdef SYN_LANES_ALIKE
/* Both at once, a group's width after the other: the lanes tell each other whose hashes are alike.
 */
SYN_INLINE void syn_zstd_look_up_together(SYN_LOCAL syn_zstd_matcher* m, uint32_t size,
                                          uint32_t lane, uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t base = 0; base < count; base += width) {
    const uint32_t i = base + lane;
    const uint32_t hash = i < count ? m->hashes[i] : (1u << SYN_ZSTD_HASH_BITS) + lane;
    const uint32_t alike = SYN_LANES_ALIKE(hash);
    const uint32_t before = alike & ((1u << lane) - 1);
    if (i < count) {
      m->candidates[i] =
          before != 0 ? (uint16_t)(m->at + base + syn_high_bit(before)) : m->table[hash];
    }
    SYN_BARRIER();
    if (i < count && alike >> lane == 1) m->table[hash] = (uint16_t)(m->at + i);
    SYN_BARRIER();
  }
}
#endif

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
      return length + (low != 0 ? 0u : 4u) + syn_low_bit(word) / 8;
    }
    length += 8;
  }
  while (length < limit && piece[before + length] == piece[at + length]) ++length;
  return length;
}

/* The same, where less than four bytes are nothing, given the eight bytes there. REQUIRES: eight
 * bytes at both places, and a limit of no less. */
SYN_INLINE uint32_t syn_zstd_found_length(SYN_GLOBAL const uint8_t* piece, uint32_t before,
                                          uint32_t at, uint64_t bytes, uint32_t limit) {
  const uint64_t difference = syn_read64(piece + before) ^ bytes;
  if ((uint32_t)difference != 0) return 0;
  const uint32_t high = (uint32_t)(difference >> 32);
  if (high != 0) return 4 + syn_low_bit(high) / 8;
  return 8 + syn_zstd_same(piece, before + 8, at + 8, limit - 8);
}

/* What place number i of the tile has. A near offset takes fewer bits, one that was used last next
 * to none. */
SYN_INLINE void syn_zstd_measure_place(SYN_LOCAL syn_zstd_matcher* m,
                                       SYN_GLOBAL const uint8_t* piece, uint32_t size, uint32_t i,
                                       uint32_t repeat) {
  const uint32_t at = m->at + i;
  const uint32_t limit = size - at < SYN_ZSTD_MEASURED ? size - at : SYN_ZSTD_MEASURED;
  const uint64_t bytes = syn_read64(piece + at);
  const uint32_t candidate = m->candidates[i];
  const uint32_t far = syn_zstd_found_length(piece, candidate, at, bytes, limit);
  const uint32_t cost = syn_high_bit(at - candidate) + 8;
  const uint32_t again =
      repeat > at ? 0 : syn_zstd_found_length(piece, at - repeat, at, bytes, limit);
  const uint32_t far_worth = far * 5 > cost ? far * 5 - cost : 0;
  const uint32_t again_worth = again == 0 ? 0 : again * 5 - 4;
  const uint32_t is_again = again_worth > far_worth;
  const uint32_t offset = is_again ? repeat : at - candidate;
  const uint32_t worth = is_again ? again_worth : far_worth;
  const uint32_t goes_back =
      worth != 0 && at > offset && piece[at - 1] == piece[at - 1 - offset] ? SYN_ZSTD_GOES_BACK : 0;
  m->offsets[i] = (uint16_t)offset;
  m->lengths[i] = (uint8_t)((is_again ? again : far) | goes_back);
  m->worths[i] = (uint8_t)worth;
}

SYN_INLINE void syn_zstd_measure(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                                 uint32_t size, uint32_t lane, uint32_t width) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  for (uint32_t i = lane; i < count; i += width) {
    syn_zstd_measure_place(m, piece, size, i, m->progress.repeats[0]);
    if (m->worths[i] != 0) SYN_LOCAL_ADD(&m->has_match[i / 32], 1u << i % 32);
  }
}

/* How an offset is written, given those before it, which it then joins. */
SYN_INLINE uint32_t syn_zstd_offset_value(syn_zstd_progress* p, uint32_t offset,
                                          uint32_t literal_length) {
  const uint32_t shift = literal_length == 0;
  uint32_t index = 3;
  if (offset == p->repeats[2]) index = 2;
  if (offset == p->repeats[1]) index = 1;
  if (offset == p->repeats[0] && !shift) index = 0;
  if (index == 3 && shift && offset + 1 == p->repeats[0]) {
    index = 4; /* written as 3 */
  }
  if (index > 1) p->repeats[2] = p->repeats[1];
  if (index > 0) p->repeats[1] = p->repeats[0];
  p->repeats[0] = offset;
  if (index == 3) return offset + 3;
  return index == 4 ? 3 : index + 1 - shift;
}

SYN_INLINE void syn_zstd_emit(syn_zstd_progress* p, SYN_GLOBAL syn_zstd_sequence* sequences,
                              uint32_t at, uint32_t offset, uint32_t length) {
  syn_zstd_sequence out;
  out.from = (uint16_t)p->anchor;
  out.literal_at = (uint16_t)p->literal_count;
  out.literal_length = (uint16_t)(at - p->anchor);
  out.match_length = (uint16_t)length;
  out.offset_value = syn_zstd_offset_value(p, offset, at - p->anchor);
  sequences[p->sequence_count++] = out;
  p->literal_count += at - p->anchor;
  p->anchor = at + length;
}

/* The whole of a match of which a part was measured: on to its end, and back to where it begins. */
SYN_INLINE void syn_zstd_take(syn_zstd_progress* p, SYN_GLOBAL const uint8_t* piece, uint32_t size,
                              SYN_GLOBAL syn_zstd_sequence* sequences, uint32_t at, uint32_t offset,
                              uint32_t measured) {
  uint32_t length = measured & (SYN_ZSTD_GOES_BACK - 1);
  if (length == SYN_ZSTD_MEASURED) {
    const uint32_t end = at + length;
    length += syn_zstd_same(piece, end - offset, end, size - end);
  }
  while ((measured & SYN_ZSTD_GOES_BACK) != 0 && at > p->anchor && at > offset &&
         piece[at - 1] == piece[at - 1 - offset]) {
    --at;
    ++length;
  }
  syn_zstd_emit(p, sequences, at, offset, length);
}

/* The first place from i on that has a match, or the tile's size. */
SYN_INLINE uint32_t syn_zstd_next_match(SYN_LOCAL const syn_zstd_matcher* m, uint32_t i) {
  for (uint32_t word = i / 32; word < SYN_ZSTD_TILE / 32; ++word) {
    const uint32_t places = m->has_match[word] & (word == i / 32 ? ~0u << i % 32 : ~0u);
    if (places != 0) return word * 32 + syn_low_bit(places);
  }
  return SYN_ZSTD_TILE;
}

/* Goes through a tile, match by match, and on to where the next one begins. Places that are not
 * measured yet are measured when they are come to. */
SYN_INLINE void syn_zstd_pick(SYN_LOCAL syn_zstd_matcher* m, SYN_GLOBAL const uint8_t* piece,
                              uint32_t size, SYN_GLOBAL syn_zstd_sequence* sequences,
                              uint32_t is_measured) {
  const uint32_t count = syn_zstd_tile_size(m, size);
  syn_zstd_progress progress = m->progress;
  const uint32_t repeat = progress.repeats[0];
  uint32_t worth = 0; /* of the match before place i, which is taken if there is none better */
  uint32_t i = is_measured ? syn_zstd_next_match(m, 0) : 0;
  while (i < count) {
    if (!is_measured) syn_zstd_measure_place(m, piece, size, i, repeat);
    const uint32_t here = m->worths[i];
    const uint32_t is_better = here > (worth == 0 ? 0 : worth + 4);
    if (is_better) {
      worth = here;
      if ((m->lengths[i] & SYN_ZSTD_MEASURED) == 0 && i + 1 < count) {
        ++i;
        continue;
      }
    }
    if (worth == 0) {
      ++i;
    } else {
      const uint32_t taken = i - !is_better;
      syn_zstd_take(&progress, piece, size, sequences, m->at + taken, m->offsets[taken],
                    m->lengths[taken]);
      worth = 0;
      i = progress.anchor - m->at;
    }
    if (is_measured) i = syn_zstd_next_match(m, i);
  }
  const uint32_t end = m->at + count;
  m->at = progress.anchor > end ? progress.anchor : end;
  m->progress = progress;
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
      SYN_FIRST_LANE(group, syn_zstd_pick(m, piece, size, sequences, 0));
      continue;
    }
#ifdef SYN_LANES_ALIKE
    SYN_ALL_LANES(group, syn_zstd_look_up_together(m, size, lane, group.width));
#else
    SYN_ALL_LANES(group, syn_zstd_look_up(m, size, lane, group.width));
    SYN_ALL_LANES(group, syn_zstd_insert(m, size, lane, group.width));
#endif
    SYN_ALL_LANES(group, syn_zstd_measure(m, piece, size, lane, group.width));
    SYN_FIRST_LANE(group, syn_zstd_pick(m, piece, size, sequences, 1));
  }
}

#endif
