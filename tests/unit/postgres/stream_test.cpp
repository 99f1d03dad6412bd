// The log as it comes: transactions in progress, large ones, silent ones, another server behind the
// URL, and what the server keeps for us.
#include "drivers/systems/postgres/detail/place.hpp"
#include "tests/unit/postgres/log_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

TEST_F(Log, TransactionsInProgressComeInTheOrderOfTheirCommits) {
  stream_early();
  start_customers();
  open_with(small());
  User other(database_);
  user_.run("BEGIN; " + insert(1, 3000, "a"));
  other.run("BEGIN; " + insert(10001, 13000, "b"));
  User(database_).run("INSERT INTO customer VALUES (20000, 'short', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 20000 name=short mail=NULL"));
  user_.run(insert(3001, 5000, "a"));
  other.run("COMMIT");
  user_.run("COMMIT");
  const auto lines = take(8000);
  ASSERT_THAT(lines, SizeIs(8000));
  EXPECT_THAT(lines[0], HasSubstr("insert 10001 "));
  EXPECT_THAT(lines[2999], HasSubstr("insert 13000 "));
  EXPECT_THAT(lines[3000], HasSubstr("insert 1 "));
  EXPECT_THAT(lines[7999], HasSubstr("insert 5000 "));
  const std::string streamed = "SELECT stream_txns >= 2 FROM pg_stat_replication_slots";
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (user_.ask(streamed) != "t" && std::chrono::steady_clock::now() < deadline) poll();
  EXPECT_EQ("t", user_.ask(streamed));
}

TEST_F(Log, WhatASavepointOrATransactionRollsBackIsNotShown) {
  stream_early();
  start_customers();
  open_with(small());
  user_.run("BEGIN; " + insert(1, 2000, "a") + "; SAVEPOINT one; " + insert(2001, 4000, "b") +
            "; SAVEPOINT two; " + insert(4001, 6000, "c") + "; ROLLBACK TO one; " +
            insert(6001, 8000, "d") +
            "; SAVEPOINT three; UPDATE customer SET name = 'kept' WHERE "
            "id <= 2000; RELEASE three");
  User other(database_);
  other.run("BEGIN; " + insert(20001, 23000, "gone"));
  poll();
  other.run("ROLLBACK");
  user_.run("COMMIT");
  const auto lines = take(6000);
  EXPECT_THAT(lines, SizeIs(6000));
  EXPECT_EQ(expected(), replay(lines));
  EXPECT_THAT(take_for(300), IsEmpty());
}

// A table is described in what was rolled back, changed by another, and not described again.
TEST_F(Log, ATableThatChangedWhileATransactionWasInProgressIsReadAsItIs) {
  stream_early();
  start_customers();
  open_with(small());
  user_.run("CREATE TABLE big(id bigint PRIMARY KEY)");
  user_.run("BEGIN; INSERT INTO big SELECT generate_series(1, 3000); SAVEPOINT one; " +
            insert(1, 3000, "a"));
  const std::string streamed = "SELECT stream_txns > 0 FROM pg_stat_replication_slots";
  User other(database_);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (other.ask(streamed) != "t" && std::chrono::steady_clock::now() < deadline) poll();
  EXPECT_THAT(take_for(500), IsEmpty());
  user_.run("ROLLBACK TO one");
  other.run("ALTER TABLE customer DROP mail, ADD more text, ADD mail text");
  other.run("INSERT INTO customer VALUES (1, 'Ann', 'more', 'a@x')");
  take(1);
  user_.run("COMMIT");
  other.run("INSERT INTO customer VALUES (2, 'Bob', 'more', 'b@x')");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=b@x"));
}

std::string big_endian(uint64_t value, size_t size) {
  std::string out;
  for (size_t i = size; i-- > 0;) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

// A description of columns of type text, and a row of them.
std::string described(const std::vector<std::string>& columns) {
  std::string out = "R" + big_endian(77, 4) + std::string("public\0customer\0d", 17) +
                    big_endian(columns.size(), 2);
  for (const std::string& column : columns) {
    out += (column == "id" ? '\1' : '\0') + column + '\0' + big_endian(25, 4) +
           big_endian(0xffffffff, 4);
  }
  return out;
}
std::string inserted(const std::vector<std::string>& texts) {
  std::string out = "I" + big_endian(77, 4) + "N" + big_endian(texts.size(), 2);
  for (const std::string& text : texts) out += "t" + big_endian(text.size(), 4) + text;
  return out;
}

// Older servers do not describe it again behind the transaction in progress.
TEST_F(Log, AnOldDescriptionCountsForTheRowsBehindItAlone) {
  user_.run("CREATE TABLE customer(id text PRIMARY KEY, name text)");
  start({make_schema("customer", "id:text name:text")});
  auto shared = std::make_shared<Shared>();
  shared->config = config_;
  const auto connection = Connection::open(shared->access("look"), Purpose::kSql).value();
  Decoder decoder(shared, [&] { return Result<Connection*>(connection.get()); });
  std::vector<Mapped> mapped;
  mapped.push_back(read_mapped(*connection, config_.datasets[0]).value());
  decoder.follow(std::move(mapped));
  ports::PollResult result;
  decoder.begin_poll(*sink_, result);
  SpoolBudget budget;
  Transaction transaction(budget);
  // arrival: of the first of the messages; those of one in progress come before others'.
  const auto give = [&](uint64_t arrival, const std::vector<std::string>& messages) {
    decoder.begin_transaction(transaction);
    decoder.begin_part({});
    for (const std::string& message : messages) {
      expect_ok(decoder.take({arrival++, message, 0}, Decoder::Showing::kAll));
    }
    decoder.end_part();
    expect_ok(decoder.end_transaction());
  };
  give(1, {described({"id", "name"})});  // nobody has described it before
  give(2, {inserted({"1", "Ann"})});
  give(20, {described({"id", "more", "name"}), inserted({"2", "more", "Bob"})});
  give(10, {described({"id", "name"})});  // of what was rolled back, from before the change
  give(30, {inserted({"3", "more", "Cy"})});
  give(11, {described({"name", "id"}), inserted({"Dan", "4"})});
  give(40, {inserted({"5", "more", "Eve"})});
  give(50, {described({"id", "name"})});  // likewise, from behind the change
  give(60, {inserted({"6", "Fay"})});
  EXPECT_THAT(sink_->take(),
              ElementsAre("insert 1 name=Ann", "insert 2 name=Bob", "insert 3 name=Cy",
                          "insert 4 name=Dan", "insert 5 name=Eve", "insert 6 name=Fay"));
}

// No server sends such rows; one that did would not end us.
TEST_F(Log, ARowWithoutItsKeyIsRefused) {
  user_.run("CREATE TABLE customer(id text PRIMARY KEY, name text)");
  start({make_schema("customer", "id:text name:text")});
  auto shared = std::make_shared<Shared>();
  shared->config = config_;
  const auto connection = Connection::open(shared->access("look"), Purpose::kSql).value();
  Decoder decoder(shared, [&] { return Result<Connection*>(connection.get()); });
  std::vector<Mapped> mapped;
  mapped.push_back(read_mapped(*connection, config_.datasets[0]).value());
  decoder.follow(std::move(mapped));
  ports::PollResult result;
  decoder.begin_poll(*sink_, result);
  SpoolBudget budget;
  decoder.begin_transaction(Transaction(budget));
  decoder.begin_part({});
  expect_ok(decoder.take({1, described({"id", "name"}), 0}, Decoder::Showing::kAll));
  for (const std::string& message :
       {inserted({}), "I" + big_endian(77, 4) + "N" + big_endian(1, 2) + "u",
        "D" + big_endian(77, 4) + "K" + big_endian(0, 2),
        "D" + big_endian(77, 4) + "O" + big_endian(1, 2) + "u",
        "U" + big_endian(77, 4) + "N" + big_endian(1, 2) + "u"}) {
    EXPECT_FALSE(decoder.take({2, message, 0}, Decoder::Showing::kAll).has_value()) << message;
  }
  decoder.end_part();
  EXPECT_THAT(sink_->take(), IsEmpty());
}

TEST(Assembling, NumbersDescriptionsAsTheyArrive) {
  SpoolBudget budget;
  Assembler assembler(budget);
  const auto take = [&](const std::string& message) { return assembler.take(message).value(); };
  const auto description = [](Transaction& transaction) { return transaction.spool.at(0).value(); };
  const std::string in_block = "R" + big_endian(9, 4) + described({"id", "old"}).substr(1);
  take("S" + big_endian(8, 4) + '\1');
  take(in_block);
  take("E");
  take("B" + big_endian(100, 8) + big_endian(0, 8) + big_endian(7, 4));
  take(described({"id", "new"}));
  auto whole =
      take("C" + big_endian(0, 1) + big_endian(100, 8) + big_endian(101, 8) + big_endian(0, 8));
  auto streamed = take("c" + big_endian(8, 4) + big_endian(0, 1) + big_endian(200, 8) +
                       big_endian(201, 8) + big_endian(0, 8));
  ASSERT_TRUE(whole && streamed);
  EXPECT_EQ(1U, description(*streamed).tag);
  EXPECT_EQ(2U, description(*whole).tag);
  EXPECT_EQ(described({"id", "old"}), description(*streamed).bytes);
}

// PostgreSQL 15 describes the table again behind that; whether a server does is not relied on.
TEST_F(Log, ADescriptionThatWasRolledBackCountsIfItIsTheNewest) {
  stream_early();
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, more text, name text, mail text)");
  user_.run("CREATE TABLE big(id bigint PRIMARY KEY)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  open_with(small());
  user_.run("INSERT INTO customer VALUES (9001, 'more', 'Ann', 'a@x')");
  EXPECT_THAT(take(1), ElementsAre("insert 9001 name=Ann mail=a@x"));
  user_.run("ALTER TABLE customer DROP more");
  user_.run("BEGIN; INSERT INTO big SELECT generate_series(1, 3000); SAVEPOINT one; " +
            insert(1, 3000, "a"));
  EXPECT_THAT(take_for(500), IsEmpty());
  user_.run("ROLLBACK TO one");
  user_.run("COMMIT");
  user_.run("INSERT INTO customer VALUES (9002, 'Bob', 'b@x')");
  EXPECT_THAT(take(1), ElementsAre("insert 9002 name=Bob mail=b@x"));
}

TEST_F(Log, ALargeTransactionPassesInPartsAndGoesOnWhereItWas) {
  start_customers();
  open_with(small());
  drain();
  const model::Position before = sink_->position;
  sink_->times_us.clear();
  user_.run(insert(1, 3500, "a"));
  user_.run("INSERT INTO customer VALUES (9000, 'next', NULL)");
  std::vector<std::string> lines;
  std::vector<model::Position> positions;
  while (lines.size() < 2000) {
    for (auto& line : poll()) lines.push_back(line);
    if (positions.empty() || positions.back() != sink_->position) {
      positions.push_back(sink_->position);
    }
  }
  EXPECT_THAT(lines, SizeIs(2000));
  EXPECT_THAT(positions, SizeIs(2));
  EXPECT_LT(before, positions[0]);
  EXPECT_LT(positions[0], positions[1]);
  // What is durable is a part: the server must keep all of it.
  expect_ok(system_.source->acknowledge(positions[1]));
  Limits others = small();
  others.part_rows = 700;
  open_with(others, positions[0]);  // the second part is not durable: it comes again
  lines = take(2501);
  ASSERT_THAT(lines, SizeIs(2501));
  EXPECT_THAT(lines[0], HasSubstr("insert 1001 "));
  EXPECT_THAT(lines[2499], HasSubstr("insert 3500 "));
  EXPECT_EQ("insert 9000 name=next mail=NULL", lines[2500]);
  EXPECT_LT(positions[1], sink_->position);
}

TEST_F(Log, ABreakInsideALargeTransactionShowsNothingTwice) {
  start_customers();
  open_with(small());
  drain();
  user_.run(insert(1, 3000, "a"));
  std::vector<std::string> lines;
  while (lines.size() < 1000) {
    for (auto& line : poll()) lines.push_back(line);
  }
  user_.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots");
  user_.run("INSERT INTO customer VALUES (9000, 'next', NULL)");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (lines.size() < 3001 && std::chrono::steady_clock::now() < deadline) {
    auto polled = system_.source->poll(*sink_, 1000, kPollMs);
    for (auto& line : sink_->take()) lines.push_back(line);
  }
  EXPECT_THAT(lines, SizeIs(3001));
  EXPECT_EQ(expected(), replay(lines));
}

TEST_F(Log, AServerThatIsAtWorkOnWhatShowsNothingIsWaitedFor) {
  user_.run("CREATE TABLE other(a int, b text)");
  start_customers();
  config_.url += "&options=-c%20wal_sender_timeout%3D200ms%20-c%20logical_decoding_work_mem%3D1GB";
  Limits limits;
  limits.in_transaction_ms = 150;
  open_with(limits);
  user_.run(
      "BEGIN; INSERT INTO customer VALUES (1, 'Ann', NULL); INSERT INTO other SELECT g, 'x' "
      "FROM generate_series(1, 1000000) g; INSERT INTO customer VALUES (2, 'Bob', NULL); "
      "COMMIT");
  // A machine that is busy may lose a connection to so short a limit; one in time is enough.
  std::vector<std::string> lines;
  const auto deadline = std::chrono::steady_clock::now() + 2 * kPatience;
  while (lines.empty() && std::chrono::steady_clock::now() < deadline) {
    const auto polled = system_.source->poll(*sink_, 1000, kPollMs);
    if (polled) lines = sink_->take();
  }
  EXPECT_THAT(lines, ElementsAre("insert 1 name=Ann mail=NULL", "insert 2 name=Bob mail=NULL"));
}

TEST_F(Log, TheLogThatIsKeptForUsIsMeasuredAndGivenUpAtTheLimit) {
  start_customers();
  config_.log_limit_bytes = 40 << 20;
  open_with({});
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  EXPECT_LT(0U, system_.source->lag().value().retained_bytes);
  const model::Position position = sink_->position;
  user_.run(
      "CREATE TABLE other(a text); ALTER TABLE other ALTER a SET STORAGE EXTERNAL; INSERT "
      "INTO other SELECT repeat('x', 100000) FROM generate_series(1, 500)");
  open_with({}, position);
  expect_ok(system_.source->lag());
  const auto polled = system_.source->poll(*sink_, 1000, 0);
  ASSERT_FALSE(polled.has_value());
  EXPECT_EQ(ErrorCode::kSystemLost, polled.error().code);
  EXPECT_THAT(to_string(polled.error()), HasSubstr("more than `log_limit`"));
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM pg_replication_slots"));
  const auto opened = system_.source->open(position);
  EXPECT_EQ(ErrorCode::kSystemLost, opened.error().code);
}

TEST_F(Log, WhoseTransactionHoldsTheLogIsSaidBeyondTheLimitAndTheSlotStays) {
  start_customers();
  config_.log_pause_bytes = 20 << 20;
  open_with({});
  user_.run("CREATE TABLE other(a text); ALTER TABLE other ALTER a SET STORAGE EXTERNAL");
  User holder(database_);
  holder.run("BEGIN; INSERT INTO customer VALUES (1, 'Ann', NULL)");
  user_.run("INSERT INTO other SELECT repeat('x', 100000) FROM generate_series(1, 300)");
  user_.run("SELECT pg_sleep(2.5)");
  open_with({}, sink_->position);
  const auto lag = system_.source->lag();
  ASSERT_TRUE(lag.has_value());
  EXPECT_LT(config_.log_pause_bytes, lag.value().retained_bytes);
  EXPECT_THAT(lag.value().held_by, HasSubstr("pid " + holder.ask("SELECT pg_backend_pid()")));
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM pg_replication_slots"));
  holder.run("COMMIT");
  EXPECT_EQ((std::vector<std::string>{"insert 1 name=Ann mail=NULL"}), take(1));
}

// Another server in the place of the first, with all of ours in it, while we are connected.
class OtherServer : public Log {
 protected:
  static void shell(const std::string& line) {
    const std::string command = "cd " + Server::instance().folder() + " && " + line;
    ASSERT_EQ(0, std::system(command.c_str())) << line;
  }
  void begin(const std::string& sql = "INSERT INTO customer VALUES (1, 'Ann', NULL)",
             const Limits& limits = {}) {
    start_customers();
    open_with(limits);
    Server::instance().stop("fast");
    shell("cp -a data kept");
    Server::instance().start();
    User(database_).run(sql);
    while (lines_.empty()) {
      if (system_.source->poll(*sink_, 1000, kPollMs)) lines_ = sink_->take();
    }
    Server::instance().stop("immediate");  // it would wait for us to have read all
    shell("mv data first && mv kept data");
  }
  Error error_of_polls() {
    Server::instance().start();
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    Error error;
    while (error.code != ErrorCode::kSystemLost && std::chrono::steady_clock::now() < deadline) {
      const auto polled = system_.source->poll(*sink_, 1000, kPollMs);
      error = polled ? Error{} : polled.error();
    }
    return error;
  }
  ~OtherServer() override {
    system_ = {};
    Server::instance().stop("immediate");
    shell("rm -rf data && mv first data");
    Server::instance().start();
  }

  std::vector<std::string> lines_;
};

TEST_F(OtherServer, AStandbyThatWasBehindIsNeverReadOnFrom) {
  begin();
  shell(
      "touch data/recovery.signal && chown --reference=data data/recovery.signal && echo "
      "\"restore_command = 'false'\" >> data/postgresql.auto.conf");
  const Error error = error_of_polls();
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  EXPECT_THAT(to_string(error), HasSubstr("resync"));
}

TEST_F(OtherServer, ATimelineThatBranchedOffBeforeWhatWeReadIsLostHoweverFarItWent) {
  begin();
  shell(
      "touch data/recovery.signal && chown --reference=data data/recovery.signal && echo "
      "\"restore_command = 'false'\" >> data/postgresql.auto.conf");
  Server::instance().start();
  {
    User other(database_);
    while (other.ask("SELECT pg_is_in_recovery()") == "t") {
    }
    other.run("INSERT INTO customer SELECT g, 'other', NULL FROM generate_series(1, 5000) g");
  }
  Server::instance().stop("fast");
  const Error error = error_of_polls();
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  EXPECT_THAT(to_string(error), HasSubstr("it branched off at"));
}

// The server that takes over has all that we had read, but not the slot; one of that name is made
// there by hand, behind what its users write first.
TEST_F(OtherServer, ASlotThatSomebodyMakesAnewAfterAFailoverIsNeverReadOnFrom) {
  begin();
  shell(
      "rm -rf data && cp -a first data && touch data/recovery.signal && chown --reference=data "
      "data/recovery.signal && echo \"restore_command = 'false'\" >> data/postgresql.auto.conf");
  Server::instance().start();
  {
    User other(database_);
    while (other.ask("SELECT pg_is_in_recovery()") == "t") {
    }
    other.run("SELECT pg_drop_replication_slot('syncline_zurich_shop')");
    other.run("INSERT INTO customer VALUES (2, 'lost', NULL)");
    other.run("SELECT pg_create_logical_replication_slot('syncline_zurich_shop', 'pgoutput')");
  }
  Server::instance().stop("fast");
  const Error error = error_of_polls();
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  EXPECT_THAT(to_string(error), HasSubstr("it was made anew"));
}

TEST_F(OtherServer, ARestoredServerIsLostThoughOnlyAPartOfATransactionWasRead) {
  begin(insert(1, 3000, "a"), small());
  EXPECT_THAT(lines_, SizeIs(1000));
  Server::instance().start();
  const auto opened = system_.source->open(sink_->position);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(ErrorCode::kSystemLost, opened.error().code);
  EXPECT_THAT(to_string(opened.error()), HasSubstr("restored from an older backup"));
}

TEST_F(OtherServer, AnotherClusterWithASlotOfOurNameIsLost) {
  begin();
  shell("rm -rf data");
  Server::instance().start();
  {
    User("postgres").run("CREATE DATABASE " + database_);
    User other(database_);
    other.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
    other.run("INSERT INTO customer SELECT g, 'other', NULL FROM generate_series(1, 90000) g");
    other.run("CREATE PUBLICATION syncline_zurich_shop FOR TABLE customer");
    other.run("SELECT pg_create_logical_replication_slot('syncline_zurich_shop', 'pgoutput')");
  }
  Server::instance().stop("fast");
  const Error error = error_of_polls();
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  EXPECT_THAT(to_string(error), HasSubstr("another server"));
}

TEST(Places, KeepTheirOrderAndPlacesOfBeforeAreRead) {
  const Place commit{0x1000, 7, 1, 0x1000, {}};
  const Place passed{0x1000, 7, 1, 0x1800, {}};
  const Place part{0x1000, 7, 1, 0x1800, {0x2000, 500}};
  const Place more{0x1000, 7, 1, 0x1800, {0x2000, 900}};
  const Place next{0x2000, 7, 1, 0x2000, {}};
  EXPECT_LT(position_of(commit), position_of(passed));
  EXPECT_LT(position_of(passed), position_of(part));
  EXPECT_LT(position_of(part), position_of(more));
  EXPECT_LT(position_of(more), position_of(next));
  const auto back = place_of(position_of(more));
  EXPECT_EQ(900U, back->part.taken);
  EXPECT_EQ(0x2000U, back->part.commit_lsn);
  EXPECT_EQ(1U, back->timeline);
  EXPECT_EQ(0x1800U, back->passed);
  model::Position old = position_of(more);
  old.bytes.resize(36);
  EXPECT_EQ(900U, place_of(old)->part.taken);
  EXPECT_FALSE(place_of(old)->passed.has_value());
  EXPECT_LT(old, position_of(more)) << "an update of the program goes on behind it";
  EXPECT_LT(position_of(part), old);
  old.bytes.resize(16);
  EXPECT_EQ(0U, place_of(old)->timeline);
  EXPECT_EQ(0x1000U, place_of(old)->lsn);
  old.bytes.resize(15);
  EXPECT_FALSE(place_of(old).has_value());
}

TEST_F(Log, APlaceWithNothingButAPartIsOfItsServer) {
  start_customers();
  Shared shared;
  shared.config = config_;
  const auto looker = Connection::open(shared.access("look"), Purpose::kReplication).value();
  const Place now = identify(*looker).value();
  Place other{0, now.server + 1, now.timeline, 0, {now.lsn, 500}};
  const auto stream = Stream::open(shared.access("look"), "syncline_zurich_shop", other,
                                   Shown::kAll, system_clock());
  ASSERT_FALSE(stream.has_value());
  EXPECT_EQ(ErrorCode::kSystemLost, stream.error().code) << to_string(stream.error());
}

TEST(Places, AHistorySaysWhereTimelinesEnded) {
  const std::string history = "1\t0/3000000\tno recovery target\n\n2\t1/2A\tbefore\n";
  EXPECT_EQ(0x3000000U, end_of_timeline(history, 1));
  EXPECT_EQ(0x10000002AU, end_of_timeline(history, 2));
  EXPECT_FALSE(end_of_timeline(history, 3).has_value());
  EXPECT_FALSE(end_of_timeline("junk\n\n1", 1).has_value());
}

TEST(Spools, GiveBackWhatTheyTookWhereverItIs) {
  const auto record = [](size_t i) {
    const size_t size = i == 1500 ? size_t{3} << 20 : i % 977;  // one is larger than a window
    return std::string(size, static_cast<char>('a' + i % 26));
  };
  for (const size_t memory_max : {size_t{0}, size_t{150'000}, size_t{100} << 20}) {
    SpoolBudget budget{"", memory_max};
    size_t count = 0;
    {
      Spool spool(budget);
      for (uint64_t i = 0; i < 3000; ++i) ASSERT_TRUE(spool.add(i << 40, record(i)));
      for (size_t offset = 0; offset < spool.size(); ++count) {
        const Spool::Record back = spool.at(offset).value();
        EXPECT_EQ(uint64_t{count} << 40, back.tag);
        ASSERT_EQ(record(count), back.bytes);
        offset = back.end;
      }
    }
    EXPECT_EQ(3000U, count);
    EXPECT_EQ(0U, budget.memory_used);
    EXPECT_EQ(memory_max < 1'000'000, budget.written_bytes > 0);
  }
}

TEST(Spools, CountWhatIsAllocatedAndKeepNoneOfItForWhatIsInAFile) {
  SpoolBudget budget{"", size_t{1} << 20};
  Spool first(budget);
  ASSERT_TRUE(first.add(1, std::string(600'000, 'x')));
  EXPECT_LE(600'000U, budget.memory_used);
  ASSERT_TRUE(first.add(2, std::string(600'000, 'y')));
  EXPECT_LT(0U, budget.written_bytes);
  EXPECT_GT(100U, budget.memory_used);
  const size_t before = budget.memory_used;
  Spool second(budget);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(second.add(1, std::string(1000, 'z')));
  EXPECT_LE(second.size() + before, budget.memory_used);
  Spool moved(std::move(second));
  EXPECT_EQ(1000U, moved.at(0).value().bytes.size());
}

TEST(Spools, AFolderThatCannotBeWrittenIsSaid) {
  SpoolBudget budget{"/proc/nowhere", 0};
  Spool spool(budget);
  const auto added = spool.add(1, std::string(100'000, 'x'));
  ASSERT_FALSE(added.has_value());
  EXPECT_EQ(ErrorCode::kStorageOpen, added.error().code);
  EXPECT_THAT(to_string(added.error()), HasSubstr("/proc/nowhere"));
}

}  // namespace
}  // namespace syncline::postgres
