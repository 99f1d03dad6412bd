// Columns that hold less than others: what is said of them, and what they would have to hold.
#include "host/config/narrow.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/config/resolve.hpp"

namespace syncline::config {
namespace {

using model::Extent;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Extent extent(std::string_view type, uint64_t size_bytes_max = 0) {
  return {.type = model::parse_type(type).value(), .size_bytes_max = size_bytes_max};
}

Extent integers(int64_t least, uint64_t most) {
  return {.type = {.kind = model::TypeKind::kInt64}, .least = least, .most = most};
}

Holder holder(const std::string& name, const Extent& extent) {
  return {name, name + "'s type", extent};
}

Holder read_only(const std::string& name, const Extent& extent) {
  return {name, name + "'s type", extent, true, false};
}

Holder written_only(const std::string& name, const Extent& extent) {
  return {name, name + "'s type", extent, false, true};
}

// The field's type is what the systems have in common.
std::vector<Narrow> narrow_of(const std::vector<Holder>& holders) {
  model::LogicalType type = holders.front().extent.type;
  for (const Holder& one : holders) type = coarsest(type, one.extent.type).value_or(type);
  return find_narrow(type, holders);
}

// The one column that is narrow.
Narrow only(const std::vector<Holder>& holders) {
  const auto found = narrow_of(holders);
  EXPECT_THAT(found, SizeIs(1));
  return found.empty() ? Narrow() : found.front();
}

TEST(Narrow, EqualColumnsAreNotSaid) {
  for (const char* type : {"int64", "decimal(10,2)", "decimal", "text(20)", "text", "datetime(3)",
                           "float32", "bytes", "json"}) {
    EXPECT_THAT(narrow_of({holder("a", extent(type)), holder("b", extent(type))}), IsEmpty());
  }
}

TEST(Narrow, FractionsOfASecondAreCut) {
  const Narrow found =
      only({holder("a", extent("timestamp(6)")), holder("b", extent("timestamp(0)"))});
  EXPECT_EQ(1u, found.holder);
  EXPECT_TRUE(found.is_rounding);
  EXPECT_EQ("b is b's type, a is a's type: times are cut to 0 digits of a second", found.what);
  EXPECT_EQ(extent("timestamp(6)"), found.wanted);
}

TEST(Narrow, OnlyTheCoarsestCutsAndWantsWhatTheFinestHas) {
  const Narrow found = only({holder("a", extent("time(6)")), holder("b", extent("time(1)")),
                             holder("c", extent("time(3)"))});
  EXPECT_EQ("b is b's type, a is a's type, c is c's type: times are cut to 1 digit of a second",
            found.what);
  EXPECT_EQ(6, found.wanted.type.precision);
}

TEST(Narrow, DecimalsAreRoundedAndLargeOnesAreQuarantined) {
  const auto found =
      narrow_of({holder("a", extent("decimal(12,2)")), holder("b", extent("decimal(8,4)"))});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_THAT(found[0].what, HasSubstr(": numbers are rounded to 2 digits behind the point"));
  EXPECT_TRUE(found[0].is_rounding);
  EXPECT_EQ(extent("decimal(14,4)"), found[0].wanted);
  EXPECT_THAT(found[1].what,
              HasSubstr(": numbers of more than 4 digits before the point go to quarantine"));
  EXPECT_FALSE(found[1].is_rounding);
  EXPECT_EQ(extent("decimal(14,4)"), found[1].wanted);
}

TEST(Narrow, AnUnboundedDecimalIsWantedUnbounded) {
  const Narrow found = only({holder("a", extent("decimal")), holder("b", extent("decimal(10,2)"))});
  EXPECT_THAT(found.what, HasSubstr("rounded to 2 digits behind the point; numbers of more than 8 "
                                    "digits before the point go to quarantine"));
  EXPECT_EQ(extent("decimal"), found.wanted);
}

TEST(Narrow, LongTextsAreQuarantined) {
  const Narrow found = only({holder("a", extent("text(20)")), holder("b", extent("text(40)"))});
  EXPECT_FALSE(found.is_rounding);
  EXPECT_THAT(found.what, HasSubstr(": texts of more than 20 characters go to quarantine"));
  EXPECT_EQ(40u, found.wanted.type.length);
  const Narrow open = only({holder("a", extent("char(20)")), holder("b", extent("text"))});
  EXPECT_EQ(extent("char"), open.wanted);
}

TEST(Narrow, ATextWithABoundInBytesHoldsAsManyAsThat) {
  const std::vector<Holder> short_enough = {holder("a", extent("text", 65'535)),
                                            holder("b", extent("text(40)"))};
  const Narrow narrow = only(short_enough);
  EXPECT_EQ(1u, narrow.holder);
  EXPECT_EQ(0u, narrow.wanted.type.length);
  EXPECT_EQ(65'535u, narrow.wanted.size_bytes_max);
  const Narrow large = only({holder("a", extent("bytes", 255)), holder("b", extent("bytes"))});
  EXPECT_THAT(large.what, HasSubstr(": values of more than 255 bytes go to quarantine"));
  EXPECT_EQ(0u, large.wanted.size_bytes_max);
}

TEST(Narrow, NumbersBeyondAColumnsRangeAreQuarantined) {
  const auto found =
      narrow_of({holder("a", integers(-32'768, 32'767)), holder("b", integers(0, 4'294'967'295))});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_THAT(found[0].what, HasSubstr(": numbers above 32767 go to quarantine"));
  EXPECT_EQ(integers(-32'768, 4'294'967'295), found[0].wanted);
  EXPECT_THAT(found[1].what, HasSubstr(": numbers below 0 go to quarantine"));
  const auto both =
      narrow_of({holder("a", integers(-8, 7)), read_only("b", integers(-32'768, 32'767))});
  EXPECT_THAT(both.at(0).what, HasSubstr(": numbers below -8 or above 7 go to quarantine"));
}

TEST(Narrow, DoublesThatAreNoFloatsAreQuarantined) {
  const Narrow found = only({holder("a", extent("float32")), holder("b", extent("float64"))});
  EXPECT_THAT(found.what, HasSubstr("four bytes do not hold exactly go to quarantine"));
  EXPECT_EQ(extent("float64"), found.wanted);
}

// Nobody writes to the narrow one, or nobody reads the wide one.
TEST(Narrow, OnlyWhatIsReadAndWrittenMatters) {
  const std::pair<Extent, Extent> cases[] = {{extent("datetime(0)"), extent("datetime(6)")},
                                             {extent("decimal(7,2)"), extent("decimal(9,4)")},
                                             {extent("text(20)"), extent("text")},
                                             {extent("text", 255), extent("text")},
                                             {integers(-8, 7), integers(-9, 8)}};
  for (const auto& [little, much] : cases) {
    EXPECT_THAT(narrow_of({holder("a", much), read_only("b", little)}), IsEmpty());
    EXPECT_THAT(narrow_of({written_only("a", much), holder("b", little)}), IsEmpty());
    EXPECT_THAT(narrow_of({read_only("a", much), written_only("b", little)}), SizeIs(1));
  }
}

// The type of all is the coarsest: what two pass to each other is cut by the third.
TEST(Narrow, OneThatIsOnlyReadCutsWhatOthersPassOn) {
  const Narrow found = only({holder("a", extent("datetime(6)")), holder("b", extent("datetime(6)")),
                             read_only("c", extent("datetime(0)"))});
  EXPECT_EQ(2u, found.holder);
  EXPECT_THAT(found.what, HasSubstr("c is c's type, a is a's type, b is b's type"));
}

TEST(Narrow, WhatTheConfigDeclaresIsNotSaidAgain) {
  const std::vector<Holder> holders = {holder("a", extent("datetime(6)")),
                                       holder("b", extent("datetime(3)"))};
  EXPECT_THAT(find_narrow(extent("datetime(0)").type, holders), IsEmpty());
  EXPECT_THAT(find_narrow(extent("datetime(3)").type, holders), SizeIs(1));
}

// Its own writes refuse what no other system was cut to.
TEST(Narrow, ADeclaredTypeThatIsFinerSendsValuesToQuarantine) {
  const auto times = find_narrow(
      extent("datetime(6)").type,
      std::vector<Holder>{holder("a", extent("datetime(0)")), holder("b", extent("datetime(6)"))});
  ASSERT_THAT(times, SizeIs(1));
  EXPECT_EQ(
      "a is a's type, b is b's type: times of more than 0 digits of a second go to quarantine",
      times[0].what);
  EXPECT_FALSE(times[0].is_rounding);
  EXPECT_EQ(extent("datetime(6)"), times[0].wanted);
  const auto numbers = find_narrow(extent("decimal(12,4)").type,
                                   std::vector<Holder>{holder("a", extent("decimal(12,4)")),
                                                       holder("b", extent("decimal(10,2)"))});
  ASSERT_THAT(numbers, SizeIs(1));
  EXPECT_THAT(numbers[0].what, HasSubstr("more than 2 digits behind the point go to quarantine"));
  EXPECT_EQ(extent("decimal(12,4)"), numbers[0].wanted);
  const auto doubles = find_narrow(
      extent("float64").type,
      std::vector<Holder>{holder("a", extent("float32")), holder("b", extent("float64"))});
  ASSERT_THAT(doubles, SizeIs(1));
  EXPECT_THAT(doubles[0].what, HasSubstr("four bytes do not hold exactly go to quarantine"));
}

TEST(Narrow, AFinerTypeIsNotSaidWhereNothingIsRefused) {
  Extent free = extent("datetime(0)");
  free.is_kept_to = false;
  const Holder fine = holder("b", extent("datetime(6)"));
  for (const Holder& coarse : {holder("a", free), read_only("a", extent("datetime(0)"))}) {
    EXPECT_THAT(find_narrow(extent("datetime(6)").type, std::vector<Holder>{coarse, fine}),
                IsEmpty());
  }
  const std::vector<Holder> none_is_finer = {holder("a", extent("datetime(0)")),
                                             holder("b", extent("datetime(0)"))};
  EXPECT_THAT(find_narrow(extent("datetime(6)").type, none_is_finer), IsEmpty());
}

Extent with_digits(std::string_view type, int16_t digits) {
  Extent made = extent(type);
  made.fraction_digits = digits;
  return made;
}

TEST(Narrow, IntervalsOfFewerDigitsRefuseMore) {
  const auto found = find_narrow(
      extent("interval").type,
      std::vector<Holder>{holder("a", extent("interval")), holder("b", with_digits("interval", 2)),
                          holder("c", extent("time(0)"))});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(
      "b is b's type, a is a's type: intervals of more than 2 digits of a second go to "
      "quarantine",
      found[0].what);
  EXPECT_EQ(with_digits("interval", 6), found[0].wanted);
  EXPECT_THAT(found[1].what, HasSubstr("more than 0 digits of a second go to quarantine"));
  EXPECT_EQ(extent("time(6)"), found[1].wanted);
}

TEST(Narrow, NumbersThatAColumnRoundsToItsOwnScaleAreQuarantined) {
  const Narrow fixed =
      only({holder("a", extent("float32")), holder("b", with_digits("float32", 2))});
  EXPECT_EQ(1u, fixed.holder);
  EXPECT_THAT(fixed.what, HasSubstr(": numbers of more than 2 digits behind the point go to"));
  EXPECT_EQ(extent("float32"), fixed.wanted);
  const Narrow hundreds =
      only({holder("a", extent("decimal(10,2)")), holder("b", with_digits("decimal", -2))});
  EXPECT_EQ(1u, hundreds.holder);
  EXPECT_THAT(hundreds.what, HasSubstr("whose last 2 digits before the point are not 0 go to"));
  EXPECT_EQ(extent("decimal"), hundreds.wanted);
  const Narrow little =
      only({holder("a", with_digits("decimal", 5)), holder("b", extent("decimal"))});
  EXPECT_EQ(0u, little.holder);
  EXPECT_THAT(little.what, HasSubstr("more than 5 digits behind the point"));
}

}  // namespace
}  // namespace syncline::config
