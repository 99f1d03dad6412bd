// What a source shows of the binary log: transactions, keys, ours and others', schema changes.
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class Capture : public MariadbTest {
 protected:
  // Behind what start() wrote itself.
  void start_quietly() {
    start_customers();
    user_.run("INSERT INTO customer VALUES (0, 'first', NULL)");
    take(1);
    sink_->times_us.clear();
  }
};

TEST_F(Capture, TransactionsComeWholeAndInOrder) {
  start_quietly();
  user_.run("BEGIN", "INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)",
            "UPDATE customer SET name = 'Anna' WHERE id = 1", "COMMIT",
            "DELETE FROM customer WHERE id = 2");
  EXPECT_THAT(take(4), ElementsAre("insert 1 name=Ann mail=a@x", "insert 2 name=Bob mail=NULL",
                                   "update 1 name=Anna mail=a@x", "delete 2"));
  EXPECT_THAT(sink_->times_us, SizeIs(2));
  EXPECT_NEAR(static_cast<double>(system_clock().now_us()), static_cast<double>(sink_->times_us[0]),
              60e6);
}

class Times final : public ports::ChangeSink {
 public:
  std::vector<ports::TransactionInfo> seen;

  void begin(const ports::TransactionInfo& transaction) override { seen.push_back(transaction); }
  void marker(const ports::MarkerRow&) override {}
  void row(const ports::ChangeRow&) override {}
  void end() override {}
};

// The log tells the second, so the time says that it may be any in it.
TEST_F(Capture, ACommitsTimeIsAsCoarseAsTheLogs) {
  start_quietly();
  const int64_t before_us = system_clock().now_us();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  const int64_t after_us = system_clock().now_us();
  Times times;
  for (int turn = 0; turn < 100 && times.seen.empty(); ++turn) {
    ASSERT_TRUE(system_.source->poll(times, 100, 100).has_value());
  }
  ASSERT_THAT(times.seen, SizeIs(1));
  EXPECT_EQ(1'000'000, times.seen[0].time_resolution_us);
  EXPECT_LE(times.seen[0].commit_time_us, after_us);
  EXPECT_GT(times.seen[0].commit_time_us + times.seen[0].time_resolution_us, before_us);
}

TEST_F(Capture, WhatIsRolledBackIsNotThere) {
  start_customers();
  user_.run("BEGIN", "INSERT INTO customer VALUES (1, 'Ann', NULL)", "ROLLBACK", "BEGIN",
            "INSERT INTO customer VALUES (2, 'Bob', NULL)", "SAVEPOINT s",
            "INSERT INTO customer VALUES (3, 'Cy', NULL)", "ROLLBACK TO s", "COMMIT");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(Capture, AKeyThatChangesTellsTheOldOne) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')", "UPDATE customer SET id = 7");
  EXPECT_THAT(take(2), ElementsAre("insert 1 name=Ann mail=a@x", "update 7 name=Ann mail=a@x"));
  EXPECT_THAT(sink_->old_keys, ElementsAre("", "old 1"));
}

TEST_F(Capture, ARowThatNeverWasARecordGoesWithoutAWord) {
  user_.run("CREATE TABLE thing(id varchar(60) PRIMARY KEY, name text)");
  start({make_schema("thing", "id:date name:text")});
  user_.run("INSERT INTO thing VALUES ('2026-1-5', 'a')");
  poll_until([this] { return rejected_.size() == 1; });
  user_.run("DELETE FROM thing");
  user_.run("INSERT INTO thing VALUES ('2026-01-05', 'b')");
  EXPECT_THAT(take(1), ElementsAre("insert 2026-01-05 name=b"));
  EXPECT_THAT(rejected_, SizeIs(1));
}

TEST_F(Capture, AKeyThatTheCollationTakesForOursIsARecord) {
  user_.run("CREATE TABLE thing(id varchar(60) COLLATE utf8mb4_general_ci PRIMARY KEY, name text)");
  start({make_schema("thing", "id:uuid name:text")});
  user_.run("INSERT INTO thing VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a')");
  EXPECT_THAT(take(1), ElementsAre("insert a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 name=a"));
  apply({"set a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 name=ours"});
  EXPECT_EQ("ours", user_.ask("SELECT name FROM thing"));
}

TEST_F(Capture, AKeyThatIsNoPrimaryKeyIsToldToo) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name longtext, mail varchar(50) NOT NULL "
      "UNIQUE)");
  start({make_schema("customer", "mail:text name:text id:int64")});
  user_.run("INSERT INTO customer VALUES (1, repeat('x', 5000), 'a@x')",
            "UPDATE customer SET id = 2", "DELETE FROM customer");
  const auto lines = take(3);
  EXPECT_EQ("update a@x name=" + std::string(5000, 'x') + " id=2", lines[1]);
  EXPECT_EQ("delete a@x", lines[2]);
}

TEST_F(Capture, PartialImagesLeaveOutWhatTheyDoNotKnow) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20), mail varchar(20))");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("SET SESSION binlog_row_image = 'MINIMAL'",
            "INSERT INTO customer VALUES (1, 'Ann', 'a@x')", "UPDATE customer SET name = 'Anna'");
  EXPECT_THAT(take(2), ElementsAre("insert 1 name=Ann mail=a@x", "update 1 name=Anna"));
  user_.run("UPDATE customer SET id = 3");
  EXPECT_THAT(take(1), ElementsAre("delete 1"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
}

TEST_F(Capture, TruncateAndItsLikeAskForAScan) {
  start_customers();
  for (const char* statement :
       {"TRUNCATE customer", "truncate table `customer` /* all */",
        "CREATE OR REPLACE TABLE customer(id bigint PRIMARY KEY, name varchar(200), mail "
        "varchar(200) UNIQUE)"}) {
    user_.run("REPLACE INTO customer VALUES (1, 'Ann', 'a@x')", statement);
    poll_until([&] { return !rescans_.empty(); });
    EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset)) << statement;
    EXPECT_THAT(snapshot(), IsEmpty());
    rescans_.clear();
  }
}

TEST_F(Capture, AlterationsThatMayChangeValuesAskForAScan) {
  start_customers();
  const std::vector<std::string> alterations[] = {
      {"ALTER TABLE customer DROP COLUMN mail, ADD COLUMN mail varchar(200) DEFAULT 'x'"},
      {"ALTER TABLE customer DROP mail", "ALTER TABLE customer ADD mail varchar(200) DEFAULT 'x'"},
      {"SET STATEMENT lock_wait_timeout = 5 FOR ALTER TABLE customer DROP mail, ADD mail "
       "varchar(200) DEFAULT 'x'"}};
  for (const auto& statements : alterations) {
    user_.run("REPLACE INTO customer VALUES (1, 'Ann', 'a@x')");
    for (const std::string& statement : statements) user_.run(statement);
    poll_until([&] { return !rescans_.empty(); });
    EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset)) << statements[0];
    EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=x"));
    rescans_.clear();
  }
  user_.run("INSERT INTO customer VALUES (2, 'Ann', NULL)",
            "ALTER IGNORE TABLE customer ADD UNIQUE i(name)");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), SizeIs(1));
}

TEST_F(Capture, ATableThatBecomesSystemVersionedStopsItsDatasetUntilItIsMended) {
  start_customers();
  user_.run("ALTER TABLE customer ADD SYSTEM VERSIONING",
            "INSERT INTO customer VALUES (1, 'Ann', NULL)", "UPDATE customer SET name = 'Anna'");
  poll_until([this] { return !stopped_.empty(); });
  EXPECT_THAT(to_string(stopped_[0].error), HasSubstr("system-versioned"));
  EXPECT_THAT(take_for(300), IsEmpty());
  user_.run("ALTER TABLE customer DROP SYSTEM VERSIONING");
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Anna mail=NULL"));
}

TEST_F(Capture, AlterationsThatLeaveValuesAsTheyAreAskForNothing) {
  start_customers();
  user_.run("ALTER TABLE customer ADD INDEX i(name)", "ALTER TABLE customer DROP INDEX i",
            "ALTER TABLE customer ALTER name SET DEFAULT 'x', COMMENT = 'customers'",
            "INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=Ann mail=NULL"));
  EXPECT_THAT(rescans_, IsEmpty());
}

// Set for all sessions that come, ours too.
TEST_F(Capture, OursIsKnownByAPartialImageToo) {
  User("").run("SET GLOBAL binlog_row_image = 'MINIMAL'");
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  User("").run("SET GLOBAL binlog_row_image = 'FULL'");
  EXPECT_THAT(take(2), ElementsAre(marker(1), "ours insert 1 name=Ann mail=NULL"));
}

TEST_F(Capture, AStatementInPlaceOfRowsInsideAPreparedTransactionIsScanned) {
  start_customers();
  user_.run("SET SESSION binlog_format = 'STATEMENT'", "XA START 'x5'",
            "INSERT INTO customer VALUES (1, 'Ann', 'a@x')", "XA END 'x5'", "XA PREPARE 'x5'");
  take_for(200);
  EXPECT_THAT(rescans_, IsEmpty());
  user_.run("XA COMMIT 'x5'");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=a@x"));
}

TEST_F(Capture, StatementsOfOtherTablesAskForNothing) {
  start_customers();
  user_.run("CREATE TABLE other(id int)", "TRUNCATE other", "DROP TABLE other",
            "CREATE DATABASE IF NOT EXISTS elsewhere", "CREATE TABLE elsewhere.customer(id int)",
            "TRUNCATE elsewhere.customer", "USE elsewhere", "TRUNCATE customer",
            "DROP DATABASE elsewhere", "USE " + database_,
            "INSERT INTO customer VALUES (1, 'TRUNCATE customer', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=TRUNCATE customer mail=NULL"));
  EXPECT_THAT(rescans_, IsEmpty());
}

TEST_F(Capture, AStatementInPlaceOfRowsIsSaidAndScanned) {
  start_customers();
  user_.run("SET SESSION binlog_format = 'STATEMENT'",
            "INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  poll_until([&] { return !rescans_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_THAT(to_string(stopped_[0].error), HasSubstr("binlog_format to STATEMENT"));
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=a@x"));
  user_.run("SET SESSION binlog_format = 'ROW'", "UPDATE customer SET name = 'Anna'");
  EXPECT_THAT(take(1), ElementsAre("update 1 name=Anna mail=a@x"));
}

// Its file is in the log, block by block: bytes that end as no text does.
TEST_F(Capture, AFileThatAStatementLoadsIsScanned) {
  start_customers();
  user_.run("SET SESSION binlog_format = 'STATEMENT'");
  for (const std::string rows : {"3", "20000"}) {
    const std::string file = "'" + Server::instance().folder() + "/data/" + rows + ".rows'";
    user_.run("SELECT seq, repeat('x', 100), NULL FROM seq_1_to_" + rows + " INTO OUTFILE " + file,
              "LOAD DATA INFILE " + file + " REPLACE INTO TABLE customer");
    poll_until([this] { return !rescans_.empty(); });
    EXPECT_THAT(snapshot(10'000), SizeIs(std::stoul(rows)));
    rescans_.clear();
  }
  user_.run("SET SESSION binlog_format = 'ROW'", "UPDATE customer SET name = 'Bob' WHERE id = 2");
  EXPECT_THAT(take(1), ElementsAre("update 2 name=Bob mail=NULL"));
}

TEST_F(Capture, AnAnalyzedStatementIsOneInPlaceOfRows) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  user_.run("SET SESSION binlog_format = 'STATEMENT'",
            "ANALYZE FORMAT=JSON UPDATE customer SET name = 'Anna'");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Anna mail=NULL"));
}

// The server logs it for what cannot be rolled back with it.
TEST_F(Capture, WhatIsRolledBackIsNotShownWhereTheLogHasIt) {
  start_customers();
  user_.run("FLUSH BINARY LOGS", "SET SESSION binlog_format = 'MIXED'", "BEGIN",
            "INSERT INTO customer VALUES (1, uuid(), NULL)",
            "CREATE TEMPORARY TABLE x AS SELECT * FROM customer", "ROLLBACK");
  User(database_).run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  const std::string log = user_.ask("SHOW MASTER STATUS");
  EXPECT_THAT(user_.ask("SHOW BINLOG EVENTS IN '" + log.substr(0, log.find('|')) + "'"),
              HasSubstr("|ROLLBACK"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
}

// Statements stand in the log as their session spelled them.
TEST_F(Capture, ANameBeyondAsciiIsKnownInAnyCharacterSet) {
  user_.run("CREATE TABLE `M\xc3\xbcller`(id bigint PRIMARY KEY, `n\xc3\xa9` varchar(20))");
  start({make_schema("M\xc3\xbcller", "id:int64 n\xc3\xa9:text")});
  for (const char* statement :
       {"TRUNCATE `M\xfcller`", "ALTER TABLE `M\xfcller` DROP `n\xe9`, ADD `n\xe9` varchar(20)"}) {
    user_.run("SET NAMES utf8mb4", "REPLACE INTO `M\xc3\xbcller` VALUES (1, 'Ann')",
              "SET NAMES latin1", statement);
    poll_until([&] { return !rescans_.empty(); });
    EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset)) << statement;
    rescans_.clear();
  }
}

TEST_F(Capture, PreparedTransactionsPlaceAtTheirCommit) {
  start_customers();
  user_.run("XA START 'x1', 'b'", "INSERT INTO customer VALUES (1, 'Ann', NULL)",
            "XA END 'x1', 'b'", "XA PREPARE 'x1', 'b'");
  User other(database_);
  other.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  user_.run("XA COMMIT 'x1', 'b'");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=Ann mail=NULL"));
}

TEST_F(Capture, PreparedTransactionsThatAreRolledBackNeverWere) {
  start_customers();
  user_.run("XA START 'x2'", "INSERT INTO customer VALUES (1, 'Ann', NULL)", "XA END 'x2'",
            "XA PREPARE 'x2'", "XA ROLLBACK 'x2'", "INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(Capture, WhatIsPreparedBelongsToThePlace) {
  start_customers();
  user_.run("XA START 'x3'", "INSERT INTO customer VALUES (1, 'Ann', NULL)", "XA END 'x3'",
            "XA PREPARE 'x3'");
  User other(database_);
  other.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  take(1);
  const model::Position position = sink_->position;
  connect(position);
  other.run("INSERT INTO customer VALUES (3, 'Cy', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 3 name=Cy mail=NULL"));
  connect(sink_->position);
  user_.run("XA COMMIT 'x3'");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=Ann mail=NULL"));
  connect(sink_->position);
  other.run("INSERT INTO customer VALUES (4, 'Di', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 4 name=Di mail=NULL"));
}

TEST_F(Capture, OneThatWasPreparedBeforeWeLookedIsFoundByAScan) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20), mail varchar(20))",
            "XA START 'x4'", "INSERT INTO customer VALUES (1, 'Ann', NULL)", "XA END 'x4'",
            "XA PREPARE 'x4'");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("XA COMMIT 'x4'");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=NULL"));
}

TEST_F(Capture, OursStandsBehindItsMarkerAndUsersDoNot) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  apply({"set 1 name=Anna", "put 2 name=Bob mail=NULL"});
  user_.run("UPDATE customer SET name = 'mine' WHERE id = 2");
  EXPECT_THAT(
      take(5),
      ElementsAre("insert 1 name=Ann mail=a@x", marker(1), "ours update 1 name=Anna mail=a@x",
                  "ours insert 2 name=Bob mail=NULL", "update 2 name=mine mail=NULL"));
}

TEST_F(Capture, AnotherAppliancesWritesAreAUsers) {
  start_customers();
  user_.run("INSERT INTO syncline_checkpoint VALUES ('other', 'shop', 1, 5, 0, 0)", "BEGIN",
            "UPDATE syncline_checkpoint SET seq = 9 WHERE appliance = 'other'",
            "INSERT INTO customer VALUES (1, 'Ann', 'a@x')", "COMMIT");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=Ann mail=a@x"));
}

TEST_F(Capture, WhatWasReadIsReadAgainUntilItIsAcknowledged) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  const model::Position first = sink_->position;
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  take(1);
  connect(first);
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  connect(first);
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(Capture, ThePlaceMovesOnWithWhatIsNotOurs) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  const model::Position first = sink_->position;
  user_.run("CREATE TABLE other(x int)", "INSERT INTO other VALUES (1)");
  poll_until([&] { return sink_->position > first; });
  const model::Position second = sink_->position;
  user_.run("FLUSH BINARY LOGS");
  poll_until([&] { return sink_->position > second; });
  const model::Position third = sink_->position;
  system_ = {};
  user_.run("FLUSH BINARY LOGS", "INSERT INTO customer VALUES (2, 'Bob', NULL)");
  connect(third);
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

TEST_F(Capture, ASessionsSettingsDoNotShow) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, at timestamp(3) NULL, f float, d "
      "datetime)",
      "SET GLOBAL time_zone = '+05:30'", "SET GLOBAL sql_mode = 'ANSI'");
  start({make_schema("customer", "id:int64 at:timestamp(3) f:float32 d:datetime(0)")});
  user_.run("SET time_zone = '-05:00'",
            "INSERT INTO customer VALUES (1, '2025-12-31 19:00:00.25', 16777216, '2026-03-29 "
            "02:30:00')");
  const std::string values = " 1 at=2026-01-01 00:00:00.250Z f=16777216 d=2026-03-29 02:30:00";
  EXPECT_THAT(take(1), ElementsAre("insert" + values));
  EXPECT_THAT(snapshot(), ElementsAre("snapshot" + values));
  user_.run("SET GLOBAL time_zone = 'SYSTEM'", "SET GLOBAL sql_mode = DEFAULT");
}

TEST_F(Capture, AValueThatNoTypeHoldsIsRejectedAlone) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, born date)", "SET sql_mode = ''");
  start({make_schema("customer", "id:int64 born:date")});
  user_.run(
      "INSERT INTO customer VALUES (1, '2000-01-01'), (2, '0000-00-00'), (3, '2000-00-00'), "
      "(4, '2001-01-01')");
  EXPECT_THAT(take(2), ElementsAre("insert 1 born=2000-01-01", "insert 4 born=2001-01-01"));
  ASSERT_THAT(rejected_, SizeIs(2));
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("record id=2: column born"));
  rejected_.clear();
  EXPECT_THAT(snapshot(2), SizeIs(2));
  EXPECT_THAT(rejected_, SizeIs(2));
}

TEST_F(Capture, ALogWithoutColumnNamesIsReadByPlaces) {
  user_.run("SET GLOBAL binlog_row_metadata = 'NO_LOG'");
  user_.run(
      "CREATE TABLE customer(note text, id bigint unsigned PRIMARY KEY, half bigint unsigned AS "
      "(id DIV 2) "
      "VIRTUAL, name varchar(200), more geometry, mood enum('a', 'b'))");
  start({make_schema("customer", "id:uint64 name:text mood:enum")});
  user_.run(
      "INSERT INTO customer(note, id, name, more, mood) VALUES ('x', 18446744073709551615, "
      "'Ann', point(1, 2), 'b')");
  EXPECT_THAT(take(1), ElementsAre("insert 18446744073709551615 name=Ann mood=b"));
  user_.run("ALTER TABLE customer DROP note", "UPDATE customer SET name = 'Anna'");
  EXPECT_THAT(take(1), ElementsAre("update 18446744073709551615 name=Anna mood=b"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  user_.run("SET GLOBAL binlog_row_metadata = 'FULL'");
}

TEST_F(Capture, ALargeTransactionIsOneTransaction) {
  start_quietly();
  user_.run("INSERT INTO customer SELECT seq, concat('n', seq), NULL FROM seq_1_to_20000");
  EXPECT_THAT(take(20000), SizeIs(20000));
  EXPECT_THAT(sink_->times_us, SizeIs(1));
}

TEST_F(Capture, CompressedLogsAndLogsWithoutChecksumsReadTheSame) {
  start_customers();
  for (const char* setting :
       {"SET GLOBAL log_bin_compress = 1, GLOBAL log_bin_compress_min_len = 10",
        "SET GLOBAL log_bin_compress = 0, GLOBAL binlog_checksum = 'NONE'"}) {
    user_.run(setting);
    User(database_).run("INSERT INTO customer VALUES (1, repeat('x', 150), NULL)",
                        "TRUNCATE customer");
    EXPECT_THAT(take(1), ElementsAre("insert 1 name=" + std::string(150, 'x') + " mail=NULL"));
    poll_until([&] { return !rescans_.empty(); });
    rescans_.clear();
  }
  user_.run("SET GLOBAL binlog_checksum = 'CRC32'");
}

TEST_F(Capture, SnapshotsReadEveryRowOnceInChunks) {
  user_.run(
      "CREATE TABLE line(shop varchar(20), number int, name varchar(9), PRIMARY KEY (shop, "
      "number))");
  start({make_schema("line", "shop:text number:int64 name:text", 2)});
  user_.run("INSERT INTO line SELECT concat('s''', seq % 7), seq, 'n' FROM seq_1_to_250");
  auto lines = snapshot(30);
  EXPECT_THAT(lines, SizeIs(250));
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines.end(), std::unique(lines.begin(), lines.end()));
  user_.run("ANALYZE TABLE line");
  EXPECT_EQ(250U, system_.source->estimate_rows(schemas_[0].dataset).value());
}

TEST_F(Capture, RecordsAreReadByKey) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (2, 'Bob', NULL), (3, 'Cy', NULL)");
  const std::vector<std::string> keys = {key_of(schemas_[0], "3"), key_of(schemas_[0], "9"),
                                         key_of(schemas_[0], "1")};
  expect_ok(system_.source->read_records(schemas_[0].dataset, keys, *sink_));
  auto lines = sink_->take();
  std::sort(lines.begin(), lines.end());
  EXPECT_THAT(lines, ElementsAre("snapshot 1 name=Ann mail=NULL", "snapshot 3 name=Cy mail=NULL"));
}

// Of a first sync: what was there before its reading ended must have been told.
TEST_F(Capture, ThatAllUpToAPlaceWasToldIsKnown) {
  start_customers();
  const auto place = [this] { return system_.source->current_position().value(); };
  const auto is_told = [this](const model::Position& end) {
    return system_.source->has_told(end).value().value();
  };
  const auto tell = [&](const model::Position& end) {
    for (int polls = 0; polls < 100 && !is_told(end); ++polls) poll();
    EXPECT_TRUE(is_told(end));
  };
  tell(place());
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  const model::Position behind_ann = place();
  EXPECT_FALSE(is_told(behind_ann));
  sink_->take();
  std::vector<std::string> lines;
  for (int polls = 0; polls < 100 && !is_told(behind_ann); ++polls) {
    for (std::string& line : poll()) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, ElementsAre("insert 1 name=Ann mail=NULL"));
  user_.run("CREATE TABLE other(id int)", "INSERT INTO other VALUES (1)");
  const model::Position behind_others = place();
  EXPECT_TRUE(is_told(behind_ann));
  EXPECT_FALSE(is_told(behind_others));
  tell(behind_others);
}

TEST_F(Capture, WideRowsComeAFewAtATime) {
  user_.run("CREATE TABLE doc(id bigint PRIMARY KEY, body mediumtext)");
  start({make_schema("doc", "id:int64 body:text")});
  for (int i = 1; i <= 300; ++i) {
    user_.run("INSERT INTO doc VALUES (" + std::to_string(i) + ", repeat('x', 100000))");
  }
  expect_a_few_at_a_time(chunk_sizes(), 128);
  expect_a_few_at_a_time(poll_sizes(300), 64);
}

class Spelled : public MariadbTest, public testing::WithParamInterface<ports::Spelling> {};

TEST_P(Spelled, AKeyThatIsNotWrittenAsOursIsNoRecord) {
  user_.run("CREATE TABLE thing(id varchar(60) COLLATE utf8mb4_bin PRIMARY KEY, name text)");
  start({make_schema("thing", "id:" + GetParam().type + " name:text")});
  expect_other_spelling_is_no_record([this](const std::string& sql) { user_.run(sql); },
                                     GetParam());
}

// The column is finer than the dataset: what is cut off of the key is in every row that we look
// for.
TEST_F(Capture, AKeyWithMoreDigitsThanTheDatasetsIsNoRecord) {
  user_.run("CREATE TABLE thing(id datetime(3) PRIMARY KEY, name text)");
  start({make_schema("thing", "id:datetime(0) name:text")});
  expect_other_spelling_is_no_record([this](const std::string& sql) { user_.run(sql); },
                                     {"", "2026-01-05 10:00:00", "2026-01-05 10:00:00.500"});
}

INSTANTIATE_TEST_SUITE_P(Mariadb, Spelled, testing::ValuesIn(ports::spellings()));

}  // namespace
}  // namespace syncline::mariadb
