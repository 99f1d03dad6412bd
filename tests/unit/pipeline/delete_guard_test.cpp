// The deletion guard's arithmetic.
#include "host/pipeline/delete_guard.hpp"

#include <gtest/gtest.h>

namespace syncline::pipeline {
namespace {

constexpr DeleteGuard::Id kId{1, 2};
constexpr int64_t kStartUs = 1'700'000'000'000'000;
constexpr int64_t kWindowUs = DeleteGuard::kWindowUs;

TEST(DeleteGuard, WhatIsLostAddsUpUntilTheHighestNumberIsOld) {
  DeleteGuard guard;
  EXPECT_EQ(100U, guard.look(kId, 1000, 100, kStartUs).lost);
  EXPECT_EQ(250U, guard.look(kId, 900, 150, kStartUs + 1).lost);
  EXPECT_EQ(1000U, guard.look(kId, 750, 0, kStartUs + 2).peak);
  EXPECT_EQ(250U,
            guard.look(kId, 750, 0, kStartUs + kWindowUs).lost);  // it is still looked back on
  EXPECT_EQ(0U, guard.look(kId, 750, 0, kStartUs + 2 * kWindowUs).lost);
  EXPECT_EQ(10U, guard.look(kId, 750, 10, kStartUs + 9 * kWindowUs).lost);
}

TEST(DeleteGuard, RecordsThatAreReplacedAreNoLoss) {
  DeleteGuard guard;
  EXPECT_EQ(0U, guard.look(kId, 1000, -500, kStartUs).lost);
  EXPECT_EQ(0U, guard.look(kId, 1500, 0, kStartUs + 1).lost);
  EXPECT_EQ(500U, guard.look(kId, 1000, 0, kStartUs + 2).lost);
}

TEST(DeleteGuard, WhatWeDeleteOurselvesDoesNotCount) {
  DeleteGuard guard;
  EXPECT_EQ(0U, guard.look(kId, 1000, 0, kStartUs).lost);
  guard.forgive(kId, 400);
  EXPECT_EQ(5U, guard.look(kId, 600, 5, kStartUs + 1).lost);
  guard.forgive({9, 9}, 400);
  guard.forgive(kId, 4000);
  EXPECT_EQ(0U, guard.look(kId, 0, 0, kStartUs + 2).lost);
}

TEST(DeleteGuard, ARestartGoesOnCounting) {
  DeleteGuard before;
  before.look(kId, 1000, 0, kStartUs);
  DeleteGuard guard;
  guard.restore(before.snapshot());
  EXPECT_EQ(300U, guard.look(kId, 800, 100, kStartUs + 1).lost);
  guard.restore(before.snapshot().substr(0, 5));  // of another version: counted anew
  guard.restore("");
  guard.forget(kId, 0);
  EXPECT_EQ(100U, guard.look(kId, 800, 100, kStartUs + 1).lost);
}

TEST(DeleteGuard, WhatItForgotIsNotCountedByARestart) {
  DeleteGuard before;
  before.look(kId, 1000, 0, kStartUs);
  before.forget(kId, 7);
  DeleteGuard guard;
  guard.restore(before.snapshot());
  EXPECT_FALSE(guard.counts(kId, 7));
  EXPECT_TRUE(guard.counts(kId, 8));
  EXPECT_TRUE(guard.counts({9, 9}, 1));
}

TEST(DeleteLimit, IsAPartAndAtLeastAThousandOrANumber) {
  core::DeleteLimit limit;
  EXPECT_EQ(1000U, limit.of(0));
  EXPECT_EQ(1000U, limit.of(9'999));
  EXPECT_EQ(10'000U, limit.of(100'000));
  limit.records = 7;
  EXPECT_EQ(7U, limit.of(100'000));
}

}  // namespace
}  // namespace syncline::pipeline
