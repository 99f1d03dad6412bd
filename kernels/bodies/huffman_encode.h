/* Huffman codes for the literals of a zstd frame: lengths up to 11, the tree's description, a
 * stream (RFC 8878, 4.2).
 *
 * Threads: any; ranks and a stream are shared by all lanes, the tree is one lane's. C subset:
 * compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_HUFFMAN_ENCODE_H
#define SYN_BODIES_HUFFMAN_ENCODE_H

#include "kernels/bodies/bits_group.h"
#include "kernels/bodies/huffman_decode.h"

#define SYN_HUFFMAN_SYMBOLS 256u

typedef struct syn_huffman_coder {
  uint32_t histogram[SYN_HUFFMAN_SYMBOLS];
  uint32_t joined[SYN_HUFFMAN_SYMBOLS];      /* counts of inner nodes, in the order made */
  uint16_t parents[2 * SYN_HUFFMAN_SYMBOLS]; /* leaves by rank, then inner nodes */
  uint8_t order[SYN_HUFFMAN_SYMBOLS];   /* symbols by rank, the rarest first; absent ones: unset */
  uint8_t lengths[SYN_HUFFMAN_SYMBOLS]; /* of codes; 0: none */
  uint16_t codes[SYN_HUFFMAN_SYMBOLS];
  uint32_t per_length[SYN_HUFFMAN_SYMBOLS];
  uint32_t weight_histogram[SYN_HUFFMAN_WEIGHT_SYMBOLS];
  uint32_t symbol_count; /* up to the last that is there */
  uint32_t leaf_count;
  uint32_t log;
} syn_huffman_coder;

/* A lane's symbols: where each stands among all when they are sorted by count. */
SYN_INLINE void syn_huffman_rank(SYN_LOCAL syn_huffman_coder* coder, uint32_t lane,
                                 uint32_t width) {
  for (uint32_t symbol = lane; symbol < SYN_HUFFMAN_SYMBOLS; symbol += width) {
    const uint32_t count = coder->histogram[symbol];
    if (count == 0) continue; /* those that are absent stand in front, in no order */
    uint32_t rank = 0;
    for (uint32_t i = 0; i < symbol; ++i) rank += coder->histogram[i] <= count;
    for (uint32_t i = symbol + 1; i < SYN_HUFFMAN_SYMBOLS; ++i) {
      rank += coder->histogram[i] < count;
    }
    coder->order[rank] = (uint8_t)symbol;
  }
}

/* The rarer of the next leaf and the next inner node. */
SYN_INLINE uint32_t syn_huffman_take(SYN_LOCAL syn_huffman_coder* coder, uint32_t first,
                                     uint32_t* leaf, uint32_t* inner, uint32_t inner_end,
                                     uint32_t parent) {
  const uint32_t is_leaf_left = *leaf < coder->leaf_count;
  const uint32_t count = is_leaf_left ? coder->histogram[coder->order[first + *leaf]] : 0;
  if (is_leaf_left && (*inner >= inner_end || count <= coder->joined[*inner])) {
    coder->parents[(*leaf)++] = (uint16_t)parent;
    return count;
  }
  coder->parents[coder->leaf_count + *inner] = (uint16_t)parent;
  return coder->joined[(*inner)++];
}

/* Codes of more than 11 bits are cut, and as much is taken from the shorter ones as they took. */
SYN_INLINE void syn_huffman_limit(SYN_LOCAL uint32_t* per_length) {
  uint32_t used = 0;
  for (uint32_t i = SYN_HUFFMAN_LOG_MAX + 1; i < SYN_HUFFMAN_SYMBOLS; ++i) {
    per_length[SYN_HUFFMAN_LOG_MAX] += per_length[i];
  }
  for (uint32_t i = 1; i <= SYN_HUFFMAN_LOG_MAX; ++i) {
    used += per_length[i] << (SYN_HUFFMAN_LOG_MAX - i);
  }
  for (; used > 1u << SYN_HUFFMAN_LOG_MAX; --used) {
    uint32_t length = SYN_HUFFMAN_LOG_MAX - 1;
    while (per_length[length] == 0) --length;
    --per_length[SYN_HUFFMAN_LOG_MAX];
    --per_length[length];
    per_length[length + 1] += 2;
  }
}

/* Lengths by the tree. REQUIRES: two leaves or more. */
SYN_INLINE void syn_huffman_measure(SYN_LOCAL syn_huffman_coder* coder) {
  const uint32_t first = SYN_HUFFMAN_SYMBOLS - coder->leaf_count;
  const uint32_t inner_count = coder->leaf_count - 1;
  uint32_t leaf = 0;
  uint32_t inner = 0;
  for (uint32_t made = 0; made < inner_count; ++made) {
    uint32_t sum = syn_huffman_take(coder, first, &leaf, &inner, made, made);
    sum += syn_huffman_take(coder, first, &leaf, &inner, made, made);
    coder->joined[made] = sum;
  }
  /* From here on joined holds an inner node's depth. */
  coder->joined[inner_count - 1] = 0;
  for (uint32_t i = inner_count - 1; i > 0; --i) {
    coder->joined[i - 1] = coder->joined[coder->parents[coder->leaf_count + i - 1]] + 1;
  }
  for (uint32_t i = 0; i < SYN_HUFFMAN_SYMBOLS; ++i) coder->per_length[i] = 0;
  for (uint32_t i = 0; i < coder->leaf_count; ++i) {
    ++coder->per_length[coder->joined[coder->parents[i]] + 1];
  }
}

/* Codes in the order in which a decoder's table has them. */
SYN_INLINE void syn_huffman_assign(SYN_LOCAL syn_huffman_coder* coder) {
  uint32_t rank = SYN_HUFFMAN_SYMBOLS - coder->leaf_count;
  coder->log = 0;
  for (uint32_t i = 0; i < SYN_HUFFMAN_SYMBOLS; ++i) coder->lengths[i] = 0;
  for (uint32_t length = SYN_HUFFMAN_LOG_MAX; length > 0; --length) {
    if (coder->per_length[length] != 0 && coder->log == 0) coder->log = length;
    for (uint32_t i = coder->per_length[length]; i > 0; --i) {
      coder->lengths[coder->order[rank++]] = (uint8_t)length;
    }
  }
  uint32_t place = 0;
  for (uint32_t length = coder->log; length > 0; --length) {
    const uint32_t step = coder->log - length;
    for (uint32_t symbol = 0; symbol < SYN_HUFFMAN_SYMBOLS; ++symbol) {
      if (coder->lengths[symbol] != length) continue;
      coder->codes[symbol] = (uint16_t)(place >> step);
      place += 1u << step;
    }
  }
}

/* All of it by one lane, after the ranks. Literals of one symbol get no codes: leaf_count says so.
 */
SYN_INLINE void syn_huffman_build(SYN_LOCAL syn_huffman_coder* coder) {
  coder->leaf_count = 0;
  coder->symbol_count = 0;
  for (uint32_t i = 0; i < SYN_HUFFMAN_SYMBOLS; ++i) {
    if (coder->histogram[i] == 0) continue;
    ++coder->leaf_count;
    coder->symbol_count = i + 1;
  }
  if (coder->leaf_count < 2) return;
  syn_huffman_measure(coder);
  syn_huffman_limit(coder->per_length);
  syn_huffman_assign(coder);
}

SYN_INLINE uint32_t syn_huffman_weight(SYN_LOCAL const syn_huffman_coder* coder, uint32_t symbol) {
  const uint32_t length = coder->lengths[symbol];
  return length == 0 ? 0 : coder->log + 1 - length;
}

/* The weights by two FSE states in turn. 0: they are all alike, or do not fit. */
SYN_INLINE uint32_t syn_huffman_write_fse(SYN_LOCAL syn_huffman_coder* coder,
                                          SYN_LOCAL syn_fse_coder* fse,
                                          SYN_LOCAL syn_fse_entry* table, SYN_GLOBAL uint8_t* bytes,
                                          uint32_t at, uint32_t limit) {
  const uint32_t count = coder->symbol_count - 1;
  uint32_t distinct = 0;
  fse->symbol_count = 0;
  for (uint32_t i = 0; i < SYN_HUFFMAN_WEIGHT_SYMBOLS; ++i) coder->weight_histogram[i] = 0;
  for (uint32_t i = 0; i < count; ++i) ++coder->weight_histogram[syn_huffman_weight(coder, i)];
  for (uint32_t i = 0; i < SYN_HUFFMAN_WEIGHT_SYMBOLS; ++i) {
    if (coder->weight_histogram[i] == 0) continue;
    ++distinct;
    fse->symbol_count = i + 1;
  }
  if (distinct < 2 || count < 3) return 0;
  fse->log = count < 64 ? 5 : SYN_HUFFMAN_WEIGHT_LOG_MAX;
  syn_fse_fit(fse, coder->weight_histogram, count);
  syn_bits_out out = syn_bits_out_at(bytes, at + 1, limit);
  syn_fse_write_counts(fse, &out);
  syn_fse_encode_table(fse, table);
  /* The decoder takes the states in turn from the first weight on, so the last but one is the last
   * of the other. */
  uint32_t states[2];
  states[(count - 1) % 2] = syn_fse_last_state(fse, syn_huffman_weight(coder, count - 1));
  states[count % 2] = syn_fse_last_state(fse, syn_huffman_weight(coder, count - 2));
  for (uint32_t i = count - 2; i > 0; --i) {
    const uint32_t which = (i - 1) % 2;
    states[which] = syn_fse_put(fse, states[which], syn_huffman_weight(coder, i - 1), &out);
  }
  for (uint32_t i = 2; i > 0; --i) {
    syn_bits_write(&out, states[i - 1] & ((1u << fse->log) - 1), fse->log);
  }
  syn_bits_close(&out);
  const uint32_t size = out.at - at - 1;
  if (size >= 128 || out.at > limit) return 0;
  bytes[at] = (uint8_t)size;
  return size + 1;
}

/* The tree's description in the shorter of its two forms. Gives its size; 0: it has none, or it
 * does not fit. */
SYN_INLINE uint32_t syn_huffman_write_tree(SYN_LOCAL syn_huffman_coder* coder,
                                           SYN_LOCAL syn_fse_coder* fse,
                                           SYN_LOCAL syn_fse_entry* table,
                                           SYN_GLOBAL uint8_t* bytes, uint32_t at, uint32_t limit) {
  const uint32_t count = coder->symbol_count - 1;
  const uint32_t direct_size = 1 + (count + 1) / 2;
  const uint32_t fse_size = syn_huffman_write_fse(coder, fse, table, bytes, at, limit);
  if (count > 128 || (fse_size != 0 && fse_size <= direct_size)) return fse_size;
  if (direct_size > limit - at) return 0;
  bytes[at] = (uint8_t)(127 + count);
  for (uint32_t i = 0; i < count; i += 2) {
    const uint32_t low = i + 1 < count ? syn_huffman_weight(coder, i + 1) : 0;
    bytes[at + 1 + i / 2] = (uint8_t)(syn_huffman_weight(coder, i) << 4 | low);
  }
  return direct_size;
}

/* A lane's part of the bits of so many literals. */
SYN_INLINE uint32_t syn_huffman_bits(SYN_LOCAL const syn_huffman_coder* coder,
                                     SYN_GLOBAL const uint8_t* literals, uint32_t count,
                                     uint32_t lane, uint32_t width) {
  uint32_t bits = 0;
  for (uint32_t i = lane; i < count; i += width) bits += coder->lengths[literals[i]];
  return bits;
}

/* One lane writes a stream alone. REQUIRES: room for its bits, and the one that marks the end. */
SYN_INLINE void syn_huffman_write_alone(SYN_LOCAL const syn_huffman_coder* coder,
                                        SYN_GLOBAL const uint8_t* literals, uint32_t count,
                                        SYN_GLOBAL uint8_t* bytes, uint32_t size) {
  syn_bits_out out = syn_bits_out_at(bytes, 0, size);
  for (uint32_t i = count; i > 0; --i) {
    const uint32_t literal = literals[i - 1];
    syn_bits_write(&out, coder->codes[literal], coder->lengths[literal]);
  }
  syn_bits_close(&out);
}

/* What an item of a stream holds: eight literals, or all that are left; the last comes first. */
#define SYN_HUFFMAN_ITEM 8u

SYN_INLINE syn_item syn_huffman_item(SYN_LOCAL const syn_huffman_coder* coder,
                                     SYN_GLOBAL const uint8_t* literals, uint32_t end) {
  syn_item item = {0, 0, 0};
  for (uint32_t i = 0; i < SYN_HUFFMAN_ITEM && i < end; ++i) {
    const uint32_t literal = literals[end - 1 - i];
    syn_item_add(&item, coder->codes[literal], coder->lengths[literal]);
  }
  return item;
}

SYN_INLINE uint32_t syn_huffman_item_size(SYN_LOCAL const syn_huffman_coder* coder,
                                          SYN_GLOBAL const uint8_t* literals, uint32_t end) {
  const uint32_t from = end < SYN_HUFFMAN_ITEM ? 0 : end - SYN_HUFFMAN_ITEM;
  return syn_huffman_bits(coder, literals + from, end - from, 0, 1);
}

#endif
