// More deletes than the limit, in the order of truth.
#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

class GuardedStory : public PipelineStory {
 protected:
  GuardedStory() {
    rules_[schema_.dataset].delete_limit = {.is_off = false, .records = 2};
    phases(SyncPhase::kLive, SyncPhase::kLive);
    for (const char* id : {"1", "2", "3", "4", "5"}) {
      take(kErp, Kind::kLog, SYN_OP_INSERT, id, "Ann", "erp");
    }
    begin();
    confirm_all();
    for (const char* id : {"1", "2", "3", "4", "5"}) ours(SYN_OP_INSERT, id, "Ann", "erp");
    end();
  }

  // One poll of the shop's log.
  void begin() {
    poll_ = {};
    poll_.system = kShop;
    poll_.kind = Kind::kLog;
    poll_.arrival_us = kTimeUs;
    builder_ = std::make_unique<model::BatchBuilder>(schema_, kLanes);
    builder_->begin_transaction({{}, kTimeUs, 1});
  }
  void confirm_all() {
    for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
      const model::Sequence last = pipeline_->last_sequence(schema_.stream, lane);
      if (last == 0) continue;
      capture::CapturedMarker& marker = poll_.markers.emplace_back();
      marker.ordinal = ordinal_++;
      marker.appliance = "here";
      marker.epoch = 1;
      marker.stream = schema_.stream;
      marker.lane = lane;
      marker.sequence = last;
    }
  }
  void ours(uint8_t op, const std::string& id, const std::string& name, const std::string& note) {
    const std::vector<model::CellView> cells = {
        {CellState::kValue, id}, {CellState::kValue, name}, {CellState::kValue, note}};
    builder_->add_row(op, true, ordinal_++, cells);
  }
  void deleted(const std::string& id, bool is_ours = false) {
    const model::CellView key{CellState::kValue, id};
    builder_->add_key_row(SYN_OP_DELETE, is_ours, ordinal_++, std::span(&key, 1));
  }
  // The shop's users delete these, in one transaction.
  void lose(std::initializer_list<const char*> ids) {
    begin();
    for (const char* id : ids) deleted(id);
    end();
  }
  bool is_held() const { return !pipeline_->held_deletes().empty(); }
  void end() {
    poll_.batches.push_back(builder_->finish());
    ASSERT_TRUE(pipeline_->process(poll_).has_value());
    ASSERT_TRUE(pipeline_->commit().has_value());
  }

  capture::Captured poll_;
  std::unique_ptr<model::BatchBuilder> builder_;
  uint32_t ordinal_ = 0;
};

// The source forgets what is acknowledged, and a restart asks for what follows the journalled
// place.
TEST_F(GuardedStory, the_place_behind_what_is_held_is_journalled_with_it) {
  begin();
  poll_.position = model::Position{"behind"};
  for (const char* id : {"1", "2", "3"}) deleted(id);
  end();
  ASSERT_EQ(pipeline_->held_deletes().size(), 1u);
  EXPECT_EQ(pipeline_->take_acknowledgement(kShop), model::Position{"behind"});
  EXPECT_EQ(pipeline_->position(kShop), model::Position{"behind"});
}

TEST_F(GuardedStory, the_place_behind_what_is_left_out_altogether_is_journalled) {
  begin();
  poll_.position = model::Position{"behind"};
  poll_.rows_left_out = 1;
  end();
  EXPECT_EQ(pipeline_->position(kShop), model::Position{"behind"});
}

// A place that nothing of ours leads to.
TEST_F(GuardedStory, what_becomes_of_a_place_without_rows_is_its_sources_choice) {
  const auto quiet = [&](const char* place, ports::QuietPlace chosen) {
    poll_ = {};
    poll_.system = kShop;
    poll_.kind = Kind::kLog;
    poll_.position = model::Position{place};
    poll_.quiet_place = chosen;
    ASSERT_TRUE(pipeline_->process(poll_).has_value());
    ASSERT_TRUE(pipeline_->commit().has_value());
  };
  quiet("1", ports::QuietPlace::kKept);
  EXPECT_EQ(pipeline_->position(kShop), model::Position{"1"});
  EXPECT_EQ(pipeline_->take_acknowledgement(kShop), model::Position{"1"});
  quiet("2", ports::QuietPlace::kLeft);
  EXPECT_EQ(pipeline_->take_acknowledgement(kShop), std::nullopt);
  quiet("3", ports::QuietPlace::kAcknowledged);
  EXPECT_EQ(pipeline_->take_acknowledgement(kShop), model::Position{"3"});
  EXPECT_EQ(pipeline_->position(kShop), model::Position{"1"});
}

// Until the scan has ended, what is approved is still to be told apart from what is live.
TEST_F(GuardedStory, an_approval_is_listed_until_its_scan_has_ended) {
  begin();
  for (const char* id : {"1", "2", "3"}) deleted(id);
  end();
  ASSERT_EQ(pipeline_->held_deletes().size(), 1u);
  EXPECT_FALSE(pipeline_->held_deletes()[0].is_approved);
  ASSERT_TRUE(pipeline_->approve_deletes(kShop, schema_.dataset).has_value());
  ASSERT_EQ(pipeline_->held_deletes().size(), 1u);
  EXPECT_TRUE(pipeline_->held_deletes()[0].is_approved);
  EXPECT_EQ(pipeline_->held_deletes()[0].lost, 3u);
  pipeline_->begin_sweep(kShop, schema_.dataset);
  for (const char* id : {"4", "5"}) {
    take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, id, "Ann", "erp");
  }
  EXPECT_EQ(pipeline_->held_deletes().size(), 1u);
  ASSERT_TRUE(pipeline_->process_sweep(kShop, schema_.dataset).has_value());
  EXPECT_TRUE(pipeline_->held_deletes().empty());
}

// Otherwise the scan that follows the approval would take them for the shop's own, and newer.
TEST_F(GuardedStory, our_own_writes_behind_the_deletes_are_known_when_they_are_approved) {
  take(kErp, Kind::kLog, SYN_OP_UPDATE, "5", "Bob", "erp");
  begin();
  for (const char* id : {"1", "2", "3"}) deleted(id);
  confirm_all();
  ours(SYN_OP_UPDATE, "5", "Bob", "erp");
  end();
  ASSERT_EQ(pipeline_->held_deletes().size(), 1u);
  EXPECT_EQ(written_to(kErp), Writes{});
  ASSERT_TRUE(pipeline_->approve_deletes(kShop, schema_.dataset).has_value());
  pipeline_->begin_sweep(kShop, schema_.dataset);
  take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, "4", "Ann", "erp");
  take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, "5", "Bob", "erp");
  ASSERT_TRUE(pipeline_->process_sweep(kShop, schema_.dataset).has_value());
  ASSERT_TRUE(pipeline_->commit().has_value());
  Writes written = written_to(kErp);
  std::sort(written.begin(), written.end());
  EXPECT_EQ(written, (Writes{"delete 1", "delete 2", "delete 3"}));
}

// However much of a checkpoint there was: where disks are slow a stop does not wait for the whole.
class GuardedRestart : public GuardedStory, public testing::WithParamInterface<size_t> {};

TEST_P(GuardedRestart, it_goes_on_counting) {
  lose({"1", "2"});
  for (size_t lane = 0; lane < GetParam(); ++lane) {
    ASSERT_TRUE(pipeline_->checkpoint(1, {}).has_value());
  }
  ASSERT_FALSE(is_held());
  crash();
  lose({"3"});
  EXPECT_TRUE(is_held());
}

INSTANTIATE_TEST_SUITE_P(SavedLanes, GuardedRestart, testing::Range(size_t{0}, kLanes + 1));

TEST_F(GuardedStory, what_awaits_its_commit_is_told_by_size) {
  EXPECT_EQ(pipeline_->uncommitted_bytes(), 0u);
  begin();
  deleted("1");
  poll_.batches.push_back(builder_->finish());
  ASSERT_TRUE(pipeline_->process(poll_).has_value());
  EXPECT_GT(pipeline_->uncommitted_bytes(), 100u);
  ASSERT_TRUE(pipeline_->commit().has_value());
  EXPECT_EQ(pipeline_->uncommitted_bytes(), 0u);
}

TEST_F(GuardedStory, a_restart_does_not_count_what_we_deleted) {
  for (const char* id : {"1", "2"}) take(kErp, Kind::kLog, SYN_OP_DELETE, id, {}, {});
  begin();
  confirm_all();
  for (const char* id : {"1", "2"}) deleted(id, true);
  end();
  crash();
  lose({"3", "4"});
  EXPECT_FALSE(is_held());
  lose({"5"});
  EXPECT_TRUE(is_held());
}

TEST_F(GuardedStory, a_restart_does_not_count_what_was_approved) {
  lose({"1", "2", "3"});
  ASSERT_TRUE(is_held());
  ASSERT_TRUE(pipeline_->approve_deletes(kShop, schema_.dataset).has_value());
  pipeline_->begin_sweep(kShop, schema_.dataset);
  for (const char* id : {"4", "5"}) {
    take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, id, "Ann", "erp");
  }
  ASSERT_TRUE(pipeline_->process_sweep(kShop, schema_.dataset).has_value());
  ASSERT_FALSE(is_held());
  ASSERT_TRUE(shadow_->flush().has_value());  // as for another dataset's
  crash();
  lose({"4"});
  EXPECT_FALSE(is_held());
}

}  // namespace
}  // namespace syncline::pipeline
