/* XXH3-64 and XXH3-128 with a 192-byte secret and seed 0, for every length: one definition for all
 * devices.
 *
 * Source: the XXH3 specification (libxxhash 0.8). The short cases are whole functions; of the long
 * one (from SYN_XXH3_LONG_MIN bytes) the steps are given too, so that a device may spread the eight
 * accumulators and the stripes of one input over threads. Held against libxxhash for every length
 * from 0 to 1100 by tests/unit/bodies. Threads: any. C subset: compiles as C, C++, CUDA and
 * OpenCL C. */
#ifndef SYN_BODIES_XXH3_H
#define SYN_BODIES_XXH3_H

#include "kernels/bodies/words.h"
#include "kernels/contract/fingerprint.h"

#define SYN_XXH3_LONG_MIN 241u
#define SYN_XXH3_STRIPE_SIZE 64u
#define SYN_XXH3_STRIPES_PER_BLOCK ((SYN_SECRET_SIZE - SYN_XXH3_STRIPE_SIZE) / 8u)
#define SYN_XXH3_BLOCK_SIZE (SYN_XXH3_STRIPE_SIZE * SYN_XXH3_STRIPES_PER_BLOCK)
#define SYN_XXH3_SCRAMBLE_AT (SYN_SECRET_SIZE - SYN_XXH3_STRIPE_SIZE)
#define SYN_XXH3_LAST_AT (SYN_XXH3_SCRAMBLE_AT - 7u)
#define SYN_XXH3_MERGE_AT 11u
#define SYN_XXH3_MERGE_HIGH_AT (SYN_XXH3_SCRAMBLE_AT - SYN_XXH3_MERGE_AT)

#define SYN_PRIME32_1 0x9E3779B1u
#define SYN_PRIME32_2 0x85EBCA77u
#define SYN_PRIME32_3 0xC2B2AE3Du
#define SYN_PRIME64_1 0x9E3779B185EBCA87ull
#define SYN_PRIME64_2 0xC2B2AE3D27D4EB4Full
#define SYN_PRIME64_3 0x165667B19E3779F9ull
#define SYN_PRIME64_4 0x85EBCA77C2B2AE63ull
#define SYN_PRIME64_5 0x27D4EB2F165667C5ull
#define SYN_PRIME_MIX_1 0x165667919E3779F9ull
#define SYN_PRIME_MIX_2 0x9FB21C651E98DF25ull

SYN_INLINE uint64_t syn_xxh64_avalanche(uint64_t hash) {
  hash ^= hash >> 33;
  hash *= SYN_PRIME64_2;
  hash ^= hash >> 29;
  hash *= SYN_PRIME64_3;
  return hash ^ hash >> 32;
}

SYN_INLINE uint64_t syn_xxh3_avalanche(uint64_t hash) {
  hash ^= hash >> 37;
  hash *= SYN_PRIME_MIX_1;
  return hash ^ hash >> 32;
}

SYN_INLINE uint32_t syn_xxh3_combine_1to3(SYN_GLOBAL const uint8_t* bytes, uint32_t length) {
  return (uint32_t)bytes[0] << 16 | (uint32_t)bytes[length >> 1] << 24 | bytes[length - 1] |
         length << 8;
}

SYN_INLINE uint64_t syn_xxh3_64_0to16(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                      SYN_GLOBAL const uint8_t* secret) {
  if (length > 8) {
    const uint64_t low = syn_read64(bytes) ^ syn_read64(secret + 24) ^ syn_read64(secret + 32);
    const uint64_t high =
        syn_read64(bytes + length - 8) ^ syn_read64(secret + 40) ^ syn_read64(secret + 48);
    return syn_xxh3_avalanche(length + syn_swap64(low) + high + syn_multiply_fold(low, high));
  }
  if (length > 3) {
    const uint64_t input = (uint64_t)syn_read32(bytes) << 32 | syn_read32(bytes + length - 4);
    uint64_t hash = input ^ syn_read64(secret + 8) ^ syn_read64(secret + 16);
    hash ^= syn_rotate_left(hash, 49) ^ syn_rotate_left(hash, 24);
    hash *= SYN_PRIME_MIX_2;
    hash ^= (hash >> 35) + length;
    hash *= SYN_PRIME_MIX_2;
    return hash ^ hash >> 28;
  }
  if (length > 0) {
    const uint64_t flip = syn_read32(secret) ^ syn_read32(secret + 4);
    return syn_xxh64_avalanche(syn_xxh3_combine_1to3(bytes, length) ^ flip);
  }
  return syn_xxh64_avalanche(syn_read64(secret + 56) ^ syn_read64(secret + 64));
}

SYN_INLINE uint64_t syn_xxh3_mix16(SYN_GLOBAL const uint8_t* bytes,
                                   SYN_GLOBAL const uint8_t* secret) {
  return syn_multiply_fold(syn_read64(bytes) ^ syn_read64(secret),
                           syn_read64(bytes + 8) ^ syn_read64(secret + 8));
}

/* From the middle outwards or back: sums do not mind. */
SYN_INLINE uint64_t syn_xxh3_64_17to128(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                        SYN_GLOBAL const uint8_t* secret) {
  uint64_t hash = length * SYN_PRIME64_1;
  const uint32_t pairs = (length - 1) / 32;
  for (uint32_t i = 0; i <= pairs; ++i) {
    hash += syn_xxh3_mix16(bytes + 16 * i, secret + 32 * i);
    hash += syn_xxh3_mix16(bytes + length - 16 * (i + 1), secret + 32 * i + 16);
  }
  return syn_xxh3_avalanche(hash);
}

SYN_INLINE uint64_t syn_xxh3_64_129to240(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                         SYN_GLOBAL const uint8_t* secret) {
  uint64_t hash = length * SYN_PRIME64_1;
  for (uint32_t i = 0; i < 8; ++i) hash += syn_xxh3_mix16(bytes + 16 * i, secret + 16 * i);
  hash = syn_xxh3_avalanche(hash);
  for (uint32_t i = 8; i < length / 16; ++i) {
    hash += syn_xxh3_mix16(bytes + 16 * i, secret + 16 * (i - 8) + 3);
  }
  hash += syn_xxh3_mix16(bytes + length - 16, secret + 136 - 17);
  return syn_xxh3_avalanche(hash);
}

/* The eight accumulators' first values. */
SYN_INLINE uint64_t syn_xxh3_start(uint32_t index) {
  switch (index) {
    case 0:
      return SYN_PRIME32_3;
    case 1:
      return SYN_PRIME64_1;
    case 2:
      return SYN_PRIME64_2;
    case 3:
      return SYN_PRIME64_3;
    case 4:
      return SYN_PRIME64_4;
    case 5:
      return SYN_PRIME32_2;
    case 6:
      return SYN_PRIME64_5;
    default:
      return SYN_PRIME32_1;
  }
}

/* What one stripe adds to an accumulator: word is the stripe's word of the same index, beside that
 * of index ^ 1, secret the secret's. Sums: stripes of one block may come in any order. */
SYN_INLINE uint64_t syn_xxh3_stripe_share(uint64_t word, uint64_t beside, uint64_t secret) {
  const uint64_t keyed = word ^ secret;
  return beside + (keyed & 0xffffffffu) * (keyed >> 32);
}

SYN_INLINE uint64_t syn_xxh3_scramble(uint64_t accumulator, uint64_t secret) {
  return (accumulator ^ accumulator >> 47 ^ secret) * SYN_PRIME32_1;
}

SYN_INLINE void syn_xxh3_add_stripe(uint64_t* accumulators, SYN_GLOBAL const uint8_t* stripe,
                                    SYN_GLOBAL const uint8_t* secret) {
  for (uint32_t i = 0; i < 8; ++i) {
    accumulators[i] += syn_xxh3_stripe_share(
        syn_read64(stripe + 8 * i), syn_read64(stripe + 8 * (i ^ 1u)), syn_read64(secret + 8 * i));
  }
}

/* Leaves the accumulators as they are before the merge. REQUIRES: length >= SYN_XXH3_LONG_MIN. */
SYN_INLINE void syn_xxh3_accumulate(uint64_t* accumulators, SYN_GLOBAL const uint8_t* bytes,
                                    uint32_t length, SYN_GLOBAL const uint8_t* secret) {
  for (uint32_t i = 0; i < 8; ++i) accumulators[i] = syn_xxh3_start(i);
  const uint32_t stripe_count = (length - 1) / SYN_XXH3_STRIPE_SIZE;
  for (uint32_t n = 0; n < stripe_count; ++n) {
    const uint32_t place = n % SYN_XXH3_STRIPES_PER_BLOCK;
    syn_xxh3_add_stripe(accumulators, bytes + (uint64_t)n * SYN_XXH3_STRIPE_SIZE,
                        secret + 8 * place);
    /* After a block; the last one is followed by more even where it is whole. */
    if (place + 1 != SYN_XXH3_STRIPES_PER_BLOCK) continue;
    for (uint32_t i = 0; i < 8; ++i) {
      accumulators[i] =
          syn_xxh3_scramble(accumulators[i], syn_read64(secret + SYN_XXH3_SCRAMBLE_AT + 8 * i));
    }
  }
  syn_xxh3_add_stripe(accumulators, bytes + length - SYN_XXH3_STRIPE_SIZE,
                      secret + SYN_XXH3_LAST_AT);
}

/* A pair's part of the merged hash; pair is 0 to 3, secret where the merge begins in it. */
SYN_INLINE uint64_t syn_xxh3_merge_share(uint64_t even, uint64_t odd, uint32_t pair,
                                         SYN_GLOBAL const uint8_t* secret) {
  return syn_multiply_fold(even ^ syn_read64(secret + 16 * pair),
                           odd ^ syn_read64(secret + 16 * pair + 8));
}

SYN_INLINE uint64_t syn_xxh3_merge(const uint64_t* accumulators, SYN_GLOBAL const uint8_t* secret,
                                   uint64_t start) {
  uint64_t hash = start;
  for (uint32_t pair = 0; pair < 4; ++pair) {
    hash += syn_xxh3_merge_share(accumulators[2 * pair], accumulators[2 * pair + 1], pair, secret);
  }
  return syn_xxh3_avalanche(hash);
}

/* REQUIRES: length < SYN_XXH3_LONG_MIN. */
SYN_INLINE uint64_t syn_xxh3_64_short(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                      SYN_GLOBAL const uint8_t* secret) {
  if (length <= 16) return syn_xxh3_64_0to16(bytes, length, secret);
  if (length <= 128) return syn_xxh3_64_17to128(bytes, length, secret);
  return syn_xxh3_64_129to240(bytes, length, secret);
}

SYN_INLINE uint64_t syn_xxh3_64(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                SYN_GLOBAL const uint8_t* secret) {
  if (length < SYN_XXH3_LONG_MIN) return syn_xxh3_64_short(bytes, length, secret);
  uint64_t accumulators[8];
  syn_xxh3_accumulate(accumulators, bytes, length, secret);
  return syn_xxh3_merge(accumulators, secret + SYN_XXH3_MERGE_AT, length * SYN_PRIME64_1);
}

SYN_INLINE syn_hash128 syn_xxh3_128_1to3(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                         SYN_GLOBAL const uint8_t* secret) {
  const uint32_t low = syn_xxh3_combine_1to3(bytes, length);
  const uint32_t swapped = syn_swap32(low);
  const uint32_t high = swapped << 13 | swapped >> 19;
  const uint32_t flip_low = syn_read32(secret) ^ syn_read32(secret + 4);
  const uint32_t flip_high = syn_read32(secret + 8) ^ syn_read32(secret + 12);
  syn_hash128 hash;
  hash.low = syn_xxh64_avalanche(low ^ flip_low);
  hash.high = syn_xxh64_avalanche(high ^ flip_high);
  return hash;
}

SYN_INLINE syn_hash128 syn_xxh3_128_4to8(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                         SYN_GLOBAL const uint8_t* secret) {
  const uint64_t input = (uint64_t)syn_read32(bytes + length - 4) << 32 | syn_read32(bytes);
  const uint64_t keyed = input ^ syn_read64(secret + 16) ^ syn_read64(secret + 24);
  const uint64_t factor = SYN_PRIME64_1 + (length << 2);
  syn_hash128 hash;
  hash.low = keyed * factor;
  hash.high = syn_mul_high(keyed, factor) + (hash.low << 1);
  hash.low ^= hash.high >> 3;
  hash.low ^= hash.low >> 35;
  hash.low *= SYN_PRIME_MIX_2;
  hash.low ^= hash.low >> 28;
  hash.high = syn_xxh3_avalanche(hash.high);
  return hash;
}

SYN_INLINE syn_hash128 syn_xxh3_128_9to16(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                          SYN_GLOBAL const uint8_t* secret) {
  const uint64_t flip_low = syn_read64(secret + 32) ^ syn_read64(secret + 40);
  const uint64_t flip_high = syn_read64(secret + 48) ^ syn_read64(secret + 56);
  const uint64_t last = syn_read64(bytes + length - 8);
  const uint64_t mixed = syn_read64(bytes) ^ last ^ flip_low;
  const uint64_t flipped = last ^ flip_high;
  uint64_t low = mixed * SYN_PRIME64_1 + ((uint64_t)(length - 1) << 54);
  const uint64_t high = syn_mul_high(mixed, SYN_PRIME64_1) + flipped +
                        (flipped & 0xffffffffu) * (uint64_t)(SYN_PRIME32_2 - 1);
  low ^= syn_swap64(high);
  syn_hash128 hash;
  hash.low = syn_xxh3_avalanche(low * SYN_PRIME64_2);
  hash.high = syn_xxh3_avalanche(syn_mul_high(low, SYN_PRIME64_2) + high * SYN_PRIME64_2);
  return hash;
}

SYN_INLINE syn_hash128 syn_xxh3_128_0to16(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                          SYN_GLOBAL const uint8_t* secret) {
  if (length > 8) return syn_xxh3_128_9to16(bytes, length, secret);
  if (length > 3) return syn_xxh3_128_4to8(bytes, length, secret);
  if (length > 0) return syn_xxh3_128_1to3(bytes, length, secret);
  syn_hash128 hash;
  hash.low = syn_xxh64_avalanche(syn_read64(secret + 64) ^ syn_read64(secret + 72));
  hash.high = syn_xxh64_avalanche(syn_read64(secret + 80) ^ syn_read64(secret + 88));
  return hash;
}

SYN_INLINE syn_hash128 syn_xxh3_128_mix32(syn_hash128 hash, SYN_GLOBAL const uint8_t* first,
                                          SYN_GLOBAL const uint8_t* second,
                                          SYN_GLOBAL const uint8_t* secret) {
  hash.low += syn_xxh3_mix16(first, secret);
  hash.low ^= syn_read64(second) + syn_read64(second + 8);
  hash.high += syn_xxh3_mix16(second, secret + 16);
  hash.high ^= syn_read64(first) + syn_read64(first + 8);
  return hash;
}

SYN_INLINE syn_hash128 syn_xxh3_128_end(syn_hash128 hash, uint32_t length) {
  syn_hash128 out;
  out.low = syn_xxh3_avalanche(hash.low + hash.high);
  out.high = 0 - syn_xxh3_avalanche(hash.low * SYN_PRIME64_1 + hash.high * SYN_PRIME64_4 +
                                    length * SYN_PRIME64_2);
  return out;
}

SYN_INLINE syn_hash128 syn_xxh3_128_17to240(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                            SYN_GLOBAL const uint8_t* secret) {
  syn_hash128 hash;
  hash.low = length * SYN_PRIME64_1;
  hash.high = 0;
  if (length <= 128) {
    for (uint32_t i = (length - 1) / 32 + 1; i-- > 0;) {
      hash =
          syn_xxh3_128_mix32(hash, bytes + 16 * i, bytes + length - 16 * (i + 1), secret + 32 * i);
    }
    return syn_xxh3_128_end(hash, length);
  }
  for (uint32_t i = 0; i < 4; ++i) {
    hash = syn_xxh3_128_mix32(hash, bytes + 32 * i, bytes + 32 * i + 16, secret + 32 * i);
  }
  hash.low = syn_xxh3_avalanche(hash.low);
  hash.high = syn_xxh3_avalanche(hash.high);
  for (uint32_t i = 4; i < length / 32; ++i) {
    hash = syn_xxh3_128_mix32(hash, bytes + 32 * i, bytes + 32 * i + 16, secret + 3 + 32 * (i - 4));
  }
  hash = syn_xxh3_128_mix32(hash, bytes + length - 16, bytes + length - 32, secret + 136 - 17 - 16);
  return syn_xxh3_128_end(hash, length);
}

/* REQUIRES: length < SYN_XXH3_LONG_MIN. */
SYN_INLINE syn_hash128 syn_xxh3_128_short(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                          SYN_GLOBAL const uint8_t* secret) {
  if (length <= 16) return syn_xxh3_128_0to16(bytes, length, secret);
  return syn_xxh3_128_17to240(bytes, length, secret);
}

SYN_INLINE syn_hash128 syn_xxh3_128(SYN_GLOBAL const uint8_t* bytes, uint32_t length,
                                    SYN_GLOBAL const uint8_t* secret) {
  if (length < SYN_XXH3_LONG_MIN) return syn_xxh3_128_short(bytes, length, secret);
  uint64_t accumulators[8];
  syn_xxh3_accumulate(accumulators, bytes, length, secret);
  syn_hash128 hash;
  hash.low = syn_xxh3_merge(accumulators, secret + SYN_XXH3_MERGE_AT, length * SYN_PRIME64_1);
  hash.high =
      syn_xxh3_merge(accumulators, secret + SYN_XXH3_MERGE_HIGH_AT, ~(length * SYN_PRIME64_2));
  return hash;
}

#endif
