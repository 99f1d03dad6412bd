// Our writes that a system's log does not show: only their marker comes.
#include <functional>

#include "tests/unit/pipeline/story.hpp"

namespace syncline::pipeline {
namespace {

// Plays one poll after the other; each of its transactions has a position of its own.
class ScriptedSource final : public ports::Source {
 public:
  using Play = std::function<void(ports::ChangeSink&)>;
  std::vector<Play> transactions;

  Result<void> open(const model::Position&) override { return success(); }
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t, int) override {
    for (const Play& play : std::exchange(transactions, {})) {
      sink.begin({{std::string(1, ++place_)}, kTimeUs + place_, 1});
      play(sink);
      sink.end();
    }
    return ports::PollResult{};
  }
  Result<void> acknowledge(const model::Position&) override { return success(); }
  Result<model::Position> current_position() override { return model::Position{}; }
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId, const std::string&, size_t,
                                             ports::ChangeSink&) override {
    return ports::SnapshotChunk{};
  }
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId,
                                                       std::span<const std::string>,
                                                       ports::ChangeSink&) override {
    return std::vector<ports::RejectedRow>();
  }
  Result<Lag> lag() override { return Lag{}; }

 private:
  char place_ = 0;
};

class QuietStory : public PipelineStory {
 protected:
  QuietStory() : capture_(kShop, source_, {&schema_}, kLanes, system_clock()) {
    rules_[schema_.dataset].delete_limit = {.is_off = false, .records = 2};
    phases(SyncPhase::kLive, SyncPhase::kLive);
  }

  void erp(uint8_t op, const std::string& id, const std::string& name, const std::string& note) {
    take(kErp, Kind::kLog, op, id, name, note);
  }
  // All that is on its way to the shop has been written there, in one transaction.
  void written_quietly() {
    source_.transactions.emplace_back([this](ports::ChangeSink& sink) {
      for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
        const model::Sequence last = pipeline_->last_sequence(schema_.stream, lane);
        if (last > 0) sink.marker({"here", epoch_, schema_.stream, lane, last, true});
      }
    });
  }
  void shop(ports::RowOp op, const std::string& id, const std::string& name,
            const std::string& note) {
    source_.transactions.emplace_back([=, this](ports::ChangeSink& sink) {
      const std::vector<model::CellView> cells = {
          {CellState::kValue, id}, {CellState::kValue, name}, {CellState::kValue, note}};
      sink.row({schema_.dataset, op, false, cells, {}});
    });
  }
  // Returns in how many parts it was taken.
  size_t poll() {
    const auto parts = pipeline_->parts(capture_.run_once(100, 0).value());
    for (const capture::Captured& part : parts) {
      EXPECT_TRUE(pipeline_->process(part).has_value());
    }
    EXPECT_TRUE(pipeline_->commit().has_value());
    return parts.size();
  }

  ScriptedSource source_;
  capture::Capture capture_;
  uint32_t epoch_ = 1;
};

TEST_F(QuietStory, a_users_row_behind_them_tells_only_what_the_user_changed) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  written_quietly();
  poll();
  erp(SYN_OP_UPDATE, "1", "Bob", "erp");
  written_quietly();
  poll();
  shop(ports::RowOp::kUpdate, "1", "Bob", "shop");
  EXPECT_EQ(poll(), 1u);
  EXPECT_EQ(written_to(kErp), Writes{"set 1 shop"});
}

TEST_F(QuietStory, rows_of_the_same_poll_count_as_before_or_behind_them) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  erp(SYN_OP_INSERT, "2", "Ann", "erp");
  written_quietly();
  poll();
  erp(SYN_OP_UPDATE, "1", "Bob", "erp");
  shop(ports::RowOp::kUpdate, "1", "Ann", "before");
  written_quietly();
  shop(ports::RowOp::kUpdate, "1", "Bob", "behind");
  shop(ports::RowOp::kUpdate, "2", "Ann", "other");
  EXPECT_EQ(poll(), 3u);
  Writes written = written_to(kErp);
  std::stable_sort(written.begin(), written.end(),
                   [](const auto& a, const auto& b) { return a.substr(0, 5) < b.substr(0, 5); });
  EXPECT_EQ(written, (Writes{"set 1 before", "set 1 behind", "set 2 other"}));
}

TEST_F(QuietStory, rows_of_other_records_are_taken_with_them) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  shop(ports::RowOp::kInsert, "7", "Zoe", "shop");
  written_quietly();
  shop(ports::RowOp::kInsert, "8", "Zoe", "shop");
  EXPECT_EQ(poll(), 1u);
  EXPECT_EQ(pipeline_->table_record_count(kShop, schema_.dataset), 3u);
}

// The statement found no row, and nothing tells so: a record that the system lost is still lost.
TEST_F(QuietStory, a_set_is_no_sign_of_a_record_to_a_scan) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  erp(SYN_OP_INSERT, "2", "Ann", "erp");
  written_quietly();
  poll();
  erp(SYN_OP_UPDATE, "1", "Bob", "erp");
  pipeline_->begin_sweep(kShop, schema_.dataset);
  written_quietly();
  poll();
  take(kShop, Kind::kRescan, SYN_OP_SNAPSHOT, "2", "Ann", "erp");
  ASSERT_TRUE(pipeline_->process_sweep(kShop, schema_.dataset).has_value());
  ASSERT_TRUE(pipeline_->commit().has_value());
  EXPECT_EQ(written_to(kErp), Writes{"delete 1"});
}

TEST_F(QuietStory, a_set_of_a_record_that_its_user_deleted_makes_none) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  written_quietly();
  poll();
  erp(SYN_OP_UPDATE, "1", "Bob", "erp");
  source_.transactions.emplace_back([this](ports::ChangeSink& sink) {
    const std::vector<model::CellView> cells = {{CellState::kValue, "1"}, {}, {}};
    sink.row({schema_.dataset, ports::RowOp::kDelete, false, cells, {}});
  });
  written_quietly();
  poll();
  EXPECT_EQ(pipeline_->table_record_count(kShop, schema_.dataset), 0u);
}

TEST_F(QuietStory, our_own_deletes_are_not_held) {
  for (const char* id : {"1", "2", "3", "4", "5"}) erp(SYN_OP_INSERT, id, "Ann", "erp");
  written_quietly();
  poll();
  shop(ports::RowOp::kUpdate, "5", "Ann", "shop");  // the guard counts five records
  poll();
  rules_[schema_.dataset].delete_limit = {.is_off = true};
  for (const char* id : {"1", "2", "3"}) take(kErp, Kind::kLog, SYN_OP_DELETE, id, {}, {});
  rules_[schema_.dataset].delete_limit = {.is_off = false, .records = 2};
  written_quietly();
  poll();
  EXPECT_EQ(pipeline_->table_record_count(kShop, schema_.dataset), 2u);
  source_.transactions.emplace_back([this](ports::ChangeSink& sink) {
    const std::vector<model::CellView> cells = {{CellState::kValue, "4"}, {}, {}};
    sink.row({schema_.dataset, ports::RowOp::kDelete, false, cells, {}});
  });
  poll();
  EXPECT_TRUE(pipeline_->held_deletes().empty());
}

// The restart knows what was on its way, and what the epoch made of it.
TEST_F(QuietStory, what_is_written_quietly_across_a_restart_is_known) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  written_quietly();
  poll();
  pipeline_->set_epoch(kShop, 2);
  erp(SYN_OP_UPDATE, "1", "Bob", "erp");
  crash();
  pipeline_->set_epoch(kErp, 1);
  pipeline_->set_epoch(kShop, 2);
  epoch_ = 2;
  written_quietly();
  shop(ports::RowOp::kUpdate, "1", "Bob", "shop");
  poll();
  EXPECT_EQ(written_to(kErp), Writes{"set 1 shop"});
}

TEST_F(QuietStory, what_is_written_next_may_be_quiet) {
  erp(SYN_OP_INSERT, "1", "Ann", "erp");
  for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
    EXPECT_EQ(pipeline_->known_behind(kShop, schema_.stream, lane), 0u);
  }
  pipeline_->set_epoch(kShop, 2);  // what was on its way is not any more
  for (model::LaneIndex lane = 0; lane < kLanes; ++lane) {
    EXPECT_EQ(pipeline_->known_behind(kShop, schema_.stream, lane),
              pipeline_->last_sequence(schema_.stream, lane));
  }
}

}  // namespace
}  // namespace syncline::pipeline
