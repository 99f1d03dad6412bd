#include <random>

#include <gtest/gtest.h>

#include "host/state/key_filter_internal.hpp"

namespace syncline::state {
namespace {

std::vector<TierKey> random_keys(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TierKey> keys(count);
  for (TierKey& key : keys) key = {random() >> 8, random()};  // one shard's: the first byte is 0
  return keys;
}

TEST(KeyFilter, WhatWasAddedMayBeThereAndNearlyNothingElse) {
  constexpr size_t kKeys = 40'000;
  KeyFilter filter;
  ASSERT_TRUE(filter.make_room(kKeys * 13 / 8));
  for (const TierKey& key : random_keys(kKeys, 1)) filter.add(key);
  for (const TierKey& key : random_keys(kKeys, 1)) ASSERT_TRUE(filter.may_contain(key));
  size_t mistaken = 0;
  for (const TierKey& key : random_keys(kKeys, 2)) mistaken += filter.may_contain(key) ? 1 : 0;
  EXPECT_LT(mistaken, kKeys / 100);
}

TEST(KeyFilter, WithoutRoomEverythingMayBeThere) {
  KeyFilter filter;
  EXPECT_FALSE(filter.make_room(63));
  filter.add({1, 2});
  EXPECT_TRUE(filter.may_contain({3, 4}));
}

}  // namespace
}  // namespace syncline::state
