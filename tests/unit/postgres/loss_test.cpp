// What is lost, and what is not: broken connections, stopped servers, changed tables.
#include "drivers/systems/postgres/detail/place.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not, testing::SizeIs;

class Loss : public PostgresTest {
 protected:
  // Polls through errors, as a capture does, until that many lines are there.
  std::vector<std::string> take_through_errors(size_t count) {
    std::vector<std::string> lines;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (lines.size() < count && std::chrono::steady_clock::now() < deadline) {
      if (!errors_.empty() && errors_.back().code == ErrorCode::kSystemLost) break;
      auto polled = system_.source->poll(*sink_, 1000, kPollMs);
      if (!polled) {
        errors_.push_back(polled.error());
        sink_ =
            std::make_unique<ports::Notebook>(std::vector<const model::Schema*>{schemas_.data()});
        continue;
      }
      for (std::string& line : sink_->take()) lines.push_back(std::move(line));
    }
    return lines;
  }
  Error open_error(const model::Position& position) {
    system_ = make_postgres(config_, system_clock()).value();
    const auto opened = system_.source->open(position);
    EXPECT_FALSE(opened.has_value());
    return opened ? Error{} : opened.error();
  }

  // Returns the place up to which it had read.
  model::Position read_and_stop() {
    start_customers();
    user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
    take(1);
    const model::Position position = sink_->position;
    EXPECT_TRUE(system_.source->acknowledge(position).has_value());
    stop();
    return position;
  }
  void stop() {
    system_ = {};
    const std::string slot = "SELECT count(*) FROM pg_replication_slots WHERE active";
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (user_.ask(slot) != "0" && std::chrono::steady_clock::now() < deadline) {
    }
  }

  std::vector<Error> errors_;
};

TEST_F(Loss, ASlotThatIsMadeAnewWhileNobodyLooksIsNotOurs) {
  const model::Position position = read_and_stop();
  user_.run("SELECT pg_drop_replication_slot('syncline_zurich_shop')");
  user_.run("INSERT INTO customer VALUES (2, 'lost', NULL)");
  user_.run("SELECT pg_create_logical_replication_slot('syncline_zurich_shop', 'pgoutput')");
  const Error error = open_error(position);
  EXPECT_EQ(ErrorCode::kSystemLost, error.code);
  EXPECT_THAT(to_string(error), HasSubstr("it was made anew, or somebody else read from it"));
}

TEST_F(Loss, ASlotThatSomebodyElseReadFromHasLostWhatTheyRead) {
  const model::Position position = read_and_stop();
  user_.run("INSERT INTO customer VALUES (2, 'lost', NULL)");
  user_.run(
      "SELECT pg_logical_slot_get_binary_changes('syncline_zurich_shop', NULL, NULL, "
      "'proto_version', '1', 'publication_names', 'syncline_zurich_shop')");
  EXPECT_EQ(ErrorCode::kSystemLost, open_error(position).code);
}

// What the server let go of a quiet database's log is known to be none of ours.
TEST_F(Loss, ASlotThatWeMovedOnWhileNothingHappenedIsOurs) {
  read_and_stop();
  connect();
  user_.run("CREATE TABLE other AS SELECT g FROM generate_series(1, 1000) g");
  const std::string before = user_.ask("SELECT confirmed_flush_lsn FROM pg_replication_slots");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (user_.ask("SELECT confirmed_flush_lsn FROM pg_replication_slots") == before &&
         std::chrono::steady_clock::now() < deadline) {
    poll();
    ASSERT_TRUE(system_.source->acknowledge(sink_->position).has_value());
  }
  const model::Position position = sink_->position;
  stop();
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  connect(position);
  EXPECT_THAT(take_through_errors(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  EXPECT_THAT(errors_, IsEmpty());
}

// What is given behind the place where a first sync began comes behind it in the journal, too.
TEST_F(Loss, PlacesBehindTheBeginOfAReadingComeInOrder) {
  start_customers();
  const model::Position begun = system_.source->current_position().value();
  user_.run("CREATE TABLE other AS SELECT g FROM generate_series(1, 1000) g");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  // Transactions from before it may come first.
  while (sink_->position <= begun && std::chrono::steady_clock::now() < deadline) poll();
  EXPECT_LT(begun, sink_->position);
}

// A standby that is promoted where the log stood then, in a quiet database, lacks no commit.
TEST_F(Loss, WhereAReadingBeganIsNoCommit) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  const auto begun = place_of(system_.source->current_position().value());
  const Lsn end = parse_lsn(user_.ask("SELECT pg_current_wal_flush_lsn()")).value();
  EXPECT_LT(begun->reach(), end);
  EXPECT_GE(begun->flushed(), end);
}

TEST_F(Loss, ASlotThatIsDroppedIsNeverASilentGap) {
  const model::Position position = read_and_stop();
  user_.run("SELECT pg_drop_replication_slot('syncline_zurich_shop')");
  const Error error = open_error(position);
  EXPECT_EQ(ErrorCode::kSystemLost, error.code);
  EXPECT_THAT(to_string(error), HasSubstr("slot syncline_zurich_shop is gone"));
  EXPECT_THAT(error.fix, HasSubstr("syncline resync --system shop"));
}

TEST_F(Loss, ASlotThatIsDroppedWhileReadingIsLost) {
  start_customers();
  poll();
  user_.run("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots");
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (user_.error_of("SELECT pg_drop_replication_slot('syncline_zurich_shop')") != "" &&
         std::chrono::steady_clock::now() < deadline) {
  }
  take_through_errors(1);
  ASSERT_THAT(errors_, Not(IsEmpty()));
  EXPECT_EQ(ErrorCode::kSystemLost, errors_.back().code) << to_string(errors_.back());
}

TEST_F(Loss, APublicationThatIsDroppedIsLostAndAFreshStartMendsIt) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  const model::Position position = sink_->position;
  user_.run("DROP PUBLICATION syncline_zurich_shop");
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  take_through_errors(1);
  ASSERT_THAT(errors_, Not(IsEmpty()));
  EXPECT_EQ(ErrorCode::kSystemLost, errors_.back().code) << to_string(errors_.back());
  EXPECT_EQ(ErrorCode::kSystemLost, open_error(position).code);
  EXPECT_EQ(ErrorCode::kSystemLost, open_error(position).code);
  errors_.clear();
  connect();
  user_.run("INSERT INTO customer VALUES (3, 'Cy', NULL)");
  EXPECT_THAT(take_through_errors(1), ElementsAre("insert 3 name=Cy mail=NULL"));
}

TEST_F(Loss, AnotherServersPositionIsRefused) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  model::Position other = sink_->position;
  other.bytes[15] = static_cast<char>(other.bytes[15] ^ 1);
  EXPECT_THAT(to_string(open_error(other)), HasSubstr("another server"));
  model::Position ahead = sink_->position;
  ahead.bytes[1] = 'x';
  EXPECT_THAT(to_string(open_error(ahead)), HasSubstr("restored from an older backup"));
}

TEST_F(Loss, AServerThatStopsAtOnceIsReadOnFromWhereItWas) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  Server::instance().stop("immediate");
  EXPECT_FALSE(system_.source->poll(*sink_, 1000, 0).has_value());
  EXPECT_FALSE(system_.source->poll(*sink_, 1000, 0).has_value());
  Server::instance().start();
  User(database_).run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take_through_errors(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  EXPECT_FALSE(try_apply({"put 3 name=Cy mail=NULL"}).has_value());
  ASSERT_TRUE(system_.target->probe(kEpoch).has_value());
  apply({"put 3 name=Cy mail=NULL"});
}

TEST_F(Loss, ADroppedColumnStopsItsDatasetAloneAndAScanFollows) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE TABLE product(id bigint PRIMARY KEY, name text)");
  start({make_schema("customer", "id:int64 name:text"),
         make_schema("product", "id:int64 name:text")});
  user_.run("ALTER TABLE customer RENAME name TO called");
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");
  user_.run("INSERT INTO product VALUES (1, 'tea')");
  EXPECT_THAT(take(1), ElementsAre("insert 1 name=tea"));
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_THAT(to_string(stopped_[0].error), HasSubstr("has no column name"));
  user_.run("ALTER TABLE customer RENAME called TO name");
  poll_until([&] { return !rescans_.empty(); });
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann"));
}

TEST_F(Loss, ARetypedColumnIsScannedThoughItsRowsAreInNoLog) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, points int)");
  start({make_schema("customer", "id:int64 points:int64")});
  user_.run("INSERT INTO customer VALUES (1, 5)");
  take(1);
  user_.run("ALTER TABLE customer ALTER points TYPE bigint USING points * 2");
  user_.run("INSERT INTO customer VALUES (2, 7)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 points=7"));
  EXPECT_THAT(rescans_, ElementsAre(schemas_[0].dataset));
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 points=10", "snapshot 2 points=7"));
}

TEST_F(Loss, AnAddedColumnThatIsNotMappedIsNothing) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  take(1);
  user_.run("ALTER TABLE customer ADD more text DEFAULT 'x'");
  user_.run("INSERT INTO customer VALUES (2, 'Bob', NULL)");
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=Bob mail=NULL"));
  EXPECT_THAT(rescans_, IsEmpty());
}

TEST_F(Loss, AWrongPasswordIsSaidAndNeverShown) {
  user_.run("DROP ROLE IF EXISTS keeper");
  user_.run("CREATE ROLE keeper LOGIN REPLICATION PASSWORD 'right'");
  config_.appliance = "zurich";
  config_.name = "shop";
  config_.url = url("keeper");
  config_.password = "hush-hush";
  system_ = make_postgres(config_, system_clock()).value();
  const auto tables = system_.catalog->tables();
  ASSERT_FALSE(tables.has_value());
  EXPECT_EQ(ErrorCode::kSystemOpen, tables.error().code);
  EXPECT_THAT(to_string(tables.error()), HasSubstr("password authentication failed"));
  EXPECT_THAT(to_string(tables.error()), Not(HasSubstr("hush")));
  config_.password = "right";
  system_ = make_postgres(config_, system_clock()).value();
  expect_ok(system_.catalog->tables());
  system_ = {};
  user_.run("DROP ROLE keeper");
}

TEST_F(Loss, LookingLeavesNothingBehind) {
  start_customers();
  system_.catalog->detach().value();
  system_ = make_postgres(config_, system_clock()).value();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', NULL)");
  EXPECT_THAT(snapshot(), ElementsAre("snapshot 1 name=Ann mail=NULL"));
  EXPECT_EQ("0|0", user_.ask("SELECT (SELECT count(*) FROM pg_publication), (SELECT count(*) FROM "
                             "pg_namespace WHERE nspname = 'syncline')"));
}

}  // namespace
}  // namespace syncline::postgres
