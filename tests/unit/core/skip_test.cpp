#include "tests/unit/core/lane_fixture.hpp"

namespace syncline::core {
namespace {

using model::EntryKind;

const Cells kAnn = {{kName, "Ann"}, {kPhone, "1"}, {kCity, "Bern"}};

// Three systems; the shop refuses the second entry.
class Skipped : public LaneStory {
 protected:
  Skipped() {
    role(kCrm);
    settle_on(kAnn, 10);
    step(kErp, {update({{kName, "a name too long"}}, 20)});
    step(kShop, {}, {skip(kShop, 2)});
  }
};

TEST_F(Skipped, stays_in_flight_though_markers_pass_it) {
  EXPECT_EQ(frames_.back().skips.size(), 1u);
  step(kErp, {row(RowOp::kInsert, kAnn, 30, "c2")});
  step(kShop, {marker(3)});
  const RecordState record = state();
  const SystemView* view = record.view(kShop);
  ASSERT_NE(view, nullptr);
  EXPECT_TRUE(view->is_in_flight());
  EXPECT_TRUE(view->needs_full_write());
  // What the shop's user edits now has not seen it: a conflict, and the way back.
  const model::Frame& frame = step(kShop, {update({{kName, "Anne"}}, 40)});
  EXPECT_EQ(frame.conflicts.size(), 1u);
}

TEST_F(Skipped, the_next_write_there_is_a_full_one_and_for_others_as_small_as_ever) {
  const model::Frame& frame = step(kErp, {update({{kPhone, "2"}}, 30)});
  ASSERT_EQ(frame.entries.size(), 2u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kSet);
  EXPECT_EQ(frame.entries[0].targets, Systems{kCrm});
  EXPECT_EQ(cells_of(frame.entries[0]), (Cells{{kPhone, "2"}}));
  EXPECT_EQ(frame.entries[1].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[1].targets, Systems{kShop});
  EXPECT_EQ(cells_of(frame.entries[1]),
            (Cells{{kName, "a name too long"}, {kPhone, "2"}, {kCity, "Bern"}}));
  EXPECT_EQ(step(kErp, {update({{kPhone, "3"}}, 40)}).entries.size(), 1u);
}

TEST_F(Skipped, a_full_write_that_arrives_supersedes_it) {
  step(kErp, {update({{kPhone, "2"}}, 30)});
  confirm_all();
  EXPECT_TRUE(state().views.empty());
  EXPECT_EQ(lane_.in_flight_count(kShop, kStream), 0u);
}

TEST_F(Skipped, a_delete_that_arrives_supersedes_it) {
  const model::Frame& frame = step(kErp, {removal(30)});
  ASSERT_EQ(frame.entries.size(), 1u);
  confirm_all();
  EXPECT_TRUE(state().views.empty());
}

TEST_F(Skipped, is_known_to_a_restart_until_its_marker_is_passed) {
  const std::vector<model::Sequence> second = {2};
  EXPECT_EQ(lane_.skipped(kShop, kStream), second);
  EXPECT_TRUE(lane_.skipped(kCrm, kStream).empty());
  ASSERT_TRUE(lane_.restore(lane_.snapshot()));
  EXPECT_EQ(lane_.skipped(kShop, kStream), second);
  step(kErp, {update({{kPhone, "2"}}, 30)});
  confirm_all();
  EXPECT_TRUE(lane_.skipped(kShop, kStream).empty());
}

TEST(Flow, knows_what_was_skipped_of_writes_whose_fingerprints_it_does_not_keep) {
  Flow flow;
  for (const model::Sequence sequence : {3, 5, 8}) {
    model::Entry entry;
    entry.sequence = sequence;
    entry.kind = EntryKind::kSet;
    entry.cells.edit().emplace_back().field = 1;
    flow.add(entry, 1, 0, sequence == 5 ? 1 : 0);
  }
  for (const model::Sequence sequence : {8, 5, 4}) flow.skip(sequence);
  std::string bytes;
  ByteWriter out(bytes);
  flow.write(out);
  Flow again;
  ByteReader in(bytes);
  again.read(in);
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(again.skipped(), (std::vector<model::Sequence>{5, 8}));
  again.confirm(5);
  EXPECT_EQ(again.skipped(), std::vector<model::Sequence>{8});
}

// Whatever takes the record away there, it was not our write.
TEST_F(Skipped, a_row_of_ours_is_no_echo_of_what_was_skipped) {
  step(kErp, {removal(30)});
  const model::Sequence removed = lane_.last_sequence(kStream);
  step(kShop, {}, {skip(kShop, removed)});
  step(kErp, {row(RowOp::kInsert, kAnn, 40, "c2")});
  step(kShop, {marker(removed + 1), ours(removal(50))});
  EXPECT_EQ(records_asked_, 1u);
}

TEST_F(Skipped, a_full_write_that_is_refused_too_leaves_the_need_for_one) {
  step(kErp, {update({{kPhone, "2"}}, 30)});
  step(kShop, {}, {skip(kShop, 4)});
  confirm_all();
  EXPECT_TRUE(state().view(kShop)->needs_full_write());
  EXPECT_EQ(step(kErp, {update({{kPhone, "3"}}, 40)}).entries.at(1).kind, EntryKind::kPut);
}

TEST_F(Skipped, sets_that_were_on_their_way_behind_it_are_followed_by_a_full_write) {
  step(kErp, {update({{kPhone, "2"}}, 30)});
  confirm_all();
  step(kErp, {update({{kName, "again too long"}}, 40)});
  step(kErp, {update({{kPhone, "3"}}, 50)});
  const model::Sequence refused = lane_.last_sequence(kStream) - 1;
  const model::Frame& frame = step(kShop, {}, {skip(kShop, refused)});
  ASSERT_EQ(frame.entries.size(), 1u);
  EXPECT_EQ(frame.entries[0].kind, EntryKind::kPut);
  EXPECT_EQ(frame.entries[0].targets, Systems{kShop});
  // It is refused too: nothing follows it, so nothing more is tried.
  EXPECT_TRUE(step(kShop, {}, {skip(kShop, refused + 2)}).entries.empty());
}

TEST_F(Skipped, redelivery_tries_it_again) {
  EXPECT_EQ(step(kShop, {row(RowOp::kRedeliver, {}, 0)}).entries.at(0).kind, EntryKind::kPut);
  confirm_all();
  EXPECT_TRUE(state().views.empty());
}

}  // namespace
}  // namespace syncline::core
