// Writes of ours and of users in one window of the log: what came before and after, exactly.
#include <thread>

#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::ElementsAre, testing::IsEmpty;

class Interleaving : public SqliteTest {
 protected:
  Interleaving() {
    start_customers();
    user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
    drain();
  }
};

TEST_F(Interleaving, AUsersChangeThatOurWriteOverwroteIsShownBeforeTheMarkerAsItWas) {
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  apply({"set 1 name=ours"});
  EXPECT_THAT(poll(), ElementsAre("update 1 name=theirs mail=a@x", marker(1),
                                  "ours update 1 name=ours mail=a@x"));
}

TEST_F(Interleaving, AUsersDeleteBeforeOurPutIsShownAsDelete) {
  user_.run("DELETE FROM customer WHERE id = 1");
  apply({"put 1 name=ours mail=NULL"});
  EXPECT_THAT(poll(), ElementsAre("delete 1", marker(1), "ours insert 1 name=ours mail=NULL"));
}

TEST_F(Interleaving, AUsersInsertThatWeDeletedIsShownWithItsValues) {
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  apply({"delete 2"});
  EXPECT_THAT(poll(), ElementsAre("insert 2 name=Bob mail=NULL", marker(1), "ours delete 2"));
}

TEST_F(Interleaving, AWriteOfOursThatHitsNoRowStillClosesTheUsersStretch) {
  user_.run("DELETE FROM customer WHERE id = 1");
  apply({"set 1 name=ours"});
  user_.run("INSERT INTO customer VALUES (1, 'again', NULL)");
  EXPECT_THAT(poll(), ElementsAre("delete 1", marker(1), "insert 1 name=again mail=NULL"));
}

TEST_F(Interleaving, AUsersChangeBehindOursLeavesOurEchoAsWeWroteIt) {
  apply({"set 1 name=ours"});
  user_.run("UPDATE customer SET name = 'Ann' WHERE id = 1");
  EXPECT_THAT(poll(),
              ElementsAre(marker(1), "ours update 1 name=ours", "update 1 name=Ann mail=a@x"));
}

TEST_F(Interleaving, UserOursUserOursKeepsEveryState) {
  user_.run("UPDATE customer SET name = 'u1' WHERE id = 1");
  apply({"set 1 name=o1"});
  user_.run("UPDATE customer SET name = 'u2' WHERE id = 1");
  user_.run("UPDATE customer SET name = 'u3' WHERE id = 1");
  apply({"set 1 name=o2"});
  EXPECT_THAT(poll(), ElementsAre("update 1 name=u1 mail=a@x", marker(1), "ours update 1 name=o1",
                                  "update 1 name=u3 mail=a@x", marker(2),
                                  "ours update 1 name=o2 mail=a@x"));
}

TEST_F(Interleaving, TwoTransactionsOfOursShowWhatEachWrote) {
  apply({"set 1 name=o1"});
  apply({"set 1 mail=o@x"});
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours update 1 name=o1", marker(2),
                                  "ours update 1 name=o1 mail=o@x"));
}

TEST_F(Interleaving, OurDeleteFollowedByAUsersInsert) {
  apply({"delete 1"});
  user_.run("INSERT INTO customer VALUES (1, 'new', NULL)");
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours delete 1", "insert 1 name=new mail=NULL"));
}

TEST_F(Interleaving, RowsReadButNotAcknowledgedKeepTheirImageForAReread) {
  const model::Position acknowledged = sink_->position;
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=theirs mail=a@x"));
  apply({"set 1 name=ours"});
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours update 1 name=ours mail=a@x"));
  connect(acknowledged);
  EXPECT_THAT(poll(), ElementsAre("update 1 name=theirs mail=a@x", marker(1),
                                  "ours update 1 name=ours mail=a@x"));
}

TEST_F(Interleaving, AcknowledgedUserRowsNeedNoImage) {
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  drain();
  apply({"set 1 name=ours"});
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM syncline_changes WHERE op = 5"));
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours update 1 name=ours mail=a@x"));
}

TEST_F(Interleaving, ARolledBackWriteOfOursLeavesNoTrace) {
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run(
      "CREATE TRIGGER refuse BEFORE UPDATE ON customer WHEN NEW.name = 'bad' BEGIN SELECT "
      "RAISE(ABORT, 'no'); END");
  drain();
  const auto applied = try_apply({"set 1 name=bad"});
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  EXPECT_THAT(poll(), IsEmpty());
  EXPECT_EQ("0", user_.ask("SELECT applying FROM syncline_state"));
}

TEST_F(Interleaving, WhatATriggerOfTheirsDoesToOurWriteIsShownAsItStands) {
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run(
      "CREATE TRIGGER shout AFTER UPDATE OF name ON customer BEGIN UPDATE customer SET name = "
      "upper(NEW.name) WHERE id = NEW.id; END");
  apply({"set 1 name=ours"});
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours update 1 name=OURS mail=a@x"));
}

TEST_F(Interleaving, SeveralStreamsAndLanesMoveInOneTransaction) {
  ports::WriteBatch batch;
  batch.epoch = kEpoch;
  const model::StreamId stream = schemas_[0].stream;
  batch.moves = {{stream, 0, 0, 3}, {stream, 2, 0, 7}};
  expect_ok(system_.target->apply(batch));
  const std::string prefix = "marker " + std::to_string(stream);
  EXPECT_THAT(poll(), ElementsAre(prefix + "/0=3", prefix + "/2=7"));
}

// A run of the log longer than one window: what lies behind its end counts all the same.
TEST_F(Interleaving, ALongBacklogKeepsEveryStateAcrossWindows) {
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 1");
  user_.run(
      "WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 70000) "
      "INSERT INTO customer SELECT i, 'bulk', NULL FROM n");
  apply({"set 1 name=ours"});
  user_.run("UPDATE customer SET name = 'last' WHERE id = 1");
  std::vector<std::string> of_first;
  size_t polls = 0;
  do {
    for (const std::string& line : poll()) {
      if (line.find(" 1 ") != std::string::npos) of_first.push_back(line);
    }
    ++polls;
  } while (last_poll_.has_more);
  EXPECT_LT(1U, polls);
  EXPECT_THAT(of_first, ElementsAre("update 1 name=theirs mail=a@x", "ours update 1 name=ours",
                                    "update 1 name=last mail=a@x"));
}

// Writers on both sides at full speed; what the log shows, replayed, is what the table holds, and
// every value of the user's that lasted until our next write has been seen.
TEST_F(Interleaving, WithAUserWritingAtTheSameTimeNothingIsLost) {
  constexpr int kRounds = 300;
  std::thread writer([&] {
    User other(path_);
    for (int i = 0; i < kRounds; ++i) {
      other.run("UPDATE customer SET name = 'u" + std::to_string(i) + "' WHERE id = 1");
    }
  });
  size_t users = 0;
  std::string last;
  const auto read = [&] {
    for (const std::string& line : poll()) {
      if (line.starts_with("marker")) continue;
      users += line.starts_with("update") ? 1 : 0;
      last = line;
    }
  };
  for (int i = 0; i < kRounds; ++i) {
    const auto applied = try_apply({"set 1 name=o" + std::to_string(i)});
    EXPECT_TRUE(applied || applied.error().code == ErrorCode::kSystemBusy);
    if (i % 7 == 0) read();
  }
  writer.join();
  read();
  EXPECT_LT(0U, users);
  EXPECT_THAT(last, testing::HasSubstr("name=" + user_.ask("SELECT name FROM customer")));
}

}  // namespace
}  // namespace syncline::sqlite
