// Another server takes over: what was read of the one before is not lost and not doubled, or it is
// said what is lost.
#include <thread>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

int free_port() {
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(0, ::bind(socket, reinterpret_cast<sockaddr*>(&address), size));
  EXPECT_EQ(0, ::getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size));
  ::close(socket);
  return ntohs(address.sin_port);
}

class Node {
 public:
  Node(int number, const std::string& options)
      : options_(" --server-id=" + std::to_string(number) + " --log-slave-updates " + options) {
    std::string pattern = std::filesystem::temp_directory_path() / "syncline-maria-XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~Node() { call("remove", ""); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  void start() { call("start", options_); }
  void kill() { call("stop", "immediate"); }
  std::string socket() const { return folder_ + "/socket"; }
  User user(const std::string& database = "") const { return User(database, socket()); }

 private:
  void call(const std::string& command, const std::string& more) {
    const std::string line = "tests/support/mariadb_server " + command + " " + folder_ + " " + more;
    EXPECT_EQ(0, std::system(line.c_str())) << line;
  }

  std::string folder_;
  std::string options_;
};

// The URL leads to a link: who it leads to is who has taken over.
class Takeover : public ports::SystemTest {
 protected:
  static constexpr int kPollMs = 100;

  Takeover()
      : SystemTest(make_mariadb, kPollMs),
        port_(free_port()),
        old_(11, "--skip-networking=0 --bind-address=127.0.0.1 --port=" + std::to_string(port_)),
        new_(12, "") {
    std::thread other([this] { new_.start(); });
    old_.start();
    other.join();
    link_ = old_.socket() + "-link";
    lead_to(old_);
    old_.user().run("CREATE USER copier@'%' IDENTIFIED BY 'x'",
                    "GRANT REPLICATION SLAVE ON *.* TO copier@'%'",
                    "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                    "CREATE TABLE shop.customer(id bigint PRIMARY KEY, name varchar(99))");
    new_.user().run(
        "FLUSH BINARY LOGS", "RESET MASTER", "DO SLEEP(1.1)", "FLUSH BINARY LOGS",
        "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=" + std::to_string(port_) +
            ", MASTER_USER='copier', MASTER_PASSWORD='x', MASTER_USE_GTID=slave_pos, "
            "MASTER_SSL=0, MASTER_SSL_VERIFY_SERVER_CERT=0, "
            "MASTER_CONNECT_RETRY=1",
        "START SLAVE");
    start_at("mariadb://root@localhost/shop?socket=" + link_,
             {make_schema("customer", "id:int64 name:text")});
  }
  ~Takeover() override {
    system_ = {};
    std::filesystem::remove(link_);
  }

  void lead_to(const Node& node) {
    std::filesystem::remove(link_);
    std::filesystem::create_symlink(node.socket(), link_);
  }
  static void insert(const Node& node, int id) {
    node.user("shop").run("INSERT INTO customer VALUES (" + std::to_string(id) + ", 'n')");
  }
  void wait_for_copy() {
    const std::string end = old_.user().ask("SELECT @@gtid_binlog_pos");
    EXPECT_EQ("0", new_.user().ask("SELECT MASTER_GTID_WAIT('" + end + "', 20)")) << end;
  }
  void take_over() {
    old_.kill();
    new_.user().run("STOP SLAVE", "RESET SLAVE ALL");
    lead_to(new_);
  }
  // Through errors, as a capture polls, until nothing more comes.
  std::vector<std::string> take_all() {
    std::vector<std::string> lines;
    int quiet_count = 0;
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (quiet_count < 3 && std::chrono::steady_clock::now() < deadline) {
      auto polled = system_.source->poll(*sink_, 1000, kPollMs);
      if (!polled && polled.error().code == ErrorCode::kSystemLost) {
        ADD_FAILURE() << to_string(polled.error());
        break;
      }
      if (!polled) {  // it gave nothing
        sink_ = std::make_unique<ports::Notebook>(std::vector{&std::as_const(schemas_[0])});
        continue;
      }
      const auto some = sink_->take();
      quiet_count = some.empty() ? quiet_count + 1 : 0;
      lines.insert(lines.end(), some.begin(), some.end());
    }
    return lines;
  }
  void reopen(const model::Position& position) {
    system_ = make_mariadb(config_, system_clock()).value();
    expect_ok(system_.source->open(position));
  }
  Error open_error(const model::Position& position) {
    system_ = make_mariadb(config_, system_clock()).value();
    const auto opened = system_.source->open(position);
    EXPECT_FALSE(opened.has_value());
    return opened ? Error{} : opened.error();
  }

  int port_;
  Node old_;
  Node new_;
  std::string link_;
};

TEST_F(Takeover, TheLogIsReadOnBehindTheSameTransaction) {
  insert(old_, 1);
  insert(old_, 2);
  EXPECT_THAT(take_all(), ElementsAre("insert 1 name=n", "insert 2 name=n"));
  const model::Position before = sink_->position;
  apply({"put 3 name=ours"});
  User prepared("shop", old_.socket());
  prepared.run("XA START 'a'", "INSERT INTO customer VALUES (4, 'held')", "XA END 'a'",
               "XA PREPARE 'a'");
  EXPECT_THAT(take_all(), testing::SizeIs(2));
  insert(old_, 5);
  wait_for_copy();
  take_over();
  new_.user("shop").run("XA COMMIT 'a'");
  insert(new_, 6);
  EXPECT_THAT(take_all(), ElementsAre("insert 5 name=n", "insert 4 name=held", "insert 6 name=n"));
  EXPECT_LT(before, sink_->position);
  const model::Position after = sink_->position;
  EXPECT_EQ("5", new_.user("shop").ask("SELECT count(*) FROM customer WHERE id <> 3"));
  ASSERT_TRUE(system_.target->probe(kEpoch).has_value());
  apply({"put 7 name=ours"});
  EXPECT_THAT(take_all(), ElementsAre(HasSubstr("marker"), "ours insert 7 name=ours"));
  // A restart, behind the takeover and before it.
  insert(new_, 8);
  reopen(after);
  EXPECT_THAT(take_all(),
              ElementsAre(HasSubstr("marker"), "ours insert 7 name=ours", "insert 8 name=n"));
  reopen(before);
  std::string cursor;
  auto read = system_.source->read_snapshot(schemas_[0].dataset, cursor, 100, *sink_);
  expect_ok(read);
  EXPECT_THAT(sink_->take(), testing::SizeIs(8));
  EXPECT_THAT(take_all(), testing::SizeIs(8));
}

TEST_F(Takeover, AQuietServerIsReadOnByItsOwnPlacesAtOnce) {
  insert(old_, 1);
  take_all();
  wait_for_copy();
  take_over();
  EXPECT_THAT(take_all(), IsEmpty());
  const auto place = decode(sink_->position);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(1U, place->place.turn);
  EXPECT_EQ(12U, place->history.server);
  insert(new_, 2);
  reopen(sink_->position);
  EXPECT_THAT(take_all(), ElementsAre("insert 2 name=n"));
}

TEST_F(Takeover, WhatTheNewOneLacksIsNamed) {
  insert(old_, 1);
  take_all();
  const model::Position copied = sink_->position;
  wait_for_copy();
  new_.user().run("STOP SLAVE");
  insert(old_, 2);
  insert(old_, 3);
  take_all();
  const model::Position ahead = sink_->position;
  const std::string first = old_.user().ask("SELECT concat(@@gtid_domain_id, '-11-')");
  take_over();
  for (int id = 4; id < 9; ++id) insert(new_, id);
  const Error error = open_error(ahead);
  EXPECT_EQ(ErrorCode::kSystemLost, error.code) << to_string(error);
  const uint64_t last = decode(ahead)->history.last.sequence;
  EXPECT_THAT(error.why,
              HasSubstr(first + std::to_string(last - 1) + " to " + first + std::to_string(last)));
  EXPECT_THAT(error.fix, HasSubstr("syncline resync --system shop"));
  // A place from before such numbers were kept names no server: another one is another log.
  LogPosition old_form = *decode(copied);
  old_form.history = {};
  EXPECT_EQ(ErrorCode::kSystemLost, open_error(encode(old_form)).code);
  LogPosition several = *decode(copied);
  several.history.has_domains = true;
  EXPECT_THAT(open_error(encode(several)).why, HasSubstr("several GTID domains"));
  reopen(copied);
  EXPECT_THAT(take_all(), testing::SizeIs(5));
}

}  // namespace
}  // namespace syncline::mariadb
