#include "host/model/key.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

namespace syncline::model {
namespace {

Schema two_part_schema(KeyEquivalence equivalence) {
  Schema schema;
  schema.fields = {Field{"email", {.kind = TypeKind::kText}, false},
                   Field{"number", {.kind = TypeKind::kInt64}, false}};
  schema.key_count = 2;
  schema.key_equivalence = equivalence;
  return schema;
}

std::string joined(const std::string& email, int64_t number) {
  const std::string bytes = canonical_int64(number);
  const CellView cells[] = {{CellState::kValue, email}, {CellState::kValue, bytes}};
  return join_key(cells);
}

RC_GTEST_PROP(Key, SplitGivesBackWhatWasJoined, (const std::vector<std::string>& parts)) {
  std::vector<CellView> cells;
  for (const std::string& part : parts) cells.push_back({CellState::kValue, part});
  const std::string key = join_key(cells);
  const std::vector<std::string_view> split = split_key(key);
  RC_ASSERT(std::vector<std::string>(split.begin(), split.end()) == parts);
}

TEST(Key, PartsDoNotRunIntoEachOther) {
  const CellView one[] = {{CellState::kValue, "ab"}, {CellState::kValue, "c"}};
  const CellView other[] = {{CellState::kValue, "a"}, {CellState::kValue, "bc"}};
  EXPECT_NE(join_key(one), join_key(other));
}

TEST(Key, BytesEquivalenceTellsEverythingApart) {
  const Schema schema = two_part_schema(KeyEquivalence::kBytes);
  EXPECT_NE(record_hash(joined("Ann", 1), schema), record_hash(joined("ann", 1), schema));
  EXPECT_NE(record_hash(joined("ann ", 1), schema), record_hash(joined("ann", 1), schema));
  EXPECT_EQ(fold_key(joined("Ann ", 1), schema), joined("Ann ", 1));
}

TEST(Key, CaseInsensitiveFoldsAsciiLettersAndTrailingSpaces) {
  const Schema schema = two_part_schema(KeyEquivalence::kAsciiCaseInsensitive);
  EXPECT_EQ(record_hash(joined("Ann@X.org  ", 1), schema),
            record_hash(joined("ann@x.org", 1), schema));
  EXPECT_NE(record_hash(joined("\xC3\x84", 1), schema),  // only ASCII: A umlaut stays itself
            record_hash(joined("\xC3\xA4", 1), schema));
  EXPECT_NE(record_hash(joined(" ann", 1), schema), record_hash(joined("ann", 1), schema));
}

TEST(Key, TrailingSpacesKeepTheCase) {
  const Schema schema = two_part_schema(KeyEquivalence::kTrailingSpaces);
  EXPECT_EQ(record_hash(joined("a ", 1), schema), record_hash(joined("a", 1), schema));
  EXPECT_NE(record_hash(joined("A", 1), schema), record_hash(joined("a", 1), schema));
}

TEST(Key, OnlyTextIsFolded) {
  const Schema schema = two_part_schema(KeyEquivalence::kAsciiCaseInsensitive);
  const int64_t looks_like_letters = 0x4142434445464720;  // "ABCDEFG "
  const std::string folded = fold_key(joined("Q", looks_like_letters), schema);
  EXPECT_EQ(split_key(folded)[0], "q");
  EXPECT_EQ(split_key(folded)[1], canonical_int64(looks_like_letters));
}

TEST(Key, IsDescribedByFieldAndValue) {
  const Schema schema = two_part_schema(KeyEquivalence::kBytes);
  EXPECT_EQ(describe_key(joined("ann@example.org", -7), schema),
            "email=ann@example.org, number=-7");
}

}  // namespace
}  // namespace syncline::model
