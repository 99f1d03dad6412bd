#include "host/delivery/room.hpp"

#include <gtest/gtest.h>

namespace syncline::delivery {
namespace {

constexpr size_t kEntriesMax = 5;
constexpr size_t kShare = 4;

class RoomTest : public testing::Test {
 protected:
  RoomTest() {
    changed_.commit_time_us = 1'000'000;
    read_.commit_time_us = 0;
  }
  static Flow flow_of(const model::Entry& entry, size_t count) {
    Flow flow;
    for (size_t i = 0; i < count; ++i) {
      flow.entries.push_back({1, nullptr, &entry, PendingState::kWaiting, 0});
    }
    return flow;
  }

  model::Entry changed_;
  model::Entry read_;
};

TEST_F(RoomTest, ChangesThatUsersWaitForGoInSmallTransactions) {
  Room room(kEntriesMax, kShare);
  EXPECT_EQ(3U, room.take(flow_of(changed_, 3)));
  EXPECT_FALSE(room.is_full());
  EXPECT_EQ(2U, room.take(flow_of(changed_, 9)));
  EXPECT_TRUE(room.is_full());
  EXPECT_EQ(0U, room.take(flow_of(changed_, 9)));
}

TEST_F(RoomTest, OfAFirstSyncMoreRowsGoTogether) {
  Room room(kEntriesMax, kShare);
  EXPECT_EQ(15U, room.take(flow_of(read_, 15)));
  EXPECT_EQ(1U, room.take(flow_of(changed_, 9)));
  EXPECT_TRUE(room.is_full());
}

TEST_F(RoomTest, NothingGoesPastARefusedEntry) {
  Flow flow = flow_of(read_, 9);
  flow.entries[4].state = PendingState::kRefused;
  Room room(kEntriesMax, kShare);
  EXPECT_EQ(4U, room.take(flow));
}

}  // namespace
}  // namespace syncline::delivery
