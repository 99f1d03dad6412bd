// Records of which a table lacks many: they are copied in, and it shows in nothing but the speed.
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

constexpr int kMany = 100;

class Fill : public PostgresTest {
 protected:
  static std::vector<std::string> many(int first, const std::string& cells) {
    std::vector<std::string> texts;
    for (int id = first; id < first + kMany; ++id) {
      texts.push_back("put " + std::to_string(id) + " " + cells);
    }
    return texts;
  }
  // So many records that were missing, and from then on full records are copied.
  void begin_filling() { apply(many(1000, "name=ours mail=NULL")); }
  // Whether the last of our statements was a COPY.
  bool has_copied() {
    return user_.ask(
               "SELECT bool_or(query LIKE 'COPY%') FROM pg_stat_activity WHERE datname = "
               "current_database() AND pid <> pg_backend_pid()") == "t";
  }
  std::string customers_below(int id) {
    return user_.ask("SELECT * FROM customer WHERE id < " + std::to_string(id) + " ORDER BY 1");
  }
  std::string name_of(int id) {
    return user_.ask("SELECT name FROM customer WHERE id = " + std::to_string(id));
  }
};

TEST_F(Fill, WhatFollowsManyThatWereMissingIsCopied) {
  start_customers();
  begin_filling();
  EXPECT_FALSE(has_copied());
  std::vector<std::string> texts = many(2000, "name=ours mail=NULL");
  texts.emplace_back("set 1000 name=set");
  texts.emplace_back("delete 1001");
  const auto applied = try_apply(texts);
  expect_ok(applied);
  EXPECT_EQ(102U, applied.value().rows_written);
  EXPECT_TRUE(has_copied());
  EXPECT_EQ("199", user_.ask("SELECT count(*) FROM customer"));
  EXPECT_EQ("set", name_of(1000));
}

TEST_F(Fill, ValuesOfEveryLookAreCopiedAsTheyAre) {
  start_customers();
  begin_filling();
  apply({"put 1 name=a\\b mail=\\N", "put 2 name=\\. mail=NULL", "put 3 name=\"\" mail=\\n",
         "put 4 name={\"a\"} mail=ä€😀'"});
  EXPECT_EQ("1|a\\b|\\N;2|\\.|NULL;3|\"\"|\\n;4|{\"a\"}|ä€😀'", customers_below(1000));
}

TEST_F(Fill, WhatCopyWouldTakeForTheEndOfAValueIsEscaped) {
  start_customers();
  begin_filling();
  Writes writes;
  add_write(writes, schemas_[0], "put 1 name=? mail=?");
  writes.cells[0][0].bytes = "\tx\ty\n\\.\n";
  writes.cells[0][1].bytes = "";
  ports::WriteBatch batch;
  batch.epoch = kEpoch;
  batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
  batch.writes = writes.views;
  expect_ok(system_.target->apply(batch));
  EXPECT_EQ("1|\tx\ty\n\\.\n|", customers_below(1000));
}

TEST_F(Fill, ARecordThatIsRefusedIsNamedAndNothingIsLeftBehind) {
  start_customers(", CHECK (name <> 'refused')");
  begin_filling();
  std::vector<std::string> texts = many(2000, "name=ours mail=NULL");
  texts[50] = "put 2050 name=refused mail=NULL";
  const auto applied = try_apply(texts);
  expect_ok(applied);
  ASSERT_TRUE(applied.value().poison.has_value());
  EXPECT_EQ(50U, applied.value().poison->write_index);
  EXPECT_EQ("100", user_.ask("SELECT count(*) FROM customer"));
  texts.erase(texts.begin() + 50);
  apply(texts);
  EXPECT_EQ("199", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Fill, ATableThatTakesNoCopyIsWrittenTheLongWay) {
  start_customers();
  begin_filling();
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run(
      "GRANT ALL ON SCHEMA syncline TO plain; GRANT ALL ON customer, "
      "syncline.syncline_checkpoint TO plain");
  user_.run("CREATE POLICY all_rows ON customer TO plain USING (true) WITH CHECK (true)");
  user_.run("ALTER TABLE customer ENABLE ROW LEVEL SECURITY");
  config_.url = url("plain");
  system_.target = std::move(make_postgres(config_, system_clock()).value().target);
  expect_ok(system_.target->open());
  apply(many(2000, "name=ours mail=NULL"));
  apply(many(3000, "name=ours mail=NULL"));
  apply(many(4000, "name=ours mail=NULL"));
  EXPECT_EQ("400", user_.ask("SELECT count(*) FROM customer"));
  system_ = {};
  user_.run("DROP OWNED BY plain; DROP ROLE plain");
}

TEST_F(Fill, ARowThatAUserHasJustInsertedIsBusyAndGoesLater) {
  start_customers();
  begin_filling();
  User other(database_);
  other.run("BEGIN; INSERT INTO customer VALUES (2050, 'theirs', NULL)");
  const auto busy = try_apply(many(2000, "name=ours mail=NULL"));
  ASSERT_FALSE(busy.has_value());
  EXPECT_EQ(ErrorCode::kSystemBusy, busy.error().code);
  other.run("COMMIT");
  apply(many(2000, "name=ours mail=NULL"));
  EXPECT_EQ("ours", name_of(2050));
}

TEST_F(Fill, AMovedMarkerStopsAndCopiesNothing) {
  start_customers();
  begin_filling();
  user_.run("UPDATE syncline.syncline_checkpoint SET seq = seq + 5 WHERE seq > 0");
  const auto applied = try_apply(many(2000, "name=ours mail=NULL"));
  ASSERT_FALSE(applied.has_value());
  EXPECT_EQ(ErrorCode::kMarkerMoved, applied.error().code);
  EXPECT_EQ("100", user_.ask("SELECT count(*) FROM customer"));
}

TEST_F(Fill, TheLogShowsWhatWasCopiedAsOurs) {
  start_customers();
  begin_filling();
  apply({"put 1 name=Ann mail=NULL"});
  const auto shown = take(2 + kMany + 1);
  EXPECT_EQ("ours insert 1 name=Ann mail=NULL", shown.back());
}

}  // namespace
}  // namespace syncline::postgres
