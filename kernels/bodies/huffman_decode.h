/* Huffman-coded literals of a zstd frame: the tree's description, the table, a stream (RFC 8878,
 * 4.2).
 *
 * Threads: any; a stream is one lane's. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_HUFFMAN_DECODE_H
#define SYN_BODIES_HUFFMAN_DECODE_H

#include "kernels/bodies/fse_decode.h"

#define SYN_HUFFMAN_LOG_MAX 11u
#define SYN_HUFFMAN_WEIGHTS_MAX 255u /* the last symbol's is not written */
#define SYN_HUFFMAN_WEIGHT_LOG_MAX 6u
#define SYN_HUFFMAN_WEIGHT_SYMBOLS 13u

typedef struct syn_huffman {
  uint16_t table[1u << SYN_HUFFMAN_LOG_MAX]; /* symbol, bits << 8 */
  uint32_t log;                              /* 0: no table yet */
  uint8_t weights[SYN_HUFFMAN_WEIGHTS_MAX + 1];
  syn_fse_entry weight_table[1u << SYN_HUFFMAN_WEIGHT_LOG_MAX];
  int16_t counts[SYN_HUFFMAN_WEIGHT_SYMBOLS];
  uint16_t next[SYN_HUFFMAN_WEIGHT_SYMBOLS];
} syn_huffman;

/* Weights by two FSE states in turn, until the stream is overdrawn. Gives their count; 0: none. */
SYN_INLINE uint32_t syn_huffman_fse_weights(SYN_LOCAL syn_huffman* huffman,
                                            SYN_GLOBAL const uint8_t* bytes, uint32_t size) {
  const syn_fse_description description = syn_fse_describe(
      bytes, size, SYN_HUFFMAN_WEIGHT_LOG_MAX, SYN_HUFFMAN_WEIGHT_SYMBOLS, huffman->counts);
  if (description.size == 0) return 0;
  syn_bits bits;
  if (!syn_bits_open(&bits, bytes + description.size, size - description.size)) return 0;
  syn_fse_decode_table(huffman->weight_table, description.log, huffman->counts,
                       description.symbol_count, huffman->next);
  uint32_t states[2];
  states[0] = syn_bits_read(&bits, description.log);
  states[1] = syn_bits_read(&bits, description.log);
  if (bits.left < 0) return 0;
  for (uint32_t count = 0; count < SYN_HUFFMAN_WEIGHTS_MAX - 1; ++count) {
    const syn_fse_entry entry = huffman->weight_table[states[count % 2]];
    huffman->weights[count] = entry.symbol;
    syn_bits_refill(&bits);
    states[count % 2] = entry.next + syn_bits_read(&bits, entry.bits);
    if (bits.left >= 0) continue;
    huffman->weights[count + 1] = huffman->weight_table[states[(count + 1) % 2]].symbol;
    return count + 2;
  }
  return 0;
}

/* Completes the weights by the last one. Gives the count of symbols; 0: not a tree. */
SYN_INLINE uint32_t syn_huffman_complete(SYN_LOCAL syn_huffman* huffman, uint32_t count) {
  uint32_t sum = 0;
  uint32_t longest = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t weight = huffman->weights[i];
    if (weight > SYN_HUFFMAN_LOG_MAX) return 0;
    sum += (1u << weight) >> 1;
    longest += weight == 1;
  }
  if (sum == 0) return 0;
  const uint32_t log = syn_high_bit(sum) + 1;
  if (log > SYN_HUFFMAN_LOG_MAX) return 0;
  const uint32_t rest = (1u << log) - sum;
  const uint32_t last = syn_high_bit(rest) + 1;
  if (rest != 1u << (last - 1)) return 0;
  longest += last == 1;
  if (longest < 2 || longest % 2 != 0) return 0;
  huffman->weights[count] = (uint8_t)last;
  huffman->log = log;
  return count + 1;
}

/* The table, code by code: the longest codes first, each weight's in the symbols' order. */
SYN_INLINE void syn_huffman_lay_out(SYN_LOCAL syn_huffman* huffman, uint32_t symbol_count) {
  uint32_t place = 0;
  for (uint32_t weight = 1; weight <= huffman->log; ++weight) {
    const uint32_t length = huffman->log + 1 - weight;
    for (uint32_t symbol = 0; symbol < symbol_count; ++symbol) {
      if (huffman->weights[symbol] != weight) continue;
      for (const uint32_t end = place + (1u << (weight - 1)); place < end; ++place) {
        huffman->table[place] = (uint16_t)(symbol | length << 8);
      }
    }
  }
}

/* Reads a tree's description and lays its table out. Gives its size in bytes; 0: not a tree. */
SYN_INLINE uint32_t syn_huffman_read(SYN_LOCAL syn_huffman* huffman,
                                     SYN_GLOBAL const uint8_t* bytes, uint32_t size) {
  if (size == 0) return 0;
  const uint32_t head = bytes[0];
  const uint32_t is_direct = head >= 128;
  const uint32_t direct_count = is_direct ? head - 127 : 0;
  const uint32_t body = is_direct ? (direct_count + 1) / 2 : head;
  if (body + 1 > size) return 0;
  uint32_t count = direct_count;
  if (is_direct) {
    for (uint32_t i = 0; i < count; ++i) {
      const uint8_t pair = bytes[1 + i / 2];
      huffman->weights[i] = (uint8_t)(i % 2 == 0 ? pair >> 4 : pair & 15);
    }
  } else {
    count = syn_huffman_fse_weights(huffman, bytes + 1, body);
  }
  huffman->log = 0;
  const uint32_t symbol_count = count == 0 ? 0 : syn_huffman_complete(huffman, count);
  if (symbol_count == 0) return 0;
  syn_huffman_lay_out(huffman, symbol_count);
  return body + 1;
}

/* One stream of count literals. 0: its bits are not just these literals. */
SYN_INLINE uint32_t syn_huffman_stream(SYN_LOCAL const syn_huffman* huffman,
                                       SYN_GLOBAL const uint8_t* bytes, uint32_t size,
                                       SYN_GLOBAL uint8_t* out, uint32_t count) {
  syn_bits bits;
  if (!syn_bits_open(&bits, bytes, size)) return 0;
  const uint32_t drop = 64 - huffman->log;
  for (uint32_t i = 0; i < count;) {
    syn_bits_refill(&bits);
    syn_bits_refill(&bits); /* three codes of 11 bits take one more than it promises */
    for (const uint32_t end = i + 3 < count ? i + 3 : count; i < end; ++i) {
      const uint32_t entry = huffman->table[bits.window >> drop];
      out[i] = (uint8_t)entry;
      bits.window <<= entry >> 8;
      bits.left -= (int32_t)(entry >> 8);
    }
  }
  return syn_bits_is_at_end(&bits);
}

#endif
