/* What zstd's coder and decoder share (RFC 8878): numbers of the format, codes of lengths, FSE's
 * table.
 *
 * Threads: any. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_ZSTD_H
#define SYN_BODIES_ZSTD_H

#include "kernels/bodies/group.h"
#include "kernels/bodies/words.h"

#define SYN_ZSTD_MAGIC 0xfd2fb528u
#define SYN_ZSTD_BLOCK_SIZE_MAX 0x20000u

/* Blocks and literals share the first two. */
#define SYN_ZSTD_RAW 0u
#define SYN_ZSTD_RLE 1u
#define SYN_ZSTD_COMPRESSED 2u
#define SYN_ZSTD_TREELESS 3u /* of literals: by the Huffman table before */
#define SYN_ZSTD_REPEAT 3u   /* of sequences: by the table before */
#define SYN_ZSTD_PREDEFINED 0u

/* What a sequence is made of. */
#define SYN_ZSTD_LITERALS 0u
#define SYN_ZSTD_OFFSET 1u
#define SYN_ZSTD_MATCH 2u
#define SYN_ZSTD_KINDS 3u

#define SYN_ZSTD_SYMBOLS_MAX 53u /* of any kind */
#define SYN_ZSTD_LOG_MAX 9u
#define SYN_ZSTD_TABLE_SIZE (1u << SYN_ZSTD_LOG_MAX)
#define SYN_ZSTD_MATCH_MIN 3u

typedef struct syn_fse_entry {
  uint16_t next; /* state, without the bits to be read */
  uint8_t symbol;
  uint8_t bits;
} syn_fse_entry;

SYN_INLINE uint32_t syn_zstd_symbol_count(uint32_t kind) {
  return kind == SYN_ZSTD_LITERALS ? 36u : kind == SYN_ZSTD_OFFSET ? 32u : 53u;
}

SYN_INLINE uint32_t syn_zstd_log_max(uint32_t kind) {
  return kind == SYN_ZSTD_OFFSET ? 8u : 9u;
}

/* Bits behind the code of a length. REQUIRES: a code of that kind, which is not offsets. */
SYN_INLINE uint32_t syn_zstd_extra_bits(uint32_t kind, uint32_t code) {
  const uint8_t of_literals[20] = {1, 1, 1, 1,  2,  2,  3,  3,  4,  6,
                                   7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  const uint8_t of_matches[21] = {1, 1, 1, 1,  2,  2,  3,  3,  4,  4, 5,
                                  7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  if (kind == SYN_ZSTD_LITERALS) return code < 16 ? 0u : of_literals[code - 16];
  return code < 32 ? 0u : of_matches[code - 32];
}

/* The codes of both lengths: a code's length is its base and the bits behind it. */
typedef struct syn_zstd_codes {
  uint32_t base[SYN_ZSTD_KINDS][SYN_ZSTD_SYMBOLS_MAX];
  uint8_t bits[SYN_ZSTD_KINDS][SYN_ZSTD_SYMBOLS_MAX];
} syn_zstd_codes;

SYN_INLINE void syn_zstd_fill_codes(SYN_LOCAL syn_zstd_codes* codes) {
  for (uint32_t kind = 0; kind < SYN_ZSTD_KINDS; kind += SYN_ZSTD_MATCH) {
    uint32_t base = kind == SYN_ZSTD_MATCH ? SYN_ZSTD_MATCH_MIN : 0;
    for (uint32_t code = 0; code < syn_zstd_symbol_count(kind); ++code) {
      const uint32_t bits = syn_zstd_extra_bits(kind, code);
      codes->base[kind][code] = base;
      codes->bits[kind][code] = (uint8_t)bits;
      base += 1u << bits;
    }
  }
}

/* The predefined distribution of a kind; gives its log. */
SYN_INLINE uint32_t syn_zstd_predefined(uint32_t kind, SYN_LOCAL int16_t* counts) {
  const int16_t literals[36] = {4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1,  1,  2,  2,
                                2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1, -1, -1, -1, -1};
  const int16_t offsets[29] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 1,  1,  1,  1,  1, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1};
  const int16_t matches[53] = {1, 4, 3, 2, 2, 2, 2, 2, 2, 1, 1,  1,  1,  1,  1,  1,  1, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,  1,  1,  1,  1,  1,  1, 1,
                               1, 1, 1, 1, 1, 1, 1, 1, 1, 1, -1, -1, -1, -1, -1, -1, -1};
  for (uint32_t i = 0; i < SYN_ZSTD_SYMBOLS_MAX; ++i) {
    int16_t count = 0;
    if (kind == SYN_ZSTD_LITERALS && i < 36) count = literals[i];
    if (kind == SYN_ZSTD_OFFSET && i < 29) count = offsets[i];
    if (kind == SYN_ZSTD_MATCH) count = matches[i];
    counts[i] = count;
  }
  return kind == SYN_ZSTD_OFFSET ? 5u : 6u;
}

/* Spreads symbols over a table's places as FSE does. next: what each symbol's states begin with. */
SYN_INLINE void syn_fse_spread(SYN_LOCAL syn_fse_entry* table, uint32_t log,
                               SYN_LOCAL const int16_t* counts, uint32_t symbol_count,
                               SYN_LOCAL uint16_t* next) {
  const uint32_t size = 1u << log;
  const uint32_t step = (size >> 1) + (size >> 3) + 3;
  uint32_t high = size - 1;
  for (uint32_t symbol = 0; symbol < symbol_count; ++symbol) {
    next[symbol] = (uint16_t)(counts[symbol] < 0 ? 1 : counts[symbol]);
    if (counts[symbol] < 0) table[high--].symbol = (uint8_t)symbol;
  }
  uint32_t place = 0;
  for (uint32_t symbol = 0; symbol < symbol_count; ++symbol) {
    for (int32_t i = 0; i < counts[symbol]; ++i) {
      table[place].symbol = (uint8_t)symbol;
      do {
        place = (place + step) & (size - 1);
      } while (place > high);
    }
  }
}

#endif
