// XXH3-64 with a secret, seed 0, for inputs of 1 to 128 bytes: one function per case of the
// algorithm, without a branch inside, and the secret's words read once.
//
// Source: the XXH3 specification (XXH3_len_1to3 … XXH3_len_17to128 of libxxhash 0.8). libxxhash's
// own are the same arithmetic, but decide on the length in every call, and GCC 12 passes their
// 128-bit products through memory. Static: each file that includes this has its own copy.
#pragma once

#include <cstdint>
#include <cstring>

namespace syncline::cpu {

static inline uint64_t read64(const uint8_t* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

static inline uint64_t read32(const uint8_t* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

static inline uint64_t rotate_left(uint64_t word, int bits) {
  return word << bits | word >> (64 - bits);
}

static inline uint64_t multiply_fold(uint64_t a, uint64_t b) {
  __extension__ typedef unsigned __int128 Wide;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// The secret's words as the short cases combine them.
struct ShortSecret {
  uint64_t of_1to3;
  uint64_t of_4to8;
  uint64_t low_of_9to16;
  uint64_t high_of_9to16;
  uint64_t words[16];  // of 17 to 128 bytes: one per 8 bytes of input

  explicit ShortSecret(const uint8_t* secret)
      : of_1to3(read32(secret) ^ read32(secret + 4)),
        of_4to8(read64(secret + 8) ^ read64(secret + 16)),
        low_of_9to16(read64(secret + 24) ^ read64(secret + 32)),
        high_of_9to16(read64(secret + 40) ^ read64(secret + 48)) {
    std::memcpy(words, secret, sizeof words);
  }
};

static inline uint64_t xxh3_avalanche(uint64_t hash) {
  hash ^= hash >> 37;
  hash *= 0x165667919E3779F9ull;
  return hash ^ hash >> 32;
}

static inline uint64_t xxh3_1to3(const uint8_t* bytes, uint64_t length, const ShortSecret& secret) {
  const uint64_t first = bytes[0];
  const uint64_t middle = bytes[length >> 1];
  const uint64_t last = bytes[length - 1];
  uint64_t hash = (first << 16 | middle << 24 | last | length << 8) ^ secret.of_1to3;
  hash ^= hash >> 33;
  hash *= 0xC2B2AE3D27D4EB4Full;
  hash ^= hash >> 29;
  hash *= 0x165667B19E3779F9ull;
  return hash ^ hash >> 32;
}

static inline uint64_t xxh3_4to8(const uint8_t* bytes, uint64_t length, const ShortSecret& secret) {
  const uint64_t input = read32(bytes) << 32 | read32(bytes + length - 4);
  uint64_t hash = input ^ secret.of_4to8;
  hash ^= rotate_left(hash, 49) ^ rotate_left(hash, 24);
  hash *= 0x9FB21C651E98DF25ull;
  hash ^= (hash >> 35) + length;
  hash *= 0x9FB21C651E98DF25ull;
  return hash ^ hash >> 28;
}

static inline uint64_t xxh3_9to16(const uint8_t* bytes, uint64_t length,
                                  const ShortSecret& secret) {
  const uint64_t low = read64(bytes) ^ secret.low_of_9to16;
  const uint64_t high = read64(bytes + length - 8) ^ secret.high_of_9to16;
  return xxh3_avalanche(length + __builtin_bswap64(low) + high + multiply_fold(low, high));
}

static inline uint64_t xxh3_mix16(const uint8_t* bytes, const uint64_t* secret) {
  return multiply_fold(read64(bytes) ^ secret[0], read64(bytes + 8) ^ secret[1]);
}

// log_pairs 1: 17 to 32 bytes, 2: 33 to 64; 3: 65 to 128, of which those up to 96 lack a pair.
template <int log_pairs>
static inline uint64_t xxh3_17to128(const uint8_t* bytes, uint64_t length,
                                    const ShortSecret& secret) {
  uint64_t hash = length * 0x9E3779B185EBCA87ull;
  if (log_pairs >= 3) {
    if (length > 96) {
      hash += xxh3_mix16(bytes + 48, secret.words + 12);
      hash += xxh3_mix16(bytes + length - 64, secret.words + 14);
    }
    hash += xxh3_mix16(bytes + 32, secret.words + 8);
    hash += xxh3_mix16(bytes + length - 48, secret.words + 10);
  }
  if (log_pairs >= 2) {
    hash += xxh3_mix16(bytes + 16, secret.words + 4);
    hash += xxh3_mix16(bytes + length - 32, secret.words + 6);
  }
  hash += xxh3_mix16(bytes, secret.words);
  hash += xxh3_mix16(bytes + length - 16, secret.words + 2);
  return xxh3_avalanche(hash);
}

}  // namespace syncline::cpu
