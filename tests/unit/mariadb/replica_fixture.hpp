// A primary and a replica of it for all tests of a suite, and on them a database for each test.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "drivers/systems/mariadb/detail/catalog.hpp"
#include "drivers/systems/mariadb/detail/source.hpp"
#include "tests/unit/mariadb/node.hpp"

namespace syncline::mariadb {

constexpr int kSoonMs = 700;  // what a replica has that will not come in time
// One that is made anew has the log of all tests before to apply.
constexpr const char* kReplicaOptions =
    "--read-only --sync-binlog=0 --innodb-flush-log-at-trx-commit=0";

class ReplicaTest : public ports::SystemTest {
 protected:
  static constexpr int kPollMs = 100;
  static constexpr int kPrimaryNumber = 21;

  static void SetUpTestSuite() {
    nodes() = std::make_unique<Nodes>();
    nodes()->primary.start();
    nodes()->primary.let_copy();
    make_replica();
  }
  static void TearDownTestSuite() { nodes().reset(); }
  static const Node& primary() { return nodes()->primary; }
  static Node& replica() { return *nodes()->replica; }
  static void make_replica() {
    nodes()->replica.reset();
    nodes()->replica =
        std::make_unique<Node>(22, std::string(kReplicaOptions) + " --log-slave-updates");
    replica().start();
    replica().user().run("RESET MASTER");
    replica().follow(primary());
  }

  ReplicaTest()
      : SystemTest(make_mariadb, kPollMs), database_(make_database()), user_(primary_user()) {
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(200))",
              "INSERT INTO customer SELECT seq, concat('n', seq) FROM seq_1_to_1000");
    replica().wait_for(primary());
  }
  ~ReplicaTest() override {
    system_ = {};
    primary().user().run("DROP DATABASE " + database_);
  }

  static std::string make_database() {
    static int count = 0;
    const std::string name = "r" + std::to_string(++count);
    primary().user().run("CREATE DATABASE " + name + " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin");
    return name;
  }
  User primary_user() const { return primary().user(database_); }
  User replica_user() const { return replica().user(database_); }
  std::string replica_url() const { return replica().url(database_); }

  static Limits hasty() {
    Limits limits;
    limits.replica_ms = kSoonMs;
    return limits;
  }
  void start_with(const std::string& replica_url, Limits limits = {}) {
    configure(primary().url(database_), {make_schema("customer", "id:int64 name:text")}, "");
    config_.replica_url = replica_url;
    system_ = {};
    system_.source = std::make_unique<MariadbSource>(shared_of(config_, limits), clock_);
    expect_ok(system_.source->open({}));
  }
  // One chunk; what it says of the replica is kept.
  std::vector<std::string> chunk(std::string& cursor, size_t rows = 100) {
    auto read = system_.source->read_snapshot(schemas_[0].dataset, cursor, rows, *sink_);
    expect_ok(read);
    cursor = read ? read.value().cursor : "";
    if (read && read.value().notice) notices_.push_back(to_string(*read.value().notice));
    return sink_->take();
  }
  std::vector<std::string> first_chunk(size_t rows = 1000) {
    std::string cursor;
    return chunk(cursor, rows);
  }
  std::vector<std::string> all_chunks() {
    std::vector<std::string> lines;
    std::string cursor;
    do {
      for (std::string& line : chunk(cursor)) lines.push_back(std::move(line));
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
    EXPECT_THAT(told, testing::Contains(line));
  }
  // A row that nobody else has: by it a test sees where a chunk was read.
  void mark_replica() const {
    replica_user().run("SET sql_log_bin = 0", "REPLACE INTO customer VALUES (0, 'of the replica')");
  }
  static constexpr const char* kOfReplica = "snapshot 0 name=of the replica";
  // Nothing of the table is applied there while it lives.
  std::unique_ptr<User> hold_replica() const {
    replica().wait_for(primary());
    auto holder = std::make_unique<User>(database_, replica().socket());
    holder->run("BEGIN", "SELECT * FROM customer FOR UPDATE");
    return holder;
  }
  std::vector<ports::Finding> findings_of(const std::string& url, ports::Severity severity) {
    config_.replica_url = url;
    auto found = MariadbCatalog(shared_of(config_, hasty())).findings().value();
    std::erase_if(found, [&](const ports::Finding& finding) {
      return finding.severity != severity || finding.what.find("replica") == std::string::npos;
    });
    return found;
  }
  void expect_stops(const std::string& url, const std::string& words) {
    const auto found = findings_of(url, ports::Severity::kStops);
    ASSERT_EQ(1U, found.size()) << words;
    EXPECT_THAT(found[0].what, testing::HasSubstr(words));
  }

  std::string database_;
  User user_;
  ports::StepClock clock_;
  std::vector<std::string> notices_;

 private:
  struct Nodes {
    Node primary{kPrimaryNumber, ""};
    std::unique_ptr<Node> replica;
  };
  static std::unique_ptr<Nodes>& nodes() {
    static std::unique_ptr<Nodes> nodes;
    return nodes;
  }
};

}  // namespace syncline::mariadb
