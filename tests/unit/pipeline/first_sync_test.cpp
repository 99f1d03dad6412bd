// What a system's log tells of records that its first sync has not come to yet.
#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

// The ERP was read first, and its rows win. The shop is being read.
class SyncingStory : public PipelineStory {};

TEST_F(SyncingStory, an_update_of_a_row_that_was_not_read_is_that_row_read_early) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_UPDATE, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{});
  EXPECT_EQ(written_to(kShop), Writes{"set 1 Ann erp"});
}

TEST_F(SyncingStory, what_follows_such_an_update_is_news) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_UPDATE, "1", "Ann", "erp");
  log(SYN_OP_UPDATE, "1", "Ann", "new");
  EXPECT_EQ(written_to(kErp), Writes{"set 1 new"});
}

// PostgreSQL does not send large values that did not change.
TEST_F(SyncingStory, an_update_that_does_not_tell_the_whole_row_waits_for_its_reading) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_UPDATE, "1", "Anna", std::nullopt);
  EXPECT_EQ(written_to(kErp), Writes{});
  read(kShop, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{});
  EXPECT_EQ(written_to(kShop), Writes{"set 1 Ann erp"});
}

TEST_F(SyncingStory, a_row_that_was_told_in_parts_is_read_all_the_same) {
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_UPDATE, "1", "Anna", std::nullopt);
  log(SYN_OP_UPDATE, "1", "Anna", "shop");
  read(kShop, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{"put 1 Anna shop"});
}

TEST_F(SyncingStory, a_row_that_was_told_in_parts_is_brought_in_line_with_who_was_read_first) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_UPDATE, "1", "Anna", std::nullopt);
  log(SYN_OP_UPDATE, "1", "Anna", "shop");  // a user's, the last there is of this cell
  read(kShop, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{"set 1 shop"});
  EXPECT_EQ(written_to(kShop), Writes{"set 1 Ann"});
}

TEST_F(SyncingStory, an_insert_in_the_log_is_news_even_where_others_have_the_record) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_INSERT, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{"set 1 Anna shop"});
}

TEST_F(SyncingStory, a_rescan_before_all_was_read_reads_the_rows) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, "1", "Anna", "shop");
  EXPECT_EQ(written_to(kErp), Writes{});
  EXPECT_EQ(written_to(kShop), Writes{"set 1 Ann erp"});
}

TEST_F(SyncingStory, a_delete_of_a_row_that_was_not_read_goes_to_who_has_the_record) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_DELETE, "1");
  EXPECT_EQ(written_to(kErp), Writes{"delete 1"});
  phases(SyncPhase::kLive, SyncPhase::kRead);
  for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
    ASSERT_TRUE(pipeline_->process_missing(kShop, schema_.dataset, lane).has_value());
  }
  ASSERT_TRUE(pipeline_->commit().has_value());
  EXPECT_EQ(written_to(kShop), Writes{});
}

TEST_F(SyncingStory, a_delete_is_kept_for_the_system_that_is_read_later) {
  phases(SyncPhase::kWaiting, SyncPhase::kReading);
  log(SYN_OP_DELETE, "1");
  phases(SyncPhase::kReading, SyncPhase::kLive);
  read(kErp, "1", "Ann", "erp");
  EXPECT_EQ(written_to(kErp), Writes{"delete 1"});
  EXPECT_EQ(written_to(kShop), Writes{});
}

// The reading has overtaken the log, which tells the insert only later.
TEST_F(SyncingStory, a_row_that_is_there_again_when_it_is_read_stays) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kReading);
  log(SYN_OP_DELETE, "1");
  read(kShop, "1", "Anna", "again");
  log(SYN_OP_INSERT, "1", "Anna", "again");
  EXPECT_EQ(written_to(kErp), (Writes{"delete 1", "put 1 Anna again"}));
  EXPECT_EQ(written_to(kShop), Writes{});
}

TEST_F(SyncingStory, a_system_that_is_live_deletes_only_what_it_has_shown) {
  read(kErp, "1", "Ann", "erp");
  phases(SyncPhase::kLive, SyncPhase::kLive);
  log(SYN_OP_DELETE, "1");
  EXPECT_EQ(written_to(kErp), Writes{});
}

TEST_F(SyncingStory, what_a_system_was_sent_and_has_not_shown_is_counted_by_stream) {
  phases(SyncPhase::kReading, SyncPhase::kRead);
  read(kErp, "1", "Ann", "erp");
  read(kErp, "2", "Bob", "erp");
  EXPECT_EQ(pipeline_->in_flight_count(kShop, schema_.stream), 2U);
  EXPECT_EQ(pipeline_->in_flight_count(kShop), 2U);
  EXPECT_EQ(pipeline_->in_flight_count(kShop, schema_.stream + 1), 0U);
  EXPECT_EQ(pipeline_->in_flight_count(kErp, schema_.stream), 0U);
}

// As after a resync of a system that was restored with fewer records.
TEST_F(SyncingStory, WhatTheSystemOnceShowedIsNoLossOfANewReading) {
  rules_[schema_.dataset].delete_limit = {.is_off = false, .records = 2};
  phases(SyncPhase::kLive, SyncPhase::kLive);
  for (const char* id : {"a", "b", "c", "d", "e"}) read(kShop, id, "n", "");
  log(SYN_OP_DELETE, "a");
  ASSERT_TRUE(pipeline_->held_deletes().empty());
  ASSERT_TRUE(pipeline_->begin_reading(kShop, {}).has_value());
  phases(SyncPhase::kLive, SyncPhase::kReading);
  read(kShop, "b", "n", "");
  log(SYN_OP_DELETE, "b");
  EXPECT_TRUE(pipeline_->held_deletes().empty());
}

}  // namespace
}  // namespace syncline::pipeline
