// Seal and open by way of a device that the host plays: against the CPU, and when the device hangs
// or fails.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/cpu/seal.hpp"
#include "kernels/device/device_engine.hpp"
#include "tests/unit/bodies/zstd_frames.hpp"
#include "tests/unit/device/host_device.hpp"

namespace syncline::device {
namespace {

using engine::ColumnView;
using testing::HasSubstr;

constexpr int64_t kLimitUs = 20'000;

std::string text(size_t size, const char* word) {
  std::string out;
  for (size_t i = 0; out.size() < size; ++i) out += word + std::to_string(i * 7919 % 1000);
  out.resize(size);
  return out;
}

class DeviceSealTest : public testing::Test {
 protected:
  DeviceSealTest() { key_.key.fill(3); }

  void expect_same(const Result<std::vector<engine::ColumnBytes>>& opened) {
    ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
    ASSERT_EQ(opened.value().size(), columns_.size());
    for (size_t i = 0; i < columns_.size(); ++i) {
      ASSERT_TRUE(opened.value()[i].bytes == columns_[i].bytes) << "column " << i;
    }
  }
  Result<engine::Sealed> seal() { return engine_->seal(columns_, key_, "block"); }

  const std::string middle_ = text(200'000, "paid ");
  const std::string small_ = text(500, "x");
  std::vector<ColumnView> columns_ = {
      {0, 0, small_}, {1, 0, middle_}, {2, 0, middle_}, {3, 0, ""}, {4, 0, small_}};
  engine::SealKey key_;
  std::array<uint8_t, 32> digest_{};
  Behaviour behaviour_;
  std::unique_ptr<engine::Engine> engine_ =
      make_device_engine(std::make_unique<HostDevice>(behaviour_), kLimitUs);
};

TEST_F(DeviceSealTest, RoundByRoundItSealsWhatTheCpuOpens) {
  const std::string large = text(40 << 20, "order ");
  columns_.insert(columns_.begin() + 2, {7, 0, large});
  const auto sealed = seal();
  ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
  EXPECT_EQ(sealed.value().bytes[1], static_cast<char>(SYN_ENGINE_XRT)) << "who sealed it";
  expect_same(cpu::open_block(sealed.value().bytes, key_, "block", digest_));
  EXPECT_EQ(digest_, sealed.value().tags_digest);
  expect_same(engine_->open(sealed.value().bytes, key_, "block", digest_));
  EXPECT_EQ(digest_, sealed.value().tags_digest);
}

// A chunk whose frames the host made, one of the device's, and one of both with stored bytes.
TEST_F(DeviceSealTest, WhatRepeatsBeyondAPieceIsTheHostsFrameAmongTheDevices) {
  const std::string noise = bodies::noise_of(70'000, 1, 8);
  const std::string far = noise + noise + noise + noise;
  const std::string runs(300'000, 'x');
  columns_ = {{0, 0, far},   {1, 0, small_}, {2, 0, middle_}, {3, 0, runs},
              {4, 0, noise}, {5, 0, far},    {6, 0, middle_}};
  const auto sealed = seal();
  ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
  expect_same(cpu::open_block(sealed.value().bytes, key_, "block", digest_));
  expect_same(engine_->open(sealed.value().bytes, key_, "block", digest_));
  const auto by_cpu = cpu::seal_block(columns_, key_, "block");
  EXPECT_LE(0.9 * static_cast<double>(sealed.value().bytes.size()),
            static_cast<double>(by_cpu.value().bytes.size()));
}

TEST_F(DeviceSealTest, AnotherKeyIsTakenAndTheFirstAgain) {
  const auto first = seal();
  key_.key.fill(4);
  const auto second = seal();
  ASSERT_TRUE(first.has_value() && second.has_value());
  expect_same(cpu::open_block(second.value().bytes, key_, "block", digest_));
  EXPECT_FALSE(engine_->open(first.value().bytes, key_, "block", digest_).has_value());
  key_.key.fill(3);
  expect_same(engine_->open(first.value().bytes, key_, "block", digest_));
}

TEST_F(DeviceSealTest, ADeviceThatHangsOrFailsIsAnErrorAndThenUsedAgain) {
  const auto sealed = cpu::seal_block(columns_, key_, "block");
  for (std::atomic<bool>* trouble : {&behaviour_.is_hanging, &behaviour_.is_run_failing}) {
    *trouble = true;
    const auto not_sealed = seal();
    ASSERT_FALSE(not_sealed.has_value());
    EXPECT_EQ(not_sealed.error().code, ErrorCode::kEngine);
    EXPECT_THAT(not_sealed.error().what, HasSubstr("host: the device"));
    const auto not_opened = engine_->open(sealed.value().bytes, key_, "block", digest_);
    ASSERT_FALSE(not_opened.has_value());
    EXPECT_EQ(not_opened.error().code, ErrorCode::kEngine);
    *trouble = false;
    expect_same(engine_->open(sealed.value().bytes, key_, "block", digest_));
  }
}

// A key that was on its way with commands that failed is not on the device.
TEST_F(DeviceSealTest, AKeyThatWasLostOnItsWayIsSetAgain) {
  ASSERT_TRUE(seal().has_value());
  key_.key.fill(4);
  behaviour_.waits_until_loss = 1;  // the key goes with the second trip
  ASSERT_FALSE(seal().has_value());
  const auto sealed = seal();
  ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
  expect_same(cpu::open_block(sealed.value().bytes, key_, "block", digest_));
}

TEST_F(DeviceSealTest, ADeviceThatSealsWronglySealsNothing) {
  behaviour_.is_coding_wrongly = true;
  const auto refused = seal();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngine);
  EXPECT_THAT(refused.error().what, HasSubstr("does not seal as it should"));
}

// The stage is at fault, and whatever else the device holds stays.
TEST_F(DeviceSealTest, WrongResultsAreNoReasonToStartTheDeviceAnew) {
  behaviour_.is_coding_wrongly = true;
  for (int i = 0; i < 3; ++i) ASSERT_FALSE(seal().has_value());
  behaviour_.is_coding_wrongly = false;
  ASSERT_TRUE(seal().has_value());
  behaviour_.is_size_wrong = true;
  const auto refused = seal();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kEngine);
  EXPECT_THAT(refused.error().what, HasSubstr("host: the device says of a frame"));
  behaviour_.is_size_wrong = false;
  ASSERT_TRUE(seal().has_value());
  EXPECT_EQ(behaviour_.starts, 1);
}

TEST_F(DeviceSealTest, WhatNoBlockCanHoldIsRefusedAsTheCpuDoes) {
  const std::vector<ColumnView> wrong = {{0, 9, small_}};
  const auto refused = engine_->seal(wrong, key_, "block");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace syncline::device
