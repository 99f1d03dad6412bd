#include "host/capture/capture.hpp"

#include <map>

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

// One transaction, in which rows get other keys; from "": one that is made, to "": that ends.
class MovingSource final : public RepeatingSource {
 public:
  using Steps = std::vector<std::pair<std::string, std::string>>;
  MovingSource(const model::Schema& schema, Steps steps)
      : RepeatingSource(schema), steps_(std::move(steps)) {}
  Result<ports::PollResult> poll(ports::ChangeSink& sink, size_t, int) override {
    sink.begin({model::Position{"1"}, kCommitUs, kResolutionUs});
    for (const auto& [from, to] : steps_) {
      const model::CellView old_key[] = {{model::CellState::kValue, from}};
      const model::CellView cells[] = {{model::CellState::kValue, to},
                                       {model::CellState::kNull, {}}};
      if (to.empty()) {
        const model::CellView gone[] = {{model::CellState::kValue, from},
                                        {model::CellState::kNull, {}}};
        sink.row({dataset, ports::RowOp::kDelete, is_ours, gone, {}});
      } else if (from.empty()) {
        sink.row({dataset, ports::RowOp::kInsert, is_ours, cells, {}});
      } else {
        sink.row({dataset, ports::RowOp::kUpdate, is_ours, cells, old_key});
      }
    }
    sink.end();
    return ports::PollResult{};
  }

  bool is_ours = false;

 private:
  const Steps steps_;
};

// What is captured, in order: "-1>2" of a record that ends, "+2<1" of a row.
std::string captured_of(MovingSource& source, const model::Schema& schema,
                        bool is_numbered = false) {
  Capture capture{1, source, {&schema}, 4, system_clock()};
  if (is_numbered) capture.never_renew(schema.dataset);
  const Captured captured = capture.run_once(99, 0).value();
  if (captured.batches.empty()) return "";
  const model::Batch& batch = captured.batches[0];
  const auto key_of = [&](const model::KeyHash& hash) -> std::string {
    for (size_t row = 0; row < batch.row_count(); ++row) {
      if (batch.key_hash(row) == hash) return std::string(model::split_key(batch.key(row))[0]);
    }
    return "?";
  };
  std::map<uint32_t, std::string> rows;
  for (size_t row = 0; row < batch.row_count(); ++row) {
    const bool is_delete = batch.op(row) == SYN_OP_DELETE;
    std::string& text = rows[batch.ordinal(row)];
    text = (is_delete ? "-" : "+") + key_of(batch.key_hash(row));
    if (batch.moved_with(row).is_none()) continue;
    text += (is_delete ? ">" : "<") + key_of(batch.moved_with(row));
  }
  std::string all;
  for (const auto& [ordinal, text] : rows) all += (all.empty() ? "" : " ") + text;
  return all;
}

TEST(CaptureMoves, ARecordWhoseRowMovesOnBeginsAnewWithTheNext) {
  const model::Schema schema = make_schema();
  const auto captured = [&](const MovingSource::Steps& steps, bool is_numbered = false) {
    MovingSource source{schema, steps};
    return captured_of(source, schema, is_numbered);
  };
  EXPECT_EQ(captured({{"2", "3"}, {"1", "2"}}), "-2>3 +3<2 -1>2 +2<1");
  EXPECT_EQ(captured({{"1", "x"}, {"2", "1"}, {"x", "2"}}),
            "-1>x +x<1 -2>1 +1<2 -x>2 +2<x");                       // they change places
  EXPECT_EQ(captured({{"1", "2"}, {"", "1"}}), "-1>2 +2<1 +1");     // its key is another's now
  EXPECT_EQ(captured({{"1", "x"}, {"x", "1"}}), "+x<1 -x>1 +1<x");  // it came back
  EXPECT_EQ(captured({{"1", ""}, {"2", "1"}}), "-1 -2>1 +1<2");
  EXPECT_EQ(captured({{"1", ""}, {"", "1"}}), "+1");  // the same record, as ever
  EXPECT_EQ(captured({{"1", "1"}}), "+1");
}

TEST(CaptureMoves, NorIsItRenewedWhereRecordsAreNumberedOrTheRowIsOurs) {
  const model::Schema schema = make_schema();
  MovingSource source{schema, {{"2", "3"}, {"1", "2"}}};
  EXPECT_EQ(captured_of(source, schema, true), "+3<2 -1>2 +2<1");
  source.is_ours = true;
  EXPECT_EQ(captured_of(source, schema), "+3<2 -1>2 +2<1");
}

TEST(CaptureMoves, ARowUnderAnotherKeyTellsWhoseItWas) {
  const model::Schema schema = make_schema();
  MovingSource source{schema, {{"1", "2"}}};
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
