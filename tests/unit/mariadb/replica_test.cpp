// Chunks that are read from a replica: what they show, and what comes when it does not serve.
#include <atomic>

#include "tests/unit/mariadb/replica_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::Contains, testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not,
    testing::SizeIs;

class ReplicaReads : public ReplicaTest {};

TEST_F(ReplicaReads, ChunksComeFromTheReplica) {
  mark_replica();
  start_with(replica_url());
  EXPECT_THAT(all_chunks(), Contains(kOfReplica));
  user_.run("FLUSH BINARY LOGS");
  EXPECT_THAT(first_chunk(), Contains(kOfReplica));
  user_.run("UPDATE customer SET name = 'new' WHERE id = 7");
  EXPECT_THAT(first_chunk(), testing::AllOf(Contains(kOfReplica), Contains("snapshot 7 name=new")));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, WhatTheLogHasToldIsWaitedForAndShown) {
  mark_replica();
  start_with(replica_url());
  first_chunk();
  auto holder = hold_replica();
  user_.run("UPDATE customer SET name = 'told' WHERE id = 150");
  poll_until_told("update 150 name=told");
  std::thread releaser([&] { holder->run("DO SLEEP(0.5)", "ROLLBACK"); });
  EXPECT_THAT(first_chunk(),
              testing::AllOf(Contains(kOfReplica), Contains("snapshot 150 name=told")));
  releaser.join();
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, TablesInOtherCharacterSetsComeFromTheReplicaToo) {
  user_.run("ALTER TABLE customer MODIFY name varchar(200) CHARACTER SET cp1250",
            "INSERT INTO customer VALUES (2000, 'é'), (2001, _cp1250 x'81')");
  replica().wait_for(primary());
  mark_replica();
  start_with(replica_url());
  const auto lines = all_chunks();
  EXPECT_THAT(lines, Contains(kOfReplica));
  EXPECT_THAT(lines, Contains("snapshot 2000 name=é"));
  EXPECT_THAT(lines, SizeIs(1002));
}

// It was not told yet, but was seen: a chunk does not show it older.
TEST_F(ReplicaReads, ARecordThatWasReadOnThePrimaryIsNotShownOlder) {
  start_with(replica_url(), hasty());
  first_chunk();
  const auto holder = hold_replica();
  user_.run("UPDATE customer SET name = 'seen' WHERE id = 150");
  const std::string key = key_of(schemas_[0], "150");
  expect_ok(system_.source->read_records(schemas_[0].dataset, {&key, 1}, *sink_));
  EXPECT_THAT(sink_->take(), Contains("snapshot 150 name=seen"));
  EXPECT_THAT(first_chunk(), Contains("snapshot 150 name=seen"));
}

// The replica has it already: were it read there, the primary would be seen older afterwards, as if
// a user had taken the change back.
TEST_F(ReplicaReads, WhatThePrimaryDoesNotShowYetIsNotShown) {
  start_with(replica_url(), hasty());
  first_chunk();
  user_.run("SET GLOBAL rpl_semi_sync_master_wait_point = 'AFTER_SYNC'",
            "SET GLOBAL rpl_semi_sync_master_timeout = 60000",
            "SET GLOBAL rpl_semi_sync_master_enabled = 1");
  std::thread writer(
      [this] { primary_user().run("UPDATE customer SET name = 'held back' WHERE id = 150"); });
  const std::string ask = "SELECT name FROM customer WHERE id = 150";
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  while (replica_user().ask(ask) != "held back" && std::chrono::steady_clock::now() < deadline) {
    user_.ask("SELECT SLEEP(0.01)");
  }
  EXPECT_EQ("held back", replica_user().ask(ask));
  EXPECT_EQ("n150", user_.ask(ask));
  EXPECT_THAT(first_chunk(), Contains("snapshot 150 name=n150"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("does not show yet")));
  user_.run("SET GLOBAL rpl_semi_sync_master_enabled = 0");
  writer.join();
  mark_replica();
  clock_.pass_seconds(60);
  EXPECT_THAT(first_chunk(),
              testing::AllOf(Contains(kOfReplica), Contains("snapshot 150 name=held back")));
  EXPECT_THAT(notices_, SizeIs(1));
}

// Users write in two domains, some of it prepared, and the replica applies on several threads. A
// row of a chunk is never older than the primary was before, and never newer than it is afterwards.
TEST_F(ReplicaReads, UnderWritersAChunkLiesBetweenWhatThePrimaryShows) {
  user_.run("UPDATE customer SET name = '0'");
  replica().user().run("STOP SLAVE", "SET GLOBAL slave_parallel_threads = 6",
                       "SET GLOBAL slave_domain_parallel_threads = 3",
                       "SET GLOBAL slave_parallel_mode = 'optimistic'", "START SLAVE");
  start_with(replica_url());
  std::atomic<bool> is_over = false;
  const auto write = [&](int domain) {
    User writer(database_, primary().socket());
    writer.run("SET gtid_domain_id = " + std::to_string(domain));
    for (int turn = 0; !is_over; ++turn) {
      const std::string id = std::to_string(2 * (turn * 7 % 500) + domain);
      const std::string xid = "'x" + id + "'";
      const bool is_prepared = turn % 5 == 0;
      writer.run(is_prepared ? "XA START " + xid : "BEGIN",
                 "UPDATE customer SET name = name + 1 WHERE id = " + id);
      if (is_prepared) writer.run("XA END " + xid, "XA PREPARE " + xid);
      writer.run(is_prepared ? "XA COMMIT " + xid : "COMMIT");
    }
  };
  std::thread one(write, 1);
  std::thread two(write, 2);
  const auto total = [](const User& user_at) {
    return std::stoll(
        const_cast<User&>(user_at).ask("SELECT CAST(sum(CAST(name AS INT)) AS INT) FROM customer"));
  };
  mark_replica();
  replica_user().run("SET sql_log_bin = 0", "UPDATE customer SET name = '0' WHERE id = 0");
  for (int look = 0; look < 60; ++look) {
    const auto before = total(user_);
    int64_t seen = 0;
    const auto lines = first_chunk(2000);
    const auto after = total(user_);
    EXPECT_THAT(lines, SizeIs(1001)) << "not read from the replica";
    for (const std::string& line : lines) seen += std::stoll(line.substr(line.find('=') + 1));
    EXPECT_LE(before, seen);
    EXPECT_LE(seen, after);
  }
  is_over = true;
  one.join();
  two.join();
  EXPECT_LT(200, total(user_));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, ATableThatWasJustChangedIsReadFromThePrimaryUntilThatIsTold) {
  mark_replica();
  start_with(replica_url());
  first_chunk();
  user_.run("ALTER TABLE customer MODIFY name varchar(300)");
  replica().wait_for(primary());
  EXPECT_THAT(first_chunk(), Not(Contains(kOfReplica)));
  poll_until([this] { return !rescans_.empty(); });
  EXPECT_THAT(first_chunk(), Contains(kOfReplica));
  EXPECT_THAT(notices_, IsEmpty());
}

TEST_F(ReplicaReads, ATableThatIsAnotherThereIsNotRead) {
  start_with(replica_url());
  first_chunk();
  replica_user().run("SET sql_log_bin = 0",
                     "ALTER TABLE customer MODIFY name varchar(200) COLLATE utf8mb4_general_ci");
  EXPECT_THAT(first_chunk(), SizeIs(1000));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("its table customer is another")));
  expect_stops(replica_url(), "its table customer is another");
}

TEST_F(ReplicaReads, OneThatLagsIsLeftAloneForAWhileAndSaidOnce) {
  mark_replica();
  start_with(replica_url(), hasty());
  first_chunk();
  auto holder = hold_replica();
  user_.run("INSERT INTO customer VALUES (5000, 'new')");
  poll_until_told("insert 5000 name=new");
  EXPECT_THAT(all_chunks(), SizeIs(1001));
  EXPECT_THAT(all_chunks(), Contains("snapshot 5000 name=new"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("is too far behind")));
  EXPECT_THAT(findings_of(replica_url(), ports::Severity::kWarning), SizeIs(1));
  holder->run("ROLLBACK");
  replica().wait_for(primary());
  clock_.pass_seconds(60);
  EXPECT_THAT(first_chunk(), Contains(kOfReplica));
  EXPECT_THAT(notices_, SizeIs(1));
}

TEST_F(ReplicaReads, OneThatHoldsEveryChunkUpIsSaidOnce) {
  mark_replica();
  start_with(replica_url());
  for (int turn = 0; turn < 4; ++turn) {
    auto holder = hold_replica();
    user_.run("UPDATE customer SET name = concat(name, '+') WHERE id = 7");
    std::thread releaser([&] { holder->run("DO SLEEP(4)", "ROLLBACK"); });
    EXPECT_THAT(first_chunk(), Contains(kOfReplica));
    releaser.join();
    EXPECT_THAT(notices_, SizeIs(turn < 2 ? 0 : 1));
  }
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("holds every chunk up")));
}

TEST_F(ReplicaReads, OneThatGoesAwayCostsNoRowAndDoublesNone) {
  start_with(replica_url());
  std::string cursor;
  std::vector<std::string> lines = chunk(cursor);
  replica().kill();
  while (!cursor.empty()) {
    for (std::string& line : chunk(cursor)) lines.push_back(std::move(line));
  }
  EXPECT_THAT(lines, SizeIs(1000));
  std::sort(lines.begin(), lines.end());
  EXPECT_EQ(lines.end(), std::adjacent_find(lines.begin(), lines.end()));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("the replica does not serve")));
  EXPECT_THAT(findings_of(replica_url(), ports::Severity::kWarning), SizeIs(1));
  replica().start();
}

TEST_F(ReplicaReads, OneThatStandsStillIsNotRead) {
  mark_replica();
  start_with(replica_url());
  first_chunk();
  replica().user().run("STOP SLAVE SQL_THREAD");
  EXPECT_THAT(first_chunk(), Not(Contains(kOfReplica)));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("it applies nothing")));
  replica().user().run("STOP SLAVE IO_THREAD", "START SLAVE SQL_THREAD");
  const auto found = findings_of(replica_url(), ports::Severity::kWarning);
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("it receives nothing"));
  replica().user().run("START SLAVE");
}

TEST_F(ReplicaReads, OneThatWasPromotedIsNotReadAndNotAgainOnceItWasWritten) {
  mark_replica();
  start_with(replica_url());
  first_chunk();
  replica().user().run("STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0");
  replica_user().run("UPDATE customer SET name = 'of another' WHERE id = 150");
  EXPECT_THAT(first_chunk(), Contains("snapshot 150 name=n150"));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("it was promoted")));
  replica().user().run("SET GLOBAL read_only = 1");
  replica().follow(primary());
  replica().wait_for(primary());
  clock_.pass_seconds(60);
  EXPECT_THAT(first_chunk(), Contains("snapshot 150 name=n150"));
  expect_stops(replica_url(), "somebody has written to it");
  make_replica();
}

TEST_F(ReplicaReads, OneOfAnotherDatabaseIsKnownByWhatWasWrittenToThePrimary) {
  mark_replica();
  start_with(replica_url());
  first_chunk();
  replica_user().run("SET sql_log_bin = 0", "UPDATE syncline_checkpoint SET seq = seq + 1");
  EXPECT_THAT(first_chunk(), Not(Contains(kOfReplica)));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("it is no copy of this database")));
}

TEST_F(ReplicaReads, TheMarkIsNoMarkerAndGoesWithDetach) {
  start_with(replica_url());
  first_chunk();
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM syncline_checkpoint"));
  EXPECT_THAT(poll(), IsEmpty());
  expect_ok(MariadbCatalog(shared_of(config_, {})).detach());
  EXPECT_EQ("", user_.ask("SHOW TABLES LIKE 'syncline%'"));
}

TEST_F(ReplicaReads, DoctorSaysWhatIsWrongWithOne) {
  start_with("");
  EXPECT_THAT(findings_of(replica_url(), ports::Severity::kNote), SizeIs(1));
  EXPECT_THAT(findings_of(replica_url(), ports::Severity::kStops), IsEmpty());
  expect_stops(primary().url(database_), "replicates from no server");
  User admin = replica().user();
  admin.run("SET GLOBAL read_only = 0");
  expect_stops(replica_url(), "read_only is 0");
  admin.run("SET GLOBAL read_only = 1", "SET GLOBAL slave_exec_mode = 'IDEMPOTENT'");
  expect_stops(replica_url(), "slave_exec_mode is IDEMPOTENT");
  admin.run("SET GLOBAL slave_exec_mode = 'STRICT'", "STOP SLAVE",
            "SET GLOBAL replicate_wild_ignore_table = 'other.%'", "START SLAVE");
  expect_stops(replica_url(), "Replicate_Wild_Ignore_Table is other.%");
  admin.run("STOP SLAVE", "SET GLOBAL replicate_wild_ignore_table = ''",
            "CHANGE MASTER TO MASTER_DELAY = 3", "START SLAVE");
  expect_stops(replica_url(), "3 s behind on purpose");
  admin.run("STOP SLAVE", "CHANGE MASTER TO MASTER_DELAY = 0, MASTER_USE_GTID = no", "START SLAVE");
  expect_stops(replica_url(), "without GTIDs");
  admin.run("STOP SLAVE", "CHANGE MASTER TO MASTER_USE_GTID = slave_pos", "START SLAVE");
  replica().wait_for(primary());
  EXPECT_THAT(findings_of(replica_url(), ports::Severity::kNote), SizeIs(1));
}

TEST_F(ReplicaReads, OneThatReplicatesFromAnotherServerIsRefused) {
  start_with("");
  Node other(23, kReplicaOptions);
  other.start();
  other.user().run("RESET MASTER");
  other.follow(replica());
  other.wait_for(primary());
  expect_stops(other.url(database_), "it replicates from server number 22");
  start_with(other.url(database_));
  EXPECT_THAT(first_chunk(), SizeIs(1000));
  EXPECT_THAT(notices_, ElementsAre(HasSubstr("server number 22, and `url` leads to 21")));
}

TEST_F(ReplicaReads, TheRightsThatItNeedsAreNamed) {
  start_with("");
  user_.run("CREATE USER reader@localhost", "GRANT REPLICATION SLAVE ON *.* TO reader@localhost",
            "GRANT ALL PRIVILEGES ON " + database_ + ".* TO reader@localhost");
  replica().wait_for(primary());
  config_.url = primary().url(database_, "reader");
  const std::string copy = replica().url(database_, "reader");
  for (const std::string right : {"SLAVE MONITOR", "BINLOG MONITOR"}) {
    const auto found = findings_of(copy, ports::Severity::kStops);
    ASSERT_THAT(found, SizeIs(1));
    EXPECT_THAT(found[0].fix, HasSubstr("GRANT " + right + " ON *.* TO 'reader'@'localhost';"));
    user_.run("GRANT " + right + " ON *.* TO reader@localhost");
    replica().wait_for(primary());
  }
  EXPECT_THAT(findings_of(copy, ports::Severity::kStops), IsEmpty());
  system_ = {};
  system_.source = std::make_unique<MariadbSource>(shared_of(config_, {}), clock_);
  expect_ok(system_.source->open({}));
  mark_replica();
  EXPECT_THAT(first_chunk(), Contains(kOfReplica));
  user_.run("DROP USER reader@localhost");
}

TEST_F(ReplicaReads, WithoutTheLogThereIsNone) {
  configure(primary().url(database_), {make_schema("customer", "id:int64 name:text")}, "");
  config_.replica_url = replica_url();
  config_.datasets[0].capture = ports::Capture::kScan;
  EXPECT_EQ(ErrorCode::kConfigValue, make_mariadb(config_, clock_).error().code);
}

}  // namespace
}  // namespace syncline::mariadb
