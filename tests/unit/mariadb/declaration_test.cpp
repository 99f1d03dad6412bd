// Columns declared anew: all but what is to change stays as it was.
#include "drivers/systems/mariadb/declaration.hpp"

#include "tests/unit/mariadb/catalog_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::HasSubstr, testing::IsEmpty, testing::SizeIs;

TEST(Declaration, IsTheColumnsLine) {
  const std::string create =
      "CREATE TABLE `t` (\n  `a``b` int(11) NOT NULL,\n  `c` enum('NOT NULL','it''s, `x`') DEFAULT "
      "NULL COMMENT 'DEFAULT \\'NULL\\'' CHECK (length(`c`) > 0),\n  PRIMARY KEY (`a``b`)\n)";
  EXPECT_EQ("int(11) NOT NULL", declaration_in(create, "a`b"));
  const std::string c = declaration_in(create, "c").value();
  EXPECT_EQ(
      "enum('NOT NULL','it''s, `x`') NOT NULL COMMENT 'DEFAULT \\'NULL\\'' CHECK (length(`c`) > 0)",
      without_null(c));
  EXPECT_EQ(
      "enum('NOT NULL','it''s, `x`') COLLATE x_bin DEFAULT NULL COMMENT 'DEFAULT \\'NULL\\'' CHECK "
      "(length(`c`) > 0)",
      with_collation(c, "x_bin"));
  EXPECT_EQ(std::nullopt, declaration_in(create, "d"));
}

TEST(Declaration, ChangesInOneThing) {
  const std::string at = "timestamp(6) NULL DEFAULT current_timestamp(6) COMMENT 'when'";
  EXPECT_EQ("timestamp(6) NOT NULL DEFAULT current_timestamp(6) COMMENT 'when'", without_null(at));
  EXPECT_EQ(
      "timestamp(6) NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT "
      "'when'",
      with_on_update(at, "current_timestamp(6)"));
  EXPECT_TRUE(has_default(at));
  EXPECT_FALSE(has_default("int(11) DEFAULT NULL"));
  EXPECT_EQ(
      "int(10) unsigned NOT NULL DEFAULT nextval(`s`) COMMENT 'number'",
      with_default("int(10) unsigned NOT NULL AUTO_INCREMENT COMMENT 'number'", "nextval(`s`)"));
  EXPECT_EQ("varchar(9) CHARACTER SET latin1 COLLATE latin1_nopad_bin NOT NULL",
            with_collation("varchar(9) CHARACTER SET latin1 COLLATE latin1_swedish_ci NOT NULL",
                           "latin1_nopad_bin"));
}

class PollFindings : public Catalog {
 protected:
  void poll_by(const std::string& column) {
    describe({make_schema("customer", "id:int64 name:text")});
    config_.datasets[0].capture = ports::Capture::kPoll;
    config_.datasets[0].poll_by = column;
    system_ = make_mariadb(config_, system_clock()).value();
  }
  std::vector<ports::Finding> still_clocks() {
    auto found = findings(ports::Severity::kWarning);
    std::erase_if(found, [](const ports::Finding& finding) {
      return finding.what.find("neither ON UPDATE") == std::string::npos;
    });
    return found;
  }
  // Of the table's one line that declares the column.
  std::string declared(const std::string& column) {
    return declaration_in(user_.ask("SHOW CREATE TABLE customer"), column).value_or("none");
  }
};

TEST_F(PollFindings, AColumnThatTakesNullKeepsItsDefaultItsUpdatesAndItsComment) {
  user_.run(
      "CREATE TABLE customer(id int PRIMARY KEY, name varchar(9), at timestamp(6) NULL DEFAULT "
      "current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT 'when', KEY (at))");
  poll_by("at");
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix);
  EXPECT_EQ(
      "timestamp(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT "
      "'when'",
      declared("at"));
  EXPECT_THAT(still_clocks(), IsEmpty());
}

TEST_F(PollFindings, AClockThatNothingSetsIsWarnedOfAndMended) {
  user_.run(
      "CREATE TABLE customer(id int PRIMARY KEY, name varchar(9), at timestamp(3) NULL, KEY "
      "(at))");
  poll_by("at");
  mend(stopping().at(0).fix);
  EXPECT_EQ("timestamp(3) NOT NULL DEFAULT current_timestamp(3)", declared("at"));
  EXPECT_THAT(stopping(), IsEmpty());
  const auto warned = still_clocks();
  ASSERT_THAT(warned, SizeIs(1));
  EXPECT_THAT(warned[0].what, HasSubstr("neither ON UPDATE nor a trigger sets at of customer"));
  mend(warned[0].fix);
  EXPECT_THAT(still_clocks(), IsEmpty());
  user_.run("INSERT INTO customer(id) VALUES (1)", "SET @at = (SELECT at FROM customer)",
            "DO sleep(0.01)", "UPDATE customer SET name = 'Ann'");
  EXPECT_EQ("1", user_.ask("SELECT at > @at FROM customer"));
}

TEST_F(PollFindings, AClockThatATriggerSetsIsFine) {
  user_.run(
      "CREATE TABLE customer(id int PRIMARY KEY, name varchar(9), at datetime NOT NULL, KEY "
      "(at))",
      "CREATE TRIGGER touch BEFORE UPDATE ON customer FOR EACH ROW SET NEW.at = now()");
  poll_by("at");
  config_.datasets[0].triggers = "fire";
  system_ = make_mariadb(config_, system_clock()).value();
  EXPECT_THAT(still_clocks(), IsEmpty());
}

TEST_F(Catalog, AKeyThatTakesNullKeepsItsDefaultAndItsComment) {
  user_.run(
      "CREATE TABLE customer(mail varchar(9) CHARACTER SET latin1 DEFAULT 'x' COMMENT 'the mail' "
      "CHECK (length(mail) > 0), UNIQUE (mail))");
  describe({make_schema("customer", "mail:text")});
  const auto stops = stopping();
  ASSERT_THAT(stops, SizeIs(1));
  mend(stops[0].fix);
  EXPECT_THAT(stopping(), IsEmpty());
  EXPECT_THAT(
      user_.ask("SHOW CREATE TABLE customer"),
      HasSubstr("NOT NULL DEFAULT 'x' COMMENT 'the mail' CHECK (octet_length(`mail`) > 0)"));
}

}  // namespace
}  // namespace syncline::mariadb
