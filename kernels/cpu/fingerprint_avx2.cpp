#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kernels/cpu/fingerprint.hpp"
#include "kernels/cpu/xxh3_short_internal.hpp"

namespace syncline::cpu {
namespace {

// The short cases by our own functions, whose secret's words stay in registers; the long ones by
// libxxhash, which this file's flags give AVX2.
inline uint64_t hash_value(const uint8_t* bytes, uint32_t length, const uint8_t* secret,
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

}  // namespace

void fingerprint_avx2(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                      uint64_t* cells) {
  const ShortSecret words(secret);
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret, SYN_SECRET_SIZE);
    keys[row] = {key.low64, key.high64};
    const uint64_t first = static_cast<uint64_t>(row) * batch.field_count;
    for (uint32_t field = batch.key_count; field < batch.field_count; ++field) {
      const uint32_t length = batch.cell_length[first + field];
      uint64_t hash = length == SYN_LENGTH_NULL ? SYN_FINGERPRINT_NULL : SYN_FINGERPRINT_UNCHANGED;
      if (length < SYN_LENGTH_UNCHANGED) {
        const uint8_t* bytes = batch.arena + batch.cell_offset[first + field];
        hash = syn_fingerprint_of_value(hash_value(bytes, length, secret, words));
      }
      *cells++ = hash;
    }
  }
}

}  // namespace syncline::cpu
