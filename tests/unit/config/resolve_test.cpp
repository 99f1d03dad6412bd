// The config against the systems' tables: schemas, and what does not fit.
#include "host/config/resolve.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::config {
namespace {

using model::KeyEquivalence;
using model::LogicalType;
using testing::ElementsAre;
using testing::HasSubstr;

LogicalType type_of(std::string_view text) {
  return model::parse_type(text).value();
}

ColumnShape column(std::string name, std::string_view type) {
  return {std::move(name), type_of(type)};
}

TableShape table(std::string name, std::vector<ColumnShape> columns, std::vector<std::string> key) {
  return {std::move(name), std::move(columns), {std::move(key)}};
}

std::string make_key(const std::string& table, std::span<const ColumnShape* const> columns) {
  return "MAKE " + table + "(" + columns.front()->name + ") A KEY;";
}

std::string finer_key(const std::string& table, std::span<const ColumnShape* const> columns) {
  return "MAKE " + table + "." + columns.front()->name + " FINER;";
}

// Two systems a and b, each with a table t; a dataset d over both.
class ResolveTest : public testing::Test {
 protected:
  ResolveTest() {
    a_ = table("t",
               {column("id", "int64"), column("name", "text(40)"), column("paid", "decimal(10,2)")},
               {"id"});
    b_ = table("t",
               {column("paid", "decimal(8,4)"), column("name", "text(30)"), column("id", "int64")},
               {"id"});
  }

  // `dataset`: lines of [datasets.d]; a, b: lines of its systems; rest: further tables.
  void configure(const std::string& dataset, const std::string& a, const std::string& b,
                 const std::string& rest = "") {
    const std::string text =
        "[appliance]\nname = \"z\"\ndata = \"d\"\n"
        "[systems.a]\nkind = \"k\"\nurl = \"a\"\n"
        "[systems.b]\nkind = \"k\"\nurl = \"b\"\n"
        "[datasets.d]\nfirst = \"a\"\n" +
        dataset + "\n[datasets.d.on.a]\ntable = \"t\"\n" + a +
        "\n[datasets.d.on.b]\ntable = \"t\"\n" + b + "\n" + rest;
    Offer offer{.kinds = {{"k", {"log"}, {"fire"}, {"refuse"}}}, .engines = {}};
    Parsed parsed = parse_config(text, "x.toml", offer);
    for (const Error& error : parsed.errors) ADD_FAILURE() << to_string(error);
    config_ = std::move(parsed.config);
    const SystemShape shapes[] = {{"a", {a_, extra_}, make_key, finer_key},
                                  {"b", {b_}, nullptr, nullptr, add_column_}};
    resolution_ = resolve(config_, shapes);
  }

  std::vector<std::string> fields() const {
    std::vector<std::string> out;
    for (const model::Field& field : schema().fields) {
      out.push_back(field.name + " " + to_string(field.type));
    }
    return out;
  }
  const model::Schema& schema() const { return resolution_.datasets.at(0).schema; }
  std::string error() const {
    EXPECT_EQ(resolution_.errors.size(), 1U);
    EXPECT_TRUE(resolution_.datasets.empty());
    return resolution_.errors.empty() ? "" : to_string(resolution_.errors[0]);
  }
  std::string notes() const {
    std::string text;
    for (const std::string& note : resolution_.notes) text += note + "\n";
    return text;
  }

  TableShape a_, b_;
  TableShape extra_ = table("customers", {column("id", "int64")}, {"id"});
  ColumnSql add_column_ = nullptr;  // of b
  Config config_;
  Resolution resolution_;
};

TEST_F(ResolveTest, KeyComesFirstAndTypesAreTheCoarsest) {
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), ElementsAre("id int64", "name text(30)", "paid decimal(6,2)"));
  EXPECT_EQ(schema().key_count, 1U);
  EXPECT_EQ(schema().dataset, model::stable_id("d"));
  EXPECT_FALSE(schema().fields[0].is_nullable);
  EXPECT_THAT(resolution_.datasets[0].mappings[1].columns, ElementsAre("id", "name", "paid"));
}

TEST_F(ResolveTest, RenamedColumnsKeepTheirPlace) {
  b_.columns[1].name = "full_name";
  configure("key = [\"id\"]", "", "fields = { name = \"full_name\" }");
  EXPECT_THAT(fields(), ElementsAre("id int64", "name text(30)", "paid decimal(6,2)"));
  EXPECT_THAT(resolution_.datasets[0].mappings[1].columns, ElementsAre("id", "full_name", "paid"));
}

TEST_F(ResolveTest, ColumnsOfOneSystemOnlyStayThereAndAreNamed) {
  a_.columns.push_back(column("photo", "bytes"));
  b_.columns.push_back(column("score", "int64"));
  configure("key = [\"id\"]\nexclude = [\"paid\"]", "", "");
  EXPECT_THAT(fields(), ElementsAre("id int64", "name text(30)"));
  EXPECT_THAT(notes(), HasSubstr("field photo does not travel: \"b\" has no column"));
  EXPECT_THAT(notes(), HasSubstr("field score does not travel: \"a\" has no column"));
}

TEST_F(ResolveTest, AColumnThatIsLackedIsAddedWithTheTypeThatTheOthersHave) {
  add_column_ = [](const std::string& table, const std::string& column, const LogicalType& type) {
    return "ADD " + table + "." + column + " " + to_string(type) + ";";
  };
  a_.columns.push_back(column("photo", "bytes"));
  a_.columns.push_back(column("own", "text"));
  a_.columns.back().own_type = "money";
  a_.kind = "k";
  b_.kind = "l";
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(notes(), HasSubstr("no column for it; with one it would: ADD t.photo bytes;"));
  EXPECT_THAT(notes(), testing::Not(HasSubstr("ADD t.own")));
  configure("key = [\"id\"]\n[datasets.d.types]\nphoto = \"text\"", "", "");
  EXPECT_THAT(notes(), HasSubstr("ADD t.photo text;"));
  configure("key = [\"id\"]", "", "fields = { name = \"nmae\" }");
  EXPECT_THAT(error(), HasSubstr("-- did you mean \"name\"? Or:\nADD t.nmae text(40);"));
  configure("key = [\"id\"]", "fields = { title = \"name\" }", "");
  EXPECT_THAT(error(), HasSubstr(". Or:\nADD t.title text(40);"));
}

TEST_F(ResolveTest, GeneratedColumnsStay) {
  b_.columns[0].is_generated = true;
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), ElementsAre("id int64", "name text(30)"));
  EXPECT_THAT(notes(), HasSubstr("b.t.paid is generated"));
}

TEST_F(ResolveTest, ZeroDatesAreNullWhereEverySystemThatIsWrittenToHasRoom) {
  a_.columns.push_back(column("born", "date"));
  b_.columns.push_back(column("born", "date"));
  const auto is_null = [&](const std::string& dataset, const std::string& a) {
    configure("key = [\"id\"]\n" + dataset, a, "");
    return schema().fields.at(3).are_zero_dates_null;
  };
  EXPECT_FALSE(is_null("", ""));
  EXPECT_TRUE(is_null("zero_dates = \"null\"", ""));
  EXPECT_FALSE(schema().fields[2].are_zero_dates_null) << "it is no date";
  a_.columns.back().is_nullable = false;
  EXPECT_FALSE(is_null("zero_dates = \"null\"", ""));
  EXPECT_THAT(notes(), HasSubstr("zero dates of field born are rejected, not NULL: a.t.born is "
                                 "NOT NULL"));
  EXPECT_TRUE(is_null("zero_dates = \"null\"", "direction = \"from\""));
}

TEST_F(ResolveTest, ZeroDatesOfAKeyStayRejected) {
  for (TableShape* shape : {&a_, &b_}) {
    shape->columns.push_back(column("born", "date"));
    shape->keys = {{"born"}};
  }
  configure("key = [\"born\"]\nzero_dates = \"null\"", "", "");
  EXPECT_FALSE(schema().fields[0].are_zero_dates_null);
  EXPECT_THAT(notes(), HasSubstr("it is part of the key"));
}

TEST_F(ResolveTest, WhatOnlyOneKindOfSystemUnderstandsDoesNotTravelToOthers) {
  a_.columns.push_back(column("price", "text"));
  a_.columns.back().own_type = "money";
  b_.columns.push_back(column("price", "text"));
  a_.kind = b_.kind = "k";
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), testing::Contains("price text"));
  b_.kind = "other";
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(error(), HasSubstr("a.t.price is money"));
  EXPECT_THAT(error(), HasSubstr("\"exclude\""));
  configure("key = [\"id\"]\nexclude = [\"price\"]", "", "");
  EXPECT_THAT(fields(), testing::Not(testing::Contains("price text")));
  configure("key = [\"id\"]", "", "", "[datasets.d.types]\nprice = \"text\"");
  EXPECT_THAT(fields(), testing::Contains("price text"));
  a_.kind = "";  // remembered by a version that did not know
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), testing::Contains("price text"));
}

TEST_F(ResolveTest, AnArrayIsASetOnlyBesideOne) {
  a_.columns.push_back(column("tags", "json"));
  a_.columns.back().may_be = type_of("set");
  b_.columns.push_back(column("tags", "set"));
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), testing::Contains("tags set"));
  EXPECT_THAT(notes(), HasSubstr("field tags is set, though a.t.tags is json"));
  b_.columns.back().type = type_of("json");
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(fields(), testing::Contains("tags json"));
  a_.columns.back().may_be.reset();
  b_.columns.back().type = type_of("set");
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(error(), HasSubstr("a.t.tags is json, b.t.tags is set"));
}

TEST_F(ResolveTest, DeclaredTypesWin) {
  a_.columns[1].type = type_of("int64");
  configure("key = [\"id\"]", "", "", "[datasets.d.types]\nname = \"text\"\npaid = \"decimal\"");
  EXPECT_THAT(fields(), ElementsAre("id int64", "name text", "paid decimal"));
}

TEST_F(ResolveTest, CompositeKeysAreInTheConfigsOrder) {
  a_.keys = {{"id"}, {"paid", "name"}};
  b_.keys = {{"name", "paid"}};
  configure("key = [\"name\", \"paid\"]", "", "");
  EXPECT_THAT(fields(), ElementsAre("name text(30)", "paid decimal(6,2)", "id int64"));
  EXPECT_EQ(schema().key_count, 2U);
}

TEST_F(ResolveTest, KeyEquivalenceIsTheCoarsestUnlessSaidCoarser) {
  b_.keys = a_.keys = {{"name"}};
  a_.columns[1].equivalence = KeyEquivalence::kTrailingSpaces;
  configure("key = [\"name\"]", "", "");
  EXPECT_EQ(schema().key_equivalence, KeyEquivalence::kTrailingSpaces);
  configure("key = [\"name\"]\nkey_equivalence = \"ascii_case_insensitive\"", "", "");
  EXPECT_EQ(schema().key_equivalence, KeyEquivalence::kAsciiCaseInsensitive);
  b_.columns[1].equivalence = KeyEquivalence::kAsciiCaseInsensitive;
  configure("key = [\"name\"]\nkey_equivalence = \"bytes\"", "", "");
  EXPECT_EQ(resolution_.errors.at(0).fix,
            "-- in a:\nMAKE t.name FINER;\n-- in b:\n-- give the column a binary collation\n-- "
            "or remove the line");
  EXPECT_THAT(error(), HasSubstr("b.t.name takes keys for equal"));
}

TEST_F(ResolveTest, PoliciesFollowTheFields) {
  configure("key = [\"id\"]", "", "",
            "[datasets.d.conflict]\ndefault = \"oldest\"\nfields = { paid = [\"b\", \"a\"] }");
  const std::vector<Policy>& policies = resolution_.datasets.at(0).policies;
  ASSERT_EQ(policies.size(), 3U);
  EXPECT_EQ(policies[1].kind, PolicyKind::kOldest);
  EXPECT_EQ(policies[2].text, "b, a");
}

TEST_F(ResolveTest, MissingTableSuggestsTheNearest) {
  extra_.name = "tt";
  a_.name = "other";
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(error(), HasSubstr("x.toml:13:16: system \"a\" has no table \"t\""));
}

TEST_F(ResolveTest, MissingColumnSuggestsTheNearest) {
  configure("key = [\"id\"]", "fields = { name = \"nmae\" }", "");
  EXPECT_THAT(error(), HasSubstr("has no column \"nmae\""));
  EXPECT_THAT(error(), HasSubstr("did you mean \"name\"?"));
}

TEST_F(ResolveTest, MappedFieldMustBeEverywhere) {
  configure("key = [\"id\"]", "fields = { title = \"name\" }", "");
  EXPECT_THAT(error(), HasSubstr("field \"title\" of dataset \"d\" cannot travel"));
  EXPECT_THAT(error(), HasSubstr("\"b\" has no column for it"));
}

TEST_F(ResolveTest, KeyMustBeAKeyOfTheTable) {
  configure("key = [\"name\"]", "", "");
  ASSERT_EQ(resolution_.errors.size(), 2U) << "one for each system";
  const Error& error = resolution_.errors[0];
  EXPECT_EQ(error.code, ErrorCode::kSystemKey);
  EXPECT_THAT(error.why, HasSubstr("its keys are (id)"));
  EXPECT_EQ(error.fix, "MAKE t(name) A KEY; -- or choose another key") << "in its system's words";
  EXPECT_EQ(resolution_.errors[1].fix,
            "make them NOT NULL and unique together or choose another key");
}

TEST_F(ResolveTest, TableWithoutAKeyIsRefused) {
  a_.keys.clear();
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(error(), HasSubstr("the table has no key"));
}

TEST_F(ResolveTest, KeyColumnMustBeThere) {
  configure("key = [\"idd\"]", "", "");
  ASSERT_FALSE(resolution_.errors.empty());
  EXPECT_THAT(to_string(resolution_.errors[0]), HasSubstr("did you mean \"id\"?"));
}

TEST_F(ResolveTest, FloatsAreNoKeys) {
  a_.columns[0].type = type_of("float64");
  configure("key = [\"id\"]", "", "");
  ASSERT_FALSE(resolution_.errors.empty());
  EXPECT_THAT(to_string(resolution_.errors[0]), HasSubstr("its type is float64"));
}

TEST_F(ResolveTest, TypesThatDoNotFitNameBothColumns) {
  b_.columns[1].type = type_of("bytes");
  configure("key = [\"id\"]", "", "");
  EXPECT_THAT(error(), HasSubstr("a.t.name is text(40), b.t.name is bytes"));
  EXPECT_THAT(error(), HasSubstr("[datasets.d.types] name ="));
}

TEST_F(ResolveTest, UnknownFieldsOfTheConfigAreNamed) {
  configure(
      "key = [\"id\"]\nexclude = [\"piad\"]", "", "",
      "[datasets.d.types]\nnam = \"text\"\n[datasets.d.conflict]\nfields = { zz = \"local\" }");
  ASSERT_EQ(resolution_.errors.size(), 3U);
  EXPECT_THAT(to_string(resolution_.errors[0]), HasSubstr("did you mean \"paid\"?"));
  EXPECT_THAT(to_string(resolution_.errors[1]), HasSubstr("did you mean \"name\"?"));
  EXPECT_THAT(to_string(resolution_.errors[2]), HasSubstr("conflict.fields"));
}

TEST_F(ResolveTest, PolicyOfAFieldThatStaysIsRefusedUnlessLocal) {
  a_.columns.push_back(column("photo", "bytes"));
  configure("key = [\"id\"]", "", "", "[datasets.d.conflict]\nfields = { photo = \"newest\" }");
  EXPECT_THAT(error(), HasSubstr("has a policy, but does not travel"));
  configure("key = [\"id\"]", "", "", "[datasets.d.conflict]\nfields = { photo = \"local\" }");
  EXPECT_EQ(resolution_.datasets.size(), 1U);
}

TEST(Coarsest, HoldsWhatBothHold) {
  const char* cases[][3] = {
      {"text", "text(9)", "text(9)"},
      {"text(5)", "char(9)", "char(5)"},
      {"bool", "int64", "bool"},
      {"int64", "uint64", "int64"},
      {"int64", "decimal(18,0)", "int64"},
      {"int64", "decimal(18,2)", ""},
      {"int64", "year", "int64"},
      {"float32", "float64", "float32"},
      {"decimal", "decimal(5,1)", "decimal(5,1)"},
      {"decimal(9,0)", "decimal(6,4)", "decimal(2,0)"},
      {"decimal(2,2)", "decimal(4,0)", ""},
      {"datetime(6)", "datetime(0)", "datetime(0)"},
      {"datetime", "timestamp", ""},
      {"date", "datetime", ""},
      {"bytes", "bytes(4)", "bytes(4)"},
      {"bytes(3)", "bytes(4)", ""},
      {"bytes", "spatial", "spatial"},
      {"bytes(4)", "spatial", ""},
      {"text", "spatial", ""},
      {"bit(3)", "bit(4)", ""},
      {"text", "uuid", "uuid"},
      {"char(36)", "uuid", "uuid"},
      {"text", "decimal(9,2)", "decimal(9,2)"},
      {"text", "timestamp(3)", "timestamp(3)"},
      {"text", "int64", ""},
      {"text", "bytes", ""},
      {"float64", "decimal(9,2)", ""},
      {"time", "interval", ""},
      {"json", "uuid", ""},
  };
  for (const auto& [a, b, expected] : cases) {
    for (const auto& type : {coarsest(type_of(a), type_of(b)), coarsest(type_of(b), type_of(a))}) {
      EXPECT_EQ(type ? to_string(*type) : "", expected) << a << " and " << b;
    }
  }
}

}  // namespace
}  // namespace syncline::config
