// The small identifiers that everything shares.
//
// System, dataset and stream ids are stable hashes of the names in the config (stable_id), so that
// two appliances give the same order to the same systems without talking; config refuses names
// whose ids collide. Their numeric order is the last tie break between versions.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace syncline::model {

using SystemId = uint32_t;
using DatasetId = uint32_t;
using StreamId = uint32_t;  // of a dataset, or of an atomic group
using LaneIndex = uint16_t;
using FieldIndex = uint16_t;  // into Schema::fields
using Sequence = uint64_t;    // of an entry in its (stream, lane), from 1; 0 is before the first

inline constexpr size_t kLaneCountDefault = 64;

// XXH3-128 (seed 0) of a record's folded key: its identity everywhere, and its lane. The same on
// every appliance.
struct KeyHash {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const KeyHash&) const = default;
  bool is_none() const { return high == 0 && low == 0; }
};

struct KeyHashHasher {
  size_t operator()(const KeyHash& hash) const { return hash.low; }
};

// REQUIRES: lane_count is a power of two, at most 65,536.
inline LaneIndex lane_of(const KeyHash& hash, size_t lane_count) {
  return lane_count == 1 ? 0
                         : static_cast<LaneIndex>(hash.high >> (64 - __builtin_ctzll(lane_count)));
}

// XXH3-64 (seed 0) of the name, folded to 32 bits; never 0, which means "none".
uint32_t stable_id(std::string_view name);

// XXH3-128 (seed 0) of folded key bytes (model/key.hpp).
KeyHash hash_key(std::string_view folded_key);

}  // namespace syncline::model
