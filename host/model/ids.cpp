#define XXH_INLINE_ALL
#include "host/model/ids.hpp"

#include <xxhash.h>

namespace syncline::model {

uint32_t stable_id(std::string_view name) {
  const uint64_t hash = XXH3_64bits(name.data(), name.size());
  const auto folded = static_cast<uint32_t>(hash ^ (hash >> 32));
  return folded == 0 ? 1 : folded;
}

KeyHash hash_key(std::string_view folded_key) {
  const XXH128_hash_t hash = XXH3_128bits(folded_key.data(), folded_key.size());
  return {hash.high64, hash.low64};
}

}  // namespace syncline::model
