// Marked transactions: what is written, what is refused, and that it is all or nothing.
#include <future>

#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr;

class Apply : public PostgresTest {
 protected:
  std::string customers() { return user_.ask("SELECT * FROM customer ORDER BY 1"); }
  // The poison of a batch that must leave nothing behind.
  ports::Poison refused(const std::vector<std::string>& texts) {
    const std::string before = customers();
    const auto applied = try_apply(texts);
    expect_ok(applied);
    EXPECT_EQ(before, customers());
    EXPECT_EQ(std::to_string(sequence_),
              user_.ask("SELECT max(seq) FROM syncline.syncline_checkpoint"));
    if (applied && applied.value().poison) return *applied.value().poison;
    ADD_FAILURE() << "nothing was refused";
    return {};
  }
  ErrorCode code_of_apply(const std::vector<std::string>& texts) {
    const auto applied = try_apply(texts);
    EXPECT_FALSE(applied.has_value());
    return applied ? ErrorCode::kInternal : applied.error().code;
  }
};

TEST_F(Apply, SetChangesOnlyTheNamedColumnsAndNoRowIsNoError) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const auto applied = try_apply({"set 1 name=Anna", "set 2 name=nobody"});
  expect_ok(applied);
  EXPECT_EQ(1U, applied.value().rows_written);
  EXPECT_EQ("1|Anna|a@x", customers());
}

TEST_F(Apply, PutUpdatesWhatIsThereAndInsertsWhatIsNot) {
  start_customers(", note text DEFAULT 'kept'");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine')");
  const auto applied = try_apply({"put 1 name=Anna mail=NULL", "put 2 name=Bob mail=b@x"});
  expect_ok(applied);
  EXPECT_EQ(2U, applied.value().rows_written);
  EXPECT_EQ("1|Anna|NULL|mine;2|Bob|b@x|kept", customers());
}

TEST_F(Apply, ARowWhoseKeyChangesKeepsWhatIsNotSynced) {
  start_customers(", note text DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs')");
  apply({"delete 1", "put 10<1 name=Ann mail=a@x", "delete 2", "put 20<2 name=Bobby mail=b@x"});
  EXPECT_EQ("3|Cid|NULL|theirs;10|Ann|a@x|mine;20|Bobby|b@x|his", customers());
  // Where a row is under the new key already it becomes the record; where none was, one is made.
  apply({"delete 10", "put 3<10 name=Ann mail=NULL", "delete 4", "put 40<4 name=Dan mail=NULL"});
  EXPECT_EQ("3|Ann|NULL|theirs;20|Bobby|b@x|his;40|Dan|NULL|new", customers());
}

// A row goes to a key that is another's when that has gone on, whatever the keys' order.
TEST_F(Apply, RowsThatMoveOnToEachOthersKeysKeepWhatIsNotSynced) {
  start_customers(", note text DEFAULT 'new'");
  user_.run("CREATE UNIQUE INDEX one ON customer(mail)");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs'), (8, 'Dan', 'd@x', 'kept'), (9, 'Eve', 'e@x', 'kept')");
  apply({"delete 1", "put 2<1 name=Ann mail=NULL", "put 3<2 name=Bob mail=NULL",
         "put 4<3 name=Cid mail=NULL"});
  const std::string others = ";8|Dan|d@x|kept;9|Eve|e@x|kept";
  EXPECT_EQ("2|Ann|NULL|mine;3|Bob|NULL|his;4|Cid|NULL|theirs" + others, customers());
  // Back again, beside a clash, and a new row where the last one was.
  apply({"put 1<2 name=Ann mail=NULL", "put 2<3 name=Bob mail=NULL", "put 3<4 name=Cid mail=NULL",
         "put 4 name=Fay mail=NULL", "set 8 mail=e@x", "set 9 mail=d@x"});
  EXPECT_EQ(
      "1|Ann|NULL|mine;2|Bob|NULL|his;3|Cid|NULL|theirs;4|Fay|NULL|new;8|Dan|e@x|kept;"
      "9|Eve|d@x|kept",
      customers());
  // In a ring none can go first: they stay, and get each other's values.
  apply({"put 1<3 name=Cid mail=NULL", "put 2<1 name=Ann mail=NULL", "put 3<2 name=Bob mail=NULL",
         "delete 4", "delete 8", "put 9 name=Eve mail=e@x"});
  EXPECT_EQ("1|Cid|NULL|mine;2|Ann|NULL|his;3|Bob|NULL|theirs;9|Eve|e@x|kept", customers());
  // Behind one that ended, plainly and beside a clash.
  apply({"replace 1<2 name=Ann mail=NULL", "put 2<3 name=Bob mail=NULL", "delete 3"});
  EXPECT_EQ("1|Ann|NULL|his;2|Bob|NULL|theirs;9|Eve|e@x|kept", customers());
  user_.run("INSERT INTO customer VALUES (8, 'Dan', 'd@x', 'kept')");
  apply({"replace 1<2 name=Bob mail=NULL", "delete 2", "set 8 mail=e@x", "set 9 mail=d@x"});
  EXPECT_EQ("1|Bob|NULL|theirs;8|Dan|e@x|kept;9|Eve|d@x|kept", customers());
}

// Rather than get the values of its neighbour beside what only this system holds of it.
TEST_F(Apply, ARowThatMayNotMoveOnIsWrittenAnew) {
  start_customers(", note text DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs')");
  user_.run("ALTER TABLE customer ALTER id ADD GENERATED ALWAYS AS IDENTITY");
  connect();
  apply({"replace 1<2 name=Bob mail=NULL", "put 2<3 name=Cid mail=NULL", "delete 3"});
  EXPECT_EQ("1|Bob|NULL|new;2|Cid|NULL|new", customers());
  apply({"replace 1 name=Dan mail=NULL"});
  EXPECT_EQ("1|Dan|NULL|new;2|Cid|NULL|new", customers());
}

// Where foreign keys act on what we write, a row that is deleted would take its children along.
TEST_F(Apply, WhereForeignKeysActARecordIsNotWrittenAnew) {
  start_customers(", note text DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'); "
      "CREATE TABLE child (id int PRIMARY KEY, customer int REFERENCES customer(id) ON DELETE "
      "CASCADE ON UPDATE CASCADE); INSERT INTO child VALUES (7, 1)");
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"replace 1<2 name=Bob mail=NULL", "delete 2"});
  EXPECT_EQ("1|Bob|NULL|mine", customers());
  EXPECT_EQ("7|1", user_.ask("SELECT * FROM child"));
  apply({"replace 1 name=Cid mail=NULL"});
  EXPECT_EQ("1|Cid|NULL|mine", customers());
  EXPECT_EQ("7|1", user_.ask("SELECT * FROM child"));
}

// One that clashes does not cost the others what they hold.
TEST_F(Apply, ARowThatIsMovedBesideAClashKeepsWhatIsNotSynced) {
  start_customers(", note text DEFAULT 'new'");
  user_.run("CREATE UNIQUE INDEX one ON customer(mail)");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine'), (2, 'Bob', 'b@x', 'his'), "
      "(3, 'Cid', 'c@x', 'theirs'), (4, 'Dan', NULL, 'lost')");
  apply({"delete 1", "put 10<1 name=Ann mail=NULL", "set 2 mail=c@x", "set 3 mail=b@x", "delete 4",
         "put 40<4 name=Dan mail=c@y"});
  EXPECT_EQ("2|Bob|c@x|his;3|Cid|b@x|theirs;10|Ann|NULL|mine;40|Dan|c@y|lost", customers());
}

// A sequence goes on where what asked it is rolled back.
TEST_F(Apply, WhatCannotBeMovedIsNotLookedForWithoutEnd) {
  start_customers();
  user_.run("INSERT INTO customer SELECT g, 'n', NULL FROM generate_series(1, 300) g");
  user_.run(
      "CREATE SEQUENCE tries; CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
      "PERFORM nextval('tries'); RETURN NULL; END $$; CREATE FUNCTION refuse() RETURNS trigger "
      "LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'keys stay'; END $$; "
      "CREATE TRIGGER try BEFORE UPDATE OF id ON customer EXECUTE FUNCTION try(); "
      "CREATE TRIGGER stays BEFORE UPDATE OF id ON customer FOR EACH ROW EXECUTE FUNCTION "
      "refuse(); ALTER TABLE customer ENABLE ALWAYS TRIGGER try, ENABLE ALWAYS TRIGGER stays");
  config_.datasets[0].triggers = "fire";
  connect();
  std::vector<std::string> moves;
  for (int id = 1; id <= 300; ++id) {
    moves.push_back("delete " + std::to_string(id));
    moves.push_back("put " + std::to_string(1000 + id) + "<" + std::to_string(id) +
                    " name=moved mail=NULL");
  }
  apply(moves);
  EXPECT_EQ("300|1001", user_.ask("SELECT count(*), min(id) FROM customer WHERE name = 'moved'"));
  const int tries = std::stoi(user_.ask("SELECT last_value FROM tries"));
  EXPECT_GT(tries, 50);
  EXPECT_LT(tries, 80);
}

TEST_F(Apply, AnInsertWritesOverNobodysRow) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'theirs', 'a@x')");
  apply({"insert 2 name=Bob mail=b@x", "set 1 name=Ann"});
  EXPECT_EQ("1|Ann|a@x;2|Bob|b@x", customers());
  std::vector<std::string> texts = {"put 1 name=Anna mail=a@x", "set 2 name=Bobby"};
  for (int id = 3; id < 40; ++id) {
    texts.push_back("insert " + std::to_string(id) + " name=ours mail=NULL");
  }
  apply(texts);
  EXPECT_EQ("37", user_.ask("SELECT count(*) FROM customer WHERE name = 'ours'"));
  texts = {"set 1 name=Ann", "insert 2 name=ours mail=c@x", "insert 50 name=ours mail=NULL",
           "insert 9 name=other mail=d@x"};
  const std::string before = customers();
  const auto applied = try_apply(texts);
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  std::set<size_t> refused = {applied.value().poison->write_index};
  for (const ports::Poison& poison : applied.value().other_poisons) {
    refused.insert(poison.write_index);
  }
  EXPECT_EQ((std::set<size_t>{1, 3}), refused);
  EXPECT_EQ(before, customers());
}

TEST_F(Apply, AnInsertMeetsARowByEitherIndexOfItsKey) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY DEFERRABLE, name text)");
  user_.run("CREATE UNIQUE INDEX now ON customer (id)");
  user_.run("ALTER TABLE customer REPLICA IDENTITY USING INDEX now");
  start({make_schema("customer", "id:int64 name:text")});
  user_.run("INSERT INTO customer VALUES (1, 'theirs')");
  EXPECT_THAT(refused({"insert 1 name=ours"}).error.what, HasSubstr("(insert_exists)"));
  EXPECT_EQ("1|theirs", customers());
}

// What checks it is a trigger, which does not run for our writes: there would be two of one key.
TEST_F(Apply, ATableWhoseKeyIsDeferrableIsNotWritten) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY DEFERRABLE, name text)");
  start({make_schema("customer", "id:int64 name:text")});
  user_.run("INSERT INTO customer VALUES (1, 'theirs')");
  const auto stopped = try_apply({"insert 1 name=ours"}).value().stopped;
  EXPECT_EQ("1|theirs", customers());
  ASSERT_EQ(1U, stopped.size());
  user_.run(stopped[0].error.fix.substr(0, stopped[0].error.fix.find(" or, ")));
  EXPECT_THAT(refused({"insert 1 name=ours"}).error.what, HasSubstr("(insert_exists)"));
}

// As in a first sync: many are missing, then one is there after all.
TEST_F(Apply, AUserInsertsOneOfManyRecordsThatWereMissing) {
  start_customers();
  apply(hundred_puts(1000));
  apply(hundred_puts(2000));
  user_.run("INSERT INTO customer VALUES (3050, 'theirs', NULL)");
  std::vector<std::string> texts = hundred_puts(3000);
  texts.emplace_back("delete 1000");
  texts.emplace_back("set 1001 name=set");
  const auto applied = try_apply(texts);
  expect_ok(applied);
  EXPECT_EQ(102U, applied.value().rows_written);
  EXPECT_EQ("299", user_.ask("SELECT count(*) FROM customer"));
  EXPECT_EQ("298", user_.ask("SELECT count(*) FROM customer WHERE name = 'ours'"));
  EXPECT_EQ("1001", user_.ask("SELECT id FROM customer WHERE name = 'set'"));
  apply(hundred_puts(3000));
  apply(hundred_puts(4000));
  EXPECT_EQ("399", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Apply, AmongManyMissingRecordsAUniqueValueOfAnotherIsRefusedByItsName) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'theirs', 'a@x')");
  std::vector<std::string> texts;
  for (int id = 1000; id < 1100; ++id) {
    texts.push_back("put " + std::to_string(id) + " name=ours mail=NULL");
  }
  apply(texts);
  for (std::string& text : texts) text[4] = '2';
  texts[50] = "put 2050 name=ours mail=a@x";
  const auto applied = try_apply(texts);
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  EXPECT_EQ(50U, applied.value().poison->write_index);
  EXPECT_EQ("101", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Apply, ManyShapesInOneTransaction) {
  start_customers();
  user_.run("INSERT INTO customer SELECT g, 'n' || g, 'm' || g FROM generate_series(1, 6) g");
  apply({"set 1 name=A", "set 2 mail=B", "set 3 name=C mail=D", "delete 4",
         "put 5 name=E mail=NULL", "put 9 name=F mail=G"});
  EXPECT_EQ("1|A|m1;2|n2|B;3|C|D;5|E|NULL;6|n6|m6;9|F|G", customers());
}

TEST_F(Apply, ATableOfNothingButItsKey) {
  user_.run("CREATE TABLE tag(name text PRIMARY KEY)");
  start({make_schema("tag", "name:text")});
  apply({"put red", "put blue"});
  apply({"put red", "delete blue"});
  EXPECT_EQ("red", user_.ask("SELECT * FROM tag"));
}

TEST_F(Apply, ValuesOfEveryLookGoAsTheyAre) {
  start_customers();
  apply({"put 1 name={a,\"b\\\\c\"} mail=NULL", "put 2 name=null~'quoted'~$1 mail=\"\""});
  EXPECT_EQ("1|{a,\"b\\\\c\"}|NULL;2|null 'quoted' $1|\"\"", customers());
}

TEST_F(Apply, KeysThatTheDatabaseNumbersAreWrittenAsTheyAre) {
  user_.run("CREATE TABLE customer(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text)");
  start({make_schema("customer", "id:int64 name:text")});
  apply({"put 41 name=Ann"});
  EXPECT_EQ("41|Ann", customers());
}

TEST_F(Apply, RecordsSwapUniqueValuesInOneBatch) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  apply({"set 1 mail=b@x", "put 2 name=Bob mail=a@x"});
  EXPECT_EQ("1|Ann|b@x;2|Bob|a@x", customers());
}

TEST_F(Apply, RecordsSwapUniqueValuesThatCannotBeNull) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text NOT NULL UNIQUE, rank int NOT "
      "NULL UNIQUE)");
  start({make_schema("customer", "id:int64 name:text rank:int64")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 1), (2, 'Bob', 2)");
  apply({"set 1 name=Bob rank=2", "set 2 name=Ann rank=1"});
  EXPECT_EQ("1|Bob|2;2|Ann|1", customers());
}

// What is made up meanwhile stands in the log, so it has to be a value of its type.
TEST_F(Apply, RecordsSwapUniqueValuesOfTypesWithAFormOfTheirOwn) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, u uuid NOT NULL UNIQUE, d date NOT NULL "
      "UNIQUE, m timestamp(0) NOT NULL UNIQUE, z timestamptz NOT NULL UNIQUE, c char(2) NOT NULL "
      "UNIQUE, tu varchar(36) NOT NULL UNIQUE, td varchar(10) NOT NULL UNIQUE, tz text NOT NULL "
      "UNIQUE)");
  start({make_schema("customer",
                     "id:int64 u:uuid d:date m:datetime(0) z:timestamp c:char tu:uuid td:date "
                     "tz:timestamp")});
  const auto values = [](const std::string& n) {
    const std::string uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1" + n;
    const std::string day = "2026-01-0" + n;
    const std::string moment = day + "~10:00:00";
    return " u=" + uuid + " d=" + day + " m=" + moment + " z=" + moment + "Z c=" + n +
           " tu=" + uuid + " td=" + day + " tz=" + moment + "Z";
  };
  apply({"put 1" + values("1"), "put 2" + values("2"), "put 3" + values("3")});
  take(4);
  apply({"set 1" + values("2"), "set 2" + values("3"), "set 3" + values("1")});
  EXPECT_EQ("2026-01-02;2026-01-03;2026-01-01", user_.ask("SELECT d FROM customer ORDER BY id"));
  EXPECT_THAT(take(7), testing::SizeIs(7));
  EXPECT_THAT(rejected_, testing::IsEmpty());
}

TEST_F(Apply, ManyRecordsPassOnUniqueValuesOfNarrowColumns) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(3) NOT NULL UNIQUE, rank smallint "
      "NOT NULL UNIQUE)");
  start({make_schema("customer", "id:int64 name:text rank:int64")});
  user_.run("INSERT INTO customer SELECT i, i, i FROM generate_series(1, 400) i");
  std::vector<std::string> texts;
  for (int id = 1; id <= 400; ++id) {
    const std::string next = std::to_string(id % 400 + 1);
    texts.push_back("set " + std::to_string(id) + " name=" + next + " rank=" + next);
  }
  apply(texts);
  EXPECT_EQ("400", user_.ask("SELECT count(*) FROM customer WHERE name::int = id % 400 + 1 AND "
                             "rank = id % 400 + 1"));
}

TEST_F(Apply, AllThatIsRefusedIsToldAtOnceAndASwapAcrossTheRestIsNone) {
  start_customers(", CHECK (name <> 'refused')");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (9000, 'Bob', 'b@x')");
  expect_all_refused_told_at_once();
  EXPECT_EQ("98", user_.ask("SELECT count(*) FROM customer"));
  EXPECT_EQ("b@x;a@x", user_.ask("SELECT mail FROM customer WHERE id IN (1, 9000) ORDER BY id"));
}

// A server that is far away: what is found within a second is told, and the rest in other tries.
TEST_F(Apply, ASearchThatTakesLongIsCutAndGoesOnInTheNextTry) {
  start_customers(", CHECK (name <> 'refused')");
  ports::SlowClock clock;
  system_ = {};
  system_ = make_postgres(config_, clock).value();
  expect_ok(system_.target->open());
  EXPECT_GT(tries_until_written(600, [](int id) { return id % 2 == 0; }), 3);
  EXPECT_EQ("300", user_.ask("SELECT count(*) FROM customer"));
}

// Nobody of the batch gives away what they clash with.
TEST_F(Apply, ManyClashesWithRecordsOutsideAreRefusedAndNoneIsTriedForLong) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (9000, 'Bob', 'b@x')");
  std::vector<std::string> texts;
  for (int id = 1; id <= 400; ++id) texts.push_back("put " + std::to_string(id) + " mail=b@x");
  EXPECT_EQ(400U, places_refused(try_apply(texts)).size());
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Apply, ADeleteGivesItsUniqueValueToAPutOfTheSameBatch) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (2, 'Bob', 'b@x')");
  apply({"put 1 name=Ann mail=b@x", "delete 2"});
  EXPECT_EQ("1|Ann|b@x", customers());
}

TEST_F(Apply, AUniqueValueOfAnotherRecordIsRefusedNeverReplaced) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const ports::Poison poison = refused({"put 5 name=ok mail=NULL", "put 7 name=Eve mail=a@x"});
  EXPECT_EQ(1U, poison.write_index);
  EXPECT_EQ(ErrorCode::kSystemRefused, poison.error.code);
  EXPECT_THAT(to_string(poison.error), HasSubstr("record id=7"));
  EXPECT_THAT(to_string(poison.error), HasSubstr("customer_mail_key"));
}

TEST_F(Apply, ConstraintsAndLengthsAreRefusals) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(3) NOT NULL, mail text CHECK "
      "(mail <> 'bad'))");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  EXPECT_THAT(refused({"put 1 name=NULL mail=NULL"}).error.why, HasSubstr("not-null"));
  EXPECT_THAT(refused({"put 1 name=Ann mail=bad"}).error.why, HasSubstr("check constraint"));
  EXPECT_EQ(1U, refused({"put 1 name=Ann mail=ok", "put 2 name=Anna mail=ok"}).write_index);
}

TEST_F(Apply, AValueThatItsColumnDoesNotTakeIsRefusedWithTheColumnsName) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, age bigint, points smallint)");
  start({make_schema("customer", "id:int64 age:int64 points:int64")});
  EXPECT_THAT(refused({"put 1 age=1 points=1", "put 2 age=40000 points=40000"}).error.why,
              testing::AllOf(HasSubstr("column points: "), HasSubstr("out of range")));
  apply({"put 1 age=1 points=1"});
}

TEST_F(Apply, AZeroByteIsRefusedBeforeAnythingIsSent) {
  start_customers();
  Writes writes;
  add_write(writes, schemas_[0], "put 1 name=a mail=NULL");
  writes.cells[0][0].bytes = std::string("a\0b", 3);
  const ports::WriteBatch batch{kEpoch, {{schemas_[0].stream, 0, 0, 1}}, writes.views};
  const auto applied = system_.target->apply(batch);
  ASSERT_TRUE(applied.has_value() && applied.value().poison);
  EXPECT_EQ(ErrorCode::kValue, applied.value().poison->error.code);
}

TEST_F(Apply, AMovedMarkerStopsAndWritesNothing) {
  start_customers();
  user_.run("UPDATE syncline.syncline_checkpoint SET seq = 9 WHERE lane = 0");
  EXPECT_EQ(ErrorCode::kMarkerMoved, code_of_apply({"put 1 name=Ann mail=NULL"}));
  EXPECT_EQ("", customers());
}

TEST_F(Apply, ARowThatAUserHoldsIsBusyAndGoesLater) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  user_.run("BEGIN; UPDATE customer SET name = 'mine'");
  EXPECT_EQ(ErrorCode::kSystemBusy, code_of_apply({"set 1 mail=b@x"}));
  user_.run("COMMIT");
  apply({"set 1 mail=b@x"});
  EXPECT_EQ("1|mine|b@x", customers());
}

// Our own sessions read what is committed, whatever the database's default; what a table checks may
// still find that it cannot go on.
TEST_F(Apply, ASerializationFailureIsBusyAndGoesLater) {
  user_.run(
      "CREATE FUNCTION serialize() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN "
      "IF to_regclass('public.in_doubt') IS NOT NULL THEN RAISE EXCEPTION "
      "'could not serialize access' USING ERRCODE = 'serialization_failure'; END IF; "
      "RETURN true; END $$; "
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text, CHECK (serialize())); "
      "CREATE TABLE in_doubt()");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  EXPECT_EQ(ErrorCode::kSystemBusy, code_of_apply({"put 1 name=Ann mail=a@x"}));
  EXPECT_EQ("", customers());
  user_.run("DROP TABLE in_doubt");
  apply({"put 1 name=Ann mail=a@x"});
  EXPECT_EQ("1|Ann|a@x", customers());
}

// The server looks for deadlocks sooner than by default: the one that waits last would be ended.
TEST_F(Apply, AUserIsNeverTheVictimOfADeadlockWithUs) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  user_.run("ALTER SYSTEM SET deadlock_timeout = '100ms'");
  user_.run("SELECT pg_reload_conf()");
  connect();
  User user(database_);
  user.run("BEGIN; UPDATE customer SET name = 'mine' WHERE id = 2");
  auto applied = std::async(std::launch::async,
                            [&] { return code_of_apply({"set 1 name=ours", "set 2 name=ours"}); });
  user.run("SELECT pg_sleep(0.2)");  // past our own look for a deadlock, if we still wait
  EXPECT_EQ("", user.error_of("UPDATE customer SET name = 'mine' WHERE id = 1"));
  EXPECT_EQ(ErrorCode::kSystemBusy, applied.get());
  user.run("COMMIT");
  EXPECT_EQ("1|mine|a@x;2|mine|b@x", customers());
  user_.run("ALTER SYSTEM RESET deadlock_timeout");
  user_.run("SELECT pg_reload_conf()");
}

// Our statement still sees the row when it begins, waits for the user, and must not lose the
// record.
TEST_F(Apply, APutFindsThatAUserDeletedTheRowMeanwhile) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  user_.run("BEGIN; DELETE FROM customer WHERE id = 1");
  auto applied = std::async(std::launch::async, [&] {
    return try_apply({"put 1 name=Anna mail=c@x", "put 2 name=Bobby mail=b@x"});
  });
  const auto is_waiting = [&] {
    user_.ask("SELECT pg_stat_clear_snapshot()");
    return user_.ask("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == "1";
  };
  const std::chrono::milliseconds moment(1);
  while (!is_waiting() && applied.wait_for(moment) != std::future_status::ready) {
  }
  user_.run("COMMIT");
  const auto done = applied.get();
  if (!done) apply({"put 1 name=Anna mail=c@x", "put 2 name=Bobby mail=b@x"});
  EXPECT_EQ("1|Anna|c@x;2|Bobby|b@x", customers());
}

TEST_F(Apply, AClashOnAKeyThatIsNotTheDatasetsIsRefusedByItsName) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text NOT NULL UNIQUE)");
  start({make_schema("customer", "mail:text id:int64 name:text")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const ports::Poison poison = refused({"put b@x id=2 name=Bob", "put e@x id=1 name=Eve"});
  EXPECT_EQ(1U, poison.write_index);
  EXPECT_THAT(to_string(poison.error), HasSubstr("customer_pkey"));
  EXPECT_THAT(to_string(poison.error), HasSubstr("mail=e@x"));
}

TEST_F(Apply, ARowThatWeAreNotShownIsRefusedNotTriedForEver) {
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  start_customers();
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run(
      "GRANT ALL ON SCHEMA syncline TO plain; GRANT ALL ON customer, "
      "syncline.syncline_checkpoint TO plain");
  user_.run("CREATE POLICY higher ON customer TO plain USING (id > 5) WITH CHECK (true)");
  user_.run("ALTER TABLE customer ENABLE ROW LEVEL SECURITY");
  user_.run("INSERT INTO customer VALUES (1, 'hidden', NULL)");
  config_.url = url("plain");
  system_.target = std::move(make_postgres(config_, system_clock()).value().target);
  expect_ok(system_.target->open());
  const ports::Poison poison = refused({"put 7 name=Bob mail=NULL", "put 1 name=Ann mail=NULL"});
  EXPECT_EQ(1U, poison.write_index);
  EXPECT_THAT(to_string(poison.error), HasSubstr("customer_pkey"));
  system_ = {};
  user_.run("DROP OWNED BY plain; DROP ROLE plain");
}

TEST_F(Apply, TriggersThatMayNotBeSuppressedAnyMoreStopTheirDataset) {
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run(
      "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
      "upper(NEW.name); RETURN NEW; END $$");
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shout()");
  start({make_schema("customer", "id:int64 name:text")});
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run(
      "GRANT ALL ON SCHEMA syncline TO plain; GRANT ALL ON customer, "
      "syncline.syncline_checkpoint TO plain");
  config_.url = url("plain");
  system_.target = std::move(make_postgres(config_, system_clock()).value().target);
  expect_ok(system_.target->open());
  const auto applied = try_apply({"put 1 name=Ann"});
  ASSERT_TRUE(applied.has_value());
  ASSERT_EQ(1U, applied.value().stopped.size());
  const Error& why = applied.value().stopped[0].error;
  EXPECT_EQ(ErrorCode::kSystemSchema, why.code);
  EXPECT_THAT(to_string(why), HasSubstr("trigger shout on public.customer fires"));
  EXPECT_EQ("", customers());
  user_.run(why.fix.substr(0, why.fix.find(" or ")));
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
  system_ = {};
  user_.run("DROP OWNED BY plain; REVOKE SET ON PARAMETER session_replication_role FROM plain");
  user_.run("DROP ROLE plain");
}

TEST_F(Apply, WritesAreDurableWhateverTheRoleIsSetTo) {
  user_.run("CREATE TABLE seen(setting text)");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run(
      "CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen "
      "VALUES (current_setting('synchronous_commit')); RETURN NEW; END $$");
  user_.run("CREATE TRIGGER look BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION look()");
  user_.run("ALTER DATABASE " + database_ + " SET synchronous_commit = off");
  start({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"put 1 name=Ann"});
  user_.run("ALTER DATABASE " + database_ + " SET synchronous_commit = remote_apply");
  connect();
  sequence_ = 1;
  apply({"put 2 name=Bob"});
  EXPECT_EQ("on;remote_apply", user_.ask("SELECT setting FROM seen"));
}

TEST_F(Apply, SequencesKeepAheadOfTheNumbersThatWeBring) {
  user_.run("CREATE TABLE customer(id bigserial PRIMARY KEY, name text)");
  start({make_schema("customer", "id:int64 name:text")});
  const std::string next = "INSERT INTO customer(name) VALUES ('user') RETURNING id";
  apply({"put 1 name=Ann"});
  EXPECT_EQ("2", user_.ask(next));
  apply({"put 5 name=Bob", "put 4 name=Cy"});
  EXPECT_EQ("6", user_.ask(next));
  apply({"put 3 name=Dan"});
  EXPECT_EQ("7", user_.ask(next));
  apply({"put 900000 name=Eve"});
  EXPECT_EQ("900001", user_.ask(next));
}

TEST_F(Apply, SequencesWithDisjointRangesStayAsTheyAre) {
  user_.run("CREATE TABLE customer(id bigserial PRIMARY KEY, name text)");
  user_.run("ALTER SEQUENCE customer_id_seq INCREMENT BY 2");
  start({make_schema("customer", "id:int64 name:text")});
  apply({"put 50 name=Ann"});
  EXPECT_EQ("1", user_.ask("INSERT INTO customer(name) VALUES ('user') RETURNING id"));
}

TEST_F(Apply, ASequenceThatIsGoneHoldsUpNoRecord) {
  user_.run("CREATE TABLE customer(id bigserial PRIMARY KEY, name text)");
  start({make_schema("customer", "id:int64 name:text")});
  apply({"put 1 name=Ann"});
  user_.run("DROP SEQUENCE customer_id_seq CASCADE");
  apply({"put 2 name=Bob"});
  apply({"put 3 name=Cy"});
  EXPECT_EQ("1|Ann;2|Bob;3|Cy", customers());
}

TEST_F(Apply, AnIdentityColumnThatIsNotTheKeyIsInsertedAndItsUpdateNeedsItsSql) {
  user_.run("CREATE TABLE customer(name text PRIMARY KEY, id bigint GENERATED ALWAYS AS IDENTITY)");
  start({make_schema("customer", "name:text id:int64")});
  apply({"put Ann id=41"});
  apply({"put Ann id=41", "put Bob id=42"});
  EXPECT_EQ("Ann|41;Bob|42", customers());
  EXPECT_THAT(to_string(refused({"put Bob id=43"}).error), HasSubstr("customer_pkey"));
  const Error refusal = refused({"set Ann id=42"}).error;
  EXPECT_THAT(to_string(refusal), HasSubstr("[428C9]"));
  std::string fix;
  const auto found = system_.catalog->findings().value();
  for (const auto& finding : found) {
    if (finding.severity == ports::Severity::kStops) fix = finding.fix;
  }
  EXPECT_EQ(R"(ALTER TABLE "public"."customer" ALTER "id" SET GENERATED BY DEFAULT;)", fix);
  EXPECT_THAT(refusal.fix, HasSubstr(fix));
  user_.run(fix);
  connect();
  sequence_ = 2;
  apply({"set Ann id=51", "put Bob id=52"});
  EXPECT_EQ("Ann|51;Bob|52", customers());
}

TEST_F(Apply, TriggersAndForeignKeysDoNotRunForOurWrites) {
  user_.run("CREATE TABLE city(id bigint PRIMARY KEY)");
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text, city bigint REFERENCES city ON "
      "DELETE CASCADE)");
  user_.run(
      "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
      "upper(NEW.name); RETURN NEW; END $$");
  user_.run(
      "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION "
      "shout()");
  start(
      {make_schema("customer", "id:int64 name:text city:int64"), make_schema("city", "id:int64")});
  apply({"put 1 name=Ann city=7"});
  apply({"put 7"}, 1);
  apply({"delete 7"}, 1);
  EXPECT_EQ("1|Ann|7", customers());
}

TEST_F(Apply, ADatasetThatWantsItsTriggersHasThem) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run(
      "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
      "upper(NEW.name); RETURN NEW; END $$");
  user_.run(
      "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION "
      "shout()");
  start({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|ANN", customers());
  EXPECT_THAT(take(2), ElementsAre(marker(1), "ours insert 1 name=ANN"));
}

// Where referential actions run for our writes, a delete would take the children.
TEST_F(Apply, ARowWhoseKeyChangesKeepsItsChildren) {
  start_customers();
  user_.run(
      "CREATE TABLE line(id bigint PRIMARY KEY, customer bigint REFERENCES customer ON DELETE "
      "CASCADE ON UPDATE CASCADE)");
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("INSERT INTO line VALUES (1, 1), (2, 1)");
  apply({"delete 1", "put 10<1 name=Anna mail=NULL"});
  EXPECT_EQ("10|Anna|NULL", customers());
  EXPECT_EQ("1|10;2|10", user_.ask("SELECT * FROM line"));
}

// What is refused in moving is told of its record alone.
TEST_F(Apply, ARefusedMoveIsOneRefusedRecord) {
  start_customers(", CHECK (name <> 'taboo' OR mail IS NOT NULL)");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  const auto refused = try_apply(
      {"delete 1", "put 10<1 name=taboo mail=NULL", "delete 2", "put 20<2 name=Bob mail=NULL"});
  expect_ok(refused);
  ASSERT_TRUE(refused.value().poison.has_value());
  EXPECT_EQ(1u, refused.value().poison->write_index);
  EXPECT_TRUE(refused.value().other_poisons.empty());
  apply({"delete 1", "delete 2", "put 20<2 name=Bob mail=NULL"});
  EXPECT_EQ("20|Bob|NULL", customers());
}

class Referring : public Apply {
 protected:
  // The child's dataset comes before the parent's; foreign keys are checked.
  void begin() {
    user_.run("CREATE TABLE city(id bigint PRIMARY KEY)");
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, city bigint REFERENCES city(id))");
    start({make_schema("customer", "id:int64 city:int64"), make_schema("city", "id:int64")});
    for (auto& dataset : config_.datasets) dataset.triggers = "fire";
    connect();
  }
  std::string customers() {
    return user_.ask("SELECT string_agg(id || '|' || city, ' ' ORDER BY id) FROM customer");
  }
  // Writes of both datasets in one transaction: "customer put 1 city=7".
  Result<ports::ApplyResult> try_both(const std::vector<std::string>& texts) {
    Writes writes;
    for (const std::string& text : texts) {
      const bool is_city = text.starts_with("city ");
      add_write(writes, schemas_[is_city ? 1 : 0], text.substr(text.find(' ') + 1));
    }
    ports::WriteBatch batch;
    batch.epoch = kEpoch;
    batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
    batch.writes = writes.views;
    auto applied = system_.target->apply(batch);
    if (applied && !applied.value().poison) ++sequence_;
    return applied;
  }
};

TEST_F(Referring, AReferenceThatDoesNotHoldYetMayPass) {
  begin();
  const auto early = try_both({"customer put 1 city=7"});
  expect_ok(early);
  ASSERT_TRUE(early.value().poison.has_value());
  EXPECT_TRUE(early.value().poison->may_pass);
  expect_ok(try_both({"city put 7"}));
  expect_ok(try_both({"customer put 1 city=7"}));
  EXPECT_EQ("1|7", customers());
  const auto used = try_both({"city delete 7"});
  ASSERT_TRUE(used.value().poison.has_value());
  EXPECT_TRUE(used.value().poison->may_pass);
  user_.run("ALTER TABLE customer ADD CHECK (id < 5)");
  EXPECT_FALSE(try_both({"customer put 9 city=7"}).value().poison->may_pass);
}

TEST_F(Referring, WhatIsReferredToComesFirstAndGoesLast) {
  begin();
  const auto all = [this](const std::vector<std::string>& texts) {
    const auto result = try_both(texts);
    expect_ok(result);
    EXPECT_FALSE(result.value().poison.has_value());
  };
  all({"customer put 1 city=7", "city put 7"});
  all({"customer set 1 city=8", "city delete 7", "city put 8"});  // it goes behind all else
  EXPECT_EQ("1|8", customers());
  all({"customer delete 1", "city delete 8"});
  EXPECT_EQ("NULL", customers());
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM city"));
}

// Each customer's city comes with it; one of them is refused, and with it what refers to it waits.
TEST_F(Referring, AParentThatIsRefusedIsToldBeforeWhatRefersToIt) {
  begin();
  user_.run("ALTER TABLE city ADD CHECK (id <> 37)");
  std::vector<std::string> texts;
  for (int id = 1; id <= 60; ++id) {
    const std::string number = std::to_string(id);
    texts.push_back("customer put " + number + " city=" + std::to_string(61 - id));
    texts.push_back("city put " + number);
  }
  EXPECT_THAT(places_refused(try_both(texts)), ElementsAre(73));
  texts.erase(texts.begin() + 73);
  const auto waits = try_both(texts);
  EXPECT_THAT(places_refused(waits), ElementsAre(46));
  EXPECT_TRUE(waits.value().poison->may_pass);
  texts.erase(texts.begin() + 46);
  EXPECT_THAT(places_refused(try_both(texts)), testing::IsEmpty());
  EXPECT_EQ("59", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Referring, TheCulpritIsNamedAmongThoseThatReferToEachOther) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, city bigint REFERENCES customer(id))");
  start({make_schema("customer", "id:int64 city:int64")});
  config_.datasets[0].triggers = "fire";
  connect();
  user_.run("ALTER TABLE customer ADD CHECK (id <> 5)");
  EXPECT_EQ(1U, try_apply({"put 1 city=2", "put 5 city=2", "put 2 city=NULL"})
                    .value()
                    .poison.value()
                    .write_index);
  apply({"put 1 city=2", "put 2 city=3", "put 3 city=NULL"});
  EXPECT_EQ(3U, try_apply({"delete 1", "delete 2", "delete 3", "put 5 city=NULL"})
                    .value()
                    .poison.value()
                    .write_index);
  apply({"delete 1", "delete 2", "delete 3"});
}

TEST_F(Apply, AGuardedTriggerLeavesOurWritesAlone) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run(
      "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
      "upper(NEW.name); RETURN NEW; END $$");
  user_.run(
      "CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON customer FOR EACH ROW WHEN (NEW.id < 9) "
      "EXECUTE FUNCTION shout()");
  user_.run(
      "CREATE CONSTRAINT TRIGGER whole AFTER INSERT ON customer DEFERRABLE INITIALLY DEFERRED FOR "
      "EACH ROW EXECUTE FUNCTION shout()");
  user_.run("ALTER TABLE customer ENABLE ALWAYS TRIGGER whole");
  start({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "guarded";
  connect();
  const auto stops = [this] {
    std::vector<std::string> fixes;
    const auto findings = system_.catalog->findings();
    for (const ports::Finding& finding : findings.value()) {
      if (finding.severity == ports::Severity::kStops) fixes.push_back(finding.fix);
    }
    return fixes;
  };
  auto fixes = stops();
  ASSERT_EQ(2U, fixes.size());
  EXPECT_EQ(1U, try_apply({"put 1 name=Ann"}).value().stopped.size());
  for (const std::string& fix : fixes) {
    const size_t end = fix.find(" COMMIT;");
    ASSERT_NE(std::string::npos, end) << fix;
    user_.run(fix.substr(0, end + 8));
  }
  EXPECT_TRUE(stops().empty());
  EXPECT_EQ("A", user_.ask("SELECT tgenabled FROM pg_trigger WHERE tgname = 'whole'"));
  apply({"put 1 name=Ann"});
  user_.run("INSERT INTO customer VALUES (2, 'Ben'), (9, 'Ida')");
  EXPECT_EQ("1|Ann 2|BEN 9|Ida",
            user_.ask("SELECT string_agg(id || '|' || name, ' ' ORDER BY id) FROM customer"));
}

TEST_F(Apply, ProbeEndsWhatIsLeftOfAnEarlierSessionAndReadsWhatItApplied) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  ports::System left_over = make_postgres(config_, system_clock()).value();
  expect_ok(left_over.target->open());
  const auto checkpoints = system_.target->probe(kEpoch);
  ASSERT_TRUE(checkpoints.has_value());
  EXPECT_EQ(4U, checkpoints.value().size());
  EXPECT_EQ(1U, checkpoints.value()[0].applied);
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM pg_stat_activity WHERE application_name = "
                           "'syncline_zurich_shop/target'"));
  apply({"set 1 name=Anna"});
}

TEST_F(Apply, ASessionThatIsEndedLeavesItsOutcomeToTheProbe) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = "
      "'syncline_zurich_shop/target'");
  EXPECT_EQ(ErrorCode::kSystemOpen, code_of_apply({"set 1 name=Anna"}));
  const auto checkpoints = system_.target->probe(kEpoch);
  ASSERT_TRUE(checkpoints.has_value());
  EXPECT_EQ(1U, checkpoints.value()[0].applied);
  apply({"set 1 name=Anna"});
  EXPECT_EQ("1|Anna|NULL", customers());
}

TEST_F(Apply, AnEpochOpenedTwiceKeepsItsPlaceAndForgetsOlderOnes) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  const std::vector<model::StreamId> streams = {schemas_[0].stream};
  expect_ok(system_.target->open_epoch(kEpoch, streams, 4));
  EXPECT_EQ("1", user_.ask("SELECT max(seq) FROM syncline.syncline_checkpoint"));
  expect_ok(system_.target->open_epoch(kEpoch + 1, streams, 4));
  EXPECT_EQ("2|0|4", user_.ask("SELECT max(epoch), max(seq), count(*) FROM "
                               "syncline.syncline_checkpoint"));
}

TEST_F(Apply, ADroppedColumnStopsItsDatasetAndItsReturnIsSeen) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("ALTER TABLE customer RENAME mail TO post");
  expect_stopped({"set 1 mail=x"});
  expect_stopped({"set 1 mail=x"});
  user_.run("ALTER TABLE customer RENAME post TO mail");
  apply({"set 1 mail=x"});
  EXPECT_EQ("1|Ann|x", customers());
}

}  // namespace
}  // namespace syncline::postgres
