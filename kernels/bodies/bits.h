/* Bits of a zstd stream (RFC 8878): forward for table descriptions, backward for the rest.
 *
 * Nothing outside the bytes given is read but the slack of syn_read32 (words.h). Beyond the end
 * there are zeros; a backward stream knows that it was overdrawn. Threads: any. C subset: compiles
 * as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_BITS_H
#define SYN_BODIES_BITS_H

#include "kernels/bodies/words.h"

/* At most 16 bits from bit number at on. */
SYN_INLINE uint32_t syn_bits_forward(SYN_GLOBAL const uint8_t* bytes, uint32_t size, uint32_t at,
                                     uint32_t count) {
  uint32_t word = 0;
  for (uint32_t i = 0; i < 3; ++i) {
    const uint32_t byte = at / 8 + i;
    if (byte < size) word |= (uint32_t)bytes[byte] << (8 * i);
  }
  return word >> (at % 8) & ((1u << count) - 1u);
}

typedef struct syn_bits {
  SYN_GLOBAL const uint8_t* bytes;
  uint64_t window; /* the next bits, from the top */
  uint32_t at;     /* bytes not in the window yet */
  int32_t left;    /* bits in the window; below 0: overdrawn */
} syn_bits;

/* At least 32 bits are in the window then, or all that there are. */
SYN_INLINE void syn_bits_refill(syn_bits* bits) {
  if (bits->left > 32) return;
  if (bits->at >= 4) {
    bits->at -= 4;
    bits->window |= (uint64_t)syn_read32(bits->bytes + bits->at) << (32 - bits->left);
    bits->left += 32;
    return;
  }
  while (bits->at > 0) {
    --bits->at;
    bits->window |= (uint64_t)bits->bytes[bits->at] << (56 - bits->left);
    bits->left += 8;
  }
}

/* 0: not a stream, for its last byte must hold the bit that marks the end. */
SYN_INLINE uint32_t syn_bits_open(syn_bits* bits, SYN_GLOBAL const uint8_t* bytes, uint32_t size) {
  if (size == 0 || bytes[size - 1] == 0) return 0;
  const uint32_t last = bytes[size - 1];
  bits->bytes = bytes;
  bits->at = size - 1;
  bits->left = (int32_t)syn_high_bit(last);
  bits->window = bits->left == 0 ? 0 : (uint64_t)last << (64 - bits->left);
  syn_bits_refill(bits);
  return 1;
}

/* REQUIRES: count is at most 32; no more than 32 bits between two refills. */
SYN_INLINE uint32_t syn_bits_read(syn_bits* bits, uint32_t count) {
  const uint32_t value = (uint32_t)(bits->window >> 1 >> (63 - count)); /* a shift of 64 is none */
  bits->window <<= count;
  bits->left -= (int32_t)count;
  return value;
}

SYN_INLINE uint32_t syn_bits_is_at_end(const syn_bits* bits) {
  return bits->left == 0 && bits->at == 0;
}

#endif
