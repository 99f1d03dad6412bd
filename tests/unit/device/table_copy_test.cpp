// A copy of a table on a device that the host plays, got in parts: beside a host's table that moves
// on meanwhile, grows, loses its log and is cleared.
#include "kernels/device/table_copy.hpp"

#include <random>
#include <set>

#include <gtest/gtest.h>

#include "host/state/fingerprint_table.hpp"
#include "tests/unit/device/host_device.hpp"

namespace syncline::device {
namespace {

constexpr uint32_t kValues = 2;
constexpr uint16_t kLanes = 3;
constexpr size_t kLogSizeMax = 256 << 10;

class TableCopyTest : public testing::Test {
 protected:
  TableCopyTest() {
    slot_.graveyard = &graveyard_;
    slot_.wait_limit_us = 1'000'000;
  }

  static std::string record(uint8_t kind, uint64_t key_bits) {
    std::string bytes(1, static_cast<char>(kind));
    bytes.append(reinterpret_cast<const char*>(&key_bits), sizeof key_bits);
    return bytes;
  }
  std::string random_cells(size_t count) {
    std::string cells;
    for (size_t i = 0; i < count * SYN_CELL_SIZE; ++i) cells += static_cast<char>(random_());
    return cells;
  }
  // Puts new keys.
  void add(uint16_t lane, int count) {
    std::string delta;
    for (int i = 0; i < count; ++i) {
      const uint64_t key = random_() | 1;
      keys_[lane].push_back(key);
      delta += record(SYN_DELTA_PUT, key) + random_cells(kValues);
    }
    ASSERT_TRUE(table_.apply(lane, delta).has_value());
  }
  // Changes keys, removes some and puts others.
  void change(uint16_t lane, int count) {
    std::string delta;
    for (int i = 0; i < count; ++i) {
      const size_t at = random_() % keys_[lane].size();
      const uint64_t key = keys_[lane][at];
      switch (random_() % 3) {
        case 0:
          delta += record(SYN_DELTA_REMOVE, key);
          keys_[lane][at] = keys_[lane].back();
          keys_[lane].pop_back();
          // Some come back.
          if (random_() % 2 == 0) {
            delta += record(SYN_DELTA_PUT, key) + random_cells(kValues);
            keys_[lane].push_back(key);
          }
          break;
        case 1:
          delta += record(SYN_DELTA_CHANGE, key) + '\x02' + random_cells(1);
          break;
        default:
          delta += record(SYN_DELTA_PUT, key) + random_cells(kValues);
      }
    }
    ASSERT_TRUE(table_.apply(lane, delta).has_value());
  }
  void change_all(int count) {
    for (uint16_t lane = 0; lane < kLanes; ++lane) {
      ASSERT_NO_FATAL_FAILURE(add(lane, count));
      ASSERT_NO_FATAL_FAILURE(change(lane, count));
    }
  }
  // Calls until the copy is equal, with changes in between; gives how many calls it took.
  int update_until_equal(const CopyShares& shares, int changes) {
    for (int calls = 1; calls < 2000; ++calls) {
      const uint64_t filled = behaviour_.slots_filled;
      const auto updated = copy_->update(table_.ref(), slot_);
      graveyard_.clear();
      EXPECT_LE(behaviour_.slots_filled - filled, 2 * shares.slots);
      if (updated.has_value()) return calls;
      EXPECT_EQ(updated.error().code, ErrorCode::kEngineNotReady) << to_string(updated.error());
      change_all(changes);
      if (HasFailure()) return 0;
    }
    ADD_FAILURE() << "it does not come to an end";
    return 0;
  }
  void expect_equal() {
    auto& memory = static_cast<HostTableMemory&>(copy_->memory());
    for (uint16_t lane = 0; lane < kLanes; ++lane) {
      const engine::TableLaneRef& from = table_.ref().lanes[lane];
      const syn_table_lane to = memory.lane(lane);
      size_t there = 0;
      for (uint64_t i = 0; i < to.line_count * SYN_SLOTS_PER_LINE; ++i) {
        there += to.keys[i] != SYN_KEY_EMPTY && to.keys[i] != SYN_KEY_REMOVED ? 1 : 0;
      }
      ASSERT_EQ(there, table_.record_count(lane));
      for (uint64_t i = 0; i < from.line_count * SYN_SLOTS_PER_LINE; ++i) {
        if (from.keys[i] == SYN_KEY_EMPTY) continue;
        const uint64_t slot = syn_find_slot(to, from.keys[i]);
        ASSERT_NE(slot, SYN_SLOT_ABSENT);
        constexpr size_t kSize = kValues * SYN_CELL_SIZE;
        ASSERT_EQ(std::memcmp(to.cells + slot * kSize, from.cells + i * kSize, kSize), 0);
      }
    }
  }
  void use(const CopyShares& shares) {
    copy_ = std::make_unique<TableCopy>(table_.ref(), device_, shares);
  }

  std::mt19937_64 random_{5};
  state::FingerprintTable table_{kValues, kLanes};
  std::vector<uint64_t> keys_[kLanes];
  Behaviour behaviour_;
  HostDevice device_{behaviour_};
  Graveyard graveyard_;
  HostSlot slot_{behaviour_};
  std::unique_ptr<TableCopy> copy_;
};

TEST_F(TableCopyTest, ALargeTableIsCopiedInPartsWhileItMovesOn) {
  const CopyShares shares{.slots = 400};
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 10'000);
  use(shares);
  const int calls = update_until_equal(shares, 10);
  EXPECT_GT(calls, 30'000 / 400);
  EXPECT_LT(calls, 2 * 40'000 / 400);
  ASSERT_NO_FATAL_FAILURE(expect_equal());
  const int pieces = behaviour_.pieces_filled;
  for (int round = 0; round < 20; ++round) {
    ASSERT_NO_FATAL_FAILURE(change_all(20));
    ASSERT_EQ(update_until_equal(shares, 0), 1);
    ASSERT_NO_FATAL_FAILURE(expect_equal());
  }
  EXPECT_EQ(behaviour_.pieces_filled, pieces) << "from then on its log is enough";
}

// The host's lane grows past what the copy's has room for, while that is filled.
TEST_F(TableCopyTest, ATableThatGrowsFasterThanItsCopyIsCaughtUpWith) {
  const CopyShares shares{.slots = 2000};
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 5000);
  use(shares);
  EXPECT_GT(update_until_equal(shares, 400), 5);
  EXPECT_GT(behaviour_.moves, 0);
  EXPECT_GT(table_.record_count(), 20'000u);
  ASSERT_NO_FATAL_FAILURE(expect_equal());
}

TEST_F(TableCopyTest, ALaneThatGrowsIsMovedInPartsAndItsLogWaits) {
  const CopyShares shares{.moved_slots = 500};
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 4000);
  use(shares);
  ASSERT_EQ(update_until_equal(shares, 0), 1);
  const int pieces = behaviour_.pieces_filled;
  ASSERT_EQ(behaviour_.moves, 0);
  for (int round = 0; round < 6; ++round) {
    ASSERT_NO_FATAL_FAILURE(change_all(300));
    update_until_equal(shares, 5);
    ASSERT_NO_FATAL_FAILURE(expect_equal());
  }
  EXPECT_GT(behaviour_.moves, 3 * 4000 / 500);
  EXPECT_EQ(behaviour_.pieces_filled, pieces) << "by what it has itself";
}

// A copy's slots are counted by records first, and only keys that are new take any.
TEST_F(TableCopyTest, ALaneWhoseKeysOnlyChangeNeverGrows) {
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 2000);
  use({});
  ASSERT_EQ(update_until_equal({}, 0), 1);
  const int laid_out = behaviour_.lanes_laid_out;
  for (int round = 0; round < 100; ++round) {
    for (uint16_t lane = 0; lane < kLanes; ++lane) {
      std::string delta;
      for (int i = 0; i < 50; ++i) {
        const uint64_t key = keys_[lane][random_() % keys_[lane].size()];
        delta += record(SYN_DELTA_CHANGE, key) + '\x01' + random_cells(1);
      }
      ASSERT_TRUE(table_.apply(lane, delta).has_value());
    }
    ASSERT_EQ(update_until_equal({}, 0), 1);
  }
  ASSERT_NO_FATAL_FAILURE(expect_equal());
  EXPECT_EQ(behaviour_.lanes_laid_out, laid_out);
  EXPECT_EQ(behaviour_.moves, 0);
}

// The log of a lane reaches back no further than to what came after its copy was begun.
TEST_F(TableCopyTest, ALaneWhoseLogIsLostHalfWayIsBegunAnew) {
  const CopyShares shares{.slots = 3000};
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 6000);
  use(shares);
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(copy_->update(table_.ref(), slot_).has_value());
    graveyard_.clear();
  }
  const uint64_t end = table_.ref().lanes[0].log->end;
  while (table_.ref().lanes[0].log->first <= end) change(0, 1000);
  ASSERT_LE(table_.ref().lanes[0].log->bytes.size(), kLogSizeMax);
  update_until_equal(shares, 10);
  ASSERT_NO_FATAL_FAILURE(expect_equal());
}

TEST_F(TableCopyTest, ALaneThatIsClearedHalfWayIsEmptyAndMayBeFilledAgain) {
  const CopyShares shares{.slots = 3000};
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 6000);
  use(shares);
  for (int i = 0; i < 4; ++i) {
    ASSERT_FALSE(copy_->update(table_.ref(), slot_).has_value());
    graveyard_.clear();
  }
  for (uint16_t lane = 0; lane < 2; ++lane) {
    table_.clear(lane);
    keys_[lane].clear();
  }
  add(1, 100);
  update_until_equal(shares, 0);
  ASSERT_NO_FATAL_FAILURE(expect_equal());
}

// Nothing is copied of a table before all of it has its room.
TEST_F(TableCopyTest, ATableThatDoesNotFitCostsNoCopies) {
  for (uint16_t lane = 0; lane < kLanes; ++lane) add(lane, 3000);
  use({});
  behaviour_.memory_left = 2 * 3000 * 25;
  const auto full = copy_->update(table_.ref(), slot_);
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(copy_->memory().shortage(), TableMemory::Shortage::kFull);
  EXPECT_EQ(behaviour_.pieces_filled, 0);
  copy_->give_up(slot_);
  ASSERT_TRUE(slot_.wait().has_value());
  graveyard_.clear();
  EXPECT_EQ(behaviour_.memory_left, 2 * 3000u * 25) << "what it took is back";
}

}  // namespace
}  // namespace syncline::device
