// What stands in the way of syncing a server, each with what mends it.
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "tests/unit/mariadb/catalog_fixture.hpp"
#include "tests/unit/mariadb/node.hpp"

namespace syncline::mariadb {
namespace {

using ports::Severity;
using testing::Contains, testing::ElementsAre, testing::Field, testing::HasSubstr, testing::IsEmpty,
    testing::SizeIs;

auto says(const std::string& what) {
  return Contains(Field(&ports::Finding::what, HasSubstr(what)));
}

// A server of the test's own, with options that others must not have.
class ServerFindings : public Catalog {
 protected:
  ~ServerFindings() override { system_ = {}; }
  void start_node(const std::string& options, const std::string& database = "shop") {
    node_ = std::make_unique<Node>(31, options);
    node_->start();
    node_->user().run("CREATE DATABASE IF NOT EXISTS " + database,
                      "CREATE TABLE " + database + ".customer(id bigint PRIMARY KEY)");
    configure(node_->url(database), {make_schema("customer", "id:int64")}, "");
    system_ = make_mariadb(config_, system_clock()).value();
  }
  std::unique_ptr<Node> node_;
};

TEST_F(ServerFindings, ADatabaseThatIsLeftOutOfTheLogStops) {
  start_node("--binlog-ignore-db=other --binlog-ignore-db=shop");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("leaves database shop out of its log (binlog_ignore_db"));
  EXPECT_THAT(stops[0].fix, HasSubstr("take shop out of binlog_ignore_db; then restart it"));
}

TEST_F(ServerFindings, ADatabaseThatIsNotAmongThoseOfTheLogStops) {
  start_node("--binlog-do-db=other --binlog-do-db=shop2");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].fix, HasSubstr("add a line binlog_do_db = shop; then restart it"));
}

TEST_F(ServerFindings, OfOtherDatabasesNothingIsSaid) {
  start_node("--binlog-do-db=other --binlog-do-db=shop");
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(ServerFindings, WhatAReplicaDoesNotPassOnStops) {
  start_node("");
  EXPECT_THAT(stopping(), IsEmpty());
  node_->user().run("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='c'");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("log_slave_updates is off"));
  EXPECT_THAT(stops[0].fix, HasSubstr("log_slave_updates = ON; then restart it"));
}

TEST_F(ServerFindings, WhatAReplicaPassesOnIsRead) {
  start_node("--log-slave-updates");
  node_->user().run("CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=1, MASTER_USER='c'");
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, AForeignKeyThatIsSilentForOurWritesIsNamed) {
  const auto silent_keys = [this] {
    auto found = findings(Severity::kWarning);
    std::erase_if(found, [](const auto& one) { return !one.what.starts_with("foreign key "); });
    return found;
  };
  user_.run(
      "CREATE TABLE customer(id bigint, name varchar(20), PRIMARY KEY (id), UNIQUE (id, name))",
      "CREATE TABLE line(id bigint PRIMARY KEY, customer bigint, CONSTRAINT of_customer FOREIGN "
      "KEY "
      "(customer) REFERENCES customer(id) ON DELETE CASCADE)",
      "CREATE TABLE note(customer bigint, name varchar(20), CONSTRAINT of_both FOREIGN KEY "
      "(customer, name) REFERENCES customer(id, name))");
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");
  user_.run("INSERT INTO line VALUES (1, 1)");
  start({make_schema("customer", "id:int64 name:text")});
  const auto silent = silent_keys();
  ASSERT_THAT(silent, SizeIs(2));
  EXPECT_EQ("customer", silent[0].dataset);
  EXPECT_EQ(
      "foreign key of_customer of line, which we do not write, is silent for our writes: where we "
      "delete a record of customer, or change its (id), what refers to it stays, though users' "
      "writes meet ON DELETE CASCADE ON UPDATE RESTRICT",
      silent[0].what);
  EXPECT_EQ("sync line too", silent[0].fix);
  EXPECT_THAT(silent[1].what, HasSubstr("of_both of note"));
  EXPECT_THAT(silent[1].what, HasSubstr("its (id, name)"));
  apply({"delete 1"});
  EXPECT_EQ("1", user_.ask("SELECT customer FROM line"));
  config_.datasets[0].direction = ports::Direction::kFrom;
  system_ = make_mariadb(config_, system_clock()).value();
  EXPECT_THAT(silent_keys(), IsEmpty());
  system_ = {};
  start({make_schema("customer", "id:int64 name:text"), make_schema("line", "id:int64")});
  EXPECT_THAT(silent_keys(), SizeIs(1));  // note's
}

TEST_F(Catalog, AForeignKeyToATableThatWeDoNotWriteIsNamed) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)",
            "CREATE TABLE line(id bigint PRIMARY KEY, customer bigint, CONSTRAINT of_customer "
            "FOREIGN KEY (customer) REFERENCES customer(id), line bigint, CONSTRAINT of_line "
            "FOREIGN KEY (line) REFERENCES line(id))");
  start({make_schema("line", "id:int64 customer:int64")});
  auto found = findings(Severity::kWarning);
  std::erase_if(found, [](const auto& one) { return !one.what.starts_with("foreign key "); });
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ("line", found[0].dataset);
  EXPECT_EQ(
      "foreign key of_customer of line to customer, which we do not write, is silent for our "
      "writes: a record comes also where none has the (customer) that it refers to",
      found[0].what);
  EXPECT_EQ("sync customer too", found[0].fix);
  apply({"put 1 customer=7"});
  EXPECT_EQ("7", user_.ask("SELECT customer FROM line"));
}

TEST_F(Catalog, ALogThatIsKeptForLongIsNotShortened) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")});
  const std::string before = user_.ask("SELECT @@global.binlog_expire_logs_seconds");
  user_.run("SET GLOBAL binlog_expire_logs_seconds = 2592000");
  for (const auto& finding : findings(Severity::kNote)) {
    EXPECT_THAT(finding.fix, testing::Not(HasSubstr("864000")));
  }
  user_.run("SET GLOBAL binlog_expire_logs_seconds = " + before);
}

class Rights : public Catalog {
 protected:
  Rights() {
    user_.run("CREATE OR REPLACE USER plain",
              "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20))");
  }
  ~Rights() override {
    system_ = {};
    user_.run("DROP USER plain");
  }
  void grant(const std::string& rights) { user_.run("GRANT " + rights + " TO plain"); }
  void grant_all_but_the_log() {
    grant("SELECT, INSERT, UPDATE, DELETE, TRIGGER ON customer");
    grant("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON syncline_checkpoint");
  }
  void describe_as_plain() { describe({make_schema("customer", "id:int64 name:text")}, "plain"); }
  void scan() {
    config_.datasets[0].capture = ports::Capture::kScan;
    system_ = make_mariadb(config_, system_clock()).value();
  }
};

TEST_F(Rights, AnotherWhoseNameBeginsTheSameDoesNotReadTheLog) {
  grant_all_but_the_log();
  grant("REPLICATION SLAVE ADMIN ON *.*");
  describe_as_plain();
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_EQ("GRANT REPLICATION SLAVE ON *.* TO 'plain'@'%';", stops[0].fix);
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  EXPECT_THAT(findings(Severity::kNote), says("may not ask whether the server leaves databases"));
  grant("BINLOG MONITOR ON *.*");
  EXPECT_THAT(findings(Severity::kNote),
              testing::Not(says("may not ask whether the server leaves databases")));
}

TEST_F(Rights, OfAnotherDatabaseOrTableCreateNothingOfOurs) {
  grant("ALL ON customer");
  grant("CREATE ON other.*");
  grant("REPLICATION SLAVE ON *.*");
  describe_as_plain();
  auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("may not create the table syncline_checkpoint"));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  scan();
  stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("may not create the table syncline_echo"));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  expect_ok(system_.catalog->detach());
}

TEST_F(Rights, ATableOfOursThatIsOnlyReadIsNamed) {
  grant("REPLICATION SLAVE ON *.*");
  grant("SELECT, INSERT, UPDATE, DELETE, TRIGGER ON customer");
  describe_as_plain();
  config_.url = url();
  connect();
  user_.run("GRANT SELECT ON syncline_checkpoint TO plain");
  config_.url = url("plain");
  system_ = make_mariadb(config_, system_clock()).value();
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("may not read and write the table syncline_checkpoint"));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Rights, AServerThatIsReadOnlyIsNamedToAnyUser) {
  grant("REPLICATION SLAVE ON *.*");
  grant("ALL ON " + database_ + ".*");
  describe_as_plain();
  user_.run("SET GLOBAL read_only = 1");
  EXPECT_THAT(stopping(),
              ElementsAre(Field(&ports::Finding::fix, HasSubstr("SET GLOBAL read_only = 0;"))));
  scan();
  EXPECT_THAT(stopping(),
              ElementsAre(Field(&ports::Finding::fix, HasSubstr("SET GLOBAL read_only = 0;"))));
  user_.run("SET GLOBAL read_only = 0");
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Rights, WithoutAnyOnTheTableTheGrantIsNamed) {
  grant("REPLICATION SLAVE ON *.*");
  grant("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON syncline_checkpoint");
  describe_as_plain();
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix.substr(stops[0].fix.find("GRANT ")));
  EXPECT_THAT(stopping(), ElementsAre(Field(&ports::Finding::what,
                                            HasSubstr("is not told of triggers on customer"))));
}

TEST(Grants, OfTheWholeServerAreNamedWhole) {
  EXPECT_FALSE(
      grants_everywhere("GRANT REPLICATION SLAVE ADMIN ON *.* TO `a`@`%`\n", "REPLICATION SLAVE"));
  EXPECT_TRUE(grants_everywhere("GRANT SELECT, REPLICATION SLAVE ON *.* TO `a`@`%`\n",
                                "REPLICATION SLAVE"));
  EXPECT_FALSE(grants_everywhere("GRANT ALL PRIVILEGES ON `db`.* TO `a`@`%`\n", "SUPER"));
  EXPECT_TRUE(
      grants_everywhere("GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION", "SUPER"));
}

// Two systems make records; this is the second.
class Sequences : public Catalog {
 protected:
  void be_one_of(size_t makers, const std::string& fields = "id:int64 name:text") {
    describe({make_schema("customer", fields)});
    config_.datasets[0].maker_count = makers;
    config_.datasets[0].maker_index = makers - 1;
    system_ = make_mariadb(config_, system_clock()).value();
  }
};

TEST_F(Sequences, ThatNumberAKeyAreLookedAtAndMended) {
  user_.run("CREATE SEQUENCE numbers",
            "CREATE TABLE customer(id bigint DEFAULT nextval(numbers) "
            "PRIMARY KEY, name varchar(20))",
            "INSERT INTO customer(name) VALUES ('a'), ('b')",
            "INSERT INTO customer VALUES (77, 'c')");
  for (size_t makers = 2; makers < 4; ++makers) {  // a third one joins
    be_one_of(makers);
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1));
    EXPECT_THAT(stops[0].what, HasSubstr("key column id of customer is numbered by sequence `" +
                                         database_ + "`.`numbers` (it is at "));
    mend(stops[0].fix.substr(0, stops[0].fix.find(" Or numbers")));
    EXPECT_THAT(stopping(), IsEmpty());
  }
  user_.run("INSERT INTO customer(name) VALUES ('d'), ('e')");
  EXPECT_EQ("2",
            user_.ask("SELECT group_concat(DISTINCT id MOD 3) FROM customer WHERE name > 'c'"));
  EXPECT_EQ("1", user_.ask("SELECT min(id) > 77 FROM customer WHERE name > 'c'"));
}

TEST_F(Sequences, ThatCannotBeLookedAtAreNamedWithTheirGrant) {
  user_.run("CREATE SEQUENCE numbers",
            "CREATE TABLE customer(id bigint DEFAULT nextval(numbers) PRIMARY KEY)",
            "CREATE OR REPLACE USER plain", "GRANT REPLICATION SLAVE ON *.* TO plain",
            "GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON customer TO plain",
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE ON syncline_checkpoint TO plain");
  be_one_of(2, "id:int64");
  config_.url = url("plain");
  system_ = make_mariadb(config_, system_clock()).value();
  const auto stops = stopping();
  ASSERT_FALSE(stops.empty());
  EXPECT_THAT(stops.back().fix,
              HasSubstr("GRANT SELECT ON `" + database_ + "`.`numbers` TO 'plain'"));
  // 11.4 does not ask for it before an INSERT that gives the number.
  const std::string grant = "GRANT SELECT, INSERT ON `" + database_ + "`.`numbers` TO 'plain'@'%';";
  if (stops.size() > 1) {
    EXPECT_EQ(grant, stops[0].fix);
  }
  mend(grant);
  EXPECT_THAT(stopping(), ElementsAre(Field(&ports::Finding::what, HasSubstr("(it is at "))));
  system_ = {};
  user_.run("DROP USER plain");
}

TEST_F(Sequences, OfPlansOwnMakingKeepTheColumnsDeclaration) {
  user_.run(
      "CREATE TABLE customer(id int unsigned AUTO_INCREMENT COMMENT 'number' PRIMARY KEY, name "
      "varchar(20))");
  be_one_of(2);
  const std::string fix = stopping().at(0).fix;
  const size_t begin = fix.find("SELECT (AUTO_INCREMENT");
  mend(fix.substr(begin, fix.find(" Or numbers") - begin));
  EXPECT_THAT(user_.ask("SHOW CREATE TABLE customer"), HasSubstr(" COMMENT 'number'"));
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Sequences, OfColumnsThatAreNoKeyAreWarnedOf) {
  user_.run("CREATE TABLE customer(mail varchar(20) PRIMARY KEY, id bigint AUTO_INCREMENT UNIQUE)");
  be_one_of(2, "mail:text id:int64");
  EXPECT_THAT(stopping(), IsEmpty());
  const auto warned = findings(Severity::kWarning);
  ASSERT_THAT(warned, SizeIs(1));
  EXPECT_THAT(warned[0].what, HasSubstr("column id of customer is numbered by this server"));
  EXPECT_THAT(warned[0].fix, HasSubstr("exclude = [\"id\"]"));
}

TEST_F(Catalog, AColumnThatNoRecordOfOthersFillsStops) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20) NOT NULL, tenant int NOT "
      "NULL, at datetime NOT NULL, code varchar(9) CHARACTER SET latin1 NOT NULL, mood "
      "enum('a') NOT NULL, half int AS (tenant / 2) STORED, n int NOT NULL DEFAULT 1)");
  describe({make_schema("customer", "id:int64 name:text")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(3));
  EXPECT_EQ(
      "column tenant of customer is not synced, takes no NULL and has no default: no record "
      "of another system's can be inserted",
      stops[0].what);
  for (const auto& finding : stops) mend(finding.fix);
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  apply({"put 1 name=Ann"});
  EXPECT_EQ("0||a", user_.ask("SELECT tenant, code, mood FROM customer"));
}

// The client that runs what is printed sends UTF-8, whatever the trigger was made in.
TEST_F(Catalog, AGuardedTriggerKeepsTheLettersOfItsTexts) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20))", "SET NAMES latin1",
            "CREATE TRIGGER fill BEFORE INSERT ON customer FOR EACH ROW SET NEW.name = "
            "ifnull(NEW.name, 'Z\xfcrich')",
            "SET NAMES utf8mb4");
  describe({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "guarded";
  system_ = make_mariadb(config_, system_clock()).value();
  const std::string fix = stopping().at(0).fix;
  const auto part = [&](const std::string& begin, const std::string& end) {
    const size_t from = fix.find(begin) + begin.size();
    return fix.substr(from, fix.find(end, from) - from);
  };
  user_.run(part("", ";"), part("; ", ";"), part("DELIMITER //\n", "//\n"));
  EXPECT_THAT(stopping(), IsEmpty());
  user_.run("INSERT INTO customer(id) VALUES (1)");
  EXPECT_EQ("Zürich", user_.ask("SELECT CAST(CONVERT(name USING utf8mb4) AS CHAR) FROM customer"));
  EXPECT_EQ("latin1_swedish_ci", user_.ask("SELECT COLLATION_CONNECTION FROM "
                                           "information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = "
                                           "DATABASE()"));
}

}  // namespace
}  // namespace syncline::mariadb
