// Which indexes `plan` prints, that what Syncline reads then goes by them, and that they are not
// printed again. The plans are those of the very statements, as the server itself notes them.
#include "drivers/systems/mariadb/detail/indexes.hpp"

#include <fstream>
#include <iterator>

#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not, testing::SizeIs;

class Indexes : public MariadbTest {
 protected:
  ~Indexes() override { user_.run("SET GLOBAL slow_query_log = 0"); }

  // 100,000 rows, one in twenty of them of region CH.
  void make_customers() {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20) NOT NULL, region char(2) "
        "NOT NULL, note varchar(400) NOT NULL, changed_at datetime(6) NOT NULL)",
        "INSERT INTO customer SELECT seq, concat('n', seq), IF(seq % 20 = 0, 'CH', 'DE'), "
        "repeat('x', 300), '2026-01-01' + INTERVAL seq SECOND FROM seq_1_to_100000",
        "ANALYZE TABLE customer");
    configure(url(), {make_schema("customer", "id:int64 name:text")}, "");
  }
  void read_by(ports::Capture capture, const std::string& where = "") {
    config_.datasets[0].capture = capture;
    config_.datasets[0].poll_by = capture == ports::Capture::kPoll ? "changed_at" : "";
    config_.datasets[0].every_us = 1;
    config_.datasets[0].where = where;
    system_ = make_mariadb(config_, system_clock()).value();
  }
  // The statements that make indexes, of all that `plan` says.
  std::vector<std::string> advice() {
    auto found = system_.catalog->findings();
    expect_ok(found);
    std::vector<std::string> statements;
    if (!found) return statements;
    for (const ports::Finding& finding : found.value()) {
      if (finding.fix.find("ADD INDEX") != std::string::npos) statements.push_back(finding.fix);
    }
    return statements;
  }
  void expect_advice(const std::string& statement) {
    EXPECT_THAT(advice(), ElementsAre(statement));
    user_.run(statement, "ANALYZE TABLE customer");
    EXPECT_THAT(advice(), IsEmpty());
  }
  // What the server notes of each statement that asks the table for rows meanwhile.
  template <class Do>
  std::vector<std::string> plans_of(Do&& work) {
    const std::string path = Server::instance().folder() + "/slow-" + database_ + ".log";
    user_.run("SET GLOBAL long_query_time = 0", "SET GLOBAL log_slow_verbosity = 'explain'",
              "SET GLOBAL slow_query_log_file = '" + path + "'", "SET GLOBAL slow_query_log = 1");
    work();
    user_.run("SET GLOBAL slow_query_log = 0");
    std::ifstream log(path);
    const std::string text{std::istreambuf_iterator<char>(log), {}};
    std::vector<std::string> plans;
    for (size_t at = text.find("# User@Host"); at != std::string::npos;) {
      const size_t next = text.find("# User@Host", at + 1);
      const std::string plan = text.substr(at, next - at);
      const bool is_read = plan.find("FROM `customer`") != std::string::npos &&
                           plan.find("EXPLAIN") == std::string::npos &&
                           plan.find("WHERE FALSE") == std::string::npos;
      if (is_read) plans.push_back(plan);
      at = next;
    }
    return plans;
  }
  std::vector<std::string> plans_of_chunks() {
    return plans_of([this] {
      connect();
      std::string cursor;
      for (int chunk = 0; chunk < 3; ++chunk) {
        auto read = system_.source->read_snapshot(schemas_[0].dataset, cursor, 1000, *sink_);
        expect_ok(read);
        cursor = read.value().cursor;
      }
    });
  }
  // With kOnly no row of the table is fetched besides.
  enum class Reads : uint8_t { kIndex, kOnly };
  static void expect_index(const std::vector<std::string>& plans, const std::string& index,
                           Reads reads = Reads::kIndex) {
    EXPECT_THAT(plans, Not(IsEmpty()));
    for (const std::string& plan : plans) {
      if (plan.find("Select tables optimized away") != std::string::npos) continue;
      EXPECT_THAT(plan, HasSubstr("\t" + index + "\t"));
      EXPECT_THAT(plan, Not(HasSubstr("filesort")));
      EXPECT_THAT(plan, Not(HasSubstr("\tALL\t")));
      if (reads == Reads::kIndex) continue;
      EXPECT_THAT(plan, HasSubstr("Using index"));
    }
  }
};

TEST_F(Indexes, APollWithARowFilterGoesByAnIndexThatBeginsWithIt) {
  make_customers();
  read_by(ports::Capture::kPoll, "region = 'CH'");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`region`, `changed_at`, `id`, `name`);");
  const auto plans = plans_of([this] {
    connect();
    for (int look = 0; look < 6; ++look) poll();
  });
  EXPECT_THAT(plans, Not(SizeIs(testing::Lt(4U))));
  expect_index(plans, "region", Reads::kOnly);
}

TEST_F(Indexes, APollOfFewColumnsGoesByAnIndexThatHoldsThem) {
  make_customers();
  read_by(ports::Capture::kPoll);
  user_.run("CREATE INDEX plain ON customer (changed_at)");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`changed_at`, `id`, `name`);");
  user_.run("DROP INDEX plain ON customer");
  const auto plans = plans_of([this] {
    connect();
    for (int look = 0; look < 6; ++look) poll();
  });
  EXPECT_THAT(plans, Not(SizeIs(testing::Lt(4U))));
  expect_index(plans, "changed_at", Reads::kOnly);
}

TEST_F(Indexes, AScanByAKeyThatIsNotThePrimaryKeyGoesByAnIndexThatHoldsWhatIsRead) {
  make_customers();
  user_.run("ALTER TABLE customer ADD UNIQUE INDEX plain (name)");
  configure(url(), {make_schema("customer", "name:text id:int64 region:text")}, "");
  read_by(ports::Capture::kScan);
  expect_advice("ALTER TABLE `customer` ADD INDEX (`name`, `id`, `region`);");
  expect_index(plans_of_chunks(), "name", Reads::kOnly);
}

// Its optimizer would not take it.
TEST_F(Indexes, AScanByThePrimaryKeyWantsNoOther) {
  make_customers();
  read_by(ports::Capture::kScan);
  EXPECT_THAT(advice(), IsEmpty());
}

TEST_F(Indexes, WhereNoIndexHoldsWhatIsReadThatIsSaid) {
  make_customers();
  read_by(ports::Capture::kPoll);
  user_.run("CREATE INDEX plain ON customer (changed_at)");
  const auto why_none = [this](const std::string& change) {
    user_.run(change, "ANALYZE TABLE customer");
    EXPECT_THAT(advice(), IsEmpty());
    const auto found = system_.catalog->findings().value();
    for (const ports::Finding& finding : found) {
      if (finding.what.find("no index can hold them all") != std::string::npos) return finding.what;
    }
    return std::string();
  };
  EXPECT_THAT(why_none("ALTER TABLE customer MODIFY name tinytext NOT NULL"),
              HasSubstr("of column name (tinytext) one holds but the beginning"));
  EXPECT_THAT(why_none("ALTER TABLE customer MODIFY name varchar(766) NOT NULL"),
              HasSubstr("they may take 3082 bytes, and an entry has at most 3072"));
  EXPECT_THAT(why_none("ALTER TABLE customer MODIFY name varchar(200) NOT NULL, "
                       "ROW_FORMAT = COMPACT"),
              HasSubstr("of column name (varchar(200)) one holds but the beginning"));
  user_.run("ALTER TABLE customer ROW_FORMAT = DYNAMIC, MODIFY name varchar(762) NOT NULL");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`changed_at`, `id`, `name`);");
  // What is read is most of a row.
  user_.run("ALTER TABLE customer DROP COLUMN note, DROP INDEX changed_at",
            "ANALYZE TABLE customer");
  EXPECT_THAT(advice(), IsEmpty());
  EXPECT_EQ("", why_none("DO 1"));
  user_.run("ALTER TABLE customer ADD COLUMN story text NOT NULL",
            "UPDATE customer SET story = repeat('y', 90)", "ANALYZE TABLE customer");
  EXPECT_THAT(advice(), SizeIs(1));
}

TEST_F(Indexes, AScanWithARowFilterGoesByAnIndexThatBeginsWithIt) {
  make_customers();
  read_by(ports::Capture::kScan, "region = 'CH'");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`region`, `id`, `name`);");
  expect_index(plans_of_chunks(), "region", Reads::kOnly);
}

TEST_F(Indexes, AKeyInAnotherOrderThanThePrimaryKeyWantsAnIndexOfItsOwn) {
  user_.run("CREATE TABLE customer(a int, b int, name varchar(20), PRIMARY KEY (a, b))",
            "INSERT INTO customer SELECT seq % 1000, seq DIV 1000, 'n' FROM seq_1_to_100000",
            "ANALYZE TABLE customer");
  configure(url(), {make_schema("customer", "b:int64 a:int64 name:text", 2)}, "");
  read_by(ports::Capture::kScan);
  expect_advice("ALTER TABLE `customer` ADD INDEX (`b`, `a`);");
  auto plans = plans_of_chunks();
  // The first chunk begins nowhere: the optimizer may rather sort, once.
  std::erase_if(plans, [](const std::string& plan) {
    return plan.find("WHERE TRUE ORDER") != std::string::npos;
  });
  EXPECT_THAT(plans, SizeIs(testing::Ge(2U)));
  expect_index(plans, "b");
}

TEST_F(Indexes, WhateverIndexServesCountsAndNoOther) {
  make_customers();
  read_by(ports::Capture::kPoll, "region = 'CH'");
  user_.run("CREATE INDEX one ON customer (name, changed_at)",
            "CREATE INDEX two ON customer (changed_at) IGNORED",
            "CREATE INDEX three ON customer (region(1), changed_at)");
  EXPECT_THAT(advice(), SizeIs(1));
  const std::string all =
      "ALTER TABLE `customer` ADD INDEX (`region`, `changed_at`, `id`, `name`);";
  user_.run("CREATE INDEX four ON customer (region, changed_at)");
  EXPECT_THAT(advice(), ElementsAre(all));  // it serves, but rows are fetched
  user_.run("DROP INDEX four ON customer",
            "CREATE INDEX five ON customer (changed_at, name, region)");
  EXPECT_THAT(advice(), IsEmpty());
  read_by(ports::Capture::kScan, "region = 'CH'");
  user_.run("CREATE INDEX six ON customer (region)");  // InnoDB puts the primary key behind it
  EXPECT_THAT(advice(), ElementsAre("ALTER TABLE `customer` ADD INDEX (`region`, `id`, `name`);"));
  user_.run("CREATE INDEX seven ON customer (region, id, note(5), name)");
  EXPECT_THAT(advice(), SizeIs(1));
  user_.run("CREATE INDEX eight ON customer (region, id, note, name)");
  EXPECT_THAT(advice(), IsEmpty());
  read_by(ports::Capture::kScan, "region = 'DE'");
  user_.run("DROP INDEX six ON customer", "DROP INDEX seven ON customer",
            "DROP INDEX eight ON customer");
  EXPECT_THAT(advice(), IsEmpty());  // nearly all rows
}

TEST_F(Indexes, AColumnThatNoIndexCanHoldWholeIsNotNamed) {
  make_customers();
  user_.run("ALTER TABLE customer MODIFY region text");
  read_by(ports::Capture::kPoll, "region = 'CH'");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`changed_at`, `id`);");
}

TEST_F(Indexes, AFilterOnAnInvisibleColumnIsWeighedToo) {
  make_customers();
  user_.run("ALTER TABLE customer MODIFY region varchar(2) INVISIBLE");
  read_by(ports::Capture::kScan, "region = 'CH'");
  expect_advice("ALTER TABLE `customer` ADD INDEX (`region`, `id`, `name`);");
}

TEST_F(Indexes, ARowFilterThatIsNoSqlStopsItsDatasetInPlan) {
  make_customers();
  read_by(ports::Capture::kScan, "regoin = 'CH'");
  const auto found = system_.catalog->findings().value();
  EXPECT_TRUE(std::any_of(found.begin(), found.end(), [](const ports::Finding& finding) {
    return finding.severity == ports::Severity::kStops &&
           finding.what.find("`where` is regoin = 'CH'") != std::string::npos;
  }));
}

TEST(HeldColumns, AreThoseThatARowFilterHoldsToOneValue) {
  const auto names = [](std::string_view where) {
    std::string list;
    for (const auto& held : held_columns(where)) list += held.name + (held.is_number ? "# " : " ");
    return list;
  };
  EXPECT_EQ("region ", names("region = 'CH'"));
  EXPECT_EQ("a b_2# ", names("`a`='x and y' AND b_2 = -7 and c > 3"));
  EXPECT_EQ("brand1# ", names("brand1 = 5"));
  EXPECT_EQ("", names("region = 'CH' OR vip = 1"));
  EXPECT_EQ("", names("region <= 'CH' AND a = b AND c != 5 AND d = 'x' 'y'"));
  EXPECT_EQ("", names("NOT region = 'CH'"));
  EXPECT_EQ("", names("day BETWEEN 1 AND 2 AND region = 'CH'"));
  EXPECT_EQ("", names("lower(region) = 'ch'"));
}

}  // namespace
}  // namespace syncline::mariadb
