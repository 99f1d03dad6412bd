// capture = "poll" where the server's clock is set back. Sessions of ours are told of another time
// by init_connect, which counts for those without the right to get round it.
#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class Clocks : public MariadbTest {
 protected:
  ~Clocks() override { User("").run("SET GLOBAL init_connect = ''", "DROP USER IF EXISTS plain"); }

  void start_ahead(const std::string& poll_by) {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20), changed_at "
        "timestamp(6) NOT NULL, version bigint NOT NULL, INDEX (changed_at), INDEX (version))",
        "CREATE OR REPLACE USER plain", "GRANT PROCESS ON *.* TO plain",
        "GRANT ALL ON " + database_ + ".* TO plain");
    set_ahead_s(3600);
    configure(url("plain"), {make_schema("customer", "id:int64 name:text")}, "");
    config_.datasets[0].capture = ports::Capture::kPoll;
    config_.datasets[0].poll_by = poll_by;
    system_ = make_mariadb(config_, clock_).value();
    expect_ok(system_.source->open({}));
  }
  // For sessions to come. Where time stands still, nothing is said of what is open.
  void set_ahead_s(int seconds) {
    ahead_s_ = seconds;
    User("").run("SET GLOBAL init_connect = 'SET timestamp = " + now() + "'");
  }
  std::string now() { return "unix_timestamp(sysdate(6)) + " + std::to_string(ahead_s_); }
  void write(int id, int version) {
    user_.run("SET timestamp = " + now(), "INSERT INTO customer VALUES (" + std::to_string(id) +
                                              ", 'n', now(6), " + std::to_string(version) + ")");
  }
  void end_our_sessions() {
    const std::string sessions = user_.ask(
        "SELECT group_concat(ID SEPARATOR ';KILL ') FROM "
        "information_schema.PROCESSLIST WHERE USER = 'plain'");
    user_.run("KILL " + sessions.substr(0, sessions.find(';')));
    clock_.pass_seconds(5);
    EXPECT_FALSE(system_.source->poll(*sink_, 100, 0).has_value());
  }
  std::vector<std::string> scan() {
    clock_.pass_seconds(5);
    std::vector<std::string> lines = poll();
    notices_ = last_poll_.notices;
    return lines;
  }
  // A row is seen and the poll's place behind it; then the clock goes back.
  void set_back() {
    write(1, 1);
    EXPECT_THAT(scan(), SizeIs(1));
    set_ahead_s(3700);  // the sessions' time stands still: the next moves it on
    end_our_sessions();
    write(2, 2);
    EXPECT_THAT(scan(), testing::Contains("update 2 name=n"));
    EXPECT_THAT(notices_, IsEmpty());
    set_ahead_s(3800);
    end_our_sessions();
    EXPECT_THAT(scan(), IsEmpty());
    set_ahead_s(0);
    end_our_sessions();
  }

  ports::StepClock clock_;
  int ahead_s_ = 0;
  std::vector<Error> notices_;
};

TEST_F(Clocks, WhatIsWrittenByAClockThatWasSetBackIsRead) {
  start_ahead("changed_at");
  set_back();
  write(3, 3);
  EXPECT_THAT(scan(), ElementsAre("update 3 name=n"));
  ASSERT_THAT(notices_, SizeIs(1));
  EXPECT_THAT(to_string(notices_[0]), HasSubstr("set back"));
  write(4, 4);
  EXPECT_THAT(scan(), ElementsAre("update 4 name=n"));
  EXPECT_THAT(notices_, IsEmpty());
}

// Local times may be of any zone.
TEST_F(Clocks, ALocalTimeThatWasSetBackIsReadToo) {
  start_ahead("changed_at");
  user_.run("ALTER TABLE customer MODIFY changed_at datetime(6) NOT NULL");
  set_back();
  write(3, 3);
  EXPECT_THAT(scan(), ElementsAre("update 3 name=n"));
  EXPECT_THAT(notices_, SizeIs(1));
}

TEST_F(Clocks, AVersionDoesNotGoBack) {
  start_ahead("version");
  set_back();
  write(3, 3);
  EXPECT_THAT(scan(), ElementsAre("update 3 name=n"));
  EXPECT_THAT(notices_, IsEmpty());
}

}  // namespace
}  // namespace syncline::mariadb
