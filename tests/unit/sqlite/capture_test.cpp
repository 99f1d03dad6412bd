// What users do, as the source shows it.
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::ElementsAre, testing::IsEmpty;

TEST_F(SqliteTest, ShowsInsertUpdateAndDelete) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  EXPECT_THAT(poll(), ElementsAre("insert 1 name=Ann mail=a@x", "insert 2 name=Bob mail=NULL"));
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1; DELETE FROM customer WHERE id = 2");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=Anna mail=a@x", "delete 2"));
  EXPECT_THAT(poll(), IsEmpty());
}

TEST_F(SqliteTest, ShowsTheNetEffectOfManyChangesOnce) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL)");
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1; DELETE FROM customer WHERE id = 2");
  EXPECT_THAT(poll(), ElementsAre("insert 1 name=Anna mail=NULL", "delete 2"));
  user_.run("BEGIN; DELETE FROM customer; INSERT INTO customer VALUES (1, 'New', NULL); COMMIT");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=New mail=NULL"));
}

TEST_F(SqliteTest, ARowUnderAnotherKeyTellsWhoseItWas) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL), (3, 'Cid', NULL)");
  drain();
  sink_->old_keys.clear();
  user_.run(
      "UPDATE customer SET id = 10 WHERE id = 1; UPDATE customer SET id = 11 WHERE id = 10; "
      "UPDATE customer SET name = 'Anna' WHERE id = 11; DELETE FROM customer WHERE id = 2; "
      "INSERT INTO customer VALUES (2, 'Bea', NULL); UPDATE customer SET id = 20 WHERE id = 3; "
      "DELETE FROM customer WHERE id = 20; INSERT INTO customer VALUES (20, 'Dan', NULL)");
  EXPECT_THAT(poll(), ElementsAre("delete 1", "delete 10", "insert 11 name=Anna mail=NULL",
                                  "update 2 name=Bea mail=NULL", "delete 3",
                                  "insert 20 name=Dan mail=NULL"));
  EXPECT_THAT(sink_->old_keys, ElementsAre("to 11", "", "was 1", "", "to 20", ""));
}

// What is at the key then is another row, so the record ends and begins anew.
TEST_F(SqliteTest, ARowThatMovesOnLeavesItsKeyToTheNext) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL), (3, 'Cid', NULL)");
  drain();
  sink_->old_keys.clear();
  user_.run(
      "BEGIN; UPDATE customer SET id = -1 - id WHERE id < 3; UPDATE customer SET id = 4 WHERE id = "
      "3; UPDATE customer SET id = -id WHERE id < 0; INSERT INTO customer VALUES (1, 'Dan', NULL); "
      "UPDATE customer SET id = 9 WHERE id = 4; UPDATE customer SET id = 4 WHERE id = 9; COMMIT");
  EXPECT_THAT(poll(), ElementsAre("delete -3", "delete 3", "insert 3 name=Bob mail=NULL",
                                  "delete -2", "delete 2", "insert 2 name=Ann mail=NULL",
                                  "delete 1", "insert 1 name=Dan mail=NULL", "delete 9",
                                  "insert 4 name=Cid mail=NULL"));
  EXPECT_THAT(sink_->old_keys,
              ElementsAre("", "to 4", "was 2", "", "to 3", "was 1", "to 2", "", "", "was 3"));
}

// The rows of changes are read in runs, none of which ends between the two of a move.
TEST_F(SqliteTest, ARowUnderAnotherKeyIsKnownWhereARunEnds) {
  start_customers();
  user_.run(
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
      "INSERT INTO customer SELECT i, 'Ann', NULL FROM n");
  for (size_t seen = 0; seen < 40000; expect_ok(system_.source->acknowledge(sink_->position))) {
    seen += poll().size();
  }
  for (const char* first : {"", "UPDATE customer SET name = 'Bob' WHERE id % 99999 = 1; "}) {
    sink_->old_keys.clear();
    user_.run(std::string(first) + "UPDATE customer SET id = id + 100000");
    size_t inserted = 0;
    while (inserted < 40000) {
      for (const std::string& line : poll()) inserted += line.starts_with("insert") ? 1 : 0;
      expect_ok(system_.source->acknowledge(sink_->position));
    }
    EXPECT_EQ(40000, std::ranges::count_if(sink_->old_keys, [](const std::string& key) {
                return key.starts_with("was ");
              }));
  }
}

TEST_F(SqliteTest, ARowThatMovesOnIsKnownWhereARunEnds) {
  start_customers();
  user_.run(
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 40000) "
      "INSERT INTO customer SELECT i, 'Ann', NULL FROM n");
  for (size_t seen = 0; seen < 40000; expect_ok(system_.source->acknowledge(sink_->position))) {
    seen += poll().size();
  }
  sink_->old_keys.clear();
  user_.run("BEGIN; DELETE FROM customer WHERE id = 1; UPDATE customer SET id = id - 1; COMMIT");
  const auto count = [&](const std::string& what) {
    return std::ranges::count_if(sink_->old_keys,
                                 [&](const std::string& key) { return key.starts_with(what); });
  };
  for (size_t seen = 1; seen > 0; expect_ok(system_.source->acknowledge(sink_->position))) {
    seen = poll().size();
  }
  EXPECT_EQ(39999, count("was "));
  EXPECT_EQ(39999, count("to "));
}

TEST_F(SqliteTest, NothingOfAnOpenOrRolledBackTransactionIsShown) {
  start_customers();
  user_.run("BEGIN; INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_THAT(poll(), IsEmpty());
  user_.run("ROLLBACK");
  EXPECT_THAT(poll(), IsEmpty());
}

TEST_F(SqliteTest, OursComeBehindTheirMarker) {
  start_customers();
  apply({"put 1 name=Ann mail=a@x", "put 2 name=Bob mail=NULL"});
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours insert 1 name=Ann mail=a@x",
                                  "ours insert 2 name=Bob mail=NULL"));
  apply({"set 1 name=Anna", "delete 2"});
  EXPECT_THAT(poll(), ElementsAre(marker(2), "ours delete 2", "ours update 1 name=Anna mail=a@x"));
}

TEST_F(SqliteTest, IdleSystemsCauseNoWritesAndNoRows) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  const std::string before = user_.ask("SELECT max(id) FROM syncline_changes");
  for (int i = 0; i < 5; ++i) EXPECT_THAT(poll(), IsEmpty());
  EXPECT_EQ(before, user_.ask("SELECT max(id) FROM syncline_changes"));
}

TEST_F(SqliteTest, AcknowledgedRowsGoButTheLastStays) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL)");
  drain();
  EXPECT_EQ("3", user_.ask("SELECT group_concat(id) FROM syncline_changes"));
}

TEST_F(SqliteTest, ResumesBehindThePositionAndRepeatsWhatWasNotAcknowledged) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  const model::Position acknowledged = sink_->position;
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(poll(), ElementsAre("insert 2 name=Bob mail=NULL"));
  connect(acknowledged);
  EXPECT_THAT(poll(), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(SqliteTest, SnapshotReadsAllInKeyOrderByChunks) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (3, 'C', NULL), (1, 'A', NULL), (2, 'B', NULL)");
  const auto first = system_.source->read_snapshot(schemas_[0].dataset, "", 2, *sink_);
  expect_ok(first);
  EXPECT_THAT(sink_->take(),
              ElementsAre("snapshot 1 name=A mail=NULL", "snapshot 2 name=B mail=NULL"));
  const auto second =
      system_.source->read_snapshot(schemas_[0].dataset, first.value().cursor, 2, *sink_);
  expect_ok(second);
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot 3 name=C mail=NULL"));
  EXPECT_TRUE(second.value().cursor.empty());
}

TEST_F(SqliteTest, ReadsSingleRecords) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'A', NULL), (2, 'B', NULL)");
  const std::vector<std::string> keys = {key_of(schemas_[0], "2"), key_of(schemas_[0], "9")};
  expect_ok(system_.source->read_records(schemas_[0].dataset, keys, *sink_));
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot 2 name=B mail=NULL"));
}

// Another system's, which verify asks for here, too.
TEST_F(SqliteTest, AKeyThatNoRowCanHaveKeepsNoOtherBack) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  start({make_schema("customer", "id:uint64 name:text")});
  user_.run("INSERT INTO customer VALUES (2, 'B')");
  const std::vector<std::string> keys = {key_of(schemas_[0], "18446744073709551615"),
                                         key_of(schemas_[0], "2")};
  expect_ok(system_.source->read_records(schemas_[0].dataset, keys, *sink_));
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot 2 name=B"));
}

TEST_F(SqliteTest, ARecordThatCannotBeReadKeepsNoOtherBack) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, points INTEGER)");
  start({make_schema("customer", "id:int64 points:int64")});
  user_.run("INSERT INTO customer VALUES (1, 'many'), (2, 7)");
  const std::vector<std::string> keys = {key_of(schemas_[0], "1"), key_of(schemas_[0], "2")};
  const auto rejected = system_.source->read_records(schemas_[0].dataset, keys, *sink_);
  expect_ok(rejected);
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot 2 points=7"));
  ASSERT_EQ(1U, rejected.value().size());
  EXPECT_EQ(keys[0], rejected.value()[0].key);
}

TEST_F(SqliteTest, TimesAreTheStatementsOwnInMilliseconds) {
  start_customers();
  const int64_t before_us = system_clock().now_us() / 1000 * 1000;
  user_.run("INSERT INTO customer VALUES (1, 'A', NULL)");
  const int64_t after_us = system_clock().now_us();
  poll();
  ASSERT_EQ(1U, sink_->times_us.size());
  EXPECT_LE(before_us, sink_->times_us[0] + 1000);
  EXPECT_GE(after_us + 1000, sink_->times_us[0]);
}

TEST_F(SqliteTest, WideRowsComeAFewAtATime) {
  start_customers();
  user_.run(
      "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 300) INSERT INTO "
      "customer SELECT i, printf('%.200000c', 'x'), NULL FROM n");
  expect_a_few_at_a_time(chunk_sizes(), 64);
  expect_a_few_at_a_time(poll_sizes(300), 192);
}

}  // namespace
}  // namespace syncline::sqlite
