// A table or a column that has another name, be it for a moment.
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

}  // namespace
}  // namespace syncline::postgres
