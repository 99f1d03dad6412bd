// Transactions that are too large to be shown at once.
#include <set>

#include "drivers/systems/mariadb/detail/source.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::Each, testing::ElementsAreArray, testing::IsEmpty, testing::Le, testing::SizeIs;

constexpr size_t kRowCount = 3'000;
constexpr size_t kLongRowCount = 40'000;  // more than what is read ahead of what is shown
constexpr const char* kLongRows =
    "INSERT INTO customer SELECT seq, concat('n', seq, repeat('-', 150)), NULL FROM "
    "seq_1_to_40000";
constexpr const char* kManyRows =
    "INSERT INTO customer SELECT seq, concat('n', seq, repeat('-', 50)), NULL FROM "
    "seq_1_to_3000";

class Parts : public MariadbTest {
 protected:
  static constexpr size_t kPartBytes = 32'768;  // an event of rows has 8 KiB

  void open_at(const model::Position& position) {
    Limits limits;
    limits.part_bytes = kPartBytes;
    limits.prepared_bytes = kPartBytes;
    system_.source = std::make_unique<MariadbSource>(shared_of(config_, limits), clock_);
    expect_ok(system_.source->open(position));
  }
  void start_in_parts() {
    start_customers();
    open_at({});
  }
  // Every poll's lines, with the position behind them, until at least so many lines have come.
  void read(size_t count) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (lines_.size() < count && std::chrono::steady_clock::now() < deadline) {
      const auto lines = poll();
      note_poll();
      if (lines.empty()) continue;
      lines_.insert(lines_.end(), lines.begin(), lines.end());
      read_.push_back({sink_->position, lines_.size()});
      sizes_.push_back(lines.size());
    }
    EXPECT_LE(count, lines_.size());
  }
  std::vector<std::string> inserts(size_t from, size_t to, const std::string& tail) {
    std::vector<std::string> lines;
    for (size_t id = from; id <= to; ++id) {
      const std::string number = std::to_string(id);
      lines.push_back("insert " + number + " name=n" + number + tail + " mail=NULL");
    }
    return lines;
  }

  struct Read {
    model::Position position;
    size_t line_count = 0;
  };
  ports::StepClock clock_;
  std::vector<std::string> lines_;
  std::vector<Read> read_;
  std::vector<size_t> sizes_;
};

TEST_F(Parts, ALargeTransactionIsShownInPartsInItsOrder) {
  start_in_parts();
  user_.run("INSERT INTO customer VALUES (9001, 'before', NULL)", kManyRows,
            "DELETE FROM customer WHERE id = 9001");
  read(kRowCount + 2);
  auto expected = inserts(1, kRowCount, std::string(50, '-'));
  expected.insert(expected.begin(), "insert 9001 name=before mail=NULL");
  expected.push_back("delete 9001");
  EXPECT_THAT(lines_, ElementsAreArray(expected));
  EXPECT_THAT(sizes_, Each(Le(600)));
  std::set<std::string> positions;
  for (const Read& read : read_) {
    EXPECT_TRUE(positions.empty() || *positions.rbegin() < read.position.bytes);
    positions.insert(read.position.bytes);
  }
}

TEST_F(Parts, APreparedTransactionBeyondMemoryIsFoundByAScan) {
  start_in_parts();
  user_.run("XA START 'a'", kManyRows, "XA END 'a'", "XA PREPARE 'a'", "XA COMMIT 'a'",
            "INSERT INTO customer VALUES (9001, 'behind', NULL)");
  read(1);
  EXPECT_THAT(lines_, testing::ElementsAre("insert 9001 name=behind mail=NULL"));
  EXPECT_THAT(rescans_, testing::ElementsAre(schemas_[0].dataset));
}

// Each is small enough alone.
TEST_F(Parts, PreparedTransactionsTogetherAreBoundedToo) {
  start_in_parts();
  constexpr size_t kRows = 100;
  std::vector<std::unique_ptr<User>> users;
  for (const std::string number : {"1", "2", "3", "4"}) {
    users.push_back(std::make_unique<User>(database_));
    std::string insert = "INSERT INTO customer SELECT seq, repeat('-', 50), NULL FROM seq_";
    insert.append(number).append("00_to_").append(number).append("99");
    users.back()->run("XA START '" + number + "'", insert, "XA END '" + number + "'",
                      "XA PREPARE '" + number + "'");
  }
  users[0]->run("XA COMMIT '1'");
  read(kRows);
  EXPECT_THAT(rescans_, IsEmpty());
  users[3]->run("XA COMMIT '4'");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(lines_, SizeIs(kRows));
  EXPECT_THAT(rescans_, testing::ElementsAre(schemas_[0].dataset));
  users[1]->run("XA ROLLBACK '2'");
  users[2]->run("XA ROLLBACK '3'");
}

TEST_F(Parts, AReadingThatBeginsAnewGoesOnBehindEachPart) {
  start_in_parts();
  user_.run(kManyRows, "UPDATE customer SET mail = 'a@x' WHERE id = 7");
  read(kRowCount + 1);
  const auto all = lines_;
  const auto parts = read_;
  EXPECT_THAT(all, SizeIs(kRowCount + 1));
  ASSERT_LT(5U, parts.size());
  for (const Read& part : parts) {
    open_at(part.position);
    lines_.clear();
    read(all.size() - part.line_count);
    EXPECT_THAT(lines_,
                ElementsAreArray(all.begin() + static_cast<ptrdiff_t>(part.line_count), all.end()));
  }
}

TEST_F(Parts, ASessionThatIsEndedBetweenPartsLosesAndRepeatsNothing) {
  start_in_parts();
  user_.run(kLongRows);
  read(1);
  user_.run("KILL " +
            user_.ask("SELECT max(id) FROM information_schema.processlist WHERE command = "
                      "'Binlog Dump'"));
  size_t failures = 0;
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (lines_.size() < kLongRowCount && std::chrono::steady_clock::now() < deadline) {
    auto polled = system_.source->poll(*sink_, 1000, 100);
    const auto lines = sink_->take();
    if (polled) lines_.insert(lines_.end(), lines.begin(), lines.end());
    if (!polled) ++failures;
  }
  EXPECT_LE(1U, failures);
  EXPECT_THAT(lines_, ElementsAreArray(inserts(1, kLongRowCount, std::string(150, '-'))));
}

// A table is described once in front of all its rows: looks at another must not lose that.
TEST_F(Parts, ADatasetThatStandsStillIsLookedAtBetweenTransactionsOnly) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200), mail varchar(200))");
  configure(url(),
            {make_schema("customer", "id:int64 name:text mail:text"),
             make_schema("gone", "id:int64 name:text")},
            "");
  open_at({});
  user_.run(kManyRows);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (lines_.size() < kRowCount && std::chrono::steady_clock::now() < deadline) {
    clock_.pass_seconds(10);
    for (std::string& line : poll()) lines_.push_back(std::move(line));
  }
  EXPECT_THAT(lines_, ElementsAreArray(inserts(1, kRowCount, std::string(50, '-'))));
}

TEST_F(Parts, WhatTheReadingOfOneLogHasToldIsNotToldBeforeItIsShown) {
  start_in_parts();
  user_.run(kManyRows);
  const model::Position end = system_.source->current_position().value();
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  size_t count = 0;
  while (std::chrono::steady_clock::now() < deadline) {
    count += poll().size();
    if (system_.source->has_told(end).value().value_or(false)) break;
  }
  EXPECT_EQ(kRowCount, count);
}

// Children come to be deleted by parents that are deleted in another part.
TEST_F(Parts, WhatForeignKeysDoIsMadeUpInParts) {
  user_.run("CREATE TABLE city(id bigint PRIMARY KEY, name varchar(200))",
            "CREATE TABLE person(id bigint PRIMARY KEY, city bigint, FOREIGN KEY (city) REFERENCES "
            "city(id) ON DELETE CASCADE)",
            "INSERT INTO city SELECT seq, repeat('c', 50) FROM seq_1_to_2000",
            "INSERT INTO person SELECT seq, seq FROM seq_1_to_2000");
  configure(
      url(),
      {make_schema("city", "id:int64 name:text"), make_schema("person", "id:int64 city:int64")},
      "");
  for (auto& mapping : config_.datasets) mapping.cascade = ports::Cascade::kDerive;
  connect();
  open_at({});
  user_.run("DELETE FROM city ORDER BY id");
  read(4000);
  EXPECT_THAT(lines_, SizeIs(4000));
  EXPECT_LT(4U, read_.size());
  std::set<std::string> children;
  for (size_t i = 1; i < lines_.size(); i += 2) children.insert(lines_[i]);
  EXPECT_THAT(children, SizeIs(2000));
  EXPECT_THAT(rescans_, IsEmpty());
}

// Ours has its marker first, and all of it is told by that.
TEST_F(Parts, OurOwnTransactionIsNeverCut) {
  start_in_parts();
  std::vector<std::string> puts;
  for (int id = 1; id <= 2000; ++id) {
    puts.push_back("put " + std::to_string(id) + " name=" + std::string(50, 'x') + " mail=NULL");
  }
  apply(puts);
  user_.run("INSERT INTO customer VALUES (9001, 'behind', NULL)");
  read(2002);
  EXPECT_EQ(marker(1), lines_[0]);
  EXPECT_EQ("insert 9001 name=behind mail=NULL", lines_.back());
  EXPECT_LE(2001U, sizes_[0]);
}

}  // namespace
}  // namespace syncline::mariadb
