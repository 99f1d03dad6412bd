// What a column would round or cut is refused with the reason, and what it holds comes back as it
// was sent: there is nothing in between.
#include <functional>
#include <random>

#include "tests/unit/mariadb/mariadb_fixture.hpp"

namespace syncline::mariadb {
namespace {

using testing::ElementsAreArray, testing::HasSubstr;

struct Case {
  std::string column;
  std::string logical;
  std::vector<std::string> kept;  // '~' is a space, '^' the end of a line
  std::vector<std::string> refused;
  std::string why;
};

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

const std::vector<Case>& cases() {
  static const std::vector<Case> kCases = {
      {"float(8,2)",
       "float32",
       {"1.5", "1.23", "-0.01", "123456.78", "123456.79", "0"},
       {"1.23456", "0.001"},
       "the column keeps 2 digits behind the point"},
      {"float(7,0)", "float32", {"1", "-1234567"}, {"1.5"}, "keeps 0 digits behind the point"},
      {"double(10,2)",
       "float64",
       {"1.25", "0.29", "99999999.99", "-123.29"},
       {"1.234", "-0.001"},
       "the column keeps 2 digits behind the point"},
      {"float", "float64", {"0.5", "16777216"}, {"0.1", "16777217"}, "the column has four bytes"},
      {"float", "decimal(9,2)", {"0.10", "1234.5"}, {"1234567.89"}, "the column has four bytes"},
      {"double", "decimal(20,10)", {"0.1", "1234.5678"}, {"1234567890.123456789"}, "eight bytes"},
      {"double", "int64", {"123456789"}, {"9007199254740993"}, "eight bytes"},
      {"decimal(10,2)",
       "decimal(12,4)",
       {"1.2000", "5", "-0.01", "99999999.99"},
       {"1.2345", "0.001"},
       "the column keeps 2 digits behind the point"},
      {"decimal(10,2)", "float64", {"1.25", "1e2"}, {"1e-7", "1.005"}, "behind the point"},
      {"int", "decimal(10,2)", {"7", "-3.00"}, {"7.5"}, "it is out of range"},
      {"time", "interval", {"PT1S", "-838:59:59"}, {"0:00:01.5"}, "keeps 0 digits of a second"},
      {"time(2)", "interval", {"PT1.25S", "PT-0.5S"}, {"PT1.255S"}, "keeps 2 digits of a second"},
      {"time(1)", "time", {"10:00:00.500000"}, {"10:00:00.25"}, "keeps 1 digit of a second"},
      {"datetime(3)",
       "datetime",
       {"2026-11-27T10:00:00.123"},
       {"2026-11-27T10:00:00.1234"},
       "the column keeps 3 digits of a second"},
      {"timestamp(2) NULL",
       "timestamp",
       {"2026-11-27T10:00:00.12Z"},
       {"2026-11-27T10:00:00.125Z"},
       "the column keeps 2 digits of a second"},
      {"date",
       "datetime(0)",
       {"2026-11-27T00:00:00"},
       {"2026-11-27T10:00:00"},
       "the column keeps no time of day"},
      {"varchar(3)", "text", {"abc", "~~~", "äöü"}, {"abc~", "äö~~", "abc^"}, "keeps 3 characters"},
      {"char(3)", "text", {"abc", "~a", "ab^"}, {"a~", "abc^"}, "the column keeps"},
      {"tinytext CHARACTER SET sjis", "text", {repeated("日", 100)}, {}, ""},
      {"char(3)", "char(3)", {"abc", "a~"}, {}, ""},
      {"tinytext", "text", {std::string(254, 'a') + "~"}, {std::string(255, 'a') + "~"}, "255"},
      {"tinytext CHARACTER SET latin1", "text", {std::string(127, 'a') + "äöü~"}, {}, ""},
      {"tinytext CHARACTER SET ucs2",
       "text",
       {std::string(126, 'a') + "~"},
       {std::string(127, 'a') + "~"},
       "127"},
      {"binary(3)", "bytes", {"616263", "610000"}, {"61", "61626320"}, "the column"},
      {"varbinary(3)", "bytes", {"61", "612020"}, {"61626320"}, "the column keeps 3 bytes"},
  };
  return kCases;
}

class Exact : public MariadbTest {
 protected:
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
    Writes writes;
    add_write(writes, schemas_[table], "put " + std::to_string(id) + " v=NULL");
    writes.cells.back()[0].state = model::CellState::kValue;
    writes.cells.back()[0].bytes = canonical(table, value);
    ports::WriteBatch batch;
    batch.epoch = kEpoch;
    batch.moves = {{schemas_[0].stream, 0, sequence_, sequence_ + 1}};
    batch.writes = writes.views;
    const auto applied = system_.target->apply(batch);
    expect_ok(applied);
    if (applied && !applied.value().poison) ++sequence_;
    return refusal(applied);
  }
  std::string canonical(size_t table, std::string value) const {
    std::replace(value.begin(), value.end(), '~', ' ');
    std::replace(value.begin(), value.end(), '^', '\n');
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

// A record is looked for by its key as well: what the column would round is no key of another.
TEST_F(Exact, AKeyThatTheColumnWouldRoundNamesNoOtherRecord) {
  user_.run("CREATE TABLE sample0(k decimal(6,1) PRIMARY KEY, v int)",
            "INSERT INTO sample0 VALUES (1.3, 1)");
  start({make_schema("sample0", "k:decimal(8,3) v:int64")});
  for (const char* write : {"put 1.25 v=2", "set 1.25 v=2", "delete 1.25"}) {
    EXPECT_THAT(refusal(try_apply({write})), HasSubstr("keeps 1 digit")) << write;
  }
  EXPECT_EQ("1.3|1", user_.ask("SELECT * FROM sample0"));
  apply({"set 1.300 v=3"});
  EXPECT_EQ("1.3|3", user_.ask("SELECT * FROM sample0"));
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
  const auto clock = [](std::mt19937_64& dice) {
    return "10:00:0" + digits_of(dice, 1) + "." + digits_of(dice, 1 + dice() % 4);
  };
  return {
      {"float(8,2)", "float32", number},
      {"double(12,2)", "float64", number},
      {"float", "float64", number},
      {"float", "decimal(9,3)", number},
      {"decimal(10,2)", "decimal(12,4)", number},
      {"decimal(10,2)", "float64", number},
      {"time(2)", "interval", clock},
      {"time(2)", "time", clock},
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
}  // namespace syncline::mariadb
