/* Words out of bytes, and 64-bit products: what every body reads and multiplies with.
 *
 * A device loads aligned words only: there syn_read64 takes the aligned words around an address and
 * shifts, so it may touch up to SYN_READ_SLACK_SIZE bytes on either side, all within the aligned
 * words that hold the bytes asked for or the next one. Device buffers have that much room.
 * Threads: any. C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_BODIES_WORDS_H
#define SYN_BODIES_WORDS_H

#include "kernels/contract/detect.h"

#ifdef __cplusplus
#include <cstring>
#endif

#define SYN_READ_SLACK_SIZE 16u

#if defined(__CUDA_ARCH__)

SYN_INLINE uint32_t syn_read32(const uint8_t* bytes) {
  const uintptr_t address = (uintptr_t)bytes;
  const uint32_t* words = (const uint32_t*)(address & ~(uintptr_t)3);
  return __funnelshift_r(words[0], words[1], (uint32_t)(address & 3) * 8);
}

/* Two loads of eight bytes: how many loads there are counts, more than how wide they are. */
SYN_INLINE uint64_t syn_read64(const uint8_t* bytes) {
  const uintptr_t address = (uintptr_t)bytes;
  const uint64_t* words = (const uint64_t*)(address & ~(uintptr_t)7);
  const uint64_t low = words[0];
  const uint64_t high = words[1];
  const uint32_t is_upper = address & 4;
  const uint32_t a = is_upper ? (uint32_t)(low >> 32) : (uint32_t)low;
  const uint32_t b = is_upper ? (uint32_t)high : (uint32_t)(low >> 32);
  const uint32_t c = is_upper ? (uint32_t)(high >> 32) : (uint32_t)high;
  const uint32_t shift = (uint32_t)(address & 3) * 8;
  return (uint64_t)__funnelshift_r(b, c, shift) << 32 | __funnelshift_r(a, b, shift);
}
#elif defined(__OPENCL_C_VERSION__)

SYN_INLINE uint32_t syn_read32(SYN_GLOBAL const uint8_t* bytes) {
  return as_uint(vload4(0, bytes));
}
SYN_INLINE uint64_t syn_read64(SYN_GLOBAL const uint8_t* bytes) {
  return as_ulong(vload8(0, bytes));
}

#else

SYN_INLINE uint32_t syn_read32(const uint8_t* bytes) {
  uint32_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}
SYN_INLINE uint64_t syn_read64(const uint8_t* bytes) {
  uint64_t word;
  memcpy(&word, bytes, sizeof word);
  return word;
}

#endif

/* The number of the highest bit that is set. REQUIRES: word is not 0. */
SYN_INLINE uint32_t syn_high_bit(uint32_t word) {
#if defined(__OPENCL_C_VERSION__)
  return 31u - clz(word);
#elif defined(__CUDA_ARCH__)
  return 31u - (uint32_t)__clz((int)word);
#else
  return 31u - (uint32_t)__builtin_clz(word);
#endif
}

/* The number of the lowest. REQUIRES: word is not 0. */
SYN_INLINE uint32_t syn_low_bit(uint32_t word) {
#if defined(__CUDA_ARCH__)
  return (uint32_t)__ffs((int)word) - 1u;
#else
  return syn_high_bit(word & (0u - word));
#endif
}

/* Four bytes to any address. */
SYN_INLINE void syn_write32(SYN_GLOBAL uint8_t* bytes, uint32_t word) {
#if defined(__OPENCL_C_VERSION__)
  vstore4(as_uchar4(word), 0, bytes);
#elif defined(__CUDA_ARCH__)
  for (uint32_t i = 0; i < 4; ++i) bytes[i] = (uint8_t)(word >> (8 * i));
#else
  memcpy(bytes, &word, sizeof word);
#endif
}

SYN_INLINE uint64_t syn_rotate_left(uint64_t word, uint32_t bits) {
  return word << bits | word >> (64u - bits);
}

SYN_INLINE uint32_t syn_swap32(uint32_t word) {
  return word << 24 | (word << 8 & 0xff0000u) | (word >> 8 & 0xff00u) | word >> 24;
}

SYN_INLINE uint64_t syn_swap64(uint64_t word) {
  return (uint64_t)syn_swap32((uint32_t)word) << 32 | syn_swap32((uint32_t)(word >> 32));
}

SYN_INLINE uint64_t syn_multiply_fold(uint64_t a, uint64_t b) {
  return (a * b) ^ syn_mul_high(a, b);
}

#endif
