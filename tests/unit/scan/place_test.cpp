// From which value on a poll reads, where clocks go wrong.
#include "drivers/scan/place.hpp"

#include <gtest/gtest.h>

namespace syncline::scan {
namespace {

constexpr int64_t kSecond = 1'000'000;
constexpr int64_t kOverlap = 10 * kSecond;

Reached reached(int64_t now_s, int64_t steady_s, const std::string& highest) {
  return {now_s * kSecond, now_s * kSecond - kSecond, highest, true, steady_s * kSecond};
}

class Place : public testing::Test {
 protected:
  // Rounds ten seconds apart; the place stands behind some of them.
  void SetUp() override {
    place_.begin("");
    for (int64_t i = 0; i < 5; ++i) {
      place_.end_round(reached(1000 + 10 * i, 10 * i, std::to_string(1000 + 10 * i)), kOverlap);
    }
    EXPECT_EQ("1030", place_.from());
  }
  PollPlace place_;
};

TEST_F(Place, AClockThatGoesOnIsNotSetBack) {
  EXPECT_FALSE(place_.set_back_to(reached(1050, 50, "1050"), kOverlap));
}

TEST_F(Place, WhatTheOverlapCoversIsNoReasonToBeginAgain) {
  EXPECT_FALSE(place_.set_back_to(reached(1030, 50, "1030"), kOverlap));
}

TEST_F(Place, AClockThatIsSetBackTellsFromWhenAllWasWrittenSince) {
  const auto time_us = place_.set_back_to(reached(500, 47, "1040"), kOverlap);
  EXPECT_EQ((500 - 7 - 10) * kSecond, time_us);
  place_.begin("480");
  place_.end_round(reached(500, 47, "499"), kOverlap);
  EXPECT_FALSE(place_.set_back_to(reached(510, 57, "509"), kOverlap));
  place_.end_round(reached(510, 57, "509"), kOverlap);
  EXPECT_EQ("499", place_.from());
}

TEST_F(Place, SmallStepsCountTogether) {
  place_.end_round(reached(1035, 50, "1035"), kOverlap);
  const auto time_us = place_.set_back_to(reached(1028, 60, "1028"), kOverlap);
  EXPECT_EQ((1028 - 20 - 10) * kSecond, time_us);
}

TEST_F(Place, WithoutAnOverlapTheMarginOfEachRoundCounts) {
  EXPECT_FALSE(place_.set_back_to(reached(1039, 41, "1039"), 0));
  EXPECT_TRUE(place_.set_back_to(reached(1038, 41, "1038"), 0));
}

TEST_F(Place, AVersionDoesNotGoBack) {
  Reached version = reached(500, 47, "77");
  version.is_clock = false;
  EXPECT_FALSE(place_.set_back_to(version, kOverlap));
}

}  // namespace
}  // namespace syncline::scan
