// What a database does by itself when we write, as `plan` and `doctor` tell it; and that the SQL
// mends it.
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

class Triggered : public PostgresTest {
 protected:
  void make_function() {
    user_.run(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name = "
        "upper(NEW.name); RETURN NEW; END $$");
  }
  void make_parts() {
    make_function();
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name text) PARTITION BY RANGE (id); CREATE "
        "TABLE low PARTITION OF customer FOR VALUES FROM (0) TO (10); CREATE TABLE high PARTITION "
        "OF customer FOR VALUES FROM (10) TO (20) PARTITION BY RANGE (id); CREATE TABLE higher "
        "PARTITION OF high FOR VALUES FROM (10) TO (20)");
  }
  void begin(const std::string& triggers = "suppress", const std::string& role = "postgres") {
    start({make_schema("customer", "id:int64 name:text")});
    config_.datasets[0].triggers = triggers;
    config_.url = url(role);
    connect_target();
  }
  void connect_target() {
    system_.target.reset();
    system_.catalog.reset();
    auto made = make_postgres(config_, system_clock()).value();
    system_.target = std::move(made.target);
    system_.catalog = std::move(made.catalog);
    expect_ok(system_.target->open());
  }
  // Those that name a trigger or a rule.
  std::vector<ports::Finding> found(ports::Severity severity) {
    auto all = system_.catalog->findings();
    expect_ok(all);
    std::vector<ports::Finding> findings;
    for (const ports::Finding& finding : all.value()) {
      const bool is_of_these =
          finding.what.starts_with("trigger ") || finding.what.starts_with("rule ");
      if (is_of_these && finding.severity == severity) findings.push_back(finding);
    }
    return findings;
  }
  std::vector<ports::Finding> silent_keys() {
    auto all = system_.catalog->findings();
    expect_ok(all);
    std::erase_if(all.value(),
                  [](const auto& one) { return !one.what.starts_with("foreign key "); });
    return all.value();
  }
  std::vector<ports::Finding> stops() { return found(ports::Severity::kStops); }
  std::vector<ports::Finding> notes() { return found(ports::Severity::kNote); }
  std::string customers() { return user_.ask("SELECT * FROM customer ORDER BY 1"); }
};

TEST_F(Triggered, OneThatOurWritesKeepQuietIsNoted) {
  make_function();
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shout()");
  begin();
  EXPECT_THAT(stops(), IsEmpty());
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(notes()[0].what,
              HasSubstr("trigger shout on public.customer does not fire for our writes: columns "
                        "that only it keeps, and that do not travel, stay as they are"));
  EXPECT_EQ("triggers = \"fire\" in the dataset's section, if it should", notes()[0].fix);
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
  config_.datasets[0].triggers = "fire";
  connect_target();
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(notes()[0].what, HasSubstr("fires for our writes too"));
  apply({"put 2 name=Bob"});
  EXPECT_EQ("1|Ann;2|BOB", customers());
}

TEST_F(Triggered, OneThatFiresForReplicasAloneIsNotedWhereWeAreNone) {
  make_function();
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shout()");
  user_.run("ALTER TABLE customer ENABLE REPLICA TRIGGER shout");
  begin("fire");
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(notes()[0].what, HasSubstr("does not fire for our writes"));
  EXPECT_EQ("", notes()[0].fix);
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
  config_.datasets[0].triggers = "suppress";
  connect_target();
  ASSERT_THAT(stops(), SizeIs(1));
  expect_stopped({"put 2 name=Bob"});
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" or ")));
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 2 name=Bob"});
  EXPECT_EQ("1|Ann;2|Bob", customers());
}

TEST_F(Triggered, ThoseOfSinglePartitionsAreFoundAndMended) {
  make_parts();
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON higher FOR EACH ROW EXECUTE FUNCTION shout()");
  user_.run("ALTER TABLE higher ENABLE ALWAYS TRIGGER shout");
  begin();
  ASSERT_THAT(stops(), SizeIs(1));
  EXPECT_EQ("trigger shout on public.higher fires for our writes too", stops()[0].what);
  expect_stopped({"put 11 name=Ann"});
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" or ")));
  EXPECT_THAT(stops(), IsEmpty());
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(notes()[0].what, HasSubstr("on public.higher does not fire"));
  apply({"put 11 name=Ann"});
  EXPECT_EQ("11|Ann", customers());
}

TEST_F(Triggered, AGuardOfASinglePartitionsTriggerIsPrintedForThatPartition) {
  make_parts();
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON low FOR EACH ROW EXECUTE FUNCTION shout()");
  begin("guarded");
  ASSERT_THAT(stops(), SizeIs(1));
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" COMMIT;") + 8));
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 1 name=Ann"});
  user_.run("INSERT INTO customer VALUES (2, 'Bob')");
  EXPECT_EQ("1|Ann;2|BOB", customers());
}

// A partition's copy of the table's trigger is the table's, until it is enabled otherwise.
TEST_F(Triggered, OneOfTheTableIsFoundOnceAndWhereAPartitionEnablesItOtherwise) {
  make_parts();
  user_.run("CREATE TRIGGER shout BEFORE INSERT ON customer FOR EACH ROW EXECUTE FUNCTION shout()");
  begin();
  EXPECT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(stops(), IsEmpty());
  user_.run("ALTER TABLE low ENABLE ALWAYS TRIGGER shout");
  ASSERT_THAT(stops(), SizeIs(1));
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" or ")));
  EXPECT_THAT(stops(), IsEmpty());
}

TEST_F(Triggered, ThePartitionedTablesIsMadeAnewWithItsGuardAndEnabledAsItWasEverywhere) {
  make_parts();
  user_.run(
      "CREATE TRIGGER \"Shout\" BEFORE INSERT ON customer FOR EACH ROW WHEN (NEW.name <> 'x') "
      "EXECUTE FUNCTION shout()");
  user_.run("ALTER TABLE higher ENABLE ALWAYS TRIGGER \"Shout\"");
  user_.run("ALTER TABLE low DISABLE TRIGGER \"Shout\"");
  const std::string how =
      "SELECT tgrelid::regclass, tgenabled FROM pg_trigger WHERE tgname = 'Shout' ORDER BY 1::text";
  const std::string before = user_.ask(how);
  begin();  // of the table itself nothing fires
  ASSERT_THAT(stops(), SizeIs(1));
  const std::string fix = stops()[0].fix;
  const size_t at = fix.find("BEGIN;");
  ASSERT_NE(std::string::npos, at) << fix;
  user_.run(fix.substr(at, fix.find(" COMMIT;") + 8 - at));
  EXPECT_EQ(before, user_.ask(how));
  config_.datasets[0].triggers = "guarded";
  connect_target();
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 11 name=Ann"});
  user_.run("INSERT INTO customer VALUES (1, 'Bob'), (12, 'Cy'), (13, 'x')");
  EXPECT_EQ("1|Bob;11|Ann;12|CY;13|x", customers());
}

// The command names the table: neither fires for its partitions.
TEST_F(Triggered, WhatOfAPartitionFiresForNoRowOfTheTableIsNotNamed) {
  make_parts();
  user_.run("CREATE TRIGGER all_of_it AFTER INSERT ON low EXECUTE FUNCTION shout()");
  user_.run("CREATE RULE nothing AS ON INSERT TO low DO INSTEAD NOTHING");
  begin("fire");
  EXPECT_THAT(notes(), IsEmpty());
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
}

TEST_F(Triggered, OneThatFiresForTruncateAloneIsNoMatterOfOurs) {
  make_function();
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE TRIGGER gone BEFORE TRUNCATE ON customer EXECUTE FUNCTION shout()");
  user_.run("ALTER TABLE customer ENABLE ALWAYS TRIGGER gone");
  begin();
  EXPECT_THAT(notes(), IsEmpty());
  EXPECT_THAT(stops(), IsEmpty());
}

TEST_F(Triggered, OfAnHeirsThoseAreNamedThatAWriteToTheTableReaches) {
  make_function();
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE TABLE heir(PRIMARY KEY (id)) INHERITS (customer)");
  user_.run("CREATE TRIGGER first BEFORE INSERT ON heir FOR EACH ROW EXECUTE FUNCTION shout()");
  user_.run("CREATE TRIGGER later BEFORE UPDATE ON heir FOR EACH ROW EXECUTE FUNCTION shout()");
  begin("fire");
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_EQ("trigger later on public.heir fires for our writes too", notes()[0].what);
}

TEST_F(Triggered, ARuleThatRewritesOurWritesIsFoundAndMended) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text); CREATE TABLE seen(id int)");
  user_.run("CREATE RULE \"Watch\" AS ON UPDATE TO customer DO ALSO INSERT INTO seen VALUES (1)");
  begin();
  EXPECT_THAT(stops(), IsEmpty());
  ASSERT_THAT(notes(), SizeIs(1));
  EXPECT_THAT(notes()[0].what,
              HasSubstr("rule \"Watch\" on public.customer leaves our writes as they are"));
  apply({"put 1 name=Ann"});
  apply({"set 1 name=Anna"});
  EXPECT_EQ("0", user_.ask("SELECT count(*) FROM seen"));
  user_.run("ALTER TABLE customer ENABLE ALWAYS RULE \"Watch\"");
  connect_target();
  ASSERT_THAT(stops(), SizeIs(1));
  EXPECT_THAT(stops()[0].what, HasSubstr("rewrites our writes too"));
  expect_stopped({"put 2 name=Bob"});
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" or ")));
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 2 name=Bob"});
  EXPECT_EQ("1|Anna;2|Bob", customers());
}

TEST_F(Triggered, WhereTriggersFireARuleOfDeletesAloneIsAccepted) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE RULE kept AS ON DELETE TO customer DO INSTEAD NOTHING");
  begin("fire");
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 1 name=Ann"});
  apply({"delete 1"});
  EXPECT_EQ("1|Ann", customers());
  user_.run("CREATE RULE none AS ON INSERT TO customer DO ALSO NOTHING");
  ASSERT_THAT(stops(), SizeIs(1));
  user_.run(stops()[0].fix);
  EXPECT_THAT(stops(), IsEmpty());
}

TEST_F(Triggered, AForeignKeyThatIsSilentForOurWritesIsNamed) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run(
      "CREATE TABLE line(id int, customer bigint CONSTRAINT \"of customer\" REFERENCES customer ON "
      "DELETE CASCADE)");
  user_.run("INSERT INTO customer VALUES (1, 'Ann'), (2, 'Bob')");
  user_.run("INSERT INTO line VALUES (1, 1), (2, 2)");
  begin();
  ASSERT_THAT(silent_keys(), SizeIs(1));
  EXPECT_EQ(ports::Severity::kWarning, silent_keys()[0].severity);
  EXPECT_EQ(
      "foreign key \"of customer\" of public.line, which we do not write, is silent for our "
      "writes: where we delete a record of public.customer, or change its (id), what refers to it "
      "stays, though users' writes meet ON DELETE CASCADE ON UPDATE NO ACTION",
      silent_keys()[0].what);
  EXPECT_THAT(silent_keys()[0].fix, HasSubstr("sync public.line too; or triggers = \"fire\""));
  apply({"delete 1"});
  EXPECT_EQ("1;2", user_.ask("SELECT id FROM line ORDER BY 1"));
  config_.datasets[0].triggers = "fire";
  connect_target();
  EXPECT_THAT(silent_keys(), IsEmpty());
  apply({"delete 2"});
  EXPECT_EQ("1", user_.ask("SELECT id FROM line ORDER BY 1"));
  config_.datasets[0].triggers = "suppress";
  config_.datasets[0].direction = ports::Direction::kFrom;
  connect_target();
  EXPECT_THAT(silent_keys(), IsEmpty());
  config_.datasets[0].direction = ports::Direction::kBoth;
  user_.run("ALTER TABLE customer DISABLE TRIGGER ALL");  // users' writes meet nothing either
  connect_target();
  EXPECT_THAT(silent_keys(), IsEmpty());
}

TEST_F(Triggered, AForeignKeyOfATableThatWeWriteTooIsNotNamed) {
  make_parts();
  user_.run(
      "CREATE TABLE line(id bigint PRIMARY KEY, name text, customer bigint REFERENCES customer) "
      "PARTITION BY RANGE (id)");
  user_.run("CREATE TABLE few PARTITION OF line FOR VALUES FROM (0) TO (10)");
  begin();
  EXPECT_THAT(silent_keys(), SizeIs(1));  // not one a partition of either
  system_ = {};
  start({make_schema("customer", "id:int64 name:text"), make_schema("line", "id:int64 name:text")});
  EXPECT_THAT(silent_keys(), IsEmpty());
  config_.datasets[1].direction = ports::Direction::kFrom;
  connect_target();
  EXPECT_THAT(silent_keys(), SizeIs(1));
}

TEST_F(Triggered, AForeignKeyToATableThatWeDoNotWriteIsNamed) {
  make_parts();
  user_.run(
      "CREATE TABLE line(id bigint PRIMARY KEY, customer bigint CONSTRAINT of_customer REFERENCES "
      "customer, line bigint REFERENCES line) PARTITION BY RANGE (id)");
  user_.run("CREATE TABLE few PARTITION OF line FOR VALUES FROM (0) TO (10)");
  system_ = {};
  start({make_schema("line", "id:int64 customer:int64")});
  ASSERT_THAT(silent_keys(), SizeIs(1));
  EXPECT_EQ(
      "foreign key of_customer of public.line to public.customer, which we do not write, is silent "
      "for our writes: a record comes also where none has the (customer) that it refers to",
      silent_keys()[0].what);
  EXPECT_THAT(silent_keys()[0].fix, HasSubstr("sync public.customer too; or triggers = \"fire\""));
  apply({"put 1 customer=7"});
  EXPECT_EQ("7", user_.ask("SELECT customer FROM line"));
  config_.datasets[0].triggers = "fire";
  connect_target();
  EXPECT_THAT(silent_keys(), IsEmpty());
}

TEST_F(Triggered, ARoleThatMayNotBeAReplicaIsToldTheGrantForARule) {
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE RULE watch AS ON INSERT TO customer DO ALSO NOTHING");
  start({make_schema("customer", "id:int64 name:text")});
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run("GRANT ALL ON SCHEMA syncline TO plain");
  user_.run("GRANT ALL ON customer, syncline.syncline_checkpoint TO plain");
  config_.url = url("plain");
  connect_target();
  ASSERT_THAT(stops(), SizeIs(1));
  user_.run(stops()[0].fix.substr(0, stops()[0].fix.find(" or ")));
  connect_target();
  EXPECT_THAT(stops(), IsEmpty());
  apply({"put 1 name=Ann"});
  EXPECT_EQ("1|Ann", customers());
  system_ = {};
  user_.run("DROP OWNED BY plain; REVOKE SET ON PARAMETER session_replication_role FROM plain");
  user_.run("DROP ROLE plain");
}

}  // namespace
}  // namespace syncline::postgres
