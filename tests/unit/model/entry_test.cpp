#include "host/model/entry.hpp"

#include <gtest/gtest.h>

namespace syncline::model {
namespace {

// What a run of one record's entries, handed over one by one, comes to.
class Collapse : public testing::Test {
 protected:
  void add(EntryKind kind, uint64_t generation,
           std::vector<std::pair<FieldIndex, std::string>> set) {
    std::vector<EntryCell> cells;
    for (auto& [field, bytes] : set) {
      EntryCell& cell = cells.emplace_back();
      cell.field = field;
      cell.bytes = std::move(bytes);
    }
    collapse_onto<EntryCell>(run_, kind, generation, cells);
  }
  void expect(EntryKind kind, uint64_t generation, const std::string& cells) const {
    EXPECT_EQ(run_.kind, kind);
    EXPECT_EQ(run_.generation, generation);
    std::string found;
    for (const EntryCell& cell : run_.cells) found += std::to_string(cell.field) + cell.bytes;
    EXPECT_EQ(found, cells);
  }
  Collapsed<EntryCell> run_;
};

TEST_F(Collapse, sets_overlay_each_other_in_field_order) {
  add(EntryKind::kSet, 1, {{3, "c"}});
  add(EntryKind::kSet, 1, {{1, "a"}, {3, "d"}});
  expect(EntryKind::kSet, 1, "1a3d");
}

TEST_F(Collapse, an_insert_and_a_delete_are_a_delete) {
  add(EntryKind::kPut, 1, {{1, "a"}, {2, "b"}});
  add(EntryKind::kDelete, 2, {{1, "of the tombstone"}});
  expect(EntryKind::kDelete, 2, "");
}

TEST_F(Collapse, a_delete_and_an_insert_are_the_whole_record) {
  add(EntryKind::kSet, 1, {{3, "old"}});
  add(EntryKind::kDelete, 2, {});
  add(EntryKind::kPut, 3, {{1, "a"}, {2, "b"}});
  add(EntryKind::kSet, 3, {{2, "c"}});
  expect(EntryKind::kPut, 3, "1a2c");
}

TEST_F(Collapse, an_insert_stays_one_and_made_and_gone_again_it_is_nothing) {
  add(EntryKind::kInsert, 1, {{1, "a"}, {2, "b"}});
  add(EntryKind::kSet, 1, {{2, "c"}});
  expect(EntryKind::kInsert, 1, "1a2c");
  add(EntryKind::kPut, 1, {{1, "d"}, {2, "c"}});
  expect(EntryKind::kInsert, 1, "1d2c");
  EXPECT_FALSE(run_.is_nothing());
  add(EntryKind::kDelete, 2, {});
  EXPECT_TRUE(run_.is_nothing());
  add(EntryKind::kInsert, 3, {{1, "e"}, {2, "f"}});
  expect(EntryKind::kInsert, 3, "1e2f");
}

TEST_F(Collapse, an_insert_behind_a_delete_is_a_put) {
  add(EntryKind::kDelete, 2, {});
  add(EntryKind::kInsert, 3, {{1, "a"}, {2, "b"}});
  expect(EntryKind::kPut, 3, "1a2b");
  EXPECT_FALSE(run_.is_nothing());
}

TEST_F(Collapse, a_set_on_a_delete_is_nothing) {
  add(EntryKind::kDelete, 2, {});
  add(EntryKind::kSet, 2, {{1, "a"}});
  expect(EntryKind::kDelete, 2, "");
}

TEST_F(Collapse, notes_are_nothing_for_a_database) {
  add(EntryKind::kDelete, 2, {});
  add(EntryKind::kNote, 2, {{1, "a"}});
  expect(EntryKind::kDelete, 2, "");
}

}  // namespace
}  // namespace syncline::model
