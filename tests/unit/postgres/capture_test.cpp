// What users do to tables, as the source shows it.
#include <thread>

#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class Capture : public PostgresTest {
 protected:
  std::string confirmed() {
    return user_.ask(
        "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = "
        "'syncline_zurich_shop'");
  }
};

TEST_F(Capture, InsertUpdateDeleteInCommitOrder) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  user_.run("DELETE FROM customer WHERE id = 2");
  EXPECT_THAT(take(4), ElementsAre("insert 1 name=Ann mail=a@x", "insert 2 name=Bob mail=NULL",
                                   "update 1 name=Anna mail=a@x", "delete 2"));
  std::vector<int64_t> times = sink_->times_us;
  std::erase(times, 0);  // of places behind which there was nothing
  ASSERT_GE(times.size(), 3U);
  EXPECT_LT(times[times.size() - 3], times.back());
}

TEST_F(Capture, ARolledBackTransactionIsNotShown) {
  start_customers();
  user_.run("BEGIN; INSERT INTO customer VALUES (1, 'Ann', 'a@x'); ROLLBACK");
  user_.run(
      "BEGIN; INSERT INTO customer VALUES (2, 'b', NULL); SAVEPOINT s; INSERT INTO customer "
      "VALUES (3, 'c', NULL); ROLLBACK TO s; COMMIT");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=b mail=NULL"));
}

TEST_F(Capture, AKeyChangeNamesBothKeys) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run("UPDATE customer SET id = 7 WHERE id = 1");
  take(2);
  EXPECT_EQ("old 1", sink_->old_keys.back());
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

TEST_F(Capture, AKeyOfTheServersOwnComparisonIsOurs) {
  user_.run("CREATE TABLE thing(id char(36) PRIMARY KEY, name text)");
  start({make_schema("thing", "id:uuid name:text")});
  user_.run("INSERT INTO thing VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 'a')");
  EXPECT_THAT(take(1), ElementsAre("insert a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 name=a"));
  apply({"set a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 name=ours"});
  EXPECT_EQ("ours", user_.ask("SELECT name FROM thing"));
}

TEST_F(Capture, UnsentToastIsUnchangedNeverNull) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  user_.run("ALTER TABLE customer ALTER name SET STORAGE EXTERNAL");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("INSERT INTO customer VALUES (1, repeat('x', 5000), 'a@x')");
  user_.run("UPDATE customer SET mail = 'b@x'");
  EXPECT_EQ("update 1 mail=b@x", take(2)[1]);
}

TEST_F(Capture, ARecordUnderANewKeyIsWholeThoughTheLogLeavesAValueOut) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  user_.run("ALTER TABLE customer ALTER name SET STORAGE EXTERNAL");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("INSERT INTO customer VALUES (1, repeat('x', 5000), 'a@x')");
  user_.run("UPDATE customer SET id = 2");
  EXPECT_EQ("update 2 name=" + std::string(5000, 'x') + " mail=a@x", take(2)[1]);
}

TEST_F(Capture, FullIdentityFillsWhatTheLogLeavesOut) {
  user_.run("CREATE TABLE customer(id bigint, name text, mail text NOT NULL UNIQUE)");
  user_.run("ALTER TABLE customer REPLICA IDENTITY FULL, ALTER name SET STORAGE EXTERNAL");
  start({make_schema("customer", "mail:text name:text id:int64")});
  user_.run("INSERT INTO customer VALUES (1, repeat('x', 5000), 'a@x')");
  user_.run("UPDATE customer SET id = 2");
  user_.run("DELETE FROM customer");
  const auto lines = take(3);
  EXPECT_EQ("update a@x name=" + std::string(5000, 'x') + " id=2", lines[1]);
  EXPECT_EQ("delete a@x", lines[2]);
}

TEST_F(Capture, AKeyThatIsNoPrimaryKeyNeedsItsIndexAsIdentity) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text NOT NULL UNIQUE)");
  start({make_schema("customer", "mail:text name:text id:int64")});
  poll_until([&] { return !stopped_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_EQ(ErrorCode::kSystemKey, stopped_[0].error.code);
  EXPECT_EQ(
      "ALTER TABLE \"public\".\"customer\" REPLICA IDENTITY USING INDEX "
      "\"customer_mail_key\";",
      stopped_[0].error.fix);
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run(stopped_[0].error.fix);
  poll_until([&] { return !rescans_.empty(); });
  user_.run("DELETE FROM customer");
  EXPECT_THAT(take(1), ElementsAre("delete a@x"));
}

TEST_F(Capture, WithoutAnIdentityUsersCanStillWrite) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  user_.run("ALTER TABLE customer REPLICA IDENTITY NOTHING");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run("UPDATE customer SET name = 'Anna'");
  poll_until([&] { return !stopped_.empty(); });
  EXPECT_THAT(stopped_[0].error.fix, HasSubstr("REPLICA IDENTITY DEFAULT;"));
}

TEST_F(Capture, TruncateAsksForAScan) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run("TRUNCATE customer");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_THAT(snapshot(), IsEmpty());
}

TEST_F(Capture, PartitionsAreShownAsTheirTable) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text) PARTITION BY RANGE "
      "(id); CREATE TABLE low PARTITION OF customer FOR VALUES FROM (0) TO (10); CREATE TABLE "
      "high PARTITION OF customer FOR VALUES FROM (10) TO (20)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run("UPDATE customer SET id = 11");
  EXPECT_THAT(take(3),
              ElementsAre("insert 1 name=Ann mail=a@x", "delete 1", "insert 11 name=Ann mail=a@x"));
}

TEST_F(Capture, PreparedTransactionsPlaceAtTheirCommit) {
  start_customers();
  user_.run("BEGIN; INSERT INTO customer VALUES (1, 'Ann', NULL); PREPARE TRANSACTION 'p1'");
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  user_.run("COMMIT PREPARED 'p1'");
  EXPECT_THAT(take(2), ElementsAre("insert 2 name=Bob mail=NULL", "insert 1 name=Ann mail=NULL"));
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
  user_.run("INSERT INTO syncline.syncline_checkpoint VALUES ('other', 'shop', 1, 5, 0, 0)");
  user_.run(
      "BEGIN; UPDATE syncline.syncline_checkpoint SET seq = 9 WHERE appliance = 'other'; "
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x'); COMMIT");
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

TEST_F(Capture, AcknowledgingMovesTheSlotAndIdleDatabasesHoldNoLog) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  const std::string before = confirmed();
  poll();
  EXPECT_EQ(before, confirmed());
  user_.run("CREATE TABLE other(x text)");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (user_.ask("SELECT confirmed_flush_lsn > '" + before + "' FROM pg_replication_slots") ==
             "f" &&
         std::chrono::steady_clock::now() < deadline) {
    poll();
    expect_ok(system_.source->acknowledge(sink_->position));
  }
  EXPECT_NE(before, confirmed());
}

TEST_F(Capture, ASessionsSettingsDoNotShow) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, at timestamptz, of interval, b bytea, f "
      "float8)");
  for (const std::string& set :
       {std::string("datestyle = 'German'"), std::string("timezone = 'Asia/Kolkata'"),
        std::string("intervalstyle = 'postgres_verbose'"), std::string("bytea_output = 'escape'"),
        std::string("extra_float_digits = -10")}) {
    user_.run("ALTER DATABASE " + database_ + " SET " + set);
  }
  start({make_schema("customer", "id:int64 at:timestamp of:interval b:bytes f:float64")});
  user_.run(
      "INSERT INTO customer VALUES (1, '2025-12-31 19:00:00.25-05', '1 year 2 days -3 hours', "
      "'\\x00ff', 0.1234567890123456)");
  const std::string values =
      " 1 at=2026-01-01 00:00:00.250000Z of=P12M2DT-10800S b=00ff f=0.1234567890123456";
  EXPECT_THAT(take(1), ElementsAre("insert" + values));
  EXPECT_THAT(snapshot(), ElementsAre("snapshot" + values));
}

TEST_F(Capture, AValueThatNoTypeHoldsIsRejectedAlone) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, born date)");
  start({make_schema("customer", "id:int64 born:date")});
  user_.run(
      "INSERT INTO customer VALUES (1, '2000-01-01'), (2, 'infinity'), (3, '0044-03-15 BC'), "
      "(4, '2001-01-01')");
  EXPECT_THAT(take(2), ElementsAre("insert 1 born=2000-01-01", "insert 4 born=2001-01-01"));
  ASSERT_THAT(rejected_, SizeIs(2));
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("record id=2: column born"));
  rejected_.clear();
  EXPECT_THAT(snapshot(2), SizeIs(2));
  EXPECT_THAT(rejected_, SizeIs(2));
}

TEST_F(Capture, ALargeTransactionIsOneTransaction) {
  start_customers();
  drain();
  sink_->times_us.clear();
  user_.run("INSERT INTO customer SELECT g, 'n' || g, NULL FROM generate_series(1, 16000) g");
  EXPECT_THAT(take(16000), SizeIs(16000));
  EXPECT_THAT(sink_->times_us, SizeIs(1));
}

TEST_F(Capture, SnapshotsReadEveryRowOnceInChunks) {
  user_.run("CREATE TABLE line(shop text, number int, name text, PRIMARY KEY (shop, number))");
  start({make_schema("line", "shop:text number:int64 name:text", 2)});
  user_.run("INSERT INTO line SELECT 's' || g % 7, g, 'n' FROM generate_series(1, 250) g");
  auto lines = snapshot(30);
  EXPECT_THAT(lines, SizeIs(250));
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines.end(), std::unique(lines.begin(), lines.end()));
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

TEST_F(Capture, AKeyOrValueThatCannotBeReadKeepsNoOtherBack) {
  user_.run("CREATE TABLE customer(id int PRIMARY KEY, born date)");
  start({make_schema("customer", "id:int64 born:date")});
  user_.run("INSERT INTO customer VALUES (1, '2000-01-01'), (2, 'infinity'), (3, NULL)");
  std::vector<std::string> keys = {key_of(schemas_[0], "1"), key_of(schemas_[0], "2"),
                                   key_of(schemas_[0], "3")};
  for (const bool has_long_key : {false, true}) {
    if (has_long_key) keys.push_back(key_of(schemas_[0], "99999999999"));  // no int4
    const auto rejected = system_.source->read_records(schemas_[0].dataset, keys, *sink_);
    expect_ok(rejected);
    ASSERT_THAT(rejected.value(), SizeIs(1));
    EXPECT_EQ(keys[1], rejected.value()[0].key);
    auto lines = sink_->take();
    std::sort(lines.begin(), lines.end());
    EXPECT_THAT(lines, ElementsAre("snapshot 1 born=2000-01-01", "snapshot 3 born=NULL"));
  }
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
  user_.run("CREATE TABLE other(id int); INSERT INTO other VALUES (1)");
  const model::Position behind_others = place();
  EXPECT_TRUE(is_told(behind_ann));
  EXPECT_FALSE(is_told(behind_others));
  tell(behind_others);
}

// A commit that waits for a synchronous standby is in the log before anybody sees it. A chunk read
// then would show the record older than the log has told it.
class HeldBack : public PostgresTest, public testing::WithParamInterface<const char*> {
 protected:
  void hold_back() {
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    take(1);
    user_.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
    user_.ask("SELECT pg_reload_conf()");
    // The server takes the setting over some time after it was asked to: until then nothing is
    // held.
    for (int tries = 0; tries < 100; ++tries) {
      held_ =
          std::thread([this] { User(database_).run("UPDATE customer SET name = 'held back'"); });
      EXPECT_THAT(take(1), ElementsAre("update 1 name=held back mail=NULL"));
      if (user_.ask("SELECT name FROM customer") == "Ann") break;
      held_.join();
      user_.run(
          "BEGIN; SET LOCAL synchronous_commit = local; UPDATE customer SET name = 'Ann'; COMMIT");
      take(1);
    }
    ASSERT_TRUE(held_.joinable());
  }
  void expect_it_is_not_read_until_it_is_seen() {
    const auto chunk = system_.source->read_snapshot(schemas_[0].dataset, "", 100, *sink_);
    EXPECT_THAT(sink_->take(), IsEmpty());
    user_.run("ALTER SYSTEM RESET synchronous_standby_names");
    user_.ask("SELECT pg_reload_conf()");
    held_.join();
    ASSERT_FALSE(chunk.has_value());
    EXPECT_EQ(ErrorCode::kSystemBusy, chunk.error().code);
    EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=held back mail=NULL"));
  }

  std::thread held_;
};

TEST_F(HeldBack, NoChunkIsOlderThanWhatTheLogHasTold) {
  start_customers();
  hold_back();
  expect_it_is_not_read_until_it_is_seen();
}

// Nor than what it has told to a life before. Whether a commit waits is not shown to every role.
TEST_P(HeldBack, NoChunkIsOlderThanWhatTheLogHadTold) {
  const std::string role = std::string(GetParam()) + "_of_" + database_;
  user_.run("CREATE ROLE " + role + " LOGIN REPLICATION; GRANT CREATE ON DATABASE " + database_ +
            " TO " + role);
  if (role.starts_with("told")) user_.run("GRANT pg_read_all_stats TO " + role);
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text); ALTER TABLE "
      "customer OWNER TO " +
      role);
  start_at(url(role), {make_schema("customer", "id:int64 name:text mail:text")}, "public.");
  hold_back();
  system_.source = make_postgres(config_, system_clock()).value().source;
  expect_ok(system_.source->open(sink_->position));
  take_for(500);
  expect_it_is_not_read_until_it_is_seen();
  system_ = {};
  user_.run("REASSIGN OWNED BY " + role + " TO postgres; DROP OWNED BY " + role);
  user_.run("DROP ROLE " + role);
}

INSTANTIATE_TEST_SUITE_P(Roles, HeldBack, testing::Values("told", "plain"));

class Spelled : public PostgresTest, public testing::WithParamInterface<ports::Spelling> {};

TEST_P(Spelled, AKeyThatIsNotWrittenAsOursIsNoRecord) {
  user_.run("CREATE TABLE thing(id varchar(60) PRIMARY KEY, name text)");
  start({make_schema("thing", "id:" + GetParam().type + " name:text")});
  expect_other_spelling_is_no_record([this](const std::string& sql) { user_.run(sql); },
                                     GetParam());
}

// The column is finer than the dataset: what is cut off of the key is in every row that we look
// for.
TEST_F(Capture, AKeyWithMoreDigitsThanTheDatasetsIsNoRecord) {
  user_.run("CREATE TABLE thing(id timestamp(3) PRIMARY KEY, name text)");
  start({make_schema("thing", "id:datetime(0) name:text")});
  expect_other_spelling_is_no_record([this](const std::string& sql) { user_.run(sql); },
                                     {"", "2026-01-05 10:00:00", "2026-01-05 10:00:00.5"});
}

INSTANTIATE_TEST_SUITE_P(Postgres, Spelled, testing::ValuesIn(ports::spellings()));

}  // namespace
}  // namespace syncline::postgres
