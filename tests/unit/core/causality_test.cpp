#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "host/core/causality_internal.hpp"
#include "host/core/lane.hpp"

namespace syncline::core {
namespace {

using model::Version;

constexpr model::SystemId kErp = 1, kCrm = 2, kShop = 3, kUnlisted = 4;

FieldPolicy authority() {
  return {Policy::kAuthority, {{kErp, 3}, {kCrm, 2}, {kShop, 1}}, "", false};
}

RC_GTEST_PROP(Causality, a_version_is_above_what_its_writer_was_shown, ()) {
  const auto policy = static_cast<Policy>(*rc::gen::inRange(0, 3));
  FieldPolicy field = authority();
  field.policy = policy;
  Version version;
  for (int writes = *rc::gen::inRange(1, 20); writes > 0; --writes) {
    const auto system = *rc::gen::inRange<model::SystemId>(1, 5);
    const auto time = *rc::gen::inRange<int64_t>(-50, 50);
    const Version next = version_above(version, field, 1, system, time);
    RC_ASSERT(next > version);
    RC_ASSERT(next.path.size() <= model::kRankStepsMax);
    RC_ASSERT(policy != Policy::kNewest || next.path.empty());
    version = next;
  }
}

TEST(Causality, ranks_follow_the_causal_path) {
  const auto follow = [](std::initializer_list<model::SystemId> writers) {
    Version version;
    for (const model::SystemId writer : writers) {
      version = version_above(version, authority(), 1, writer, 10);
    }
    return version;
  };
  const auto shop = version_above(follow({kErp}), authority(), 1, kShop, 10);
  const auto crm = version_above(follow({kErp}), authority(), 1, kCrm, 10);
  EXPECT_LT(follow({kErp}), shop);
  EXPECT_LT(shop, crm);
  EXPECT_EQ(follow({kShop, kErp}).path, follow({kErp}).path);  // lower ones are dropped
  EXPECT_EQ(follow({kErp, kErp}).path, (model::RankPath{{3, 2}}));
  EXPECT_LT(follow({kUnlisted}), follow({kShop}));
  EXPECT_EQ(follow({kUnlisted}).path, follow({99}).path);
}

TEST(Causality, oldest_prefers_the_earlier_of_two_that_know_nothing_of_each_other) {
  const FieldPolicy oldest{Policy::kOldest, {}, "oldest", false};
  const Version base = version_above({}, oldest, 1, kErp, 100);
  EXPECT_GT(version_above(base, oldest, 1, kErp, 200), version_above(base, oldest, 1, kCrm, 300));
}

TEST(Causality, a_new_policy_begins_a_new_path) {
  const Version old = version_above({}, authority(), 1, kErp, 10);
  const FieldPolicy newest;
  const Version version = version_above(old, newest, 2, kShop, 5);
  EXPECT_GT(version, old);
  EXPECT_EQ(version.time_us, 5);
  EXPECT_TRUE(version.path.empty());
  // A first sync's time, which may be nonsense, moves no clock.
  EXPECT_EQ(version_above({0, {}, 1'000'000, kErp, 0, 0}, newest, 1, kShop, 5).time_us, 5);
}

TEST(Causality, times_are_set_right) {
  EXPECT_EQ(change_time(100, 1, 500).time_us, 100);
  EXPECT_EQ(change_time(100, 1000, 500).time_us, 500);  // arrived within its second
  EXPECT_EQ(change_time(100, 50, 500).time_us, 150);    // long ago
  EXPECT_EQ(change_time(600, 50, 500).time_us, 600);    // a clock ahead
  const ChangeTime far = change_time(500 + kFutureLimitUs + 1, 1, 500);
  EXPECT_EQ(far.time_us, 500 + kFutureLimitUs);
  EXPECT_TRUE(far.is_clamped);
  EXPECT_FALSE(change_time(500 + kFutureLimitUs, 1, 500).is_clamped);
  EXPECT_TRUE(change_time(INT64_MAX, 1'000'000, 500).is_clamped);
}

}  // namespace
}  // namespace syncline::core
