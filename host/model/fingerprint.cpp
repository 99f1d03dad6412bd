#define XXH_INLINE_ALL
#include "host/model/fingerprint.hpp"

#include <xxhash.h>

#include "host/model/key.hpp"
#include "kernels/contract/detect.h"

namespace syncline::model {

uint64_t fingerprint(const CellView& cell, const Secret& secret) {
  switch (cell.state) {
    case CellState::kUnchanged:
      return SYN_FINGERPRINT_UNCHANGED;
    case CellState::kNull:
      return SYN_FINGERPRINT_NULL;
    case CellState::kValue:
      break;
  }
  return syn_fingerprint_of_value(
      XXH3_64bits_withSecret(cell.bytes.data(), cell.bytes.size(), secret.data(), secret.size()));
}

uint64_t table_key_bits(std::string_view joined, const Schema& schema, const Secret& secret) {
  const auto bits = [&secret](std::string_view key) {
    const XXH128_hash_t hash =
        XXH3_128bits_withSecret(key.data(), key.size(), secret.data(), secret.size());
    return syn_key_bits({hash.low64, hash.high64});
  };
  const bool is_as_written = schema.key_equivalence == KeyEquivalence::kBytes;
  return is_as_written ? bits(joined) : bits(fold_key(joined, schema));
}

}  // namespace syncline::model
