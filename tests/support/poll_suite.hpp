// capture = "poll" against a real server: one suite for all drivers that poll by drivers/scan.
// Base: as for ScanSuite; its customer table gets the columns changed_at and version, and an index
// on each (make_poll_columns), and its Holder can commit.
#pragma once

#include <string>

#include "tests/support/scan_suite.hpp"

namespace syncline::ports {

template <class Base>
class PollSuite : public ScanSuite<Base> {
 protected:
  PollSuite() {
    this->make_poll_columns();
    poll_by("changed_at");
  }
  void poll_by(const std::string& column) {
    this->config_.datasets[0].capture = Capture::kPoll;
    this->config_.datasets[0].poll_by = column;
    this->reopen({});
  }
  // Longer than a poll looks back of itself.
  void outlast_the_margin() { this->user_.ask(Base::kOutlast); }
  void add(int id, const std::string& changed_at, int version = 1) {
    this->user_.run("INSERT INTO customer (id, name, changed_at, version) VALUES (" +
                    std::to_string(id) + ", 'n', '" + changed_at + "', " + std::to_string(version) +
                    ")");
  }
  // A third row is there, and the place stands behind the first one.
  void scan_past_the_first_rows() {
    this->scan();
    this->user_.run("UPDATE customer SET name = 'Bea'" + std::string(Base::kTouch) +
                    " WHERE id = 2");
    this->scan();
    outlast_the_margin();
    this->user_.run("INSERT INTO customer (id, name, changed_at) VALUES (3, 'Cy', " +
                    std::string(Base::kNow) + ")");
    this->scan_and_acknowledge();
  }
  void expect_stopped(const std::string& what, const std::string& fix) {
    this->scan();
    ASSERT_EQ(1U, this->last_poll_.stopped.size());
    const Error& error = this->last_poll_.stopped[0].error;
    EXPECT_THAT(error.what, testing::HasSubstr(what));
    EXPECT_THAT(error.fix, testing::HasSubstr(fix));
  }
};

TYPED_TEST_SUITE_P(PollSuite);

TYPED_TEST_P(PollSuite, ShowsTheRowsWhoseColumnHasRisen) {
  EXPECT_EQ(2U, this->scan().size());
  this->user_.run("UPDATE customer SET name = 'unseen' WHERE id = 2");
  this->user_.run("UPDATE customer SET name = 'Anna'" + std::string(TypeParam::kTouch) +
                  " WHERE id = 1");
  EXPECT_THAT(this->scan(), testing::Contains("update 1 name=Anna mail=a@x"));
  EXPECT_THAT(this->scan(), testing::IsEmpty());
}

TYPED_TEST_P(PollSuite, ReadsRowsOfOneValueInChunks) {
  for (int id = 10; id < 50; ++id) this->add(id, "2026-01-01 00:00:00");
  EXPECT_EQ(42U, this->scan(7).size());
  EXPECT_THAT(this->scan(7), testing::IsEmpty());
  this->add(60, "2026-01-01 00:00:00");
  this->poll_by("changed_at");
  EXPECT_EQ(43U, this->scan(7).size());
}

TYPED_TEST_P(PollSuite, WhatATransactionCommitsLateIsNotMissed) {
  this->scan();
  typename TypeParam::Holder late(*this, std::string("INSERT INTO customer (id, name, changed_at, "
                                                     "version) VALUES (7, 'late', ") +
                                             TypeParam::kNow + ", 5)");
  for (int id = 20; id < 25; ++id) {
    this->user_.run("INSERT INTO customer (id, name, changed_at, version) VALUES (" +
                    std::to_string(id) + ", 'n', " + TypeParam::kNow + ", " + std::to_string(id) +
                    ")");
    EXPECT_THAT(this->scan(), testing::SizeIs(1));
    if (id < 22) this->outlast_the_margin();
  }
  late.commit();
  EXPECT_THAT(this->scan(), testing::ElementsAre("update 7 name=late mail=NULL"));
}

TYPED_TEST_P(PollSuite, AVersionThatATransactionTookEarlyIsNotMissedEither) {
  this->poll_by("version");
  this->scan();
  typename TypeParam::Holder late(*this,
                                  "INSERT INTO customer (id, name, version) VALUES (7, 'late', 5)");
  for (int id = 20; id < 25; ++id) {
    this->add(id, "2026-01-01 00:00:00", id);
    EXPECT_THAT(this->scan(), testing::SizeIs(1));
    if (id < 22) this->outlast_the_margin();
  }
  late.commit();
  EXPECT_THAT(this->scan(), testing::ElementsAre("update 7 name=late mail=NULL"));
}

TYPED_TEST_P(PollSuite, AValueFromAClockThatIsAheadHidesNothing) {
  this->add(30, "2037-01-01 00:00:00");
  for (int look = 0; look < 3; ++look) this->scan();
  this->user_.run("INSERT INTO customer (id, name, changed_at, version) VALUES (31, 'n', " +
                  std::string(TypeParam::kNow) + ", 1)");
  EXPECT_THAT(this->scan(), testing::ElementsAre("update 31 name=n mail=NULL"));
}

TYPED_TEST_P(PollSuite, AnEditIsShownBeforeItIsWrittenOverThoughItsColumnStoodStill) {
  this->scan_and_acknowledge();
  this->user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  this->expect_guarded("set 1 name=ours");
  EXPECT_THAT(this->look(), testing::ElementsAre("update 1 name=theirs mail=a@x"));
  this->acknowledge();
  this->apply({"set 1 name=ours"});
  EXPECT_THAT(this->look(),
              testing::ElementsAre(this->marker(1), "ours update 1 name=ours mail=a@x"));
}

TYPED_TEST_P(PollSuite, AfterARestartItReadsOnWhereItWas) {
  this->scan_past_the_first_rows();
  this->reopen(this->sink_->position);
  EXPECT_THAT(this->look(),
              testing::ElementsAre("update 2 name=Bea mail=NULL", "update 3 name=Cy mail=NULL"));
  EXPECT_THAT(this->last_poll_.rescan, testing::IsEmpty());
}

TYPED_TEST_P(PollSuite, APlaceOfAnotherColumnIsNotReadOnFrom) {
  this->scan_past_the_first_rows();
  this->config_.datasets[0].poll_by = "version";
  this->reopen(this->sink_->position);
  EXPECT_THAT(this->look(), testing::IsEmpty());
  EXPECT_THAT(this->last_poll_.rescan, testing::ElementsAre(this->schemas_[0].dataset));
  EXPECT_EQ(3U, this->scan().size());
}

TYPED_TEST_P(PollSuite, ATableThatIsBackIsReadFromItsBeginning) {
  this->scan_past_the_first_rows();
  this->user_.run("ALTER TABLE customer RENAME COLUMN changed_at TO was");
  this->expect_stopped("has no column changed_at", "name the column");
  this->user_.run("ALTER TABLE customer RENAME COLUMN was TO changed_at");
  this->scan();
  EXPECT_EQ(3U, this->scan().size());
}

TYPED_TEST_P(PollSuite, AColumnThatMayBeNullStopsTheDataset) {
  this->user_.run(TypeParam::kMayBeNull);
  this->expect_stopped("may hold NULL in changed_at", "NOT NULL");
}

TYPED_TEST_P(PollSuite, AColumnWithoutAnIndexStopsTheDataset) {
  this->user_.run(TypeParam::kDropIndex);
  this->expect_stopped("has no index that begins with changed_at", TypeParam::kIndexSql);
}

REGISTER_TYPED_TEST_SUITE_P(PollSuite, ShowsTheRowsWhoseColumnHasRisen, ReadsRowsOfOneValueInChunks,
                            WhatATransactionCommitsLateIsNotMissed,
                            AVersionThatATransactionTookEarlyIsNotMissedEither,
                            AValueFromAClockThatIsAheadHidesNothing,
                            AnEditIsShownBeforeItIsWrittenOverThoughItsColumnStoodStill,
                            AfterARestartItReadsOnWhereItWas, APlaceOfAnotherColumnIsNotReadOnFrom,
                            ATableThatIsBackIsReadFromItsBeginning,
                            AColumnThatMayBeNullStopsTheDataset,
                            AColumnWithoutAnIndexStopsTheDataset);

}  // namespace syncline::ports
