#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

using model::ConflictOutcome, model::ConflictType, model::EntryKind;

const Cells kAnn = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};
const Cells kBob = {{kName, "Bob"}, {kPhone, "2"}, {kCity, "Bern"}};

// Systems that number their own records: Ann's is the erp's, the shop gives Bob the same number.
class Apart : public LaneStory {
 protected:
  Apart() {
    role(kCrm);
    rules().insert_exists = InsertExists::kQuarantine;
  }
  void clash() {
    step(kErp, {insert(kAnn, 10)});
    step(kShop, {insert(kBob, 20)});
  }
  // Of the last step, by target and sequence; those without a reason leave quarantine.
  std::map<std::pair<model::SystemId, model::Sequence>, bool> quarantined() const {
    std::map<std::pair<model::SystemId, model::Sequence>, bool> items;
    for (const model::Skip& skip : frames_.back().skips) {
      items[{skip.target, skip.sequence}] = !skip.reason.empty();
    }
    return items;
  }
  static constexpr model::Sequence kApart = model::kApartSequence;
};

TEST_F(Apart, a_new_record_is_inserted_where_nobody_has_it) {
  const model::Frame& frame = step(kErp, {insert(kAnn, 10)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kInsert);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kShop, kCrm}));
  EXPECT_EQ(cells_of(frame.entries[0]), kAnn);
  confirm_all();
  EXPECT_EQ(step(kErp, {update({{kPhone, "3"}}, 20)}).entries.at(0).kind, EntryKind::kSet);
}

TEST_F(Apart, of_a_row_with_the_same_number_nothing_is_taken_and_nothing_is_written_over_it) {
  clash();
  const model::Frame& frame = frames_.back();
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_EQ(accepted(), kAnn);
  EXPECT_TRUE(state().is_apart(kShop));
  ASSERT_EQ(frame.conflicts.size(), 2u);  // the city is the same
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kInsertExists);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kHeld);
  EXPECT_EQ(frame.conflicts[0].winner.bytes, "Ann");
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Bob");
  EXPECT_EQ(frame.conflicts[0].loser.system, kShop);
  EXPECT_TRUE(quarantined().at({kShop, kApart}));
  // What either side does to its own stays there.
  EXPECT_TRUE(step(kShop, {update({{kPhone, "7"}}, 30)}).entries.empty());
  const model::Frame& others = step(kErp, {update({{kPhone, "8"}}, 40)});
  ASSERT_EQ(others.entries.size(), 1u);
  EXPECT_EQ(others.entries[0].targets, Systems{kCrm});
  EXPECT_EQ(accepted().at(kPhone), "8");
}

TEST_F(Apart, what_follows_a_refused_insert_is_passed_over_too) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {update({{kPhone, "3"}}, 20)});
  step(kErp, {removal(30)});
  step(kShop, {}, {skip(kShop, 1)});
  EXPECT_EQ(frames_.back().skips.size(), 3u);
  EXPECT_FALSE(quarantined().at({kShop, 1})) << "there is no record any more";
  EXPECT_FALSE(quarantined().at({kShop, 2}));
  EXPECT_FALSE(quarantined().at({kShop, 3}));
  EXPECT_TRUE(frames_.back().entries.empty());
  step(kShop, {}, {skip(kShop, 2)});  // refused with it, as one write
  EXPECT_FALSE(quarantined().at({kShop, 2}));
  EXPECT_TRUE(state().view(kShop) == nullptr) << "nothing is to go there any more";
  EXPECT_EQ(lane_.skipped(kShop, kStream), (std::vector<model::Sequence>{1, 2, 3}));
  EXPECT_TRUE(lane_.skipped(kCrm, kStream).empty());
}

TEST_F(Apart, until_the_row_is_seen_only_inserts_go_there) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {}, {skip(kShop, 1)});
  const model::Frame& changed = step(kErp, {update({{kPhone, "3"}}, 20)});
  ASSERT_EQ(changed.entries.size(), 2u);
  EXPECT_EQ(changed.entries[0].kind, EntryKind::kInsert);
  EXPECT_EQ(changed.entries[0].targets, Systems{kShop});
  EXPECT_EQ(changed.entries[1].kind, EntryKind::kSet);
  EXPECT_EQ(changed.entries[1].targets, Systems{kCrm});
  step(kShop, {}, {skip(kShop, lane_.last_sequence(kStream) - 1)});
  const model::Frame& removed = step(kErp, {removal(30)});
  ASSERT_EQ(removed.entries.size(), 1u);
  EXPECT_EQ(removed.entries[0].targets, Systems{kCrm});
}

TEST_F(Apart, a_refusal_has_one_item_whether_the_row_is_seen_before_it_or_behind) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  step(kShop, {removal(25)});
  step(kErp, {removal(26)});
  confirm_all();
  step(kErp, {insert(kAnn, 30)});
  const model::Sequence refused = lane_.last_sequence(kStream);
  step(kShop, {}, {skip(kShop, refused)});
  EXPECT_TRUE(quarantined().at({kShop, refused}));
  step(kShop, {insert(kBob, 40)});
  EXPECT_FALSE(quarantined().at({kShop, refused}));
  EXPECT_TRUE(quarantined().at({kShop, kApart}));
}

TEST_F(Apart, a_row_that_goes_makes_room_for_the_record) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {update({{kPhone, "3"}}, 30)});
  const model::Frame& frame = step(kShop, {removal(40)});
  EXPECT_FALSE(quarantined().at({kShop, kApart}));
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kInsert);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Ann"}, {kPhone, "3"}, {kCity, "Bern"}}));
  EXPECT_FALSE(state().is_apart(kShop));
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  EXPECT_EQ(step(kShop, {update({{kPhone, "4"}}, 50)}).entries.at(0).targets,
            (Systems{kErp, kCrm}));
}

TEST_F(Apart, a_row_that_goes_before_our_insert_comes_makes_room_for_it_and_what_followed) {
  clash();
  step(kErp, {update({{kPhone, "3"}}, 30)});
  const model::Frame& frame = step(kShop, {removal(40)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(cells_of(frame.entries[0]).at(kPhone), "3");
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  EXPECT_FALSE(state().is_apart(kShop));
}

TEST_F(Apart, a_row_that_went_behind_the_refusal_costs_one_more_try) {
  clash();
  step(kShop, {removal(30)});
  const model::Frame& frame = step(kShop, {}, {skip(kShop, 1)});
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kInsert);
  const model::Sequence again = frame.entries[0].sequence;
  EXPECT_TRUE(step(kShop, {}, {skip(kShop, again)}).entries.empty());
  EXPECT_TRUE(quarantined().at({kShop, again}));
}

TEST_F(Apart, an_insert_that_comes_behind_the_end_of_the_record_is_followed_by_a_delete) {
  clash();
  step(kErp, {removal(30)});
  const model::Frame& frame = step(kShop, {removal(40)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kDelete);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  step(kShop, {insert(kBob, 50)});
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(state().exists());
}

TEST_F(Apart, a_row_that_says_the_same_is_the_record) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {}, {skip(kShop, 1)});
  const model::Frame& frame = step(kShop, {insert(kAnn, 20)});
  EXPECT_FALSE(state().is_apart(kShop));
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  confirm_all();
  EXPECT_EQ(step(kErp, {update({{kPhone, "3"}}, 30)}).entries.back().targets.front(), kShop);
}

TEST_F(Apart, a_row_that_says_the_same_is_the_record_though_that_has_ended_and_begun_again) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {removal(11)});
  step(kErp, {insert(kAnn, 12)});
  EXPECT_TRUE(step(kShop, {insert(kAnn, 13)}).conflicts.empty());
  EXPECT_FALSE(state().is_apart(kShop));
  step(kShop, {}, {skip(kShop, 1)});
  confirm_all();
  EXPECT_TRUE(step(kShop, {update({{kPhone, "9"}}, 40)}).conflicts.empty());
  EXPECT_EQ(accepted().at(kPhone), "9");
  EXPECT_EQ(step(kErp, {update({{kCity, "Chur"}}, 50)}).entries.back().kind, EntryKind::kSet);
}

TEST_F(Apart, an_insert_refused_for_a_row_that_is_known_by_then_is_followed_by_the_record) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {insert(kAnn, 20)});
  step(kErp, {update({{kPhone, "3"}}, 30)});
  const model::Frame& frame = step(kShop, {}, {skip(kShop, 1)});
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]).at(kPhone), "3");
}

TEST_F(Apart, a_refusal_that_is_told_again_passes_over_nothing_that_followed_it) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {insert(kAnn, 20)});
  step(kErp, {update({{kPhone, "3"}}, 30)});
  step(kShop, {}, {skip(kShop, 1)});
  const model::Sequence whole = frames_.back().entries.at(0).sequence;
  const auto passed_over = lane_.skipped(kShop, kStream);
  EXPECT_TRUE(step(kShop, {}, {skip(kShop, 1)}).entries.empty());
  EXPECT_EQ(lane_.skipped(kShop, kStream), passed_over);
  step(kShop, {marker(whole), ours(update({{kName, "Ann"}, {kPhone, "3"}, {kCity, "Bern"}}, 40))});
  EXPECT_TRUE(frames_.back().entries.empty());
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 0u);
}

TEST_F(Apart, somebody_may_decide_for_the_record_and_a_repair_does_not) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  EXPECT_TRUE(step(kShop, {row(RowOp::kRedeliver, {}, 0)}).entries.empty());
  EXPECT_TRUE(state().is_apart(kShop));
  const model::Frame& frame = step(kShop, {row(RowOp::kOverwrite, {}, 0)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_FALSE(quarantined().at({kShop, kApart}));
  EXPECT_FALSE(state().is_apart(kShop));
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  // There is nothing to decide any more, and nothing left of a record that has ended.
  EXPECT_TRUE(step(kShop, {row(RowOp::kOverwrite, {}, 0)}).entries.empty());
}

TEST_F(Apart, who_has_not_heard_that_the_record_took_its_place_has_not_seen_it) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kShop, {row(RowOp::kOverwrite, {}, 0)});
  const model::Frame& frame = step(kShop, {update({{kPhone, "7"}}, 30)});
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kArrivingWins);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "1");
}

TEST_F(Apart, a_record_that_has_ended_takes_nobodys_place) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {removal(30)});
  EXPECT_TRUE(step(kShop, {row(RowOp::kOverwrite, {}, 0)}).entries.empty());
  EXPECT_TRUE(state().is_apart(kShop));
  // Inserted anew, the row is a record of its own.
  step(kShop, {removal(40)});
  EXPECT_FALSE(state().is_apart(kShop));
  const model::Frame& frame = step(kShop, {insert(kBob, 50)});
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(frame.entries.at(0).targets, (Systems{kErp, kCrm}));
}

TEST_F(Apart, a_system_that_is_only_read_may_have_one_too) {
  role(kShop).is_written_to = false;
  clash();
  EXPECT_TRUE(state().is_apart(kShop));
  EXPECT_EQ(accepted(), kAnn);
  step(kErp, {removal(30)});
  step(kShop, {removal(40)});
  step(kShop, {insert(kBob, 50)});
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(step(kShop, {insert(kAnn, 60)}).conflicts.empty()) << "its own record, told again";
}

TEST_F(Apart, a_row_met_by_a_record_that_has_ended_since_is_a_record_of_its_own) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {removal(30)});
  const model::Frame& frame = step(kShop, {insert(kBob, 20)});
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(frame.entries.at(0).targets, (Systems{kErp, kCrm}));
}

TEST_F(Apart, so_is_one_that_is_seen_before_the_marker_of_what_came_to_nothing) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {removal(30)});
  step(kShop, {insert(kBob, 20)});
  EXPECT_EQ(accepted(), kBob);
  step(kShop, {marker(2)});
  EXPECT_TRUE(state().exists());
  const model::Frame& frame = step(kShop, {update({{kPhone, "7"}}, 40)});
  EXPECT_EQ(accepted().at(kPhone), "7");
  EXPECT_TRUE(frame.conflicts.empty());
}

TEST_F(Apart, a_whole_row_behind_the_end_of_the_record_is_one_too) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {removal(30)});
  const Cells changed = {{kName, "Rob"}, {kPhone, "3"}, {kCity, "Basel"}};
  step(kShop, {update(changed, 40)});
  EXPECT_FALSE(state().is_apart(kShop));
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(accepted(), changed);
}

TEST_F(Apart, a_reading_behind_the_end_of_the_record_deletes_nothing) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {removal(30)});
  lane_.set_epoch(kShop, kEpoch + 1);
  role(kShop).phase = SyncPhase::kReading;
  Row read = snapshot(kBob);
  read.is_read = true;
  const model::Frame& frame = step(kShop, {read});
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(accepted(), kBob);
  for (const model::Entry& entry : frame.entries) EXPECT_NE(entry.kind, EntryKind::kDelete);
}

TEST_F(Apart, our_own_row_read_early_is_not_another) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {update({{kPhone, "3"}}, 20)});
  Row read = insert(kAnn, 30);
  read.is_read = true;
  step(kShop, {read});
  EXPECT_FALSE(state().is_apart(kShop));
  EXPECT_TRUE(frames_.back().conflicts.empty());
}

TEST_F(Apart, the_end_of_a_record_that_both_made_comes_though_an_insert_is_on_its_way_yet) {
  step(kErp, {insert(kAnn, 10)});
  step(kShop, {insert(kAnn, 20)});
  const model::Frame& frame = step(kErp, {removal(30)});
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  EXPECT_EQ(lane_.skipped(kShop, kStream).front(), 1u);
  EXPECT_EQ(frame.entries.back().kind, EntryKind::kDelete);
  EXPECT_EQ(frame.entries.back().targets.at(1), kShop);
}

TEST_F(Apart, an_insert_that_was_refused_for_what_is_mended_behind_it_is_tried_again) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {update({{kCity, "Basel"}}, 20)});
  const model::Frame& frame = step(kShop, {}, {skip(kShop, 1)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kInsert);
  EXPECT_EQ(cells_of(frame.entries[0]).at(kCity), "Basel");
  const model::Sequence again = frame.entries[0].sequence;
  EXPECT_TRUE(step(kShop, {}, {skip(kShop, again)}).entries.empty());
  EXPECT_TRUE(quarantined().at({kShop, again}));
}

TEST_F(Apart, what_was_on_its_way_before_does_not_come_over_the_row) {
  rules().insert_exists = InsertExists::kMerge;
  step(kErp, {insert(kAnn, 10)});
  rules().insert_exists = InsertExists::kQuarantine;
  step(kShop, {insert(kBob, 20)});
  EXPECT_TRUE(state().is_apart(kShop));
  EXPECT_FALSE(quarantined().at({kShop, 1}));
  EXPECT_EQ(lane_.skipped(kShop, kStream), std::vector<model::Sequence>{1});
  // It was written over all the same, before that was journalled.
  const model::Frame& frame = step(kShop, {marker(1), ours(update(kAnn, 30))});
  EXPECT_FALSE(state().is_apart(kShop));
  EXPECT_EQ(frame.entries.at(0).kind, EntryKind::kPut);
}

TEST_F(Apart, a_system_that_is_not_read_has_no_records_of_its_own) {
  role(kCrm).is_read = false;
  const model::Frame& frame = step(kErp, {insert(kAnn, 10)});
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kInsert);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(frame.entries[1].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[1].targets, Systems{kCrm});
}

TEST_F(Apart, of_a_record_that_has_ended_no_value_comes_back_in_a_new_one) {
  step(kErp, {insert(kAnn, 30)});
  step(kErp, {removal(40)});
  const model::Frame& frame = step(kShop, {insert(kBob, 20)});  // made before it, read behind it
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(state().exists());
}

TEST_F(Apart, a_late_change_of_a_record_that_has_ended_is_none_of_the_new_ones) {
  step(kErp, {insert(kAnn, 10)});
  confirm_all();
  step(kCrm, {removal(20)});
  step(kCrm, {insert(kBob, 30)});
  const model::Frame& frame = step(kErp, {update({{kPhone, "9"}}, 40)});
  EXPECT_EQ(accepted(), kBob);
  EXPECT_TRUE(frame.entries.empty()) << "the delete and the new record are on their way there";
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kUpdateMissing);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kRecordEnds);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "9");
  confirm_all();
  EXPECT_TRUE(state().views.empty());
}

TEST_F(Apart, a_record_made_again_by_who_deleted_it_goes_whole_over_the_delete) {
  step(kErp, {insert(kAnn, 10)});
  confirm_all();
  step(kErp, {removal(20)});
  const model::Frame& frame = step(kErp, {insert(kBob, 30)});
  EXPECT_EQ(frame.entries.at(0).kind, EntryKind::kInsert);
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  EXPECT_EQ(accepted(), kBob);
}

TEST_F(Apart, where_updates_win_a_number_that_another_gave_anew_is_anothers_too) {
  rules().deletes = DeletePolicy::kUpdateWins;
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {removal(20)});
  confirm_all();
  step(kErp, {insert({{kName, "Cid"}, {kPhone, "3"}, {kCity, "Basel"}}, 30)});
  step(kShop, {insert(kBob, 40)});
  EXPECT_TRUE(state().is_apart(kShop));
  EXPECT_EQ(accepted().at(kName), "Cid");
}

TEST_F(Apart, an_insert_and_its_end_that_came_to_nothing_there_have_made_no_row) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {removal(20)});
  step(kErp, {insert({{kName, "Cid"}, {kPhone, "5"}, {kCity, "Basel"}}, 30)});
  step(kShop, {insert(kBob, 25)});
  EXPECT_TRUE(state().is_apart(kShop));
  step(kShop, {marker(2)});
  step(kErp, {removal(40)});
  step(kShop, {update(kBob, 26)});  // there is no record any more: it becomes the next
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(accepted(), kBob);
}

TEST_F(Apart, an_insert_that_is_taken_after_all_takes_the_rows_place) {
  const Cells cid = {{kName, "Cid"}, {kPhone, "5"}, {kCity, "Basel"}};
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {removal(20)});
  step(kErp, {insert(cid, 30)});
  step(kShop, {insert(kBob, 25)});
  EXPECT_TRUE(state().is_apart(kShop));
  step(kShop, {marker(3), ours(insert(cid, 40))});
  EXPECT_FALSE(state().is_apart(kShop));
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  EXPECT_EQ(accepted(), cid);
}

TEST_F(Apart, what_was_passed_over_when_it_was_done_already_is_no_users_change) {
  const Cells cid = {{kName, "Cid"}, {kPhone, "5"}, {kCity, "Basel"}};
  step(kErp, {insert(kAnn, 10)});
  confirm_all();
  step(kErp, {update({{kPhone, "3"}}, 15)});
  const model::Sequence set = lane_.last_sequence(kStream);
  step(kErp, {removal(20)});
  const model::Sequence ended = lane_.last_sequence(kStream);
  step(kErp, {insert(cid, 30)});
  step(kShop, {removal(40), insert(kBob, 41)});  // before it was told of any of this
  EXPECT_TRUE(state().is_apart(kShop));
  step(kShop, {marker(set), ours(update({{kName, "Bob"}, {kPhone, "3"}, {kCity, "Bern"}}, 42))});
  step(kShop, {marker(ended), ours(removal(43))});
  EXPECT_TRUE(state().exists());
  EXPECT_EQ(accepted(), cid);
}

TEST_F(Apart, an_insert_behind_the_delete_of_what_stands_there_is_not_passed_over) {
  step(kErp, {insert(kAnn, 10)});
  confirm_all();
  step(kErp, {removal(20)});
  step(kErp, {insert(kBob, 30)});
  const model::Sequence taken = lane_.last_sequence(kStream);
  step(kErp, {removal(40)});
  EXPECT_TRUE(lane_.skipped(kShop, kStream).empty());
  // It was taken, so its user has changed what was deleted elsewhere.
  step(kShop, {marker(taken), ours(update(kBob, 41)), update({{kPhone, "9"}}, 42)});
  EXPECT_FALSE(state().exists());
}

TEST_F(Apart, is_replayed_as_it_was) {
  clash();
  step(kShop, {}, {skip(kShop, 1)});
  step(kErp, {update({{kPhone, "3"}}, 30)});
  step(kShop, {removal(40), insert(kBob, 50)});  // in one transaction
  EXPECT_TRUE(state().is_apart(kShop));
  Lane again(0, rules_, secret_);
  for (const model::SystemId system : {kErp, kShop, kCrm}) again.set_epoch(system, kEpoch);
  for (const model::Frame& frame : frames_) again.replay(frame);
  EXPECT_EQ(again.skipped(kShop, kStream), lane_.skipped(kShop, kStream));
  EXPECT_FALSE(lane_.skipped(kShop, kStream).empty());
}

TEST_F(Apart, is_known_to_a_new_epoch) {
  clash();
  lane_.set_epoch(kShop, kEpoch + 1);
  EXPECT_TRUE(state().is_apart(kShop));
  EXPECT_TRUE(step(kShop, {update({{kPhone, "7"}}, 30)}).entries.empty());
}

TEST_F(Apart, where_keys_say_which_record_is_meant_they_are_one) {
  rules().insert_exists = InsertExists::kMerge;
  clash();
  EXPECT_FALSE(state().is_apart(kShop));
  EXPECT_EQ(accepted(), kBob);
  EXPECT_EQ(frames_.front().entries.at(0).kind, EntryKind::kPut);
}

}  // namespace
}  // namespace syncline::core
