// The config that init writes: it parses, it resolves, and it says what it is unsure of.
#include "host/config/init.hpp"

#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/config/detail/match.hpp"

namespace syncline::config {
namespace {

using testing::HasSubstr;
using testing::Not;

ColumnShape column(std::string name, std::string_view type) {
  return {std::move(name), model::parse_type(type).value()};
}

InitSystem office() {
  return {"office",
          "k",
          "office \"1\".db",
          {{"customers",
            {column("id", "int64"), column("name", "text"), column("phone", "text"),
             column("since", "date")},
            {{"id"}}},
           {"products", {column("sku", "text"), column("price", "decimal(9,2)")}, {{"sku"}}},
           {"audit", {column("line", "text")}, {}},
           {"syncline_checkpoint", {column("seq", "int64")}, {{"seq"}}}}};
}

InitSystem shop() {
  return {"shop",
          "k",
          "shop.db",
          {{"Customer",
            {column("ID", "int64"), column("full_name", "text"), column("phone", "text"),
             column("since", "int64")},
            {{"ID"}}},
           {"product", {column("sku", "text"), column("price", "decimal(9,2)")}, {{"sku"}}},
           {"basket", {column("x", "bytes")}, {{"x"}}}}};
}

struct Outcome {
  std::string text;
  Parsed parsed;
  Resolution resolution;
};

// REQUIRES of the promise: no errors, neither parsing nor resolving.
Outcome sample_of(const std::vector<InitSystem>& systems) {
  Outcome outcome;
  outcome.text = make_sample({}, systems);
  const Offer offer{.kinds = {{"k", {"log"}, {"fire"}, {"refuse"}}}, .engines = {}};
  outcome.parsed = parse_config(outcome.text, "syncline.toml", offer);
  for (const Error& error : outcome.parsed.errors) ADD_FAILURE() << to_string(error);
  std::vector<SystemShape> shapes;
  for (const InitSystem& system : systems) shapes.push_back({system.name, system.tables});
  outcome.resolution = resolve(outcome.parsed.config, shapes);
  for (const Error& error : outcome.resolution.errors) ADD_FAILURE() << to_string(error);
  if (testing::Test::HasFailure()) ADD_FAILURE() << outcome.text;
  return outcome;
}

TEST(Init, MatchesTablesAndColumnsByName) {
  const Outcome outcome = sample_of({office(), shop()});
  ASSERT_EQ(outcome.parsed.config.datasets.size(), 2U) << outcome.text;
  EXPECT_EQ(outcome.parsed.config.find_system("office")->url, "office \"1\".db");
  const ResolvedDataset& customers = outcome.resolution.datasets.at(0);
  EXPECT_EQ(customers.schema.name, "customers");
  EXPECT_EQ(customers.mappings[1].columns, (std::vector<std::string>{"ID", "phone"}));
  EXPECT_EQ(outcome.resolution.datasets.at(1).schema.fields.size(), 2U);
}

TEST(Init, NamesWhereAPasswordIsToBeFound) {
  InitSystem with_password = office();
  with_password.password_environment = "OFFICE_PASSWORD";
  const Outcome outcome = sample_of({with_password, shop()});
  const Secret& secret = outcome.parsed.config.find_system("office")->password;
  EXPECT_EQ(secret.source, SecretSource::kEnvironment);
  EXPECT_EQ(secret.name, "OFFICE_PASSWORD");
}

TEST(Init, SaysWhatItIsUnsureOf) {
  const std::string text = sample_of({office(), shop()}).text;
  EXPECT_THAT(text, HasSubstr("name = \"full_name\""));
  EXPECT_THAT(text, HasSubstr("exclude = [\"since\"]"));
  EXPECT_THAT(text, Not(HasSubstr("share a number")));
  EXPECT_THAT(text, HasSubstr("office.audit: no other system has a table like it"));
  EXPECT_THAT(text, HasSubstr("shop.basket: no other"));
  EXPECT_THAT(text, Not(HasSubstr("syncline_checkpoint")));
}

TEST(Init, SaysWhoNumbersAKeyAndOffersTheLinesThatTellItApart) {
  std::vector<InitSystem> systems = {office(), shop()};
  systems[1].tables[0].columns[0].is_numbered = true;  // ID
  std::string text = sample_of(systems).text;
  EXPECT_THAT(text, HasSubstr("\n# shop numbers this key itself: where others"));
  EXPECT_THAT(text, HasSubstr("table = \"Customer\"\nfields = "));
  systems[0].tables[0].columns[0].is_numbered = true;
  text = sample_of(systems).text;
  EXPECT_THAT(text, HasSubstr("\n# office and shop number this key themselves: where others"));
  for (const std::string line : {"direction = \"to\"", "numbers = \"apart\""}) {
    const size_t at = text.rfind("\n# " + line);
    ASSERT_NE(at, std::string::npos) << line;
    std::string chosen = text;
    chosen.erase(at + 1, 2);
    const Offer offer{.kinds = {{"k", {"log"}, {"fire"}, {"refuse"}}}, .engines = {}};
    const Parsed parsed = parse_config(chosen, "syncline.toml", offer);
    EXPECT_THAT(parsed.errors, testing::IsEmpty()) << line;
    const Mapping& mapping = parsed.config.find_dataset("customers")->mappings[1];
    const bool is_taken = mapping.direction == Direction::kTo || mapping.numbers == Numbers::kApart;
    EXPECT_TRUE(is_taken) << line;
  }
}

TEST(Init, LeavesOutWhatOnlyOneKindOfSystemUnderstandsAndTakesArraysForSets) {
  InitSystem erp{"erp",
                 "k",
                 "e",
                 {{"t",
                   {column("id", "text"), column("price", "text"), column("tags", "json")},
                   {{"id"}},
                   "k"}}};
  erp.tables[0].columns[1].own_type = "money";
  erp.tables[0].columns[2].may_be = model::LogicalType{.kind = model::TypeKind::kSet};
  InitSystem shop{"shop",
                  "l",
                  "s",
                  {{"t",
                    {column("id", "text"), column("price", "text"), column("tags", "set")},
                    {{"id"}},
                    "l"}}};
  const std::string text = make_sample({}, std::vector{erp, shop});
  EXPECT_THAT(text, HasSubstr("types that do not fit"));
  EXPECT_THAT(text, HasSubstr("exclude = [\"price\"]"));
}

TEST(Init, TablesWithoutACommonKeyAreOnlyMentioned) {
  InitSystem other = shop();
  other.tables[0].keys = {{"phone"}};
  const Outcome outcome = sample_of({office(), other});
  EXPECT_EQ(outcome.parsed.config.datasets.size(), 1U);
  EXPECT_THAT(outcome.text, HasSubstr("office.customers and shop.Customer: they have no key"));
}

TEST(Init, TablesThatCannotBeSyncedAreOnlyMentioned) {
  std::vector<InitSystem> systems = {office(), shop()};
  TableShape versioned{.name = "customers", .columns = {}, .keys = {}};
  versioned.unread = "it is system-versioned";
  versioned.unread_fix = "ALTER TABLE";
  systems[0].tables = {versioned};
  const std::string text = make_sample({}, systems);
  EXPECT_THAT(text, Not(HasSubstr("[datasets.customer")));
  EXPECT_THAT(text, HasSubstr("#   office.customers: it is system-versioned (ALTER TABLE)\n"));
}

TEST(Init, FindsTablesOfOtherNamesByTheirColumns) {
  InitSystem other = shop();
  other.tables[1].name = "articles";
  EXPECT_EQ(sample_of({office(), other}).parsed.config.datasets.size(), 2U);
}

TEST(Init, ThreeSystemsShareWhatAllHave) {
  InitSystem third{"web", "k", "web.db", {{"customers", {column("id", "int64")}, {{"id"}}}}};
  const Outcome outcome = sample_of({office(), shop(), third});
  EXPECT_EQ(outcome.resolution.datasets.at(0).mappings.size(), 3U);
  EXPECT_EQ(outcome.resolution.datasets.at(0).schema.fields.size(), 1U);
  EXPECT_EQ(outcome.resolution.datasets.at(1).mappings.size(), 2U);
}

TEST(Init, NothingInCommonIsAConfigWithoutDatasets) {
  const Outcome outcome = sample_of({office(), {"web", "k", "w", {}}});
  EXPECT_TRUE(outcome.parsed.config.datasets.empty());
}

// Tables drawn at random from few names and types, so that they often half match.
std::vector<InitSystem> random_systems(std::mt19937& random) {
  const auto pick = [&](const std::vector<std::string>& from) {
    return from[random() % from.size()];
  };
  std::vector<InitSystem> systems;
  for (const char* name : {"a", "b", "c"}) {
    InitSystem system{name, "k", "u", {}};
    std::set<std::string> tables;
    while (tables.size() < 3)
      tables.insert(pick({"all", "T s", "ts", "x.items", "item", "a\"b\n", "Ä"}));
    for (const std::string& table_name : tables) {
      TableShape table{table_name, {}, {}};
      std::set<std::string> columns;
      while (columns.size() < 4)
        columns.insert(pick({"id", "Id", "i_d", "name", "names", "n ame", "\"q\"", "x"}));
      for (const std::string& c : columns) {
        table.columns.push_back(
            column(c, pick({"int64", "text", "uuid", "json", "float64", "bytes(2)"})));
        table.columns.back().is_generated = random() % 8 == 0;
        if (random() % 2 == 0) table.keys.push_back({c});
      }
      system.tables.push_back(std::move(table));
    }
    systems.push_back(std::move(system));
  }
  return systems;
}

TEST(Init, WhateverTheTablesTheSampleIsAccepted) {
  size_t dataset_count = 0;
  for (unsigned seed = 0; seed < 500; ++seed) {
    std::mt19937 random(seed);
    const Outcome outcome = sample_of(random_systems(random));
    ASSERT_FALSE(HasFailure()) << "seed " << seed;
    dataset_count += outcome.resolution.datasets.size();
  }
  EXPECT_GT(dataset_count, 100U) << "the tables should match often enough to mean something";
}

TEST(Match, PlainNamesForgetSchemaCaseAndPlural) {
  EXPECT_EQ(detail::plain_name("public.Sales_Orders"), "salesorder");
  EXPECT_EQ(detail::plain_name("categories"), "category");
  EXPECT_EQ(detail::plain_name("address"), "address");
}

}  // namespace
}  // namespace syncline::config
