// capture = "scan": no triggers, whole tables read now and then, guarded writes.
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

// A machine's clock whose steady side a test moves on, so that scans are due without waiting.
class StepClock final : public Clock {
 public:
  int64_t now_us() override { return system_clock().now_us(); }
  int64_t steady_us() override { return steady_us_; }
  void pass_seconds(int64_t seconds) { steady_us_ += seconds * 1'000'000; }

 private:
  int64_t steady_us_ = 1'000'000;
};

class Scan : public SqliteTest {
 protected:
  Scan() {
    user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE)");
    user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
    start({make_schema("customer", "id:int64 name:text mail:text")});
    expect_ok(system_.catalog->detach());
    config_.datasets[0].capture = ports::Capture::kScan;
    connect_scan({});
  }
  void connect_scan(const model::Position& position) {
    system_ = make_sqlite(config_, clock_).value();
    expect_ok(system_.source->open(position));
    expect_ok(system_.target->open());
    const std::vector<model::StreamId> streams = {schemas_[0].stream};
    expect_ok(system_.target->open_epoch(kEpoch, streams, config_.lane_count));
  }
  // Everything the next scans show.
  std::vector<std::string> scan(size_t row_limit = 100) {
    clock_.pass_seconds(60);
    std::vector<std::string> lines;
    do {
      auto polled = system_.source->poll(*sink_, row_limit, 0);
      expect_ok(polled);
      if (!polled) return lines;
      last_poll_ = std::move(polled).value();
      for (std::string& line : sink_->take()) lines.push_back(std::move(line));
    } while (last_poll_.has_more);
    return lines;
  }
  void acknowledge() { expect_ok(system_.source->acknowledge(sink_->position)); }
  void expect_guarded(const std::string& write) {
    const auto applied = try_apply({write});
    ASSERT_FALSE(applied.has_value());
    EXPECT_EQ(ErrorCode::kSystemBusy, applied.error().code);
  }

  StepClock clock_;
};

TEST_F(Scan, ShowsAllOnceThenOnlyWhatDiffers) {
  // Nothing was seen before: whether anybody has just made them cannot be told.
  EXPECT_THAT(scan(), ElementsAre("update 1 name=Ann mail=a@x", "update 2 name=Bob mail=NULL"));
  EXPECT_THAT(scan(), IsEmpty());
  user_.run(
      "UPDATE customer SET name = 'Anna' WHERE id = 1; DELETE FROM customer WHERE id = 2; "
      "INSERT INTO customer VALUES (3, 'Cy', NULL)");
  EXPECT_THAT(scan(),
              ElementsAre("update 1 name=Anna mail=a@x", "insert 3 name=Cy mail=NULL", "delete 2"));
  EXPECT_THAT(scan(), IsEmpty());
}

TEST_F(Scan, CreatesNothingButTwoTables) {
  EXPECT_EQ("table syncline_checkpoint, table syncline_echo",
            user_.ask("SELECT group_concat(type || ' ' || name, ', ') FROM (SELECT * FROM "
                      "sqlite_master WHERE name LIKE 'syncline%' ORDER BY name)"));
}

TEST_F(Scan, ReadsLargeTablesInChunks) {
  user_.run(
      "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT "
      "INTO customer SELECT i, 'n', NULL FROM n");
  EXPECT_EQ(500U, scan(64).size());
  user_.run("DELETE FROM customer WHERE id = 77");
  EXPECT_THAT(scan(64), ElementsAre("delete 77"));
}

TEST_F(Scan, OurWritesAreEchoedBehindTheirMarkerAndNotAgain) {
  scan();
  acknowledge();
  apply({"set 1 name=ours", "delete 2", "put 5 name=new mail=NULL"});
  EXPECT_THAT(scan(), ElementsAre(marker(1), "ours update 1 name=ours mail=a@x", "ours delete 2",
                                  "ours update 5 name=new mail=NULL"));
  EXPECT_THAT(scan(), IsEmpty());
}

TEST_F(Scan, AUserWhoWritesTheOldValueBackMakesAChange) {
  scan();
  acknowledge();
  apply({"set 1 name=ours"});
  user_.run("UPDATE customer SET name = 'Ann' WHERE id = 1");
  EXPECT_THAT(scan(), ElementsAre(marker(1), "ours update 1 name=ours mail=a@x",
                                  "update 1 name=Ann mail=a@x"));
}

TEST_F(Scan, NothingIsWrittenBeforeTheFirstScanIsDurable) {
  expect_guarded("set 1 name=ours");
  scan();
  expect_guarded("set 1 name=ours");
  acknowledge();
  apply({"set 1 name=ours"});
}

TEST_F(Scan, AnEditIsShownAndDurableBeforeItIsWrittenOver) {
  scan();
  acknowledge();
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  expect_guarded("set 1 name=ours");
  EXPECT_EQ("theirs", user_.ask("SELECT name FROM customer WHERE id = 1"));
  EXPECT_THAT(scan(), ElementsAre("update 1 name=theirs mail=a@x"));
  expect_guarded("set 1 name=ours");
  acknowledge();
  apply({"set 1 name=ours"});
}

TEST_F(Scan, AnUnseenInsertAndAnUnseenDeleteAreGuardedToo) {
  scan();
  acknowledge();
  user_.run("INSERT INTO customer VALUES (9, 'theirs', NULL); DELETE FROM customer WHERE id = 2");
  expect_guarded("put 9 name=ours mail=NULL");
  expect_guarded("put 2 name=ours mail=NULL");
  scan();
  acknowledge();
  apply({"put 9 name=ours mail=NULL", "put 2 name=ours mail=NULL"});
}

TEST_F(Scan, AWriteThatWaitsBringsTheScanForward) {
  scan();
  acknowledge();
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  expect_guarded("set 1 name=ours");
  // No time has passed since the last scan ended.
  expect_ok(system_.source->poll(*sink_, 100, 0));
  EXPECT_THAT(sink_->take(), ElementsAre("update 1 name=theirs mail=a@x"));
}

// A user writes the old value back while nobody looks, over a write of ours that was not echoed
// yet.
TEST_F(Scan, WhatWeWroteBeforeARestartIsEchoedAfterIt) {
  scan();
  acknowledge();
  const model::Position before = sink_->position;
  apply({"set 1 name=ours"});
  user_.run("UPDATE customer SET name = 'Ann' WHERE id = 1");
  connect_scan(before);
  EXPECT_THAT(scan(), testing::Contains("ours update 1 name=ours mail=a@x"));
}

TEST_F(Scan, TheEchoesThatAreDurableGo) {
  scan();
  acknowledge();
  for (int i = 0; i < 5; ++i) {
    apply({"set 1 name=o" + std::to_string(i)});
    scan();
    acknowledge();
  }
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM syncline_echo"));
}

TEST_F(Scan, AFileThatNobodyWroteToIsNotReadAgain) {
  scan();
  clock_.pass_seconds(60);
  expect_ok(system_.source->poll(*sink_, 1, 0));  // one row a poll
  const auto polled = system_.source->poll(*sink_, 1, 0);
  expect_ok(polled);
  EXPECT_FALSE(polled.value().has_more);
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  EXPECT_THAT(scan(), ElementsAre("update 1 name=Anna mail=a@x"));
}

TEST_F(Scan, ARecordOutsideTheRowFilterIsNotWrittenOver) {
  config_.datasets[0].where = "name <> 'Bob'";
  connect_scan({});
  EXPECT_THAT(scan(), ElementsAre("update 1 name=Ann mail=a@x"));
  acknowledge();
  const auto applied = try_apply({"put 2 name=ours mail=NULL"});
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  EXPECT_THAT(applied.value().poison->error.why, HasSubstr("name <> 'Bob'"));
  EXPECT_EQ("Bob", user_.ask("SELECT name FROM customer WHERE id = 2"));
}

// As `plan` and `verify` do.
TEST_F(Scan, ItsTablesAreReadWithoutAPlaceInAnyLog) {
  system_ = make_sqlite(config_, clock_).value();
  const auto chunk = system_.source->read_snapshot(schemas_[0].dataset, {}, 100, *sink_);
  expect_ok(chunk);
  EXPECT_EQ(2U, chunk.value().row_count);
  const auto rows = system_.source->estimate_rows(schemas_[0].dataset);
  expect_ok(rows);
  EXPECT_EQ(2U, rows.value());
}

// What an older snapshot shows of a record that we wrote behind it counts for nothing.
TEST_F(Scan, AWriteOfOursBetweenTwoChunksIsNoNews) {
  user_.run(
      "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT "
      "INTO customer SELECT i, 'n', NULL FROM n");
  scan();
  acknowledge();
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 50");
  clock_.pass_seconds(60);
  expect_ok(system_.source->poll(*sink_, 10, 0));
  apply({"set 1 name=ours", "set 90 name=ours"});
  EXPECT_THAT(scan(10),
              ElementsAre(marker(1), "ours update 1 name=ours mail=a@x",
                          "ours update 90 name=ours mail=NULL", "update 50 name=theirs mail=NULL"));
}

TEST_F(Scan, OneRecordCanBeWrittenAgainAndAgain) {
  scan();
  acknowledge();
  for (int i = 0; i < 3; ++i) apply({"set 1 name=o" + std::to_string(i)});
  EXPECT_EQ("o2", user_.ask("SELECT name FROM customer WHERE id = 1"));
}

TEST_F(Scan, AfterARestartItAsksForARescan) {
  EXPECT_THAT(last_poll_.rescan, IsEmpty());
  scan();
  acknowledge();
  connect_scan(sink_->position);
  const auto polled = system_.source->poll(*sink_, 100, 0);
  expect_ok(polled);
  EXPECT_THAT(polled.value().rescan, ElementsAre(schemas_[0].dataset));
}

TEST_F(Scan, ADroppedMappedColumnStopsItsDataset) {
  scan();
  user_.run("ALTER TABLE customer RENAME COLUMN name TO label");
  EXPECT_THAT(scan(), IsEmpty());
  ASSERT_EQ(1U, last_poll_.stopped.size());
  EXPECT_THAT(last_poll_.stopped[0].error.what, HasSubstr("has no column name"));
}

TEST_F(Scan, OneFileIsReadInOneWay) {
  config_.datasets.push_back(config_.datasets[0]);
  config_.datasets[1].capture = ports::Capture::kLog;
  const auto mixed = make_sqlite(config_, clock_);
  ASSERT_FALSE(mixed.has_value());
  EXPECT_THAT(mixed.error().what, HasSubstr("mixes"));
}

}  // namespace
}  // namespace syncline::sqlite
