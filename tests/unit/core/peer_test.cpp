#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

using model::ConflictOutcome, model::EntryKind;

const Cells kAnn = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};

class Linked : public LaneStory {
 protected:
  Linked() { role(kPeer).kind = SystemKind::kPeer; }

  // What another appliance's journal says; its systems' ids are other than ours.
  model::Entry entry(EntryKind kind, uint64_t generation, const Cells& cells, int64_t time_us,
                     const Cells& seen = {}, int64_t seen_us = 0) {
    model::Entry entry;
    entry.dataset = kCustomer;
    entry.key_hash = hash_of("c1");
    entry.key = "c1";
    entry.kind = kind;
    entry.generation = generation;
    for (const auto& [field, value] : cells) {
      model::EntryCell& cell = entry.cells.edit().emplace_back();
      cell.field = field;
      cell.state = model::CellState::kValue;
      cell.bytes = value;
      cell.version = {1, {}, time_us, 200, 0, 0};
      if (seen.contains(field)) cell.base = {1, {}, seen_us, kErp, 0, 0};
    }
    return entry;
  }
  const model::Frame& join(model::Entry entry) {
    joined_.push_back(std::move(entry));
    return step(kPeer, {Joined{&joined_.back()}});
  }
  std::deque<model::Entry> joined_;
};

TEST_F(Linked, a_peer_gets_every_entry_and_nothing_is_in_flight_to_it) {
  EXPECT_EQ(step(kErp, {insert(kAnn, 10)}).entries.at(0).targets, (Systems{kShop, kPeer}));
  EXPECT_EQ(lane_.in_flight_count(kPeer, kStream), 0u);
}

TEST_F(Linked, a_delete_brings_the_peer_the_tombstone) {
  settle_on(kAnn, 10);
  const model::Frame& frame = step(kErp, {removal(20)});
  EXPECT_EQ(frame.entries.at(0).kind, EntryKind::kDelete);
  EXPECT_EQ(cells_of(frame.entries.at(0)), kAnn);
}

TEST_F(Linked, what_joins_goes_to_the_databases_and_not_back) {
  const model::Frame& frame = join(entry(EntryKind::kPut, 1, kAnn, 10));
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kShop}));
  EXPECT_NE(frame.entries[0].cells[0].fingerprint, 0u);
  EXPECT_EQ(accepted(), kAnn);
  EXPECT_TRUE(join(entry(EntryKind::kPut, 1, kAnn, 10)).entries.empty());
}

TEST_F(Linked, cells_of_a_tombstone_are_noted_for_peers_only) {
  role(kPeer + 1).kind = SystemKind::kPeer;
  settle_on(kAnn, 10);
  step(kErp, {removal(20)});
  const model::Frame& frame = join(entry(EntryKind::kNote, 2, {{kName, "Anna"}}, 30));
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kNote);
  EXPECT_EQ(frame.entries[0].targets, Systems{kPeer + 1});
}

TEST_F(Linked, a_peer_in_an_older_life_gets_the_whole_record_back) {
  settle_on(kAnn, 10);
  step(kErp, {removal(20)});
  step(kErp, {insert(kAnn, 30)});
  const model::Frame& frame = join(entry(EntryKind::kSet, 1, {{kName, "Anna"}}, 40));
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kSet);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kShop}));
  EXPECT_EQ(frame.entries[1].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[1].targets, Systems{kPeer});
  EXPECT_EQ(frame.entries[1].generation, 3u);
}

TEST_F(Linked, old_news_by_another_way_is_no_conflict) {
  settle_on(kAnn, 10);
  EXPECT_EQ(join(entry(EntryKind::kSet, 1, {{kName, "old"}}, 5)).conflicts.size(), 1u);
  EXPECT_TRUE(join(entry(EntryKind::kSet, 1, {{kName, "old"}}, 5)).conflicts.empty());
  EXPECT_EQ(accepted().at(kName), "Ann");
}

TEST_F(Linked, a_value_that_has_seen_ours_replaces_it_without_conflict) {
  settle_on(kAnn, 10);
  const Cells anna = {{kName, "Anna"}};
  EXPECT_TRUE(join(entry(EntryKind::kSet, 1, anna, 30, anna, 10)).conflicts.empty());
  EXPECT_EQ(accepted().at(kName), "Anna");
  const model::Frame& blind = join(entry(EntryKind::kSet, 1, {{kPhone, "2"}}, 30));
  ASSERT_EQ(blind.conflicts.size(), 1u);
  EXPECT_EQ(blind.conflicts[0].outcome, ConflictOutcome::kArrivingWins);
  EXPECT_EQ(blind.conflicts[0].loser.bytes, "1");
}

TEST_F(Linked, what_a_delete_ends_that_it_had_not_seen_is_a_conflict_here_too) {
  join(entry(EntryKind::kPut, 1, kAnn, 10));
  confirm_all();
  step(kErp, {update({{kName, "Anna"}}, 30)});
  const model::Frame& blind = join(entry(EntryKind::kDelete, 2, kAnn, 10));
  EXPECT_EQ(blind.entries.at(0).kind, EntryKind::kDelete);
  ASSERT_EQ(blind.conflicts.size(), 1u);
  EXPECT_EQ(blind.conflicts[0].outcome, ConflictOutcome::kRecordEnds);
  EXPECT_EQ(blind.conflicts[0].loser.bytes, "Anna");
}

TEST_F(Linked, a_delete_that_has_seen_all_is_no_conflict) {
  join(entry(EntryKind::kPut, 1, kAnn, 10));
  EXPECT_TRUE(join(entry(EntryKind::kDelete, 2, kAnn, 10)).conflicts.empty());
}

TEST_F(Linked, where_updates_win_the_peer_revives_what_it_had_not_seen) {
  rules().deletes = DeletePolicy::kUpdateWins;
  join(entry(EntryKind::kPut, 1, kAnn, 10));
  confirm_all();
  step(kErp, {update({{kName, "Anna"}}, 30)});
  EXPECT_TRUE(join(entry(EntryKind::kDelete, 2, kAnn, 10)).conflicts.empty());
}

TEST_F(Linked, fields_that_do_not_travel_are_not_taken_from_a_peer) {
  rules().fields[kCity].is_local = true;
  model::Entry foreign = entry(EntryKind::kPut, 1, kAnn, 10);
  foreign.cells.edit().push_back(foreign.cells[0]);
  foreign.cells.edit().back().field = 99;
  join(std::move(foreign));
  EXPECT_EQ(accepted(), (Cells{{kName, "Ann"}, {kPhone, "1"}}));
}

}  // namespace
}  // namespace syncline::core
