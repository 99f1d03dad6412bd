#define XXH_INLINE_ALL
#include "kernels/cpu/fingerprint.hpp"
#include "kernels/cpu/fingerprint_cell_internal.hpp"

namespace syncline::cpu {

void fingerprint_avx2(const syn_batch& batch, const uint8_t* secret, syn_hash128* keys,
                      uint64_t* cells) {
  const ShortSecret words(secret);
  fingerprint_keys(batch, secret, keys);
  fingerprint_rows(batch, 0, batch.row_count, secret, words, cells);
}

}  // namespace syncline::cpu
