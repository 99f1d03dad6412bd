// Bytes that are no letter in their column's character set: tables are read as the log is. The
// server shows '?' for them, and so would every other system.
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs,
    testing::UnorderedElementsAre;

class Letters : public MariadbTest {
 protected:
  void start_things() {
    user_.run(
        "CREATE TABLE thing(id int PRIMARY KEY, v varchar(20) CHARACTER SET cp1250, w text "
        "CHARACTER SET sjis, c char(9) CHARACTER SET ucs2, j longtext CHARACTER SET cp1257 CHECK "
        "(json_valid(j)))");
    start({make_schema("thing", "id:int64 v:text w:text c:text j:json")});
  }
  void insert_things() {
    user_.run(
        "INSERT INTO thing VALUES (1, 'é', '表', 'ř', '\"é\"'), (2, _cp1250 x'6181', '', '', "
        "'1'), (3, '', _sjis x'618540', '', '1'), (4, '', '', _ucs2 x'0061d800', '1'), (5, '?', "
        "'?', '?', '\"?\"')");
  }
  // "id=2: column v: ..." of each that was rejected since the last call.
  std::vector<std::string> reasons() {
    std::vector<std::string> all;
    for (const ports::RejectedRow& row : std::exchange(rejected_, {})) {
      all.push_back(to_string(row.error));
    }
    return all;
  }
  // As snapshot(), and not without end.
  std::vector<std::string> in_chunks(size_t rows) {
    std::string cursor;
    for (int chunks = 0; chunks < 100; ++chunks) {
      auto chunk = system_.source->read_snapshot(schemas_[0].dataset, cursor, rows, *sink_).value();
      cursor = chunk.cursor;
      for (auto& row : chunk.rejected) rejected_.push_back(row);
      if (cursor.empty()) return sink_->take();
    }
    ADD_FAILURE() << "the table does not end";
    return sink_->take();
  }
  void make_taken_for_z() {
    user_.run(
        "CREATE TABLE thing(code varchar(9) CHARACTER SET cp1257 COLLATE "
        "cp1257_lithuanian_ci PRIMARY KEY, v text)",
        "INSERT INTO thing VALUES (_cp1257 x'81', 'theirs')");
  }
  std::string why_refused(const std::string& write) {
    const auto applied = try_apply({write});
    expect_ok(applied);
    const auto poison = applied ? applied.value().poison : std::nullopt;
    return poison ? to_string(poison->error) : "it was not refused";
  }
  std::string rows_read() {
    return user_.ask(
        "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = "
        "'HANDLER_READ_NEXT'");
  }
};

TEST_F(Letters, WhatTheServerShowsAsQuestionMarksIsRejectedFromTablesAsFromTheLog) {
  start_things();
  insert_things();
  const std::string first = " 1 v=é w=表 c=ř j=\"é\"";
  const std::string last = " 5 v=? w=? c=? j=\"?\"";
  EXPECT_THAT(take(2), ElementsAre("insert" + first, "insert" + last));
  const auto from_log = reasons();
  ASSERT_THAT(from_log, SizeIs(3));
  EXPECT_THAT(from_log[0], HasSubstr("id=2: column v"));
  EXPECT_THAT(from_log[1], HasSubstr("no letter in sjis"));
  EXPECT_THAT(snapshot(), ElementsAre("snapshot" + first, "snapshot" + last));
  EXPECT_EQ(from_log, reasons());
  std::vector<std::string> keys;
  for (const char* id : {"1", "2", "3", "4", "5"}) keys.push_back(key_of(schemas_[0], id));
  auto read = system_.source->read_records(schemas_[0].dataset, keys, *sink_);
  expect_ok(read);
  EXPECT_THAT(sink_->take(), ElementsAre("snapshot" + first, "snapshot" + last));
  rejected_ = std::move(read).value();
  EXPECT_EQ(from_log, reasons());
}

// As a first look for `plan` and `verify` do.
TEST_F(Letters, TablesAreReadSoWithoutALogToo) {
  start_things();
  insert_things();
  system_ = make_(config_, system_clock()).value();
  EXPECT_THAT(snapshot(), SizeIs(2));
  EXPECT_THAT(reasons(), SizeIs(3));
}

TEST_F(Letters, ChunksGoOnBehindKeysThatAreNoLetters) {
  const std::vector<std::pair<std::string, std::string>> sets = {
      {"cp1250", "x'6181', x'6183', x'81', x'629881'"},
      {"cp1250 COLLATE cp1250_bin", "x'6181', x'6183', x'81', x'629881'"},
      {"cp1251 COLLATE cp1251_bulgarian_ci", "x'6198', x'98'"},
      {"sjis", "x'618240', x'618540', x'8540', x'628540'"},
      {"big5", "x'61c840', x'c840', x'62c841'"},
      {"gbk COLLATE gbk_bin", "x'61a140', x'a240', x'62a140'"},
      {"ucs2", "x'0061d800', x'd800', x'0062dfff'"},
      {"utf16", "x'0061', x'd83ddeb2'"}};
  for (const auto& [set, odd] : sets) {
    const std::string name = set.substr(0, set.find(' '));
    user_.run("DROP TABLE IF EXISTS thing", "CREATE TABLE thing(code varchar(20) CHARACTER SET " +
                                                set + ", n int, PRIMARY KEY (code, n))");
    std::istringstream in(odd);
    for (std::string one; std::getline(in, one, ',');) {
      std::string insert = "INSERT IGNORE INTO thing SELECT _";
      insert.append(name).append(" ").append(one).append(", seq FROM seq_1_to_2");
      user_.run(insert);
    }
    user_.run(
        "INSERT IGNORE INTO thing VALUES ('a', 1), ('a?', 1), ('a?', 2), ('b?', 1), ('?', 1)");
    const auto row_count = std::stoul(user_.ask("SELECT count(*) FROM thing"));
    start({make_schema("thing", "code:text n:int64", 2)});
    const auto all = snapshot(1000);
    const auto why = reasons();
    EXPECT_EQ(row_count, all.size() + why.size()) << set;
    if (name != "utf16") {
      EXPECT_GE(why.size(), 2) << set;
    }
    for (const size_t rows : {1, 2, 3}) {
      EXPECT_EQ(all, in_chunks(rows)) << set;
      EXPECT_EQ(why, reasons()) << set;
    }
    std::vector<std::string> distinct = all;
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    EXPECT_EQ(all, distinct) << set;
  }
}

TEST_F(Letters, ChunksGoByTheIndexOfSuchKeys) {
  user_.run("CREATE TABLE thing(code varchar(20) CHARACTER SET cp1250 PRIMARY KEY)",
            "INSERT INTO thing SELECT CONCAT(_cp1250 x'e981', seq) FROM seq_1_to_2000");
  start({make_schema("thing", "code:text")});
  const int before = std::stoi(rows_read());
  in_chunks(50);
  EXPECT_THAT(reasons(), SizeIs(2000));
  EXPECT_LT(std::stoi(rows_read()) - before, 2 * 2000);
}

// A cast gives NULL for them.
TEST_F(Letters, TextsBeyondTheServersMessagesAreReadWhole) {
  const std::string packet = user_.ask("SELECT @@max_allowed_packet");
  user_.run("CREATE TABLE thing(id int PRIMARY KEY, v longtext CHARACTER SET latin1)",
            "INSERT INTO thing VALUES (1, REPEAT('é', 2000000))",
            "SET GLOBAL max_allowed_packet = 1048576");
  start({make_schema("thing", "id:int64 v:text")});
  const auto lines = snapshot();
  user_.run("SET GLOBAL max_allowed_packet = " + packet);
  ASSERT_THAT(lines, SizeIs(1));
  EXPECT_EQ(std::string("snapshot 1 v=").size() + 4'000'000, lines[0].size());
}

// In Lithuanian, cp1257 has many letters for which it takes one that is none.
TEST_F(Letters, ARowWhoseKeyIsNoLetterIsNamedWhereTheTableTakesItForAnother) {
  make_taken_for_z();
  start({make_schema("thing", "code:text v:text")});
  const std::string why = why_refused("put Ž v=ours");
  EXPECT_THAT(why, HasSubstr("no letter in cp1257"));
  EXPECT_THAT(why, HasSubstr("MODIFY `code`"));
  EXPECT_THAT(why_refused("put Z v=ours"), HasSubstr("Cannot convert"));
  EXPECT_EQ("theirs", user_.ask("SELECT GROUP_CONCAT(v) FROM thing"));
}

// Without a log.
class LettersScan : public Letters {
 protected:
  void start_scan(ports::Capture capture) {
    configure(url(), {make_schema("thing", "code:text v:text")}, "");
    config_.datasets[0].capture = capture;
    if (capture == ports::Capture::kPoll) config_.datasets[0].poll_by = "n";
    system_ = make_(config_, clock_).value();
    expect_ok(system_.source->open({}));
    expect_ok(system_.target->open());
    const std::vector<model::StreamId> streams = {schemas_[0].stream};
    expect_ok(system_.target->open_epoch(kEpoch, streams, config_.lane_count));
  }
  std::vector<std::string> scan(size_t rows = 100) {
    std::vector<std::string> lines;
    clock_.pass_seconds(60);
    for (int polls = 0; polls < 100; ++polls) {
      auto polled = system_.source->poll(*sink_, rows, 0);
      expect_ok(polled);
      if (!polled) return lines;
      last_poll_ = std::move(polled).value();
      for (std::string& line : sink_->take()) lines.push_back(std::move(line));
      for (auto& row : last_poll_.rejected) rejected_.push_back(row);
      if (last_poll_.has_more) continue;
      expect_ok(system_.source->acknowledge(sink_->position));
      return lines;
    }
    ADD_FAILURE() << "the table does not end";
    return lines;
  }
  void make_things() {
    user_.run(
        "CREATE TABLE thing(code varchar(9) CHARACTER SET cp1250 PRIMARY KEY, v text "
        "CHARACTER SET sjis, n int NOT NULL DEFAULT 1, KEY (n))",
        "INSERT INTO thing(code, v) VALUES ('a?', '表'), (_cp1250 x'6181', 'w'), (_cp1250 "
        "x'6183', 'w'), ('é', _sjis x'8540')");
  }

  ports::StepClock clock_;
};

TEST_F(LettersScan, RowsAreRejectedUntilTheyAreMended) {
  make_things();
  start_scan(ports::Capture::kScan);
  EXPECT_THAT(scan(), ElementsAre("update a? v=表"));
  EXPECT_THAT(reasons(), UnorderedElementsAre(HasSubstr("column code"), HasSubstr("column code"),
                                              HasSubstr("code=é: column v")));
  user_.run("UPDATE thing SET v = 'ソ' WHERE code = 'é'",
            "UPDATE thing SET code = 'c' WHERE code = _cp1250 x'6181'");
  EXPECT_THAT(scan(), UnorderedElementsAre("update é v=ソ", "insert c v=w"));
  EXPECT_THAT(reasons(), SizeIs(1));
}

TEST_F(LettersScan, OurWritesComeBackAsEchoesInLettersOfTheirSet) {
  make_things();
  start_scan(ports::Capture::kScan);
  scan();
  apply({"set a? v=語", "put ü v=ソ"});
  EXPECT_THAT(scan(), ElementsAre(marker(1), "ours update a? v=語", "ours update ü v=ソ"));
  EXPECT_THAT(scan(), IsEmpty());
  user_.run("UPDATE thing SET v = '表' WHERE code = 'ü'");
  EXPECT_THAT(scan(), ElementsAre("update ü v=表"));
}

// What it left is read as it was meant.
TEST_F(LettersScan, AnEchoOutlivesAChangeOfItsColumnsCharacterSet) {
  make_things();
  start_scan(ports::Capture::kScan);
  scan();
  apply({"set a? v=語"});
  user_.run("DELETE FROM thing WHERE code = 'é'",
            "ALTER TABLE thing MODIFY v text CHARACTER SET ujis");
  EXPECT_THAT(scan(), testing::Contains("ours update a? v=語"));
}

TEST_F(LettersScan, AWriteIsRefusedAloneWhereTheTableTakesItForAKeyThatIsNoLetter) {
  make_taken_for_z();
  start_scan(ports::Capture::kScan);
  EXPECT_THAT(scan(), IsEmpty());
  EXPECT_THAT(reasons(), ElementsAre(HasSubstr("no letter in cp1257")));
  EXPECT_THAT(why_refused("put Z v=ours"), HasSubstr("no letter in cp1257"));
  EXPECT_EQ("theirs", user_.ask("SELECT GROUP_CONCAT(v) FROM thing"));
  apply({"put a v=ours"});
}

TEST_F(LettersScan, APollGoesOnBehindKeysThatAreNoLetters) {
  make_things();
  start_scan(ports::Capture::kPoll);
  EXPECT_THAT(scan(1), ElementsAre("update a? v=表"));
  EXPECT_THAT(reasons(), SizeIs(3));
}

}  // namespace
}  // namespace syncline::mariadb
