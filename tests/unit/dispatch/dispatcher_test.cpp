// The dispatcher's decisions, with engines that cost and fail as a test says, beside the CPU's
// name.
#include "host/dispatch/dispatcher.hpp"

#include <functional>
#include <limits>
#include <string>
#include <thread>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::dispatch {
namespace {

using engine::Stage;

struct HandClock final : Clock {
  int64_t now_us() override { return time_us; }
  int64_t steady_us() override {
    ++looks;
    return time_us;
  }
  std::atomic<int64_t> time_us = 1'000'000;
  std::atomic<int> looks = 0;
};

// Takes fixed + bytes / rate of the clock, and fails while it is told to.
struct Behaviour {
  double fixed_us = 10;
  double us_per_byte = 0.001;
  std::atomic<int> calls = 0;
  std::atomic<bool> is_failing = false;
  std::atomic<bool> is_stage_failing[engine::kStageCount] = {};
  double failing_from_bytes = std::numeric_limits<double>::infinity();
  int failing_from_call = std::numeric_limits<int>::max();
  int failing_calls = 0;  // of the next ones
  ErrorCode code = ErrorCode::kEngine;
  bool has_open = true;
  bool is_only_forced = false;
  std::function<double(int call)> interruption_us;  // on top of it
  double once_us[engine::kStageCount] = {};         // and on top of a stage's first call
};

class TestEngine final : public engine::Engine {
 public:
  TestEngine(std::string name, Behaviour& behaviour, HandClock& clock)
      : name_(std::move(name)), behaviour_(behaviour), clock_(clock) {}

  engine::Description describe() const override {
    engine::Description out;
    out.name = name_;
    out.is_only_forced = behaviour_.is_only_forced;
    if (behaviour_.calls > 0) out.variants = "measured";
    for (bool& has : out.has_stage) has = true;
    out.has_stage[static_cast<size_t>(Stage::kOpen)] = behaviour_.has_open;
    return out;
  }
  Result<void> fingerprint(const syn_batch& batch, const engine::Secret&,
                           engine::Fingerprints& out) override {
    out.keys.resize(batch.row_count);
    return work(Stage::kFingerprint, batch.arena_size);
  }
  Result<void> detect(const syn_batch& batch, const engine::Fingerprints&, const engine::TableRef&,
                      engine::Detected& out) override {
    out.verdicts.assign(batch.row_count, engine::Verdict::kNew);
    return work(Stage::kDetect, batch.arena_size);
  }
  Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns, const engine::SealKey&,
                              std::string_view) override {
    engine::Sealed sealed;
    sealed.bytes = name_;
    SYN_TRY(work(Stage::kSeal, columns.empty() ? 0 : static_cast<double>(columns[0].bytes.size())));
    return sealed;
  }
  Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed, const engine::SealKey&,
                                                std::string_view,
                                                std::array<uint8_t, 32>&) override {
    SYN_TRY(work(Stage::kOpen, static_cast<double>(sealed.size())));
    return std::vector<engine::ColumnBytes>{{1, 0, name_}};
  }

 private:
  Result<void> work(Stage stage, double bytes) {
    const int call = behaviour_.calls++;
    double us = behaviour_.fixed_us + bytes * behaviour_.us_per_byte + 0.5;
    if (behaviour_.interruption_us) us += behaviour_.interruption_us(call);
    us += std::exchange(behaviour_.once_us[static_cast<size_t>(stage)], 0);
    clock_.time_us += static_cast<int64_t>(us);
    if (behaviour_.is_failing || behaviour_.is_stage_failing[static_cast<size_t>(stage)] ||
        bytes >= behaviour_.failing_from_bytes || call >= behaviour_.failing_from_call ||
        behaviour_.failing_calls-- > 0) {
      return fail(behaviour_.code, name_ + " failed", "told to");
    }
    return success();
  }

  std::string name_;
  Behaviour& behaviour_;
  HandClock& clock_;
};

class DispatcherTest : public testing::Test {
 protected:
  void start(const std::string& forced = "auto") {
    const auto note = [this](const std::string& engine, const std::string& fault) {
      told_.push_back(engine + " " + fault);
    };
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(std::make_unique<TestEngine>("card", card_, clock_));
    engines.push_back(std::make_unique<TestEngine>("cpu", cpu_, clock_));
    auto made = Dispatcher::make(std::move(engines), forced, clock_, note);
    ASSERT_TRUE(made.has_value()) << to_string(made.error());
    dispatcher_ = std::move(made.value());
  }

  // The name of the engine that sealed a block of this size.
  std::string seal(size_t size) {
    const std::string bytes(size, 'x');
    const engine::ColumnView column{1, 0, bytes};
    auto sealed = dispatcher_->seal({&column, 1}, {}, "");
    return sealed.has_value() ? sealed.value().bytes : to_string(sealed.error());
  }

  // Likewise, of the one that opened them.
  std::string open(const std::string& sealed = "bytes") {
    std::array<uint8_t, 32> digest{};
    auto opened = dispatcher_->open(sealed, {}, "", digest);
    return opened.has_value() ? opened.value()[0].bytes : to_string(opened.error());
  }
  void fingerprint() {
    engine::Fingerprints out;
    EXPECT_TRUE(dispatcher_->fingerprint({}, {}, out).has_value());
  }

  EngineReport report(size_t index) { return dispatcher_->report()[index]; }

  HandClock clock_;
  Behaviour card_;
  Behaviour cpu_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::vector<std::string> told_;
};

constexpr size_t kFingerprintStage = static_cast<size_t>(Stage::kFingerprint);
constexpr size_t kSealStage = static_cast<size_t>(Stage::kSeal);
constexpr size_t kOpenStage = static_cast<size_t>(Stage::kOpen);

TEST_F(DispatcherTest, PriorityDecidesBeforeCalibration) {
  card_.fixed_us = 5000;
  start();
  EXPECT_EQ(seal(100), "card");
  EXPECT_EQ(seal(100), "card");
  EXPECT_EQ(cpu_.calls, 0);
}

TEST_F(DispatcherTest, AReportTellsTheVariantThatAnEngineChoseSinceItWasMade) {
  start();
  EXPECT_EQ(report(0).description.variants, "");
  seal(100);
  EXPECT_EQ(report(0).description.variants, "measured");
}

TEST_F(DispatcherTest, CalibrationFindsFixedCostAndRate) {
  card_.fixed_us = 200;
  card_.us_per_byte = 0.0005;
  start();
  dispatcher_->calibrate();
  EXPECT_NEAR(report(0).cost[kSealStage].fixed_us, 200, 4);
  EXPECT_NEAR(report(0).cost[kSealStage].bytes_per_us, 2000, 100);
  EXPECT_NEAR(report(1).cost[kSealStage].bytes_per_us, 1000, 50);
}

// On a busy machine most calls of a device wait for a core.
TEST_F(DispatcherTest, CalibrationIsNotMisledByInterruptions) {
  card_.fixed_us = 200;
  card_.us_per_byte = 0.0005;
  card_.interruption_us = [](int call) { return call % 5 < 3 ? 6000.0 : 0.0; };
  start();
  dispatcher_->calibrate();
  EXPECT_NEAR(report(0).cost[kSealStage].fixed_us, 200, 4);
  EXPECT_NEAR(report(0).cost[kSealStage].bytes_per_us, 2000, 100);
}

TEST_F(DispatcherTest, ARateThatNoCallShowsIsNotMadeUp) {
  card_.fixed_us = 200;
  card_.us_per_byte = 0;
  start();
  EXPECT_FALSE(report(0).cost[kSealStage].is_measured);
  dispatcher_->calibrate();
  EXPECT_TRUE(report(0).cost[kSealStage].is_measured);
  EXPECT_NEAR(report(0).cost[kSealStage].fixed_us, 200, 1);
  EXPECT_EQ(report(0).cost[kSealStage].bytes_per_us, 0);
}

// Small batches whose times are chance say nothing of what a byte costs.
TEST_F(DispatcherTest, ManySmallBatchesDoNotMakeALargeOneLookFree) {
  card_.us_per_byte = 0.0005;
  start("card");
  dispatcher_->calibrate();
  for (int i = 0; i < 3000; ++i) {
    card_.fixed_us = i % 2 == 0 ? 40 : 20;
    seal(i % 2 == 0 ? 800 : 1200);
  }
  const double us = dispatcher_->explain(64e6)[kSealStage].candidates[0].predicted_us;
  EXPECT_NEAR(us, 32'000, 1000);
}

TEST_F(DispatcherTest, ACardThatComesBackIsNotTakenForFreeOfBytes) {
  card_.us_per_byte = 0.0005;
  start("card");
  dispatcher_->calibrate();
  card_.is_failing = true;
  seal(100);
  card_.is_failing = false;
  clock_.time_us += 1'100'000;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(seal(100), "card");
  const double us = dispatcher_->explain(64e6)[kSealStage].candidates[0].predicted_us;
  EXPECT_NEAR(us, 32'000, 1000);
}

TEST_F(DispatcherTest, CalibrationTakesLessThanASecondHoweverSlowTheEngines) {
  for (const double fixed_us :
       {1e3, 10e3, 30e3, 50e3, 70e3, 90e3, 110e3, 150e3, 190e3, 240e3, 299e3, 400e3}) {
    card_.fixed_us = fixed_us;
    start();
    const int64_t before_us = clock_.time_us;
    dispatcher_->calibrate();
    EXPECT_LT(clock_.time_us - before_us, 1'000'000) << fixed_us;
    EXPECT_NEAR(report(0).cost[kFingerprintStage].fixed_us, fixed_us, 0.1 * fixed_us);
    for (const StageCost& cost : report(1).cost) EXPECT_TRUE(cost.is_measured) << fixed_us;
  }
}

// It makes a context, compiles kernels, holds itself against the CPU: what it costs afterwards is
// measured all the same.
TEST_F(DispatcherTest, TheFirstCallOfAnEngineAndOfAStageMayTakeLong) {
  card_.fixed_us = 200;
  card_.us_per_byte = 0.0005;
  card_.once_us[kFingerprintStage] = 30e6;
  card_.once_us[kSealStage] = 600e3;
  start();
  dispatcher_->calibrate();
  for (size_t stage = 0; stage < engine::kStageCount; ++stage) {
    EXPECT_NEAR(report(0).cost[stage].fixed_us, 200, 4) << stage;
  }
  EXPECT_NEAR(report(0).cost[kSealStage].bytes_per_us, 2000, 100);
}

TEST_F(DispatcherTest, WhatNoTimeWasLeftForIsMeasuredByItsFirstBatch) {
  card_.fixed_us = 299e3;
  start();
  dispatcher_->calibrate();
  ASSERT_FALSE(report(0).cost[kOpenStage].is_measured);
  EXPECT_EQ(open(), "card");
  EXPECT_TRUE(report(0).cost[kOpenStage].is_measured);
  for (int i = 0; i < 100; ++i) ASSERT_EQ(open(), "cpu");
}

// As one that makes a copy of a table first.
TEST_F(DispatcherTest, CalibrationAsksAnEngineUntilItIsReady) {
  card_.fixed_us = 200;
  card_.code = ErrorCode::kEngineNotReady;
  card_.failing_calls = 20;
  start();
  dispatcher_->calibrate();
  for (const StageCost& cost : report(0).cost) EXPECT_NEAR(cost.fixed_us, 200, 4);
  EXPECT_EQ(report(0).faults_total, 0u);

  card_.failing_calls = std::numeric_limits<int>::max();
  start();
  const int64_t before_us = clock_.time_us;
  dispatcher_->calibrate();
  EXPECT_LT(clock_.time_us - before_us, 1'000'000);
  EXPECT_FALSE(report(0).is_out_of_service);
  EXPECT_FALSE(report(0).cost[kSealStage].is_measured);
}

// A card without memory for a large batch, or one that fails once: what small ones cost is known.
TEST_F(DispatcherTest, WhatWasMeasuredBeforeACardFailedIsKept) {
  card_.fixed_us = 200;
  card_.us_per_byte = 0.0005;
  card_.failing_from_bytes = 2e6;
  start();
  dispatcher_->calibrate();
  EXPECT_TRUE(report(0).is_out_of_service);
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_NEAR(report(0).cost[kSealStage].fixed_us, 200, 4);
  EXPECT_NEAR(report(0).cost[kSealStage].bytes_per_us, 2000, 100);
  clock_.time_us += 64'000'000;
  for (int i = 0; i < 10; ++i) seal(100);
  ASSERT_FALSE(report(0).is_out[kSealStage]);
  EXPECT_NEAR(dispatcher_->explain(64e6)[kSealStage].candidates[0].predicted_us, 32'000, 1000);
}

TEST_F(DispatcherTest, ACardThatFailsBeforeItWasMeasuredHasNoCosts) {
  card_.failing_from_call = 1;  // the first one warms up
  start();
  dispatcher_->calibrate();
  EXPECT_TRUE(report(0).is_out_of_service);
  for (const StageCost& cost : report(0).cost) EXPECT_FALSE(cost.is_measured);
  EXPECT_TRUE(report(1).cost[kSealStage].is_measured);
}

TEST_F(DispatcherTest, SmallBatchesGoToTheCpuAndLargeOnesToTheCard) {
  card_.fixed_us = 100;
  card_.us_per_byte = 0.0001;
  cpu_.fixed_us = 2;
  cpu_.us_per_byte = 0.002;
  start();
  dispatcher_->calibrate();
  EXPECT_EQ(seal(1000), "cpu");
  EXPECT_EQ(seal(40'000), "cpu");   // 82 us against 104
  EXPECT_EQ(seal(65'000), "card");  // 132 us against 106
  EXPECT_EQ(seal(1'000'000), "card");
}

TEST_F(DispatcherTest, FollowsAnEngineThatBecomesSlower) {
  card_.fixed_us = 5;
  start();
  dispatcher_->calibrate();
  ASSERT_EQ(seal(1000), "card");
  card_.fixed_us = 500;
  for (int i = 0; i < 200; ++i) seal(1000);
  EXPECT_EQ(seal(1000), "cpu");
}

TEST_F(DispatcherTest, NoticesThatTheSecondBestHasBecomeTheBest) {
  card_.fixed_us = 20;
  start();
  dispatcher_->calibrate();
  ASSERT_EQ(seal(1000), "cpu");
  card_.fixed_us = 1;
  card_.us_per_byte = 0;
  for (int i = 0; i < 50'000; ++i) seal(1000);
  EXPECT_EQ(seal(1000), "card");
}

// Two engines as good as each other on a machine that does other things, too.
TEST_F(DispatcherTest, NoiseMovesNoBatches) {
  const auto noise = [](int call) {
    return static_cast<double>(static_cast<uint32_t>(call) * 2654435761u >> 16) / 65536 * 60;
  };
  card_.fixed_us = cpu_.fixed_us = 200;
  card_.interruption_us = [&](int call) { return noise(call); };
  cpu_.interruption_us = [&](int call) { return noise(call + 77); };
  start();
  dispatcher_->calibrate();
  int changes = 0;
  std::string before = dispatcher_->explain(1000)[kSealStage].chosen;
  for (int i = 0; i < 10'000; ++i) {
    seal(1000);
    const std::string after = dispatcher_->explain(1000)[kSealStage].chosen;
    if (after != before) ++changes;
    before = after;
  }
  EXPECT_LE(changes, 3);
  EXPECT_GT(card_.calls, 200) << "both are measured";
  EXPECT_GT(cpu_.calls, 200);
}

// To compare engines and to read the clock would take as long as the batch.
TEST_F(DispatcherTest, ShortBatchesGoStraightToTheCpuUntilTheyAreShortNoMore) {
  cpu_.fixed_us = 1;
  card_.fixed_us = 200;
  start();
  dispatcher_->calibrate();
  EXPECT_EQ(seal(100), "cpu");
  clock_.looks = 0;
  const int card_calls = card_.calls;
  const uint64_t done = report(1).done_total[kSealStage];
  for (int i = 0; i < 16 * 32; ++i) EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(clock_.looks, 2 * 16);
  EXPECT_EQ(card_.calls, card_calls);
  EXPECT_EQ(report(1).done_total[kSealStage], done + 16 * 32);
  EXPECT_EQ(seal(100'000), "cpu") << "of that size none was met";
  cpu_.fixed_us = 5000;
  int calls = 0;
  while (seal(100) == "cpu" && calls < 1000) ++calls;
  EXPECT_LT(calls, 20 * 32);
}

TEST_F(DispatcherTest, AnEngineThatIsHardlyQuickerIsNotTakenAndOneThatIsQuickerSoonIs) {
  card_.fixed_us = cpu_.fixed_us = 200;
  start();
  dispatcher_->calibrate();
  const std::string first = seal(1000);
  ASSERT_EQ(first, dispatcher_->explain(1000)[kSealStage].chosen);
  Behaviour& other = first == "cpu" ? card_ : cpu_;
  other.fixed_us = 194;
  for (int i = 0; i < 5000; ++i) seal(1000);
  const Explanation kept = dispatcher_->explain(1000)[kSealStage];
  EXPECT_EQ(kept.chosen, first);
  EXPECT_THAT(kept.why, testing::HasSubstr("it stays: 201"));
  EXPECT_THAT(kept.why, testing::HasSubstr("hardly less: 195"));
  EXPECT_NE(dispatcher_->explain(100'000)[kSealStage].chosen, first) << "no such size was met";
  other.fixed_us = 150;
  int calls = 0;
  while (dispatcher_->explain(1000)[kSealStage].chosen == first && calls < 5000) {
    seal(1000);
    ++calls;
  }
  EXPECT_LT(calls, 1000);
}

TEST_F(DispatcherTest, AFailingCardFallsBackToTheCpuAndIsCountedOnce) {
  start();
  card_.is_failing = true;
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(card_.calls, 1);
  EXPECT_EQ(report(0).faults_total, 1u);
  EXPECT_TRUE(report(0).is_out_of_service);
  EXPECT_THAT(report(0).last_fault, testing::HasSubstr("card failed"));
  EXPECT_EQ(report(1).faults_total, 0u);
}

TEST_F(DispatcherTest, EachOutageIsToldOnce) {
  start();
  card_.is_failing = true;
  for (int second = 0; second < 30; ++second) {
    seal(100);
    clock_.time_us += 1'000'000;
  }
  ASSERT_EQ(told_.size(), 1u);
  EXPECT_THAT(told_[0], testing::StartsWith("card seal: "));
  EXPECT_THAT(told_[0], testing::HasSubstr("card failed"));
  EXPECT_GT(report(0).faults_total, 1u);
  card_.is_failing = false;
  clock_.time_us += 64'000'000;
  seal(100);
  card_.is_failing = true;
  seal(100);
  EXPECT_EQ(told_.size(), 2u);
}

// While another stage of it works well.
TEST_F(DispatcherTest, AStageThatStaysIllIsToldOnceAndTriedLessAndLess) {
  start();
  card_.is_stage_failing[kSealStage] = true;
  for (int second = 0; second < 1000; ++second) {
    EXPECT_EQ(open(), "card");
    EXPECT_EQ(seal(100), "cpu");
    clock_.time_us += 1'000'000;
  }
  EXPECT_EQ(told_.size(), 1u);
  EXPECT_GT(report(0).faults_total, 10u);
  EXPECT_LT(report(0).faults_total, 30u);
  EXPECT_TRUE(report(0).is_out[kSealStage]);
  EXPECT_FALSE(report(0).is_out[kOpenStage]);
  EXPECT_THAT(dispatcher_->explain(100)[kSealStage].candidates[0].remark,
              testing::HasSubstr("out of service: seal: "));
  EXPECT_EQ(dispatcher_->explain(100)[kOpenStage].candidates[0].remark, "");
  clock_.time_us += 64'000'000;
  EXPECT_THAT(dispatcher_->explain(100)[kSealStage].candidates[0].remark,
              testing::HasSubstr("tried with the next batch: seal: "));
}

TEST_F(DispatcherTest, AStageThatRecoversSaysNothingOfAnother) {
  start();
  card_.is_stage_failing[kSealStage] = true;
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(open(), "card");  // so that what fails next is not taken for the device's
  card_.is_stage_failing[kOpenStage] = true;
  EXPECT_EQ(open(), "cpu");
  EXPECT_EQ(told_.size(), 2u);
  fingerprint();
  card_.is_stage_failing[kOpenStage] = false;
  clock_.time_us += 1'100'000;
  EXPECT_EQ(open(), "card");
  EXPECT_FALSE(report(0).is_out[kOpenStage]);
  EXPECT_TRUE(report(0).is_out[kSealStage]);
  EXPECT_TRUE(report(0).is_out_of_service);
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(told_.size(), 2u);
}

// One stage after the other: nothing more is given to it, and one call in all tries it.
TEST_F(DispatcherTest, ALostDeviceIsOutForAllStagesAndToldOnce) {
  start();
  fingerprint();
  card_.is_failing = true;
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_FALSE(report(0).is_out[kOpenStage]);
  EXPECT_EQ(open(), "cpu");
  const int calls = card_.calls;
  fingerprint();
  EXPECT_EQ(card_.calls, calls);
  EXPECT_TRUE(report(0).is_out[kFingerprintStage]);
  EXPECT_THAT(dispatcher_->explain(100)[kFingerprintStage].candidates[0].remark,
              testing::HasSubstr("out of service: open: "));
  clock_.time_us += 1'100'000;
  fingerprint();
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(open(), "cpu");
  EXPECT_EQ(card_.calls, calls + 1);
  EXPECT_EQ(told_.size(), 1u);
}

TEST_F(DispatcherTest, ADeviceThatIsBackTakesEveryStageAgain) {
  start();
  card_.is_failing = true;
  seal(100);
  open();
  card_.is_failing = false;
  clock_.time_us += 1'100'000;
  fingerprint();
  EXPECT_FALSE(report(0).is_out[kFingerprintStage]);
  EXPECT_EQ(seal(100), "card");
  EXPECT_EQ(open(), "card");
  EXPECT_FALSE(report(0).is_out_of_service);
}

// The outage of one stage is no news; that the rest is lost, too, is.
TEST_F(DispatcherTest, ADeviceThatIsLostWhileAStageIsIllIsToldAllTheSame) {
  start();
  card_.is_stage_failing[kSealStage] = true;
  seal(100);
  fingerprint();
  clock_.time_us += 1'100'000;
  EXPECT_EQ(seal(100), "cpu");  // tried, and ill
  ASSERT_EQ(told_.size(), 1u);
  card_.is_failing = true;
  fingerprint();
  EXPECT_EQ(told_.size(), 2u);
  EXPECT_TRUE(report(0).is_out[kOpenStage]);
}

TEST_F(DispatcherTest, AnEngineThatIsNotReadyIsNoFault) {
  start();
  dispatcher_->calibrate();
  const StageCost before = report(0).cost[kSealStage];
  card_.is_stage_failing[kSealStage] = true;
  card_.code = ErrorCode::kEngineNotReady;
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_THAT(dispatcher_->explain(100)[kSealStage].candidates[0].remark,
              testing::HasSubstr("not ready"));
  EXPECT_EQ(open(), "card");
  EXPECT_EQ(report(0).faults_total, 0u);
  EXPECT_FALSE(report(0).is_out_of_service);
  EXPECT_TRUE(told_.empty());
  EXPECT_EQ(report(0).not_ready_total[kSealStage], 1u);
  EXPECT_EQ(report(0).done_total[kSealStage], 0u);
  EXPECT_EQ(report(0).cost[kSealStage].fixed_us, before.fixed_us);
}

TEST_F(DispatcherTest, AnEngineThatIsNotReadyIsAskedLessAndLess) {
  start("card");
  card_.is_failing = true;
  card_.code = ErrorCode::kEngineNotReady;
  for (int i = 0; i < 10'000; ++i) {
    EXPECT_EQ(seal(100), "cpu");
    clock_.time_us += 990;  // and 10 of the CPU
  }
  EXPECT_GT(card_.calls, 10'000 / 34);  // a table's copy goes on all the same
  EXPECT_LT(card_.calls, 10'000 / 30);
  card_.is_failing = false;
  clock_.time_us += 32'000;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(seal(100), "card");
  card_.is_failing = true;
  EXPECT_EQ(seal(100), "cpu");
  card_.is_failing = false;
  clock_.time_us += 1000;
  EXPECT_EQ(seal(100), "card");
}

// Nothing was computed, perhaps nothing was sent: that does not say that the device is back.
TEST_F(DispatcherTest, ALostDeviceThatIsNotReadyIsNotBack) {
  start();
  card_.is_failing = true;
  seal(100);
  open();
  card_.code = ErrorCode::kEngineNotReady;
  clock_.time_us += 1'100'000;
  seal(100);
  EXPECT_EQ(report(0).not_ready_total[kSealStage], 1u);
  EXPECT_TRUE(report(0).is_out[kFingerprintStage]);
}

TEST_F(DispatcherTest, ExplainsTheChoiceThatItWouldMake) {
  card_.fixed_us = 100;
  card_.us_per_byte = 0.0001;
  cpu_.us_per_byte = 0.002;
  card_.has_open = false;
  start();
  EXPECT_THAT(dispatcher_->explain(1000)[kSealStage].why, testing::HasSubstr("first in priority"));
  dispatcher_->calibrate();
  for (const size_t size : {size_t{1000}, size_t{1'000'000}}) {
    const Explanation seals = dispatcher_->explain(static_cast<double>(size))[kSealStage];
    EXPECT_EQ(seals.chosen, seal(size));
    EXPECT_THAT(seals.why, testing::HasSubstr("done first"));
    ASSERT_EQ(seals.candidates.size(), 2u);
    EXPECT_NEAR(seals.candidates[0].predicted_us, 100 + 0.0001 * static_cast<double>(size), 5);
  }
  const Explanation opens = dispatcher_->explain(1000)[static_cast<size_t>(Stage::kOpen)];
  EXPECT_EQ(opens.chosen, "cpu");
  EXPECT_THAT(opens.candidates[0].remark, testing::HasSubstr("does not have"));
}

TEST_F(DispatcherTest, SaysFromWhichSizeOnAnEngineTakesAStage) {
  card_.fixed_us = 100;
  card_.us_per_byte = 0.0001;
  cpu_.fixed_us = 2;
  cpu_.us_per_byte = 0.002;
  card_.has_open = false;
  start();
  dispatcher_->calibrate();
  const std::vector<Share> seals = shares_of(*dispatcher_, Stage::kSeal);
  ASSERT_EQ(seals.size(), 2u);
  EXPECT_EQ(seals[0].engine, "cpu");
  EXPECT_EQ(seals[0].from_bytes, 0);
  EXPECT_EQ(seals[1].engine, "card");
  EXPECT_EQ(seals[1].from_bytes, 64 << 10);  // it pays from 52 KB on
  const std::vector<Share> opens = shares_of(*dispatcher_, Stage::kOpen);
  ASSERT_EQ(opens.size(), 1u);
  EXPECT_EQ(opens[0].engine, "cpu");
}

TEST_F(DispatcherTest, AnEngineOnTheCpusCoresIsTakenOnlyIfForced) {
  card_.is_only_forced = true;
  card_.fixed_us = 0;
  start();
  EXPECT_EQ(seal(100), "cpu");
  dispatcher_->calibrate();
  for (int i = 0; i < 100; ++i) ASSERT_EQ(seal(100), "cpu");
  EXPECT_THAT(dispatcher_->explain(100)[kSealStage].candidates[0].remark,
              testing::HasSubstr("only if forced"));
  start("card");
  EXPECT_EQ(seal(100), "card");
}

TEST_F(DispatcherTest, ExplainsAForcedEngineAndOneOutOfService) {
  start("card");
  dispatcher_->calibrate();
  EXPECT_EQ(dispatcher_->explain(1000)[kSealStage].why, "it is forced");
  EXPECT_THAT(dispatcher_->explain(1000)[kSealStage].candidates[1].remark,
              testing::HasSubstr("forced"));
  card_.is_failing = true;
  seal(100);
  const Explanation out = dispatcher_->explain(1000)[kSealStage];
  EXPECT_EQ(out.chosen, "cpu");
  EXPECT_THAT(out.candidates[0].remark, testing::HasSubstr("out of service: seal: "));
}

TEST_F(DispatcherTest, ACardThatIsWellAgainComesBack) {
  start();
  card_.is_failing = true;
  seal(100);
  card_.is_failing = false;
  EXPECT_EQ(seal(100), "cpu");
  clock_.time_us += 1'100'000;
  EXPECT_EQ(seal(100), "card");
  EXPECT_FALSE(report(0).is_out_of_service);
}

TEST_F(DispatcherTest, ACardThatStaysIllIsTriedLessAndLess) {
  start();
  card_.is_failing = true;
  for (int second = 0; second < 1000; ++second) {
    EXPECT_EQ(seal(100), "cpu");
    clock_.time_us += 1'000'000;
  }
  EXPECT_GT(card_.calls, 10);
  EXPECT_LT(card_.calls, 30);
}

TEST_F(DispatcherTest, DamageThatBothSeeIsNoFaultOfTheCard) {
  start();
  card_.is_failing = cpu_.is_failing = true;
  card_.code = cpu_.code = ErrorCode::kDamaged;
  std::array<uint8_t, 32> digest{};
  const auto opened = dispatcher_->open("bytes", {}, "", digest);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_EQ(report(0).faults_total, 0u);
}

TEST_F(DispatcherTest, DamageThatOnlyTheCardSeesIsItsFault) {
  start();
  card_.is_failing = true;
  card_.code = ErrorCode::kDamaged;
  std::array<uint8_t, 32> digest{};
  const auto opened = dispatcher_->open("bytes", {}, "", digest);
  ASSERT_TRUE(opened.has_value());
  EXPECT_EQ(opened.value()[0].bytes, "cpu");
  EXPECT_EQ(report(0).faults_total, 1u);
}

TEST_F(DispatcherTest, WhatTheCallerGotWrongIsReturnedAtOnce) {
  start();
  card_.is_failing = true;
  card_.code = ErrorCode::kInvalidArgument;
  EXPECT_THAT(seal(100), testing::HasSubstr("card failed"));
  EXPECT_EQ(cpu_.calls, 0);
  EXPECT_FALSE(report(0).is_out_of_service);
}

TEST_F(DispatcherTest, AStageThatAnEngineLacksGoesToTheCpu) {
  card_.has_open = false;
  start();
  EXPECT_EQ(open(), "cpu");
  EXPECT_EQ(seal(100), "card");
}

TEST_F(DispatcherTest, AnEngineThatSaysUnsupportedIsNotAskedAgainNorBlamed) {
  start();
  card_.is_failing = true;
  card_.code = ErrorCode::kUnsupported;
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(seal(100), "cpu");
  EXPECT_EQ(card_.calls, 1);
  EXPECT_EQ(report(0).faults_total, 0u);
  EXPECT_FALSE(report(0).description.has_stage[kSealStage]);
}

TEST_F(DispatcherTest, AForcedEngineRunsHoweverSlowItIs) {
  card_.fixed_us = 100'000;
  start("card");
  dispatcher_->calibrate();
  EXPECT_EQ(seal(10), "card");
  card_.is_failing = true;
  EXPECT_EQ(seal(10), "cpu");
}

TEST_F(DispatcherTest, TheForcedCpuLeavesTheCardAlone) {
  start("cpu");
  EXPECT_EQ(seal(1 << 20), "cpu");
  EXPECT_EQ(card_.calls, 0);
}

TEST_F(DispatcherTest, AnUnknownForcedEngineIsRefusedWithWhatIsThere) {
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(std::make_unique<TestEngine>("cpu", cpu_, clock_));
  const auto made = Dispatcher::make(std::move(engines), "cuda", clock_);
  ASSERT_FALSE(made.has_value());
  EXPECT_EQ(made.error().code, ErrorCode::kEngineAbsent);
  EXPECT_THAT(to_string(made.error()), testing::HasSubstr("this machine has: cpu"));
}

TEST_F(DispatcherTest, AllStagesPassThroughToALoneEngine) {
  std::vector<std::unique_ptr<engine::Engine>> engines;
  engines.push_back(std::make_unique<TestEngine>("cpu", cpu_, clock_));
  dispatcher_ = std::move(Dispatcher::make(std::move(engines), "auto", clock_).value());
  syn_batch batch{};
  batch.row_count = 3;
  engine::Fingerprints fingerprints;
  engine::Detected detected;
  ASSERT_TRUE(dispatcher_->fingerprint(batch, {}, fingerprints).has_value());
  ASSERT_TRUE(dispatcher_->detect(batch, fingerprints, {}, detected).has_value());
  EXPECT_EQ(fingerprints.keys.size(), 3u);
  EXPECT_EQ(detected.verdicts.size(), 3u);
  EXPECT_EQ(seal(5), "cpu");
  EXPECT_EQ(report(0).batches_total, 3u);
}

TEST_F(DispatcherTest, ManyThreadsAtOnceLoseNoBatch) {
  start();
  dispatcher_->calibrate();
  const int before = card_.calls + cpu_.calls;
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this, i] {
      for (int n = 0; n < 2000; ++n) {
        if (i == 0) card_.is_failing = n % 100 == 0;
        EXPECT_THAT(seal(100), testing::AnyOf("cpu", "card"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(card_.calls + cpu_.calls - before, 8000 + static_cast<int>(report(0).faults_total));
}

}  // namespace
}  // namespace syncline::dispatch
