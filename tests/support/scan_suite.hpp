// capture = "scan" against a real system: one suite for all drivers that scan by drivers/scan.
// Base: the driver's fixture, with user_ and a customer table of two rows made by make_customers().
#pragma once

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/system_test.hpp"

namespace syncline::ports {

template <class Base>
class ScanSuite : public Base {
 protected:
  ScanSuite() {
    this->make_customers();
    this->configure(this->url(), {make_schema("customer", "id:int64 name:text mail:text")},
                    Base::kTablePrefix);
    this->config_.datasets[0].capture = Capture::kScan;
    reopen({});
  }
  void reopen(const model::Position& position) {
    this->system_ = {};
    this->system_ = this->make_(this->config_, clock_).value();
    this->expect_ok(this->system_.source->open(position));
    this->expect_ok(this->system_.target->open());
    const std::vector<model::StreamId> streams = {this->schemas_[0].stream};
    this->expect_ok(
        this->system_.target->open_epoch(Base::kEpoch, streams, this->config_.lane_count));
  }
  // Everything that the looks show which are due by now.
  std::vector<std::string> look(size_t row_limit = 100) {
    std::vector<std::string> lines;
    do {
      auto polled = this->system_.source->poll(*this->sink_, row_limit, 0);
      this->expect_ok(polled);
      if (!polled) return lines;
      this->last_poll_ = std::move(polled).value();
      for (std::string& line : this->sink_->take()) lines.push_back(std::move(line));
    } while (this->last_poll_.has_more);
    return lines;
  }
  std::vector<std::string> scan(size_t row_limit = 100) {
    clock_.pass_seconds(60);
    return look(row_limit);
  }
  void acknowledge() { this->expect_ok(this->system_.source->acknowledge(this->sink_->position)); }
  void scan_and_acknowledge() {
    scan();
    acknowledge();
  }
  void expect_guarded(const std::string& write) {
    const auto applied = this->try_apply({write});
    ASSERT_FALSE(applied.has_value()) << write;
    EXPECT_EQ(ErrorCode::kSystemBusy, applied.error().code) << to_string(applied.error());
  }
  std::string name_of(int id) {
    return this->user_.ask("SELECT name FROM customer WHERE id = " + std::to_string(id));
  }

  StepClock clock_;
};

TYPED_TEST_SUITE_P(ScanSuite);

TYPED_TEST_P(ScanSuite, ShowsAllOnceThenOnlyWhatDiffers) {
  EXPECT_THAT(this->scan(),
              testing::ElementsAre("update 1 name=Ann mail=a@x", "update 2 name=Bob mail=NULL"));
  EXPECT_THAT(this->scan(), testing::IsEmpty());
  this->user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  this->user_.run("DELETE FROM customer WHERE id = 2");
  this->user_.run("INSERT INTO customer VALUES (3, 'Cy', NULL)");
  EXPECT_THAT(this->scan(), testing::ElementsAre("update 1 name=Anna mail=a@x",
                                                 "insert 3 name=Cy mail=NULL", "delete 2"));
  EXPECT_THAT(this->scan(), testing::IsEmpty());
}

TYPED_TEST_P(ScanSuite, ScansComeAsOftenAsTheConfigSaysFromTheFirstOn) {
  this->config_.datasets[0].every_us = 1'000'000;
  this->reopen({});
  EXPECT_THAT(this->look(), testing::IsEmpty());
  for (const char* name : {"Anna", "Anne"}) {
    this->user_.run("UPDATE customer SET name = '" + std::string(name) + "' WHERE id = 1");
    this->clock_.pass_seconds(1);
    EXPECT_THAT(this->look(), testing::Contains(testing::HasSubstr(name)));
    this->clock_.pass_seconds(1);
    EXPECT_THAT(this->look(), testing::IsEmpty());
  }
}

TYPED_TEST_P(ScanSuite, ReadsLargeTablesInChunks) {
  for (int id = 3; id <= 300; ++id) {
    this->user_.run("INSERT INTO customer VALUES (" + std::to_string(id) + ", 'n', NULL)");
  }
  EXPECT_EQ(300U, this->scan(64).size());
  this->user_.run("DELETE FROM customer WHERE id IN (77, 78)");
  EXPECT_THAT(this->scan(64), testing::UnorderedElementsAre("delete 77", "delete 78"));
}

TYPED_TEST_P(ScanSuite, OurWritesAreEchoedBehindTheirMarkerAndNotAgain) {
  this->scan_and_acknowledge();
  this->apply({"set 1 name=ours", "delete 2", "put 5 name=new mail=NULL"});
  EXPECT_THAT(this->look(),
              testing::ElementsAre(this->marker(1), "ours update 1 name=ours mail=a@x",
                                   "ours delete 2", "ours update 5 name=new mail=NULL"));
  EXPECT_THAT(this->scan(), testing::IsEmpty());
}

TYPED_TEST_P(ScanSuite, OfSeveralWritesOfARecordTheLastIsEchoed) {
  this->scan_and_acknowledge();
  for (int i = 0; i < 3; ++i) this->apply({"set 1 name=o" + std::to_string(i)});
  EXPECT_THAT(this->look(),
              testing::ElementsAre(this->marker(3), "ours update 1 name=o2 mail=a@x"));
}

TYPED_TEST_P(ScanSuite, AUserWhoWritesTheOldValueBackMakesAChange) {
  this->scan_and_acknowledge();
  this->apply({"set 1 name=ours"});
  this->user_.run("UPDATE customer SET name = 'Ann' WHERE id = 1");
  EXPECT_THAT(this->scan(),
              testing::ElementsAre(this->marker(1), "ours update 1 name=ours mail=a@x",
                                   "update 1 name=Ann mail=a@x"));
}

TYPED_TEST_P(ScanSuite, AnEditBetweenALookAndAWriteIsShownAndDurableBeforeItIsWrittenOver) {
  this->scan_and_acknowledge();
  this->user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  this->expect_guarded("set 1 name=ours");
  EXPECT_EQ("theirs", this->name_of(1));
  // No time has passed: the write that waits brings the look forward, for this record.
  EXPECT_THAT(this->look(), testing::ElementsAre("update 1 name=theirs mail=a@x"));
  this->expect_guarded("set 1 name=ours");
  this->look();
  this->acknowledge();
  this->apply({"set 1 name=ours"});
  EXPECT_EQ("ours", this->name_of(1));
}

TYPED_TEST_P(ScanSuite, AnUnseenInsertAndAnUnseenDeleteAreGuardedToo) {
  this->scan_and_acknowledge();
  this->user_.run("INSERT INTO customer VALUES (9, 'theirs', NULL)");
  this->user_.run("DELETE FROM customer WHERE id = 2");
  this->expect_guarded("put 9 name=ours mail=NULL");
  this->expect_guarded("delete 9");
  this->expect_guarded("set 2 name=ours");
  this->expect_guarded("put 2 name=ours mail=NULL");
  EXPECT_THAT(this->look(),
              testing::UnorderedElementsAre("insert 9 name=theirs mail=NULL", "delete 2"));
  this->acknowledge();
  this->apply({"put 9 name=ours mail=NULL", "put 2 name=ours mail=NULL"});
  EXPECT_EQ("ours", this->name_of(9));
}

TYPED_TEST_P(ScanSuite, NothingIsWrittenOverBeforeItWasShownAndIsDurable) {
  this->expect_guarded("set 1 name=ours");
  EXPECT_THAT(this->look(), testing::ElementsAre("update 1 name=Ann mail=a@x"));
  this->expect_guarded("set 1 name=ours");
  this->acknowledge();
  this->apply({"set 1 name=ours"});
}

TYPED_TEST_P(ScanSuite, BeforeTheFirstScanEndedARecordThatIsAbsentIsAskedFor) {
  this->expect_guarded("put 7 name=ours mail=NULL");
  EXPECT_THAT(this->look(), testing::ElementsAre("delete 7"));
  this->acknowledge();
  this->apply({"put 7 name=ours mail=NULL"});
}

TYPED_TEST_P(ScanSuite, WhatAFirstSyncReadIsKnownOnceTheNextLookIsDurable) {
  EXPECT_EQ(2U, this->snapshot(1).size());
  this->apply({"put 5 name=new mail=NULL"});
  this->expect_guarded("set 1 name=ours");
  EXPECT_THAT(this->look(),
              testing::ElementsAre(this->marker(1), "ours update 5 name=new mail=NULL"));
  this->acknowledge();
  this->apply({"set 1 name=ours"});
}

TYPED_TEST_P(ScanSuite, ARowThatAUserHoldsIsNotWaitedFor) {
  this->scan_and_acknowledge();
  typename TypeParam::Holder holder(*this, "UPDATE customer SET name = 'held' WHERE id = 1");
  this->expect_guarded("set 1 name=ours");
  if constexpr (TypeParam::kLocksRows) {
    this->apply({"set 2 name=other"});
  } else {
    this->expect_guarded("set 2 name=other");  // the whole database is held
  }
}

TYPED_TEST_P(ScanSuite, ARefusedRecordIsNamedAndTheRestIsWritten) {
  this->scan_and_acknowledge();
  const auto applied = this->try_apply({"put 8 name=x mail=a@x", "put 9 name=y mail=NULL"});
  ASSERT_TRUE(applied.has_value()) << to_string(applied.error());
  ASSERT_TRUE(applied.value().poison.has_value());
  EXPECT_EQ(0U, applied.value().poison->write_index);
  this->apply({"put 9 name=y mail=NULL"});
  EXPECT_EQ("y", this->name_of(9));
}

TYPED_TEST_P(ScanSuite, UniqueValuesMayBeSwappedInOneBatch) {
  this->user_.run("UPDATE customer SET mail = 'b@x' WHERE id = 2");
  this->scan_and_acknowledge();
  this->apply({"set 1 mail=b@x", "set 2 mail=a@x"});
  EXPECT_EQ("b@x;a@x", this->user_.ask("SELECT mail FROM customer ORDER BY id"));
}

TYPED_TEST_P(ScanSuite, AfterARestartEchoesThatWereNotDurableComeAgainAndThoseThatWereDoNot) {
  this->scan_and_acknowledge();
  this->apply({"set 1 name=first"});
  this->look();
  const model::Position durable = this->sink_->position;
  this->acknowledge();
  this->apply({"set 2 name=second"});
  this->user_.run("UPDATE customer SET name = 'Bob' WHERE id = 2");
  this->reopen(durable);
  EXPECT_THAT(this->look(),
              testing::ElementsAre(this->marker(2), "ours update 2 name=second mail=NULL"));
  EXPECT_THAT(this->last_poll_.rescan, testing::ElementsAre(this->schemas_[0].dataset));
}

TYPED_TEST_P(ScanSuite, EchoesThatAreDurableAreRemoved) {
  this->scan_and_acknowledge();
  this->apply({"set 1 name=a"});
  this->look();
  this->acknowledge();
  this->apply({"set 1 name=b"});
  EXPECT_EQ("1", this->user_.ask(std::string("SELECT count(*) FROM ") + TypeParam::kEchoTable));
}

TYPED_TEST_P(ScanSuite, ARowFilterShowsWhatLeavesItAsGoneAndIsNotWrittenPast) {
  this->config_.datasets[0].where = "name <> 'away'";
  this->reopen({});
  this->scan_and_acknowledge();
  this->user_.run("UPDATE customer SET name = 'away' WHERE id = 2");
  EXPECT_THAT(this->scan(), testing::ElementsAre("delete 2"));
  this->acknowledge();
  for (const std::string write : {"put 2 name=back mail=NULL", "set 1 name=away"}) {
    const auto applied = this->try_apply({write});
    ASSERT_TRUE(applied.has_value()) << to_string(applied.error());
    ASSERT_TRUE(applied.value().poison.has_value()) << write;
    EXPECT_THAT(applied.value().poison->error.what, testing::HasSubstr("outside the row filter"));
  }
  this->user_.run("INSERT INTO customer VALUES (3, 'away', NULL)");
  const auto both = this->try_apply({"put 2 name=back mail=NULL", "put 3 name=back mail=NULL"});
  EXPECT_THAT(this->places_refused(both), testing::ElementsAre(0, 1));
  EXPECT_EQ("Ann;away;away", this->user_.ask("SELECT name FROM customer ORDER BY id"));
}

TYPED_TEST_P(ScanSuite, ADroppedMappedColumnStopsItsDatasetUntilItIsBack) {
  this->scan_and_acknowledge();
  this->user_.run("ALTER TABLE customer RENAME COLUMN name TO label");
  EXPECT_THAT(this->scan(), testing::IsEmpty());
  ASSERT_EQ(1U, this->last_poll_.stopped.size());
  EXPECT_THAT(this->last_poll_.stopped[0].error.what, testing::HasSubstr("has no column name"));
  this->user_.run("ALTER TABLE customer RENAME COLUMN label TO name");
  this->clock_.pass_seconds(60);
  this->look();
  EXPECT_THAT(this->last_poll_.rescan, testing::ElementsAre(this->schemas_[0].dataset));
}

TYPED_TEST_P(ScanSuite, ADroppedTableStopsNoOther) {
  this->user_.run("CREATE TABLE thing(id int PRIMARY KEY, name varchar(20))");
  this->configure(this->url(),
                  {make_schema("customer", "id:int64 name:text mail:text"),
                   make_schema("thing", "id:int64 name:text")},
                  TypeParam::kTablePrefix);
  for (DatasetMapping& mapping : this->config_.datasets) mapping.capture = Capture::kScan;
  this->reopen({});
  this->scan_and_acknowledge();
  this->user_.run("DROP TABLE thing");
  this->user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  this->clock_.pass_seconds(60);
  std::vector<std::string> shown;
  size_t stop_count = 0;
  for (int i = 0; i < 3; ++i) {  // the first may meet the change while it reads
    const auto polled = this->system_.source->poll(*this->sink_, 100, 0);
    for (std::string& line : this->sink_->take()) shown.push_back(std::move(line));
    if (polled) stop_count += polled.value().stopped.size();
    this->clock_.pass_seconds(60);
  }
  EXPECT_THAT(shown, testing::ElementsAre("update 1 name=Anna mail=a@x"));
  EXPECT_EQ(1U, stop_count);
}

// Its rows are older ones, which would be taken for edits of now.
TYPED_TEST_P(ScanSuite, ADatabaseThatWentBackIsLost) {
  std::string checkpoint = TypeParam::kEchoTable;
  checkpoint.replace(checkpoint.rfind("echo"), 4, "checkpoint");
  this->scan_and_acknowledge();
  this->apply({"set 1 name=first"});
  this->scan_and_acknowledge();
  this->apply({"set 1 name=second"});
  this->scan_and_acknowledge();
  this->user_.run("UPDATE customer SET name = 'first' WHERE id = 1");
  for (const std::string sequence : {"1", "0"}) {
    this->user_.run("UPDATE " + checkpoint + " SET seq = " + sequence + " WHERE seq > 0");
    this->clock_.pass_seconds(60);
    const auto polled = this->system_.source->poll(*this->sink_, 100, 0);
    ASSERT_FALSE(polled.has_value());
    EXPECT_EQ(ErrorCode::kSystemWentBack, polled.error().code);
    EXPECT_THAT(this->sink_->take(), testing::IsEmpty());
  }
}

// Of a dataset whose table does not fit an echo has no shape: it waits, and nothing ends.
TYPED_TEST_P(ScanSuite, AnEchoWaitsForItsTable) {
  this->scan_and_acknowledge();
  const model::Position durable = this->sink_->position;
  this->apply({"set 1 name=ours"});
  this->user_.run("ALTER TABLE customer RENAME COLUMN name TO label");
  this->reopen(durable);
  EXPECT_THAT(this->look(), testing::ElementsAre(this->marker(1)));
  ASSERT_EQ(1U, this->last_poll_.stopped.size());
  this->user_.run("ALTER TABLE customer RENAME COLUMN label TO name");
  EXPECT_THAT(this->scan(), testing::Contains("ours update 1 name=ours mail=a@x"));
}

TYPED_TEST_P(ScanSuite, AnEchoSaysNothingOfAFieldThatWasAddedSince) {
  this->configure(this->url(), {make_schema("customer", "id:int64 name:text")},
                  TypeParam::kTablePrefix);
  this->config_.datasets[0].capture = Capture::kScan;
  this->reopen({});
  this->scan_and_acknowledge();
  const model::Position durable = this->sink_->position;
  this->apply({"set 1 name=ours"});
  this->configure(this->url(), {make_schema("customer", "id:int64 name:text mail:text")},
                  TypeParam::kTablePrefix);
  this->config_.datasets[0].capture = Capture::kScan;
  this->reopen(durable);
  EXPECT_THAT(this->look(), testing::ElementsAre(this->marker(1), "ours update 1 name=ours"));
}

TYPED_TEST_P(ScanSuite, OneSystemIsReadInOneWay) {
  this->config_.datasets.push_back(this->config_.datasets[0]);
  this->config_.datasets[1].capture = Capture::kLog;
  const auto mixed = this->make_(this->config_, this->clock_);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_THAT(mixed.error().what, testing::HasSubstr("mixes"));
}

TYPED_TEST_P(ScanSuite, AKeyInAnotherSpellingIsNoRecord) {
  this->user_.run(std::string("CREATE TABLE thing(id ") + TypeParam::kTextKey +
                  " NOT NULL PRIMARY KEY, name varchar(20))");
  this->configure(this->url(), {make_schema("thing", "id:uuid name:text")},
                  TypeParam::kTablePrefix);
  this->config_.datasets[0].capture = Capture::kScan;
  this->reopen({});
  const std::string ours = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  this->user_.run("INSERT INTO thing VALUES ('" + ours + "', 'a'), (upper('" + ours + "'), 'b')");
  EXPECT_THAT(this->scan(), testing::ElementsAre("update " + ours + " name=a"));
  this->snapshot();
  ASSERT_EQ(1U, this->rejected_.size());
  EXPECT_EQ(this->key_of(this->schemas_[0], ours), this->rejected_[0].key);
  this->user_.run("DELETE FROM thing WHERE name = 'b'");
  EXPECT_THAT(this->scan(), testing::IsEmpty());
  this->user_.run("UPDATE thing SET id = upper(id)");
  EXPECT_THAT(this->scan(), testing::ElementsAre("delete " + ours));
}

REGISTER_TYPED_TEST_SUITE_P(
    ScanSuite, ShowsAllOnceThenOnlyWhatDiffers, AKeyInAnotherSpellingIsNoRecord,
    ScansComeAsOftenAsTheConfigSaysFromTheFirstOn, ReadsLargeTablesInChunks,
    OurWritesAreEchoedBehindTheirMarkerAndNotAgain, OfSeveralWritesOfARecordTheLastIsEchoed,
    AUserWhoWritesTheOldValueBackMakesAChange,
    AnEditBetweenALookAndAWriteIsShownAndDurableBeforeItIsWrittenOver,
    AnUnseenInsertAndAnUnseenDeleteAreGuardedToo, NothingIsWrittenOverBeforeItWasShownAndIsDurable,
    BeforeTheFirstScanEndedARecordThatIsAbsentIsAskedFor,
    WhatAFirstSyncReadIsKnownOnceTheNextLookIsDurable, ARowThatAUserHoldsIsNotWaitedFor,
    ARefusedRecordIsNamedAndTheRestIsWritten, UniqueValuesMayBeSwappedInOneBatch,
    AfterARestartEchoesThatWereNotDurableComeAgainAndThoseThatWereDoNot,
    EchoesThatAreDurableAreRemoved, ARowFilterShowsWhatLeavesItAsGoneAndIsNotWrittenPast,
    ADroppedMappedColumnStopsItsDatasetUntilItIsBack, ADroppedTableStopsNoOther,
    ADatabaseThatWentBackIsLost, AnEchoWaitsForItsTable, AnEchoSaysNothingOfAFieldThatWasAddedSince,
    OneSystemIsReadInOneWay);

}  // namespace syncline::ports
