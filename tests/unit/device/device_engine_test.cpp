// The engine of a device, on one that the host plays: held against the reference, and told to hang,
// to fail and to run out of memory.
#include "kernels/device/device_engine.hpp"

#include <chrono>
#include <random>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

#include "host/state/fingerprint_table.hpp"
#include "kernels/contract/reference.hpp"
#include "kernels/cpu/cpu_engine.hpp"
#include "kernels/device/ring.hpp"
#include "tests/conformance/random_batch.hpp"
#include "tests/unit/device/host_device.hpp"

namespace syncline::device {
namespace {

using conformance::BatchShape;
using conformance::random_batch;
using conformance::RawBatch;
using testing::HasSubstr;

constexpr int64_t kLimitUs = 20'000;
constexpr BatchShape kShape{.row_count = 200, .value_count = 5, .lane_count = 3, .key_space = 500};

// A table that moves on, beside the reference's.
struct Tracked {
  state::FingerprintTable table{kShape.value_count, kShape.lane_count};
  contract::ReferenceTable truth{kShape.value_count, kShape.lane_count};
};

class DeviceEngineTest : public testing::Test {
 protected:
  Result<void> fingerprint() { return engine_->fingerprint(view(), secret_, fingerprints_); }
  Result<void> detect(Tracked& tracked) {
    SYN_TRY(fingerprint());
    return engine_->detect(view(), fingerprints_, tracked.table.ref(), detected_);
  }
  // One more random batch is judged as the reference does, and applied.
  void expect_right(Tracked& tracked) {
    batch_ = random_batch(kShape, random_);
    const auto done = detect(tracked);
    ASSERT_TRUE(done.has_value()) << to_string(done.error());
    const auto truth = contract::reference_fingerprint(view(), secret_.data());
    ASSERT_EQ(fingerprints_.cells, truth.cells);
    ASSERT_EQ(detected_.delta.lanes, tracked.truth.detect(view(), truth, false).deltas);
    apply(tracked);
  }
  void apply(Tracked& tracked) {
    for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
      ASSERT_TRUE(tracked.table.apply(lane, detected_.delta.lanes[lane]).has_value());
      tracked.truth.apply(lane, detected_.delta.lanes[lane]);
    }
  }
  // A table that no device has met, with a batch's rows.
  void fill(Tracked& tracked) {
    const auto cpu = cpu::make_cpu_engine();
    batch_ = random_batch(kShape, random_);
    ASSERT_TRUE(cpu->fingerprint(view(), secret_, fingerprints_).has_value());
    ASSERT_TRUE(cpu->detect(view(), fingerprints_, tracked.table.ref(), detected_).has_value());
    apply(tracked);
  }
  syn_batch view() { return batch_.view(); }

  std::mt19937_64 random_{7};
  RawBatch batch_ = random_batch(kShape, random_);
  engine::Secret secret_{};
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
  Behaviour behaviour_;
  std::unique_ptr<engine::Engine> engine_ =
      make_device_engine(std::make_unique<HostDevice>(behaviour_), kLimitUs);
};

TEST_F(DeviceEngineTest, FollowsATableByItsLogWithoutCopyingLanesAgain) {
  Tracked tracked;
  for (int round = 0; round < 24; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  EXPECT_EQ(behaviour_.pieces_filled, 0) << "it was empty when it was met";
  EXPECT_GT(behaviour_.records_applied, 1000);
}

TEST_F(DeviceEngineTest, ASmallBatchCrossesInOneCopyAStage) {
  Tracked tracked;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  ASSERT_TRUE(fingerprint().has_value());
  ASSERT_TRUE(engine_->detect(view(), fingerprints_, tracked.table.ref(), detected_).has_value());
  behaviour_.copies_in = 0;
  ASSERT_TRUE(fingerprint().has_value());
  EXPECT_EQ(behaviour_.copies_in, 1);
  ASSERT_TRUE(engine_->detect(view(), fingerprints_, tracked.table.ref(), detected_).has_value());
  EXPECT_EQ(behaviour_.copies_in, 2);
}

// Whether they go as one or piece by piece, from just below a mebibyte to beyond it.
TEST_F(DeviceEngineTest, BatchesAroundTheLargestThatGoAsOneAreTheSame) {
  BatchShape shape = kShape;
  shape.length_max = 2'000;
  int one = 0;
  int many = 0;
  for (uint32_t row_count = 150; row_count < 420; row_count += 30) {
    shape.row_count = row_count;
    batch_ = random_batch(shape, random_);
    behaviour_.copies_in = 0;
    ASSERT_TRUE(fingerprint().has_value());
    (behaviour_.copies_in == 1 ? one : many) += 1;
    const auto truth = contract::reference_fingerprint(view(), secret_.data());
    ASSERT_EQ(fingerprints_.cells, truth.cells) << row_count << " rows";
  }
  EXPECT_GT(one, 1);
  EXPECT_GT(many, 1);
}

TEST_F(DeviceEngineTest, ADeviceThatHangsIsGivenUpAtTheDeadlineAndThenRefusedAtOnce) {
  behaviour_.is_hanging = true;
  const auto first = fingerprint();
  ASSERT_FALSE(first.has_value());
  EXPECT_EQ(first.error().code, ErrorCode::kEngine);
  EXPECT_THAT(first.error().what, HasSubstr("has not finished"));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    const auto again = fingerprint();
    ASSERT_FALSE(again.has_value());
    EXPECT_THAT(again.error().what, HasSubstr("still works on a batch"));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::microseconds(20 * kLimitUs));
  behaviour_.is_hanging = false;
}

TEST_F(DeviceEngineTest, ADeviceThatComesBackIsUsedAgain) {
  Tracked tracked;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  ASSERT_TRUE(fingerprint().has_value());
  behaviour_.is_hanging = true;
  ASSERT_FALSE(engine_->detect(view(), fingerprints_, tracked.table.ref(), detected_).has_value());
  behaviour_.is_hanging = false;
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
}

TEST_F(DeviceEngineTest, ACopyThatWasBeingMadeWhenItHungIsMadeAgain) {
  Tracked tracked;
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  Tracked other;
  std::swap(other, tracked);  // whose table the device has met, and one that it has not
  ASSERT_TRUE(fingerprint().has_value());
  behaviour_.is_hanging = true;
  ASSERT_FALSE(engine_->detect(view(), fingerprints_, other.table.ref(), detected_).has_value());
  behaviour_.is_hanging = false;
  ASSERT_NO_FATAL_FAILURE(expect_right(other));
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
}

// What such a device holds is not given back, which a leak checker is told.
TEST_F(DeviceEngineTest, AnEngineMayEndWhileItsDeviceHangs) {
#ifdef __SANITIZE_ADDRESS__
  const __lsan::ScopedDisabler disabler;
  engine_ = make_device_engine(std::make_unique<HostDevice>(behaviour_), kLimitUs);
#endif
  behaviour_.is_hanging = true;
  ASSERT_FALSE(fingerprint().has_value());
  engine_ = nullptr;
  behaviour_.is_hanging = false;
}

TEST_F(DeviceEngineTest, ADeviceThatDoesNotStartIsAskedAgainNextTime) {
  behaviour_.is_start_failing = true;
  const auto refused = fingerprint();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "host: it does not start");
  behaviour_.is_start_failing = false;
  EXPECT_TRUE(fingerprint().has_value());
}

TEST_F(DeviceEngineTest, ABatchThatFailsOnTheDeviceIsAnErrorAndTheNextOneIsNot) {
  Tracked tracked;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  behaviour_.is_run_failing = true;
  EXPECT_FALSE(detect(tracked).has_value());
  behaviour_.is_run_failing = false;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
}

// All of them are at work, which says nothing of the device.
TEST_F(DeviceEngineTest, WhereNoSlotComesFreeTheEngineIsNotReady) {
  Ring ring(kLimitUs);
  HostDevice device(behaviour_);
  ASSERT_TRUE(ring.start(device).has_value());
  std::vector<Ring::Lease> leases;
  for (size_t i = 0; i < Ring::kSlotCount; ++i) leases.push_back(ring.acquire(0).value());
  const auto refused = ring.acquire(0);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngineNotReady);
}

// An error that only a new start ends; whatever it had before is gone.
TEST_F(DeviceEngineTest, ADeviceWhoseContextIsLostIsStartedAnew) {
  Tracked tracked;
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  behaviour_.is_context_lost = true;
  const auto failed = detect(tracked);
  ASSERT_FALSE(failed.has_value());
  EXPECT_EQ(failed.error().code, ErrorCode::kEngine);
  behaviour_.pieces_filled = 0;
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  EXPECT_GT(behaviour_.pieces_filled, 0) << "its copies are made again";
}

// The driver ends a hung command by an error, after it was given up.
TEST_F(DeviceEngineTest, ADeviceThatHangsAndThenLosesItsContextIsStartedAnew) {
  Tracked tracked;
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  behaviour_.is_hanging = true;
  ASSERT_FALSE(detect(tracked).has_value());
  behaviour_.is_context_lost = true;
  behaviour_.is_hanging = false;
  (void)detect(tracked);
  for (int round = 0; round < 3; ++round) ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
}

// Several threads are on the device when its context is lost: the last one back starts it anew.
TEST_F(DeviceEngineTest, ALostContextIsStartedAnewOnlyWhenNobodyIsOnTheDevice) {
  std::atomic<int> done = 0;
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    Tracked own;
    engine::Fingerprints fingerprints;
    engine::Detected detected;
    for (int round = 0; round < 30; ++round) {
      RawBatch batch = random_batch(kShape, random);
      if (seed == 0 && round % 10 == 5) behaviour_.is_context_lost = true;
      for (;;) {
        const auto made = engine_->fingerprint(batch.view(), secret_, fingerprints);
        if (made.has_value() &&
            engine_->detect(batch.view(), fingerprints, own.table.ref(), detected).has_value()) {
          break;
        }
        std::this_thread::yield();
      }
      const auto truth = contract::reference_fingerprint(batch.view(), secret_.data());
      ASSERT_EQ(detected.delta.lanes, own.truth.detect(batch.view(), truth, false).deltas);
      for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
        ASSERT_TRUE(own.table.apply(lane, detected.delta.lanes[lane]).has_value());
        own.truth.apply(lane, detected.delta.lanes[lane]);
      }
    }
    ++done;
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 6; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 6);
  EXPECT_LE(behaviour_.starts, 1 + 3) << "once for each loss";
}

TEST_F(DeviceEngineTest, TablesThatNobodyUsesMakeRoom) {
  std::vector<Tracked> tables(4);
  for (int round = 0; round < 2; ++round) {
    for (Tracked& one : tables) ASSERT_NO_FATAL_FAILURE(expect_right(one));
  }
  behaviour_.memory_left = 0;
  Tracked fresh;
  fill(fresh);
  int asks = 1;
  while (!detect(fresh).has_value() && asks < 200) ++asks;
  EXPECT_GT(asks, 8);
  EXPECT_LT(asks, 50);
  ASSERT_NO_FATAL_FAILURE(expect_right(fresh));
}

// More of them than there is room for: some are the device's, the others' batches are not.
TEST_F(DeviceEngineTest, TablesInUseByTurnsDoNotDriveEachOtherOut) {
  std::vector<Tracked> tables(4);
  for (Tracked& one : tables) fill(one);
  behaviour_.memory_left = 25'000;
  int done = 0;
  for (int round = 0; round < 300; ++round) {
    for (Tracked& one : tables) {
      const auto judged = detect(one);
      if (judged.has_value()) {
        ++done;
      } else {
        ASSERT_EQ(judged.error().code, ErrorCode::kEngineNotReady);
      }
    }
  }
  EXPECT_GT(done, 300) << "one at least is there for good";
  EXPECT_LT(done, 4 * 300) << "or all had room";
  EXPECT_LE(behaviour_.slots_filled, 4 * 600u) << "each was copied once at most";
}

TEST_F(DeviceEngineTest, ATableThatTheDeviceCannotHoldIsNoFaultAndOthersStay) {
  Tracked tracked;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  Tracked larger;
  behaviour_.memory_size = 60'000;
  batch_ = random_batch(
      {.row_count = 8000, .value_count = 5, .lane_count = 3, .key_space = 1u << 30}, random_);
  ASSERT_TRUE(fingerprint().has_value());
  ASSERT_TRUE(engine_->detect(view(), fingerprints_, larger.table.ref(), detected_).has_value());
  apply(larger);
  behaviour_.lanes_laid_out = 0;
  behaviour_.pieces_filled = 0;
  for (int i = 0; i < 500; ++i) {
    const auto refused = engine_->detect(view(), fingerprints_, larger.table.ref(), detected_);
    ASSERT_FALSE(refused.has_value());
    ASSERT_EQ(refused.error().code, ErrorCode::kEngineNotReady);
  }
  EXPECT_LT(behaviour_.lanes_laid_out, 20) << "it is tried now and then";
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  EXPECT_EQ(behaviour_.pieces_filled, 0) << "nothing was copied, and nobody had to make room";
  behaviour_.memory_size = SIZE_MAX;
  int asks = 1;
  while (asks < 100 &&
         !engine_->detect(view(), fingerprints_, larger.table.ref(), detected_).has_value()) {
    ++asks;
  }
  EXPECT_LE(asks, 64);
  ASSERT_NO_FATAL_FAILURE(expect_right(larger));
}

// The device has nothing of a large table at first; what it says of the batches that it takes is
// right, and the others are the CPU's meanwhile.
TEST_F(DeviceEngineTest, ALargeTableIsTheCpusUntilItsCopyIsThere) {
  const auto cpu = cpu::make_cpu_engine();
  state::FingerprintTable large(kShape.value_count, kShape.lane_count);
  const auto judge_by_cpu = [&] {
    batch_ = random_batch(kShape, random_);
    ASSERT_TRUE(cpu->fingerprint(view(), secret_, fingerprints_).has_value());
    ASSERT_TRUE(cpu->detect(view(), fingerprints_, large.ref(), detected_).has_value());
  };
  const auto take_over = [&] {
    for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
      ASSERT_TRUE(large.apply(lane, detected_.delta.lanes[lane]).has_value());
    }
  };
  for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
    std::string delta;
    for (int i = 0; i < 200'000; ++i) {
      const uint64_t key = random_();
      delta += static_cast<char>(SYN_DELTA_PUT);
      delta.append(reinterpret_cast<const char*>(&key), sizeof key);
      delta.append(size_t{kShape.value_count} * SYN_CELL_SIZE, 'x');
    }
    ASSERT_TRUE(large.apply(lane, delta).has_value());
  }
  int late = 0;
  for (int round = 0; round < 10; ++round) {
    ASSERT_NO_FATAL_FAILURE(judge_by_cpu());
    engine::Detected ours;
    const auto judged = engine_->detect(view(), fingerprints_, large.ref(), ours);
    if (judged.has_value()) {
      ASSERT_EQ(ours.delta.lanes, detected_.delta.lanes);
    } else {
      ASSERT_EQ(judged.error().code, ErrorCode::kEngineNotReady);
      ++late;
    }
    ASSERT_NO_FATAL_FAILURE(take_over());
  }
  EXPECT_GT(late, 0);
  EXPECT_LT(late, 8);
}

// More threads than slots, each with a table of its own; half-way the device hangs for all of them.
TEST_F(DeviceEngineTest, ThreadsShareTheDeviceAndItsTroubles) {
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    Tracked own;
    engine::Fingerprints fingerprints;
    engine::Detected detected;
    for (int round = 0; round < 20; ++round) {
      RawBatch batch = random_batch(kShape, random);
      const auto judge = [&]() -> Result<void> {
        SYN_TRY(engine_->fingerprint(batch.view(), secret_, fingerprints));
        return engine_->detect(batch.view(), fingerprints, own.table.ref(), detected);
      };
      if (seed == 0 && round == 10) {
        behaviour_.is_hanging = true;
        EXPECT_FALSE(judge().has_value());
        behaviour_.is_hanging = false;
      }
      while (!judge().has_value()) std::this_thread::yield();
      const auto truth = contract::reference_fingerprint(batch.view(), secret_.data());
      ASSERT_EQ(detected.delta.lanes, own.truth.detect(batch.view(), truth, false).deltas);
      for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
        ASSERT_TRUE(own.table.apply(lane, detected.delta.lanes[lane]).has_value());
        own.truth.apply(lane, detected.delta.lanes[lane]);
      }
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 6; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
}

// A key whose bits a copy uses for itself, so that the host has to judge its batch.
TEST_F(DeviceEngineTest, AReservedKeyIsJudgedOnTheHost) {
  RawBatch batch(1);
  batch.add_row(SYN_OP_UPDATE, 0, "k", {{0, "a"}});
  engine::Fingerprints made;
  made.keys = {{SYN_KEY_REMOVED, 0}};
  made.cells = {77};
  state::FingerprintTable table(1, 1);
  for (const auto wanted : {engine::Verdict::kNew, engine::Verdict::kSame}) {
    ASSERT_TRUE(engine_->detect(batch.view(), made, table.ref(), detected_).has_value());
    EXPECT_EQ(detected_.verdicts[0], wanted);
    ASSERT_TRUE(table.apply(0, detected_.delta.lanes[0]).has_value());
  }
}

// Whoever waits for a table's copy while somebody else finds that the device hangs does not try it
// once more: all are back within about one limit.
TEST_F(DeviceEngineTest, ThreadsThatQueueForATableWaitOnceForADeviceThatHangs) {
  constexpr int64_t kLongUs = 300'000;
  engine_ = make_device_engine(std::make_unique<HostDevice>(behaviour_), kLongUs);
  Tracked tracked;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
  ASSERT_TRUE(fingerprint().has_value());
  behaviour_.is_hanging = true;
  const auto start = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (size_t i = 0; i < Ring::kSlotCount; ++i) {
    threads.emplace_back([&] {
      engine::Detected detected;
      const auto judged = engine_->detect(view(), fingerprints_, tracked.table.ref(), detected);
      ASSERT_FALSE(judged.has_value());
      EXPECT_EQ(judged.error().code, ErrorCode::kEngine);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_LT(took, std::chrono::microseconds(2 * kLongUs));
  behaviour_.is_hanging = false;
  ASSERT_NO_FATAL_FAILURE(expect_right(tracked));
}

// Half of a lane's copy is on its way when the device hangs; whoever comes next finds it so, and
// nothing of it is given back before it has ended (HostDevice sees to that).
TEST_F(DeviceEngineTest, NothingIsGivenBackBesideACommandThatHangs) {
  Tracked loaded;
  Tracked other;
  ASSERT_NO_FATAL_FAILURE(expect_right(other));
  fill(loaded);
  behaviour_.is_hanging = true;
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(engine_->detect(view(), fingerprints_, loaded.table.ref(), detected_).has_value());
    ASSERT_FALSE(engine_->detect(view(), fingerprints_, other.table.ref(), detected_).has_value());
  }
  behaviour_.is_hanging = false;
  ASSERT_NO_FATAL_FAILURE(expect_right(loaded));
  ASSERT_NO_FATAL_FAILURE(expect_right(other));
}

TEST(WaitTimesTest, FollowWhatWasMeasured) {
  constexpr int64_t kMaxUs = 10'000'000;
  WaitTimes times(kMaxUs);
  EXPECT_EQ(times.limit_us(Work::kDetect, 1000), kMaxUs) << "nothing is known";
  times.note(Work::kDetect, 1000, 50'000);
  EXPECT_EQ(times.limit_us(Work::kDetect, 1000), 1'000'000);
  EXPECT_EQ(times.limit_us(Work::kDetect, 10), 1'000'000) << "as of the next larger one";
  EXPECT_EQ(times.limit_us(Work::kDetect, 4000), 4'000'000) << "in proportion";
  EXPECT_EQ(times.limit_us(Work::kDetect, 1 << 30), kMaxUs);
  EXPECT_EQ(times.limit_us(Work::kApply, 1000), kMaxUs) << "of another kind";
  for (int i = 0; i < 100; ++i) times.note(Work::kDetect, 1000, 10);
  EXPECT_EQ(times.limit_us(Work::kDetect, 1000), WaitTimes::kLimitMinUs) << "never less";
}

}  // namespace
}  // namespace syncline::device
