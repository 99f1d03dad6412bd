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

#define SYN_READ_SLACK_SIZE 8u

#if defined(__CUDA_ARCH__)

SYN_INLINE uint32_t syn_read32(const uint8_t* bytes) {
  const uintptr_t address = (uintptr_t)bytes;
  const uint32_t* words = (const uint32_t*)(address & ~(uintptr_t)3);
  return __funnelshift_r(words[0], words[1], (uint32_t)(address & 3) * 8);
}

SYN_INLINE uint64_t syn_read64(const uint8_t* bytes) {
  const uintptr_t address = (uintptr_t)bytes;
  const uint32_t* words = (const uint32_t*)(address & ~(uintptr_t)3);
  const uint32_t shift = (uint32_t)(address & 3) * 8;
  const uint32_t middle = words[1];
  const uint64_t high = __funnelshift_r(middle, words[2], shift);
  return high << 32 | __funnelshift_r(words[0], middle, shift);
}

#elif defined(__OPENCL_VERSION__)

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
