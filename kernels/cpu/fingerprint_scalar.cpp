#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kernels/cpu/fingerprint.hpp"

namespace syncline::cpu {
namespace {

uint64_t fingerprint_cell(const syn_batch& batch, const uint8_t* secret, uint64_t index) {
  const uint32_t length = batch.cell_length[index];
  if (length == SYN_LENGTH_NULL) return SYN_FINGERPRINT_NULL;
  if (length == SYN_LENGTH_UNCHANGED) return SYN_FINGERPRINT_UNCHANGED;
  return syn_fingerprint_of_value(XXH3_64bits_withSecret(batch.arena + batch.cell_offset[index],
                                                         length, secret, SYN_SECRET_SIZE));
}

}  // namespace

void fingerprint_scalar(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                        uint64_t* cells) {
  for (uint32_t row = 0; row < batch.row_count; ++row) {
    const XXH128_hash_t key = XXH3_128bits_withSecret(
        batch.arena + batch.key_offset[row], batch.key_length[row], secret, SYN_SECRET_SIZE);
    keys[row] = {key.low64, key.high64};
    const uint64_t first = static_cast<uint64_t>(row) * batch.field_count;
    for (uint32_t field = batch.key_count; field < batch.field_count; ++field) {
      *cells++ = fingerprint_cell(batch, secret, first + field);
    }
  }
}

}  // namespace syncline::cpu
