// Which rows a marked transaction moves: by what becomes of the records that it covers.
#include "host/delivery/transaction.hpp"

#include <gtest/gtest.h>

namespace syncline::delivery {
namespace {

using model::EntryKind;

class Moving : public testing::Test {
 protected:
  // with: of a put whose row it was, of a delete whose it becomes.
  void take(EntryKind kind, const std::string& key, const std::string& with = "",
            journal::GroupNumber group = 1, PendingState state = PendingState::kWaiting) {
    auto entry = std::make_shared<model::Entry>();
    entry->dataset = 1;
    entry->sequence = flow_.entries.size() + 1;
    entry->key = key;
    entry->key_hash = model::hash_key(key);
    entry->kind = kind;
    if (!with.empty()) entry->moved_with = model::hash_key(with);
    entries_.push_back(entry);
    flow_.entries.push_back({group, nullptr, entry.get(), state});
  }
  // "b<a": the row of a becomes b's; "b!<a": when that of b was deleted; "b!": a new one does.
  std::vector<std::string> moves() {
    TransactionBuilder builder;
    builder.take({1, 0}, flow_, flow_.entries.size());
    std::vector<std::string> moves;
    for (const ports::RecordWrite& write : builder.finish(1).batch.writes) {
      if (write.moved_from.empty() && !write.is_replacing) continue;
      moves.push_back(std::string(write.key) + (write.is_replacing ? "!" : "") +
                      (write.moved_from.empty() ? "" : "<") + std::string(write.moved_from));
    }
    return moves;
  }

  std::vector<std::shared_ptr<model::Entry>> entries_;
  Flow flow_;
};
using Moves = std::vector<std::string>;

TEST_F(Moving, the_row_of_a_record_that_ends_becomes_the_new_ones) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  EXPECT_EQ(moves(), Moves{"b<a"});
}

TEST_F(Moving, what_is_changed_behind_it_changes_nothing_of_that) {
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kSet, "b");
  take(EntryKind::kPut, "b");
  take(EntryKind::kDelete, "a", "b");
  EXPECT_EQ(moves(), Moves{"b<a"});
}

TEST_F(Moving, a_record_that_does_not_end_here_keeps_its_row) {
  take(EntryKind::kPut, "b", "a");
  EXPECT_EQ(moves(), Moves{});
  take(EntryKind::kPut, "a");
  EXPECT_EQ(moves(), Moves{});
}

TEST_F(Moving, a_record_that_begins_anew_gave_its_row_away) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kPut, "a");
  EXPECT_EQ(moves(), Moves{"b<a"});
}

TEST_F(Moving, rows_move_on_to_each_others_keys) {
  take(EntryKind::kDelete, "c", "d");
  take(EntryKind::kPut, "d", "c");
  take(EntryKind::kDelete, "b", "c");
  take(EntryKind::kPut, "c", "b");
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  EXPECT_EQ(moves(), (Moves{"b<a", "c<b", "d<c"}));
}

// Where the other end is not here, its row is another one all the same.
TEST_F(Moving, a_record_whose_row_is_another_is_written_anew) {
  take(EntryKind::kDelete, "b", "a");
  take(EntryKind::kPut, "b", "c");
  EXPECT_EQ(moves(), Moves{"b!"});
  take(EntryKind::kDelete, "x", "y");  // nor is what was moved, and ended
  take(EntryKind::kPut, "y", "x");
  take(EntryKind::kDelete, "y");
  take(EntryKind::kPut, "x");
  EXPECT_EQ(moves(), (Moves{"b!", "x!"}));
}

// Of several transactions, of one of which only the one end is here.
TEST_F(Moving, only_ends_of_one_transaction_belong_together) {
  take(EntryKind::kPut, "b", "a", 1);
  take(EntryKind::kDelete, "b", "c", 2);
  take(EntryKind::kPut, "c", "b", 2);
  take(EntryKind::kDelete, "a", "b", 2);
  take(EntryKind::kPut, "b", "a", 2);
  EXPECT_EQ(moves(), Moves{"b<a"});
}

TEST_F(Moving, what_is_skipped_has_no_row) {
  take(EntryKind::kPut, "a", "b", 1);
  take(EntryKind::kDelete, "a", "b", 2);
  take(EntryKind::kPut, "b", "a", 2);
  take(EntryKind::kDelete, "b", "a", 3);
  take(EntryKind::kPut, "a", "b", 3, PendingState::kSkipped);
  take(EntryKind::kDelete, "b", "d", 4);
  take(EntryKind::kPut, "d", "b", 4);
  EXPECT_EQ(moves(), Moves{});
}

// There and back, and on: which of the two that stood at a key is followed.
TEST_F(Moving, rows_are_followed_over_several_transactions) {
  for (int round = 0; round < 2; ++round) {
    take(EntryKind::kDelete, "b", "c");
    take(EntryKind::kPut, "c", "b");
    take(EntryKind::kDelete, "a", "b");
    take(EntryKind::kPut, "b", "a");
    if (round > 0) break;
    take(EntryKind::kDelete, "b", "a");
    take(EntryKind::kPut, "a", "b");
    EXPECT_EQ(moves(), (Moves{"c<b"}));
    take(EntryKind::kDelete, "c", "b");
    take(EntryKind::kPut, "b", "c");
    EXPECT_EQ(moves(), Moves{});
  }
  EXPECT_EQ(moves(), (Moves{"b<a", "c<b"}));
}

TEST_F(Moving, a_row_that_comes_where_a_record_ended_finds_its_place_free) {
  take(EntryKind::kDelete, "a");
  take(EntryKind::kDelete, "b", "a");
  take(EntryKind::kPut, "a", "b");
  take(EntryKind::kDelete, "c", "b");
  take(EntryKind::kPut, "b", "c");
  EXPECT_EQ(moves(), (Moves{"a!<b", "b<c"}));
}

TEST_F(Moving, rows_change_places_by_way_of_a_key_that_is_free) {
  take(EntryKind::kDelete, "a", "x");
  take(EntryKind::kPut, "x", "a");
  take(EntryKind::kDelete, "b", "a");
  take(EntryKind::kPut, "a", "b");
  take(EntryKind::kDelete, "x", "b");
  take(EntryKind::kPut, "b", "x");
  EXPECT_EQ(moves(), (Moves{"a<b", "b<a"}));
}

TEST_F(Moving, a_row_that_moves_twice_moves_from_where_it_was) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kDelete, "b", "c");
  take(EntryKind::kPut, "c", "b");
  EXPECT_EQ(moves(), Moves{"c<a"});
}

TEST_F(Moving, a_row_that_moves_and_comes_back_stays) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kDelete, "b", "a");
  take(EntryKind::kPut, "a", "b");
  EXPECT_EQ(moves(), Moves{});
}

TEST_F(Moving, a_record_that_is_made_anew_is_nobodys) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kDelete, "b");
  take(EntryKind::kPut, "b");
  EXPECT_EQ(moves(), Moves{});
}

TEST_F(Moving, of_two_that_leave_one_key_only_the_first_had_its_row) {
  take(EntryKind::kDelete, "draft", "900");
  take(EntryKind::kPut, "900", "draft");
  take(EntryKind::kPut, "draft");
  take(EntryKind::kDelete, "draft", "1a");
  take(EntryKind::kPut, "1a", "draft");
  EXPECT_EQ(moves(), Moves{"900<draft"});
}

TEST_F(Moving, the_row_of_a_record_that_was_deleted_becomes_nobodys) {
  take(EntryKind::kDelete, "a");
  take(EntryKind::kPut, "a");
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  EXPECT_EQ(moves(), Moves{});
}

TEST_F(Moving, a_row_that_ends_on_its_way_is_not_taken_for_the_next) {
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kDelete, "b");
  take(EntryKind::kDelete, "x", "b");
  take(EntryKind::kPut, "b", "x");
  take(EntryKind::kDelete, "b", "c");
  take(EntryKind::kPut, "c", "b");
  EXPECT_EQ(moves(), Moves{"c<x"});
}

TEST_F(Moving, nor_is_the_one_that_stood_there_before) {
  take(EntryKind::kSet, "b");
  take(EntryKind::kDelete, "b");
  take(EntryKind::kDelete, "a", "b");
  take(EntryKind::kPut, "b", "a");
  take(EntryKind::kDelete, "b", "c");
  take(EntryKind::kPut, "c", "b");
  EXPECT_EQ(moves(), Moves{"c<a"});
}

}  // namespace
}  // namespace syncline::delivery
