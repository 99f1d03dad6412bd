// What a checkpoint writes, and that a restart knows the rest from before.
#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

class Checkpoints : public PipelineStory {
 protected:
  void checkpoint() { ASSERT_TRUE(pipeline_->checkpoint(kLanes, {}).has_value()); }
  size_t table_files() const {
    const auto paths = disk_.paths();
    return static_cast<size_t>(std::count_if(
        paths.begin(), paths.end(), [](const auto& path) { return path.starts_with("tables/"); }));
  }
  uint64_t known(model::SystemId system) {
    return pipeline_->table_record_count(system, schema_.dataset);
  }
};

// Each is a file that has to be synced, and there is one a lane, system and dataset.
TEST_F(Checkpoints, OnlyTablesThatChangedAreSaved) {
  read(kErp, "a", "Ann", "x");
  checkpoint();
  EXPECT_EQ(1U, table_files());
  crash();
  EXPECT_EQ(1U, known(kErp));
  phases(SyncPhase::kReading, SyncPhase::kReading);
  read(kShop, "a", "Ann", "x");
  checkpoint();
  EXPECT_EQ(2U, table_files());
  crash();
  EXPECT_EQ(1U, known(kErp));
  EXPECT_EQ(1U, known(kShop));
}

TEST_F(Checkpoints, AChangeBehindTheSavedFileIsReplayedAndSavedNextTime) {
  read(kErp, "a", "Ann", "x");
  checkpoint();
  take(kErp, Kind::kLog, SYN_OP_DELETE, "a", {}, {});
  crash();
  EXPECT_EQ(0U, known(kErp));
  checkpoint();
  crash();
  EXPECT_EQ(0U, known(kErp));
}

}  // namespace
}  // namespace syncline::pipeline
