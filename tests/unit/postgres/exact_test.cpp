// What a column would round or cut is refused with the reason, and what it holds comes back as it
// was sent: there is nothing in between.
#include <functional>
#include <random>

#include "drivers/systems/postgres/detail/value.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAreArray, testing::HasSubstr;

struct Case {
  std::string column;
  std::string logical;
  std::vector<std::string> kept;  // '~' is a space
  std::vector<std::string> refused;
  std::string why;
};

std::vector<Case> scalar_cases() {
  return {
      {"interval(0)", "interval", {"PT1S", "P1M-2DT-3S"}, {"PT1.5S"}, "keeps 0 digits of a second"},
      {"interval(1)", "interval", {"PT1.5S"}, {"PT-1.25S"}, "keeps 1 digit of a second"},
      {"interval(3)", "interval", {"PT0.125S"}, {"PT0.0625S"}, "keeps 3 digits of a second"},
      {"interval", "interval", {"PT0.000001S"}, {}, ""},
      {"interval day to second(2)", "interval", {"P1DT1.25S"}, {"PT1.255S"}, "keeps 2 digits"},
      {"interval hour to minute", "interval", {"P1DT2H3M"}, {"PT1S"}, "keeps no seconds"},
      {"interval day to hour", "interval", {"P1DT2H"}, {"PT1M"}, "keeps no minutes"},
      {"interval day", "interval", {"P1D"}, {"PT1H"}, "keeps no hours"},
      {"interval year to month", "interval", {"P1Y2M"}, {"P1D", "PT1S"}, "the column keeps no"},
      {"interval year", "interval", {"P3Y"}, {"P1M"}, "the column keeps no months"},
      {"interval(0)", "text", {"PT1S"}, {"PT1.5S", "00:00:01.5", "1.5~seconds"}, "keeps 0 digits"},
      {"numeric(5,-2)",
       "decimal",
       {"12300", "-100", "0", "1234500", "1e3"},
       {"12345", "1", "100.5"},
       "no number whose last 2 digits are not 0"},
      {"numeric(2,5)", "decimal", {"0.00012", "0"}, {"0.000123"}, "keeps 5 digits behind"},
      {"numeric(10,2)",
       "decimal(12,4)",
       {"1.2000", "5", "-0.01", "99999999.99", "NaN"},
       {"1.2345", "0.001"},
       "the column keeps 2 digits behind the point"},
      {"numeric(10,2)", "float64", {"1.25", "1e2", "NaN"}, {"1e-7", "1.005"}, "behind the point"},
      {"cents", "decimal(12,4)", {"1.25"}, {"1.255"}, "the column keeps 2 digits"},
      {"integer", "decimal(10,2)", {"7", "-3.00"}, {"7.5"}, "invalid input syntax"},
      {"real",
       "float64",
       {"0.5", "0.1", "0", "16777216", "Infinity", "NaN"},
       {"0.10000000149011612", "16777217", "33554434.0001"},
       "the column has four bytes"},
      {"real", "decimal(9,2)", {"0.10", "1234.5"}, {"1234567.89"}, "the column has four bytes"},
      {"double precision", "decimal(20,10)", {"0.1"}, {"1234567890.123456789"}, "eight bytes"},
      {"double precision", "int64", {"123456789"}, {"9007199254740993"}, "eight bytes"},
      {"time(1)", "time", {"10:00:00.500000"}, {"10:00:00.25"}, "keeps 1 digit of a second"},
      {"timestamp(3)",
       "datetime",
       {"2026-11-27T10:00:00.123"},
       {"2026-11-27T10:00:00.1234"},
       "the column keeps 3 digits of a second"},
      {"timestamptz(0)",
       "timestamp",
       {"2026-11-27T10:00:00Z"},
       {"2026-11-27T10:00:00.125Z"},
       "the column keeps 0 digits of a second"},
      {"timetz(0)", "text", {"10:00:00+02"}, {"10:00:00.5+02"}, "keeps 0 digits of a second"},
      {"date",
       "datetime(0)",
       {"2026-11-27T00:00:00"},
       {"2026-11-27T10:00:00"},
       "the column keeps no time of day"},
      {"varchar(3)", "text", {"abc", "a~", "~~~", "äöü"}, {"abc~", "äö~~"}, "keeps 3 characters"},
      {"char(3)", "text", {"abc", "~a", ""}, {"a~"}, "the column keeps no spaces at the end"},
      {"char(3)", "char(3)", {"abc", "a~"}, {}, ""},
      {"name", "text", {std::string(63, 'a'), "a~"}, {std::string(64, 'a')}, "keeps 63 bytes"},
      {"\"char\"", "text", {"a", ""}, {"ab", "ä"}, "the column keeps one byte"},
      {"macaddr8", "macaddr", {"08:00:2b:01:02:03:04:05"}, {"08:00:2b:01:02:03"}, "ff:fe"},
  };
}

std::vector<Case> nested_cases() {
  return {
      {"real[]", "json", {"[0.5,0.1,null]", "[]"}, {"[0.5,0.123456789]"}, "four bytes"},
      {"interval(0)[]", "json", {"[\"PT1S\"]"}, {"[\"PT1.5S\"]"}, "keeps 0 digits of a second"},
      {"numeric(5,-2)[]", "json", {"[100,null]"}, {"[100,123]"}, "last 2 digits are not 0"},
      {"name[]", "json", {"[\"a\"]"}, {"[\"" + std::string(64, 'a') + "\"]"}, "keeps 63 bytes"},
      {"part",
       "json",
       {R"({"i":"PT1S","n":100,"r":0.1})"},
       {R"({"i":"PT1.5S","n":100,"r":0.1})", R"({"i":"PT1S","n":123,"r":0.1})",
        R"({"i":"PT1S","n":100,"r":0.123456789})"},
       "attribute"},
      {"part", "text", {"(PT1S,100,0.1)"}, {"(PT1.5S,100,0.1)", "(,,0.123456789)"}, "attribute"},
      {"bag", "text", {"(\"{1.5,NULL}\")"}, {"(\"{1.5,1.25}\")"}, "attribute ns"},
  };
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = [] {
    auto all = scalar_cases();
    for (Case& one : nested_cases()) all.push_back(std::move(one));
    return all;
  }();
  return kCases;
}

class Exact : public PostgresTest {
 protected:
  Exact() {
    user_.run(
        "CREATE DOMAIN cents AS numeric(10,2); CREATE TYPE part AS (i interval(0), n "
        "numeric(5,-2), r real); CREATE TYPE bag AS (ns numeric(5,1)[])");
  }
  static std::string name(size_t number) { return "sample" + std::to_string(number); }
  template <class Kinds>
  void start_all(const Kinds& kinds) {
    std::vector<model::Schema> schemas;
    for (size_t i = 0; i < kinds.size(); ++i) {
      user_.run("CREATE TABLE " + name(i) + "(id int PRIMARY KEY, v " + kinds[i].column + ")");
      schemas.push_back(make_schema(name(i), "id:int64 v:" + kinds[i].logical));
    }
    start(std::move(schemas));
  }
  static std::string refusal(const Result<ports::ApplyResult>& applied) {
    if (!applied) return to_string(applied.error());
    const auto& poison = applied.value().poison;
    return poison ? to_string(poison->error) : std::string();
  }
  // Why it was refused; empty: it was written.
  std::string put(size_t table, int id, const std::string& value) {
    const auto applied = try_apply({"put " + std::to_string(id) + " v=" + value}, table);
    expect_ok(applied);
    return refusal(applied);
  }
  std::string canonical(size_t table, std::string value) const {
    std::replace(value.begin(), value.end(), '~', ' ');
    return model::canonical_from_text(value, schemas_[table].fields[1].type).value();
  }
  // What the table shows, in the keys' order.
  std::vector<std::string> stored(size_t table) {
    sink_->values.clear();
    snapshot(1000, table);
    for (const auto& row : std::exchange(rejected_, {})) ADD_FAILURE() << to_string(row.error);
    return sink_->values;
  }
};

TEST_F(Exact, AColumnHoldsAValueAsItIsOrRefusesIt) {
  start_all(cases());
  for (size_t i = 0; i < cases().size(); ++i) {
    const Case& one = cases()[i];
    SCOPED_TRACE(one.column + " of " + one.logical);
    std::vector<std::string> sent;
    int id = 0;
    for (const std::string& value : one.kept) {
      EXPECT_EQ("", put(i, ++id, value));
      sent.push_back(canonical(i, value));
    }
    for (const std::string& value : one.refused)
      EXPECT_THAT(put(i, ++id, value), HasSubstr(one.why));
    EXPECT_THAT(stored(i), ElementsAreArray(sent));
  }
}

// COPY, which a first sync goes by, knows no other text than the statements do.
TEST_F(Exact, AFirstSyncHoldsValuesToTheSame) {
  user_.run("CREATE TABLE t(id int PRIMARY KEY, v interval(0))");
  start({make_schema("t", "id:int64 v:interval")});
  std::vector<std::string> writes;
  for (int id = 1; id <= 300; ++id) {
    writes.push_back("insert " + std::to_string(id) + " v=PT" + std::to_string(id) + "S");
  }
  writes.push_back("insert 301 v=PT1.5S");
  const std::string reason = refusal(try_apply(writes));
  EXPECT_THAT(reason, HasSubstr("record id=301: column v: 'PT1.5S'"));
  EXPECT_THAT(reason, HasSubstr("keeps 0 digits of a second"));
  writes.pop_back();
  apply(writes);
  EXPECT_EQ("300", user_.ask("SELECT count(*) FROM t"));
}

// A record is looked for by its key as well: what the column would round is no key of another.
TEST_F(Exact, AKeyThatTheColumnWouldRoundNamesNoOtherRecord) {
  user_.run("CREATE TABLE t(k numeric(6,1) PRIMARY KEY, v int); INSERT INTO t VALUES (1.3, 1)");
  start({make_schema("t", "k:decimal(8,3) v:int64")});
  for (const char* write : {"put 1.25 v=2", "set 1.25 v=2", "delete 1.25"}) {
    EXPECT_THAT(refusal(try_apply({write})), HasSubstr("keeps 1 digit")) << write;
  }
  apply({"set 1.300 v=3"});
  EXPECT_EQ("1.3|3", user_.ask("SELECT * FROM t"));
}

// As PostgreSQL takes it: the spaces up to its length are none of its value.
TEST_F(Exact, APaddedTextIsReadWithoutItsPadding) {
  user_.run("CREATE TABLE t(id int PRIMARY KEY, v char(6))");
  start({make_schema("t", "id:int64 v:text")});
  user_.run("INSERT INTO t VALUES (1, 'ab')");
  EXPECT_THAT(take(1), testing::ElementsAre("insert 1 v=ab"));
  EXPECT_THAT(snapshot(), testing::ElementsAre("snapshot 1 v=ab"));
}

struct Kind {
  std::string column;
  std::string logical;
  std::function<std::string(std::mt19937_64&)> value;
};

std::string digits_of(std::mt19937_64& dice, size_t count) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += static_cast<char>('0' + dice() % 10);
  return text;
}

std::vector<Kind> kinds() {
  const auto number = [](std::mt19937_64& dice) {
    return (dice() % 2 == 0 ? "-" : "") + digits_of(dice, 1 + dice() % 5) + "." +
           digits_of(dice, 1 + dice() % 3);
  };
  const auto hundreds = [](std::mt19937_64& dice) {
    return digits_of(dice, 1 + dice() % 3) + std::string(dice() % 4, '0');
  };
  const auto duration = [](std::mt19937_64& dice) {
    return "P" + digits_of(dice, 1) + "MT-" + digits_of(dice, 2) + "." +
           digits_of(dice, 1 + dice() % 4) + "S";
  };
  return {
      {"real", "float64", [](std::mt19937_64& dice) { return digits_of(dice, 3 + dice() % 8); }},
      {"real", "decimal(9,3)", [=](std::mt19937_64& dice) { return "9" + number(dice).substr(1); }},
      {"numeric(10,2)", "decimal(12,4)", number},
      {"numeric(10,2)", "float64", number},
      {"numeric(6,-2)", "decimal", hundreds},
      {"interval(2)", "interval", duration},
      {"interval hour to minute", "interval",
       [](std::mt19937_64& dice) { return "PT" + std::to_string(dice() % 9 * 20) + "S"; }},
      {"varchar(5)", "text",
       [](std::mt19937_64& dice) {
         return digits_of(dice, dice() % 6) + std::string(dice() % 3, '~');
       }},
  };
}

TEST_F(Exact, ValuesAtRandomComeBackAsTheyAreOrAreRefused) {
  const auto seed = static_cast<uint32_t>(system_clock().now_us());
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 dice(seed);
  const auto all = kinds();
  start_all(all);
  constexpr int kValues = 80;
  for (size_t i = 0; i < all.size(); ++i) {
    SCOPED_TRACE(all[i].column + " of " + all[i].logical);
    std::vector<std::string> sent;
    for (int id = 1; id <= kValues; ++id) {
      const std::string value = all[i].value(dice);
      if (put(i, id, value).empty()) sent.push_back(canonical(i, value));
    }
    EXPECT_LT(0U, sent.size());
    EXPECT_GT(static_cast<size_t>(kValues), sent.size());
    EXPECT_THAT(stored(i), ElementsAreArray(sent));
  }
}

}  // namespace
}  // namespace syncline::postgres
