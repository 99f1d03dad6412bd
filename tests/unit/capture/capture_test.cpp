#include "host/capture/capture.hpp"

#include <gtest/gtest.h>

#include "host/model/key.hpp"

namespace syncline::capture {
namespace {

model::Schema make_schema(const std::string& name = "customer") {
  model::Schema schema;
  schema.name = name;
  schema.dataset = model::stable_id(name);
  schema.key_count = 1;
  schema.fields = {{"id", {}, false}, {"name", {}, true}};
  return schema;
}

constexpr int64_t kCommitUs = 5'000'000;
constexpr int64_t kResolutionUs = 1'000'000;  // as MariaDB's log has it

// Gives transactions "1".."9", one row each, from wherever it is told to begin.
class RepeatingSource : public ports::Source {
 public:
  explicit RepeatingSource(const model::Schema& schema)
      : dataset(schema.dataset), schema_(schema) {}
  char next = '1';
  model::DatasetId dataset;                  // of its rows
  std::vector<ports::RejectedRow> rejected;  // of its snapshots

  Result<void> open(const model::Position&) override { return success(); }
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t row_limit, int) override {
    ports::PollResult result;
    for (; result.row_count < row_limit && next <= '9'; ++next, ++result.row_count) give(sink);
    return result;
  }
  Result<void> acknowledge(const model::Position&) override { return success(); }
  Result<model::Position> current_position() override { return model::Position{"9"}; }
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId, const std::string&, size_t,
                                             ports::ChangeSink& sink) override {
    give(sink);
    ports::SnapshotChunk chunk;
    chunk.row_count = 1;
    chunk.rejected = rejected;
    return chunk;
  }
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId,
                                                       std::span<const std::string>,
                                                       ports::ChangeSink& sink) override {
    sink.begin({model::Position{"9"}, 0, 1});
    sink.end();
    return rejected;
  }
  Result<Lag> lag() override { return Lag{}; }

 private:
  void give(ports::ChangeSink& sink) const {
    const std::string at(1, next);
    const model::CellView cells[] = {{model::CellState::kValue, at}, {model::CellState::kNull, {}}};
    sink.begin({model::Position{at}, kCommitUs, kResolutionUs});
    if (next == '9') sink.row({dataset, ports::RowOp::kDelete, false, cells, {}});
    sink.marker({"zurich", 1, schema_.stream, 0, static_cast<model::Sequence>(next)});
    sink.row({dataset, ports::RowOp::kInsert, false, cells, {}});
    sink.end();
  }

  const model::Schema& schema_;
};

class CaptureTest : public testing::Test {
 protected:
  Captured read(size_t row_limit) { return capture.run_once(row_limit, 0).value(); }

  const model::Schema schema = make_schema();
  RepeatingSource source{schema};
  Capture capture{1, source, {&schema}, 4, system_clock()};
};

// One transaction, in which the row of 1 gets the key 2.
class MovingSource final : public RepeatingSource {
 public:
  using RepeatingSource::RepeatingSource;
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t, int) override {
    const model::CellView old_key[] = {{model::CellState::kValue, "1"}};
    const model::CellView cells[] = {{model::CellState::kValue, "2"},
                                     {model::CellState::kNull, {}}};
    sink.begin({model::Position{"1"}, kCommitUs, kResolutionUs});
    sink.row({dataset, ports::RowOp::kUpdate, false, cells, old_key});
    sink.end();
    return ports::PollResult{};
  }
};

TEST(CaptureMoves, ARowUnderAnotherKeyTellsWhoseItWas) {
  const model::Schema schema = make_schema();
  MovingSource source{schema};
  Capture capture{1, source, {&schema}, 4, system_clock()};
  const Captured captured = capture.run_once(9, 0).value();
  ASSERT_EQ(captured.row_count(), 2u);
  const model::Batch copy =
      model::copy_rows(captured.batches.at(0), 4, [](size_t) { return true; });
  for (const model::Batch* batch : {&captured.batches[0], &copy}) {
    EXPECT_EQ(batch->op(0), SYN_OP_INSERT);
    EXPECT_EQ(batch->moved_with(0), batch->key_hash(1));
    EXPECT_EQ(batch->op(1), SYN_OP_DELETE);
    EXPECT_EQ(batch->moved_with(1), batch->key_hash(0));
  }
}

TEST_F(CaptureTest, PassesOverWhatALogGivesAgain) {
  EXPECT_EQ(read(3).row_count(), 3u);
  source.next = '2';
  const Captured again = read(4);  // 2, 3 repeated; 4, 5 new
  EXPECT_EQ(again.row_count(), 2u);
  EXPECT_EQ(again.markers.size(), 2u);
  EXPECT_EQ(again.position.bytes, "5");
}

// A table that is seldom written to must not gather what others' transactions look like.
TEST_F(CaptureTest, ABatchKnowsOnlyTransactionsThatItHasRowsOf) {
  const model::Schema quiet = make_schema("quiet");
  Capture both{1, source, {&schema, &quiet}, 4, system_clock()};
  EXPECT_EQ(both.run_once(8, 0).value().row_count(), 8u);
  source.dataset = quiet.dataset;
  const Captured captured = both.run_once(1, 0).value();
  ASSERT_EQ(captured.batches.size(), 1u);
  EXPECT_EQ(captured.batches[0].dataset(), quiet.dataset);
  EXPECT_EQ(captured.batches[0].transaction_count(), 1u);
  EXPECT_EQ(captured.batches[0].transaction(0).position.bytes, "9");
}

TEST_F(CaptureTest, ATransactionKeepsItsTimeAndHowCoarseItIs) {
  const Captured captured = read(1);
  ASSERT_EQ(captured.batches.size(), 1u);
  EXPECT_EQ(captured.batches[0].transaction(0).commit_time_us, kCommitUs);
  EXPECT_EQ(captured.batches[0].transaction(0).time_resolution_us, kResolutionUs);
}

TEST_F(CaptureTest, PassesOverWhatWasReadBeforeARestart) {
  capture.resume_behind(model::Position{"6"});
  const Captured captured = read(9);
  EXPECT_EQ(captured.row_count(), 3u);
  EXPECT_EQ(captured.position.bytes, "9");
}

TEST_F(CaptureTest, DeletedAndInsertedInOneTransactionIsOneRow) {
  capture.resume_behind(model::Position{"8"});
  const Captured captured = read(9);
  ASSERT_EQ(captured.row_count(), 1u);
  EXPECT_EQ(captured.batches[0].op(0), SYN_OP_INSERT);
}

TEST_F(CaptureTest, NothingButRepetitionsHasNoPosition) {
  capture.resume_behind(model::Position{"6"});
  const Captured captured = read(2);
  EXPECT_TRUE(captured.is_empty());
  EXPECT_TRUE(captured.position.is_start());
}

TEST_F(CaptureTest, ReadsSnapshotsWhateverTheirPosition) {
  capture.resume_behind(model::Position{"6"});
  const auto captured = capture.read_snapshot(Kind::kRescan, schema.dataset, "", 10);
  EXPECT_EQ(captured.value().row_count(), 1u);
}

TEST_F(CaptureTest, ARowThatWasRejectedIsThereThoughNothingOfItIsKnown) {
  const model::CellView key[] = {{model::CellState::kValue, "7"}};
  source.rejected.push_back({schema.dataset, model::join_key(key), Error{}});
  source.rejected.push_back({schema.dataset, "", Error{}});  // not even its key
  const model::CellView other[] = {{model::CellState::kValue, "8"}};
  source.rejected.push_back({schema.dataset, model::join_key(other), Error{}, false});
  // The last is no record, but a scan that did not meet it would have it deleted elsewhere.
  EXPECT_EQ(capture.read_snapshot(Kind::kRescan, schema.dataset, "", 10).value().row_count(), 3u);
  const auto captured = capture.read_snapshot(Kind::kFirstSync, schema.dataset, "", 10);
  ASSERT_EQ(captured.value().row_count(), 2u);
  const model::Batch& batch = captured.value().batches[0];
  EXPECT_EQ(batch.key(1), source.rejected[0].key);
  EXPECT_EQ(batch.cell(1, 1).state, model::CellState::kUnchanged);
  EXPECT_EQ(captured.value().result.rejected.size(), 3u);
  const std::vector<std::string> keys = {source.rejected[0].key};
  const auto records = capture.read_records(schema.dataset, keys);
  ASSERT_EQ(records.value().row_count(), 1u);
  EXPECT_EQ(records.value().batches[0].key(0), source.rejected[0].key);
  EXPECT_EQ(records.value().result.rejected.size(), 3u);
}

}  // namespace
}  // namespace syncline::capture
