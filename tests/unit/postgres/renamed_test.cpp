// A table, a column or a label that has another name, be it for a moment.
#include "tests/unit/postgres/looked_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::IsEmpty, testing::SizeIs;

class Renamed : public Looked {
 protected:
  void begin() {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
    start({make_schema("customer", "id:int64 name:text mail:text")});
    open_with(small(), {}, clock_);
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    EXPECT_THAT(take(1), SizeIs(1));
  }
  // Each statement in a transaction of its own.
  void run_each(const std::vector<std::string>& statements) {
    for (const std::string& sql : statements) user_.run(sql);
  }
};

TEST_F(Renamed, ATableThatIsRenamedAndBackIsReadOn) {
  begin();
  run_each({"ALTER TABLE customer RENAME TO kunde", "INSERT INTO kunde VALUES (2, 'Bob', NULL)",
            "ALTER TABLE kunde RENAME TO customer"});
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  user_.run(
      "ALTER TABLE customer RENAME TO kunde; INSERT INTO kunde VALUES (3, 'Cy', NULL); ALTER TABLE "
      "kunde RENAME TO customer");
  EXPECT_THAT(take(1), ElementsAre("insert 3 name=Cy mail=NULL"));
  expect_nothing_to_read();
  EXPECT_THAT(stopped_, IsEmpty());
}

TEST_F(Renamed, ATableThatIsInAnotherSchemaForAMomentIsReadOn) {
  begin();
  run_each({"CREATE SCHEMA away", "ALTER TABLE customer SET SCHEMA away",
            "INSERT INTO away.customer VALUES (2, 'Bob', NULL)",
            "ALTER TABLE away.customer SET SCHEMA public"});
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  expect_nothing_to_read();
}

TEST_F(Renamed, WhatIsWrittenUnderAnotherNameWhileNobodyReadsIsReadOn) {
  begin();
  take_for(200);
  system_.source.reset();
  run_each({"ALTER TABLE customer RENAME TO kunde", "INSERT INTO kunde VALUES (2, 'Bob', NULL)",
            "ALTER TABLE kunde RENAME TO customer"});
  open_with(small(), sink_->position, clock_);
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
}

// As two tables that change places do.
TEST_F(Renamed, AnotherTableThatTakesTheNameIsRead) {
  begin();
  user_.run(
      "CREATE TABLE later(id bigint PRIMARY KEY, name text, mail text); INSERT INTO later "
      "VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(read_behind("ALTER TABLE customer RENAME TO earlier; ALTER TABLE later RENAME TO "
                          "customer"),
              ElementsAre("snapshot 2 name=Bob mail=NULL"));
  run_each({"INSERT INTO earlier VALUES (3, 'Cy', NULL)",
            "INSERT INTO customer VALUES (4, 'Dan', NULL)"});
  EXPECT_THAT(take(1), ElementsAre("insert 4 name=Dan mail=NULL"));
}

TEST_F(Renamed, TablesThatChangePlacesWhileNobodyReadsAreRead) {
  begin();
  user_.run(
      "CREATE TABLE later(id bigint PRIMARY KEY, name text, mail text); INSERT INTO later "
      "VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(read_at_next_start("ALTER TABLE customer RENAME TO earlier; ALTER TABLE later RENAME "
                                 "TO customer"),
              ElementsAre("snapshot 2 name=Bob mail=NULL"));
}

TEST_F(Renamed, AColumnThatIsRenamedForAMomentAsksForAScan) {
  begin();
  EXPECT_THAT(read_behind("ALTER TABLE customer RENAME name TO title; UPDATE customer SET title = "
                          "'Anna'; ALTER TABLE customer RENAME title TO name"),
              ElementsAre("snapshot 1 name=Anna mail=NULL"));
  user_.run("UPDATE customer SET name = 'Cy'");
  EXPECT_THAT(take(1), ElementsAre("update 1 name=Cy mail=NULL"));
  EXPECT_THAT(stopped_, IsEmpty());
}

// Labels are kept apart from the rows that have them.
class Labelled : public Looked {
 protected:
  void begin(const std::string& type = "state", const std::string& value = "'new'") {
    user_.run(
        "CREATE TYPE state AS ENUM ('new', 'old'); CREATE DOMAIN of_state AS state; CREATE "
        "TYPE pair AS (state of_state, number int)");
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name " + type + ", mail text)");
    user_.run("CREATE TABLE item(id bigint PRIMARY KEY, name text)");
    start({make_schema("customer", "id:int64 name:text mail:text"),
           make_schema("item", "id:int64 name:text")});
    open_with(small(), {}, clock_);
    user_.run("INSERT INTO customer VALUES (1, " + value + ", NULL)");
    EXPECT_THAT(take(1), SizeIs(1));
  }
};

TEST_F(Labelled, OneThatIsRenamedAsksForAScan) {
  begin();
  EXPECT_THAT(read_behind("ALTER TYPE state RENAME VALUE 'new' TO 'fresh'"),
              ElementsAre("snapshot 1 name=fresh mail=NULL"));
  expect_nothing_to_read();
}

TEST_F(Labelled, OneThatIsRenamedWhileNobodyReadsAsksForAScan) {
  begin();
  EXPECT_THAT(read_at_next_start("ALTER TYPE state RENAME VALUE 'new' TO 'fresh'"),
              ElementsAre("snapshot 1 name=fresh mail=NULL"));
  expect_nothing_to_read_after("INSERT INTO customer VALUES (2, 'old', NULL)");
}

// Rows that were written meanwhile were told with it.
TEST_F(Labelled, OneThatHasAnotherNameForAMomentAsksForAScan) {
  begin();
  EXPECT_THAT(
      read_behind("ALTER TYPE state RENAME VALUE 'new' TO 'fresh'; UPDATE customer SET mail "
                  "= 'a@x'; ALTER TYPE state RENAME VALUE 'fresh' TO 'new'"),
      ElementsAre("snapshot 1 name=new mail=a@x"));
}

TEST_F(Labelled, OneThatIsAddedAsksForNone) {
  begin();
  user_.run("ALTER TYPE state ADD VALUE 'paid' BEFORE 'old'");
  expect_nothing_to_read();
  user_.run("INSERT INTO customer VALUES (2, 'paid', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=paid mail=NULL"));
  expect_nothing_to_read_after("ALTER TYPE state ADD VALUE 'sent'");
}

TEST_F(Labelled, OneWithinAnArrayADomainOrACompositeAsksForAScan) {
  begin("of_state[]", "'{new,old}'");
  EXPECT_THAT(read_behind("ALTER TYPE state RENAME VALUE 'new' TO 'fresh'"),
              ElementsAre("snapshot 1 name={fresh,old} mail=NULL"));
}

TEST_F(Labelled, OneWithinACompositeAsksForAScan) {
  begin("pair", "'(new,1)'");
  EXPECT_THAT(read_behind("ALTER TYPE state RENAME VALUE 'new' TO 'fresh'"),
              ElementsAre("snapshot 1 name=(fresh,1) mail=NULL"));
}

}  // namespace
}  // namespace syncline::postgres
