// What a peer accepted, from the link's hands into this appliance's journal, over restarts.
#include <deque>

#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

constexpr model::SystemId kPeer = 100;

class Joining : public PipelineOnDisk {
 protected:
  Joining()
      : PipelineOnDisk({"note"},
                       {{.system = kErp}, {.system = kPeer, .kind = core::SystemKind::kPeer}}) {}

  const model::Entry* entry(const std::string& id, const std::string& note, int64_t time_us) {
    model::Entry& made = entries_.emplace_back();
    const model::CellView key{model::CellState::kValue, id};
    made.dataset = schema_.dataset;
    made.key = model::join_key({&key, 1});
    made.key_hash = model::record_hash(made.key, schema_);
    made.kind = EntryKind::kPut;
    made.generation = 1;
    made.cells.edit().push_back({.field = 1,
                                 .state = model::CellState::kValue,
                                 .bytes = note,
                                 .version = {1, {}, time_us, 200, 0, 0},
                                 .base = {}});
    return &made;
  }
  static model::Position position(char place) { return {std::string(1, place)}; }
  void join(char place, std::vector<const model::Entry*> entries) {
    ASSERT_TRUE(
        pipeline_->process_joined({kPeer, position(place), std::move(entries)}).has_value());
  }

  // The notes that the journal has for the database, in order.
  std::vector<std::string> notes() {
    std::vector<std::string> found;
    visit_entries([&](const model::Frame& frame, const model::Entry& each) {
      EXPECT_EQ(each.targets, std::vector<model::SystemId>{kErp});
      EXPECT_EQ(frame.lane, model::lane_of(each.key_hash, kLanes));
      found.push_back(each.cells[0].bytes);
    });
    return found;
  }

  std::deque<model::Entry> entries_;
};

using Notes = std::vector<std::string>;

TEST_F(Joining, what_a_peer_accepted_goes_to_the_databases) {
  join('a', {entry("1", "Ann", kTimeUs)});
  EXPECT_TRUE(notes().empty());
  commit();
  EXPECT_EQ(notes(), Notes{"Ann"});
}

TEST_F(Joining, the_peer_is_acknowledged_with_the_commit_and_once) {
  join('a', {entry("1", "Ann", kTimeUs)});
  EXPECT_EQ(pipeline_->take_acknowledgement(kPeer), std::nullopt);
  commit();
  EXPECT_EQ(pipeline_->take_acknowledgement(kPeer), position('a'));
  EXPECT_EQ(pipeline_->take_acknowledgement(kPeer), std::nullopt);
}

TEST_F(Joining, the_place_in_the_peers_journal_outlives_a_crash) {
  join('a', {entry("1", "Ann", kTimeUs)});
  commit();
  join('b', {entry("2", "Bob", kTimeUs)});
  crash();
  EXPECT_EQ(pipeline_->position(kPeer), position('a'));
  EXPECT_EQ(notes(), Notes{"Ann"});
  join('b', {entry("2", "Bob", kTimeUs)});
  commit();
  EXPECT_EQ(pipeline_->position(kPeer), position('b'));
  EXPECT_EQ(notes(), (Notes{"Ann", "Bob"}));
}

TEST_F(Joining, what_comes_again_changes_nothing) {
  for (int time = 0; time < 2; ++time) {
    join('a', {entry("1", "Ann", kTimeUs)});
    commit();
    crash();
  }
  EXPECT_EQ(notes(), Notes{"Ann"});
  EXPECT_EQ(pipeline_->counters().conflicts_total, 0u);
}

TEST_F(Joining, one_records_entries_keep_their_order) {
  join('a', {entry("1", "Ann", kTimeUs), entry("1", "Anna", kTimeUs + 1)});
  join('b', {entry("1", "late", kTimeUs - 1)});
  commit();
  EXPECT_EQ(notes(), (Notes{"Ann", "Anna"}));
}

TEST_F(Joining, a_stretch_takes_its_records_to_their_lanes_in_one_group) {
  std::vector<const model::Entry*> stretch;
  for (int id = 0; id < 40; ++id) stretch.push_back(entry(std::to_string(id), "x", kTimeUs));
  join('a', stretch);
  commit();
  EXPECT_EQ(notes().size(), 40u);
  EXPECT_EQ(journal_->stats().committed, 1u);
}

TEST_F(Joining, a_stretch_without_entries_is_acknowledged_and_writes_nothing) {
  join('a', {});
  commit();
  EXPECT_EQ(pipeline_->take_acknowledgement(kPeer), position('a'));
  EXPECT_EQ(journal_->stats().committed, 0u);
}

}  // namespace
}  // namespace syncline::pipeline
