// Which indexes `plan` prints, that what Syncline reads then goes by them, and that they are not
// printed again. The plans are those of the very statements, as the server itself notes them.
#include <fstream>
#include <iterator>

#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::Not, testing::SizeIs;

class Indexes : public PostgresTest {
 protected:
  // 100,000 rows, one in twenty of them of region CH, and of each a small part that is synced.
  void make_customers() {
    user_.run(
        "CREATE TABLE customer(id bigint PRIMARY KEY, name varchar(20) NOT NULL, region char(2) "
        "NOT NULL, note text NOT NULL, changed_at timestamptz NOT NULL)");
    user_.run(
        "INSERT INTO customer SELECT n, 'n' || n, CASE WHEN n % 20 = 0 THEN 'CH' ELSE 'DE' END, "
        "repeat('x', 300), timestamptz '2026-01-01' + n * interval '1 second' FROM "
        "generate_series(1, 100000) n ORDER BY md5(n::text)");
    user_.run("VACUUM ANALYZE customer");
    configure(url(), {make_schema("customer", "id:int64 name:text")}, "public.");
  }
  void read_by(ports::Capture capture, const std::string& where = "") {
    config_.datasets[0].capture = capture;
    config_.datasets[0].poll_by = capture == ports::Capture::kPoll ? "changed_at" : "";
    config_.datasets[0].every_us = 1;
    config_.datasets[0].where = where;
    system_ = make_postgres(config_, system_clock()).value();
  }
  // The statements that make indexes, of all that `plan` says.
  std::vector<std::string> advice() {
    auto found = system_.catalog->findings();
    expect_ok(found);
    std::vector<std::string> statements;
    if (!found) return statements;
    for (const ports::Finding& finding : found.value()) {
      if (finding.fix.starts_with("CREATE INDEX")) statements.push_back(finding.fix);
    }
    return statements;
  }
  void expect_advice(const std::string& statement) {
    EXPECT_THAT(advice(), ElementsAre(statement));
    user_.run(statement);
    user_.run("VACUUM ANALYZE customer");
    EXPECT_THAT(advice(), IsEmpty());
  }
  // The plans of everything that is asked of the table meanwhile.
  template <class Do>
  std::vector<std::string> plans_of(Do&& work) {
    user_.run("ALTER DATABASE " + database_ + " SET session_preload_libraries = 'auto_explain'");
    user_.run("ALTER DATABASE " + database_ + " SET auto_explain.log_min_duration = 0");
    std::ifstream log(Server::instance().folder() + "/server.log");
    log.seekg(0, std::ios::end);
    work();
    const std::string text{std::istreambuf_iterator<char>(log), {}};
    std::vector<std::string> plans;
    for (size_t at = text.find("Query Text: "); at != std::string::npos;) {
      const size_t next = text.find("Query Text: ", at + 1);
      const std::string plan = text.substr(at, next - at);
      if (plan.find("\"public\".\"customer\"") != std::string::npos) plans.push_back(plan);
      at = next;
    }
    return plans;
  }
  std::vector<std::string> plans_of_reads() {
    return plans_of([this] {
      connect();
      size_t count = 0;
      do count = poll().size();
      while (count > 0 || last_poll_.has_more);
      snapshot(10'000);
    });
  }
  // No row of the table is fetched but by an index, and with kOnly not even by that.
  enum class Reads : uint8_t { kIndex, kOnly };
  static void expect_index(const std::vector<std::string>& plans, const std::string& index,
                           Reads reads) {
    EXPECT_THAT(plans, Not(IsEmpty()));
    for (const std::string& plan : plans) {
      if (plan.find("WHERE false") != std::string::npos) continue;
      EXPECT_THAT(plan, HasSubstr(" using " + index));
      EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on customer")));
      if (reads == Reads::kIndex) continue;
      EXPECT_THAT(plan, Not(HasSubstr("Index Scan")));
    }
  }
};

TEST_F(Indexes, APollWithARowFilterGoesByAPartialIndexAlone) {
  make_customers();
  read_by(ports::Capture::kPoll, "region = 'CH'");
  expect_advice(
      "CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"changed_at\", \"id\") INCLUDE "
      "(\"name\") WHERE region = 'CH';");
  const auto plans = plans_of([this] {
    connect();
    poll();
    poll();
    poll();
  });
  EXPECT_THAT(plans, Not(SizeIs(testing::Lt(4U))));
  expect_index(plans, "customer_changed_at_id_name_idx", Reads::kOnly);
}

TEST_F(Indexes, AScanWithARowFilterGoesByAPartialIndexAlone) {
  make_customers();
  read_by(ports::Capture::kScan, "region = 'CH'");
  expect_advice(
      "CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"id\") INCLUDE (\"name\") WHERE "
      "region = 'CH';");
  expect_index(plans_of_reads(), "customer_id_name_idx", Reads::kOnly);
}

TEST_F(Indexes, AScanOfFewColumnsGoesByAnIndexThatIncludesThem) {
  make_customers();
  read_by(ports::Capture::kScan);
  expect_advice(
      "CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"id\") INCLUDE (\"name\");");
  expect_index(plans_of_reads(), "customer_id_name_idx", Reads::kOnly);
}

TEST_F(Indexes, AKeyInAnotherOrderThanThePrimaryKeyWantsAnIndexOfItsOwn) {
  user_.run("CREATE TABLE customer(a int, b int, name text, PRIMARY KEY (a, b))");
  user_.run(
      "INSERT INTO customer SELECT n % 1000, n / 1000, 'n' FROM generate_series(1, 100000) n");
  user_.run("ANALYZE customer");
  configure(url(), {make_schema("customer", "b:int64 a:int64 name:text", 2)}, "public.");
  read_by(ports::Capture::kScan);
  expect_advice("CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"b\", \"a\");");
  expect_index(plans_of([this] {
                 connect();
                 std::string cursor;
                 for (int chunk = 0; chunk < 3; ++chunk) {
                   auto read =
                       system_.source->read_snapshot(schemas_[0].dataset, cursor, 1000, *sink_);
                   expect_ok(read);
                   cursor = read.value().cursor;
                 }
                 const std::vector<std::string> keys = {key_of(schemas_[0], "5,7")};
                 expect_ok(system_.source->read_records(schemas_[0].dataset, keys, *sink_));
               }),
               "customer_", Reads::kIndex);
}

TEST_F(Indexes, WhateverIndexServesCountsAndNoOther) {
  make_customers();
  read_by(ports::Capture::kPoll, "region = 'CH'");
  const std::vector<std::string> others = {
      "USING brin (changed_at)", "(changed_at) WHERE region = 'DE'", "(region, changed_at DESC)",
      "(region) INCLUDE (changed_at)", "USING hash (changed_at)"};
  for (const std::string& other : others) user_.run("CREATE INDEX ON customer " + other);
  user_.run("DROP INDEX customer_region_changed_at_idx");
  EXPECT_THAT(advice(), SizeIs(1));
  // Known by its equality, and read backwards.
  user_.run("CREATE INDEX ON customer (region, changed_at DESC)");
  for (const std::string& more : advice()) EXPECT_THAT(more, HasSubstr("INCLUDE"));
  user_.run("CREATE INDEX ON customer (changed_at DESC, name, id) WHERE region = 'CH'");
  user_.run("VACUUM ANALYZE customer");
  EXPECT_THAT(advice(), IsEmpty());
}

TEST_F(Indexes, WhatAnIndexCannotHoldIsNotPrinted) {
  make_customers();
  user_.run("ALTER TABLE customer ALTER name TYPE text");
  read_by(ports::Capture::kPoll, "changed_at < now ()");
  expect_advice("CREATE INDEX CONCURRENTLY ON \"public\".\"customer\" (\"changed_at\", \"id\");");
  read_by(ports::Capture::kScan, "lower(region) = 'ch'");
  EXPECT_THAT(advice(), IsEmpty());
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

TEST_F(Indexes, APartitionedTableTakesNoneConcurrently) {
  user_.run(
      "CREATE TABLE customer(id bigint PRIMARY KEY, changed_at timestamptz NOT NULL) PARTITION BY "
      "HASH (id)");
  user_.run("CREATE TABLE part_0 PARTITION OF customer FOR VALUES WITH (MODULUS 1, REMAINDER 0)");
  configure(url(), {make_schema("customer", "id:int64")}, "public.");
  read_by(ports::Capture::kPoll);
  expect_advice("CREATE INDEX ON \"public\".\"customer\" (\"changed_at\", \"id\");");
}

}  // namespace
}  // namespace syncline::postgres
