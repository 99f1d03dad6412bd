// One shard of the memory tier, beside a map.
#include <map>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "host/state/shadow_tier_internal.hpp"

namespace syncline::state {
namespace {

TierKey key_of(uint64_t number) {
  const uint64_t low = (number + 1) * 0x9e3779b97f4a7c15u;
  return {low * low, low ^ low >> 29};
}

std::string state_of(std::mt19937& random) {
  const size_t size = random() % 20 == 0 ? random() % 2500 : random() % 160;
  return std::string(size, static_cast<char>('a' + random() % 26));
}

TEST(ShadowTier, KeepsEveryStateWhileThereIsRoom) {
  TierShard shard(8u << 20);
  std::map<uint64_t, std::string> model;
  std::mt19937 random(1);
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t number = random() % 10'000;
    model[number] = state_of(random).substr(0, 1900);
    shard.put(key_of(number), model[number]);
  }
  std::string_view found;
  for (const auto& [number, state] : model) {
    ASSERT_EQ(shard.find(key_of(number), found), TierShard::Found::kState);
    ASSERT_EQ(found, state);
  }
  EXPECT_EQ(shard.record_count(), model.size());
  EXPECT_EQ(shard.find(key_of(1'000'000), found), TierShard::Found::kNever);
}

TEST(ShadowTier, NeverShowsAnOldStateWhenRoomIsShort) {
  constexpr size_t kLimit = 200'000;
  TierShard shard(kLimit);
  std::map<uint64_t, std::string> model;
  std::mt19937 random(2);
  std::string_view found;
  size_t hit_count = 0;
  for (int i = 0; i < 200'000; ++i) {
    const uint64_t number = random() % 10'000;
    if (random() % 2 == 0) {
      model[number] = state_of(random);
      shard.put(key_of(number), model[number]);
    } else if (shard.find(key_of(number), found) == TierShard::Found::kState) {
      ASSERT_EQ(found, model[number]);
      ++hit_count;
    }
  }
  EXPECT_GT(hit_count, 5'000u);
  EXPECT_LT(shard.size_bytes(), kLimit + 100'000);
  EXPECT_FALSE(shard.is_complete());
}

// A first sync asks for little else.
TEST(ShadowTier, KnowsMostKeysThatNeverCameWhenRoomIsShort) {
  TierShard shard(200'000);
  const std::string state(50, 's');
  constexpr uint64_t kRecords = 20'000;
  for (uint64_t i = 0; i < kRecords; ++i) shard.put(key_of(i), state);
  ASSERT_FALSE(shard.is_complete());
  std::string_view found;
  for (uint64_t i = 0; i < kRecords; ++i) {
    ASSERT_NE(shard.find(key_of(i), found), TierShard::Found::kNever) << i;
  }
  size_t never_count = 0;
  for (uint64_t i = kRecords; i < 2 * kRecords; ++i) {
    never_count += shard.find(key_of(i), found) == TierShard::Found::kNever ? 1 : 0;
  }
  EXPECT_GT(never_count, kRecords * 9 / 10);
}

TEST(ShadowTier, KnowsNothingOfWhatWasLeftOutAtTheOpen) {
  TierShard shard(100'000);
  const std::string state(50, 's');
  uint64_t count = 0;
  while (shard.put_if_room(key_of(count), state)) ++count;
  for (uint64_t i = 10'000; i < 20'000; ++i) shard.put(key_of(i), state);
  std::string_view found;
  EXPECT_EQ(shard.find(key_of(count), found), TierShard::Found::kUnknown);
}

TEST(ShadowTier, KeepsWhatIsAskedForAndDropsTheRest) {
  TierShard shard(100'000);
  const std::string state(50, 's');
  std::string_view found;
  shard.put(key_of(0), state);
  for (uint64_t i = 1; i < 20'000; ++i) {
    shard.put(key_of(i), state);
    ASSERT_EQ(shard.find(key_of(0), found), TierShard::Found::kState) << i;
  }
  EXPECT_EQ(shard.find(key_of(1), found), TierShard::Found::kUnknown);
}

TEST(ShadowTier, AStateTooLongIsLeftToTheStore) {
  TierShard shard(1u << 20);
  std::string_view found;
  shard.put(key_of(1), "short");
  shard.put(key_of(1), std::string(5'000, 'x'));
  EXPECT_EQ(shard.find(key_of(1), found), TierShard::Found::kUnknown);
  EXPECT_FALSE(shard.put_if_room(key_of(2), std::string(5'000, 'x')));
}

TEST(ShadowTier, CostsAtMost24BytesARecordBesideTheState) {
  TierShard shard(16u << 20);
  const std::string state(50, 's');
  constexpr size_t kRecords = 39'063;  // 10 million in 256 shards
  for (uint64_t i = 0; i < kRecords; ++i) shard.put(key_of(i), state);
  ASSERT_TRUE(shard.is_complete());
  const double overhead =
      static_cast<double>(shard.size_bytes()) / kRecords - static_cast<double>(state.size());
  EXPECT_LE(overhead, 24.0);
}

}  // namespace
}  // namespace syncline::state
