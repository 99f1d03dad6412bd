#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

using model::ConflictOutcome, model::ConflictType, model::EntryKind;

const Cells kAnn = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};
const Cells kAnna = {{kName, "Anna"}, {kPhone, "1"}, {kCity, "Bern"}};

// The ERP's rows win where both hold a record.
class FirstSync : public LaneStory {
 protected:
  FirstSync() {
    role(kErp).first_rank = 2;
    role(kShop).first_rank = 1;
    read_first(SyncPhase::kReading, SyncPhase::kWaiting);
  }
  void read_first(SyncPhase erp, SyncPhase shop) {
    role(kErp).phase = erp;
    role(kShop).phase = shop;
  }
};

TEST_F(FirstSync, nothing_is_written_to_a_system_that_waits) {
  const model::Frame& frame = step(kErp, {snapshot(kAnn)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_TRUE(frame.entries[0].targets.empty());
  EXPECT_EQ(state().generation, 1u);
  EXPECT_EQ(accepted(), kAnn);
}

TEST_F(FirstSync, equal_rows_agree) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {snapshot(kAnn)});
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_TRUE(frame.conflicts.empty());
}

TEST_F(FirstSync, a_row_that_loses_is_overwritten_where_it_differs) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {snapshot(kAnna)});
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].type, ConflictType::kInsertExists);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kAcceptedStays);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Anna");
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kSet);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Ann"}}));
  // The shop's user, who has not seen it, is heard nevertheless.
  EXPECT_EQ(step(kShop, {update({{kName, "Annie"}}, 50)}).entries.at(0).targets,
            (Systems{kErp, kShop}));
}

TEST_F(FirstSync, a_row_that_wins_goes_to_the_system_that_is_live) {
  read_first(SyncPhase::kWaiting, SyncPhase::kReading);
  step(kShop, {snapshot(kAnna)});
  read_first(SyncPhase::kReading, SyncPhase::kLive);
  const model::Frame& frame = step(kErp, {snapshot(kAnn)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Ann"}}));
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kArrivingWins);
}

TEST_F(FirstSync, a_system_that_was_read_whole_gets_what_others_make) {
  read_first(SyncPhase::kLive, SyncPhase::kRead);
  const model::Frame& frame = step(kErp, {insert(kAnn, 50)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
}

TEST_F(FirstSync, what_is_on_its_way_whole_is_not_put_a_second_time) {
  read_first(SyncPhase::kLive, SyncPhase::kRead);
  step(kErp, {insert(kAnn, 50)});
  EXPECT_TRUE(step(kShop, {row(RowOp::kMissing, {}, 0)}).entries.empty());
}

// The reading has overtaken the log: it shows what we put there, before its marker.
TEST_F(FirstSync, a_reading_of_our_own_put_says_nothing_new) {
  read_first(SyncPhase::kLive, SyncPhase::kRead);
  step(kErp, {insert(kAnn, 50)});
  step(kErp, {update({{kName, "Anna"}}, 60)});
  Row seen = snapshot(kAnn);
  seen.is_read = true;
  const model::Frame& frame = step(kShop, {seen});
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_TRUE(frame.entries.empty());
}

// What was on its way when a system's deliveries began anew never comes.
TEST_F(FirstSync, a_system_that_begins_anew_is_compared_with_what_is_accepted) {
  read_first(SyncPhase::kLive, SyncPhase::kLive);
  settle_on(kAnn, 50);
  step(kErp, {update({{kName, "Anna"}}, 60)});  // in flight to the shop
  lane_.set_epoch(kShop, kEpoch + 1);
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  EXPECT_TRUE(step(kErp, {update({{kPhone, "2"}}, 70)}).entries.at(0).targets.empty());
  const model::Frame& frame = step(kShop, {snapshot(kAnn)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Anna"}, {kPhone, "2"}}));
}

// Nothing of the record will be read again that says so: it is known to have been told.
TEST_F(FirstSync, broken_off_when_all_was_read_what_was_written_since_is_known_as_read) {
  read_first(SyncPhase::kLive, SyncPhase::kRead);
  step(kErp, {insert(kAnn, 50)});
  step(kShop, {marker(1)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  EXPECT_EQ(step(kErp, {update({{kName, "Anna"}}, 60)}).entries.at(0).targets, Systems{kShop});
}

TEST_F(FirstSync, a_new_row_goes_whole_to_the_system_that_is_live) {
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {snapshot(kAnna)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
}

TEST_F(FirstSync, the_later_row_wins_where_the_rows_have_times) {
  step(kErp, {row(RowOp::kSnapshot, kAnn, 500)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kShop, {row(RowOp::kSnapshot, kAnna, 600)});
  EXPECT_EQ(accepted(), kAnna);
}

TEST_F(FirstSync, a_row_never_beats_a_live_change) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kErp, {update({{kName, "Annie"}}, 7)});
  const model::Frame& frame = step(kShop, {row(RowOp::kSnapshot, kAnna, kNow)});
  EXPECT_EQ(accepted().at(kName), "Annie");
  EXPECT_EQ(cells_of(frame.entries.at(0)), (Cells{{kName, "Annie"}}));
}

TEST_F(FirstSync, an_old_reading_of_what_the_system_has_since_changed_is_nothing) {
  step(kErp, {snapshot(kAnn)});
  step(kErp, {update({{kName, "Annie"}}, 50)});
  const model::Frame& frame = step(kErp, {snapshot(kAnn)});
  EXPECT_TRUE(frame.entries.empty());
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(accepted().at(kName), "Annie");
}

TEST_F(FirstSync, a_system_that_is_read_anew_is_given_what_it_had_made_and_lost) {
  read_first(SyncPhase::kLive, SyncPhase::kLive);
  settle_on(kAnn, 10);
  step(kErp, {update({{kName, "Annie"}}, 50)});
  confirm_all();
  read_first(SyncPhase::kReading, SyncPhase::kLive);  // restored from an older copy
  const model::Frame& frame = step(kErp, {snapshot(kAnn)});
  EXPECT_EQ(accepted().at(kName), "Annie");
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Annie"}}));
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Ann");
}

TEST_F(FirstSync, what_a_first_sync_took_stands_when_its_system_is_read_anew) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kShop, {row(RowOp::kMissing, {}, 0)});
  read_first(SyncPhase::kLive, SyncPhase::kLive);
  confirm_all();
  step(kShop, {update({{kPhone, "2"}}, 50)});
  confirm_all();
  read_first(SyncPhase::kReading, SyncPhase::kLive);
  const model::Frame& frame = step(kErp, {snapshot(kAnna)});
  EXPECT_EQ(accepted(), (Cells{{kName, "Ann"}, {kPhone, "2"}, {kCity, "Bern"}}));
  EXPECT_EQ(cells_of(frame.entries.at(0)), (Cells{{kName, "Ann"}, {kPhone, "2"}}));
}

TEST_F(FirstSync, a_row_read_once_more_takes_the_place_of_its_first_reading) {
  step(kErp, {snapshot(kAnn)});
  EXPECT_TRUE(step(kErp, {snapshot(kAnna)}).conflicts.empty());
  EXPECT_EQ(accepted(), kAnna);
}

TEST_F(FirstSync, writes_go_to_a_reading_system_only_for_rows_it_has_shown) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  EXPECT_TRUE(step(kErp, {update({{kName, "Annie"}}, 50)}).entries.at(0).targets.empty());
  step(kShop, {snapshot(kAnn)});
  confirm_all();
  EXPECT_EQ(step(kErp, {update({{kName, "Anne"}}, 60)}).entries.at(0).targets, Systems{kShop});
  confirm_all();
  EXPECT_EQ(step(kErp, {update({{kName, "Anni"}}, 70)}).entries.at(0).targets, Systems{kShop});
}

TEST_F(FirstSync, a_partial_change_before_its_row_was_read_waits_for_the_row) {
  step(kErp, {update({{kName, "Annie"}}, 50)});
  EXPECT_EQ(state().generation, 0u);
  read_first(SyncPhase::kReading, SyncPhase::kLive);
  const model::Frame& frame = step(kErp, {snapshot(kAnn)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kName, "Annie"}, {kPhone, "1"}, {kCity, "Bern"}}));
  EXPECT_TRUE(frame.conflicts.empty());
}

TEST_F(FirstSync, a_record_deleted_meanwhile_is_deleted_there_too_and_its_values_are_kept) {
  step(kErp, {removal(50)});  // of a key that nobody has read yet
  EXPECT_EQ(state().generation, 2u);
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {snapshot(kAnna)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kDelete);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  ASSERT_EQ(frame.conflicts.size(), 3u);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kRecordEnds);
  EXPECT_EQ(frame.conflicts[0].loser.bytes, "Anna");
  EXPECT_FALSE(state().exists());
}

TEST_F(FirstSync, a_delete_of_a_row_that_was_not_read_ends_what_was_only_read_elsewhere) {
  rules().deletes = DeletePolicy::kUpdateWins;
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {removal(50)});
  EXPECT_FALSE(state().exists());
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(frame.entries.at(0).targets, Systems{kErp});
  EXPECT_TRUE(step(kShop, {row(RowOp::kMissing, {}, 0)}).entries.empty());
}

TEST_F(FirstSync, a_delete_of_a_row_that_was_not_read_meets_a_live_change) {
  rules().deletes = DeletePolicy::kUpdateWins;
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kErp, {update({{kName, "Annie"}}, 40)});
  const model::Frame& frame = step(kShop, {removal(50)});
  EXPECT_EQ(state().generation, 3u);
  ASSERT_EQ(frame.conflicts.size(), 1u);
  EXPECT_EQ(frame.conflicts[0].outcome, ConflictOutcome::kRecordStays);
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, (Systems{kErp, kShop}));
}

TEST_F(FirstSync, a_row_deleted_before_its_reading_and_there_again_stays) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kShop, {removal(50)});
  const model::Frame& frame = step(kShop, {snapshot(kAnna)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(accepted(), kAnna);
}

TEST_F(FirstSync, a_reading_of_a_row_that_the_log_had_told_in_part_is_its_first_reading) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  Row seen = update(kAnna, 50);
  seen.is_read = true;
  const model::Frame& frame = step(kShop, {seen});
  EXPECT_EQ(accepted(), kAnn);
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
}

TEST_F(FirstSync, a_whole_row_in_the_log_counts_as_read_and_what_stands_against_it_is_written) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kErp, {update({{kName, "Annie"}}, 60)});
  EXPECT_TRUE(frames_.back().entries.at(0).targets.empty());
  const model::Frame& frame =
      step(kShop, {insert({{kName, "Anna"}, {kPhone, "2"}, {kCity, "Bern"}}, 50)});
  EXPECT_EQ(accepted(), (Cells{{kName, "Annie"}, {kPhone, "2"}, {kCity, "Bern"}}));
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[1].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[1]), (Cells{{kName, "Annie"}}));
}

TEST_F(FirstSync, a_record_deleted_and_made_again_between_two_readings_stays) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kShop, {snapshot(kAnn)});
  step(kShop, {removal(50)});  // the log, before the reading that a restart begins anew
  confirm_all();
  const model::Frame& frame = step(kShop, {snapshot(kAnna)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kErp});
  EXPECT_EQ(accepted(), kAnna);
  EXPECT_EQ(state().generation, 3u);
}

TEST_F(FirstSync, a_tombstone_of_the_same_values_is_no_conflict) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  step(kErp, {removal(50)});
  const model::Frame& frame = step(kShop, {snapshot(kAnn)});
  EXPECT_TRUE(frame.conflicts.empty());
  EXPECT_EQ(frame.entries.at(0).kind, EntryKind::kDelete);
}

TEST_F(FirstSync, what_a_system_lacks_is_put_there_at_the_end) {
  step(kErp, {snapshot(kAnn)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  const model::Frame& frame = step(kShop, {row(RowOp::kMissing, {}, 0)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[0]), kAnn);
  // Made there at the same time: two inserts of one life.
  const model::Frame& made = step(kShop, {insert(kAnna, 50)});
  EXPECT_EQ(state().generation, 1u);
  ASSERT_EQ(made.conflicts.size(), 1u);
  EXPECT_EQ(made.conflicts[0].type, ConflictType::kInsertExists);
}

TEST_F(FirstSync, what_no_longer_exists_is_not_missing) {
  step(kErp, {snapshot(kAnn)});
  step(kErp, {removal(50)});
  read_first(SyncPhase::kLive, SyncPhase::kReading);
  EXPECT_TRUE(step(kShop, {row(RowOp::kMissing, {}, 0)}).entries.empty());
}

TEST_F(FirstSync, marks_of_the_reading_go_when_it_is_over) {
  step(kErp, {snapshot(kAnn)});
  EXPECT_EQ(state().views.size(), 1u);
  read_first(SyncPhase::kLive, SyncPhase::kLive);
  step(kErp, {update({{kName, "Annie"}}, 50)});
  confirm_all();
  EXPECT_TRUE(state().views.empty());
}

TEST_F(FirstSync, redelivery_writes_the_accepted_state_whole) {
  read_first(SyncPhase::kLive, SyncPhase::kLive);
  settle_on(kAnn, 10);
  const model::Frame& put = step(kShop, {row(RowOp::kRedeliver, {}, 0)});
  ASSERT_EQ(put.entries.size(), 1u);
  EXPECT_EQ(put.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(put.entries[0].targets, Systems{kShop});
  EXPECT_EQ(cells_of(put.entries[0]), kAnn);
  confirm_all();
  step(kErp, {removal(20)});
  confirm_all();
  EXPECT_EQ(step(kShop, {row(RowOp::kRedeliver, {}, 0)}).entries.at(0).kind, EntryKind::kDelete);
  EXPECT_TRUE(step(kShop, {row(RowOp::kRedeliver, {}, 0, "unknown")}).entries.empty());
}

}  // namespace
}  // namespace syncline::core
