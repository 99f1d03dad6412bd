// Which rows get other keys first.
#include "host/ports/moves.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace syncline::ports {
namespace {

using testing::ElementsAre, testing::IsEmpty;

// "b<a": the row of a is to be b's; "a": no row is; "a-": it is deleted.
std::vector<RecordWrite> writes_of(const std::vector<std::string>& texts) {
  std::vector<RecordWrite> writes;
  for (const std::string& text : texts) {
    RecordWrite& write = writes.emplace_back();
    write.dataset = 1;
    write.key = std::string_view(text).substr(0, 1);
    write.kind = text.ends_with("-") ? model::EntryKind::kDelete : model::EntryKind::kPut;
    if (text.size() > 2) write.moved_from = std::string_view(text).substr(2);
  }
  return writes;
}

TEST(Moves, ARowGoesBehindTheOneWhoseKeyItTakes) {
  const std::vector<std::string> texts = {"a", "b<a", "c<b", "d<c", "y<x", "z"};
  const auto writes = writes_of(texts);
  EXPECT_THAT(move_waves(writes), ElementsAre(ElementsAre(3, 4), ElementsAre(2), ElementsAre(1)));
  EXPECT_THAT(moved_in_order(writes), ElementsAre(3, 4, 2, 1));
  const MoveWaves waves(writes);
  EXPECT_EQ(waves.at(0), std::nullopt);
  EXPECT_EQ(waves.at(1), 2U);
  EXPECT_EQ(waves.at(4), 0U);
}

// If one stays, those behind it must.
TEST(Moves, RowsThatTakeEachOthersPlacesAreAChain) {
  const std::vector<std::string> texts = {"a-", "b<a", "c", "d<c", "e<f", "f<g", "g-"};
  const MoveWaves waves(writes_of(texts));
  std::string chained, left;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (waves.is_chained(i)) chained += texts[i][0];
    if (waves.is_left(i)) left += texts[i][0];
  }
  EXPECT_EQ(chained, "def");
  EXPECT_EQ(left, "cf");
}

TEST(Moves, InARingNoneGoesFirst) {
  const std::vector<std::string> texts = {"a<c", "b<a", "c<b", "e<d"};
  EXPECT_THAT(move_waves(writes_of(texts)), ElementsAre(ElementsAre(3)));
}

TEST(Moves, TheKeysOfAnotherDatasetAreOthers) {
  const std::vector<std::string> texts = {"b<a", "c<b"};
  auto writes = writes_of(texts);
  writes[1].dataset = 2;
  EXPECT_THAT(move_waves(writes), ElementsAre(ElementsAre(0, 1)));
}

TEST(Moves, WhereNoneMovesThereIsNothingToOrder) {
  const std::vector<std::string> texts = {"a", "b"};
  EXPECT_THAT(move_waves(writes_of(texts)), IsEmpty());
  EXPECT_EQ(MoveWaves(writes_of(texts)).at(1), std::nullopt);
}

}  // namespace
}  // namespace syncline::ports
