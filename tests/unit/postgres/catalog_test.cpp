// What a database says of itself, and that each finding's SQL mends it.
#include "drivers/systems/postgres/detail/shared.hpp"
#include "drivers/systems/postgres/detail/triggers.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not, testing::SizeIs;

class Catalog : public PostgresTest {
 protected:
  // Without opening anything: the config alone.
  void describe(std::vector<model::Schema> schemas, const std::string& role = "postgres") {
    start_at(url(), std::move(schemas), "public.");
    system_.catalog->detach().value();
    config_.url = url(role);
    system_ = make_postgres(config_, system_clock()).value();
  }
  void forget_role(const std::string& role) {
    system_ = {};
    user_.run("DROP OWNED BY \"" + role + "\" CASCADE; DROP ROLE \"" + role + "\"");
  }
  std::vector<ports::Finding> stopping() {
    auto found = system_.catalog->findings();
    expect_ok(found);
    std::vector<ports::Finding> stops;
    for (const ports::Finding& finding : found.value()) {
      if (finding.severity == ports::Severity::kStops) stops.push_back(finding);
    }
    return stops;
  }
};

TEST_F(Catalog, TablesWithTypesAndKeys) {
  user_.run("CREATE TYPE mood AS ENUM ('happy'); CREATE DOMAIN price AS numeric(9,2) NOT NULL");
  user_.run(
      "CREATE TABLE customer(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name "
      "varchar(40) NOT NULL UNIQUE, nick text UNIQUE, mood mood, cost price, at "
      "timestamptz(3), tags int[], half numeric GENERATED ALWAYS AS (id / 2) STORED)");
  user_.run("CREATE SCHEMA \"odd.one\"; CREATE TABLE \"odd.one\".t(a int REFERENCES customer(id))");
  config_.appliance = "zurich";
  config_.name = "shop";
  config_.url = url();
  system_ = make_postgres(config_, system_clock()).value();
  const auto tables = system_.catalog->tables().value();
  ASSERT_THAT(tables, SizeIs(2));
  EXPECT_EQ("\"odd.one\".t", tables[0].name);
  EXPECT_THAT(tables[0].references, ElementsAre("public.customer"));
  EXPECT_EQ("public.customer", tables[1].name);
  EXPECT_THAT(tables[1].keys, ElementsAre(ElementsAre("id"), ElementsAre("name")));
  std::vector<std::string> types;
  for (const auto& column : tables[1].columns) types.push_back(model::to_string(column.type));
  EXPECT_THAT(types, ElementsAre("int64", "text(40)", "text", "enum", "decimal(9,2)",
                                 "timestamp(3)", "json", "decimal"));
  EXPECT_TRUE(tables[1].columns[7].is_generated);
}

TEST_F(Catalog, UniqueKeysWithWhatGivesThemUp) {
  user_.run(
      "CREATE TABLE u(a int PRIMARY KEY, b text, c text, d text, CONSTRAINT \"the one\" UNIQUE "
      "NULLS "
      "NOT DISTINCT (b)); CREATE UNIQUE INDEX \"two of\" ON u(d, c); CREATE UNIQUE INDEX ON "
      "u(lower(d)); "
      "CREATE UNIQUE INDEX ON u(d) WHERE c = 'x'");
  config_.url = url();
  system_ = make_postgres(config_, system_clock()).value();
  const auto uniques = system_.catalog->tables().value().at(0).uniques;
  ASSERT_THAT(uniques, SizeIs(3));
  EXPECT_FALSE(uniques[0].are_nulls_equal);
  EXPECT_THAT(uniques[2].columns, ElementsAre("d", "c"));
  EXPECT_EQ("DROP INDEX \"public\".\"two of\";", uniques[2].drop);
  EXPECT_TRUE(uniques[1].are_nulls_equal);
  EXPECT_EQ("ALTER TABLE \"public\".\"u\" DROP CONSTRAINT \"the one\";", uniques[1].drop);
}

TEST_F(Catalog, NamesOfOursAreValidAndDistinct) {
  EXPECT_EQ("syncline_zurich_shop", object_name("zurich", "shop"));
  const std::string odd = object_name("Zürich-1", "SHOP");
  EXPECT_EQ(std::string::npos, odd.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"));
  EXPECT_NE(object_name("a_b", "c"), object_name("a", "b_c"));
  EXPECT_NE(object_name(std::string(63, 'a'), std::string(63, 'b')),
            object_name(std::string(63, 'a'), std::string(63, 'c')));
  EXPECT_GE(55U, object_name(std::string(63, 'a'), std::string(63, 'b')).size());
}

TEST_F(Catalog, APlainRoleIsToldEverythingItLacksAndTheSqlMendsIt) {
  user_.run("DROP ROLE IF EXISTS plain");
  user_.run("CREATE ROLE plain LOGIN");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name text)");
  user_.run("CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$");
  user_.run("CREATE TRIGGER watch BEFORE UPDATE ON customer FOR EACH ROW EXECUTE FUNCTION f()");
  describe({make_schema("customer", "id:int64 name:text")}, "plain");
  const auto stops = stopping();
  EXPECT_THAT(stops, SizeIs(5));  // replicate, create, own, read and write, triggers
  for (const ports::Finding& finding : stops) {
    std::string sql = finding.fix.substr(0, finding.fix.find("; or"));
    user_.run(sql);
  }
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");
  apply({"set 1 name=Anna"});
  EXPECT_THAT(take(3), ElementsAre("insert 1 name=Ann", marker(1), "ours update 1 name=Anna"));
  expect_ok(system_.catalog->detach());
  system_ = {};
  user_.run(
      "DROP OWNED BY plain; REVOKE SET ON PARAMETER session_replication_role FROM plain; DROP "
      "ROLE plain");
}

// Each default is taken as it is printed, and lets a record in.
TEST_F(Catalog, WhatEveryNewRecordLacksIsGivenADefaultThatFits) {
  user_.run("CREATE TYPE mood AS ENUM ('it''s fine', 'sad'); CREATE DOMAIN price AS numeric(9,2)");
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, name text, a int NOT NULL, b varchar(3) NOT "
      "NULL, c boolean NOT NULL, d date NOT NULL, e time NOT NULL, f timestamptz NOT NULL, g "
      "interval NOT NULL, h text[] NOT NULL, i int4range NOT NULL, j mood NOT NULL, k uuid NOT "
      "NULL, l jsonb NOT NULL, m bytea NOT NULL, n bit(3) NOT NULL, o varbit(3) NOT NULL, p money "
      "NOT NULL, q price NOT NULL, \"R\" json NOT NULL, s char(2) NOT NULL, t xml NOT NULL)");
  describe({make_schema("customer", "id:int64 name:text")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(20));
  for (const ports::Finding& finding : stops) {
    if (finding.what.starts_with("column t ")) {
      EXPECT_THAT(finding.fix, HasSubstr("DROP NOT NULL; or a default, or sync it too"));
      user_.run(finding.fix.substr(0, finding.fix.find("; or")));
      continue;
    }
    const size_t at = finding.fix.find("; or ALTER TABLE") + 5;
    const size_t end = finding.fix.find("; or another default");
    ASSERT_NE(std::string::npos, end) << finding.fix;
    user_.run(finding.fix.substr(at, end - at));
  }
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  apply({"put 1 name=Ann"});
  EXPECT_EQ("it's fine|000|Ann", user_.ask("SELECT j, n, name FROM customer"));
}

TEST_F(Catalog, HeirsAreTakenAwayByTheSqlThatIsPrinted) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY); CREATE SCHEMA \"Old\"");
  user_.run("CREATE TABLE \"Old\".heir(PRIMARY KEY (id)) INHERITS (customer)");
  user_.run("CREATE TABLE heir() INHERITS (customer)");
  describe({make_schema("customer", "id:int64")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("has heirs"));
  user_.run(stops[0].fix.substr(0, stops[0].fix.find(" and sync")));
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, AnOwnerStaysWhoItIs) {
  user_.run("DROP ROLE IF EXISTS plain; DROP ROLE IF EXISTS \"the app\"");
  user_.run("CREATE ROLE plain LOGIN REPLICATION; CREATE ROLE \"the app\" LOGIN");
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  user_.run("ALTER TABLE customer OWNER TO \"the app\"");
  describe({make_schema("customer", "id:int64")}, "plain");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(2));
  EXPECT_EQ("GRANT \"the app\" TO \"plain\";", stops[0].fix);
  user_.run(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  user_.run("SET ROLE \"the app\"; SELECT * FROM customer; RESET ROLE");
  forget_role("plain");
  forget_role("the app");
}

TEST_F(Catalog, RightsThatADirectionDoesNotNeedAreNotAskedFor) {
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run("CREATE SCHEMA \"Odd\"; CREATE TABLE \"Odd\".customer(id bigint PRIMARY KEY)");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")}, "plain");
  config_.datasets[0].table = "Odd.customer";
  config_.datasets[0].direction = ports::Direction::kFrom;
  config_.datasets[0].capture = ports::Capture::kScan;
  system_ = make_postgres(config_, system_clock()).value();
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(2));
  EXPECT_EQ("GRANT USAGE ON SCHEMA \"Odd\" TO \"plain\";", stops[0].fix);
  EXPECT_EQ("GRANT SELECT ON \"Odd\".\"customer\" TO \"plain\";", stops[1].fix);
  for (const ports::Finding& finding : stops) user_.run(finding.fix);
  EXPECT_THAT(stopping(), IsEmpty());
  forget_role("plain");
}

TEST_F(Catalog, RowsThatRowSecurityHidesStopTheDataset) {
  user_.run("DROP ROLE IF EXISTS plain; CREATE ROLE plain LOGIN REPLICATION");
  user_.run("GRANT CREATE ON DATABASE " + database_ + " TO plain");
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  user_.run("ALTER TABLE customer OWNER TO plain; ALTER TABLE customer ENABLE ROW LEVEL SECURITY");
  user_.run("ALTER TABLE customer FORCE ROW LEVEL SECURITY");
  user_.run("CREATE POLICY first ON customer USING (id = 1)");
  describe({make_schema("customer", "id:int64")}, "plain");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_EQ("ALTER ROLE \"plain\" BYPASSRLS;", stops[0].fix);
  expect_ok(system_.source->open({}));
  poll_until([this] { return !stopped_.empty(); });
  ASSERT_THAT(stopped_, SizeIs(1));
  EXPECT_EQ(stops[0].fix, stopped_[0].error.fix);
  user_.run(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  expect_ok(system_.catalog->detach());
  forget_role("plain");
}

TEST_F(Catalog, HeirsStopTheDatasetForTheirLogIsTheirOwn) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  user_.run("CREATE TABLE vip(note text) INHERITS (customer)");
  describe({make_schema("customer", "id:int64")});
  ASSERT_THAT(stopping(), SizeIs(1));
  EXPECT_THAT(stopping()[0].what, HasSubstr("public.customer has heirs"));
  user_.run("ALTER TABLE vip NO INHERIT customer");
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, AColumnThatNoRecordOfOursFillsStopsTheDataset) {
  user_.run("CREATE DOMAIN given AS int DEFAULT 7");
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, \"Tax no\" int NOT NULL, a int NOT NULL "
      "DEFAULT 1, b int NOT NULL GENERATED ALWAYS AS IDENTITY, c given NOT NULL, d bigint NOT NULL "
      "GENERATED ALWAYS AS (id) STORED)");
  describe({make_schema("customer", "id:int64")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  user_.run(stops[0].fix.substr(0, stops[0].fix.find("; or")));
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, LimitsThatAreReachedAreRaisedNotLowered) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")});
  const int limit = std::stoi(user_.ask("SHOW max_replication_slots"));
  user_.run("SELECT pg_create_physical_replication_slot('taken' || i) FROM generate_series(1, " +
            std::to_string(limit) + ") i");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].fix, testing::StartsWith("ALTER SYSTEM SET max_replication_slots = " +
                                                std::to_string(limit + 10) + ";"));
}

TEST_F(Catalog, NumbersThatAreNoKeyOrThatADefaultMakesSomethingOfAreWarnedOf) {
  user_.run(
      "CREATE SEQUENCE s; CREATE TABLE customer(id text PRIMARY KEY DEFAULT 'A-' || nextval('s'), "
      "no bigserial)");
  describe({make_schema("customer", "id:text no:int64")});
  config_.datasets[0].maker_count = 2;
  system_ = make_postgres(config_, system_clock()).value();
  EXPECT_THAT(stopping(), IsEmpty());
  std::vector<std::string> told;
  const auto found = system_.catalog->findings().value();
  for (const ports::Finding& finding : found) {
    if (finding.what.find("is numbered by") != std::string::npos) told.push_back(finding.what);
  }
  EXPECT_THAT(told, ElementsAre(HasSubstr("key column id"), HasSubstr("column no of")));
}

TEST_F(Catalog, StatementsForPeopleNameWhatIsMeant) {
  const ports::SqlQuotes quotes = sql_quotes();
  user_.run("CREATE TABLE \"Odd one\"(\"user\" text, \"a\"\"b\" bytea)");
  user_.run("INSERT INTO \"Odd one\" VALUES ('O''Neil\\', '\\x01'), ('admin', '\\x02')");
  user_.run("DELETE FROM " + quotes.table("Odd one") + " WHERE " + quotes.name("user") + " = " +
            quotes.text("O'Neil\\") + " AND " + quotes.name("a\"b") + " = " + quotes.bytes("01"));
  EXPECT_EQ("admin", user_.ask("SELECT \"user\" FROM \"Odd one\""));
}

TEST_F(Catalog, IdentityFindingsAreMendedByTheirSql) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, mail text NOT NULL UNIQUE)");
  describe({make_schema("customer", "mail:text id:int64")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  user_.run(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, AKeyThatTwoRowsMayShareForAMomentStopsTheDatasetAndItsSqlMendsIt) {
  for (const char* identity : {"DEFAULT", "FULL"}) {
    SCOPED_TRACE(identity);
    user_.run("DROP TABLE IF EXISTS customer");
    user_.run("CREATE TABLE customer(id bigint PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)");
    user_.run("ALTER TABLE customer REPLICA IDENTITY " + std::string(identity));
    describe({make_schema("customer", "id:int64")});
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1));
    EXPECT_THAT(stops[0].what, HasSubstr("two records of public.customer may share a key"));
    user_.run(stops[0].fix.substr(0, stops[0].fix.find(" or, ")));
    EXPECT_THAT(stopping(), IsEmpty());
    user_.run("INSERT INTO customer VALUES (1), (2)");
    EXPECT_EQ("23505", user_.error_of("UPDATE customer SET id = 3 - id"));
  }
}

TEST_F(Catalog, AKeyThatTwoRowsMayShareIsNoMatterToScansOfATableThatWeDoNotWrite) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY DEFERRABLE)");
  describe({make_schema("customer", "id:int64")});
  const auto stopping_with = [this](ports::Direction direction, ports::Capture capture) {
    config_.datasets[0].direction = direction;
    config_.datasets[0].capture = capture;
    system_ = make_postgres(config_, system_clock()).value();
    return stopping();
  };
  EXPECT_THAT(stopping_with(ports::Direction::kFrom, ports::Capture::kScan), IsEmpty());
  EXPECT_THAT(stopping_with(ports::Direction::kFrom, ports::Capture::kLog), SizeIs(1));
  EXPECT_THAT(stopping_with(ports::Direction::kBoth, ports::Capture::kScan), SizeIs(1));
  const auto stops = stopping_with(ports::Direction::kTo, ports::Capture::kLog);
  ASSERT_THAT(stops, SizeIs(1));
  user_.run(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, AnIndexOfPartOfTheKeyKeepsRecordsApartToo) {
  user_.run("CREATE TABLE line(list int UNIQUE, place int, PRIMARY KEY (list, place) DEFERRABLE)");
  user_.run("ALTER TABLE line REPLICA IDENTITY FULL");
  describe({make_schema("line", "list:int64 place:int64", 2)});
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, PartitionsWhoseRecordsMayShareAKeyAreMendedInTwoSteps) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY DEFERRABLE) PARTITION BY RANGE (id); CREATE "
      "TABLE low PARTITION OF customer FOR VALUES FROM (0) TO (9)");
  describe({make_schema("customer", "id:int64")});
  for (const char* wanted : {"CREATE UNIQUE INDEX", "ALTER TABLE \"public\".\"low\""}) {
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1));
    EXPECT_THAT(stops[0].fix, testing::StartsWith(wanted));
    user_.run(stops[0].fix.substr(0, stops[0].fix.find(" or, ")));
  }
  EXPECT_THAT(stopping(), IsEmpty());
}

// One that was there before is made a part of the table's own, whatever it allows.
TEST_F(Catalog, ASinglePartitionWhoseRecordsMayShareAKeyStopsTheDataset) {
  user_.run(
      "CREATE TABLE low(id bigint PRIMARY KEY DEFERRABLE); ALTER TABLE low REPLICA IDENTITY FULL; "
      "CREATE TABLE customer(id bigint PRIMARY KEY) PARTITION BY RANGE (id); ALTER TABLE customer "
      "ATTACH PARTITION low FOR VALUES FROM (0) TO (9)");
  describe({make_schema("customer", "id:int64")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].fix, HasSubstr(" ON \"public\".\"low\" (\"id\")"));
  user_.run(stops[0].fix.substr(0, stops[0].fix.find(" or, ")));
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, UnloggedTablesAreInNoLog) {
  user_.run("CREATE UNLOGGED TABLE customer(id bigint PRIMARY KEY)");
  user_.run("CREATE TABLE stand_in(id bigint PRIMARY KEY)");
  describe({make_schema("stand_in", "id:int64")});
  config_.datasets[0].table = "public.customer";
  system_ = make_postgres(config_, system_clock()).value();
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_EQ("ALTER TABLE \"public\".\"customer\" SET LOGGED;", stops[0].fix);
}

TEST_F(Catalog, NumberedKeysOfTwoSystemsNeedRangesOfTheirOwnAndTheSqlMakesThem) {
  user_.run("CREATE TABLE customer(id bigserial PRIMARY KEY)");
  user_.run("INSERT INTO customer SELECT FROM generate_series(1, 30)");
  user_.run("DELETE FROM customer WHERE id > 10");  // their numbers were given all the same
  describe({make_schema("customer", "id:int64")});
  EXPECT_THAT(stopping(), IsEmpty());  // nobody else makes records
  config_.datasets[0].maker_count = 2;
  for (const size_t index : {size_t{0}, size_t{1}}) {
    config_.datasets[0].maker_index = index;
    system_ = make_postgres(config_, system_clock()).value();
    user_.run("ALTER SEQUENCE customer_id_seq INCREMENT BY 1");
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1));
    EXPECT_THAT(stops[0].what, HasSubstr("two would share a number"));
    user_.run(stops[0].fix.substr(0, stops[0].fix.find(" Or numbers")));
    EXPECT_THAT(stopping(), IsEmpty());
    const int given = std::stoi(user_.ask("SELECT nextval('customer_id_seq')"));
    EXPECT_GT(given, 30);
    EXPECT_EQ(static_cast<int>(index), given % 2);
  }
  config_.datasets[0].maker_index = 0;  // and not the other's numbers either
  system_ = make_postgres(config_, system_clock()).value();
  EXPECT_THAT(stopping(), SizeIs(1));
}

TEST_F(Catalog, ASequenceThatAKeyDoesNotOwnIsNamedAndMended) {
  user_.run(
      "CREATE SEQUENCE \"Odd one\"; CREATE TABLE customer(id bigint PRIMARY KEY DEFAULT "
      "nextval('\"Odd one\"'))");
  describe({make_schema("customer", "id:int64")});
  config_.datasets[0].maker_count = 2;
  system_ = make_postgres(config_, system_clock()).value();
  EXPECT_THAT(stopping(), IsEmpty());
  const auto found = system_.catalog->findings().value();
  const auto unowned = std::find_if(found.begin(), found.end(), [](const auto& finding) {
    return finding.fix.starts_with("ALTER SEQUENCE");
  });
  ASSERT_NE(found.end(), unowned);
  user_.run(unowned->fix.substr(0, unowned->fix.find("; then")));
  const auto stops = stopping();  // what it is can be told now, and mended
  ASSERT_THAT(stops, SizeIs(1));
  user_.run(stops[0].fix.substr(0, stops[0].fix.find(" Or numbers")));
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, WhatHoldsTheOldestSnapshotIsNamedWithTheSqlThatEndsIt) {
  start_customers();
  User reader(database_);
  reader.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM customer");
  User writer(database_);
  writer.run("INSERT INTO customer VALUES (8, 'h'), (9, 'i')");  // later than the snapshot
  const std::string pid = reader.ask("SELECT pg_backend_pid()");
  const auto held = [this] {
    const auto found = system_.catalog->findings().value();
    for (const ports::Finding& finding : found) {
      if (finding.what.starts_with("the oldest snapshot is held by ")) return finding;
    }
    return ports::Finding{};
  };
  EXPECT_THAT(held().what, HasSubstr("the transaction of pid " + pid + " of role postgres, open"));
  EXPECT_EQ(ports::Severity::kNote, held().severity);
  user_.run(held().fix.substr(held().fix.find("SELECT")));
  EXPECT_THAT(held().what, Not(HasSubstr("pid " + pid)));
}

TEST_F(Catalog, ARoleThatSeesNoSnapshotsIsToldWhatItNeeds) {
  user_.run(
      "DROP ROLE IF EXISTS blind; CREATE ROLE blind LOGIN; CREATE TABLE customer(id bigint "
      "PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")}, "blind");
  const auto grants = [this] {
    std::vector<std::string> fixes;
    const auto found = system_.catalog->findings().value();
    for (const ports::Finding& finding : found) {
      if (finding.what.find("an old snapshot") != std::string::npos) fixes.push_back(finding.fix);
    }
    return fixes;
  };
  ASSERT_THAT(grants(), ElementsAre("GRANT pg_read_all_stats TO blind;"));
  user_.run(grants()[0]);
  EXPECT_THAT(grants(), IsEmpty());
  system_ = {};
  user_.run("DROP ROLE blind");
}

TEST_F(Catalog, ServersBefore15HaveNoGrantForTriggers) {
  EXPECT_EQ("GRANT SET ON PARAMETER session_replication_role TO sync;", quiet_sql(150018, "sync"));
  EXPECT_THAT(quiet_sql(140022, "sync"), testing::StartsWith("ALTER ROLE sync SUPERUSER;"));
}

TEST_F(Catalog, ANumberedKeyThatIsOnlyWrittenHereMeetsNothing) {
  user_.run("CREATE TABLE customer(id bigserial PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")});
  config_.datasets[0].maker_count = 2;
  config_.datasets[0].direction = ports::Direction::kTo;
  system_ = make_postgres(config_, system_clock()).value();
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, TheLogThatIsKeptForUsIsNamed) {
  start_customers();
  const auto found = system_.catalog->findings().value();
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const ports::Finding& finding) {
    return finding.severity == ports::Severity::kNote &&
           finding.what.find("MiB of log for slot syncline_zurich_shop (reserved)") !=
               std::string::npos;
  }));
}

TEST_F(Catalog, DetachRemovesEverythingOfOursAndNothingElse) {
  start_customers();
  user_.run("CREATE PUBLICATION theirs FOR TABLE customer");
  apply({"put 1 name=Ann mail=NULL"});
  auto removed = system_.catalog->detach().value();
  // Servers from 16 on have an origin of ours, named after the database's number.
  std::erase_if(removed, [](const std::string& what) {
    return what.starts_with("origin syncline_zurich_shop@");
  });
  EXPECT_THAT(removed, ElementsAre("slot syncline_zurich_shop", "publication syncline_zurich_shop",
                                   "table syncline.syncline_checkpoint", "schema syncline"));
  EXPECT_EQ("theirs", user_.ask("SELECT pubname FROM pg_publication"));
  EXPECT_EQ("", user_.ask("SELECT slot_name FROM pg_replication_slots"));
  EXPECT_EQ("1|Ann|NULL", user_.ask("SELECT * FROM customer"));
  EXPECT_THAT(system_.catalog->detach().value(), IsEmpty());
}

TEST_F(Catalog, DetachLeavesTheCheckpointsOfOtherAppliances) {
  start_customers();
  user_.run("INSERT INTO syncline.syncline_checkpoint VALUES ('other', 'shop', 1, 5, 0, 0)");
  expect_ok(system_.catalog->detach());
  EXPECT_EQ("other", user_.ask("SELECT appliance FROM syncline.syncline_checkpoint"));
}

TEST_F(Catalog, SettingsThatAreNotBuiltAreConfigErrors) {
  start_customers();
  config_.datasets[0].where = "id > 5";
  EXPECT_EQ(ErrorCode::kConfigValue, make_postgres(config_, system_clock()).error().code);
}

}  // namespace
}  // namespace syncline::postgres
