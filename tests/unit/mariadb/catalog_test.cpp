// What a database says of itself, and that each finding's SQL mends it.
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "tests/unit/mariadb/catalog_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

TEST_F(Catalog, TablesWithTypesAndKeys) {
  user_.run(
      "CREATE TABLE customer(id bigint unsigned AUTO_INCREMENT PRIMARY KEY, name varchar(40) "
      "NOT NULL UNIQUE, nick text UNIQUE, mood enum('a'), cost decimal(9,2), at timestamp(3) "
      "NULL, tags json, half int AS (cost / 2) STORED, flag tinyint(1), code char(3), small "
      "mediumint unsigned, f float, u uuid, i inet6, b bit(5), p point, bin binary(4), vb "
      "varbinary(4), y year, s set('q'), t time(2), d datetime)",
      "CREATE TABLE child(a int PRIMARY KEY, c bigint unsigned REFERENCES customer(id))",
      "CREATE VIEW v AS SELECT 1", "CREATE SEQUENCE numbers");
  look();
  const auto tables = system_.catalog->tables().value();
  ASSERT_THAT(tables, SizeIs(4));
  EXPECT_EQ("numbers: it is a sequence", tables[2].name + ": " + tables[2].unread);
  EXPECT_EQ("v: it is a view", tables[3].name + ": " + tables[3].unread);
  EXPECT_EQ("child", tables[0].name);
  EXPECT_THAT(tables[0].references, ElementsAre("customer"));
  EXPECT_EQ("customer", tables[1].name);
  EXPECT_THAT(tables[1].keys, ElementsAre(ElementsAre("id"), ElementsAre("name")));
  std::vector<std::string> types;
  for (const auto& column : tables[1].columns) types.push_back(model::to_string(column.type));
  EXPECT_THAT(types, ElementsAre("uint64", "text(40)", "text", "enum", "decimal(9,2)",
                                 "timestamp(3)", "json", "int64", "int64", "char(3)", "int64",
                                 "float32", "uuid", "inet", "bit(5)", "spatial", "bytes(4)",
                                 "bytes", "year", "set", "time(2)", "datetime(0)"));
  EXPECT_TRUE(tables[1].columns[7].is_generated);
}

// As SQL makes one, with a period of its own, and in partitions; what is printed mends each.
TEST_F(Catalog, ASystemVersionedTableIsNamedAndTheSqlMakesItAPlainOne) {
  for (const char* made :
       {"(id bigint PRIMARY KEY, name varchar(20)) WITH SYSTEM VERSIONING",
        "(id bigint PRIMARY KEY, name varchar(20), b timestamp(6) GENERATED ALWAYS AS ROW START, e "
        "timestamp(6) GENERATED ALWAYS AS ROW END, PERIOD FOR SYSTEM_TIME(b, e)) WITH SYSTEM "
        "VERSIONING",
        "(id bigint PRIMARY KEY, name varchar(20)) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME "
        "(PARTITION h HISTORY, PARTITION c CURRENT)"}) {
    user_.run(std::string("CREATE OR REPLACE TABLE customer") + made,
              "INSERT INTO customer(id, name) VALUES (1, 'Ann')",
              "UPDATE customer SET name = 'Anna'");
    describe({make_schema("customer", "id:int64 name:text")});
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1)) << made;
    EXPECT_THAT(stops[0].what, HasSubstr("table customer cannot be synced: it is "
                                         "system-versioned"));
    EXPECT_THAT(stops[0].fix, HasSubstr("drops its history"));
    EXPECT_EQ(stops[0].fix, system_.catalog->tables().value()[0].unread_fix);
    mend(stops[0].fix);
    EXPECT_THAT(stopping(), IsEmpty()) << made;
    EXPECT_EQ("1|Anna", user_.ask("SELECT * FROM customer"));
  }
}

TEST_F(Catalog, KeysAreAsCoarseAsTheirCollation) {
  user_.run(
      "CREATE TABLE k(a varchar(9) COLLATE utf8mb4_general_ci, b varchar(9) COLLATE "
      "utf8mb4_bin, c varchar(9) COLLATE utf8mb4_nopad_bin, d varbinary(9), e int, f "
      "varchar(9) COLLATE utf8mb4_unicode_520_nopad_ci)");
  look();
  const auto tables = system_.catalog->tables().value();
  std::vector<model::KeyEquivalence> found;
  for (const auto& column : tables[0].columns) found.push_back(column.equivalence);
  using enum model::KeyEquivalence;
  EXPECT_THAT(found, ElementsAre(kAsciiCaseInsensitive, kTrailingSpaces, kBytes, kBytes, kBytes,
                                 kAsciiCaseInsensitive));
}

TEST_F(Catalog, AColumnWhoseCharacterSetIsNarrowIsNamedAndTheSqlKeepsAllElseOfIt) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, a varchar(9) CHARACTER SET latin1 COLLATE "
      "latin1_bin NOT NULL DEFAULT 'x, y' COMMENT 'it''s, said', b text, c varchar(9) CHARACTER "
      "SET utf8mb4, d char(36) CHARACTER SET ascii, e enum('x', 'y')) CHARACTER SET utf8mb3");
  describe({make_schema("customer", "id:int64 a:text b:text c:text d:uuid e:text")});
  std::vector<ports::Finding> narrow;
  for (const ports::Finding& finding : findings(ports::Severity::kNote)) {
    if (finding.narrow_text) narrow.push_back(finding);
  }
  ASSERT_THAT(narrow, SizeIs(2));
  EXPECT_EQ(
      "ALTER TABLE `customer` MODIFY `a` varchar(9) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT "
      "NULL DEFAULT 'x, y' COMMENT 'it''s, said';",
      narrow[0].fix);
  EXPECT_THAT(narrow[1].what, HasSubstr("column b of customer has the character set utf8mb3"));
  for (const ports::Finding& finding : narrow) mend(finding.fix);
  EXPECT_EQ("utf8mb4_bin;utf8mb4_general_ci",
            user_.ask("SELECT COLLATION_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = "
                      "DATABASE() AND COLUMN_NAME IN ('a', 'b') ORDER BY COLUMN_NAME"));
  for (const ports::Finding& finding : findings(ports::Severity::kNote)) {
    EXPECT_FALSE(finding.narrow_text) << finding.fix;
  }
}

TEST_F(Catalog, APlainUserIsToldEverythingItLacksAndTheSqlMendsIt) {
  user_.run("CREATE OR REPLACE USER plain", "GRANT USAGE ON *.* TO plain",
            "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20))",
            "CREATE TRIGGER watch BEFORE UPDATE ON customer FOR EACH ROW SET NEW.name = NEW.name",
            "GRANT SELECT ON " + database_ + ".customer TO plain");
  describe({make_schema("customer", "id:int64 name:text")}, "plain");
  auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(4));  // replicate, create, write, see the triggers
  EXPECT_EQ("GRANT REPLICATION SLAVE ON *.* TO 'plain'@'%';", stops[0].fix);
  EXPECT_EQ(
      "GRANT SELECT, INSERT, UPDATE, DELETE ON `" + database_ + "`.`customer` TO 'plain'@'%';",
      stops[2].fix);
  for (size_t i = 0; i < 3; ++i) mend(stops[i].fix);
  expect_blind_to_triggers();
  mend(stops[3].fix);
  stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("trigger watch (BEFORE UPDATE) on customer fires"));
  const auto kept = findings(ports::Severity::kWarning);
  ASSERT_THAT(kept, SizeIs(1));
  EXPECT_THAT(kept[0].what, HasSubstr("column name of customer is set by every UPDATE"));
  EXPECT_EQ(1u, kept[0].kept_field);
  config_.datasets[0].triggers = "fire";
  system_ = make_mariadb(config_, system_clock()).value();
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  user_.run("INSERT INTO customer VALUES (1, 'Ann')");
  apply({"set 1 name=Anna"});
  EXPECT_THAT(take(3), ElementsAre("insert 1 name=Ann", marker(1), "ours update 1 name=Anna"));
  expect_ok(system_.catalog->detach());
  system_ = {};
  user_.run("DROP USER plain");
}

// As the client takes what `plan` prints: DELIMITER is its own word.
std::string between(const std::string& text, const std::string& begin, const std::string& end) {
  const size_t from = text.find(begin) + begin.size();
  return text.substr(from, text.find(end, from) - from);
}

TEST_F(Catalog, AGuardedTriggerLeavesOurWritesAlone) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20), at int DEFAULT 0)",
            "CREATE TRIGGER first BEFORE UPDATE ON customer FOR EACH ROW SET NEW.at = NEW.at + 1",
            "CREATE TRIGGER second BEFORE UPDATE ON customer FOR EACH ROW BEGIN -- twice\n IF "
            "NEW.at > 0 THEN SET NEW.at = NEW.at * 2; END IF; END");
  describe({make_schema("customer", "id:int64 name:text")});
  config_.datasets[0].triggers = "guarded";
  system_ = make_mariadb(config_, system_clock()).value();
  auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(2));
  for (const auto& finding : stops) {
    user_.run(between(finding.fix, "", ";"), between(finding.fix, "; ", ";"),
              between(finding.fix, "DELIMITER //\n", "//\n"));
  }
  EXPECT_THAT(stopping(), IsEmpty());
  connect();
  user_.run("INSERT INTO customer VALUES (1, 'Ann', 0)");
  apply({"set 1 name=Anna"});
  EXPECT_EQ("Anna|0", user_.ask("SELECT name, at FROM customer"));
  user_.run("UPDATE customer SET name = 'Ann'");
  EXPECT_EQ("Ann|2", user_.ask("SELECT name, at FROM customer"));  // in their order
  user_.run("CREATE TRIGGER third AFTER UPDATE ON customer FOR EACH ROW DO 1 -- @syncline");
  stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("trigger third (AFTER UPDATE) on customer fires"));
}

TEST_F(Catalog, TheServersSettingsAreNamedAndMendedByTheirSql) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")});
  EXPECT_THAT(stopping(), IsEmpty());
  user_.run("SET GLOBAL binlog_format = 'MIXED'", "SET GLOBAL binlog_row_image = 'MINIMAL'",
            "SET GLOBAL binlog_row_metadata = 'NO_LOG'", "SET GLOBAL sync_binlog = 0",
            "SET GLOBAL log_bin_compress = 1", "SET GLOBAL binlog_checksum = 'NONE'");
  const auto stops = stopping();
  EXPECT_THAT(stops, SizeIs(5));
  for (const auto& finding : stops) mend(finding.fix);
  EXPECT_THAT(stopping(), IsEmpty());
  EXPECT_EQ("1", user_.ask("SELECT @@global.sync_binlog"));
  user_.run("SET GLOBAL log_bin_compress = 0");
}

TEST_F(Catalog, CascadesAreRefusedAndMended) {
  user_.run("CREATE TABLE city(id bigint PRIMARY KEY, n int, UNIQUE (id, n))",
            "CREATE TABLE customer(id bigint PRIMARY KEY, city bigint, n int, CONSTRAINT lives "
            "FOREIGN KEY (city, n) REFERENCES city(id, n) ON DELETE CASCADE ON UPDATE SET NULL)");
  describe({make_schema("customer", "id:int64 city:int64"), make_schema("city", "id:int64")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_EQ("customer", stops[0].dataset);
  EXPECT_THAT(stops[0].what, HasSubstr("ON DELETE CASCADE ON UPDATE SET NULL of city"));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  EXPECT_EQ("RESTRICT|RESTRICT", user_.ask("SELECT DELETE_RULE, UPDATE_RULE FROM "
                                           "information_schema.REFERENTIAL_CONSTRAINTS WHERE "
                                           "CONSTRAINT_SCHEMA = DATABASE()"));
}

TEST_F(Catalog, CascadesAreNoMatterWhereTheTableIsScanned) {
  user_.run("CREATE TABLE city(id bigint PRIMARY KEY)",
            "CREATE TABLE customer(id bigint PRIMARY KEY, city bigint, FOREIGN KEY (city) "
            "REFERENCES city(id) ON DELETE CASCADE)");
  describe({make_schema("customer", "id:int64 city:int64")});
  EXPECT_THAT(stopping(), SizeIs(1));
  config_.datasets[0].capture = ports::Capture::kScan;
  system_ = make_mariadb(config_, system_clock()).value();
  EXPECT_THAT(stopping(), IsEmpty());
}

// information_schema.REFERENTIAL_CONSTRAINTS shows such a user nothing.
TEST_F(Catalog, CascadesAreSeenWithRightsOnTablesAlone) {
  const std::string rights = "GRANT SELECT, INSERT, UPDATE, DELETE, TRIGGER ON ";
  user_.run("CREATE OR REPLACE USER plain", "CREATE TABLE city(id bigint PRIMARY KEY)",
            "CREATE TABLE customer(id bigint PRIMARY KEY, city bigint, other bigint, CONSTRAINT "
            "lives FOREIGN KEY (city) REFERENCES city(id) ON DELETE SET NULL, CONSTRAINT likes "
            "FOREIGN KEY (other) REFERENCES city(id))",
            rights + "customer TO plain", rights + "city TO plain",
            "GRANT REPLICATION SLAVE ON *.* TO plain",
            "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON syncline_checkpoint TO plain");
  describe({make_schema("customer", "id:int64 city:int64")}, "plain");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  EXPECT_THAT(stops[0].what, HasSubstr("foreign key lives of customer"));
  EXPECT_THAT(stops[0].what, HasSubstr("ON DELETE SET NULL ON UPDATE RESTRICT of city"));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  system_ = {};
  user_.run("DROP USER plain");
}

TEST_F(Catalog, KeysAndEnginesThatCannotBeUsedAreMended) {
  user_.run("CREATE TABLE customer(id bigint PRIMARY KEY, mail varchar(20))",
            "CREATE TABLE stand_in(id bigint PRIMARY KEY)");
  describe({make_schema("customer", "mail:text id:int64")});
  auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix);
  stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  user_.run("ALTER TABLE customer ENGINE = MyISAM");
  stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST_F(Catalog, ColumnsThatEveryUpdateSetsAreWarnedOf) {
  user_.run(
      "CREATE TABLE customer(id bigint AUTO_INCREMENT PRIMARY KEY, at timestamp DEFAULT "
      "current_timestamp() ON UPDATE current_timestamp())");
  describe({make_schema("customer", "id:int64 at:timestamp(0)")});
  EXPECT_THAT(stopping(), IsEmpty());  // nobody else makes records
  const auto warnings = findings(ports::Severity::kWarning);
  ASSERT_THAT(warnings, SizeIs(1));
  EXPECT_EQ(1u, warnings[0].kept_field);
}

// Of three systems that make records, this is each in turn. Sessions take the server's settings
// when they begin.
class Numbers : public Catalog {
 protected:
  ~Numbers() override {
    user_.run("SET GLOBAL auto_increment_increment = 1", "SET GLOBAL auto_increment_offset = 1");
  }
  void be_maker(size_t index) {
    config_.datasets[0].maker_count = 3;
    config_.datasets[0].maker_index = index;
    system_ = make_mariadb(config_, system_clock()).value();
  }
  // Rows of a user who connects now, between records that we bring from elsewhere.
  void expect_numbers_of(size_t index) {
    User clerk(database_);
    connect();
    for (int brought = 1; brought < 30; brought += 10) {
      apply({"put " + std::to_string(200 + brought) + " name=brought"});
      clerk.run("INSERT INTO customer(name) VALUES ('own')",
                "INSERT INTO customer(name) VALUES "
                "('own'), ('own')");
    }
    EXPECT_EQ("9|" + std::to_string(index),
              clerk.ask("SELECT count(*), group_concat(DISTINCT id MOD 3) FROM customer WHERE name "
                        "= 'own'"));
    clerk.run("DELETE FROM customer");
    system_.catalog->detach().value();
    sequence_ = 0;
  }
};

TEST_F(Numbers, OfSeveralSystemsNeverMeetOnceTheSqlHasRun) {
  user_.run("CREATE TABLE customer(id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(20))",
            "INSERT INTO customer(name) VALUES ('a'), ('b'), ('c')");
  describe({make_schema("customer", "id:int64 name:text")});
  for (size_t index = 0; index < 3; ++index) {
    be_maker(index);
    const auto stops = stopping();
    ASSERT_THAT(stops, SizeIs(1));
    EXPECT_THAT(stops[0].what, HasSubstr("two would share a number"));
    EXPECT_THAT(stops[0].fix, HasSubstr("in the server's config, that it outlives a restart: "
                                        "auto_increment_increment = 3"));
    mend(stops[0].fix.substr(0, stops[0].fix.find(" Where another system")));
    EXPECT_THAT(stopping(), IsEmpty());
    expect_numbers_of(index);
  }
}

TEST_F(Numbers, OfTwoSystemsOnOneServerComeFromASequence) {
  user_.run("CREATE TABLE customer(id bigint AUTO_INCREMENT PRIMARY KEY, name varchar(20))",
            "INSERT INTO customer(id, name) VALUES (100, 'a')");
  describe({make_schema("customer", "id:int64 name:text")});
  be_maker(2);
  const std::string fix = stopping().at(0).fix;
  const size_t begin = fix.find("SELECT (AUTO_INCREMENT");
  mend(fix.substr(begin, fix.find(" Or numbers") - begin));
  EXPECT_THAT(stopping(), IsEmpty());
  expect_numbers_of(2);
}

TEST_F(Numbers, AreNoMatterWhereUsersMakeNone) {
  user_.run("CREATE TABLE customer(id bigint AUTO_INCREMENT PRIMARY KEY)");
  describe({make_schema("customer", "id:int64")});
  be_maker(0);
  EXPECT_THAT(stopping(), SizeIs(1));
  config_.datasets[0].direction = ports::Direction::kTo;  // its users make none
  be_maker(0);
  EXPECT_THAT(stopping(), IsEmpty());
}

TEST(Grants, OfATableAreReadFromAllOfItsLines) {
  const std::string grants =
      "GRANT USAGE ON *.* TO `plain`@`%`\n"
      "GRANT SELECT, TRIGGER ON `a\\_b`.* TO `plain`@`%`\n"
      "GRANT TRIGGER ON `db`.`o``dd` TO `plain`@`%`\n"
      "GRANT SELECT (TRIGGER), INSERT ON `db`.`t` TO `plain`@`%`\n"
      "GRANT ALL PRIVILEGES ON `all%`.* TO `plain`@`%`\n";
  EXPECT_TRUE(grants_on_table(grants, "TRIGGER", "a_b", "t"));
  EXPECT_FALSE(grants_on_table(grants, "TRIGGER", "axb", "t"));
  EXPECT_TRUE(grants_on_table(grants, "TRIGGER", "db", "o`dd"));
  EXPECT_FALSE(grants_on_table(grants, "TRIGGER", "db", "t"));
  EXPECT_TRUE(grants_on_table(grants, "TRIGGER", "allofit", "t"));
  EXPECT_TRUE(grants_on_table("GRANT TRIGGER ON *.* TO x", "TRIGGER", "db", "t"));
}

TEST_F(Catalog, DetachRemovesEverythingOfOursAndNothingElse) {
  start_customers();
  apply({"put 1 name=Ann mail=NULL"});
  EXPECT_THAT(system_.catalog->detach().value(), ElementsAre("table syncline_checkpoint"));
  EXPECT_EQ("customer", user_.ask("SHOW TABLES"));
  EXPECT_EQ("1|Ann|NULL", customers());
  EXPECT_THAT(system_.catalog->detach().value(), IsEmpty());
}

TEST_F(Catalog, DetachLeavesTheCheckpointsOfOtherAppliances) {
  start_customers();
  user_.run("INSERT INTO syncline_checkpoint VALUES ('other', 'shop', 1, 5, 0, 0)");
  expect_ok(system_.catalog->detach());
  EXPECT_EQ("other", user_.ask("SELECT appliance FROM syncline_checkpoint"));
}

TEST_F(Catalog, SettingsThatAreNotOfferedAreConfigErrors) {
  start_customers();
  config_.datasets[0].where = "id > 5";
  EXPECT_EQ(ErrorCode::kConfigValue, make_mariadb(config_, system_clock()).error().code);
}

}  // namespace
}  // namespace syncline::mariadb
