#include <random>
#include <utility>

#include <gtest/gtest.h>

#include "host/state/table_lane_internal.hpp"

namespace syncline::state {
namespace {

constexpr size_t kValues = 3;
constexpr size_t kRecords = 50'000;

std::vector<uint64_t> random_keys(size_t count) {
  std::mt19937_64 random(7);
  std::vector<uint64_t> keys(count);
  for (uint64_t& key : keys) key = random() | 1;
  return keys;
}

void put_all(TableLane& lane, const std::vector<uint64_t>& keys) {
  for (const uint64_t key : keys) lane.cells(lane.put(key))[0] = static_cast<uint8_t>(key >> 8);
}

void expect_all(const TableLane& lane, const std::vector<uint64_t>& keys) {
  EXPECT_EQ(keys.size(), lane.record_count());
  for (const uint64_t key : keys) {
    const uint64_t slot = lane.find(key);
    ASSERT_NE(TableLane::kAbsent, slot);
    ASSERT_EQ(static_cast<uint8_t>(key >> 8), lane.cells(slot)[0]);
    ASSERT_TRUE(lane.is_seen(slot));
  }
}

size_t sizes_taken(TableLane& lane, const std::vector<uint64_t>& keys) {
  size_t count = 0;
  size_t slots = 0;
  for (const uint64_t key : keys) {
    lane.put(key);
    count += lane.slot_count() != std::exchange(slots, lane.slot_count()) ? 1 : 0;
  }
  return count;
}

TEST(TableLane, GrowsInFewStepsToWhatIsExpectedAndNotBeyond) {
  const auto keys = random_keys(kRecords);
  TableLane one_by_one(kValues);
  TableLane expecting(kValues);
  expecting.expect(kRecords);
  EXPECT_GT(sizes_taken(one_by_one, keys), 100U);
  EXPECT_LT(sizes_taken(expecting, keys), 20U);
  EXPECT_LE(expecting.size_bytes(), one_by_one.size_bytes() + one_by_one.size_bytes() / 16);
  put_all(expecting, keys);
  expect_all(expecting, keys);
}

TEST(TableLane, GivesBackWhatDidNotCome) {
  const auto keys = random_keys(kRecords);
  TableLane lane(kValues);
  lane.expect(10 * kRecords);
  put_all(lane, keys);
  EXPECT_LE(lane.slot_count(), 3 * kRecords);
  lane.expect(0);
  EXPECT_LE(lane.slot_count(), kRecords * 9 / 8);
  expect_all(lane, keys);
}

TEST(TableLane, MoreThanIsExpectedFindsRoom) {
  const auto keys = random_keys(kRecords);
  TableLane lane(kValues);
  lane.expect(kRecords / 10);
  put_all(lane, keys);
  lane.expect(0);
  expect_all(lane, keys);
}

}  // namespace
}  // namespace syncline::state
