// capture = "scan" and "poll" against a real PostgreSQL server.
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
