// A publication that somebody else alters leaves out what is written: it is made as it was, and
// what it may have left out is read.
#include "tests/unit/postgres/looked_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

const std::string kAlter = "ALTER PUBLICATION syncline_zurich_shop ";
const std::string kMore =
    "; INSERT INTO customer VALUES (2, 'Bob', NULL); UPDATE customer SET "
    "name = 'Anna' WHERE id = 1; ";
const std::string kAnna = "snapshot 1 name=Anna mail=NULL";
const std::string kBob = "snapshot 2 name=Bob mail=NULL";

class Published : public Looked {
 protected:
  void begin(const std::string& more = "") {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)" + more);
    user_.run("CREATE TABLE item(id bigint PRIMARY KEY, name text)");
    start({make_schema("customer", "id:int64 name:text mail:text"),
           make_schema("item", "id:int64 name:text")});
    open_with(small(), {}, clock_);
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    EXPECT_THAT(take(1), SizeIs(1));
  }
  void expect_it_is_told_again() {
    user_.run("UPDATE customer SET name = 'Cy' WHERE id = 1; DELETE FROM customer WHERE id = 2");
    EXPECT_THAT(take(2), ElementsAre("update 1 name=Cy mail=NULL", "delete 2"));
    EXPECT_THAT(stopped_, IsEmpty());
    expect_nothing_to_read();
  }
  // Nobody can say of which tables it left something out.
  void expect_all_is_read_behind(const std::string& sql) {
    user_.run(sql);
    rescans_.clear();
    clock_.skip_seconds(6);
    poll_until([this] { return rescans_.size() >= 2; });
    EXPECT_THAT(rescans_, testing::UnorderedElementsAre(schemas_[0].dataset, schemas_[1].dataset));
    EXPECT_THAT(snapshot(), ElementsAre(kAnna, kBob));
  }
  bool can_filter() const { return std::stoi(user_.ask("SHOW server_version_num")) >= 150000; }
};

TEST_F(Published, ATableThatIsTakenOutIsPutBackAndRead) {
  begin();
  EXPECT_THAT(read_behind(kAlter + "DROP TABLE customer" + kMore), ElementsAre(kAnna, kBob));
  expect_it_is_told_again();
}

TEST_F(Published, ATableThatWasOutBetweenTwoLooksIsRead) {
  begin();
  EXPECT_THAT(read_behind(kAlter + "DROP TABLE customer" + kMore + kAlter + "ADD TABLE customer"),
              ElementsAre(kAnna, kBob));
  expect_it_is_told_again();
}

TEST_F(Published, ATableThatWasOutWhileNobodyReadIsRead) {
  begin();
  EXPECT_THAT(
      read_at_next_start(kAlter + "DROP TABLE customer" + kMore + kAlter + "ADD TABLE customer"),
      ElementsAre(kAnna, kBob));
  expect_it_is_told_again();
  EXPECT_THAT(read_at_next_start(kAlter + "DROP TABLE customer; DELETE FROM customer"), IsEmpty());
  expect_nothing_to_read_after("INSERT INTO customer VALUES (3, 'Dan', NULL)");
}

TEST_F(Published, KindsOfChangesThatWereLeftOutAreRead) {
  begin();
  expect_all_is_read_behind(kAlter + "SET (publish = 'insert')" + kMore);
  expect_it_is_told_again();
}

TEST_F(Published, KindsOfChangesThatWereLeftOutBetweenTwoLooksAreRead) {
  begin();
  expect_all_is_read_behind(kAlter + "SET (publish = 'insert')" + kMore + kAlter +
                            "SET (publish = 'insert, update, delete, truncate')");
  expect_it_is_told_again();
}

TEST_F(Published, PartitionsThatAreToldByTheirOwnNamesAreRead) {
  begin(
      " PARTITION BY RANGE (id); CREATE TABLE low PARTITION OF customer FOR VALUES FROM (0) TO "
      "(9)");
  expect_all_is_read_behind(kAlter + "SET (publish_via_partition_root = false)" + kMore);
  expect_it_is_told_again();
}

TEST_F(Published, RowsThatAFilterLeavesOutAreRead) {
  begin();
  if (!can_filter()) GTEST_SKIP() << "from 15 on";
  EXPECT_THAT(
      read_behind(kAlter + "SET TABLE syncline.syncline_checkpoint, item, customer WHERE (id > 2)" +
                  kMore),
      ElementsAre(kAnna, kBob));
  expect_it_is_told_again();
}

// The log then describes a table without them.
TEST_F(Published, ColumnsThatAreLeftOutAreRead) {
  begin();
  if (!can_filter()) GTEST_SKIP() << "from 15 on";
  user_.run(kAlter + "SET TABLE syncline.syncline_checkpoint, item, customer (id, name)" + kMore);
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_THAT(snapshot(), ElementsAre(kAnna, kBob));
  expect_it_is_told_again();
}

// What is added meanwhile in a transaction that began before is not in the log.
TEST_F(Published, TheScanWaitsForTransactionsThatBeganWhileItWasOut) {
  begin();
  User slow(database_);
  user_.run(kAlter + "DROP TABLE customer");
  slow.run("BEGIN; INSERT INTO customer VALUES (2, 'Bob', NULL)");
  rescans_.clear();
  clock_.skip_seconds(6);
  take_for(500);
  EXPECT_THAT(rescans_, IsEmpty());
  slow.run("COMMIT");
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), SizeIs(2));
}

TEST_F(Published, OneThatIsMadeAnewWhileNobodyReadsHasLostWhatItLeftOut) {
  begin();
  take_for(200);
  const std::string layout = source_->layout();
  system_.source.reset();
  user_.run("DROP PUBLICATION syncline_zurich_shop" + kMore +
            "CREATE PUBLICATION syncline_zurich_shop FOR TABLE customer, item, "
            "syncline.syncline_checkpoint WITH (publish_via_partition_root = true)");
  make_source(small(), clock_);
  source_->compare_with(layout);
  const auto opened = source_->open(sink_->position);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemLost, opened.error().code);
  EXPECT_THAT(opened.error().why, HasSubstr("publication"));
}

// Which is altered for it.
TEST_F(Published, ATableThatGoesAndComesBackAsksForNoScanOfOthers) {
  begin();
  user_.run("ALTER TABLE customer DROP name");
  clock_.skip_seconds(6);
  poll_until([this] { return !stopped_.empty(); });
  user_.run("ALTER TABLE customer ADD name text");
  clock_.skip_seconds(6);
  rescans_.clear();
  poll_until([this] { return !rescans_.empty(); });
  take_for(300);
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_THAT(stopped_, SizeIs(1));
}

TEST_F(Published, WhatOthersAddToItIsTakenAwayAndNothingIsRead) {
  begin();
  user_.run("CREATE TABLE other(id bigint PRIMARY KEY); " + kAlter + "ADD TABLE other");
  expect_nothing_to_read();
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM pg_publication_tables WHERE tablename = 'other'"));
}

}  // namespace
}  // namespace syncline::postgres
