// Another server takes over: what was read of the one before is not lost and not doubled, or it is
// said what is lost.
#include <thread>

#include "drivers/systems/mariadb/detail/position.hpp"
#include "tests/unit/mariadb/node.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty;

// The URL leads to a link: who it leads to is who has taken over.
class Takeover : public ports::SystemTest {
 protected:
  static constexpr int kPollMs = 100;

  Takeover()
      : SystemTest(make_mariadb, kPollMs),
        old_(11, "--log-slave-updates"),
        new_(12, "--log-slave-updates") {
    std::thread other([this] { new_.start(); });
    old_.start();
    other.join();
    link_ = old_.socket() + "-link";
    lead_to(old_);
    old_.let_copy();
    old_.user().run("CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
                    "CREATE TABLE shop.customer(id bigint PRIMARY KEY, name varchar(99))");
    new_.user().run("FLUSH BINARY LOGS", "RESET MASTER", "DO SLEEP(1.1)", "FLUSH BINARY LOGS");
    new_.follow(old_);
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
  void wait_for_copy() const { new_.wait_for(old_); }
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
