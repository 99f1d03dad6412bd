// Unique keys that not all systems keep: whose records are refused, and why.
#include "host/config/unique_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::config {
namespace {

using testing::ElementsAre, testing::HasSubstr, testing::IsEmpty, testing::SizeIs;
using enum model::KeyEquivalence;

// Fields: id (the key), mail, room, price.
model::Schema schema() {
  model::Schema schema;
  schema.key_count = 1;
  for (const char* name : {"id", "mail", "room", "price"}) schema.fields.push_back({name, {}});
  schema.fields[0].is_nullable = false;
  return schema;
}

UniqueKey key(std::vector<model::FieldIndex> fields, model::KeyEquivalence equivalence = kBytes) {
  UniqueKey key{std::move(fields), {}};
  key.equivalences.assign(key.fields.size(), equivalence);
  return key;
}

Keeper keeper(const std::string& table, std::vector<UniqueKey> uniques = {}) {
  return {.table = table, .uniques = std::move(uniques), .spelled = {}};
}

std::vector<Looser> looser_of(const std::vector<Keeper>& keepers) {
  return find_looser(schema(), keepers);
}

TEST(UniqueKeys, WhatAllKeepIsNotSaid) {
  EXPECT_THAT(looser_of({keeper("a"), keeper("b")}), IsEmpty());
  EXPECT_THAT(looser_of({keeper("a", {key({1, 2})}), keeper("b", {key({2, 1})})}), IsEmpty());
  EXPECT_THAT(looser_of({keeper("a", {key({0}), key({1})}), keeper("b", {key({1})})}), IsEmpty());
}

TEST(UniqueKeys, WhatTheDatasetsKeyMakesUniqueIsNotSaid) {
  EXPECT_THAT(looser_of({keeper("a", {key({1, 0}), key({0})}), keeper("b")}), IsEmpty());
}

TEST(UniqueKeys, OneThatIsMissingIsSaidOfTheSystemThatLacksIt) {
  const auto found = looser_of({keeper("a", {key({2})}), keeper("b", {key({1, 2})})});
  ASSERT_THAT(found, SizeIs(1));  // (mail, room) follows from (room), not the other way round
  EXPECT_EQ(1u, found[0].keeper);
  EXPECT_THAT(found[0].strict, ElementsAre(0));
  EXPECT_EQ(Looser::Why::kLacks, found[0].why);
  EXPECT_THAT(found[0].what, HasSubstr("(room) is unique in a, not in b"));
}

TEST(UniqueKeys, SeveralThatRefuseAreOneFindingAsCoarseAsAnyOfThem) {
  const auto found = looser_of({keeper("a", {key({1}, kTrailingSpaces)}), keeper("b"),
                                keeper("c", {key({1}, kAsciiCaseInsensitive)})});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(0u, found[0].keeper);
  EXPECT_EQ(Looser::Why::kFiner, found[0].why);
  EXPECT_THAT(found[0].what, HasSubstr("(mail) takes more values for one in c than in a"));
  EXPECT_EQ(1u, found[1].keeper);
  EXPECT_THAT(found[1].strict, ElementsAre(0, 2));
  EXPECT_THAT(found[1].what, HasSubstr("unique in a and c, not in b"));
  EXPECT_THAT(found[1].what, HasSubstr("upper and lower case"));
  EXPECT_THAT(found[1].wanted.equivalences, ElementsAre(kAsciiCaseInsensitive));
}

TEST(UniqueKeys, OneOfTwoThatIsStrictEnoughIsEnough) {
  const auto strict = keeper("a", {key({1}, kAsciiCaseInsensitive)});
  const auto both = keeper("b", {key({1}), key({1}, kAsciiCaseInsensitive)});
  EXPECT_THAT(looser_of({strict, both}), IsEmpty());
}

TEST(UniqueKeys, NothingIsRefusedWhereNothingIsWrittenOrRead) {
  Keeper strict = keeper("a", {key({1})});
  strict.is_written = false;
  EXPECT_THAT(looser_of({strict, keeper("b")}), IsEmpty());
  Keeper loose = keeper("b");
  loose.is_read = false;
  EXPECT_THAT(looser_of({keeper("a", {key({1})}), loose}), IsEmpty());
}

TEST(UniqueKeys, TextsThatAreSpelledInTwoWaysAreTwo) {
  Keeper loose = keeper("b", {key({3})});
  loose.spelled = {3};
  const auto found = looser_of({keeper("a", {key({3})}), loose});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(Looser::Why::kSpelled, found[0].why);
  EXPECT_THAT(found[0].what, HasSubstr("a value is two in b"));
}

TEST(UniqueKeys, NullsThatAreEqualAreSaid) {
  UniqueKey strict = key({1});
  strict.are_nulls_equal = true;
  const auto found = looser_of({keeper("a", {strict}), keeper("b", {key({1})})});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_THAT(found[0].what, HasSubstr("(mail) is NULL in one row at most in a"));
}

}  // namespace
}  // namespace syncline::config
