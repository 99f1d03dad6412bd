#include "host/model/ids.hpp"

#include <set>
#include <string>

#include <gtest/gtest.h>

namespace syncline::model {
namespace {

// The empty input's XXH3 values are published in xxHash's own test vectors.
TEST(Ids, HashKeyIsXxh3OfSeedZero) {
  const KeyHash hash = hash_key("");
  EXPECT_EQ(hash.high, 0x99aa06d3014798d8U);
  EXPECT_EQ(hash.low, 0x6001c324468d497fU);
}

TEST(Ids, StableIdFoldsXxh3To32Bits) {
  EXPECT_EQ(stable_id(""), 0x2d06800538d394c2U % (1ULL << 32) ^ 0x2d068005U);
}

TEST(Ids, StableIdIsNeverZeroAndRarelyMeets) {
  std::set<uint32_t> ids;
  for (int i = 0; i < 10'000; ++i) ids.insert(stable_id("system" + std::to_string(i)));
  EXPECT_EQ(ids.count(0), 0U);
  EXPECT_GE(ids.size(), 9'998U);
}

TEST(Ids, LanesAreTheTopBitsOfTheHash) {
  const KeyHash hash{.high = 0xC000'0000'0000'0001, .low = 7};
  EXPECT_EQ(lane_of(hash, 1), 0);
  EXPECT_EQ(lane_of(hash, 4), 3);
  EXPECT_EQ(lane_of(hash, 64), 48);
  EXPECT_EQ(lane_of(hash, 65'536), 0xC000);
}

}  // namespace
}  // namespace syncline::model
