// Every type, from PostgreSQL through canonical bytes and back: the value that comes out is the one
// that went in, read from the log and read from the table alike.
#include "drivers/systems/postgres/detail/value.hpp"
#include "tests/unit/postgres/postgres_fixture.hpp"

namespace syncline::postgres {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::SizeIs;

struct Sample {
  std::string type;  // of the column
  std::string logical;
  std::vector<std::string> values;  // as SQL
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> kSamples = {
      {"boolean", "bool", {"true", "false"}},
      {"smallint", "int64", {"-32768", "0", "32767"}},
      {"bigint", "int64", {"-9223372036854775808", "9223372036854775807"}},
      {"numeric",
       "decimal",
       {"'NaN'", "'Infinity'", "'-Infinity'", "12345678901234567890.123456789", "-0.001", "0",
        "1e40"}},
      {"numeric(12,2)", "decimal(12,2)", {"9999999999.99", "-1.5", "0.00"}},
      {"real", "float32", {"16777216", "1e-45", "'NaN'", "'-Infinity'", "0.1"}},
      {"double precision",
       "float64",
       {"0.1", "1e308", "5e-324", "'NaN'", "'Infinity'", "'-0'", "123456789.123456789"}},
      {"text", "text", {"''", "'NULL'", "'a\"b\\c{},''d'", "E'tab\\tline\\n'", "'Zürich 🚲'"}},
      {"varchar(5)", "text(5)", {"'abcde'", "''"}},
      {"char(6)", "char(6)", {"'ab'", "'abcdef'"}},
      {"bytea", "bytes", {"'\\x'", "'\\x00ff5c22'"}},
      {"bit(5)", "bit(5)", {"B'01011'"}},
      {"date", "date", {"'0001-01-01'", "'9999-12-31'", "'2024-02-29'"}},
      {"timestamp", "datetime", {"'2026-03-29 02:30:00.123456'", "'1901-01-01'"}},
      {"timestamp(0)", "datetime(0)", {"'2026-03-29 02:30:00'"}},
      {"timestamptz", "timestamp", {"'2026-03-29 02:30:00.123456+02'", "'1969-12-31 23:59:59Z'"}},
      {"time", "time", {"'00:00'", "'24:00:00'", "'12:34:56.789'"}},
      {"interval",
       "interval",
       {"'1 year -2 mons 3 days -04:05:06.7'", "'0'", "'-1 day 25 hours'", "'100 years'"}},
      {"uuid", "uuid", {"'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'"}},
      {"inet", "inet", {"'10.1.2.3/8'", "'10.1.2.3'", "'2001:DB8::1'"}},
      {"macaddr", "macaddr", {"'08:00:2B:01:02:03'"}},
      {"jsonb",
       "json",
       {"'{\"b\": [1, 2.50], \"a\": null, \"é\": \"x\\\"\"}'", "'12345678901234567890'", "'null'"}},
      {"int[]", "json", {"'{}'", "'{1,NULL,3}'", "'{{1,2},{3,4}}'"}},
      {"text[]",
       "json",
       {"'{\"a b\",\"NULL\",NULL,\"q\\\"\\\\\",\"\"}'", "ARRAY[E'\\n', '{', ',']"}},
      {"boolean[]", "json", {"'{t,f,NULL}'"}},
      {"numeric[]", "json", {"'{1.5,NaN,12345678901234567890}'"}},
      {"jsonb[]", "json", {"ARRAY['{\"a\": [1]}'::jsonb, '[2]'::jsonb, 'null'::jsonb]"}},
      {"char(3)[]", "json", {"'{a,abc}'"}},
      {"timestamptz[]", "json", {"ARRAY['2026-03-29 02:30:00.5+02'::timestamptz]"}},
      {"mood", "enum", {"'happy'", "'so so'"}},
      {"positive", "int64", {"5"}},
      {"int4range", "text", {"'[1,5)'", "'empty'"}},
      {"tsvector", "text", {"'a:1 b:2'"}},
      {"money", "text", {"'12.34'"}},
      {"xml", "text", {"'<a>b</a>'"}},
      {"point", "text", {"'(1.5,2)'"}},
      {"pair", "text", {"ROW(1, 'a b')"}},
      {"timetz", "text", {"'12:00:00+02'"}},
  };
  return kSamples;
}

class Types : public PostgresTest {
 protected:
  Types() {
    user_.run(
        "CREATE TYPE mood AS ENUM ('happy', 'so so'); CREATE DOMAIN positive AS int CHECK "
        "(VALUE > 0); CREATE TYPE pair AS (a int, b text)");
  }
  static std::string name(size_t number) { return "sample" + std::to_string(number); }
  // One table a sample, with its values under 1, 2, ... and room for what comes back above 100.
  void start_samples() {
    std::vector<model::Schema> schemas;
    for (size_t i = 0; i < samples().size(); ++i) {
      user_.run("CREATE TABLE " + name(i) + "(id int PRIMARY KEY, v " + samples()[i].type + ")");
      schemas.push_back(make_schema(name(i), "id:int64 v:" + samples()[i].logical));
    }
    start(std::move(schemas));
  }
  // Writes what a line like "snapshot 1 v=..." says, under another key, from its canonical bytes.
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
      ADD_FAILURE() << samples()[number].type << ": " << to_string(applied.value().poison->error);
    }
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
    sink_->values.clear();
    const auto from_log = take(sample.values.size());
    const auto canonical_log = sink_->values;
    sink_->values.clear();
    EXPECT_THAT(snapshot(100, i), SizeIs(sample.values.size())) << sample.type;
    EXPECT_EQ(canonical_log, sink_->values) << sample.type;
    for (const auto& row : rejected_) ADD_FAILURE() << to_string(row.error);
    rejected_.clear();
    write_back(i, canonical_log);
    const std::string is_same = sample.type == "xml" || sample.type == "point"
                                    ? "a.v::text = b.v::text"
                                    : "a.v IS NOT DISTINCT FROM b.v";
    EXPECT_EQ(std::to_string(sample.values.size()),
              user_.ask("SELECT count(*) FROM " + name(i) + " a JOIN " + name(i) +
                        " b ON b.id = a.id + 100 AND " + is_same))
        << sample.type << ": " << user_.ask("SELECT * FROM " + name(i));
    take(1 + sample.values.size());
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(Types, MatchTheLogicalTypeThatTheCatalogGives) {
  start_samples();
  const auto tables = system_.catalog->tables().value();
  for (size_t i = 0; i < samples().size(); ++i) {
    const auto table = std::find_if(tables.begin(), tables.end(), [&](const auto& known) {
      return known.name == "public." + name(i);
    });
    ASSERT_NE(table, tables.end());
    EXPECT_EQ(type_of(samples()[i].logical), table->columns[1].type) << samples()[i].type;
  }
}

// Rows under 1, 2, ... with these values, as log and table tell them alike, without the key.
class OtherTypes : public PostgresTest {
 protected:
  // One table, column v. REQUIRES: the types that `column` names.
  void start_one(const std::string& column, const std::string& logical) {
    user_.run("CREATE TABLE t(id int PRIMARY KEY, v " + column + ")");
    auto schema = make_schema("t", "id:int64 v:" + logical);
    schema.fields[1].are_zero_dates_null = are_zero_dates_null_;
    start({std::move(schema)});
  }
  std::vector<std::string> shown(const std::vector<std::string>& values, size_t rejected_count) {
    for (const std::string& value : values) {
      user_.run("INSERT INTO t VALUES (" + std::to_string(++row_count_) + ", " + value + ")");
    }
    auto from_log = take(values.size() - rejected_count);
    poll_until([&] { return rejected_.size() >= rejected_count; });
    for (std::string& line : from_log) line = line.substr(line.find("v="));
    auto from_table = snapshot();
    for (std::string& line : from_table) line = line.substr(line.find("v="));
    EXPECT_EQ(from_log, from_table);
    EXPECT_EQ(2 * rejected_count, rejected_.size());
    return from_log;
  }

  bool are_zero_dates_null_ = false;
  int row_count_ = 0;
};

TEST_F(OtherTypes, WhatNoDateHoldsIsNullWhereTheDatasetSaysSo) {
  are_zero_dates_null_ = true;
  start_one("date", "date");
  EXPECT_THAT(shown({"'10000-01-01'", "'infinity'", "'-infinity'", "'0044-03-15 BC'",
                     "'2026-11-27'", "NULL"},
                    1),
              ElementsAre("v=NULL", "v=NULL", "v=NULL", "v=2026-11-27", "v=NULL"));
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("10000-01-01"));
}

TEST_F(OtherTypes, WhatNoInstantHoldsIsNullWhereTheDatasetSaysSo) {
  are_zero_dates_null_ = true;
  start_one("timestamptz(0)", "timestamp(0)");
  EXPECT_THAT(shown({"'infinity'", "'0001-01-01 00:00:00+01'", "'2026-11-27 10:00:00Z'"}, 0),
              ElementsAre("v=NULL", "v=NULL", "v=2026-11-27 10:00:00Z"));
}

TEST_F(OtherTypes, AWholeRecordLeavesADateOfWhichNullIsKnown) {
  user_.run(
      "CREATE TABLE t(id int PRIMARY KEY, d date, c timestamp, i timestamptz, n int);"
      "INSERT INTO t VALUES (1, 'infinity', '0044-03-15 BC', '-infinity', 1), (2, '2026-11-27', "
      "'infinity', '2026-11-27 10:00Z', 1), (3, '0044-03-15 BC', NULL, 'infinity', 1)");
  model::Schema schema = make_schema("t", "id:int64 d:date c:datetime i:timestamp n:int64");
  for (model::Field& field : schema.fields) field.are_zero_dates_null = true;
  start({schema});
  apply({"put 1 d=NULL c=NULL i=NULL n=2", "put 2 d=NULL c=NULL i=NULL n=2",
         "put 3 d=2026-11-27 c=NULL i=NULL n=2", "put 4 d=NULL c=NULL i=NULL n=2"});
  EXPECT_EQ(
      "1|infinity|0044-03-15 00:00:00 BC|-infinity|2;2|NULL|infinity|NULL|2;"
      "3|2026-11-27|NULL|infinity|2;4|NULL|NULL|NULL|2",
      user_.ask("SELECT * FROM t ORDER BY id"));
  apply({"set 3 i=NULL"});
  EXPECT_EQ("NULL", user_.ask("SELECT i FROM t WHERE id = 3")) << "a change of that field";
  apply({"delete 1", "put 11<1 d=NULL c=NULL i=NULL n=3"});
  EXPECT_EQ("11|infinity|0044-03-15 00:00:00 BC|-infinity|3",
            user_.ask("SELECT * FROM t WHERE id = 11"));
}

TEST_F(OtherTypes, WhatNoDateHoldsIsRejectedElsewhere) {
  start_one("date", "date");
  EXPECT_THAT(shown({"'infinity'", "'0044-03-15 BC'", "'2026-11-27'"}, 2),
              ElementsAre("v=2026-11-27"));
}

TEST_F(OtherTypes, AnArrayOfTextsIsASet) {
  start_one("text[]", "set");
  EXPECT_THAT(shown({"'{}'", "'{b,a}'", "ARRAY['q\"', E'\\\\', 'NULL', '{x}']", "'{a,a}'",
                     "'{a,NULL}'", "'{\"a,b\"}'", "'{\"\"}'", "'{{a},{b}}'", "'[0:1]={a,b}'"},
                    6),
              ElementsAre("v=", "v=a,b", "v=NULL,\\,q\",{x}"));
  std::string reasons;
  for (const auto& row : rejected_) reasons += to_string(row.error);
  for (const char* why : {"'a' is in it twice", "an element of it is NULL", "has a comma",
                          "is empty", "arrays within it", "do not begin at 1"}) {
    EXPECT_THAT(reasons, HasSubstr(why));
  }
  apply({"put 11 v=b,a", "put 12 v=q\",\\", "put 13 v="});
  EXPECT_EQ(R"(11|{a,b};12|{"\\","q\""};13|{})",
            user_.ask("SELECT id, v FROM t WHERE id > 10 ORDER BY id"));
}

TEST_F(OtherTypes, AGeometryIsItsBytes) {
  start_one("bytea", "spatial");
  EXPECT_THAT(shown({"'\\x000010e60101000000000000000000f03f0000000000000040'", "'\\x0000'"}, 1),
              ElementsAre("v=4326;0101000000000000000000f03f0000000000000040"));
  apply({"put 9 v=7;0101000000000000000000f03f0000000000000040"});
  EXPECT_EQ("\\x000000070101000000000000000000f03f0000000000000040",
            user_.ask("SELECT v FROM t WHERE id = 9"));
}

TEST_F(OtherTypes, ACompositeIsAnObjectWhereTheDatasetHasJson) {
  user_.run(
      "CREATE TYPE inner_part AS (x int, y text); CREATE DOMAIN tag AS text; "
      "CREATE TYPE part AS (n int, \"Na me\" tag, w numeric(6,2), ok boolean, ns int[], p "
      "inner_part)");
  start_one("part", "json");
  const std::vector<std::string> objects = {
      R"~({"Na me":"a \"b\" \\c, (d)","n":1,"ns":[1,null],"ok":true,"p":"(7,\"q r\")","w":1.5})~",
      R"~({"Na me":null,"n":null,"ns":null,"ok":null,"p":null,"w":null})~",
      R"~({"Na me":"","n":-2,"ns":[],"ok":false,"p":"(,)","w":0})~"};
  EXPECT_THAT(shown({R"~(ROW(1, E'a "b" \\c, (d)', 1.50, true, '{1,NULL}', ROW(7, 'q r')))~",
                     "ROW(NULL, NULL, NULL, NULL, NULL, NULL)",
                     "ROW(-2, '', 0, false, '{}', ROW(NULL, NULL))", "NULL"},
                    0),
              ElementsAre("v=" + objects[0], "v=" + objects[1], "v=" + objects[2], "v=NULL"));
  for (size_t i = 0; i < objects.size(); ++i) {
    std::string object = objects[i];
    std::replace(object.begin(), object.end(), ' ', '~');
    apply({"put " + std::to_string(101 + i) + " v=" + object});
  }
  EXPECT_EQ("3", user_.ask("SELECT count(*) FROM t a JOIN t b ON b.id = a.id + 100 AND a.v IS NOT "
                           "DISTINCT FROM b.v"));
  const auto applied = try_apply({"put 9 v={\"n\":1}"});
  ASSERT_TRUE(applied && applied.value().poison);
  EXPECT_THAT(to_string(applied.value().poison->error),
              HasSubstr("not those of the column's type"));
}

TEST_F(OtherTypes, RowsOfACompositeThatGotAnAttributeAreRejectedUntilTheNextStart) {
  user_.run("CREATE TYPE part AS (n int)");
  start_one("part", "json");
  EXPECT_THAT(shown({"ROW(1)"}, 0), ElementsAre("v={\"n\":1}"));
  user_.run("ALTER TYPE part ADD ATTRIBUTE more text");
  user_.run("INSERT INTO t VALUES (2, ROW(2, 'a'))");
  poll_until([&] { return rejected_.size() == 1; });
  EXPECT_THAT(to_string(rejected_[0].error), HasSubstr("other attributes than its type had"));
  connect(sink_->position);
  user_.run("INSERT INTO t VALUES (3, ROW(3, 'b'))");
  EXPECT_THAT(take(1), testing::Contains("insert 3 v={\"more\":\"b\",\"n\":3}"));
}

TEST(CompositeText, WhatItWouldGiveBackAsSomethingElseIsRefused) {
  const std::vector<Attribute> attributes = {{"n", Category::kInteger}, {"t", Category::kText}};
  for (const char* json :
       {"1", "[]", "{", "{\"n\":1}", R"({"n":1,"t":2})", R"({"n":"1","t":"a"})",
        R"({"n":1,"t":"a","u":null})", R"({"n":1,"t":{"a":1}})", R"({"n":1,"t":"a"}x)"}) {
    const auto text = composite_from_json(json, attributes);
    ASSERT_FALSE(text.has_value()) << json;
    EXPECT_EQ(ErrorCode::kValue, text.error().code);
  }
  constexpr int32_t kTwoDigits = (6 << 16 | 2) + 4;  // numeric(6,2)
  const std::vector<Attribute> amounts = {{"w", Category::kDecimal, kTwoDigits}};
  EXPECT_EQ("(\"1.5\")", composite_from_json(R"({"w":1.5})", amounts).value());
  EXPECT_FALSE(composite_from_json(R"({"w":1.255})", amounts).has_value());
  EXPECT_FALSE(composite_from_json(R"({"w":1e-7})", amounts).has_value());
  EXPECT_FALSE(array_from_json("[1,1.255]", Category::kDecimal, kTwoDigits).has_value());
  EXPECT_FALSE(array_from_json(R"(["12:00:00.5"])", Category::kTime, 0).has_value());
  EXPECT_EQ("(,\"\")", composite_from_json(R"({"n":null,"t":""})", attributes).value());
  for (const char* text : {"", "(1)", "(1,a", "(1,a,b)", "(1,a)x", "1,a"}) {
    EXPECT_FALSE(json_from_composite(text, attributes).has_value()) << text;
  }
  EXPECT_EQ(R"({"n":1,"t":"a,\"\\"})",
            json_from_composite(R"~((1,"a,""\\"))~", attributes).value());
}

TEST(Doubles, AreExactWhereTheDatasetHasFloats) {
  const NativeType column{
      .category = Category::kFloat64, .name = "double precision", .attributes = {}};
  const model::LogicalType type{.kind = model::TypeKind::kFloat32};
  EXPECT_EQ(ErrorCode::kValue, canonical_from_native("0.1", column, type).error().code);
  const std::string bytes = model::canonical_float32(0.1F);
  const std::string written = native_from_canonical(bytes, type, column).value();
  EXPECT_EQ("0.10000000149011612", written);
  EXPECT_EQ(bytes, canonical_from_native(written, column, type).value());
}

TEST(ArrayText, OtherLowerBoundsAndDamagedTextAreRefused) {
  for (const char* text : {"[2:3]={1,2}", "{1,2", "{1}x", "", "1", "{{{{{{{{1}}}}}}}}"}) {
    const auto json = json_from_array(text, Category::kInteger);
    ASSERT_FALSE(json.has_value()) << text;
    EXPECT_EQ(ErrorCode::kValue, json.error().code);
  }
  for (const char* json : {"{}", "[1,2", "[1]x", "", "1", "[\"a]"}) {
    EXPECT_FALSE(array_from_json(json, Category::kInteger).has_value()) << json;
  }
}

TEST(ArrayText, ElementsThatWouldComeBackAsOthersAreRefused) {
  for (const auto& [json, element] : {std::pair{"[1]", Category::kText},
                                      {"[true]", Category::kText},
                                      {"[{\"a\":1}]", Category::kText},
                                      {"[\"1\"]", Category::kInteger},
                                      {"[1]", Category::kBool},
                                      {"[\"t\"]", Category::kBool},
                                      {"[[]]", Category::kInteger}}) {
    const auto text = array_from_json(json, element);
    ASSERT_FALSE(text.has_value()) << json;
    EXPECT_EQ(ErrorCode::kValue, text.error().code);
  }
  EXPECT_EQ("{\"1.5\",NULL,\"NaN\"}",
            array_from_json("[1.5,null,\"NaN\"]", Category::kDecimal).value());
  EXPECT_EQ("{\"true\"}", array_from_json("[\"true\"]", Category::kText).value());
  EXPECT_EQ("{\"true\",\"false\"}", array_from_json("[true,false]", Category::kBool).value());
}

}  // namespace
}  // namespace syncline::postgres
