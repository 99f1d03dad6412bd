// Chunks that are read from a hot standby: what they show, and what comes when it does not serve.
#include <atomic>
#include <set>
#include <thread>

#include "drivers/systems/postgres/detail/catalog.hpp"
#include "drivers/systems/postgres/detail/source.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::AllOf, testing::Contains, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty,
    testing::Not, testing::SizeIs;

constexpr int kSoonMs = 700;  // what a standby has that will not come in time

void call_server(const std::string& arguments) {
  const std::string line = "tests/support/postgres_server " + arguments;
  EXPECT_EQ(0, std::system(line.c_str())) << line;
}

class Standby {
 public:
  explicit Standby(const std::string& primary) {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-pg-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    call_server("standby " + folder_ + " " + primary);
  }
  ~Standby() { call("remove"); }
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;

  const std::string& folder() const { return folder_; }
  void call(const std::string& command, const std::string& how = "") {
    call_server(command + " " + folder_ + " " + how);
  }

 private:
  std::string folder_;
};

class ReplicaReads : public PostgresTest {
 protected:
  static void SetUpTestSuite() { shared_standby() = make_standby(); }
  static void TearDownTestSuite() { shared_standby().reset(); }
  static std::unique_ptr<Standby>& shared_standby() {
    static std::unique_ptr<Standby> standby;
    return standby;
  }
  static std::unique_ptr<Standby> make_standby() {
    return std::make_unique<Standby>(Server::instance().folder());
  }

  ReplicaReads() {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
    user_.run("INSERT INTO customer SELECT n, 'n' || n FROM generate_series(1, 1000) n");
    const User admin("postgres", "postgres", folder());
    wait_for_standby(admin);
    standby_ = std::make_unique<User>(database_, "postgres", folder());
  }
  ~ReplicaReads() override {
    standby_.reset();
    system_ = {};
    resume_replay(User("postgres", "postgres", folder()));
  }
  // What is replayed then may end the very statement that resumed it.
  static void resume_replay(const User& user, const std::string& first = "") {
    EXPECT_THAT(user.error_of("SELECT " + first + "pg_wal_replay_resume()"),
                testing::AnyOf("", "40001"));
  }
  static const std::string& folder() { return shared_standby()->folder(); }
  std::string url_at(const std::string& folder) const {
    return "postgres://postgres@/" + database_ + "?host=" + folder;
  }
  std::string replica_url() const { return url_at(folder()); }
  void start_with(const std::string& replica, Limits limits = {}) {
    configure(url(), {make_schema("customer", "id:int64 name:text")}, "public.");
    config_.replica_url = replica;
    system_ = {};
    system_.source = open_source(limits);
  }
  std::shared_ptr<const Shared> shared_with(const Limits& limits) const {
    auto shared = std::make_shared<Shared>();
    shared->config = config_;
    shared->object = object_name(config_.appliance, config_.name);
    shared->limits = limits;
    return shared;
  }
  std::unique_ptr<ports::Source> open_source(const Limits& limits) {
    auto source = std::make_unique<PostgresSource>(shared_with(limits), clock_);
    expect_ok(source->open({}));
    return source;
  }
  static Limits hasty() {
    Limits limits;
    limits.replay_ms = kSoonMs;
    return limits;
  }
  static void wait_until(const User& user, const std::string& sql, const std::string& answer) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (user.ask(sql) != answer && std::chrono::steady_clock::now() < deadline) {
      user.ask("SELECT pg_sleep(0.01)");
    }
    EXPECT_EQ(answer, user.ask(sql)) << sql;
  }
  void wait_for_standby(const User& standby) {
    const std::string end = user_.ask("SELECT pg_current_wal_flush_lsn()");
    wait_until(standby, "SELECT pg_last_wal_replay_lsn() >= '" + end + "'", "t");
  }
  void pause_replay() {
    wait_for_standby(*standby_);
    standby_->ask("SELECT pg_wal_replay_pause()");
    wait_until(*standby_, "SELECT pg_get_wal_replay_pause_state()", "paused");
  }
  // One chunk; what it says of the replica is kept.
  std::vector<std::string> chunk(std::string& cursor, size_t rows = 100) {
    return chunk_of(*system_.source, cursor, rows);
  }
  std::vector<std::string> chunk_of(ports::Source& source, std::string& cursor, size_t rows = 100) {
    auto read = source.read_snapshot(schemas_[0].dataset, cursor, rows, *sink_);
    expect_ok(read);
    cursor = read ? read.value().cursor : "";
    if (read && read.value().notice) notices_.push_back(to_string(*read.value().notice));
    return sink_->take();
  }
  std::vector<std::string> all_chunks(size_t rows = 100) {
    std::vector<std::string> lines;
    std::string cursor;
    do {
      for (std::string& line : chunk(cursor, rows)) lines.push_back(std::move(line));
    } while (!cursor.empty());
    return lines;
  }
  void poll_until_told(const std::string& line) {
    std::vector<std::string> told;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (std::find(told.begin(), told.end(), line) == told.end() &&
           std::chrono::steady_clock::now() < deadline) {
      for (std::string& one : poll()) told.push_back(std::move(one));
    }
    EXPECT_THAT(told, Contains(line));
  }
  std::vector<ports::Finding> findings_of(const std::string& replica, ports::Severity severity) {
    config_.replica_url = replica;
    auto found = PostgresCatalog(shared_with(hasty())).findings().value();
    std::erase_if(found, [&](const ports::Finding& finding) {
      return finding.severity != severity || finding.what.find("replica") == std::string::npos;
    });
    return found;
  }

  std::unique_ptr<User> standby_;
  ports::StepClock clock_;
  std::vector<std::string> notices_;
};

TEST_F(ReplicaReads, ChunksComeFromTheStandby) {
  start_with(replica_url());
  std::string cursor;
  chunk(cursor);
  pause_replay();
  user_.run("UPDATE customer SET name = 'of the primary' WHERE id = 150");
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=n150"));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, WhatTheLogHasToldIsWaitedForAndShown) {
  start_with(replica_url());
  std::string cursor;
  chunk(cursor);
  pause_replay();
  user_.run("UPDATE customer SET name = 'told' WHERE id = 150");
  poll_until_told("update 150 name=told");
  std::thread resumer(
      [this] { resume_replay(User(database_, "postgres", folder()), "pg_sleep(0.5), "); });
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=told"));
  resumer.join();
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, AReadingShowsTheTableAsItIsWhenItBegins) {
  start_with(replica_url(), hasty());
  pause_replay();
  user_.run("ALTER TABLE customer ALTER name TYPE varchar(40) USING name || '!'");
  std::string cursor;
  EXPECT_THAT(chunk(cursor), Contains("snapshot 50 name=n50!"));
  EXPECT_THAT(notices_, SizeIs(1));  // it never came there
}

// A reading goes on, and its table is another: what was written before that is not to be met.
TEST_F(ReplicaReads, AChunkBehindASchemaChangeShowsTheTableAsItIsThen) {
  start_with(replica_url(), hasty());
  std::string cursor;
  chunk(cursor);
  pause_replay();
  user_.run("ALTER TABLE customer ALTER name TYPE varchar(40) USING name || '!'");
  clock_.pass_seconds(60);
  expect_ok(system_.source->poll(*sink_, 1000, 0));
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=n150!"));
}

// What a record was read as on the primary is not shown older by a chunk.
TEST_F(ReplicaReads, ARecordThatWasReadOnThePrimaryIsNotShownOlder) {
  start_with(replica_url(), hasty());
  std::string cursor;
  chunk(cursor);
  pause_replay();
  user_.run("UPDATE customer SET name = 'seen' WHERE id = 150");
  const std::string key = key_of(schemas_[0], "150");
  expect_ok(system_.source->read_records(schemas_[0].dataset, {&key, 1}, *sink_));
  EXPECT_THAT(sink_->take(), Contains("snapshot 150 name=seen"));
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=seen"));
}

// Nothing makes the primary send what an open transaction wrote last; it need not be waited for.
TEST_F(ReplicaReads, WhatAUsersOpenTransactionWroteHoldsNoChunkUp) {
  start_with(replica_url(), hasty());
  User other(database_);
  other.run("CHECKPOINT");
  wait_for_standby(*standby_);
  other.run("BEGIN");
  other.run("INSERT INTO customer VALUES (5000, 'open')");
  EXPECT_THAT(all_chunks(), SizeIs(1000));
  EXPECT_THAT(notices_, IsEmpty());
  other.run("COMMIT");
}

// The standby shows it before the primary does: were it read there, the primary would be seen older
// afterwards, as if a user had taken the change back.
TEST_F(ReplicaReads, WhatThePrimaryDoesNotShowYetIsNotShown) {
  start_with(replica_url(), hasty());
  std::string cursor;
  chunk(cursor);
  user_.run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
  user_.ask("SELECT pg_reload_conf()");
  std::thread user;
  const std::string name = "SELECT name FROM customer WHERE id = 150";
  // The server takes the setting over some time after it was asked to: until then nothing is held.
  for (int tries = 0; tries < 100; ++tries) {
    user = std::thread(
        [this] { User(database_).run("UPDATE customer SET name = 'held back' WHERE id = 150"); });
    wait_until(*standby_, name, "held back");
    if (user_.ask(name) == "n150") break;
    user.join();
    user_.run(
        "BEGIN; SET LOCAL synchronous_commit = local; UPDATE customer SET name = 'n150' "
        "WHERE id = 150; COMMIT");
    wait_until(*standby_, name, "n150");
  }
  ASSERT_TRUE(user.joinable());
  EXPECT_EQ("n150", user_.ask(name));
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=n150"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("does not show")));
  user_.run("ALTER SYSTEM RESET synchronous_standby_names");
  user_.ask("SELECT pg_reload_conf()");
  user.join();
  clock_.pass_seconds(60);
  cursor.clear();
  EXPECT_THAT(chunk(cursor, 200), Contains("snapshot 150 name=held back"));
  EXPECT_THAT(notices_, SizeIs(1));
}

TEST_F(ReplicaReads, OneThatLagsIsLeftAloneForAWhileAndSaidOnce) {
  start_with(replica_url(), hasty());
  pause_replay();
  user_.run("INSERT INTO customer VALUES (5000, 'new')");
  poll_until_told("insert 5000 name=new");
  EXPECT_THAT(all_chunks(), SizeIs(1001));
  EXPECT_THAT(all_chunks(), Contains("snapshot 5000 name=new"));
  ASSERT_THAT(notices_, SizeIs(1));
  EXPECT_THAT(notices_[0], HasSubstr("is too far behind"));
  resume_replay(*standby_);
  wait_for_standby(*standby_);
  clock_.pass_seconds(60);
  std::string cursor;
  chunk(cursor);
  pause_replay();
  user_.run("UPDATE customer SET name = 'of the primary' WHERE id = 150");
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=n150"));
}

// In the middle of a reading: what comes from the primary goes on where the standby left off, as
// the log has told it, and ends where the standby serves again.
TEST_F(ReplicaReads, AReadingGoesOnAtThePrimaryWhileTheStandbyStalls) {
  start_with(replica_url(), hasty());
  std::string cursor;
  std::vector<std::string> lines = chunk(cursor);
  const auto read = [&] {
    const std::vector<std::string> shown = chunk(cursor);
    lines.insert(lines.end(), shown.begin(), shown.end());
    return shown;
  };
  pause_replay();
  user_.run("UPDATE customer SET name = 'told' WHERE id = 150");
  user_.run("DELETE FROM customer WHERE id = 250");
  user_.run("INSERT INTO customer VALUES (5000, 'new')");
  poll_until_told("insert 5000 name=new");
  EXPECT_THAT(read(), Contains("snapshot 150 name=told"));
  ASSERT_THAT(notices_, ElementsAre(HasSubstr("is too far behind")));
  EXPECT_THAT(notices_[0], HasSubstr("read from the primary meanwhile"));
  EXPECT_THAT(read(), Not(Contains("snapshot 250 name=n250")));
  user_.run("UPDATE customer SET name = 'not told' WHERE id IN (350, 450)");
  clock_.pass_seconds(60);  // it is asked again, and stalls still
  EXPECT_THAT(read(), Contains("snapshot 350 name=not told"));
  resume_replay(*standby_);
  user_.run("UPDATE customer SET name = 'last' WHERE id = 5000");
  wait_until(user_,
             "SELECT bool_and(replay_lsn >= pg_current_wal_flush_lsn()) FROM pg_stat_replication "
             "WHERE application_name <> 'syncline_zurich_shop/source'",
             "t");
  pause_replay();
  user_.run("UPDATE customer SET name = 'of the primary' WHERE id = 450");
  clock_.pass_seconds(60);
  EXPECT_THAT(read(), Contains("snapshot 450 name=not told"));
  while (!cursor.empty()) read();
  EXPECT_THAT(lines, AllOf(SizeIs(1000), Contains("snapshot 5000 name=last")));
  std::set<std::string> keys;
  for (const std::string& line : lines) keys.insert(line.substr(0, line.find(" name=")));
  EXPECT_THAT(keys, SizeIs(1000));
  EXPECT_THAT(notices_, SizeIs(1));
}

TEST_F(ReplicaReads, OneThatHoldsEveryChunkUpIsSaidOnce) {
  start_with(replica_url());
  for (size_t turn = 0; turn < 4; ++turn) {
    pause_replay();
    user_.run("UPDATE customer SET name = 'turn' WHERE id = 7");
    std::thread resumer(
        [this] { resume_replay(User(database_, "postgres", folder()), "pg_sleep(4), "); });
    std::string cursor;
    EXPECT_THAT(chunk(cursor), Contains("snapshot 7 name=turn"));
    resumer.join();
    EXPECT_THAT(notices_, SizeIs(turn < 2 ? 0 : 1));
  }
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("holds every chunk up")));
}

TEST_F(ReplicaReads, OneThatGoesAwayCostsNoRowAndDoublesNone) {
  start_with(replica_url());
  std::string cursor;
  std::vector<std::string> lines = chunk(cursor);
  shared_standby()->call("stop", "immediate");
  while (!cursor.empty()) {
    for (std::string& line : chunk(cursor)) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, SizeIs(1000));
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines.end(), std::adjacent_find(lines.begin(), lines.end()));
  EXPECT_THAT(notices_, SizeIs(1));
  shared_standby()->call("start");
}

// A standby that becomes a primary has a history of its own, and so has what follows it.
TEST_F(ReplicaReads, OneThatWasPromotedOrFollowsAnotherIsNotReadAnyMore) {
  start_with(replica_url());
  Standby follower(folder());
  standby_ = std::make_unique<User>(database_, "postgres", folder());
  config_.name = "other";
  config_.replica_url = url_at(follower.folder());
  const auto other = open_source({});
  std::string cursor;
  std::string other_cursor;
  chunk(cursor);
  chunk_of(*other, other_cursor);
  EXPECT_THAT(notices_, IsEmpty());
  shared_standby()->call("promote");
  standby_->run("UPDATE customer SET name = 'of another' WHERE id = 150");
  const User behind(database_, "postgres", follower.folder());
  wait_until(behind, "SELECT name FROM customer WHERE id = 150", "of another");
  EXPECT_THAT(chunk(cursor), Contains("snapshot 150 name=n150"));
  EXPECT_THAT(chunk_of(*other, other_cursor), Contains("snapshot 150 name=n150"));
  ASSERT_THAT(notices_, SizeIs(2));
  EXPECT_THAT(notices_[0], HasSubstr("it was promoted"));
  EXPECT_THAT(notices_[1], HasSubstr("timeline"));
  clock_.pass_seconds(60);
  EXPECT_THAT(chunk(cursor), Contains("snapshot 250 name=n250"));
  EXPECT_THAT(chunk_of(*other, other_cursor), Contains("snapshot 250 name=n250"));
  standby_.reset();
  shared_standby() = make_standby();
}

// A read takes longer than the standby lets replay wait, and replay takes rows from under it.
TEST_F(ReplicaReads, WhatReplayCancelsIsReadAgain) {
  constexpr size_t kRows = 60'000;
  user_.run("INSERT INTO customer SELECT n, repeat('x', 200) FROM generate_series(1001, 60000) n");
  start_with(replica_url());
  wait_for_standby(*standby_);
  standby_->ask("SELECT pg_stat_reset()");
  std::atomic<bool> is_over = false;
  std::thread vacuum([&] {
    const User other(database_);
    for (int id = 1; !is_over; id = id % 1000 + 1) {
      other.run("UPDATE customer SET name = 'n' WHERE id = " + std::to_string(id));
      other.run("VACUUM (INDEX_CLEANUP off, TRUNCATE off) customer");
      other.ask("SELECT pg_sleep(0.05)");
    }
  });
  const auto conflicts = [this] {
    return User(database_, "postgres", folder())
        .ask(
            "SELECT confl_snapshot FROM pg_stat_database_conflicts WHERE datname = "
            "current_database()");
  };
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  bool is_read_again = false;
  while (!is_read_again && std::chrono::steady_clock::now() < deadline) {
    const std::string before = conflicts();
    notices_.clear();
    EXPECT_THAT(all_chunks(kRows), SizeIs(kRows));
    is_read_again = notices_.empty() && conflicts() != before;
    clock_.pass_seconds(60);
  }
  is_over = true;
  vacuum.join();
  EXPECT_TRUE(is_read_again);
}

TEST_F(ReplicaReads, DoctorSaysWhatIsWrongWithOne) {
  start_with("");
  using ports::Severity;
  EXPECT_THAT(findings_of(replica_url(), Severity::kNote), SizeIs(1));
  EXPECT_THAT(findings_of(replica_url(), Severity::kStops), IsEmpty());
  auto found = findings_of(url(), Severity::kStops);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("not in recovery"));
  found = findings_of("postgres://postgres@/postgres?host=" + folder(), Severity::kStops);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("another database"));
  pause_replay();
  user_.run("INSERT INTO customer VALUES (5000, 'new')");
  found = findings_of(replica_url(), Severity::kWarning);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("too far behind"));
  shared_standby()->call("stop", "immediate");
  EXPECT_THAT(findings_of(replica_url(), Severity::kWarning), SizeIs(1));
  shared_standby()->call("start");
  const std::string other = folder() + "-other";
  std::filesystem::create_directory(other);
  call_server("start " + other);
  found = findings_of("postgres://postgres@/postgres?host=" + other, Severity::kStops);
  call_server("remove " + other);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("another cluster"));
}

TEST_F(ReplicaReads, WithoutTheLogThereIsNone) {
  configure(url(), {make_schema("customer", "id:int64 name:text")}, "public.");
  config_.replica_url = replica_url();
  config_.datasets[0].capture = ports::Capture::kScan;
  EXPECT_EQ(ErrorCode::kConfigValue, make_postgres(config_, clock_).error().code);
}

}  // namespace
}  // namespace syncline::postgres
