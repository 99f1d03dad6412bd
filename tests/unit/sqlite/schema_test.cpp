// Keys, REPLACE, cascades, schema changes in flight, restored files.
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::UnorderedElementsAre;

TEST_F(SqliteTest, ReplaceShowsTheRowsItRemoves) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  drain();
  user_.run("INSERT OR REPLACE INTO customer VALUES (3, 'Eve', 'a@x')");
  EXPECT_THAT(poll(), ElementsAre("delete 1", "insert 3 name=Eve mail=a@x"));
  user_.run("REPLACE INTO customer VALUES (3, 'Eva', 'a@x')");
  EXPECT_THAT(poll(), ElementsAre("update 3 name=Eva mail=a@x"));
}

TEST_F(SqliteTest, UpdateOrReplaceOnASecondaryUniqueShowsTheRowItRemoves) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', 'b@x')");
  drain();
  user_.run("UPDATE OR REPLACE customer SET mail = 'b@x' WHERE id = 1");
  EXPECT_THAT(poll(), ElementsAre("delete 2", "update 1 name=Ann mail=b@x"));
}

// Generated columns are named by no UPDATE: the columns that they come from are.
TEST_F(SqliteTest, UpdateOrReplaceOnAGeneratedUniqueShowsTheRowItRemoves) {
  user_.run(
      "CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT, low AS (lower(mail)) UNIQUE)");
  user_.run("INSERT INTO customer(id, mail) VALUES (1, 'a'), (2, 'b')");
  start({make_schema("customer", "id:int64 mail:text")});
  drain();
  user_.run("UPDATE OR REPLACE customer SET mail = 'A' WHERE id = 2");
  EXPECT_THAT(poll(), ElementsAre("delete 1", "update 2 mail=A"));
}

TEST_F(SqliteTest, ReplaceByTheRowidOfATableKeyedOtherwise) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, mail TEXT NOT NULL UNIQUE, name TEXT)");
  start({make_schema("customer", "mail:text name:text")});
  user_.run("INSERT INTO customer VALUES (1, 'a@x', 'Ann')");
  drain();
  user_.run("REPLACE INTO customer VALUES (1, 'b@x', 'Bob')");
  EXPECT_THAT(poll(), ElementsAre("delete a@x", "insert b@x name=Bob"));
}

TEST_F(SqliteTest, UpsertsAndIgnoredInsertsShowTheRowAsItStands) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  drain();
  user_.run("INSERT INTO customer VALUES (1, 'x', NULL) ON CONFLICT(id) DO UPDATE SET name = 'up'");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=up mail=a@x"));
  user_.run("INSERT OR IGNORE INTO customer VALUES (1, 'never', NULL)");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=up mail=a@x"));
}

TEST_F(SqliteTest, AChangedKeyIsADeleteAndAnInsert) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  user_.run("UPDATE customer SET id = 5");
  EXPECT_THAT(poll(), UnorderedElementsAre("delete 1", "insert 5 name=Ann mail=NULL"));
}

TEST_F(SqliteTest, CascadesOfUsersAreCaptured) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  user_.run(
      "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer ON "
      "DELETE CASCADE)");
  start({make_schema("customer", "id:int64 name:text"),
         make_schema("orders", "id:int64 customer:int64")});
  user_.run("PRAGMA foreign_keys = ON");
  user_.run("INSERT INTO customer VALUES (1, 'Ann'); INSERT INTO orders VALUES (7, 1), (8, 1)");
  drain();
  user_.run("DELETE FROM customer WHERE id = 1");
  EXPECT_THAT(poll(), UnorderedElementsAre("delete 1", "delete 7", "delete 8"));
}

TEST_F(SqliteTest, OurWritesRunNoCascadesAndNeedNoParents) {
  user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT)");
  user_.run(
      "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INTEGER REFERENCES customer ON "
      "DELETE CASCADE)");
  start({make_schema("customer", "id:int64 name:text"),
         make_schema("orders", "id:int64 customer:int64")});
  apply({"put 7 customer=1"}, 1);
  apply({"put 1 name=Ann"}, 0);
  apply({"delete 1"}, 0);
  EXPECT_EQ("7|1", user_.ask("SELECT * FROM orders"));
}

TEST_F(SqliteTest, WithoutRowidAndCompositeTextKeys) {
  user_.run(
      "CREATE TABLE line(country TEXT NOT NULL, number INTEGER NOT NULL, qty INTEGER, PRIMARY "
      "KEY(country, number)) WITHOUT ROWID");
  start({make_schema("line", "country:text number:int64 qty:int64", 2)});
  user_.run("INSERT INTO line VALUES ('CH', 1, 5), ('AT', 2, 6)");
  EXPECT_THAT(poll(), ElementsAre("insert CH 1 qty=5", "insert AT 2 qty=6"));
  apply({"set CH,1 qty=9", "put DE,3 qty=1", "delete AT,2"});
  EXPECT_EQ("CH|1|9;DE|3|1", user_.ask("SELECT * FROM line ORDER BY country"));
  const auto chunk = system_.source->read_snapshot(schemas_[0].dataset, "", 1, *sink_);
  expect_ok(chunk);
  sink_->take();
  expect_ok(system_.source->read_snapshot(schemas_[0].dataset, chunk.value().cursor, 9, *sink_));
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot DE 3 qty=1"));
}

TEST_F(SqliteTest, AKeyThatIsEqualRegardlessOfCaseIsOneRecord) {
  user_.run("CREATE TABLE customer(mail TEXT PRIMARY KEY COLLATE NOCASE NOT NULL, name TEXT)");
  model::Schema schema = make_schema("customer", "mail:text name:text");
  schema.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  start({schema});
  user_.run("INSERT INTO customer VALUES ('Ann@x', 'Ann')");
  apply({"put ann@x name=ours"});
  EXPECT_EQ("Ann@x|ours", user_.ask("SELECT * FROM customer"));
  EXPECT_THAT(poll(),
              ElementsAre("insert Ann@x name=Ann", marker(1), "ours update Ann@x name=ours"));
}

TEST_F(SqliteTest, NullInAKeyIsRejectedAndTheRestGoesOn) {
  user_.run("CREATE TABLE customer(mail TEXT PRIMARY KEY, name TEXT)");
  start({make_schema("customer", "mail:text name:text")});
  user_.run("INSERT INTO customer VALUES (NULL, 'nobody'), ('a@x', 'Ann')");
  EXPECT_THAT(poll(), ElementsAre("insert a@x name=Ann"));
  ASSERT_EQ(1U, last_poll_.rejected.size());
  EXPECT_EQ(ErrorCode::kSystemKey, last_poll_.rejected[0].error.code);
  const auto chunk = system_.source->read_snapshot(schemas_[0].dataset, "", 9, *sink_);
  expect_ok(chunk);
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot a@x name=Ann"));
  EXPECT_EQ(1U, chunk.value().rejected.size());
}

TEST_F(SqliteTest, AValueNoTypeCanHoldIsRejectedByItsKeyAlone) {
  start_customers(", credit INTEGER");
  start({make_schema("customer", "id:int64 name:text credit:int64")});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL, 9223372036854775808)");
  user_.run("INSERT INTO customer VALUES (2, CAST(x'ff41' AS TEXT), NULL, 1), (3, 'Cy', NULL, 3)");
  EXPECT_THAT(poll(), ElementsAre("insert 3 name=Cy credit=3"));
  ASSERT_EQ(2U, last_poll_.rejected.size());
  EXPECT_EQ(key_of(schemas_[0], "1"), last_poll_.rejected[0].key);
  EXPECT_THAT(last_poll_.rejected[0].error.what,
              HasSubstr("record id=1: column credit: REAL 9.22"));
  EXPECT_THAT(last_poll_.rejected[1].error.what, HasSubstr("record id=2: column name"));
}

TEST_F(SqliteTest, AKeyInAnotherSpellingThanOursIsRejectedForNoWriteWouldFindIt) {
  user_.run("CREATE TABLE visit(at DATETIME PRIMARY KEY NOT NULL, name TEXT)");
  start({make_schema("visit", "at:datetime(6) name:text")});
  user_.run(
      "INSERT INTO visit VALUES ('2026-11-27 10:00:00', 'a'), ('2026-11-27T11:00:00', 'b'), "
      "('2026-11-27 12:00:00.50', 'c')");
  EXPECT_THAT(poll(), ElementsAre("insert 2026-11-27 10:00:00.000000 name=a"));
  ASSERT_EQ(2U, last_poll_.rejected.size());
  EXPECT_THAT(to_string(last_poll_.rejected[0].error), HasSubstr("'2026-11-27T11:00:00'"));
  EXPECT_THAT(to_string(last_poll_.rejected[1].error), HasSubstr("'2026-11-27 12:00:00.5' here"));
  // In a scan they are there, by their keys: they are not taken for deleted.
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 2026-11-27 10:00:00.000000 name=a"));
  ASSERT_EQ(2U, rejected_.size());
  EXPECT_EQ(key_of(schemas_[0], "2026-11-27 12:00:00.5"), rejected_[0].key);
  EXPECT_EQ(key_of(schemas_[0], "2026-11-27 11:00:00"), rejected_[1].key);
  user_.run(
      "DELETE FROM visit WHERE name = 'b'; UPDATE visit SET at = rtrim(at, '0') "
      "WHERE name = 'c'");
  EXPECT_THAT(poll(), ElementsAre("insert 2026-11-27 12:00:00.500000 name=c"));
  EXPECT_TRUE(last_poll_.rejected.empty());
}

TEST_F(SqliteTest, AKeyThatTheCollationTakesForOursIsNot) {
  user_.run("CREATE TABLE visit(id UUID COLLATE NOCASE PRIMARY KEY NOT NULL, name TEXT)");
  start({make_schema("visit", "id:uuid name:text")});
  user_.run("INSERT INTO visit VALUES ('00112233-4455-6677-8899-AABBCCDDEEFF', 'a')");
  EXPECT_THAT(poll(), ElementsAre("insert 00112233-4455-6677-8899-aabbccddeeff name=a"));
}

TEST_F(SqliteTest, AddingAndDroppingUnmappedColumnsIsNoMatter) {
  start_customers(", note TEXT");
  user_.run("ALTER TABLE customer ADD COLUMN age INTEGER DEFAULT 7");
  user_.run("ALTER TABLE customer DROP COLUMN note");
  user_.run("INSERT INTO customer(id, name) VALUES (1, 'Ann')");
  EXPECT_THAT(poll(), ElementsAre("insert 1 name=Ann mail=NULL"));
  EXPECT_THAT(last_poll_.stopped, IsEmpty());
  EXPECT_THAT(last_poll_.rescan, IsEmpty());
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_EQ("7", user_.ask("SELECT age FROM customer WHERE id = 2"));
}

class SchemaChange : public SqliteTest {
 protected:
  SchemaChange() {
    user_.run("CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT)");
    user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT)");
    start({make_schema("customer", "id:int64 name:text mail:text"),
           make_schema("item", "id:int64 name:text")});
  }
  // The other dataset goes on while this one has stopped.
  void expect_stopped(const std::string& what) {
    user_.run("INSERT INTO item VALUES (1, 'nut')");
    EXPECT_THAT(poll(), ElementsAre("insert 1 name=nut"));
    ASSERT_EQ(1U, last_poll_.stopped.size());
    EXPECT_EQ(schemas_[0].dataset, last_poll_.stopped[0].dataset);
    EXPECT_THAT(to_string(last_poll_.stopped[0].error), HasSubstr(what));
    const auto applied = try_apply({"put 9 name=x mail=NULL"});
    ASSERT_TRUE(applied.has_value());
    EXPECT_EQ(0U, applied.value().rows_written);
    ASSERT_EQ(1U, applied.value().stopped.size());
    EXPECT_EQ(schemas_[0].dataset, applied.value().stopped[0].dataset);
    EXPECT_THAT(to_string(applied.value().stopped[0].error), HasSubstr(what));
  }
};

TEST_F(SchemaChange, ADroppedMappedColumnStopsItsDatasetAlone) {
  user_.run("ALTER TABLE customer DROP COLUMN mail");
  expect_stopped("has no column mail");
}

TEST_F(SchemaChange, ARenamedMappedColumnStopsItsDatasetAlone) {
  user_.run("ALTER TABLE customer RENAME COLUMN mail TO email");
  expect_stopped("has no column mail");
}

TEST_F(SchemaChange, ARenamedKeyColumnStopsItsDatasetAlone) {
  user_.run("ALTER TABLE customer RENAME COLUMN id TO number");
  expect_stopped("has no column id");
}

TEST_F(SchemaChange, ADroppedTableStopsItsDatasetAlone) {
  user_.run("DROP TABLE customer");
  expect_stopped("table customer is not in");
}

TEST_F(SchemaChange, ARenamedTableStopsItsDatasetAlone) {
  user_.run("ALTER TABLE customer RENAME TO clients");
  expect_stopped("table customer is not in");
}

TEST_F(SchemaChange, ARetypedColumnIsReportedAsWhatItWasAndIs) {
  user_.run(
      "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, mail BLOB); DROP TABLE "
      "customer; ALTER TABLE n RENAME TO customer; COMMIT");
  user_.run("INSERT INTO item VALUES (1, 'nut')");
  poll();
  ASSERT_EQ(1U, last_poll_.stopped.size());
  EXPECT_THAT(last_poll_.stopped[0].error.why, HasSubstr("mail was TEXT and is now BLOB"));
}

TEST_F(SchemaChange, ARebuiltTableGetsItsTriggersAgainAndIsScanned) {
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  user_.run(
      "BEGIN; CREATE TABLE n(id INTEGER PRIMARY KEY, name TEXT, mail TEXT, extra INT); INSERT "
      "INTO n SELECT id, name, mail, 0 FROM customer; DROP TABLE customer; ALTER TABLE n "
      "RENAME TO customer; COMMIT");
  user_.run("UPDATE customer SET name = 'unseen'");
  EXPECT_THAT(poll(), IsEmpty());
  EXPECT_THAT(last_poll_.rescan, ElementsAre(schemas_[0].dataset));
  user_.run("UPDATE customer SET name = 'seen'");
  EXPECT_THAT(poll(), ElementsAre("update 1 name=seen mail=NULL"));
  EXPECT_THAT(last_poll_.rescan, IsEmpty());
}

TEST_F(SchemaChange, AStoppedDatasetGoesOnByAScanWhenItsTableIsBack) {
  user_.run("ALTER TABLE customer RENAME TO clients");
  poll();
  ASSERT_EQ(1U, last_poll_.stopped.size());
  user_.run("ALTER TABLE clients RENAME TO customer");
  poll();
  EXPECT_THAT(last_poll_.rescan, ElementsAre(schemas_[0].dataset));
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_THAT(poll(), ElementsAre("insert 1 name=Ann mail=NULL"));
}

TEST_F(SchemaChange, TriggersDroppedWhileWeWereAwayAreMendedByAScan) {
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  user_.run("DROP TRIGGER syncline_customer_update");
  connect(sink_->position);
  poll();
  EXPECT_THAT(last_poll_.rescan, ElementsAre(schemas_[0].dataset));
}

class Restore : public SqliteTest {
 protected:
  // Acknowledges some changes; then the file is replaced by a copy from before them.
  void restore_older() {
    start_customers();
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    drain();
    user_.run("VACUUM INTO '" + folder_.file("copy.db") + "'");
    user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
    drain();
  }
  void put_back() {
    std::filesystem::remove(path_ + "-wal");
    std::filesystem::remove(path_ + "-shm");
    std::filesystem::rename(folder_.file("copy.db"), path_);
  }
};

TEST_F(Restore, AnOlderCopyIsFoundAtTheNextPoll) {
  restore_older();
  put_back();
  const auto polled = system_.source->poll(*sink_, 100, 0);
  ASSERT_FALSE(polled.has_value());
  EXPECT_EQ(ErrorCode::kSystemWentBack, polled.error().code);
  EXPECT_THAT(polled.error().fix, HasSubstr("syncline resync"));
}

TEST_F(Restore, AnOlderCopyIsFoundAtStartThoughItsNumbersWentOn) {
  restore_older();
  system_ = {};
  put_back();
  User later(path_);
  later.run("INSERT INTO customer VALUES (3, 'Cy', NULL), (4, 'Di', NULL)");
  system_ = make_sqlite(config_, system_clock()).value();
  const auto opened = system_.source->open(sink_->position);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemWentBack, opened.error().code);
}

TEST_F(Restore, AFileThatWasMovedInWithTheSameLogGoesOn) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  drain();
  user_.run("VACUUM INTO '" + folder_.file("copy.db") + "'");
  put_back();
  User later(path_);
  later.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(poll(), ElementsAre("insert 2 name=Bob mail=NULL"));
  apply({"put 3 name=Cy mail=NULL"});
  EXPECT_EQ("Cy", later.ask("SELECT name FROM customer WHERE id = 3"));
}

class Spelled : public SqliteTest, public testing::WithParamInterface<ports::Spelling> {};

TEST_P(Spelled, AKeyThatIsNotWrittenAsOursIsNoRecord) {
  user_.run("CREATE TABLE thing(id TEXT PRIMARY KEY NOT NULL, name TEXT)");
  start({make_schema("thing", "id:" + GetParam().type + " name:text")});
  expect_other_spelling_is_no_record([this](const std::string& sql) { user_.run(sql); },
                                     GetParam());
}

INSTANTIATE_TEST_SUITE_P(Sqlite, Spelled,
                         testing::ValuesIn(ports::spellings("2026-01-05 10:00:00")));

}  // namespace
}  // namespace syncline::sqlite
