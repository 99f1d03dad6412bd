// One cell's fingerprint, for the kernel files: short cases by our own straight code, whose
// secret's words stay in registers; the long ones by libxxhash, which the file's flags give its
// vectors.
//
// The file defines XXH_INLINE_ALL, so that its copy is its own.
#pragma once

#include <xxhash.h>

#include "kernels/contract/fingerprint.h"
#include "kernels/cpu/xxh3_short_internal.hpp"

namespace syncline::cpu {

static inline uint64_t xxh3_any(const uint8_t* bytes, uint32_t length, const uint8_t* secret,
                                const ShortSecret& words) {
  if (length <= 16) {
    if (length > 8) return xxh3_9to16(bytes, length, words);
    if (length > 3) return xxh3_4to8(bytes, length, words);
    if (length > 0) return xxh3_1to3(bytes, length, words);
    return XXH3_64bits_withSecret(bytes, 0, secret, SYN_SECRET_SIZE);
  }
  if (length <= 32) return xxh3_17to128<1>(bytes, length, words);
  if (length <= 64) return xxh3_17to128<2>(bytes, length, words);
  if (length <= 128) return xxh3_17to128<3>(bytes, length, words);
  return XXH3_64bits_withSecret(bytes, length, secret, SYN_SECRET_SIZE);
}

static inline uint64_t fingerprint_cell(const syn_batch& batch, uint64_t index,
                                        const uint8_t* secret, const ShortSecret& words) {
  const uint32_t length = batch.cell_length[index];
  if (length == SYN_LENGTH_NULL) return SYN_FINGERPRINT_NULL;
  if (length == SYN_LENGTH_UNCHANGED) return SYN_FINGERPRINT_UNCHANGED;
  return syn_fingerprint_of_value(
      xxh3_any(batch.arena + batch.cell_offset[index], length, secret, words));
}

static inline void fingerprint_keys(const syn_batch& batch, const uint8_t* secret,
                                    syn_hash128* keys) {
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret, SYN_SECRET_SIZE);
    keys[row] = {key.low64, key.high64};
  }
}

// Rows from first on, to the end before last. cells: of the whole batch.
static inline void fingerprint_rows(const syn_batch& batch, uint32_t first, uint32_t last,
                                    const uint8_t* secret, const ShortSecret& words,
                                    uint64_t* cells) {
  const uint32_t value_count = batch.field_count - batch.key_count;
  cells += static_cast<uint64_t>(first) * value_count;
  for (uint32_t row = first; row < last; ++row) {
    const uint64_t start = static_cast<uint64_t>(row) * batch.field_count + batch.key_count;
    for (uint32_t i = 0; i < value_count; ++i) {
      *cells++ = fingerprint_cell(batch, start + i, secret, words);
    }
  }
}

}  // namespace syncline::cpu
