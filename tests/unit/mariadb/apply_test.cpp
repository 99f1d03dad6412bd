// Marked transactions: what is written, what is refused, and that it is all or nothing.
#include <future>

#include "drivers/systems/mariadb/detail/shared.hpp"
#include "tests/unit/mariadb/lenient_server.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr;

class Apply : public MariadbTest {
 protected:
  // The poison of a batch that must leave nothing behind.
  ports::Poison refused(const std::vector<std::string>& texts) {
    const std::string before = customers();
    const auto applied = try_apply(texts);
    expect_ok(applied);
    EXPECT_EQ(before, customers());
    EXPECT_EQ(std::to_string(sequence_), user_.ask("SELECT max(seq) FROM syncline_checkpoint"));
    if (applied && applied.value().poison) return *applied.value().poison;
    ADD_FAILURE() << "nothing was refused";
    return {};
  }
  ErrorCode code_of_apply(const std::vector<std::string>& texts) {
    const auto applied = try_apply(texts);
    EXPECT_FALSE(applied.has_value());
    return applied ? ErrorCode::kInternal : applied.error().code;
  }
  std::string writer_session() {
    Shared shared;
    shared.config = config_;
    shared.endpoint.database = database_;
    return user_.ask("SELECT IS_USED_LOCK('" + shared.lock_name(0) + "')");
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

TEST_F(Apply, ATriggerThatIsAddedWhileWeWriteStopsItsDatasetWithTheNextLook) {
  start_customers();
  ports::StepClock clock;
  system_ = {};
  system_ = make_mariadb(config_, clock).value();
  expect_ok(system_.target->open());
  apply({"put 1 name=Ann mail=a@x"});
  user_.run("CREATE TRIGGER watch BEFORE UPDATE ON customer FOR EACH ROW SET NEW.mail = 'w'");
  clock.pass_seconds(10);
  const auto stopped = try_apply({"set 1 name=Anna"});
  expect_ok(stopped);
  ASSERT_EQ(1U, stopped.value().stopped.size());
  EXPECT_THAT(stopped.value().stopped[0].error.why, HasSubstr("watch"));
  EXPECT_EQ("1|Ann|a@x", customers());
  user_.run("DROP TRIGGER watch");
  clock.pass_seconds(10);
  apply({"set 1 name=Anna"});
  EXPECT_EQ("1|Anna|a@x", customers());
}

TEST_F(Apply, WhatMatchesButStaysTheSameCountsAsWritten) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const auto applied = try_apply({"put 1 name=Ann mail=a@x", "put 2 name=Bob mail=NULL"});
  expect_ok(applied);
  EXPECT_EQ(2U, applied.value().rows_written);
  EXPECT_EQ("1|Ann|a@x;2|Bob|NULL", customers());
}

TEST_F(Apply, PutUpdatesWhatIsThereAndInsertsWhatIsNot) {
  start_customers(", note varchar(9) DEFAULT 'kept'");
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine')");
  const auto applied = try_apply({"put 1 name=Anna mail=NULL", "put 2 name=Bob mail=b@x"});
  expect_ok(applied);
  EXPECT_EQ(2U, applied.value().rows_written);
  EXPECT_EQ("1|Anna|NULL|mine;2|Bob|b@x|kept", customers());
}

TEST_F(Apply, ARowWhoseKeyChangesKeepsWhatIsNotSynced) {
  start_customers(", note varchar(9) DEFAULT 'new'");
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
  start_customers(", note varchar(9) DEFAULT 'new'");
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
  start_customers(", note varchar(9) DEFAULT 'new'");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', NULL, 'mine'), (2, 'Bob', NULL, 'his'), "
      "(3, 'Cid', NULL, 'theirs')");
  user_.run(
      "CREATE TRIGGER stays BEFORE UPDATE ON customer FOR EACH ROW IF OLD.id <> NEW.id THEN "
      "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'keys stay'; END IF");
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"replace 1<2 name=Bob mail=NULL", "put 2<3 name=Cid mail=NULL", "delete 3"});
  EXPECT_EQ("1|Bob|NULL|new;2|Cid|NULL|new", customers());
  apply({"replace 1 name=Dan mail=NULL"});
  EXPECT_EQ("1|Dan|NULL|new;2|Cid|NULL|new", customers());
}

// One that clashes does not cost the others what they hold.
TEST_F(Apply, ARowThatIsMovedBesideAClashKeepsWhatIsNotSynced) {
  start_customers(", note varchar(9) DEFAULT 'new'");
  user_.run("CREATE UNIQUE INDEX one ON customer(mail)");
  user_.run(
      "INSERT INTO customer VALUES (1, 'Ann', 'a@x', 'mine'), (2, 'Bob', 'b@x', 'his'), "
      "(3, 'Cid', 'c@x', 'theirs'), (4, 'Dan', NULL, 'lost')");
  apply({"delete 1", "put 10<1 name=Ann mail=NULL", "set 2 mail=c@x", "set 3 mail=b@x", "delete 4",
         "put 40<4 name=Dan mail=c@y"});
  EXPECT_EQ("2|Bob|c@x|his;3|Cid|b@x|theirs;10|Ann|NULL|mine;40|Dan|c@y|lost", customers());
}

// Of a table of MyISAM nothing is rolled back.
TEST_F(Apply, WhatCannotBeMovedIsNotLookedForWithoutEnd) {
  start_customers();
  user_.run(
      "INSERT INTO customer SELECT seq, 'n', NULL FROM seq_1_to_300",
      "CREATE TABLE tries(id bigint) ENGINE = MyISAM",
      "CREATE TRIGGER stays BEFORE UPDATE ON customer FOR EACH ROW BEGIN IF NEW.id <> OLD.id THEN "
      "INSERT INTO tries VALUES (OLD.id); SIGNAL SQLSTATE '45000'; END IF; END");
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
  const int tries = std::stoi(user_.ask("SELECT count(*) FROM tries"));
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
  user_.run("INSERT INTO customer SELECT seq, concat('n', seq), concat('m', seq) FROM seq_1_to_6");
  apply({"set 1 name=A", "set 2 mail=B", "set 3 name=C mail=D", "delete 4",
         "put 5 name=E mail=NULL", "put 9 name=F mail=G"});
  EXPECT_EQ("1|A|m1;2|n2|B;3|C|D;5|E|NULL;6|n6|m6;9|F|G", customers());
}

TEST_F(Apply, ATableOfNothingButItsKey) {
  user_.run("CREATE TABLE tag(name varchar(9) PRIMARY KEY)");
  start({make_schema("tag", "name:text")});
  apply({"put red", "put blue"});
  apply({"put red", "delete blue"});
  EXPECT_EQ("red", user_.ask("SELECT * FROM tag"));
}

TEST_F(Apply, ValuesOfEveryLookGoAsTheyAre) {
  start_customers();
  apply({"put 1 name={a,\"b\\\\c\"} mail=NULL", "put 2 name=null~'quoted'~? mail=\"\""});
  EXPECT_EQ("1|{a,\"b\\\\c\"}|NULL;2|null 'quoted' ?|\"\"", customers());
}

TEST_F(Apply, KeysThatTheDatabaseNumbersAreWrittenAsTheyAre) {
  user_.run("CREATE TABLE customer(id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(9))");
  start({make_schema("customer", "id:int64 name:text")});
  apply({"put 41 name=Ann", "put 0 name=zero"});
  EXPECT_EQ("0|zero;41|Ann", customers());
}

TEST_F(Apply, AColumnThatTheServerTouchesStaysWhatItsSystemSaid) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(9), at timestamp NOT NULL "
      "DEFAULT '2001-01-01 00:00:00' ON UPDATE current_timestamp(), own timestamp NOT NULL "
      "DEFAULT '2001-01-01 00:00:00' ON UPDATE current_timestamp())");
  start({make_schema("customer", "id:int64 name:text at:timestamp(0)")});
  user_.run("INSERT INTO customer(id, name) VALUES (1, 'Ann')");
  apply({"set 1 name=Anna"});
  EXPECT_EQ("Anna|2001|1", user_.ask("SELECT name, year(at), year(own) > 2001 FROM customer"));
}

TEST_F(Apply, RecordsSwapUniqueValuesInOneBatch) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  apply({"set 1 mail=b@x", "put 2 name=Bob mail=a@x"});
  EXPECT_EQ("1|Ann|b@x;2|Bob|a@x", customers());
}

TEST_F(Apply, RecordsSwapUniqueValuesThatCannotBeNull) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20) NOT NULL UNIQUE, rank "
      "int NOT NULL UNIQUE)");
  start({make_schema("customer", "id:int64 name:text rank:int64")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 1), (2, 'Bob', 2)");
  apply({"set 1 name=Bob rank=2", "set 2 name=Ann rank=1"});
  EXPECT_EQ("1|Bob|2;2|Ann|1", customers());
}

// What is made up meanwhile stands in the log, so it has to be a value of its type.
TEST_F(Apply, RecordsSwapUniqueValuesOfTypesWithAFormOfTheirOwn) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, u uuid NOT NULL UNIQUE, d date NOT NULL "
      "UNIQUE, m datetime NOT NULL UNIQUE, z timestamp NOT NULL DEFAULT '2000-01-01' UNIQUE, n "
      "bigint unsigned NOT NULL UNIQUE, s smallint unsigned NOT NULL UNIQUE, tu char(36) NOT NULL "
      "UNIQUE, td varchar(10) NOT NULL UNIQUE, tz varchar(40) NOT NULL UNIQUE)");
  start({make_schema("customer",
                     "id:int64 u:uuid d:date m:datetime(0) z:timestamp(0) n:int64 s:int64 tu:uuid "
                     "td:date tz:timestamp(0)")});
  const auto values = [](const std::string& n) {
    const std::string uuid = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1" + n;
    const std::string day = "2026-01-0" + n;
    const std::string moment = day + "~10:00:00";
    return " u=" + uuid + " d=" + day + " m=" + moment + " z=" + moment + "Z n=" + n + " s=" + n +
           " tu=" + uuid + " td=" + day + " tz=" + moment + "Z";
  };
  apply({"put 1" + values("1"), "put 2" + values("2"), "put 3" + values("3")});
  take(4);
  apply({"set 1" + values("2"), "set 2" + values("3"), "set 3" + values("1")});
  EXPECT_EQ("2026-01-02;2026-01-03;2026-01-01", user_.ask("SELECT d FROM customer ORDER BY id"));
  EXPECT_THAT(take(7), testing::SizeIs(7));
  EXPECT_THAT(rejected_, testing::IsEmpty());
}

// Half of what can be made up is what others of the batch are to have.
TEST_F(Apply, RecordsPassOnUniqueValuesThatFillMuchOfTheirType) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, rank tinyint unsigned NOT NULL UNIQUE)");
  start({make_schema("customer", "id:int64 rank:int64")});
  user_.run("INSERT INTO customer SELECT seq, seq + 150 FROM seq_1_to_60");
  std::vector<std::string> texts;
  for (int id = 1; id <= 60; ++id) {
    texts.push_back("set " + std::to_string(id) + " rank=" + std::to_string(id % 60 + 151));
  }
  apply(texts);
  EXPECT_EQ("60", user_.ask("SELECT count(*) FROM customer WHERE rank = id % 60 + 151"));
}

TEST_F(Apply, ManyRecordsPassOnUniqueValuesOfNarrowColumns) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(3) NOT NULL UNIQUE, rank tinyint "
      "NOT NULL UNIQUE)");
  start({make_schema("customer", "id:int64 name:text rank:int64")});
  user_.run("INSERT INTO customer SELECT seq, seq, seq FROM seq_1_to_40");
  std::vector<std::string> texts;
  for (int id = 1; id <= 40; ++id) {
    const std::string next = std::to_string(id % 40 + 1);
    texts.push_back("set " + std::to_string(id) + " name=" + next + " rank=" + next);
  }
  apply(texts);
  EXPECT_EQ("40", user_.ask("SELECT count(*) FROM customer WHERE name = id % 40 + 1 AND rank = id "
                            "% 40 + 1"));
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
  system_ = make_mariadb(config_, clock).value();
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
  EXPECT_THAT(to_string(poison.error), HasSubstr("for key 'mail'"));
}

// Whatever the server's own mode: our sessions are strict.
TEST_F(Apply, ConstraintsLengthsAndRangesAreRefusals) {
  const LenientServer lenient;
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(3) NOT NULL, mail "
      "varchar(9) CHECK (mail <> 'bad'), n tinyint, t timestamp NULL, e enum('x', '7'))");
  start({make_schema("customer", "id:int64 name:text mail:text n:int64 t:timestamp e:enum")});
  EXPECT_THAT(refused({"put 1 name=NULL mail=NULL"}).error.why, HasSubstr("cannot be null"));
  EXPECT_THAT(refused({"put 1 name=Ann mail=bad"}).error.why, HasSubstr("CONSTRAINT"));
  EXPECT_EQ(1U, refused({"put 1 name=Ann mail=ok", "put 2 name=Anna mail=ok"}).write_index);
  EXPECT_THAT(refused({"put 1 name=a n=128"}).error.why, HasSubstr("Out of range"));
  EXPECT_THAT(refused({"put 1 name=a t=2100-01-01~00:00:00Z"}).error.why, HasSubstr("Incorrect"));
  EXPECT_THAT(refused({"put 1 name=a e=1"}).error.why, HasSubstr("no such label"));
  apply({"put 1 name=abc n=127 e=7"});
}

TEST_F(Apply, ALatin1ColumnTakesWhatItCanHold) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(9) CHARACTER SET latin1)");
  start({make_schema("customer", "id:int64 name:text")});
  apply({"put 1 name=Zür€"});
  EXPECT_THAT(take(2), ElementsAre(marker(1), "ours insert 1 name=Zür€"));
  EXPECT_THAT(refused({"put 2 name=Łódź"}).error.why, HasSubstr("Incorrect string value"));
}

TEST_F(Apply, ARecordLargerThanAMessageIsRefusedAndABatchIsSentInSeveral) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name longtext)",
            "SET GLOBAL max_allowed_packet = 1048576");
  start({make_schema("customer", "id:int64 name:text")});
  std::vector<std::string> texts;
  for (int i = 1; i <= 8; ++i) {
    texts.push_back("put " + std::to_string(i) + " name=" + std::string(400'000, 'x'));
  }
  apply(texts);
  EXPECT_EQ("8|3200000", user_.ask("SELECT count(*), sum(length(name)) FROM customer"));
  user_.run("DELETE FROM customer");
  EXPECT_THAT(refused({"put 1 name=" + std::string(1'100'000, 'x')}).error.why,
              HasSubstr("max_allowed_packet"));
  const std::string too_large = " name=" + std::string(1'100'000, 'y');
  EXPECT_THAT(places_refused(try_apply({"put 1" + too_large, "put 2" + too_large})),
              ElementsAre(0, 1));
  user_.run("SET GLOBAL max_allowed_packet = 33554432");
}

TEST_F(Apply, AMovedMarkerStopsAndWritesNothing) {
  start_customers();
  user_.run("UPDATE syncline_checkpoint SET seq = 9 WHERE lane = 0");
  EXPECT_EQ(ErrorCode::kMarkerMoved, code_of_apply({"put 1 name=Ann mail=NULL"}));
  EXPECT_EQ("", customers());
}

TEST_F(Apply, ARowThatAUserHoldsIsBusyAndGoesLater) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')", "BEGIN",
            "UPDATE customer SET name = 'mine'");
  const int64_t began_us = system_clock().steady_us();
  EXPECT_EQ(ErrorCode::kSystemBusy, code_of_apply({"set 1 mail=b@x"}));
  EXPECT_LT(system_clock().steady_us() - began_us, 3'000'000);
  user_.run("COMMIT");
  apply({"set 1 mail=b@x"});
  EXPECT_EQ("1|mine|b@x", customers());
}

// We hold what the user wants and want what the user holds. If we waited, the server would end one
// of the two at once, and not always us.
TEST_F(Apply, AUserIsNeverTheVictimOfADeadlockWithUs) {
  if (is_mysql()) GTEST_SKIP() << "it knows no wait below a second";
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  for (int round = 0; round < 5; ++round) {
    User user(database_);
    user.run("BEGIN", "UPDATE customer SET name = 'mine' WHERE id = 2");
    const int64_t began_us = system_clock().steady_us();
    auto applied = std::async(
        std::launch::async, [&] { return code_of_apply({"set 1 name=ours", "set 2 name=ours"}); });
    applied.wait_for(std::chrono::milliseconds(200));  // we hold the first, if we still wait
    EXPECT_EQ(0U, user.error_of("UPDATE customer SET name = 'mine' WHERE id = 1"));
    EXPECT_EQ(ErrorCode::kSystemBusy, applied.get());
    EXPECT_LT(system_clock().steady_us() - began_us, 3'000'000);
    user.run("COMMIT");
    EXPECT_EQ("1|mine|a@x;2|mine|b@x", customers());
  }
}

TEST_F(Apply, ATableThatAUserLocksIsBusyAtOnce) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("LOCK TABLES customer WRITE");
  const int64_t began_us = system_clock().steady_us();
  EXPECT_EQ(ErrorCode::kSystemBusy, code_of_apply({"set 1 mail=b@x"}));
  EXPECT_LT(system_clock().steady_us() - began_us, 3'000'000);
  user_.run("UNLOCK TABLES");
  apply({"set 1 mail=b@x"});
}

TEST_F(Apply, ForeignKeysDoNotRunForOurWrites) {
  user_.run(
      "CREATE TABLE city(id bigint PRIMARY KEY)",
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(9), city bigint, FOREIGN KEY "
      "(city) REFERENCES city(id) ON DELETE CASCADE)");
  start(
      {make_schema("customer", "id:int64 name:text city:int64"), make_schema("city", "id:int64")});
  apply({"put 1 name=Ann city=7"});
  apply({"put 7"}, 1);
  apply({"delete 7"}, 1);
  EXPECT_EQ("1|Ann|7", customers());
}

TEST_F(Apply, KeysThatACollationTakesForOneAreNeverWrittenOver) {
  user_.run(
      "CREATE TABLE customer(name varchar(20) COLLATE utf8mb4_general_ci PRIMARY KEY, n int)");
  auto schema = make_schema("customer", "name:text n:int64");
  schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  start({schema});
  user_.run("INSERT INTO customer VALUES ('Müller', 1)");
  EXPECT_THAT(to_string(refused({"put Muller n=2"}).error),
              HasSubstr("takes it for the record name=Müller"));
  apply({"set Muller n=3", "delete Muller"});
  EXPECT_EQ("Müller|1", customers());
  EXPECT_THAT(to_string(refused({"put Mûller n=2"}).error),
              HasSubstr("takes it for the record name=Müller"));
  EXPECT_THAT(places_refused(try_apply({"put Mûller n=2", "put Mùller n=3"})), ElementsAre(0, 1));
  apply({"set MüLLER n=4"});
  EXPECT_EQ("Müller|4", customers());
  apply({"delete müller"});
  EXPECT_EQ("", customers());
}

TEST_F(Apply, TheColumnWhoseCollationIsTooCoarseIsTheOneThatIsNamed) {
  user_.run(
      "CREATE TABLE customer(id int, name varchar(20) COLLATE utf8mb4_general_ci DEFAULT 'nobody' "
      "COMMENT 'who', n int, PRIMARY KEY (id, name))");
  auto schema = make_schema("customer", "id:int64 name:text n:int64", 2);
  schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  start({schema});
  user_.run("INSERT INTO customer VALUES (7, 'Müller', 1)");
  const Error error = refused({"put 7,Mûller n=2"}).error;
  EXPECT_THAT(to_string(error), HasSubstr("takes it for the record id=7, name=Müller"));
  const std::string fix = error.fix.substr(0, error.fix.find("; then"));
  EXPECT_EQ(
      "ALTER TABLE `customer` MODIFY `name` varchar(20) CHARACTER SET utf8mb4 COLLATE "
      "utf8mb4_nopad_bin NOT NULL DEFAULT 'nobody' COMMENT 'who'",
      fix);
  user_.run(fix);
  connect();
  apply({"put 7,Mûller n=2"});
  EXPECT_EQ("7|Müller|1;7|Mûller|2", user_.ask("SELECT * FROM customer ORDER BY n"));
}

TEST_F(Apply, KeysOfEveryKindFindTheirRows) {
  user_.run(
      "CREATE TABLE customer(a decimal(30,10), b bigint unsigned, c datetime(6), d "
      "varbinary(9), e uuid, f bit(40), g enum('x', 'y'), v int, PRIMARY KEY (a, b, c, d, e, "
      "f, g))");
  start({make_schema("customer",
                     "a:decimal(30,10) b:uint64 c:datetime d:bytes e:uuid f:bit(40) g:enum v:int64",
                     7)});
  const std::string key =
      "12345678901234567890.0000000001,18446744073709551615,2026-01-02T03:04:05.000006,00ff,"
      "123e4567-e89b-12d3-a456-426655440000," +
      std::string(39, '0') + "1,y";
  apply({"put " + key + " v=1"});
  apply({"set " + key + " v=2"});
  EXPECT_EQ("2", user_.ask("SELECT v FROM customer"));
  expect_ok(system_.source->read_records(
      schemas_[0].dataset, std::vector<std::string>{key_of(schemas_[0], key)}, *sink_));
  EXPECT_EQ(1U, sink_->take().size());
  apply({"delete " + key});
  EXPECT_EQ("", user_.ask("SELECT v FROM customer"));
}

TEST_F(Apply, ProbeEndsWhatIsLeftOfAnEarlierSessionAndReadsWhatItApplied) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  const std::string before = writer_session();
  user_.run("INSERT INTO customer VALUES (3, 'Cy', NULL)");
  const auto checkpoints = system_.target->probe(kEpoch);
  ASSERT_TRUE(checkpoints.has_value());
  EXPECT_EQ(4U, checkpoints.value().size());
  EXPECT_EQ(1U, checkpoints.value()[0].applied);
  EXPECT_NE(before, writer_session());
  ports::System second = make_mariadb(config_, system_clock()).value();
  expect_ok(second.target->probe(kEpoch));
  EXPECT_EQ(ErrorCode::kSystemOpen, code_of_apply({"set 1 name=Anna"}));
  expect_ok(system_.target->probe(kEpoch));
  apply({"set 1 name=Anna"});
}

TEST_F(Apply, ASessionThatIsEndedLeavesItsOutcomeToTheProbe) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("KILL " + writer_session());
  EXPECT_EQ(ErrorCode::kSystemOpen, code_of_apply({"set 1 name=Anna"}));
  const auto checkpoints = system_.target->probe(kEpoch);
  ASSERT_TRUE(checkpoints.has_value());
  EXPECT_EQ(1U, checkpoints.value()[0].applied);
  apply({"set 1 name=Anna"});
}

TEST_F(Apply, ATableThatIsGoneStopsItsDatasetAndComesBack) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("RENAME TABLE customer TO kept");
  expect_stopped({"set 1 name=Anna"});
  user_.run("RENAME TABLE kept TO customer");
  apply({"set 1 name=Anna"});
  EXPECT_EQ("1|Anna|NULL", customers());
}

TEST_F(Apply, AnEpochBeginsWithRowsOfZeroAndEndsTheOneBefore) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  const std::vector<model::StreamId> streams = {schemas_[0].stream};
  expect_ok(system_.target->open_epoch(kEpoch + 1, streams, 4));
  EXPECT_EQ("2|4|0", user_.ask("SELECT max(epoch), count(*), sum(seq) FROM syncline_checkpoint"));
  EXPECT_EQ(ErrorCode::kMarkerMoved, code_of_apply({"set 1 name=Anna"}));
}

}  // namespace
}  // namespace syncline::mariadb
