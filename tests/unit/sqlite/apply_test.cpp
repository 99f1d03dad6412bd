// Marked transactions: what is written, what is refused, and that it is all or nothing.
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

class Apply : public SqliteTest {
 protected:
  // The poison of a batch that must leave nothing behind.
  ports::Poison refused(const std::vector<std::string>& texts) {
    const std::string before = user_.ask("SELECT * FROM customer ORDER BY 1");
    const std::string checkpoint = user_.ask("SELECT max(seq) FROM syncline_checkpoint");
    const auto applied = try_apply(texts);
    expect_ok(applied);
    EXPECT_EQ(before, user_.ask("SELECT * FROM customer ORDER BY 1"));
    EXPECT_EQ(checkpoint, user_.ask("SELECT max(seq) FROM syncline_checkpoint"));
    if (applied && applied.value().poison) return *applied.value().poison;
    ADD_FAILURE() << "nothing was refused";
    return {};
  }
};

TEST_F(Apply, SetChangesOnlyTheNamedColumnsAndNoRowIsNoError) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const auto applied = try_apply({"set 1 name=Anna", "set 2 name=nobody"});
  expect_ok(applied);
  EXPECT_EQ(1U, applied.value().rows_written);
  EXPECT_EQ("1|Anna|a@x", user_.ask("SELECT * FROM customer"));
}

TEST_F(Apply, PutWritesEveryMappedColumnAndKeepsTheOthers) {
  start_customers(", note TEXT DEFAULT 'kept'");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine')");
  apply({"put 1 name=Anna mail=NULL", "put 2 name=Bob mail=b@x"});
  EXPECT_EQ("1|Anna|NULL|mine;2|Bob|b@x|kept", user_.ask("SELECT * FROM customer ORDER BY id"));
}

TEST_F(Apply, ARowWhoseKeyChangesKeepsWhatIsNotSynced) {
  start_customers(", note TEXT DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs')");
  apply({"delete 1", "put 10<1 name=Ann mail=a@x", "delete 2", "put 20<2 name=Bobby mail=b@x"});
  EXPECT_EQ("3|Cid|NULL|theirs;10|Ann|a@x|mine;20|Bobby|b@x|his",
            user_.ask("SELECT * FROM customer ORDER BY id"));
  // Where a row is under the new key already it becomes the record; where none was, one is made.
  apply({"delete 10", "put 3<10 name=Ann mail=NULL", "delete 4", "put 40<4 name=Dan mail=NULL"});
  EXPECT_EQ("3|Ann|NULL|theirs;20|Bobby|b@x|his;40|Dan|NULL|new",
            user_.ask("SELECT * FROM customer ORDER BY id"));
}

// A row goes to a key that is another's when that has gone on, whatever the keys' order.
TEST_F(Apply, RowsThatMoveOnToEachOthersKeysKeepWhatIsNotSynced) {
  start_customers(", note TEXT DEFAULT 'new'");
  user_.run("CREATE UNIQUE INDEX one ON customer(mail)");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs'), (8, 'Dan', 'd@x', 'kept'), (9, 'Eve', 'e@x', 'kept')");
  apply({"delete 1", "put 2<1 name=Ann mail=NULL", "put 3<2 name=Bob mail=NULL",
         "put 4<3 name=Cid mail=NULL"});
  const std::string others = ";8|Dan|d@x|kept;9|Eve|e@x|kept";
  EXPECT_EQ("2|Ann|NULL|mine;3|Bob|NULL|his;4|Cid|NULL|theirs" + others,
            user_.ask("SELECT * FROM customer ORDER BY id"));
  // Back again, beside a clash, and a new row where the last one was.
  apply({"put 1<2 name=Ann mail=NULL", "put 2<3 name=Bob mail=NULL", "put 3<4 name=Cid mail=NULL",
         "put 4 name=Fay mail=NULL", "set 8 mail=e@x", "set 9 mail=d@x"});
  EXPECT_EQ(
      "1|Ann|NULL|mine;2|Bob|NULL|his;3|Cid|NULL|theirs;4|Fay|NULL|new;8|Dan|e@x|kept;"
      "9|Eve|d@x|kept",
      user_.ask("SELECT * FROM customer ORDER BY id"));
  // In a ring none can go first: they stay, and get each other's values.
  apply({"put 1<3 name=Cid mail=NULL", "put 2<1 name=Ann mail=NULL", "put 3<2 name=Bob mail=NULL",
         "delete 4", "delete 8", "put 9 name=Eve mail=e@x"});
  EXPECT_EQ("1|Cid|NULL|mine;2|Ann|NULL|his;3|Bob|NULL|theirs;9|Eve|e@x|kept",
            user_.ask("SELECT * FROM customer ORDER BY id"));
  // Behind one that ended, plainly and beside a clash.
  apply({"replace 1<2 name=Ann mail=NULL", "put 2<3 name=Bob mail=NULL", "delete 3"});
  EXPECT_EQ("1|Ann|NULL|his;2|Bob|NULL|theirs;9|Eve|e@x|kept",
            user_.ask("SELECT * FROM customer ORDER BY id"));
  user_.run("INSERT INTO customer VALUES (8, 'Dan', 'd@x', 'kept')");
  apply({"replace 1<2 name=Bob mail=NULL", "delete 2", "set 8 mail=e@x", "set 9 mail=d@x"});
  EXPECT_EQ("1|Bob|NULL|theirs;8|Dan|e@x|kept;9|Eve|d@x|kept",
            user_.ask("SELECT * FROM customer ORDER BY id"));
}

// Rather than get the values of its neighbour beside what only this system holds of it.
TEST_F(Apply, ARowThatMayNotMoveOnIsWrittenAnew) {
  start_customers(", note TEXT DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs')");
  user_.run(
      "CREATE TRIGGER stays BEFORE UPDATE OF id ON customer WHEN OLD.id <> NEW.id BEGIN SELECT "
      "RAISE(ABORT, 'keys stay'); END");
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"replace 1<2 name=Bob mail=NULL", "put 2<3 name=Cid mail=NULL", "delete 3"});
  EXPECT_EQ("1|Bob|NULL|new;2|Cid|NULL|new", user_.ask("SELECT * FROM customer ORDER BY id"));
  apply({"replace 1 name=Dan mail=NULL"});
  EXPECT_EQ("1|Dan|NULL|new;2|Cid|NULL|new", user_.ask("SELECT * FROM customer ORDER BY id"));
}

// One that clashes does not cost the others what they hold.
TEST_F(Apply, ARowThatIsMovedBesideAClashKeepsWhatIsNotSynced) {
  start_customers(", note TEXT DEFAULT 'new'");
  user_.run("CREATE UNIQUE INDEX one ON customer(mail)");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine'), (2, 'Bob', 'b@x', 'his'), "
      "(3, 'Cid', 'c@x', 'theirs'), (4, 'Dan', NULL, 'lost')");
  apply({"delete 1", "put 10<1 name=Ann mail=NULL", "set 2 mail=c@x", "set 3 mail=b@x", "delete 4",
         "put 40<4 name=Dan mail=c@y"});
  EXPECT_EQ("2|Bob|c@x|his;3|Cid|b@x|theirs;10|Ann|NULL|mine;40|Dan|c@y|lost",
            user_.ask("SELECT * FROM customer ORDER BY id"));
}

TEST_F(Apply, ATriggerThatForbidsAnotherKeyIsObeyed) {
  start_customers(", note TEXT DEFAULT 'new'");
  user_.run(
      "CREATE TRIGGER fixed BEFORE UPDATE OF id ON customer BEGIN SELECT RAISE(ROLLBACK, "
      "'fixed'); END");
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine')");
  apply({"delete 1", "put 10<1 name=Ann mail=NULL"});
  EXPECT_EQ("10|Ann|NULL|new", user_.ask("SELECT * FROM customer"));
}

// What a user's trigger counts is one change.
TEST_F(Apply, ARowThatIsMovedIsUpdatedOnce) {
  start_customers(", changes INTEGER DEFAULT 0");
  user_.run(
      "CREATE TRIGGER counting AFTER UPDATE ON customer BEGIN UPDATE customer SET changes = "
      "changes + 1 WHERE id = NEW.id AND changes = OLD.changes; END");
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL, 0)");
  apply({"delete 1", "put 10<1 name=Anna mail=NULL"});
  EXPECT_EQ("10|Anna|NULL|1", user_.ask("SELECT * FROM customer"));
}

TEST_F(Apply, AnInsertWritesOverNobodysRow) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'theirs', 'a@x')");
  apply({"insert 2 name=Bob mail=b@x", "set 1 name=Ann"});
  EXPECT_EQ("1|Ann|a@x;2|Bob|b@x", user_.ask("SELECT * FROM customer ORDER BY 1"));
  std::vector<std::string> texts = {"put 1 name=Anna mail=a@x", "set 2 name=Bobby"};
  for (int id = 3; id < 40; ++id) {
    texts.push_back("insert " + std::to_string(id) + " name=ours mail=NULL");
  }
  apply(texts);
  EXPECT_EQ("37", user_.ask("SELECT count(*) FROM customer WHERE name = 'ours'"));
  texts = {"set 1 name=Ann", "insert 2 name=ours mail=c@x", "insert 50 name=ours mail=NULL",
           "insert 9 name=other mail=d@x"};
  const std::string before = user_.ask("SELECT * FROM customer ORDER BY 1");
  const auto applied = try_apply(texts);
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  std::set<size_t> refused = {applied.value().poison->write_index};
  for (const ports::Poison& poison : applied.value().other_poisons) {
    refused.insert(poison.write_index);
  }
  EXPECT_EQ((std::set<size_t>{1, 3}), refused);
  EXPECT_EQ(before, user_.ask("SELECT * FROM customer ORDER BY 1"));
}

TEST_F(Apply, ATableOfNothingButItsKey) {
  user_.run("CREATE TABLE tag(name TEXT PRIMARY KEY NOT NULL)");
  start({make_schema("tag", "name:text")});
  apply({"put red", "put blue"});
  apply({"put red", "delete blue"});
  EXPECT_EQ("red", user_.ask("SELECT * FROM tag"));
}

TEST_F(Apply, RecordsSwapUniqueValuesInOneBatch) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  apply({"set 1 mail=b@x", "put 2 name=Bob mail=a@x"});
  EXPECT_EQ("1|Ann|b@x;2|Bob|a@x", user_.ask("SELECT * FROM customer ORDER BY id"));
}

TEST_F(Apply, RecordsSwapUniqueValuesThatCannotBeNull) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, rank INTEGER "
      "NOT NULL UNIQUE)");
  start({make_schema("customer", "id:int64 name:text rank:int64")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 1), (2, 'Bob', 2)");
  drain();
  apply({"set 1 name=Bob rank=2", "set 2 name=Ann rank=1"});
  EXPECT_EQ("1|Bob|2;2|Ann|1", user_.ask("SELECT * FROM customer ORDER BY id"));
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours update 1 name=Bob rank=2",
                                  "ours update 2 name=Ann rank=1"));
}

TEST_F(Apply, AllThatIsRefusedIsToldAtOnceAndASwapAcrossTheRestIsNone) {
  start_customers(", CHECK (name <> 'refused')");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (9000, 'Bob', 'b@x')");
  drain();
  expect_all_refused_told_at_once();
  EXPECT_EQ("98", user_.ask("SELECT count(*) FROM customer"));
  EXPECT_EQ("b@x;a@x", user_.ask("SELECT mail FROM customer WHERE id IN (1, 9000) ORDER BY id"));
}

TEST_F(Apply, ADeleteGivesItsUniqueValueToAPutOfTheSameBatch) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (2, 'Bob', 'b@x')");
  apply({"put 1 name=Ann mail=b@x", "delete 2"});
  EXPECT_EQ("1|Ann|b@x", user_.ask("SELECT * FROM customer"));
}

TEST_F(Apply, AUniqueValueOfAnotherRecordIsRefusedNeverReplaced) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const ports::Poison poison = refused({"put 5 name=ok mail=NULL", "put 7 name=Eve mail=a@x"});
  EXPECT_EQ(1U, poison.write_index);
  EXPECT_EQ(ErrorCode::kSystemRefused, poison.error.code);
  EXPECT_THAT(to_string(poison.error), HasSubstr("record id=7"));
  EXPECT_THAT(to_string(poison.error), HasSubstr("UNIQUE constraint failed: customer.mail"));
}

TEST_F(Apply, ATablesOwnConflictClauseDoesNotRemoveOtherRecords) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE ON CONFLICT "
      "REPLACE)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  EXPECT_EQ(0U, refused({"put 7 name=Eve mail=a@x"}).write_index);
}

TEST_F(Apply, NotNullAndCheckConstraintsAreRefusals) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT NOT NULL, mail TEXT CHECK(mail "
      "<> 'bad'))");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  EXPECT_THAT(refused({"put 1 name=NULL mail=NULL"}).error.why, HasSubstr("NOT NULL"));
  EXPECT_THAT(refused({"put 1 name=Ann mail=bad"}).error.why, HasSubstr("CHECK"));
}

TEST_F(Apply, AStrictTableRefusesWhatItsTypeCannotHold) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, credit INTEGER) STRICT");
  start({make_schema("customer", "id:int64 name:text credit:float64")});
  EXPECT_EQ(0U, refused({"put 1 name=Ann credit=1.5"}).write_index);
  apply({"put 1 name=Ann credit=2"});
}

TEST_F(Apply, TriggersThatRollBackOrIgnoreAreRefusals) {
  start_customers();
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run(
      "CREATE TRIGGER r BEFORE INSERT ON customer WHEN NEW.name = 'roll' BEGIN SELECT "
      "RAISE(ROLLBACK, 'rolled'); END");
  user_.run(
      "CREATE TRIGGER i BEFORE INSERT ON customer WHEN NEW.name = 'skip' BEGIN SELECT "
      "RAISE(IGNORE); END");
  EXPECT_EQ(1U, refused({"put 1 name=ok mail=NULL", "put 2 name=roll mail=NULL"}).write_index);
  EXPECT_THAT(refused({"put 2 name=skip mail=NULL"}).error.why, HasSubstr("RAISE(IGNORE)"));
  apply({"put 1 name=ok mail=NULL"});
}

TEST_F(Apply, ValuesThatAffinityWouldChangeAreRefused) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, price DECIMAL(20,2), code STRING, big "
      "INTEGER)");
  start({make_schema("customer", "id:int64 price:decimal(20,2) code:text big:uint64")});
  EXPECT_EQ(ErrorCode::kValue,
            refused({"put 1 price=12345678901234567.89 code=x big=1"}).error.code);
  EXPECT_EQ(ErrorCode::kValue, refused({"put 1 price=1 code=007 big=1"}).error.code);
  EXPECT_EQ(ErrorCode::kValue,
            refused({"put 1 price=1 code=x big=9223372036854775808"}).error.code);
  apply({"put 1 price=1234567890123.45 code=a7 big=9223372036854775807"});
  EXPECT_THAT(poll(), ElementsAre(marker(1),
                                  "ours insert 1 price=1234567890123.45 code=a7 "
                                  "big=9223372036854775807"));
}

TEST_F(Apply, NulBytesInTextTravelAsTheyAre) {
  start_customers();
  Writes writes;
  add_write(writes, schemas_[0], "put 1 name=x mail=NULL");
  writes.cells.back()[0].bytes = std::string("a\0b", 3);
  ports::WriteBatch batch{kEpoch, {{schemas_[0].stream, 0, 0, 1}}, writes.views};
  expect_ok(system_.target->apply(batch));
  EXPECT_EQ("610062", user_.ask("SELECT hex(name) FROM customer"));
  EXPECT_THAT(poll(), ElementsAre(marker(1),
                                  "ours insert 1 name=" + std::string("a\0b", 3) + " mail=NULL"));
}

TEST_F(Apply, ARecordOutsideTheRowFilterIsRefusedAndOneThatLeavesItIsADelete) {
  start_customers();
  config_.datasets[0].where = "name <> 'gone'";
  connect();
  EXPECT_THAT(refused({"put 1 name=gone mail=NULL"}).error.what, HasSubstr("row filter"));
  apply({"put 1 name=Ann mail=NULL"});
  drain();
  user_.run("UPDATE customer SET name = 'gone' WHERE id = 1");
  EXPECT_THAT(poll(), ElementsAre("delete 1"));
}

TEST_F(Apply, WhileAUserHoldsTheWriteLockWeAreBusyAndWriteNothing) {
  start_customers();
  user_.run("BEGIN IMMEDIATE; INSERT INTO customer VALUES (1, 'Ann', NULL)");
  const auto applied = try_apply({"put 2 name=Bob mail=NULL"});
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorCode::kSystemBusy, applied.error().code);
  user_.run("COMMIT");
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_EQ("2", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Apply, InRollbackJournalModeAReaderOfTheUsersMakesUsBusyNotHalfWritten) {
  start_customers();
  system_ = {};
  user_.run("PRAGMA journal_mode = DELETE");
  connect();
  user_.run("BEGIN; SELECT * FROM customer");
  const auto applied = try_apply({"put 2 name=Bob mail=NULL"});
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorCode::kSystemBusy, applied.error().code);
  user_.run("COMMIT");
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_THAT(poll(), ElementsAre(marker(1), "ours insert 2 name=Bob mail=NULL"));
}

TEST_F(Apply, AMarkerThatAnotherSessionMovedStopsUs) {
  start_customers();
  user_.run("UPDATE syncline_checkpoint SET seq = 10 WHERE lane = 0");
  const auto applied = try_apply({"put 2 name=Bob mail=NULL"});
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorCode::kMarkerMoved, applied.error().code);
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Apply, ProbeTellsWhatWasApplied) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  apply({"put 2 name=Bob mail=NULL"});
  const auto checkpoints = system_.target->probe(kEpoch);
  expect_ok(checkpoints);
  ASSERT_EQ(4U, checkpoints.value().size());
  EXPECT_EQ(2U, checkpoints.value()[0].applied);
  EXPECT_EQ(0U, checkpoints.value()[1].applied);
}

TEST_F(Apply, OpeningAnEpochAgainKeepsItsRowsAndForgetsOlderOnes) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  const std::vector<model::StreamId> streams = {schemas_[0].stream};
  expect_ok(system_.target->open_epoch(kEpoch, streams, 4));
  EXPECT_EQ("1", user_.ask("SELECT max(seq) FROM syncline_checkpoint"));
  expect_ok(system_.target->open_epoch(kEpoch + 1, streams, 4));
  EXPECT_EQ("2|0|4", user_.ask("SELECT epoch, max(seq), count(*) FROM syncline_checkpoint"));
  const auto applied = try_apply({"put 2 name=Bob mail=NULL"});
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorCode::kMarkerMoved, applied.error().code);
}

TEST_F(Apply, AFullFileIsAnErrorWithNothingWritten) {
  start_customers();
  const std::string big(20'000, 'x');
  // The limit is per connection, so the file is filled with a tmpfs where one can be mounted.
  const std::string full = folder_.file("full");
  std::filesystem::create_directory(full);
  if (std::system(("mount -t tmpfs -o size=400k tmpfs " + full + " 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << "no right to mount a tmpfs";
  }
  path_ = full + "/shop.db";
  {
    User user(path_);
    user.run(
        "PRAGMA journal_mode=WAL; CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, "
        "mail TEXT)");
    start({make_schema("customer", "id:int64 name:text mail:text")});
    ErrorCode code = ErrorCode::kInternal;
    for (int i = 0; i < 100 && code == ErrorCode::kInternal; ++i) {
      const auto applied = try_apply({"put " + std::to_string(i) + " name=" + big + " mail=NULL"});
      if (!applied) code = applied.error().code;
    }
    EXPECT_EQ(ErrorCode::kSystemFull, code);
    EXPECT_EQ(std::to_string(sequence_), user.ask("SELECT count(*) FROM customer"));
    EXPECT_EQ(std::to_string(sequence_), user.ask("SELECT max(seq) FROM syncline_checkpoint"));
  }
  system_ = {};
  EXPECT_EQ(0, std::system(("umount " + full).c_str()));
}

TEST_F(Apply, AMissingOrForeignFileIsAnErrorThatSaysSo) {
  start_customers();
  config_.url = "sqlite://" + folder_.file("none.db");
  auto system = make_sqlite(config_, system_clock()).value();
  auto opened = system.target->open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemOpen, opened.error().code);
  EXPECT_THAT(opened.error().fix, HasSubstr("does not create"));
  FILE* file = std::fopen(folder_.file("none.db").c_str(), "w");
  std::fputs("this is not a database, but long enough to look into ..............................",
             file);
  std::fclose(file);
  opened = system.target->open();
  ASSERT_FALSE(opened.has_value());
  EXPECT_THAT(opened.error().fix, HasSubstr("is not a SQLite database"));
}

TEST_F(Apply, ASecondApplianceOnOneFileIsRefused) {
  start_customers();
  config_.appliance = "geneva";
  auto system = make_sqlite(config_, system_clock()).value();
  const auto opened = system.source->open({});
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemRefused, opened.error().code);
  EXPECT_THAT(opened.error().what, HasSubstr("captured by the appliance zurich"));
}

TEST_F(Apply, UrlsThatNameNoFileAreRefused) {
  for (const std::string url : {"", "sqlite://", ":memory:", "postgresql://x"}) {
    config_.url = url;
    EXPECT_FALSE(make_sqlite(config_, system_clock()).has_value()) << url;
  }
}

}  // namespace
}  // namespace syncline::sqlite
