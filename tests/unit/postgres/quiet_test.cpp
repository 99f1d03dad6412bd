// Our writes that the log need not show, and those that it has to.
#include "tests/unit/postgres/log_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::MatchesRegex;

constexpr int kFiltering = 160000;

class Quiet : public PostgresTest {
 protected:
  Quiet() { may_be_quiet_ = true; }
  ~Quiet() override {
    system_ = {};
    User("postgres")
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE "
            "'syncline%' OR application_name = 'user' AND pid <> pg_backend_pid()");
    if (is_filtering()) {
      User("postgres")
          .ask("SELECT count(pg_replication_origin_drop(roname)) FROM pg_replication_origin");
    }
  }
  static bool is_filtering() {
    return std::stoi(User("postgres").ask("SHOW server_version_num")) >= kFiltering;
  }
  // Whether the server leaves out what is under an origin.
  bool is_filtered() {
    return user_.ask(
               "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender' AND query "
               "LIKE '%origin ''none''%' AND datname = current_database()") == "1";
  }
  std::string quiet_marker(model::Sequence sequence) { return "quiet " + marker(sequence); }
  // The user's row is the sign that everything before it has been told.
  std::vector<std::string> told(size_t count) {
    user_.run("INSERT INTO customer VALUES (999, 'sign', NULL)");
    auto lines = take(count + 1);
    EXPECT_EQ("insert 999 name=sign mail=NULL", lines.empty() ? "" : lines.back());
    if (!lines.empty()) lines.pop_back();
    return lines;
  }
};

TEST_F(Quiet, OfATransactionThatDoesWhatItSaysOnlyTheMarkerIsTold) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x'), (2, 'Bob', NULL)");
  take(2);
  apply({"set 1 name=Anna", "delete 2", "put 3 name=Cid mail=NULL"});
  apply({"set 4 name=nobody"});
  EXPECT_THAT(told(2), ElementsAre(quiet_marker(1), quiet_marker(2)));
  EXPECT_EQ("1|Anna|a@x;3|Cid|NULL;999|sign|NULL", user_.ask("SELECT * FROM customer ORDER BY 1"));
}

TEST_F(Quiet, WhatMustBeKnownByItsRowIsTold) {
  may_be_quiet_ = false;
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_THAT(told(2), ElementsAre(marker(1), "ours insert 1 name=Ann mail=NULL"));
}

TEST_F(Quiet, AValueThatItsColumnChangesIsTold) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(3), mail money)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  apply({"put 1 name=Ann mail=NULL"});
  apply({"put 2 name=Bob mail=1.254"});
  EXPECT_THAT(take(3),
              ElementsAre(quiet_marker(1), marker(2), "ours insert 2 name=Bob mail=$1.25"));
}

TEST_F(Quiet, ATextThatItsColumnSpellsOtherwiseIsTold) {
  const std::string id = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11";
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail uuid)");
  start({make_schema("customer", "id:int64 name:text mail:text")});
  apply({"put 1 name=Ann mail=NULL"});
  apply({"put 2 name=Bob mail=A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"});
  EXPECT_THAT(take(3),
              ElementsAre(quiet_marker(1), marker(2), "ours insert 2 name=Bob mail=" + id));
}

TEST_F(Quiet, ATriggerThatIsAddedWhileWeWriteIsMet) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run(
      "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
      "upper(NEW.name); RETURN NEW; END $$; CREATE TRIGGER shout BEFORE INSERT OR UPDATE ON "
      "customer FOR EACH ROW EXECUTE FUNCTION shout(); ALTER TABLE customer ENABLE ALWAYS TRIGGER "
      "shout");
  expect_stopped({"put 2 name=Bob mail=NULL"});
  user_.run("DROP TRIGGER shout ON customer");
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_THAT(told(2), ElementsAre(quiet_marker(1), quiet_marker(2)));
}

// Those that are accepted fire as they do for users, so what they make of our writes is told.
TEST_F(Quiet, WhereTriggersFireEverythingIsTold) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  configure(url(), {make_schema("customer", "id:int64 name:text mail:text")}, "public.");
  config_.datasets[0].triggers = "fire";
  connect();
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_THAT(told(2), ElementsAre(marker(1), "ours insert 2 name=Bob mail=NULL"));
}

TEST_F(Quiet, ATableThatGetsAnHeirWhileWeWriteIsToldAloud) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("CREATE TABLE vip(note text) INHERITS (customer)");
  apply({"put 2 name=Bob mail=NULL"});
  EXPECT_THAT(told(3), ElementsAre(quiet_marker(1), marker(2), "ours insert 2 name=Bob mail=NULL"));
}

TEST_F(Quiet, AColumnThatIsRetypedWhileWeWriteIsLookedAtAnew) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail numeric(6,2))");
  start({make_schema("customer", "id:int64 name:text mail:decimal")});
  apply({"put 1 name=Ann mail=1.25"});
  user_.run("ALTER TABLE customer ALTER mail TYPE numeric(6,1)");
  const auto finer = try_apply({"put 2 name=Bob mail=1.25"});
  expect_ok(finer);
  EXPECT_TRUE(finer.value().poison.has_value());
  apply({"put 2 name=Bob mail=1.5"});
  EXPECT_THAT(told(2), ElementsAre(quiet_marker(1), quiet_marker(2)));
}

TEST_F(Quiet, ManyThatAreCopiedInAreQuietToo) {
  start_customers();
  apply(hundred_puts(1000));
  apply(hundred_puts(2000));
  user_.run("CREATE TABLE vip(note text) INHERITS (customer)");
  apply(hundred_puts(3000));
  const auto lines = take(103);
  ASSERT_EQ(103U, lines.size());
  EXPECT_THAT(std::vector(lines.begin(), lines.begin() + 3),
              ElementsAre(quiet_marker(1), quiet_marker(2), marker(3)));
}

TEST_F(Quiet, WhatIsRefusedLeavesTheNextOneAsItIs) {
  start_customers();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 'a@x')");
  const auto applied = try_apply({"put 2 name=Bob mail=a@x"});
  expect_ok(applied);
  EXPECT_TRUE(applied.value().poison.has_value());
  user_.run("UPDATE customer SET name = 'Anna'");
  apply({"put 3 name=Cid mail=NULL"});
  EXPECT_THAT(told(3), ElementsAre("insert 1 name=Ann mail=a@x", "update 1 name=Anna mail=a@x",
                                   quiet_marker(1)));
}

TEST_F(Quiet, TheOriginIsAmongWhatPlanWouldMake) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  configure(url(), {make_schema("customer", "id:int64 name:text mail:text")}, "public.");
  system_ = make_(config_, system_clock()).value();
  const auto found = system_.catalog->findings().value();
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const ports::Finding& finding) {
    return finding.what.find(", origin syncline_zurich_shop@") != std::string::npos;
  }));
}

TEST_F(Quiet, TheServerLeavesOutWhatIsUnderOurOrigin) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  user_.run("SELECT pg_create_logical_replication_slot('plain', 'pgoutput')");
  apply({"put 2 name=Bob mail=NULL"});
  const auto rows = [&](const std::string& origin) {
    return user_.ask(
        "SELECT count(*) FROM pg_logical_slot_peek_binary_changes('plain', NULL, NULL, "
        "'proto_version', '1', 'publication_names', 'syncline_zurich_shop', 'origin', '" +
        origin + "') WHERE get_byte(data, 0) = ascii('I')");
  };
  EXPECT_EQ("1", rows("any"));
  EXPECT_EQ("0", rows("none"));
  EXPECT_THAT(told(2), ElementsAre(quiet_marker(1), quiet_marker(2)));
}

// Their rows may be left out with ours until we learn of them: the tables tell.
TEST_F(Quiet, SomebodyElsesOriginEndsItAndTheTablesAreRead) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_THAT(take(1), ElementsAre(quiet_marker(1)));
  User other(database_);
  other.run("SELECT pg_replication_origin_create('theirs')");
  other.run("SELECT pg_replication_origin_session_setup('theirs')");
  other.run("INSERT INTO customer VALUES (2, 'early', NULL)");
  poll_until([&] { return !rescans_.empty(); });
  other.run("INSERT INTO customer VALUES (3, 'late', NULL)");
  EXPECT_EQ("insert 3 name=late mail=NULL", take(1).back());
  apply({"put 4 name=Dan mail=NULL"});
  EXPECT_THAT(take(1), ElementsAre(quiet_marker(2)));
}

// Nothing is left of them but what they wrote.
TEST_F(Quiet, AnOriginThatCameAndWentBetweenTwoLooksIsNoticed) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_THAT(take(1), ElementsAre(quiet_marker(1)));
  poll_until([&] { return is_filtered(); });
  {
    User other(database_);
    other.run("SELECT pg_replication_origin_create('theirs')");
    other.run("SELECT pg_replication_origin_session_setup('theirs')");
    other.run("INSERT INTO customer VALUES (2, 'theirs', NULL)");
    other.run("SELECT pg_replication_origin_session_reset()");
    other.run("SELECT pg_replication_origin_drop('theirs')");
  }
  poll_until([&] { return !rescans_.empty(); });
}

TEST_F(Quiet, AnOriginThatCameAndWentWhileWeWereAwayLeavesNothingOut) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_THAT(take(1), ElementsAre(quiet_marker(1)));
  poll_until([&] { return is_filtered(); });
  system_ = {};
  {
    User other(database_);
    other.run("SELECT pg_replication_origin_create('theirs')");
    other.run("SELECT pg_replication_origin_session_setup('theirs')");
    other.run("INSERT INTO customer VALUES (2, 'theirs', NULL)");
    other.run("SELECT pg_replication_origin_session_reset()");
    other.run("SELECT pg_replication_origin_drop('theirs')");
  }
  connect(sink_->position);
  EXPECT_THAT(take(1), ElementsAre("insert 2 name=theirs mail=NULL"));
}

TEST_F(Quiet, DetachByARoleThatMayUseNoOrigin) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text, mail text)");
  User("postgres").run("DROP ROLE IF EXISTS plain");
  User("postgres").run("CREATE ROLE plain LOGIN REPLICATION");
  user_.run("ALTER TABLE customer OWNER TO plain; GRANT CREATE ON DATABASE " + database_ +
            " TO plain");
  start_at(url("plain"), {make_schema("customer", "id:int64 name:text mail:text")}, "public.");
  system_.source.reset();
  system_.target.reset();
  expect_ok(system_.catalog->detach());
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM pg_namespace WHERE nspname = 'syncline'"));
  user_.run("DROP OWNED BY plain CASCADE; DROP ROLE plain");
}

// Under one, only one session may write at a time.
TEST_F(Quiet, EachConnectionThatWeWriteThroughHasAnOriginOfItsOwn) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  config_.write_connections = 3;
  connect(sink_->position);
  for (const auto& target : system_.more_targets) expect_ok(target->open());
  const std::string names =
      user_.ask("SELECT roname FROM pg_replication_origin ORDER BY length(roname), roname");
  EXPECT_THAT(names, MatchesRegex("syncline_zurich_shop@[0-9]+;syncline_zurich_shop.2@[0-9]+;"
                                  "syncline_zurich_shop.3@[0-9]+"));
  User holder(database_);
  holder.run("SELECT pg_replication_origin_session_setup('" + names.substr(0, names.find(';')) +
             "')");
  user_.run("SELECT pg_create_logical_replication_slot('plain', 'pgoutput')");
  for (auto& target : system_.more_targets) {
    std::swap(system_.target, target);
    apply({"put 1 name=Ann mail=NULL"});
  }
  EXPECT_EQ("0",
            user_.ask("SELECT count(*) FROM pg_logical_slot_peek_binary_changes('plain', NULL, "
                      "NULL, 'proto_version', '1', 'publication_names', 'syncline_zurich_shop', "
                      "'origin', 'none') WHERE position('Ann'::bytea IN data) > 0"));
  EXPECT_THAT(told(2), ElementsAre(quiet_marker(1), quiet_marker(2)));
  holder.run("SELECT pg_replication_origin_session_reset()");
  system_.source.reset();
  system_.target.reset();
  system_.more_targets.clear();
  expect_ok(system_.catalog->detach());
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM pg_replication_origin"));
}

TEST_F(Quiet, DetachTakesOurOriginAway) {
  if (!is_filtering()) GTEST_SKIP() << "servers before 16 cannot";
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_EQ("1", user_.ask("SELECT count(*) FROM pg_replication_origin"));
  system_.source.reset();
  system_.target.reset();
  expect_ok(system_.catalog->detach());
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM pg_replication_origin"));
}

}  // namespace
}  // namespace syncline::postgres
