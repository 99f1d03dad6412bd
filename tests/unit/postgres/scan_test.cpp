// capture = "scan" and "poll" against a real PostgreSQL server.
#include "drivers/systems/postgres/detail/scan_tables.hpp"
#include "tests/support/poll_suite.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {

class PostgresScan : public PostgresTest {
 public:
  static constexpr const char* kTablePrefix = "public.";
  static constexpr const char* kTextKey = "text";
  static constexpr const char* kEchoTable = "syncline.syncline_echo";
  static constexpr bool kLocksRows = true;
  static constexpr const char* kNow = "now()";
  static constexpr const char* kOutlast = "SELECT pg_sleep(1.2)";
  static constexpr const char* kTouch = ", changed_at = now()";
  static constexpr const char* kMayBeNull = "ALTER TABLE customer ALTER changed_at DROP NOT NULL";
  static constexpr const char* kDropIndex = "DROP INDEX by_change";
  static constexpr const char* kIndexSql =
      "CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"changed_at\", \"id\");";

  // Another user, in the midst of a transaction.
  class Holder {
   public:
    Holder(PostgresScan& test, const std::string& sql) : user_(test.database_) {
      user_.run("BEGIN");
      user_.run(sql);
    }
    ~Holder() { user_.run("ROLLBACK"); }
    void commit() { user_.run("COMMIT"); }

   private:
    User user_;
  };

 protected:
  void make_customers() {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text UNIQUE)");
    user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  }
  void make_poll_columns() {
    user_.run(
        "ALTER TABLE customer ADD changed_at timestamptz NOT NULL DEFAULT '2026-01-01', ADD "
        "version bigint NOT NULL DEFAULT 1");
    user_.run("CREATE INDEX by_change ON customer (changed_at)");
    user_.run("CREATE INDEX by_version ON customer (version)");
  }
};

class PostgresPoll : public ports::PollSuite<PostgresScan> {
 protected:
  // Stamped by now, committed later.
  void prepare_late() {
    const std::string late =
        "INSERT INTO customer (id, name, changed_at) VALUES (7, 'late', now())";
    other_.run("BEGIN");
    other_.run(late);
    add_now(20);
    scan();
    outlast_the_margin();
    other_.run("PREPARE TRANSACTION 'late'");
  }
  void add_now(int id) {
    user_.run("INSERT INTO customer (id, name, changed_at) VALUES (" + std::to_string(id) +
              ", 'n', now())");
  }

  User other_{database_};
};

// Where a poll begins again when the server's clock was set back, which no test does.
TEST_F(PostgresPoll, TheHighestValueAtATimeIsToldInAnyKindOfClock) {
  auto shared = std::make_shared<Shared>();
  shared->config = config_;
  ScanTables tables(shared);
  const auto highest_at = [&](int64_t time_s) {
    expect_ok(tables.look(config_.datasets[0]));
    return tables.highest_at(schemas_[0].dataset, time_s * 1'000'000).value();
  };
  expect_ok(tables.connect());
  add(3, "2026-03-01 00:00:00.25Z");
  constexpr int64_t kMarch = 1'772'323'200;
  EXPECT_EQ("2026-03-01 00:00:00.25+00", highest_at(kMarch + 1));
  EXPECT_THAT(highest_at(kMarch), testing::StartsWith("2026-01-01"));
  EXPECT_EQ("", highest_at(kMarch - 100 * 86'400));
  user_.run(
      "ALTER TABLE customer ALTER changed_at TYPE timestamp USING changed_at AT TIME ZONE 'UTC'");
  EXPECT_EQ("2026-03-01 00:00:00.25", highest_at(kMarch + 14 * 3600 + 1));
  EXPECT_THAT(highest_at(kMarch + 14 * 3600), testing::StartsWith("2026-01-01"));
}

TEST_F(PostgresPoll, WhatWasPreparedLongAfterItsBeginIsNotMissed) {
  scan();
  prepare_late();
  for (int id = 21; id < 23; ++id) {
    outlast_the_margin();
    add_now(id);
    EXPECT_THAT(scan(), testing::SizeIs(1));
  }
  other_.run("COMMIT PREPARED 'late'");
  EXPECT_THAT(scan(), testing::ElementsAre("update 7 name=late mail=NULL"));
}

}  // namespace syncline::postgres

namespace syncline::ports {
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, ScanSuite, postgres::PostgresScan);
INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, PollSuite, postgres::PostgresScan);
}  // namespace syncline::ports
