#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

using model::ConflictOutcome, model::ConflictType, model::EntryKind;

const Cells kAnn = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};

TEST_F(LaneStory, an_insert_goes_whole_to_the_other_system) {
  const model::Frame& frame = step(kErp, {insert(kAnn, 10)});
  ASSERT_EQ(frame.entries.size(), 1u);
  const model::Entry& entry = frame.entries[0];
  EXPECT_EQ(entry.kind, EntryKind::kPut);
  EXPECT_EQ(entry.generation, 1u);
  EXPECT_EQ(entry.sequence, 1u);
  EXPECT_EQ(entry.key, "c1");
  EXPECT_EQ(entry.origin, kErp);
  EXPECT_EQ(entry.targets, Systems{kShop});
  EXPECT_EQ(cells_of(entry), kAnn);
  ASSERT_EQ(frame.records.size(), 1u);
  EXPECT_TRUE(frame.records[0].is_full);
  EXPECT_EQ(accepted(), kAnn);
}

TEST_F(LaneStory, an_update_travels_alone) {
  settle_on(kAnn, 10);
  const model::Frame& frame = step(kShop, {update({{kPhone, "2"}}, 20)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kSet);
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kPhone, "2"}}));
  EXPECT_FALSE(frame.records[0].is_full);
  EXPECT_TRUE(frame.conflicts.empty());
}

TEST_F(LaneStory, our_own_write_come_back_is_no_change) {
  step(kErp, {insert(kAnn, 10)});
  const model::Frame& frame = step(kShop, {marker(1), ours(insert(kAnn, 30))});
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_EQ(frame.confirmations.size(), 1u);
  EXPECT_EQ(lane_.counters().echoes_dropped, 1u);
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 0u);
  EXPECT_EQ(lane_.confirmed(kShop, kStream), 1u);
  EXPECT_TRUE(state().views.empty());
}

TEST_F(LaneStory, an_echo_reads_no_values) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  step(kErp, {update({{kPhone, "3"}}, 30)});
  const model::Sequence last = lane_.last_sequence(kStream);
  step(kShop, {marker(last - 1), ours(update({{kPhone, "2"}}, 40)), marker(last),
               ours(update({{kPhone, "3"}}, 41))});
  EXPECT_EQ(values_asked_, 0u);
  EXPECT_EQ(accepted().at(kPhone), "3");
  EXPECT_TRUE(state().views.empty());
}

TEST_F(LaneStory, an_echo_is_known_without_its_record) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {update({{kPhone, "2"}}, 20)});
  const Row echo = ours(insert({{kName, "Ann"}, {kPhone, "2"}, {kCity, "Bern"}}, 30));
  const model::Frame& frame = step(kShop, {marker(2), echo});
  EXPECT_EQ(records_asked_, 0u);
  EXPECT_TRUE(frame.records.empty());
  EXPECT_EQ(lane_.counters().echoes_dropped, 1u);
  EXPECT_TRUE(state().views.empty());
  step(kErp, {removal(40)});
  // Of a delete it is asked for: what it showed depends on what was shown before.
  step(kShop, {marker(3), ours(removal(50))});
  EXPECT_EQ(records_asked_, 1u);
  // What follows has seen it all: no conflict, and nothing goes back.
  step(kShop, {insert(kAnn, 60)});
  EXPECT_TRUE(frames_.back().conflicts.empty());
  EXPECT_EQ(frames_.back().entries.at(0).targets, Systems{kErp});
}

TEST_F(LaneStory, a_row_of_ours_that_shows_anything_else_is_looked_at) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  Row other = ours(update({{kPhone, "2"}, {kCity, "Basel"}}, 30));
  step(kShop, {marker(2), other});
  EXPECT_EQ(records_asked_, 1u);
  EXPECT_EQ(accepted().at(kCity), "Basel");
  step(kErp, {update({{kPhone, "3"}}, 40)});
  step(kShop, {marker(lane_.last_sequence(kStream)), ours(update({{kPhone, "03"}}, 50))});
  EXPECT_EQ(accepted().at(kPhone), "03");
  // A delete by a trigger of theirs where we wrote cells.
  step(kErp, {update({{kPhone, "4"}}, 60)});
  step(kShop, {marker(lane_.last_sequence(kStream)), ours(removal(70))});
  EXPECT_EQ(state().generation, 2u);
}

TEST_F(LaneStory, a_user_behind_the_echo_in_one_read_has_seen_what_we_wrote) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  const model::Frame& frame =
      step(kShop, {marker(2), ours(update({{kPhone, "2"}}, 30)), update({{kPhone, "1"}}, 5)});
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(accepted().at(kPhone), "1");
}

TEST_F(LaneStory, what_was_on_its_way_at_a_restart_is_known_without_its_record) {
  step(kErp, {insert(kAnn, 10)});
  const std::string kept = lane_.snapshot();
  ASSERT_TRUE(lane_.restore(kept).has_value());
  const model::Frame& frame = step(kShop, {marker(1), ours(insert(kAnn, 30))});
  EXPECT_EQ(records_asked_, 0u);
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_TRUE(state().views.empty());
}

// A reading of the table that meets our write before the log does.
TEST_F(LaneStory, what_is_on_its_way_there_is_no_change_of_that_system) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  Row seen = update({{kPhone, "2"}}, 30);
  seen.is_read = true;
  EXPECT_TRUE(step(kShop, {seen}).entries.empty());
  step(kErp, {update({{kPhone, "3"}}, 25)});
  EXPECT_EQ(accepted().at(kPhone), "3");
  EXPECT_TRUE(frames_.back().conflicts.empty());
  Row other = update({{kPhone, "9"}}, 40);
  other.is_read = true;
  EXPECT_EQ(step(kShop, {other}).entries.size(), 1u);
}

// Likewise of a whole record, which its maker has changed meanwhile.
TEST_F(LaneStory, a_record_that_is_on_its_way_there_is_not_made_by_that_system) {
  step(kErp, {insert(kAnn, 10)});
  step(kErp, {update({{kPhone, "3"}}, 20)});
  Row seen = insert(kAnn, 30);
  seen.is_read = true;
  EXPECT_TRUE(step(kShop, {seen}).entries.empty());
  EXPECT_TRUE(frames_.back().conflicts.empty());
  EXPECT_EQ(accepted().at(kPhone), "3");
  step(kShop, {marker(1), ours(insert(kAnn, 30))});
  EXPECT_TRUE(frames_.back().entries.empty());
  step(kErp, {row(RowOp::kInsert, kAnn, 10, "c2")});
  Row other = row(RowOp::kInsert, {{kName, "Bob"}, {kPhone, "2"}, {kCity, "Bern"}}, 40, "c2");
  other.is_read = true;
  EXPECT_EQ(step(kShop, {other}).entries.size(), 1u);
}

TEST_F(LaneStory, a_correction_reads_the_values_it_is_compared_with) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  const model::Sequence last = lane_.last_sequence(kStream);
  step(kShop, {marker(last), ours(update({{kPhone, "02"}}, 40))});
  EXPECT_EQ(values_asked_, 1u);
  EXPECT_EQ(accepted().at(kPhone), "02");
}

// What a user of that system wrote in between makes the row of ours more than an echo.
TEST_F(LaneStory, an_echo_behind_the_systems_own_change_reads_values) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kPhone, "2"}}, 20)});
  const model::Sequence last = lane_.last_sequence(kStream);
  step(kShop, {update({{kPhone, "7"}}, 30), marker(last), ours(update({{kPhone, "2"}}, 40))});
  EXPECT_EQ(values_asked_, 1u);
  EXPECT_EQ(accepted().at(kPhone), "7");
}

TEST_F(LaneStory, a_change_comes_back_behind_a_write_in_flight) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});  // in flight to the shop, which has not seen it
  const model::Frame& frame = step(kShop, {update({{kName, "Anne"}}, 30)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kShop}));
}

// Who counts up would meet his own number of a moment ago again.
TEST_F(LaneStory, nothing_comes_back_that_no_write_in_flight_touches) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const model::Frame& apart = step(kShop, {update({{kPhone, "2"}}, 30)});
  ASSERT_EQ(apart.entries.size(), 1u);
  EXPECT_EQ(apart.entries[0].targets, Systems{kErp});
  const model::Frame& both = step(kShop, {update({{kName, "Anne"}, {kPhone, "3"}}, 40)});
  ASSERT_EQ(both.entries.size(), 2u);
  EXPECT_EQ(both.entries[0].targets, Systems{kErp});
  EXPECT_EQ(cells_of(both.entries[0]), (Cells{{kName, "Anne"}, {kPhone, "3"}}));
  EXPECT_EQ(both.entries[1].targets, Systems{kShop});
  EXPECT_EQ(cells_of(both.entries[1]), (Cells{{kName, "Anne"}}));
  // What it was shown meanwhile counts: no conflict, whatever the clocks say.
  const model::Frame& behind = step(kShop, {update({{kPhone, "4"}}, 5)});
  EXPECT_TRUE(behind.conflicts.empty());
  EXPECT_EQ(accepted().at(kPhone), "4");
  // A record on its way there whole brings every field.
  step(kErp, {row(RowOp::kInsert, kAnn, 10, "c2")});
  const model::Frame& whole = step(kShop, {row(RowOp::kInsert, kAnn, 20, "c2")});
  EXPECT_EQ(whole.entries.at(0).targets, (Systems{kErp, kShop}));
}

TEST_F(LaneStory, a_conflict_names_both_sides_whoever_wins) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const model::Frame& wins = step(kShop, {update({{kName, "Anne"}}, 30)});
  ASSERT_EQ(wins.conflicts.size(), 1u);
  EXPECT_EQ(wins.conflicts[0].type, ConflictType::kUpdateOriginDiffers);
  EXPECT_EQ(wins.conflicts[0].outcome, ConflictOutcome::kArrivingWins);
  EXPECT_EQ(wins.conflicts[0].winner.bytes, "Anne");
  EXPECT_EQ(wins.conflicts[0].loser.bytes, "Anna");
  EXPECT_EQ(wins.conflicts[0].loser.system, kErp);
  EXPECT_EQ(wins.conflicts[0].policy, "newest");
  const model::Frame& loses = step(kErp, {update({{kName, "Annie"}}, 25)});
  ASSERT_EQ(loses.conflicts.size(), 1u);
  EXPECT_EQ(loses.conflicts[0].outcome, ConflictOutcome::kAcceptedStays);
  EXPECT_EQ(loses.conflicts[0].loser.bytes, "Annie");
  EXPECT_EQ(loses.conflicts[0].winner.bytes, "Anne");
  EXPECT_TRUE(loses.entries.empty());
  EXPECT_EQ(accepted().at(kName), "Anne");
}

TEST_F(LaneStory, equal_values_are_agreement) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  EXPECT_TRUE(step(kShop, {update({{kName, "Anna"}}, 30)}).conflicts.empty());
}

TEST_F(LaneStory, edits_of_two_fields_of_one_record_both_stand) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  EXPECT_TRUE(step(kShop, {update({{kPhone, "2"}}, 15)}).conflicts.empty());
  EXPECT_EQ(accepted(), (Cells{{kName, "Anna"}, {kPhone, "2"}, {kCity, "Bern"}}));
}

TEST_F(LaneStory, the_later_edit_wins_whatever_the_clocks_say) {
  settle_on(kAnn, kNow);
  constexpr int64_t kTenMinutes = 600'000'000;
  for (int round = 1; round <= 6; ++round) {
    const model::SystemId system = round % 2 == 0 ? kErp : kShop;
    const int64_t time = kNow + round - (system == kShop ? kTenMinutes : 0);
    const std::string value = "round " + std::to_string(round);
    EXPECT_TRUE(step(system, {update({{kName, value}}, time)}).conflicts.empty());
    confirm_all();
    EXPECT_EQ(accepted().at(kName), value);
  }
}

TEST_F(LaneStory, authority_beats_time_but_not_causality) {
  for (FieldPolicy& field : rules().fields) {
    field = {Policy::kAuthority, {{kErp, 2}, {kShop, 1}}, "erp, shop", false};
  }
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  EXPECT_EQ(step(kShop, {update({{kName, "Anne"}}, 30)}).conflicts.size(), 1u);
  EXPECT_EQ(accepted().at(kName), "Anna");
  confirm_all();
  EXPECT_TRUE(step(kShop, {update({{kName, "Anne"}}, 5)}).conflicts.empty());
  EXPECT_EQ(accepted().at(kName), "Anne");
}

TEST_F(LaneStory, a_marker_confirms_what_it_covers_and_no_more) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  step(kErp, {update({{kName, "Annie"}}, 21)});
  step(kShop, {marker(2)});
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 1u);
  // The shop has seen Anna, not Annie.
  const model::Frame& frame = step(kShop, {update({{kName, "Anne"}}, 30)});
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Annie");
}

TEST_F(LaneStory, foreign_markers_confirm_nothing) {
  step(kErp, {insert(kAnn, 10)});
  EXPECT_TRUE(step(kShop, {marker(1, kEpoch - 1)}).confirmations.empty());
  EXPECT_TRUE(step(kShop, {marker(2)}).confirmations.empty());  // never given out
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 1u);
  EXPECT_EQ(lane_.counters().markers_ignored, 2u);
}

TEST_F(LaneStory, what_a_system_stores_otherwise_is_a_correction) {
  role(kCrm);
  settle_on(kAnn, 10);
  const model::Version before = state().cells[0];
  step(kErp, {update({{kName, "Anna "}}, 20)});
  const model::Frame& frame = step(kShop, {marker(2), ours(update({{kName, "Anna"}}, 30))});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kCrm}));
  const model::Version& corrected = frame.entries[0].cells[0].version;
  EXPECT_EQ(corrected.correction_round, 1u);
  EXPECT_EQ(corrected.corrector, kShop);
  EXPECT_EQ(corrected.origin, kErp);
  EXPECT_GT(corrected, before);
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(lane_.counters().corrections, 1u);
}

TEST_F(LaneStory, a_value_turned_back_is_a_correction_though_nothing_changed) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  Row row = ours(update({{kName, "Ann"}}, 30));
  row.cells[0].is_changed = false;
  step(kShop, {marker(2), row});
  EXPECT_EQ(accepted().at(kName), "Ann");
  EXPECT_EQ(state().cells[0].correction_round, 1u);
}

TEST_F(LaneStory, a_correction_of_what_is_no_longer_accepted_is_dropped) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna "}}, 20)});
  step(kErp, {update({{kName, "Annie"}}, 21)});
  const model::Frame& frame = step(kShop, {marker(2), ours(update({{kName, "Anna"}}, 30))});
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_EQ(accepted().at(kName), "Annie");
}

TEST_F(LaneStory, systems_that_never_agree_keep_their_own_after_three_rounds) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "x"}}, 20)});
  for (uint32_t round = 1; round <= kCorrectionRoundsMax; ++round) {
    const model::SystemId system = round % 2 == 1 ? kShop : kErp;
    const std::string value = system == kShop ? "x shop" : "x erp";
    const auto last = marker(lane_.last_sequence(kStream));
    EXPECT_EQ(step(system, {last, ours(update({{kName, value}}, 30))}).entries.size(), 1u);
  }
  const auto last = marker(lane_.last_sequence(kStream));
  const model::Frame& frame = step(kErp, {last, ours(update({{kName, "x erp"}}, 40))});
  EXPECT_TRUE(frame.entries.empty());
  ASSERT_EQ(frame.locals.size(), 1u);
  EXPECT_EQ(frame.locals[0], (model::LocalCell{kCustomer, hash_of("c1"), kName, kErp}));
}

TEST_F(LaneStory, a_trigger_of_ours_that_writes_another_cell_is_a_change_there) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const model::Frame& frame =
      step(kShop, {marker(2), ours(update({{kName, "Anna"}, {kPhone, "9"}}, 30))});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kPhone, "9"}}));
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(frame.entries[0].cells[0].version.origin, kShop);
}

TEST_F(LaneStory, a_row_seen_only_in_its_final_state_does_not_repeat_our_write) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const model::Frame& frame =
      step(kShop, {marker(2), update({{kName, "Anna"}, {kPhone, "9"}}, 30)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kPhone, "9"}}));
}

TEST_F(LaneStory, a_user_who_writes_our_value_again_after_another_one_is_heard) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  step(kShop, {marker(2), ours(update({{kName, "Anna"}}, 30)), update({{kName, "Zoe"}}, 31),
               update({{kName, "Anna"}}, 32)});
  EXPECT_EQ(accepted().at(kName), "Anna");
  EXPECT_EQ(state().cells[0].origin, kShop);
}

TEST_F(LaneStory, a_delete_leaves_a_tombstone) {
  settle_on(kAnn, 10);
  const model::Frame& frame = step(kShop, {removal(20)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kDelete);
  EXPECT_TRUE(frame.entries[0].cells.empty());
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(state().generation, 2u);
  EXPECT_EQ(state().cells.size(), 3u);
  EXPECT_EQ(state().cells[0].origin, kErp);
  // Its echo, and an old delete once more, are nothing new.
  EXPECT_TRUE(step(kErp, {marker(2), ours(removal(30))}).entries.empty());
  EXPECT_TRUE(step(kErp, {removal(40)}).entries.empty());
}

TEST_F(LaneStory, with_delete_wins_a_late_update_is_a_conflict) {
  settle_on(kAnn, 10);
  step(kShop, {removal(20)});
  const model::Frame& frame = step(kErp, {update({{kName, "Anna"}}, 30)});
  EXPECT_FALSE(state().exists());
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kUpdateMissing);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kRecordEnds);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Anna");
  ASSERT_EQ(frame.entries.size(), 1u);  // for the audit trail
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kNote);
  EXPECT_TRUE(frame.entries[0].targets.empty());
}

TEST_F(LaneStory, with_update_wins_a_late_update_brings_the_record_back_whole) {
  rules().deletes = DeletePolicy::kUpdateWins;
  settle_on(kAnn, 10);
  step(kShop, {removal(20)});
  const model::Frame& frame = step(kErp, {update({{kName, "Anna"}}, 30)});
  EXPECT_EQ(state().generation, 3u);
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kShop}));
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Anna"}, {kPhone, "1"}, {kCity, "Bern"}}));
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kRecordStays);
}

TEST_F(LaneStory, a_delete_that_has_not_seen_the_latest_value_is_a_conflict) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const model::Frame& frame = step(kShop, {removal(30)});
  EXPECT_FALSE(state().exists());
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kDeleteOriginDiffers);
  EXPECT_EQ(frame.conflicts[0].winner.system, kShop);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Anna");
}

TEST_F(LaneStory, a_deleted_record_that_is_inserted_again_is_a_new_life) {
  settle_on(kAnn, 10);
  step(kShop, {removal(20)});
  confirm_all();
  const Cells eve = {{kName, "Eve"}, {kPhone, "7"}, {kCity, "Chur"}};
  const model::Frame& frame = step(kErp, {insert(eve, 5)});
  EXPECT_EQ(state().generation, 3u);
  EXPECT_EQ(cells_of(frame.entries.at(0)), eve);
  EXPECT_TRUE(frame.conflicts.empty());
}

TEST_F(LaneStory, an_update_of_a_record_that_is_not_known_makes_no_nulls) {
  const model::Frame& frame = step(kErp, {update({{kName, "Anna"}}, 20)});
  EXPECT_EQ(state().generation, 0u);
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kUpdateMissing);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Anna");
  EXPECT_TRUE(frame.entries.at(0).targets.empty());
  // Named whole it is an insert.
  EXPECT_EQ(step(kErp, {update(kAnn, 30)}).entries.at(0).kind, EntryKind::kPut);
  EXPECT_EQ(state().generation, 1u);
}

TEST_F(LaneStory, wrong_and_coarse_clocks_are_set_right) {
  step(kErp, {insert(kAnn, kNow + 3'600'000'000)});
  EXPECT_EQ(state().cells[0].time_us, kNow + kFutureLimitUs);
  EXPECT_EQ(lane_.counters().times_clamped, 1u);
  Row coarse = row(RowOp::kInsert, kAnn, kNow - 400'000, "c2");
  coarse.time_resolution_us = 1'000'000;
  step(kErp, {coarse});
  EXPECT_EQ(state("c2").cells[0].time_us, kNow);
}

TEST_F(LaneStory, local_fields_never_travel) {
  rules().fields[kCity].is_local = true;
  const model::Frame& frame = step(kErp, {insert(kAnn, 10)});
  EXPECT_FALSE(cells_of(frame.entries.at(0)).contains(kCity));
  EXPECT_TRUE(step(kErp, {update({{kCity, "Chur"}}, 20)}).entries.empty());
}

TEST_F(LaneStory, a_system_that_is_only_read_from_gets_nothing_and_knows_only_its_own) {
  role(kShop).is_written_to = false;
  const model::Frame& first = step(kErp, {insert(kAnn, 10)});
  EXPECT_TRUE(first.entries.at(0).targets.empty());
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 0u);
  const model::Frame& second = step(kShop, {insert({{kName, "Anne"}, {kPhone, "1"}}, 20)});
  EXPECT_EQ(second.entries.at(0).targets, Systems{kErp});
  ASSERT_EQ(second.conflicts.size(), 1u);
  EXPECT_EQ(second.conflicts[0].type, ConflictType::kInsertExists);
}

TEST_F(LaneStory, unknown_datasets_and_systems_are_not_ours) {
  Row row = insert(kAnn, 10);
  row.dataset = 77;
  EXPECT_TRUE(step(kErp, {row}).is_empty());
  EXPECT_TRUE(step(55, {insert(kAnn, 10)}).entries.empty());
}

TEST_F(LaneStory, frames_carry_numbers_positions_and_cursors) {
  Input input;
  input.system = kErp;
  input.now_us = kNow;
  input.position.bytes = "p7";
  input.snapshot_cursor = "c9";
  RecordSet none;
  EXPECT_EQ(lane_.step(input, none).number, 1u);
  const model::Frame frame = lane_.step(input, none);
  EXPECT_EQ(frame.number, 2u);
  EXPECT_EQ(frame.time_us, kNow);
  ASSERT_EQ(frame.progress.size(), 1u);
  EXPECT_EQ(frame.progress[0], (model::SourceProgress{kErp, {"p7"}, "c9"}));
}

TEST_F(LaneStory, a_new_epoch_forgets_what_was_confirmed) {
  settle_on(kAnn, 10);
  EXPECT_EQ(lane_.confirmed(kShop, kStream), 1u);
  lane_.set_epoch(kShop, kEpoch + 1);
  EXPECT_EQ(lane_.confirmed(kShop, kStream), 0u);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  EXPECT_TRUE(step(kShop, {marker(2)}).confirmations.empty());
  EXPECT_EQ(step(kShop, {marker(2, kEpoch + 1)}).confirmations.size(), 1u);
}

TEST_F(LaneStory, a_damaged_snapshot_is_refused) {
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Anna"}}, 20)});
  const std::string bytes = lane_.snapshot();
  Lane other(0, rules_, secret_);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(other.restore(bytes.substr(0, size)).has_value()) << size;
  }
  EXPECT_FALSE(other.restore(bytes + "x").has_value());
  ASSERT_TRUE(other.restore(bytes).has_value());
  EXPECT_EQ(other.snapshot(), bytes);
}

}  // namespace
}  // namespace syncline::core
