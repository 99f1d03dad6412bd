/* AES-256-GCM as 32 threads share one record: AES rounds, GHASH, and what one of the 32 does.
 *
 * AES (FIPS 197): one table of 256 words gives SubBytes and MixColumns of a byte in row 0; the
 * other rows' are its rotations. A device lays the table out once a bank and passes the stride.
 *
 * GHASH (NIST SP 800-38D): the sequence of additional data, ciphertext and lengths is padded at its
 * front with zero blocks, which change nothing, to whole turns of 32 blocks. Thread t takes block t
 * of every turn and multiplies by H^32 in between, through a table of 16 x 256 elements; at the end
 * five steps join neighbours, (even * H^(2^step)) + odd, and the last one multiplies by H. A record
 * of many turns can be cut into parts that are summed at once: all but the first are of so many
 * turns, and their sums are joined in the same way, by powers of H^2048.
 *
 * Tables are read at secret indices: timing can tell who runs code beside on the same device.
 * Held against OpenSSL by tests/unit/bodies. Threads: any. C subset: compiles as C, C++, CUDA and
 * OpenCL C. */
#ifndef SYN_BODIES_AES_GCM_H
#define SYN_BODIES_AES_GCM_H

#include "kernels/bodies/group.h"
#include "kernels/bodies/words.h"
#include "kernels/contract/block.h"

#define SYN_AES_ROUNDS 14u
#define SYN_AES_KEY_WORDS (4u * (SYN_AES_ROUNDS + 1u))
#define SYN_AES_BLOCK_SIZE 16u
#define SYN_AES_TABLE_SIZE 256u
#define SYN_GCM_THREADS 32u
#define SYN_GCM_STEPS 5u
#define SYN_GF_TABLE_SIZE (16u * 256u)
#define SYN_GCM_PART_STEPS 6u
#define SYN_GCM_PART_TURNS (1u << SYN_GCM_PART_STEPS) /* 32 KB */

/* An element of GF(2^128): high holds the first eight bytes, big endian. */
typedef struct __attribute__((aligned(16))) syn_gf128 {
  uint64_t high;
  uint64_t low;
} syn_gf128;

/* All that one key needs, made by the host with syn_gcm_prepare, which OpenCL C has not. */
typedef struct syn_gcm_key {
  uint32_t round_keys[SYN_AES_KEY_WORDS];
  uint32_t table[SYN_AES_TABLE_SIZE];
  syn_gf128 powers[SYN_GCM_STEPS + 1];      /* H, H^2, H^4 ... H^32 */
  syn_gf128 part_powers[SYN_GCM_STEPS + 1]; /* the same of H^2048, which a part has */
  syn_gf128 by_h32[SYN_GF_TABLE_SIZE];      /* [place of the byte][byte] */
} syn_gcm_key;

/* One record: where its bytes lie, and its nonce. Offsets of input and output are multiples of 16;
 * they may be equal. */
typedef struct syn_gcm_record {
  uint64_t input_at;
  uint64_t output_at;
  uint64_t additional_at;
  uint32_t size;
  uint32_t additional_size;
  uint32_t nonce[3];
} syn_gcm_record;

SYN_INLINE uint32_t syn_rotate_left32(uint32_t word, uint32_t bits) {
  return word << bits | word >> (32u - bits);
}

SYN_INLINE uint8_t syn_aes_double(uint8_t value) {
  return (uint8_t)(value << 1 ^ ((value >> 7) * 0x1b));
}

#ifndef __OPENCL_C_VERSION__
/* Walks the field's non-zero elements by the generator 3 and, beside them, their inverses. */
SYN_INLINE void syn_aes_make_table(uint32_t* table) {
  uint8_t value = 1;
  uint8_t inverse = 1;
  for (uint32_t i = 0; i < 256; ++i) {
    /* 0 has no inverse and stands for itself; the walk meets the other 255. */
    const uint8_t from = i == 255 ? 0 : value;
    const uint8_t of = i == 255 ? 0 : inverse;
    const uint32_t twice = (uint32_t)of << 8 | of;
    const uint8_t substitute =
        (uint8_t)(of ^ twice >> 7 ^ twice >> 6 ^ twice >> 5 ^ twice >> 4 ^ 0x63);
    const uint8_t doubled = syn_aes_double(substitute);
    table[from] = doubled | (uint32_t)substitute << 8 | (uint32_t)substitute << 16 |
                  (uint32_t)(doubled ^ substitute) << 24;
    value = (uint8_t)(value ^ syn_aes_double(value));
    inverse ^= (uint8_t)(inverse << 1);
    inverse ^= (uint8_t)(inverse << 2);
    inverse ^= (uint8_t)(inverse << 4);
    if (inverse & 0x80) inverse ^= 0x09;
  }
}

#endif

SYN_INLINE uint32_t syn_aes_substitute(SYN_LOCAL const uint32_t* table, uint32_t stride,
                                       uint32_t byte) {
  return table[byte * stride] >> 8 & 0xffu;
}

#ifndef __OPENCL_C_VERSION__
SYN_INLINE uint32_t syn_aes_substitute_word(const uint32_t* table, uint32_t word) {
  return syn_aes_substitute(table, 1, word & 0xff) |
         syn_aes_substitute(table, 1, word >> 8 & 0xff) << 8 |
         syn_aes_substitute(table, 1, word >> 16 & 0xff) << 16 |
         syn_aes_substitute(table, 1, word >> 24) << 24;
}

SYN_INLINE void syn_aes_expand_key(SYN_GLOBAL const uint8_t* key, const uint32_t* table,
                                   uint32_t* round_keys) {
  uint32_t round_constant = 1;
  for (uint32_t i = 0; i < 8; ++i) round_keys[i] = syn_read32(key + 4 * i);
  for (uint32_t i = 8; i < SYN_AES_KEY_WORDS; ++i) {
    uint32_t word = round_keys[i - 1];
    if (i % 8 == 0) {
      word = syn_aes_substitute_word(table, word >> 8 | word << 24) ^ round_constant;
      round_constant = syn_aes_double((uint8_t)round_constant);
    } else if (i % 8 == 4) {
      word = syn_aes_substitute_word(table, word);
    }
    round_keys[i] = round_keys[i - 8] ^ word;
  }
}

#endif

/* A column after SubBytes, ShiftRows and MixColumns, before its round key. */
SYN_INLINE uint32_t syn_aes_column(SYN_LOCAL const uint32_t* table, uint32_t stride, uint32_t a,
                                   uint32_t b, uint32_t c, uint32_t d) {
  return table[(a & 0xff) * stride] ^ syn_rotate_left32(table[(b >> 8 & 0xff) * stride], 8) ^
         syn_rotate_left32(table[(c >> 16 & 0xff) * stride], 16) ^
         syn_rotate_left32(table[(d >> 24) * stride], 24);
}

SYN_INLINE uint32_t syn_aes_last_column(SYN_LOCAL const uint32_t* table, uint32_t stride,
                                        uint32_t a, uint32_t b, uint32_t c, uint32_t d) {
  return syn_aes_substitute(table, stride, a & 0xff) |
         syn_aes_substitute(table, stride, b >> 8 & 0xff) << 8 |
         syn_aes_substitute(table, stride, c >> 16 & 0xff) << 16 |
         syn_aes_substitute(table, stride, d >> 24) << 24;
}

/* state: four words as they lie in memory. table[byte * stride] is the table's word for a byte. */
SYN_INLINE void syn_aes_encrypt(uint32_t* state, SYN_LOCAL const uint32_t* round_keys,
                                SYN_LOCAL const uint32_t* table, uint32_t stride) {
  uint32_t a = state[0] ^ round_keys[0];
  uint32_t b = state[1] ^ round_keys[1];
  uint32_t c = state[2] ^ round_keys[2];
  uint32_t d = state[3] ^ round_keys[3];
  for (uint32_t round = 1; round < SYN_AES_ROUNDS; ++round) {
    SYN_LOCAL const uint32_t* key = round_keys + 4 * round;
    const uint32_t next_a = syn_aes_column(table, stride, a, b, c, d) ^ key[0];
    const uint32_t next_b = syn_aes_column(table, stride, b, c, d, a) ^ key[1];
    const uint32_t next_c = syn_aes_column(table, stride, c, d, a, b) ^ key[2];
    d = syn_aes_column(table, stride, d, a, b, c) ^ key[3];
    a = next_a;
    b = next_b;
    c = next_c;
  }
  SYN_LOCAL const uint32_t* key = round_keys + 4 * SYN_AES_ROUNDS;
  state[0] = syn_aes_last_column(table, stride, a, b, c, d) ^ key[0];
  state[1] = syn_aes_last_column(table, stride, b, c, d, a) ^ key[1];
  state[2] = syn_aes_last_column(table, stride, c, d, a, b) ^ key[2];
  state[3] = syn_aes_last_column(table, stride, d, a, b, c) ^ key[3];
}

SYN_INLINE syn_gf128 syn_gf_add(syn_gf128 a, syn_gf128 b) {
  a.high ^= b.high;
  a.low ^= b.low;
  return a;
}

SYN_INLINE syn_gf128 syn_gf_times_x(syn_gf128 a) {
  syn_gf128 out;
  out.low = a.low >> 1 | a.high << 63;
  out.high = a.high >> 1 ^ ((0 - (a.low & 1)) & 0xe100000000000000ull);
  return out;
}

/* Bit by bit: for the few products that have no table. */
SYN_INLINE syn_gf128 syn_gf_multiply(syn_gf128 a, syn_gf128 b) {
  syn_gf128 sum = {0, 0};
  for (uint32_t i = 0; i < 128; ++i) {
    const uint64_t mask = 0 - ((i < 64 ? a.high >> (63 - i) : a.low >> (127 - i)) & 1);
    sum.high ^= b.high & mask;
    sum.low ^= b.low & mask;
    b = syn_gf_times_x(b);
  }
  return sum;
}

#ifndef __OPENCL_C_VERSION__
SYN_INLINE void syn_gf_make_table(syn_gf128 factor, syn_gf128* table) {
  for (uint32_t place = 0; place < 16; ++place) {
    syn_gf128* of_place = table + place * 256;
    of_place[0].high = 0;
    of_place[0].low = 0;
    for (uint32_t bit = 0x80; bit != 0; bit >>= 1) {
      of_place[bit] = factor;
      factor = syn_gf_times_x(factor);
    }
    for (uint32_t byte = 3; byte < 256; ++byte) {
      const uint32_t rest = byte & (byte - 1);
      if (rest != 0) of_place[byte] = syn_gf_add(of_place[rest], of_place[byte & (0u - byte)]);
    }
  }
}

#endif

SYN_INLINE syn_gf128 syn_gf_multiply_by(SYN_GLOBAL const syn_gf128* table, syn_gf128 a) {
  syn_gf128 sum = {0, 0};
  for (uint32_t place = 0; place < 16; ++place) {
    const uint64_t word = place < 8 ? a.high : a.low;
    const uint32_t byte = (uint32_t)(word >> (56 - 8 * (place % 8))) & 0xff;
    sum = syn_gf_add(sum, table[place * 256 + byte]);
  }
  return sum;
}

/* words: sixteen bytes as they lie in memory. */
SYN_INLINE syn_gf128 syn_gf_of_words(const uint32_t* words) {
  syn_gf128 out;
  out.high = (uint64_t)syn_swap32(words[0]) << 32 | syn_swap32(words[1]);
  out.low = (uint64_t)syn_swap32(words[2]) << 32 | syn_swap32(words[3]);
  return out;
}

#ifndef __OPENCL_C_VERSION__
SYN_INLINE void syn_gcm_prepare(SYN_GLOBAL const uint8_t* key, syn_gcm_key* out) {
  syn_aes_make_table(out->table);
  syn_aes_expand_key(key, out->table, out->round_keys);
  uint32_t zero[4] = {0, 0, 0, 0};
  syn_aes_encrypt(zero, out->round_keys, out->table, 1);
  out->powers[0] = syn_gf_of_words(zero);
  for (uint32_t i = 0; i < SYN_GCM_STEPS; ++i) {
    out->powers[i + 1] = syn_gf_multiply(out->powers[i], out->powers[i]);
  }
  syn_gf128 power = out->powers[SYN_GCM_STEPS];
  for (uint32_t i = 0; i < SYN_GCM_PART_STEPS; ++i) power = syn_gf_multiply(power, power);
  out->part_powers[0] = power;
  for (uint32_t i = 0; i < SYN_GCM_STEPS; ++i) {
    out->part_powers[i + 1] = syn_gf_multiply(out->part_powers[i], out->part_powers[i]);
  }
  syn_gf_make_table(out->powers[SYN_GCM_STEPS], out->by_h32);
}

#endif

/* The first count bytes of a block; what is behind them is zero. Words are indexed by constants
 * only, here and below, so that a device keeps them in registers. */
SYN_INLINE void syn_gcm_load(SYN_GLOBAL const uint8_t* bytes, uint32_t count, uint32_t* words) {
  for (uint32_t word = 0; word < 4; ++word) {
    uint32_t value = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      if (4 * word + i < count) value |= (uint32_t)bytes[4 * word + i] << (8 * i);
    }
    words[word] = value;
  }
}

/* The reverse; and what is behind the first count bytes becomes zero in words too. */
SYN_INLINE void syn_gcm_store(uint32_t* words, uint32_t count, SYN_GLOBAL uint8_t* bytes) {
  for (uint32_t word = 0; word < 4; ++word) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < 4; ++i) {
      if (4 * word + i >= count) continue;
      bytes[4 * word + i] = (uint8_t)(words[word] >> (8 * i));
      kept |= words[word] & 0xffu << (8 * i);
    }
    words[word] = kept;
  }
}

/* Counter 1 is the tag's, the data's first block has 2. */
SYN_INLINE void syn_gcm_key_stream(const syn_gcm_record* record, uint32_t counter,
                                   SYN_LOCAL const uint32_t* round_keys,
                                   SYN_LOCAL const uint32_t* table, uint32_t stride,
                                   uint32_t* words) {
  for (uint32_t i = 0; i < 3; ++i) words[i] = record->nonce[i];
  words[3] = syn_swap32(counter);
  syn_aes_encrypt(words, round_keys, table, stride);
}

#define SYN_GCM_SEAL 0u
#define SYN_GCM_OPEN 1u

/* Encrypts or decrypts data block number block, and leaves its ciphertext in words. */
SYN_INLINE void syn_gcm_data_block(const syn_gcm_record* record, uint32_t block, uint32_t direction,
                                   SYN_GLOBAL const uint8_t* input, SYN_GLOBAL uint8_t* output,
                                   SYN_LOCAL const uint32_t* round_keys,
                                   SYN_LOCAL const uint32_t* table, uint32_t stride,
                                   uint32_t* words) {
  uint32_t stream[4];
  syn_gcm_key_stream(record, block + 2, round_keys, table, stride, stream);
  const uint32_t left = record->size - block * SYN_AES_BLOCK_SIZE;
  SYN_GLOBAL const uint8_t* from = input + (uint64_t)block * SYN_AES_BLOCK_SIZE;
  SYN_GLOBAL uint8_t* to = output + (uint64_t)block * SYN_AES_BLOCK_SIZE;
  if (left >= SYN_AES_BLOCK_SIZE) {
    SYN_GLOBAL const uint32_t* from_words = (SYN_GLOBAL const uint32_t*)from;
    SYN_GLOBAL uint32_t* to_words = (SYN_GLOBAL uint32_t*)to;
    for (uint32_t i = 0; i < 4; ++i) words[i] = from_words[i];
    for (uint32_t i = 0; i < 4; ++i) to_words[i] = words[i] ^ stream[i];
    if (direction == SYN_GCM_SEAL) {
      for (uint32_t i = 0; i < 4; ++i) words[i] ^= stream[i];
    }
    return;
  }
  syn_gcm_load(from, left, words);
  for (uint32_t i = 0; i < 4; ++i) stream[i] ^= words[i];
  syn_gcm_store(stream, left, to);
  if (direction == SYN_GCM_SEAL) {
    for (uint32_t i = 0; i < 4; ++i) words[i] = stream[i];
  }
}

/* Of a record: the blocks of additional data and of data, and one for their lengths. */
SYN_INLINE uint32_t syn_gcm_block_count(const syn_gcm_record* record) {
  return (record->additional_size + 15) / 16 + (record->size + 15) / 16 + 1;
}

SYN_INLINE uint32_t syn_gcm_turn_count(const syn_gcm_record* record) {
  return (syn_gcm_block_count(record) + SYN_GCM_THREADS - 1) / SYN_GCM_THREADS;
}

SYN_INLINE uint32_t syn_gcm_part_count(const syn_gcm_record* record) {
  return (syn_gcm_turn_count(record) + SYN_GCM_PART_TURNS - 1) / SYN_GCM_PART_TURNS;
}

/* The turns of a record, or of a part of it. */
typedef struct syn_gcm_turns {
  uint32_t begin;
  uint32_t end;
} syn_gcm_turns;

SYN_INLINE syn_gcm_turns syn_gcm_all_turns(const syn_gcm_record* record) {
  const syn_gcm_turns turns = {0, syn_gcm_turn_count(record)};
  return turns;
}

SYN_INLINE syn_gcm_turns syn_gcm_part_turns(const syn_gcm_record* record, uint32_t part) {
  const uint32_t behind = (syn_gcm_part_count(record) - 1 - part) * SYN_GCM_PART_TURNS;
  syn_gcm_turns turns = {0, syn_gcm_turn_count(record) - behind};
  if (part != 0) turns.begin = turns.end - SYN_GCM_PART_TURNS;
  return turns;
}

/* What thread number thread of the 32 makes of a record's turns: its sum, to be joined with the
 * others'. */
SYN_INLINE syn_gf128 syn_gcm_thread(const syn_gcm_record* record, syn_gcm_turns turns,
                                    uint32_t thread, uint32_t direction,
                                    SYN_GLOBAL const uint8_t* additional,
                                    SYN_GLOBAL const uint8_t* input, SYN_GLOBAL uint8_t* output,
                                    SYN_LOCAL const uint32_t* round_keys,
                                    SYN_LOCAL const uint32_t* table, uint32_t stride,
                                    SYN_GLOBAL const syn_gf128* by_h32) {
  const uint32_t before = (record->additional_size + 15) / 16;
  const uint32_t count = syn_gcm_block_count(record);
  const uint32_t padding = syn_gcm_turn_count(record) * SYN_GCM_THREADS - count;
  syn_gf128 sum = {0, 0};
  for (uint32_t turn = turns.begin; turn < turns.end; ++turn) {
    const uint32_t place = turn * SYN_GCM_THREADS + thread;
    sum = syn_gf_multiply_by(by_h32, sum);
    if (place < padding) continue;
    const uint32_t block = place - padding;
    if (block == count - 1) {
      sum.high ^= (uint64_t)record->additional_size * 8;
      sum.low ^= (uint64_t)record->size * 8;
      continue;
    }
    uint32_t words[4];
    if (block < before) {
      syn_gcm_load(additional + block * 16, record->additional_size - block * 16, words);
    } else {
      syn_gcm_data_block(record, block - before, direction, input, output, round_keys, table,
                         stride, words);
    }
    sum = syn_gf_add(sum, syn_gf_of_words(words));
  }
  return sum;
}

/* What thread number thread of the 32 makes of the sums of a record's parts, as of its blocks. */
SYN_INLINE syn_gf128 syn_gcm_parts_thread(SYN_GLOBAL const syn_gf128* sums, uint32_t count,
                                          uint32_t thread, syn_gf128 power) {
  const uint32_t turns = (count + SYN_GCM_THREADS - 1) / SYN_GCM_THREADS;
  const uint32_t padding = turns * SYN_GCM_THREADS - count;
  syn_gf128 sum = {0, 0};
  for (uint32_t turn = 0; turn < turns; ++turn) {
    const uint32_t place = turn * SYN_GCM_THREADS + thread;
    sum = syn_gf_multiply(sum, power);
    if (place >= padding) sum = syn_gf_add(sum, sums[place - padding]);
  }
  return sum;
}

/* One of the five steps: even is the sum of the neighbour on the left, odd of that on the right. */
SYN_INLINE syn_gf128 syn_gcm_join(syn_gf128 even, syn_gf128 odd, syn_gf128 power) {
  return syn_gf_add(syn_gf_multiply(even, power), odd);
}

/* words: the tag as it lies in memory. */
SYN_INLINE void syn_gcm_tag(const syn_gcm_record* record, syn_gf128 sum, syn_gf128 h,
                            SYN_LOCAL const uint32_t* round_keys, SYN_LOCAL const uint32_t* table,
                            uint32_t stride, uint32_t* words) {
  const syn_gf128 hash = syn_gf_multiply(sum, h);
  syn_gcm_key_stream(record, 1, round_keys, table, stride, words);
  words[0] ^= syn_swap32((uint32_t)(hash.high >> 32));
  words[1] ^= syn_swap32((uint32_t)hash.high);
  words[2] ^= syn_swap32((uint32_t)(hash.low >> 32));
  words[3] ^= syn_swap32((uint32_t)hash.low);
}

#endif
