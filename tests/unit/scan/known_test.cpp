// What is known of records that no log tells of, and where polls read on.
#include "drivers/scan/known.hpp"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "drivers/scan/place.hpp"

namespace syncline::scan {
namespace {

using testing::IsEmpty, testing::SizeIs;

constexpr model::DatasetId kDataset = 7;
const ImageHash kOld = image_hash("old");
const ImageHash kNew = image_hash("new");

std::string_view image_of(ImageHash hash) {
  if (hash == kNoImage) return {};
  return hash == kNew ? "new" : "old";
}

Wanted record(uint64_t number) {
  return {{kDataset, {number, number}}, "key " + std::to_string(number)};
}

class KnownTest : public testing::Test {
 protected:
  KnownTest() {
    known_.begin_scan(kDataset);
    see(kOld);
    known_.end_scan(kDataset);
    show_and_acknowledge();
  }
  Known::Seen see(ImageHash hash) { return known_.see(record(1), hash, known_.mark()); }
  int64_t show() {
    known_.keep_shown(++position_);
    return position_;
  }
  void show_and_acknowledge() { known_.acknowledge(show()); }
  bool may_write(ImageHash present) { return known_.may_write(record(1), present); }
  void write(ImageHash hash) {
    known_.wrote(record(1), image_of(hash));
    known_.end_writes();
  }

  Known known_;
  int64_t position_ = 0;
};

TEST_F(KnownTest, WhatASnapshotShowsOfARecordThatWasWrittenBehindItCountsForNothing) {
  const Known::Mark snapshot = known_.mark();
  write(kNew);
  EXPECT_EQ(Known::Seen::kKnown, known_.see(record(1), kOld, snapshot));
  show_and_acknowledge();
  EXPECT_TRUE(may_write(kNew));
  EXPECT_FALSE(may_write(kOld));  // a user has written it back
}

TEST_F(KnownTest, AnEditIsNotWrittenOverBeforeItIsDurable) {
  EXPECT_EQ(Known::Seen::kChanged, see(kNew));
  const int64_t position = show();
  EXPECT_FALSE(may_write(kNew));
  known_.acknowledge(position);
  EXPECT_TRUE(may_write(kNew));
}

TEST_F(KnownTest, OfSeveralLooksTheNewestHasToBeDurable) {
  see(kNew);
  const int64_t first = show();
  see(kOld);
  see(kNew);
  const int64_t last = show();
  known_.acknowledge(first);
  EXPECT_FALSE(may_write(kNew));
  known_.acknowledge(last);
  EXPECT_TRUE(may_write(kNew));
}

TEST_F(KnownTest, ALookThatWasNotShownIsForgotten) {
  known_.begin_look();
  see(kNew);
  known_.drop_shown();
  EXPECT_TRUE(may_write(kOld));
  EXPECT_EQ(Known::Seen::kChanged, see(kNew));
}

TEST_F(KnownTest, ALookThatWasNotShownLeavesTheOneBeforeToBecomeSafe) {
  see(kNew);
  const int64_t position = show();
  known_.begin_look();
  see(kOld);
  known_.drop_shown();
  known_.acknowledge(position);
  EXPECT_TRUE(may_write(kNew));
}

// A look reads the rows of all that we wrote.
TEST_F(KnownTest, WideRowsLeaveRoomForFewerWritesUntilTheyAreEchoed) {
  const std::string wide(kEchoBytesMax / 4, 'x');
  for (uint64_t number = 2; number <= 4; ++number) known_.wrote(record(number), wide);
  EXPECT_TRUE(known_.has_room());
  known_.wrote(record(5), wide);
  known_.end_writes();
  EXPECT_FALSE(known_.has_room());
  known_.end_echoes(known_.mark());
  EXPECT_TRUE(known_.has_room());
}

TEST_F(KnownTest, ARecordThatWeDeletedIsNotKeptOnceItWasEchoed) {
  EXPECT_EQ(1U, known_.count());
  write(kNoImage);
  const Known::Mark mark = known_.mark();
  known_.see_echo(record(1), kNoImage, mark);
  known_.end_echoes(mark);
  EXPECT_EQ(0U, known_.count());
  EXPECT_TRUE(may_write(kNoImage));
}

TEST_F(KnownTest, AWriteThatMayNotBeWakesTheSourceForItsRecord) {
  EXPECT_FALSE(known_.is_wanted());
  EXPECT_FALSE(may_write(kNew));
  EXPECT_TRUE(known_.is_wanted());
  EXPECT_THAT(known_.take_wishes(), SizeIs(1));
  EXPECT_FALSE(known_.is_wanted());
}

TEST_F(KnownTest, WhatWasWrittenIsWantedUntilItsEchoWasShown) {
  write(kNew);
  EXPECT_TRUE(known_.is_wanted());
  const Known::Mark mark = known_.mark();
  known_.see_echo(record(1), kNew, mark);
  known_.end_echoes(mark);
  EXPECT_FALSE(known_.is_wanted());
  EXPECT_EQ(Known::Seen::kKnown, see(kNew));
}

TEST_F(KnownTest, ARescanLeavesWhatIsNotEchoedYetForALaterLook) {
  write(kNew);
  known_.see_apart(record(1), kOld);  // a user wrote over it
  EXPECT_FALSE(known_.has_news());
  EXPECT_EQ(Known::Seen::kChanged, see(kOld));
}

TEST_F(KnownTest, AbsentRecordsMayBeMadeOnlyWhereAllAreKnown) {
  EXPECT_TRUE(known_.may_write(record(2), kNoImage));
  known_.forget(kDataset);
  EXPECT_FALSE(known_.may_write(record(2), kNoImage));
  EXPECT_EQ(Known::Seen::kChanged, known_.see(record(2), kNoImage, known_.mark()));
  show_and_acknowledge();
  EXPECT_TRUE(known_.may_write(record(2), kNoImage));
}

TEST_F(KnownTest, AScanTellsWhatItDidNotMeet) {
  known_.begin_scan(kDataset);
  const Known::Unseen first = known_.unseen(kDataset, 10);
  ASSERT_THAT(first.records, SizeIs(1));
  EXPECT_TRUE(first.is_last);
  EXPECT_EQ(Known::Seen::kChanged, see(kNoImage));
  EXPECT_THAT(known_.unseen(kDataset, 10).records, IsEmpty());
}

class ManyKnown : public KnownTest {
 protected:
  void see_all(uint64_t first, uint64_t last) {
    for (uint64_t number = first; number <= last; ++number) {
      known_.see(record(number), kOld, known_.mark());
    }
    show_and_acknowledge();
  }
  // Each is told once, however many a step tells and whatever comes between two steps.
  size_t gone_count(size_t limit, const std::function<void()>& between) {
    size_t count = 0;
    for (bool is_last = false; !is_last;) {
      const Known::Unseen gone = known_.unseen(kDataset, limit);
      for (const Wanted& wanted : gone.records) {
        EXPECT_EQ(Known::Seen::kChanged, known_.see(wanted, kNoImage, known_.mark()));
      }
      count += gone.records.size();
      is_last = gone.is_last;
      between();
    }
    return count;
  }
};

TEST_F(ManyKnown, WhatAScanDidNotMeetIsToldStepByStep) {
  see_all(2, 200'000);
  known_.begin_scan(kDataset);
  see(kOld);
  uint64_t made = 1'000'000;
  const size_t count = gone_count(1000, [&] {
    known_.wrote(record(++made), "new");
    known_.end_writes();
  });
  EXPECT_EQ(199'999U, count);
}

// Rows of a rescan are with the pipeline already: only what the poll itself saw was not shown.
TEST_F(ManyKnown, APollThatFailedForgetsNothingThatWasShownApartBefore) {
  known_.forget(kDataset);
  known_.begin_scan(kDataset);
  for (uint64_t number = 1; number <= 100; ++number) known_.see_apart(record(number), kOld);
  known_.end_scan(kDataset);
  known_.begin_look();
  known_.see(record(101), kNew, known_.mark());
  known_.drop_shown();
  known_.begin_scan(kDataset);
  see(kOld);
  EXPECT_EQ(99U, gone_count(10, [] {}));
}

TEST_F(ManyKnown, AStepThatFailedIsToldAgainByTheNextScan) {
  see_all(2, 100);
  known_.begin_look();
  known_.begin_scan(kDataset);
  see(kOld);
  for (const Wanted& wanted : known_.unseen(kDataset, 10).records) {
    known_.see(wanted, kNoImage, known_.mark());
  }
  known_.drop_shown();
  known_.begin_scan(kDataset);
  see(kOld);
  EXPECT_EQ(99U, gone_count(10, [] {}));
}

TEST_F(ManyKnown, OfAPolledTableNoMoreAreKeptThanABound) {
  known_.forget(kDataset);  // not complete, as what is polled never is
  see_all(1, 100);
  known_.see(record(101), kOld, known_.mark());  // not durable yet
  known_.wrote(record(102), "new");              // not echoed yet
  known_.end_writes();
  known_.trim(kDataset, 102);
  EXPECT_EQ(102U, known_.count());
  known_.trim(kDataset, 101);
  EXPECT_EQ(2U, known_.count());
  EXPECT_FALSE(known_.may_write(record(1), kOld));  // it is looked at anew
  EXPECT_EQ(Known::Seen::kChanged, known_.see(record(1), kOld, known_.mark()));
  EXPECT_TRUE(known_.may_write(record(102), kNew));
}

TEST(PollPlace, ReadsOnFromWhereItWasWhenTheOldestTransactionBegan) {
  PollPlace place;
  place.end_round({100, 100, "a"}, 0);
  EXPECT_EQ("a", place.from());
  place.end_round({200, 150, "b"}, 0);  // something has been open since 150
  EXPECT_EQ("a", place.from());
  place.end_round({300, 150, "c"}, 0);
  EXPECT_EQ("a", place.from());
  place.end_round({400, 250, "d"}, 0);
  EXPECT_EQ("b", place.from());
  place.end_round({500, 500, "e"}, 0);
  EXPECT_EQ("e", place.from());
}

TEST(PollPlace, ReachesBackByItsOverlap) {
  PollPlace place;
  place.begin("0");
  place.end_round({1000, 1000, "a"}, 500);
  EXPECT_EQ("0", place.from());
  place.end_round({1600, 1600, "b"}, 500);
  EXPECT_EQ("a", place.from());
}

TEST(ScanPlace, IsWhatItWasAfterARoundTripAndRisesWithItsNumber) {
  const Place place{300, 4, {{7, {"changed_at", "2026-01-01"}}, {9, {"version", ""}}}};
  const model::Position position = position_of(place);
  const auto read = place_of(position, "erp");
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(300, read.value().number);
  EXPECT_EQ(4U, read.value().echo);
  EXPECT_EQ(place.from, read.value().from);
  EXPECT_LT(position, position_of({301, 1, {}}));
}

TEST(ScanPlace, APlaceOfALogIsNone) {
  const auto read = place_of({std::string(20, '\1')}, "erp");
  ASSERT_FALSE(read.has_value());
  EXPECT_EQ(ErrorCode::kSystemLost, read.error().code);
}

}  // namespace
}  // namespace syncline::scan
