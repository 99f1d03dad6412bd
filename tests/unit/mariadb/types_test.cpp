// Every type, from MariaDB through canonical bytes and back: the value that comes out is the one
// that went in, read from the log and read from the table alike.
#include <functional>
#include <random>

#include "drivers/systems/mariadb/detail/value.hpp"
#include "drivers/systems/mariadb/detail/wire.hpp"
#include "tests/unit/mariadb/lenient_server.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::SizeIs;

struct Sample {
  std::string type;  // of the column
  std::string logical;
  std::vector<std::string> values;  // as SQL
};

std::vector<Sample> number_samples() {
  return {
      {"tinyint", "int64", {"-128", "0", "127"}},
      {"tinyint unsigned", "int64", {"0", "255"}},
      {"tinyint(1)", "bool", {"0", "1"}},
      {"smallint", "int64", {"-32768", "32767"}},
      {"smallint unsigned", "int64", {"65535"}},
      {"mediumint", "int64", {"-8388608", "8388607"}},
      {"mediumint unsigned", "int64", {"16777215"}},
      {"int", "int64", {"-2147483648", "2147483647"}},
      {"int unsigned", "int64", {"4294967295"}},
      {"int(8) zerofill", "int64", {"42"}},
      {"bigint", "int64", {"-9223372036854775808", "9223372036854775807"}},
      {"bigint unsigned", "uint64", {"0", "9223372036854775808", "18446744073709551615"}},
      {"decimal(12,2)", "decimal(12,2)", {"9999999999.99", "-1.5", "0.00", "-0.01"}},
      {"decimal(65,30)",
       "decimal(65,30)",
       {"12345678901234567890123456789012345.123456789012345678901234567890", "-1e-30", "1"}},
      {"decimal(9,9)", "decimal(9,9)", {"0.123456789", "-0.999999999"}},
      {"decimal(20,0)", "decimal(20,0)", {"12345678901234567890", "-1"}},
      {"float", "float32", {"16777216", "1e-38", "-0.1", "3.4e38", "0"}},
      {"double", "float64", {"0.1", "1e308", "5e-324", "-0.0", "123456789.123456789"}},
      {"bit(1)", "bit(1)", {"b'1'", "b'0'"}},
      {"bit(9)", "bit(9)", {"b'100000001'"}},
      {"bit(64)", "bit(64)", {"x'8000000000000001'"}},
  };
}

std::vector<Sample> other_samples() {
  return {
      {"char(6)", "char(6)", {"'ab'", "'abcdef'", "'züß'", "''"}},
      {"char(200)", "char(200)", {"repeat('ü', 200)", "'a'"}},
      {"char(9) CHARACTER SET latin1", "char(9)", {"'€ü\u0081'", "'abc'"}},
      {"varchar(5)", "text(5)", {"'abcde'", "''", "'🚲🚲🚲🚲🚲'", "'a '"}},
      {"varchar(300)", "text(300)", {"repeat('ü', 300)"}},
      {"varchar(9) CHARACTER SET latin1", "text(9)", {"'Zürich€'"}},
      {"varchar(9) CHARACTER SET utf8mb3", "text(9)", {"'Łódź'"}},
      {"varchar(9) CHARACTER SET cp1251", "text(9)", {"'Привет'"}},
      {"varchar(9) CHARACTER SET sjis", "text(9)", {"'日本語'"}},
      {"varchar(9) CHARACTER SET ucs2", "text(9)", {"'aü語'"}},
      {"varchar(9) CHARACTER SET utf16", "text(9)", {"'a🚲'"}},
      {"varchar(9) CHARACTER SET utf32", "text(9)", {"'a🚲'"}},
      {"varchar(9) CHARACTER SET gbk", "text(9)", {"'中文'"}},
      {"tinytext", "text", {"'it''s'", "''"}},
      {"longtext", "text", {"repeat('x', 70000)", "'NULL'", "'tab\\tline\\n\\\\'"}},
      {"text CHARACTER SET latin1", "text", {"'ÿ'"}},
      {"binary(6)", "bytes(6)", {"x'010200000000'", "x'000000000000'", "x'ffffffffffff'"}},
      {"varbinary(6)", "bytes", {"x'0102000000'", "x''", "x'00'"}},
      {"blob", "bytes", {"x''", "x'00ff5c2700'"}},
      {"longblob", "bytes", {"repeat(x'00', 70000)"}},
      {"json",
       "json",
       {"'{\"b\": [1, 2.50], \"a\": null, \"é\": \"x\\\\\"\"}'", "'12345678901234567890'"}},
      {"enum('sad', 'it''s ok', 'ü')", "enum", {"'sad'", "'it''s ok'", "'ü'"}},
      {"enum('ü', 'b') CHARACTER SET latin1", "enum", {"'ü'", "'b'"}},
      {"set('p', 'q', 'r')", "set", {"''", "'p'", "'r,p'", "'p,q,r'"}},
      {"date", "date", {"'1000-01-01'", "'9999-12-31'", "'2024-02-29'", "'0001-01-01'"}},
      {"time", "time(0)", {"'00:00:00'", "'23:59:59'", "'24:00:00'"}},
      {"time(6)", "time", {"'12:34:56.789012'", "'00:00:00.000001'"}},
      {"time(1)", "interval", {"'838:59:59'", "'-838:59:58.9'", "'-00:00:00.1'", "'0:0:0'"}},
      {"time(3)", "interval", {"'-00:00:00.001'", "'-01:00:00'", "'-12:34:56.789'"}},
      {"time(6)", "interval", {"'-00:00:00.000001'", "'-838:59:58.999999'"}},
      {"datetime",
       "datetime(0)",
       {"'2026-03-29 02:30:00'", "'1000-01-01'", "'9999-12-31 23:59:59'"}},
      {"datetime(2)", "datetime(2)", {"'2026-03-29 02:30:00.12'", "'1901-01-01 00:00:00.99'"}},
      {"datetime(3)", "datetime(3)", {"'2026-03-29 02:30:00.123'"}},
      {"datetime(6)", "datetime", {"'2026-03-29 02:30:00.123456'"}},
      {"timestamp NULL", "timestamp(0)", {"'1970-01-01 00:00:01'", "'2038-01-19 03:14:07'"}},
      {"timestamp(1) NULL", "timestamp(1)", {"'2026-03-29 02:30:00.9'"}},
      {"timestamp(6) NULL", "timestamp", {"'2026-03-29 02:30:00.123456'"}},
      {"year", "year", {"2026", "1901", "2155", "0"}},
      {"uuid",
       "uuid",
       {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A00'", "'123e4567-e89b-12d3-a456-426655440000'"}},
      {"inet6", "inet", {"'::1'", "'2001:DB8::'", "'::'"}},
      {"inet4", "inet", {"'10.1.2.3'", "'0.0.0.0'", "'10.0.0.0'"}},
      {"point", "spatial", {"point(1.5, -2)"}},
      {"geometry", "spatial", {"st_geomfromtext('LINESTRING(0 0,1 1)', 4326)"}},
  };
}

const std::vector<Sample>& samples() {
  static const std::vector<Sample> kSamples = [] {
    auto all = number_samples();
    for (Sample& sample : other_samples()) all.push_back(std::move(sample));
    return all;
  }();
  return kSamples;
}

class Types : public MariadbTest {
 protected:
  static std::string name(size_t number) { return "sample" + std::to_string(number); }
  // One table a sample, with its values under 1, 2, ... and room for what comes back above 100.
  void start_samples() {
    std::vector<model::Schema> schemas;
    for (size_t i = 0; i < samples().size(); ++i) {
      user_.run("CREATE TABLE " + name(i) + "(id int PRIMARY KEY, v " + samples()[i].type + ")");
      schemas.push_back(make_schema(name(i), "id:int64 v:" + samples()[i].logical));
    }
    user_.run("SET time_zone = '+00:00'", "SET sql_mode = 'STRICT_ALL_TABLES'");
    start(std::move(schemas));
  }
  // Writes canonical values under keys from 101 on.
  void write_back(size_t number, const std::vector<std::string>& canonical) {
    const model::Schema& schema = schemas_[number];
    Writes writes;
    for (size_t i = 0; i < canonical.size(); ++i) {
      add_write(writes, schema, "put " + std::to_string(101 + i) + " v=NULL");
      writes.cells.back()[0].state = model::CellState::kValue;
      writes.cells.back()[0].bytes = canonical[i];
    }
    ports::WriteBatch batch;
    batch.epoch = kEpoch;
    batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
    batch.writes = writes.views;
    const auto applied = system_.target->apply(batch);
    expect_ok(applied);
    if (applied && !applied.value().poison) ++sequence_;
    if (applied && applied.value().poison) {
      ADD_FAILURE() << schema.fields[1].name << ": " << to_string(applied.value().poison->error);
    }
  }
  // Every row of the sample's table, as its log and its table tell it, and written back.
  void expect_round_trip(size_t number, size_t count) {
    sink_->values.clear();
    const auto from_log = take(count);
    const auto canonical_log = sink_->values;
    sink_->values.clear();
    EXPECT_THAT(snapshot(1000, number), SizeIs(count));
    EXPECT_EQ(canonical_log, sink_->values);
    for (const auto& row : rejected_) ADD_FAILURE() << to_string(row.error);
    rejected_.clear();
    write_back(number, canonical_log);
    const std::string table = name(number);
    const bool is_json = schemas_[number].fields[1].type.kind == model::TypeKind::kJson;
    EXPECT_EQ(std::to_string(count),
              user_.ask("SELECT count(*) FROM " + table + " a JOIN " + table +
                        " b ON b.id = a.id + 100 AND " +
                        (is_json ? "JSON_EQUALS(a.v, b.v)" : "BINARY a.v <=> BINARY b.v")));
    sink_->values.clear();
    take(1 + count);
    EXPECT_EQ(canonical_log, sink_->values);  // as our own writes come back
  }
};

TEST_F(Types, ComeBackAsTheyWentInAndReadTheSameFromLogAndTable) {
  start_samples();
  for (size_t i = 0; i < samples().size(); ++i) {
    const Sample& sample = samples()[i];
    for (size_t value = 0; value < sample.values.size(); ++value) {
      user_.run("INSERT INTO " + name(i) + " VALUES (" + std::to_string(value + 1) + ", " +
                sample.values[value] + ")");
    }
    expect_round_trip(i, sample.values.size());
    ASSERT_FALSE(HasFailure()) << sample.type;
  }
}

TEST_F(Types, MatchTheLogicalTypeThatTheCatalogGives) {
  start_samples();
  const auto tables = system_.catalog->tables().value();
  for (size_t i = 0; i < samples().size(); ++i) {
    if (samples()[i].logical == "interval" || samples()[i].logical == "bool") continue;
    const auto table = std::find_if(tables.begin(), tables.end(),
                                    [&](const auto& known) { return known.name == name(i); });
    ASSERT_NE(table, tables.end());
    EXPECT_EQ(type_of(samples()[i].logical), table->columns[1].type) << samples()[i].type;
  }
}

// Values at random, of many widths.
class Dice {
 public:
  explicit Dice(uint64_t seed) : engine_(seed) {}
  uint64_t any() { return engine_(); }
  uint64_t below(uint64_t end) { return engine_() % end; }
  std::string text_below(uint64_t end) { return std::to_string(below(end)); }
  std::string sign() { return below(2) == 0 ? "-" : ""; }
  std::string digits(size_t count) {
    std::string text;
    for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + below(10));
    return text;
  }
  std::string exponent(int range) {
    return "e" + std::to_string(static_cast<int>(below(2 * range)) - range);
  }
  std::string bytes() { return "unhex(sha1(" + digits(9) + "))"; }

 private:
  std::mt19937_64 engine_;
};

struct Kind {
  std::string type;
  std::string logical;
  std::function<std::string(Dice&)> value;  // as SQL
};

std::vector<Kind> kinds() {
  const auto time_of = [](Dice& dice, uint64_t hours) {
    return dice.text_below(hours) + ":" + dice.text_below(60) + ":" + dice.text_below(60);
  };
  return {
      {"bigint", "int64",
       [](Dice& dice) {
         return std::to_string(static_cast<int64_t>(dice.any()) >> dice.below(64));
       }},
      {"bigint unsigned", "uint64",
       [](Dice& dice) { return std::to_string(dice.any() >> dice.below(64)); }},
      {"decimal(38,11)", "decimal(38,11)",
       [](Dice& dice) {
         return dice.sign() + dice.digits(1 + dice.below(27)) + "." + dice.digits(dice.below(12));
       }},
      {"double", "float64",
       [](Dice& dice) { return dice.sign() + dice.digits(17) + dice.exponent(280); }},
      {"float", "float32",
       [](Dice& dice) { return dice.sign() + dice.text_below(1U << 24) + dice.exponent(25); }},
      {"datetime(6)", "datetime",
       [](Dice& dice) {
         return "from_unixtime(" + dice.text_below(2'000'000'000) + "." + dice.digits(6) +
                ") - INTERVAL " + dice.text_below(900) + " YEAR";
       }},
      {"timestamp(4) NULL", "timestamp(4)",
       [](Dice& dice) {
         return "from_unixtime(1 + " + dice.text_below(2'147'483'646) + "." + dice.digits(4) + ")";
       }},
      {"time(5)", "interval",
       [=](Dice& dice) {
         return "'" + dice.sign() + time_of(dice, 838) + "." + dice.digits(5) + "'";
       }},
      {"bit(37)", "bit(37)", [](Dice& dice) { return dice.text_below(1ULL << 37); }},
      {"binary(11)", "bytes(11)",
       [](Dice& dice) { return "left(" + dice.bytes() + ", " + dice.text_below(12) + ")"; }},
      {"varchar(60) CHARACTER SET latin1", "text(60)",
       [](Dice& dice) {
         return "left(convert(" + dice.bytes() + " USING latin1), " + dice.text_below(21) + ")";
       }},
      {"uuid", "uuid", [](Dice&) { return "uuid()"; }},
      {"inet6", "inet", [](Dice& dice) { return "inet6_ntoa(left(" + dice.bytes() + ", 16))"; }},
      {"set('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i')", "set",
       [](Dice& dice) { return dice.text_below(512); }},
  };
}

TEST_F(Types, ValuesAtRandomComeBackAsTheyWentIn) {
  const auto seed = static_cast<uint32_t>(system_clock().now_us());
  SCOPED_TRACE("seed " + std::to_string(seed));
  Dice dice(seed);
  constexpr size_t kValues = 60;
  const auto all = kinds();
  std::vector<model::Schema> schemas;
  for (size_t i = 0; i < all.size(); ++i) {
    user_.run("CREATE TABLE " + name(i) + "(id int PRIMARY KEY, v " + all[i].type + ")");
    schemas.push_back(make_schema(name(i), "id:int64 v:" + all[i].logical));
  }
  user_.run("SET time_zone = '+00:00'", "SET sql_mode = 'STRICT_ALL_TABLES'");
  start(std::move(schemas));
  for (size_t i = 0; i < all.size(); ++i) {
    std::string rows;
    for (size_t value = 1; value <= kValues; ++value) {
      rows += rows.empty() ? "(" : ", (";
      rows += std::to_string(value) + ", " + all[i].value(dice) + ")";
    }
    user_.run("INSERT INTO " + name(i) + " VALUES " + rows);
    expect_round_trip(i, kValues);
    ASSERT_FALSE(HasFailure()) << all[i].type;
  }
}

TEST_F(Types, ADoubleIsRejectedWhereTheDatasetHasFloatsAndNoneIsTheSame) {
  user_.run("CREATE TABLE sample0(id int PRIMARY KEY, v double)");
  start({make_schema("sample0", "id:int64 v:float32")});
  user_.run("INSERT INTO sample0 VALUES (1, 0.5), (2, 0.1)");
  take(1);
  ASSERT_EQ(1U, rejected_.size());
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("does not hold it exactly"));
  rejected_.clear();
  snapshot(10, 0);
  EXPECT_EQ(1U, rejected_.size());
}

TEST_F(Types, ZeroDatesAreNullWhereTheDatasetSaysSoAndRejectedElsewhere) {
  user_.run("CREATE TABLE sample0(id int PRIMARY KEY, d date, c datetime(3), i timestamp NULL)",
            "SET time_zone = '+00:00'", "SET sql_mode = ''");
  for (const bool is_null : {true, false}) {
    model::Schema schema = make_schema("sample0", "id:int64 d:date c:datetime(3) i:timestamp(0)");
    for (model::Field& field : schema.fields) field.are_zero_dates_null = is_null;
    user_.run("DELETE FROM sample0");
    start({schema});
    user_.run(
        "INSERT INTO sample0 VALUES (1, '0000-00-00', '0000-00-00', 0), (2, '2026-00-10', "
        "'2026-10-00 01:02:03.4', NULL), (3, '0000-01-01', '0000-02-03 04:05:06', NULL), (4, "
        "'2026-11-27', '2026-11-27 10:00:00.5', '2026-11-27 10:00:00')");
    const std::string held = " 4 d=2026-11-27 c=2026-11-27 10:00:00.500 i=2026-11-27 10:00:00Z";
    const std::string none = " d=NULL c=NULL i=NULL";
    std::vector<std::string> wanted = {" 1" + none, " 2" + none, " 3" + none, held};
    if (!is_null) wanted = {held};
    std::vector<std::string> from_log = take(wanted.size());
    for (std::string& line : from_log) line = line.substr(std::string("insert").size());
    EXPECT_EQ(wanted, from_log);
    std::vector<std::string> from_table = snapshot(10, 0);
    for (std::string& line : from_table) line = line.substr(std::string("snapshot").size());
    EXPECT_EQ(wanted, from_table);
    EXPECT_EQ(is_null ? 0U : 6U, std::exchange(rejected_, {}).size());
  }
}

TEST_F(Types, AWholeRecordLeavesZeroDatesOfWhichNullIsKnown) {
  user_.run(
      "CREATE TABLE sample0(id int PRIMARY KEY, d date, c datetime(3), i timestamp NULL, n int)",
      "SET time_zone = '+00:00'", "SET sql_mode = ''");
  model::Schema schema =
      make_schema("sample0", "id:int64 d:date c:datetime(3) i:timestamp(0) n:int64");
  for (model::Field& field : schema.fields) field.are_zero_dates_null = true;
  user_.run(
      "INSERT INTO sample0 VALUES (1, '0000-00-00', '2026-10-00 01:02:03.4', 0, 1), (2, "
      "'2026-00-10', '2026-11-27 10:00:00', NULL, 1), (3, '0000-01-01', NULL, 0, 1)");
  start({schema});
  apply({"put 1 d=NULL c=NULL i=NULL n=2", "put 2 d=NULL c=NULL i=NULL n=2",
         "put 3 d=2026-11-27 c=NULL i=NULL n=2", "put 4 d=NULL c=NULL i=NULL n=2",
         "put 5 d=NULL c=NULL i=NULL n=2"});
  EXPECT_EQ(
      "1|0000-00-00|2026-10-00 01:02:03.400|0000-00-00 00:00:00|2;2|2026-00-10|NULL|NULL|2;"
      "3|2026-11-27|NULL|0000-00-00 00:00:00|2;4|NULL|NULL|NULL|2;5|NULL|NULL|NULL|2",
      user_.ask("SELECT * FROM sample0 ORDER BY id"));
  apply({"put 1 d=NULL c=NULL i=NULL n=NULL", "set 3 i=NULL"});
  EXPECT_EQ("0000-00-00|2026-10-00 01:02:03.400|0000-00-00 00:00:00|NULL",
            user_.ask("SELECT d, c, i, n FROM sample0 WHERE id = 1"));
  EXPECT_EQ("NULL", user_.ask("SELECT i FROM sample0 WHERE id = 3")) << "a change of that field";
}

TEST_F(Types, DatesDeclaredAsTextReadTheSameFromLogAndTable) {
  user_.run(
      "CREATE TABLE sample0(id int PRIMARY KEY, d date, c datetime(3), w datetime, i timestamp(1) "
      "NULL, t time)",
      "SET time_zone = '+00:00'", "SET sql_mode = ''");
  start({make_schema("sample0", "id:int64 d:text c:text w:text i:text t:text")});
  user_.run(
      "INSERT INTO sample0 VALUES (1, '2026-11-27', '2026-11-27 10:00:00.12', '2026-11-27 "
      "23:59:59', '2026-11-27 10:00:00.5', '-100:00:01'), (2, '2026-00-10', '0000-00-00', "
      "'2026-01-00 01:02:03', 0, '0:0:0')");
  take(2);
  const auto from_log = std::exchange(sink_->values, {});
  snapshot(10, 0);
  EXPECT_EQ(from_log, sink_->values);
  EXPECT_THAT(from_log, ElementsAre("2026-11-27", "2026-11-27 10:00:00.120", "2026-11-27 23:59:59",
                                    "2026-11-27 10:00:00.5Z", "-100:00:01", "2026-00-10",
                                    "0000-00-00 00:00:00.000", "2026-01-00 01:02:03",
                                    "0000-00-00 00:00:00.0Z", "00:00:00"));
}

TEST_F(Types, ABlobHoldsAGeometryAsItsBytes) {
  user_.run("CREATE TABLE sample0(id int PRIMARY KEY, v longblob)",
            "INSERT INTO sample0 VALUES (1, x'0000')");
  start({make_schema("sample0", "id:int64 v:spatial")});
  const std::string point = "4326;0101000000000000000000f03f0000000000000040";
  apply({"put 7 v=" + point});
  EXPECT_EQ("000010E60101000000000000000000F03F0000000000000040",
            user_.ask("SELECT hex(v) FROM sample0 WHERE id = 7"));
  EXPECT_THAT(snapshot(10, 0), ElementsAre("snapshot 7 v=" + point));
  ASSERT_EQ(1U, rejected_.size());
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("shorter than an SRID and a WKB"));
}

// Whatever the server's own mode: our sessions are strict.
TEST_F(Types, WhatAColumnCannotHoldIsRefusedWithTheReason) {
  const LenientServer lenient;
  struct Case {
    std::string type;
    std::string logical;
    std::string value;
    std::string why;
  };
  const std::vector<Case> cases = {
      {"decimal(9,2)", "decimal", "NaN", "neither NaN nor infinity"},
      {"decimal(9,2)", "decimal", "1.234", "keeps 2 digits behind the point"},
      {"double", "float64", "Infinity", "neither NaN nor infinity"},
      {"year", "year", "26", "years are 0 and 1901 to 2155"},
      {"time", "interval", "P1M", "months have no fixed length"},
      {"time", "interval", "P1D", "it has days, which would come back as hours"},
      {"time", "interval", "PT839H", "Incorrect time value"},
      {"enum('a', 'b')", "enum", "2", "no such label"},
      {"set('a', 'b')", "set", "a,c", "no such label"},
      {"int unsigned", "int64", "-1", "out of range"},
      {"bigint", "uint64", "18446744073709551615", "out of range"},
      {"bit(3)", "bit", "0101", "another number of bits"},
      {"inet6", "inet", "10.0.0.0/8", "Incorrect inet6 value"},
      {"varchar(9) CHARACTER SET utf8mb3", "text", "🚲", "Incorrect string value"},
      {"varchar(9) CHARACTER SET cp932", "text", "a晡", "for another letter of cp932"},
      {"date", "text", "never", "Incorrect date value"},
      {"timestamp NULL", "timestamp(0)", "1969-01-01T00:00:00Z", "Incorrect datetime value"},
  };
  std::vector<model::Schema> schemas;
  for (size_t i = 0; i < cases.size(); ++i) {
    user_.run("CREATE TABLE " + name(i) + "(id int PRIMARY KEY, v " + cases[i].type + ")");
    schemas.push_back(make_schema(name(i), "id:int64 v:" + cases[i].logical));
  }
  start(std::move(schemas));
  for (size_t i = 0; i < cases.size(); ++i) {
    const auto applied = try_apply({"put 1 v=" + cases[i].value}, i);
    expect_ok(applied);
    ASSERT_TRUE(applied && applied.value().poison) << cases[i].type;
    EXPECT_THAT(to_string(applied.value().poison->error), HasSubstr(cases[i].why));
    EXPECT_EQ("0", user_.ask("SELECT count(*) FROM " + name(i)));
  }
}

// MySQL 8's: none of those from its version 9 of Unicode pads.
TEST(MysqlTypes, CollationsTellApartWhatTheyTellApart) {
  const auto equivalence = [](std::string_view collation) {
    Declaration declared;
    declared.data_type = "varchar";
    declared.column_type = "varchar(20)";
    declared.collation = collation;
    return equivalence_of(native_type_of(declared));
  };
  EXPECT_EQ(model::KeyEquivalence::kAsciiCaseInsensitive, equivalence("utf8mb4_0900_ai_ci"));
  EXPECT_EQ(model::KeyEquivalence::kAsciiCaseInsensitive, equivalence("utf8mb4_0900_as_ci"));
  EXPECT_EQ(model::KeyEquivalence::kBytes, equivalence("utf8mb4_0900_as_cs"));
  EXPECT_EQ(model::KeyEquivalence::kBytes, equivalence("utf8mb4_0900_bin"));
  EXPECT_EQ(model::KeyEquivalence::kTrailingSpaces, equivalence("utf8mb4_bin"));
}

TEST(MysqlTypes, JsonIsATypeOfItsOwn) {
  Declaration declared;
  declared.data_type = "json";
  declared.column_type = "json";
  const NativeType native = native_type_of(declared);
  EXPECT_EQ(model::TypeKind::kJson, logical_type_of(native).kind);
  WireColumn wire;
  wire.type = WireType::kJson;
  wire.metadata = 4;
  EXPECT_TRUE(is_written_as(native, wire));
  // [1, "x"], behind its size
  std::string cell("\x0e\0\0\0\x02\x02\0\x0c\0\x05\x01\0\x0c\x0a\0\x01x", 17);
  cell[0] = static_cast<char>(cell.size() - 4);
  std::string out;
  ASSERT_TRUE(decode_cell(cell, wire, native, type_of("json"), out).has_value());
  EXPECT_EQ("[1,\"x\"]", model::text_from_canonical(out, type_of("json")));
}

}  // namespace
}  // namespace syncline::mariadb
