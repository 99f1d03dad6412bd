// The CUDA engine's host code where the card hangs or its context is lost, and where it takes the
// caller's own memory.
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/slot.hpp"
#include "kernels/cuda/table_memory.hpp"
#include "kernels/device/device_engine.hpp"
#include "kernels/device/table_copy.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/cuda/judge.hpp"
#include "tests/unit/cuda/played_card.hpp"

namespace syncline::cuda {
namespace {

constexpr int64_t kLimitUs = 20'000;

// The card with a deadline that a test can wait for.
class HastyDevice final : public device::Device {
 public:
  engine::Description describe() const override {
    engine::Description description;
    description.name = "cuda";
    return description;
  }
  uint8_t engine() const override { return SYN_ENGINE_CUDA; }
  Result<void> start() override { return success(); }
  std::unique_ptr<device::Slot> make_slot() override { return std::make_unique<CudaSlot>(); }
  std::unique_ptr<device::TableMemory> make_table_memory(size_t lane_count,
                                                         uint32_t value_count) override {
    return std::make_unique<CudaTableMemory>(lane_count, value_count);
  }
};

class CardFaults : public testing::Test {
 protected:
  ~CardFaults() override {
    card_.go_on();
    engine_ = nullptr;
    card_.reset();
  }

  PlayedCard& card_ = PlayedCard::get();
  std::unique_ptr<engine::Engine> engine_ =
      device::make_device_engine(std::make_unique<HastyDevice>(), kLimitUs);
  Judge<engine::Engine> judge_{*engine_};
  Tracked tracked_;
};

// The engine resets the card by itself where nobody else in the process has memory there: so this
// comes before the test that leaves some behind.
TEST_F(CardFaults, AnErrorThatEndsTheContextIsOneFailedBatchOfTheOnlyEngine) {
  const auto engine = std::move(make_cuda_engine({.trips = Trips::kByCommand}).value());
  Judge judge(*engine);
  for (const Call call : {Call::kQuery, Call::kLaunch, Call::kCopy}) {
    for (int round = 0; round < 3; ++round) {
      judge.next_batch(200);
      ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked_));
    }
    card_.fail(call, 1, cudaErrorIllegalAddress);
    const auto failed = judge.judge(tracked_);
    ASSERT_FALSE(failed.has_value());
    expect_engine_error(failed.error());
  }
  judge.next_batch(200);
  ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked_));
}

// Its graphs are gone with it.
TEST_F(CardFaults, AContextThatEndsWithAGraphIsOneFailedBatchToo) {
  const auto engine = std::move(make_cuda_engine().value());
  Judge judge(*engine);
  for (int trouble = 0; trouble < 2; ++trouble) {
    for (int round = 0; round < 6; ++round) {
      judge.next_batch(200);
      ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked_));
    }
    card_.fail(Call::kLaunchGraph, 0, cudaErrorIllegalAddress);
    const auto failed = judge.judge(tracked_);
    ASSERT_FALSE(failed.has_value());
    expect_engine_error(failed.error());
  }
  judge.next_batch(200);
  ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked_));
}

TEST_F(CardFaults, ACardThatHangsIsGivenUpAndIsRightWhenItComesBack) {
  judge_.next_batch(50);
  ASSERT_NO_FATAL_FAILURE(judge_.expect_right(tracked_));
  for (const uint32_t row_count : {50u, 4000u}) {
    judge_.next_batch(row_count);
    card_.hang();
    for (int i = 0; i < 2; ++i) {
      const auto given_up = judge_.judge(tracked_);
      ASSERT_FALSE(given_up.has_value());
      expect_engine_error(given_up.error());
    }
    card_.go_on();
    // Commands that were given up take a moment, as always: it is asked for them once more.
    EXPECT_FALSE(judge_.judge(tracked_).has_value());
    ASSERT_NO_FATAL_FAILURE(judge_.expect_right(tracked_));
  }
}

// What its commands may still write is left to the end of the process.
TEST_F(CardFaults, AnEngineThatEndsWhileItsCardHangsGivesNothingBack) {
  judge_.next_batch(50);
  ASSERT_NO_FATAL_FAILURE(judge_.expect_right(tracked_));
  const size_t held = card_.allocation_count();
  card_.hang();
  ASSERT_FALSE(judge_.judge(tracked_).has_value());
  engine_ = nullptr;
  EXPECT_EQ(card_.allocation_count(), held);
}

TEST_F(CardFaults, AnErrorThatEndsTheContextIsTheEnginesUntilTheCardIsReset) {
  judge_.next_batch(50);
  ASSERT_NO_FATAL_FAILURE(judge_.expect_right(tracked_));
  card_.fail(Call::kQuery, 1, cudaErrorIllegalAddress);
  const auto failed = judge_.judge(tracked_);
  ASSERT_FALSE(failed.has_value());
  expect_engine_error(failed.error());
  const auto again = std::move(make_cuda_engine().value());
  Judge other(*again);
  other.next_batch(50);
  const auto refused = other.judge(tracked_);
  ASSERT_FALSE(refused.has_value());
  expect_engine_error(refused.error());
  engine_ = nullptr;
  card_.reset();
  ASSERT_NO_FATAL_FAILURE(other.expect_right(tracked_));
}

// Wherever the card has none left: it is one batch of another engine, and never more than that.
TEST_F(CardFaults, ACardWithoutMemoryIsAskedAgain) {
  int refused_count = 0;
  for (int behind = 0; behind < 12; ++behind) {
    const auto engine = std::move(make_cuda_engine().value());
    Judge judge(*engine);
    Tracked tracked;
    card_.fail(Call::kAllocate, behind, cudaErrorMemoryAllocation);
    for (int round = 0; round < 4; ++round) {
      judge.next_batch(300);
      const auto judged = judge.judge(tracked);
      if (!judged.has_value()) ++refused_count;
      ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked));
    }
  }
  EXPECT_GE(refused_count, 6);
  EXPECT_LE(refused_count, 12);
  card_.fail(Call::kAllocate, -1, cudaSuccess);
}

// Tables take what there is, and slots come later, with batches and blocks that are larger than any
// before: that is no fault, and a table makes room.
TEST_F(CardFaults, ACardFilledByTablesHasRoomForItsSlots) {
  const std::string large = bodies::noise_of(4 << 20, 1, 6);
  const std::vector<engine::ColumnView> columns = {{0, 0, large}};
  const auto engine = std::move(make_cuda_engine().value());
  Judge judge(*engine);
  ASSERT_TRUE(engine->seal(std::vector<engine::ColumnView>{{0, 0, "small"}}, {}, "").has_value());
  for (int round = 0; round < 5; ++round) {
    judge.next_batch(4000);
    ASSERT_NO_FATAL_FAILURE(judge.expect_right(tracked_));
  }
  const int streams = card_.call_count(Call::kStream);
  card_.memory_size = card_.memory_held() + (1 << 20);
  const auto refused = engine->seal(columns, {}, "block");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineNotReady) << to_string(refused.error());
  card_.memory_size = card_.memory_held() + (24 << 20);
  for (int round = 0; round < 30; ++round) {
    judge.next_batch(4000);
    const auto judged = judge.judge(tracked_);
    if (judged.has_value()) {
      ASSERT_NO_FATAL_FAILURE(judge.expect_judged_right(tracked_));
    } else {
      EXPECT_EQ(judged.error().code, ErrorCode::kEngineNotReady) << to_string(judged.error());
    }
    EXPECT_TRUE(engine->seal(columns, {}, "block").has_value()) << "what a slot has it keeps";
  }
  EXPECT_EQ(card_.call_count(Call::kStream), streams) << "it was started anew";
  card_.memory_size = size_t{1} << 40;
}

TEST_F(CardFaults, ATableLeavesAnEighthOfTheMemoryToSlots) {
  constexpr uint64_t kLinesAll = (1 << 20) / (SYN_SLOTS_PER_LINE * (8 + SYN_CELL_SIZE));
  CudaSlot slot;
  slot.wait_limit_us = kLimitUs;
  ASSERT_TRUE(slot.start().has_value());
  CudaTableMemory memory(1, 1);
  ASSERT_TRUE(memory.prepare(0, slot).has_value());
  card_.memory_size = card_.memory_held() + (1 << 20);
  EXPECT_FALSE(memory.lay_out(0, kLinesAll * 9 / 10, slot).has_value());
  EXPECT_EQ(memory.shortage(), device::TableMemory::Shortage::kFull);
  EXPECT_TRUE(memory.lay_out(0, kLinesAll * 8 / 10, slot).has_value());
  EXPECT_EQ(memory.shortage(), device::TableMemory::Shortage::kNone);
  EXPECT_TRUE(slot.wait().has_value());
  card_.memory_size = size_t{1} << 40;
}

// What the suite of all engines asks of the host's table: here the card's own layout is looked at.
TEST_F(CardFaults, ACopyIsFilledUpAndGrowsOnTheCard) {
  card_.take_lane();
  for (int round = 0; round < 60; ++round) {
    judge_.next_batch(300);
    ASSERT_NO_FATAL_FAILURE(judge_.expect_right(tracked_));
  }
  const PlayedCard::Lane lane = card_.take_lane();
  EXPECT_GE(lane.load_max, 0.875);
  EXPECT_LE(lane.load_max, 0.9375) << "a sixteenth stays empty, so that searches are short";
  EXPECT_GE(lane.growth_count, 5);
}

// The next batch on a copy that is under way may be another slot's, whose commands nothing keeps
// behind the first one's: what was begun is waited for. Two lanes grow here, and what a call may
// move is used up by the first one.
TEST_F(CardFaults, WhatACopyBeganIsDoneBeforeAnotherSlotHasIt) {
  state::FingerprintTable table(1, 2);
  uint64_t key = 1;
  const auto add = [&](int count) {
    std::string delta;
    for (int i = 0; i < count; ++i) {
      key = key * 6364136223846793005 + 1442695040888963407;
      delta += static_cast<char>(SYN_DELTA_PUT);
      delta.append(reinterpret_cast<const char*>(&key), sizeof key).append(SYN_CELL_SIZE, 'x');
    }
    for (const model::LaneIndex lane : {0, 1}) ASSERT_TRUE(table.apply(lane, delta).has_value());
  };
  device::Graveyard graveyard;
  HastyDevice device;
  CudaSlot one;
  CudaSlot other;
  for (CudaSlot* slot : {&one, &other}) {
    slot->wait_limit_us = kLimitUs;
    slot->graveyard = &graveyard;
    ASSERT_TRUE(slot->start().has_value());
  }
  {
    device::TableCopy copy(table.ref(), device, {.moved_slots = 64});
    add(500);
    ASSERT_TRUE(copy.update(table.ref(), other).has_value());
    add(1500);
    ASSERT_FALSE(copy.update(table.ref(), one).has_value());
    EXPECT_TRUE(card_.is_idle(one.stream()));
    for (int i = 0; i < 100 && !copy.update(table.ref(), other).has_value(); ++i) continue;
    ASSERT_TRUE(one.wait().has_value());
    for (const size_t lane : {0, 1}) {
      EXPECT_EQ(copy.memory().used_count(lane, other).value(), 2000u) << "lane " << lane;
    }
  }
  graveyard.clear();
}

// A batch whose arrays are all in this memory, one behind the other.
class BatchIn {
 public:
  BatchIn(uint8_t* memory, const syn_batch& from) : view(from), next_(memory) {
    const size_t cells = size_t{from.row_count} * from.field_count;
    view.key_offset = take(from.key_offset, from.row_count);
    view.key_length = take(from.key_length, from.row_count);
    view.cell_offset = take(from.cell_offset, cells);
    view.cell_length = take(from.cell_length, cells);
    view.arena = take(from.arena, from.arena_size);
    view.op = take(from.op, from.row_count);
    view.lane = take(from.lane, from.row_count);
  }
  syn_batch view;

 private:
  template <class T>
  const T* take(const T* from, size_t count) {
    auto* const to = reinterpret_cast<T*>(next_);
    std::memcpy(to, from, count * sizeof(T));
    next_ += (count * sizeof(T) + 15) / 16 * 16;
    return to;
  }
  uint8_t* next_;
};

// From 256 KiB on, which only some of the arrays have.
TEST_F(CardFaults, LargeArraysInPinnedMemoryGoToTheCardFromWhereTheyAre) {
  constexpr size_t kSize = 8 << 20;
  std::mt19937_64 random(3);
  conformance::RawBatch batch =
      conformance::random_batch({.row_count = 15'000, .value_count = 8, .length_max = 80}, random);
  const auto truth = contract::reference_fingerprint(batch.view(), engine::Secret{}.data());
  void* pinned = nullptr;
  ASSERT_EQ(cudaMallocHost(&pinned, kSize), cudaSuccess);
  std::vector<uint8_t> ordinary(kSize);
  for (uint8_t* const memory : {static_cast<uint8_t*>(pinned), ordinary.data()}) {
    const BatchIn placed(memory, batch.view());
    engine::Fingerprints out;
    ASSERT_TRUE(engine_->fingerprint(placed.view, engine::Secret{}, out).has_value());
    EXPECT_EQ(out.cells, truth.cells);
  }
  EXPECT_EQ(card_.copies_from(pinned), 3u) << "of cells: places, lengths; and the arena";
  EXPECT_EQ(cudaFreeHost(pinned), cudaSuccess);
}

}  // namespace
}  // namespace syncline::cuda
