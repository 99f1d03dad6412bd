#include "host/ports/replica_watch.hpp"

#include "tests/support/system_test.hpp"

namespace syncline::ports {
namespace {

using testing::HasSubstr;

constexpr int kLong = 1'450;
constexpr int kShort = 990;
constexpr const char* kPlace = "system shop (copy)";

class Watch : public testing::Test {
 protected:
  // How many of so many chunks had something to say.
  int notices_of(int chunk_count, int waited_ms) {
    int count = 0;
    for (int chunk = 0; chunk < chunk_count; ++chunk) {
      watch_.served(kPlace, waited_ms);
      if (auto notice = watch_.take_notice()) {
        ++count;
        last_ = to_string(*notice);
      }
    }
    return count;
  }

  StepClock clock_;
  ReplicaWatch watch_{clock_};
  std::string last_;
};

TEST_F(Watch, OneThatFailsRestsAndIsSaidOnceUntilItServes) {
  const Error why{ErrorCode::kSystemOpen, "it is gone", "nobody answers", "start it"};
  for (int turn = 0; turn < 2; ++turn) {
    EXPECT_FALSE(watch_.is_resting());
    watch_.failed(why);
    EXPECT_TRUE(watch_.is_resting());
    const auto notice = watch_.take_notice();
    ASSERT_TRUE(notice.has_value());
    EXPECT_EQ("start it; its tables are read from the primary meanwhile", notice->fix);
    clock_.pass_seconds(29);
    EXPECT_TRUE(watch_.is_resting());
    clock_.pass_seconds(1);
    EXPECT_FALSE(watch_.is_resting());
    watch_.failed(why);
    EXPECT_FALSE(watch_.take_notice().has_value());
    clock_.pass_seconds(30);
    watch_.served(kPlace, 0);
  }
}

TEST_F(Watch, OneThatEveryChunkWaitsForIsSaidOnce) {
  EXPECT_EQ(0, notices_of(2, kLong));
  EXPECT_EQ(0, notices_of(1, kShort));
  EXPECT_EQ(0, notices_of(2, kLong));
  EXPECT_EQ(1, notices_of(100, kLong));
  EXPECT_THAT(last_, HasSubstr("replica system shop (copy) holds every chunk up"));
  EXPECT_THAT(last_, HasSubstr("this one 1.4 s"));
}

TEST_F(Watch, OneThatComesAndGoesIsSaidEveryHalfMinuteAtMost) {
  EXPECT_EQ(1, notices_of(3, kLong));
  EXPECT_EQ(0, notices_of(1, kShort));
  EXPECT_EQ(0, notices_of(10, kLong));
  clock_.pass_seconds(30);
  EXPECT_EQ(1, notices_of(10, kLong));
  clock_.pass_seconds(60);
  EXPECT_EQ(0, notices_of(10, kLong));
}

}  // namespace
}  // namespace syncline::ports
