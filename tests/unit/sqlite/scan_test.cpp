// capture = "scan" of a SQLite file: no triggers, whole tables read now and then, guarded writes.
#include "tests/support/scan_suite.hpp"
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {

class SqliteScan : public SqliteTest {
 public:
  static constexpr const char* kTablePrefix = "";
  static constexpr const char* kTextKey = "TEXT";
  static constexpr const char* kEchoTable = "syncline_echo";
  static constexpr bool kLocksRows = false;

  // Another user, in the midst of a transaction.
  class Holder {
   public:
    Holder(SqliteScan& test, const std::string& sql) : user_(test.path_) {
      user_.run("BEGIN IMMEDIATE");
      user_.run(sql);
    }
    ~Holder() { user_.run("ROLLBACK"); }

   private:
    User user_;
  };

 protected:
  void make_customers() {
    user_.run("CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, mail TEXT UNIQUE)");
    user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  }
  std::string url() const { return "sqlite://" + path_; }
};

using testing::ElementsAre;

class Scan : public ports::ScanSuite<SqliteScan> {};

TEST_F(Scan, CreatesNothingButTwoTables) {
  EXPECT_EQ("table syncline_checkpoint, table syncline_echo",
            user_.ask("SELECT group_concat(type || ' ' || name, ', ') FROM (SELECT * FROM "
                      "sqlite_master WHERE name LIKE 'syncline%' ORDER BY name)"));
}

TEST_F(Scan, AFileThatNobodyWroteToIsNotReadAgain) {
  scan();
  clock_.pass_seconds(60);
  const auto polled = system_.source->poll(*sink_, 1, 0);  // one row a poll
  expect_ok(polled);
  EXPECT_FALSE(polled.value().has_more);
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  EXPECT_THAT(scan(), ElementsAre("update 1 name=Anna mail=a@x"));
}

// As `plan` and `verify` do.
TEST_F(Scan, ItsTablesAreReadWithoutAPlaceInAnyLog) {
  system_ = make_sqlite(config_, clock_).value();
  const auto chunk = system_.source->read_snapshot(schemas_[0].dataset, {}, 100, *sink_);
  expect_ok(chunk);
  EXPECT_EQ(2U, chunk.value().row_count);
  const auto rows = system_.source->estimate_rows(schemas_[0].dataset);
  expect_ok(rows);
  EXPECT_EQ(2U, rows.value());
}

TEST_F(Scan, AWriteOfOursBetweenTwoChunksIsNoNews) {
  user_.run(
      "WITH RECURSIVE n(i) AS (SELECT 3 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT "
      "INTO customer SELECT i, 'n', NULL FROM n");
  scan_and_acknowledge();
  user_.run("UPDATE customer SET name = 'theirs' WHERE id = 50");
  clock_.pass_seconds(60);
  expect_ok(system_.source->poll(*sink_, 10, 0));
  apply({"set 1 name=ours", "set 90 name=ours"});
  EXPECT_THAT(scan(10),
              ElementsAre(marker(1), "ours update 1 name=ours mail=a@x",
                          "ours update 90 name=ours mail=NULL", "update 50 name=theirs mail=NULL"));
}

// Of no dataset that is read; the same file may get other columns at any time.
TEST_F(Scan, AnotherColumnIsNoReasonToReadAnew) {
  scan_and_acknowledge();
  user_.run("ALTER TABLE customer ADD COLUMN title TEXT");
  user_.run("UPDATE customer SET name = 'Anna' WHERE id = 1");
  EXPECT_THAT(scan(), ElementsAre("update 1 name=Anna mail=a@x"));
  EXPECT_THAT(last_poll_.rescan, testing::IsEmpty());
}

}  // namespace syncline::sqlite

namespace syncline::ports {
INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, ScanSuite, sqlite::SqliteScan);
}  // namespace syncline::ports
