// What no log tells of a table: single partitions that are emptied, attached, detached or dropped,
// and columns that get other values by ALTER TABLE.
#include "tests/unit/postgres/looked_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::IsEmpty, testing::SizeIs;

class Partitioned : public Looked {
 protected:
  void begin() {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text) PARTITION BY RANGE "
        "(id); CREATE TABLE low PARTITION OF customer FOR VALUES FROM (0) TO (10000); CREATE TABLE "
        "high PARTITION OF customer FOR VALUES FROM (10000) TO (20000) PARTITION BY RANGE (id); "
        "CREATE TABLE higher PARTITION OF high FOR VALUES FROM (10000) TO (20000)");
    start({make_schema("customer", "id:int64 name:text mail:text")});
    open_with(small(), {}, clock_);
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL), (10001, 'Bob', NULL)");
    EXPECT_THAT(take(2), SizeIs(2));
  }
};

TEST_F(Partitioned, OneThatIsEmptiedDetachedAttachedOrDroppedAsksForAScan) {
  begin();
  const std::string ann = "snapshot 1 name=Ann mail=NULL";
  const std::string bob = "snapshot 10001 name=Bob mail=NULL";
  EXPECT_THAT(read_behind("ALTER TABLE customer DETACH PARTITION low"), ElementsAre(bob));
  EXPECT_THAT(read_behind("ALTER TABLE customer ATTACH PARTITION low FOR VALUES FROM (0) TO (9)"),
              ElementsAre(ann, bob));
  EXPECT_THAT(read_behind("TRUNCATE low"), ElementsAre(bob));
  EXPECT_THAT(read_behind("DROP TABLE higher"), IsEmpty());
}

TEST_F(Partitioned, WhatIsWrittenAsksForNone) {
  begin();
  user_.run("UPDATE customer SET name = 'Cy' WHERE id < 9; DELETE FROM customer WHERE id > 9");
  user_.run("INSERT INTO customer SELECT g, 'x', NULL FROM generate_series(2, 500) g");
  user_.run("VACUUM ANALYZE low");
  expect_nothing_to_read();
}

// Behind the reading they would come back for good.
TEST_F(Partitioned, TheScanWaitsForWhatTheLogStillTellsOfRowsThatAreGone) {
  begin();
  user_.run("INSERT INTO customer SELECT g, 'x', NULL FROM generate_series(2, 5001) g");
  user_.run("TRUNCATE low");
  clock_.skip_seconds(6);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  size_t line_count = 0;
  while (rescans_.empty() && std::chrono::steady_clock::now() < deadline) {
    line_count += poll().size();
    note_poll();
  }
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_EQ(5000U, line_count);
}

TEST_F(Partitioned, OneThatIsEmptiedWhileTheConnectionIsAwayIsNoticedAtTheNext) {
  begin();
  user_.run("TRUNCATE low");
  expect_ok(system_.source->open(sink_->position));
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 10001 name=Bob mail=NULL"));
  expect_nothing_to_read();
}

TEST_F(Partitioned, WhatBecomesOfThemWhileNobodyReadsIsNoticedAtTheNextStart) {
  begin();
  EXPECT_THAT(read_at_next_start("TRUNCATE low"), ElementsAre("snapshot 10001 name=Bob mail=NULL"));
  EXPECT_THAT(read_at_next_start("DROP TABLE higher"), IsEmpty());
  expect_nothing_to_read_after("INSERT INTO customer VALUES (2, 'Cy', NULL)");
  expect_nothing_to_read_after(
      "CREATE TABLE later PARTITION OF customer FOR VALUES FROM (20000) TO (30000)");
}

TEST_F(Partitioned, OneThatIsMadeEmptyAsksForNoScan) {
  begin();
  user_.run("CREATE TABLE later PARTITION OF customer FOR VALUES FROM (20000) TO (30000)");
  expect_nothing_to_read();
  user_.run("INSERT INTO customer VALUES (20001, 'Cy', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 20001 name=Cy mail=NULL"));
  expect_nothing_to_read();
}

TEST_F(Partitioned, OneThatIsAwayForAMomentAsksForAScan) {
  begin();
  const std::string away =
      "ALTER TABLE customer DETACH PARTITION low; UPDATE low SET name = 'Anna'; ALTER TABLE "
      "customer ATTACH PARTITION low FOR VALUES FROM (0) TO (10000)";
  EXPECT_THAT(read_behind(away),
              ElementsAre("snapshot 1 name=Anna mail=NULL", "snapshot 10001 name=Bob mail=NULL"));
  expect_nothing_to_read();
  EXPECT_THAT(read_at_next_start(
                  "ALTER TABLE customer DETACH PARTITION high; UPDATE high SET name = 'Bo'; ALTER "
                  "TABLE customer ATTACH PARTITION high FOR VALUES FROM (10000) TO (20000)"),
              ElementsAre("snapshot 1 name=Anna mail=NULL", "snapshot 10001 name=Bo mail=NULL"));
  expect_nothing_to_read_after("VACUUM low");
}

// Each has a replica identity of its own, which an ALTER of the table does not reach.
using Identified = Looked;

TEST_F(Identified, APartitionWhoseIdentityIsWithoutTheKeyStopsUntilItIsMended) {
  user_.run(
      "CREATE TABLE customer(mail text NOT NULL, id bigint NOT NULL, UNIQUE (mail)) PARTITION BY "
      "LIST (mail); CREATE TABLE \"Low\" PARTITION OF customer FOR VALUES IN ('a@x', 'b@x'); "
      "ALTER TABLE \"Low\" ADD PRIMARY KEY (id); ALTER TABLE customer REPLICA IDENTITY USING INDEX "
      "customer_mail_key");
  start({make_schema("customer", "mail:text id:int64")});
  poll_until([this] { return !stopped_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  const std::string fix = stopped_[0].error.fix;
  EXPECT_EQ("ALTER TABLE \"public\".\"Low\" REPLICA IDENTITY USING INDEX \"Low_mail_key\";", fix);
  user_.run(fix);
  open_with(small(), {}, clock_);
  user_.run("INSERT INTO customer VALUES ('a@x', 1); DELETE FROM customer");
  EXPECT_THAT(take(2), ElementsAre("insert a@x id=1", "delete a@x"));
  stopped_.clear();
  user_.run("ALTER TABLE \"Low\" REPLICA IDENTITY DEFAULT; INSERT INTO customer VALUES ('b@x', 2)");
  user_.run("DELETE FROM customer");
  poll_until([this] { return !stopped_.empty(); });
  EXPECT_THAT(stopped_, SizeIs(1));
}

TEST_F(Partitioned, OneThatIsUnloggedStopsTheDatasetUntilItIsLogged) {
  begin();
  user_.run("ALTER TABLE low SET UNLOGGED");
  clock_.skip_seconds(6);
  poll_until([this] { return !stopped_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  const std::string fix = "ALTER TABLE \"public\".\"low\" SET LOGGED;";
  EXPECT_EQ(fix, stopped_[0].error.fix);
  EXPECT_THAT(stopped_[0].error.what, testing::HasSubstr("public.low"));
  user_.run("INSERT INTO customer VALUES (2, 'Cy', NULL)");
  EXPECT_THAT(read_behind(fix), SizeIs(3));
  user_.run("INSERT INTO customer VALUES (3, 'Dan', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 3 name=Dan mail=NULL"));
}

// Whose rows would be read, and be in no log.
TEST_F(Partitioned, AForeignTableIsNoneWhereTheTableHasAKey) {
  begin();
  user_.run("CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER away FOREIGN DATA WRAPPER nothing");
  EXPECT_EQ("42809", user_.error_of("CREATE FOREIGN TABLE far PARTITION OF customer FOR VALUES "
                                    "FROM (20000) TO (30000) SERVER away"));
}

// Only owners may publish a table, and tables are published by one statement.
TEST_F(Looked, ATableThatIsAnothersByNowStopsAlone) {
  const std::string role = "reader_of_" + database_;
  user_.run("CREATE ROLE " + role + " LOGIN REPLICATION; GRANT CREATE ON DATABASE " + database_ +
            " TO " + role +
            "; CREATE TABLE customer(id bigint PRIMARY KEY, name text); CREATE TABLE "
            "item(id bigint PRIMARY KEY, name text); ALTER TABLE customer OWNER TO " +
            role + "; ALTER TABLE item OWNER TO " + role);
  start_at(
      url(role),
      {make_schema("customer", "id:int64 name:text"), make_schema("item", "id:int64 name:text")},
      "public.");
  open_with(small(), {}, clock_);
  poll();
  user_.run("ALTER TABLE customer OWNER TO postgres; ALTER TABLE item RENAME name TO title");
  clock_.skip_seconds(6);
  poll_until([this] { return stopped_.size() >= 2; });
  ASSERT_THAT(stopped_, SizeIs(2));
  EXPECT_EQ(schemas_[0].dataset, stopped_[0].dataset);
  EXPECT_EQ("ALTER TABLE \"public\".\"customer\" OWNER TO \"" + role + "\";",
            stopped_[0].error.fix);
  user_.run("ALTER TABLE item RENAME title TO name");
  clock_.skip_seconds(6);
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, ElementsAre(schemas_[1].dataset));
  user_.run("INSERT INTO item VALUES (1, 'pen')");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=pen"));
  system_ = {};
  user_.run("REASSIGN OWNED BY " + role + " TO postgres; DROP OWNED BY " + role);
  user_.run("DROP ROLE " + role);
}

// The last that the log said of one was that it is gone, while its row was there.
TEST_F(Identified, AKeyThatBecomesDeferrableStopsUntilAnIndexKeepsRecordsApart) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("ALTER TABLE customer REPLICA IDENTITY FULL");
  start({make_schema("customer", "id:int64 name:text")});
  open_with(small(), {}, clock_);
  user_.run("ALTER TABLE customer DROP CONSTRAINT customer_pkey, ADD PRIMARY KEY (id) DEFERRABLE");
  clock_.skip_seconds(6);
  poll_until([this] { return !stopped_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_EQ(ErrorCode::kSystemKey, stopped_[0].error.code);
  user_.run("INSERT INTO customer VALUES (1, 'Ann'), (2, 'Bob'); UPDATE customer SET id = 3 - id");
  EXPECT_THAT(read_behind(stopped_[0].error.fix.substr(0, stopped_[0].error.fix.find(" or, "))),
              ElementsAre("snapshot 1 name=Bob", "snapshot 2 name=Ann"));
  user_.run("UPDATE customer SET id = 3 WHERE id = 1");
  EXPECT_THAT(take(1), ElementsAre("update 3 name=Bob"));
}

class Rewritten : public Looked {
 protected:
  void begin() {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
    start({make_schema("customer", "id:int64 name:text mail:text")});
    open_with(small(), {}, clock_);
    user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
    EXPECT_THAT(take(1), SizeIs(1));
  }
};

TEST_F(Rewritten, AColumnThatIsRetypedToItsOwnTypeOrMadeAnewAsksForAScan) {
  begin();
  EXPECT_THAT(read_behind("ALTER TABLE customer ALTER name TYPE text USING lower(name)"),
              ElementsAre("snapshot 1 name=ann mail=a@x"));
  EXPECT_THAT(read_behind("ALTER TABLE customer DROP mail, ADD mail text"),
              ElementsAre("snapshot 1 name=ann mail=NULL"));
  user_.run("UPDATE customer SET mail = 'b@x'");
  EXPECT_THAT(take(1), ElementsAre("update 1 name=ann mail=b@x"));
  expect_nothing_to_read();
}

TEST_F(Rewritten, OneThatIsRetypedWhileNobodyReadsIsNoticedAtTheNextStart) {
  begin();
  EXPECT_THAT(read_at_next_start("ALTER TABLE customer ALTER name TYPE text USING lower(name)"),
              ElementsAre("snapshot 1 name=ann mail=a@x"));
  EXPECT_THAT(read_at_next_start("ALTER TABLE customer DROP mail, ADD mail text"),
              ElementsAre("snapshot 1 name=ann mail=NULL"));
  expect_nothing_to_read_after("VACUUM FULL customer");
}

// As its usual migration does; the log still names it.
TEST_F(Rewritten, ATypeThatIsDroppedBeforeItsRowsWereReadAsksForAScanBehindThem) {
  user_.run("CREATE TYPE state AS ENUM ('new', 'old')");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name state, mail text)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  open_with(small(), {}, clock_);
  user_.run("INSERT INTO customer VALUES (1, 'new', 'a@x')");
  EXPECT_THAT(take(1), SizeIs(1));
  EXPECT_THAT(
      read_at_next_start("UPDATE customer SET name = 'old';"
                         "ALTER TYPE state RENAME TO was;"
                         "CREATE TYPE state AS ENUM ('new', 'old', 'paid');"
                         "ALTER TABLE customer ALTER name TYPE state USING name::text::state;"
                         "DROP TYPE was"),
      ElementsAre("snapshot 1 name=old mail=a@x"));
  user_.run("UPDATE customer SET name = 'paid'");
  EXPECT_THAT(take(1), ElementsAre("update 1 name=paid mail=a@x"));
}

// A crash may come between a poll and what is kept of it: what was told is told again.
TEST_F(Rewritten, WhatIsKeptIsWhatPollsHaveTold) {
  begin();
  take_for(200);
  const std::string before = source_->layout();
  user_.run("ALTER TABLE customer ALTER name TYPE text USING lower(name)");
  expect_ok(system_.source->open(sink_->position));
  EXPECT_EQ(before, source_->layout());
  make_source(small(), clock_);  // the life ends before it is told, and so may the next
  source_->compare_with(before);
  expect_ok(source_->open(sink_->position));
  EXPECT_EQ(before, source_->layout());
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_NE(before, source_->layout());
}

TEST(SeenTables, AreTheSameThereAndBack) {
  SeenTables seen;
  seen.layouts[7] = {"16402", {{3, "751"}, {5, "752"}}};
  seen.layouts[9] = {"16500", {{1, "753"}}};
  seen.partitions[7] = {{"16410", "16411/750"}, {"16412", "16412/750/751"}};
  seen.labels[7] = {{"16500", "754"}, {"16502", "755"}};
  seen.partitions[9] = {};
  seen.published = {16390, "750", {{7, "16402.16405.752"}, {9, "out"}}};
  const SeenTables again = seen_from(to_text(seen));
  EXPECT_EQ(to_text(seen), to_text(again));
  EXPECT_THAT(rewritten(seen.layouts, again.layouts), IsEmpty());
  EXPECT_EQ(seen.partitions, again.partitions);
  EXPECT_EQ(seen.labels, again.labels);
  EXPECT_EQ(16390, again.published.number);
  EXPECT_THAT(republished(seen.published, again.published), IsEmpty());
}

TEST(SeenTables, WhatCannotBeReadIsNotKnown) {
  for (const char* text : {"field 1 2", "dataset x 1", "dataset 7", "dataset 7 1\nfield", "what"}) {
    const SeenTables seen = seen_from(text);
    EXPECT_TRUE(seen.layouts.empty() && seen.partitions.empty()) << text;
  }
}

TEST_F(Rewritten, WhatLeavesTheValuesAsTheyAreAsksForNone) {
  begin();
  user_.run("ALTER TABLE customer ALTER name SET NOT NULL, ALTER name SET DEFAULT 'x'");
  expect_nothing_to_read();
  user_.run("VACUUM FULL customer");
  expect_nothing_to_read();
  user_.run("ALTER TABLE customer ADD seen timestamptz DEFAULT clock_timestamp()");
  expect_nothing_to_read();
}

}  // namespace
}  // namespace syncline::postgres
