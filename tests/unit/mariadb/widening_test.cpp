// What columns hold, and that the SQL which widens one does so and keeps all else of it.
#include "tests/unit/mariadb/catalog_fixture.hpp"

namespace syncline::mariadb {
namespace {

using model::Extent;
using testing::HasSubstr;

constexpr int64_t kLeast = std::numeric_limits<int64_t>::min();
constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();

Extent extent(const std::string& type) {
  return {.type = type_of(type)};
}

Extent integers(int64_t least, uint64_t most) {
  return {.type = type_of("int64"), .least = least, .most = most};
}

Extent sized(const std::string& type, uint64_t size_bytes_max) {
  return {.type = type_of(type), .size_bytes_max = size_bytes_max};
}

class Widening : public Catalog {
 protected:
  std::string sql(const std::string& column, const Extent& wanted) {
    look();
    const std::vector<ports::Widening> columns = {{"t", column, wanted}};
    auto statements = widening_sql(config_, columns);
    expect_ok(statements);
    return statements ? statements.value().at(0) : "";
  }
  // Its type and what follows, after the statement was run.
  std::string widened(const std::string& column, const Extent& wanted) {
    user_.run(sql(column, wanted));
    const std::string create = user_.ask("SHOW CREATE TABLE t");
    const std::string begin = "\n  `" + column + "` ";
    const size_t at = create.find(begin) + begin.size();
    return create.substr(at, create.find(",\n", at) - at);
  }
};

TEST_F(Widening, WhatColumnsHold) {
  user_.run(
      "CREATE TABLE t(a tinyint, b smallint(3) unsigned, c mediumint unsigned zerofill, d int, e "
      "bigint, f bigint unsigned, g varchar(9), h text, i mediumblob, j longtext, k varbinary(7), "
      "l decimal(5,1), m date)");
  look();
  std::vector<Extent> found;
  const auto tables = system_.catalog->tables().value();
  for (const auto& column : tables.at(0).columns) found.push_back(extent_of(column));
  Extent wide = integers(0, std::numeric_limits<uint64_t>::max());
  wide.type = type_of("uint64");
  EXPECT_THAT(
      found, testing::ElementsAre(integers(-128, 127), integers(0, 65'535), integers(0, 16'777'215),
                                  integers(-2'147'483'648, 2'147'483'647), integers(kLeast, kMost),
                                  wide, extent("text(9)"), sized("text", 65'535),
                                  sized("bytes", 16'777'215), extent("text"), sized("bytes", 7),
                                  extent("decimal(5,1)"), extent("date")));
}

TEST_F(Widening, WhatFloatsKeepOfDigits) {
  user_.run("CREATE TABLE t(a float, b float(8,2), c double(10,3) NOT NULL DEFAULT 1.5, d double)");
  look();
  std::vector<std::optional<int16_t>> digits;
  const auto tables = system_.catalog->tables().value();
  for (const auto& column : tables.at(0).columns) {
    digits.push_back(extent_of(column).fraction_digits);
  }
  EXPECT_THAT(digits, testing::ElementsAre(std::nullopt, 2, 3, std::nullopt));
  EXPECT_EQ("float DEFAULT NULL", widened("b", extent("float32")));
  EXPECT_EQ("double NOT NULL DEFAULT 1.5", widened("c", extent("float64")));
}

TEST_F(Widening, TheStatementKeepsAllElseOfTheColumn) {
  user_.run(
      "CREATE TABLE t(id int PRIMARY KEY, n smallint unsigned NOT NULL DEFAULT 7 COMMENT 'it''s, "
      "7', price decimal(10,2) NOT NULL DEFAULT 0.50 CHECK (price >= 0), name varchar(20) "
      "CHARACTER "
      "SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x, y' COMMENT 'name', at timestamp NOT NULL "
      "DEFAULT current_timestamp() ON UPDATE current_timestamp() COMMENT 'when', f float, code "
      "char(3) DEFAULT 'a', raw blob)");
  EXPECT_EQ("int(10) unsigned NOT NULL DEFAULT 7 COMMENT 'it''s, 7'",
            widened("n", integers(0, 4'294'967'295)));
  EXPECT_EQ("decimal(14,4) NOT NULL DEFAULT 0.5000 CHECK (`price` >= 0)",
            widened("price", extent("decimal(14,4)")));
  EXPECT_EQ(
      "varchar(40) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'x, y' COMMENT 'name'",
      widened("name", extent("text(40)")));
  EXPECT_EQ(
      "timestamp(6) NOT NULL DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT "
      "'when'",
      widened("at", extent("timestamp(6)")));
  EXPECT_EQ("double DEFAULT NULL", widened("f", extent("float64")));
  EXPECT_EQ("char(9) DEFAULT 'a'", widened("code", extent("char(9)")));
  EXPECT_EQ("mediumblob DEFAULT NULL", widened("raw", sized("bytes", 100'000)));
}

TEST_F(Widening, NumbersOfAnySizeTakeTheLargestTypes) {
  user_.run(
      "CREATE TABLE t(id int PRIMARY KEY, price decimal(10,2), u int unsigned, name varchar(20) "
      "DEFAULT 'none', most decimal(65,30))");
  EXPECT_EQ("decimal(65,30) DEFAULT NULL", widened("price", extent("decimal")));
  EXPECT_EQ("bigint(20) DEFAULT NULL", widened("u", integers(kLeast, kMost)));
  EXPECT_EQ("longtext DEFAULT 'none'", widened("name", extent("text")));
  EXPECT_EQ("", sql("most", extent("decimal")));
  EXPECT_EQ("", sql("u", integers(kLeast, std::numeric_limits<uint64_t>::max())));
}

TEST_F(Widening, IndexedTextsTakeWhatTheirIndexesLeave) {
  user_.run(
      "CREATE TABLE t(id varchar(20) PRIMARY KEY, a varchar(20), b varchar(255), c text, d "
      "varbinary(9) UNIQUE, UNIQUE (a, b), KEY (c(10))) CHARACTER SET utf8mb4");
  EXPECT_THAT(widened("id", extent("text")), HasSubstr("varchar(768) NOT NULL"));
  EXPECT_EQ("", sql("id", extent("text")));
  EXPECT_THAT(widened("a", extent("text")), HasSubstr("varchar(513)"));
  EXPECT_THAT(widened("c", extent("text")), HasSubstr("longtext"));
  EXPECT_THAT(widened("d", extent("bytes")), HasSubstr("varbinary(3072)"));
}

TEST_F(Widening, ForeignKeysThatHoldTheTypeAreNamed) {
  user_.run("CREATE TABLE t(id int PRIMARY KEY)",
            "CREATE TABLE child(id int PRIMARY KEY, parent int, CONSTRAINT owned FOREIGN KEY "
            "(parent) REFERENCES t(id))");
  EXPECT_EQ(
      "ALTER TABLE `t` MODIFY `id` bigint NOT NULL; -- when the foreign keys owned are "
      "dropped; widen their other columns too, and add them again",
      sql("id", integers(kLeast, kMost)));
}

}  // namespace
}  // namespace syncline::mariadb
