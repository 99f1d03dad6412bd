/* FSE tables out of a zstd frame: descriptions read, and laid out for decoding (RFC 8878, 4.1).
 *
 * Any bytes may come: what is no description is refused, and nothing beyond it is read.
 * Threads: any. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_FSE_DECODE_H
#define SYN_BODIES_FSE_DECODE_H

#include "kernels/bodies/bits.h"
#include "kernels/bodies/zstd.h"

typedef struct syn_fse_description {
  uint32_t size; /* bytes; 0: not a description */
  uint32_t log;
  uint32_t symbol_count;
} syn_fse_description;

/* How many symbols follow without any place, two bits at a time. */
SYN_INLINE uint32_t syn_fse_zero_run(SYN_GLOBAL const uint8_t* bytes, uint32_t size, uint32_t* at) {
  uint32_t run = 0;
  uint32_t more = 3;
  while (more == 3 && *at < size * 8) {
    more = syn_bits_forward(bytes, size, *at, 2);
    *at += 2;
    run += more;
  }
  return run;
}

/* counts: room for symbols_max. */
SYN_INLINE syn_fse_description syn_fse_describe(SYN_GLOBAL const uint8_t* bytes, uint32_t size,
                                                uint32_t log_max, uint32_t symbols_max,
                                                SYN_LOCAL int16_t* counts) {
  syn_fse_description out = {0, 0, 0};
  uint32_t at = 4;
  uint32_t symbol = 0;
  out.log = syn_bits_forward(bytes, size, 0, 4) + 5;
  if (out.log > log_max) return out;
  uint32_t left = 1u << out.log;
  while (left > 0) {
    if (symbol >= symbols_max) return out;
    const uint32_t width = syn_high_bit(left + 1) + 1;
    const uint32_t short_count = (1u << width) - 2 - left;
    const uint32_t mask = (1u << (width - 1)) - 1;
    uint32_t value = syn_bits_forward(bytes, size, at, width);
    if ((value & mask) < short_count) {
      value &= mask;
      at += width - 1;
    } else {
      if (value > mask) value -= short_count;
      at += width;
    }
    counts[symbol++] = (int16_t)((int32_t)value - 1);
    left -= value == 0 ? 1 : value - 1;
    if (value != 1) continue;
    for (uint32_t run = syn_fse_zero_run(bytes, size, &at); run > 0; --run) {
      if (symbol >= symbols_max) return out;
      counts[symbol++] = 0;
    }
  }
  if ((at + 7) / 8 > size) return out;
  out.size = (at + 7) / 8;
  out.symbol_count = symbol;
  return out;
}

/* next: room for symbol_count. */
SYN_INLINE void syn_fse_decode_table(SYN_LOCAL syn_fse_entry* table, uint32_t log,
                                     SYN_LOCAL const int16_t* counts, uint32_t symbol_count,
                                     SYN_LOCAL uint16_t* next) {
  syn_fse_spread(table, log, counts, symbol_count, next);
  for (uint32_t place = 0; place < 1u << log; ++place) {
    const uint32_t state = next[table[place].symbol]++;
    const uint32_t bits = log - syn_high_bit(state);
    table[place].bits = (uint8_t)bits;
    table[place].next = (uint16_t)((state << bits) - (1u << log));
  }
}

#endif
