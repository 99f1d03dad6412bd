#include "host/compare/compare.hpp"

#include <map>

#include <gtest/gtest.h>

#include "host/model/key.hpp"
#include "kernels/cpu/cpu_engine.hpp"

namespace syncline::compare {
namespace {

constexpr size_t kRows = 1'000;
constexpr size_t kChunkRows = 50;

// A table of two columns; counts the chunks read of it.
class TableSource final : public ports::Source {
 public:
  explicit TableSource(const model::Schema& schema) : schema_(schema) {
    for (size_t i = 0; i < kRows; ++i) rows[key(i)] = "Ann";
  }
  static std::string key(size_t number) {
    std::string text = std::to_string(number);
    return std::string(6 - text.size(), '0') + text;
  }
  std::map<std::string, std::string> rows;
  size_t chunk_count = 0;
  size_t rows_come_at = SIZE_MAX;  // the reading of this chunk sees more rows in front of it

  Result<void> open(const model::Position&) override { return success(); }
  Result<ports::PollResult> poll(ports::ChangeSink&, size_t, int) override {
    return ports::PollResult{};
  }
  Result<void> acknowledge(const model::Position&) override { return success(); }
  Result<model::Position> current_position() override { return model::Position{}; }
  Result<ports::SnapshotChunk> read_snapshot(model::DatasetId, const std::string& cursor,
                                             size_t row_limit, ports::ChangeSink& sink) override {
    if (chunk_count++ == rows_come_at) {
      for (size_t i = 0; i < kChunkRows; ++i) rows[key(0) + "." + std::to_string(i)] = "Eve";
    }
    ports::SnapshotChunk chunk;
    sink.begin({});
    for (auto at = rows.upper_bound(cursor); at != rows.end() && chunk.row_count < row_limit;
         ++at) {
      show(*at, sink);
      ++chunk.row_count;
      chunk.cursor = at->first;
    }
    sink.end();
    if (chunk.row_count < row_limit) chunk.cursor.clear();
    return chunk;
  }
  Result<std::vector<ports::RejectedRow>> read_records(model::DatasetId,
                                                       std::span<const std::string> keys,
                                                       ports::ChangeSink& sink) override {
    sink.begin({});
    for (const std::string& joined : keys) {
      const auto at = rows.find(std::string(model::split_key(joined)[0]));
      if (at != rows.end()) show(*at, sink);
    }
    sink.end();
    return std::vector<ports::RejectedRow>{};
  }
  Result<Lag> lag() override { return Lag{}; }

 private:
  void show(const std::pair<const std::string, std::string>& row, ports::ChangeSink& sink) const {
    const model::CellView cells[] = {{model::CellState::kValue, row.first},
                                     {model::CellState::kValue, row.second}};
    sink.row({schema_.dataset, ports::RowOp::kSnapshot, false, cells, {}});
  }

  const model::Schema& schema_;
};

class CompareTest : public testing::Test {
 protected:
  CompareTest() {
    schema_.name = "customer";
    schema_.dataset = model::stable_id("customer");
    schema_.key_count = 1;
    schema_.fields = {{"id", {}, false}, {"name", {}, true}};
    rules_.schema = &schema_;
    rules_.fields.resize(2);
    std::vector<std::unique_ptr<engine::Engine>> engines;
    engines.push_back(cpu::make_cpu_engine());
    dispatcher_ = dispatch::Dispatcher::make(std::move(engines), "cpu", system_clock()).value();
    options_.chunk_rows = kChunkRows;
  }
  Comparison compare() {
    const std::vector<Side> sides = {{"erp", &erp_}, {"shop", &shop_}};
    return compare_dataset(rules_, sides, *dispatcher_, engine::Secret{}, options_).value();
  }
  // How many still differ, as it is told.
  size_t look_again(Comparison& comparison, Then then = Then::kGoOn) {
    const std::vector<Side> sides = {{"erp", &erp_}, {"shop", &shop_}};
    size_t count = 0;
    const auto on_looked = [&](std::span<const Difference> left) -> Result<Then> {
      count += left.size();
      return then;
    };
    EXPECT_TRUE(recheck(rules_, sides, options_, comparison, on_looked));
    return count;
  }

  model::Schema schema_;
  core::DatasetRules rules_;
  std::unique_ptr<dispatch::Dispatcher> dispatcher_;
  Options options_;
  TableSource erp_{schema_};
  TableSource shop_{schema_};
};

TEST_F(CompareTest, EqualSidesAreReadOnce) {
  const Comparison comparison = compare();
  EXPECT_EQ(comparison.equal_count, kRows);
  EXPECT_TRUE(comparison.differences.empty());
  EXPECT_EQ(erp_.chunk_count, kRows / kChunkRows + 1);
  EXPECT_EQ(shop_.chunk_count, kRows / kChunkRows + 1);
}

TEST_F(CompareTest, OnlyTheChunksThatDifferAreReadAgain) {
  shop_.rows[TableSource::key(7)] = "Anna";
  shop_.rows.erase(TableSource::key(500));
  erp_.rows.erase(TableSource::key(999));
  const Comparison comparison = compare();
  ASSERT_EQ(comparison.differences.size(), 3u);
  EXPECT_EQ(comparison.different_count, 1u);
  EXPECT_EQ(comparison.missing_counts, (std::vector<size_t>{1, 1}));
  EXPECT_EQ(comparison.equal_count, kRows - 3);
  EXPECT_EQ(erp_.chunk_count + shop_.chunk_count, 2 * (kRows / kChunkRows) + 3);
}

TEST_F(CompareTest, ADifferenceIsNamedThoughRowsHaveComeInFrontOfIt) {
  shop_.rows[TableSource::key(49)] = "Anna";
  erp_.rows_come_at = kRows / kChunkRows + 1;  // when its chunk is read again
  const Comparison comparison = compare();
  ASSERT_EQ(comparison.differences.size(), 1u);
  EXPECT_EQ(model::split_key(comparison.differences[0].key)[0], TableSource::key(49));
}

TEST_F(CompareTest, RecordsThatTheKeyTakesForOneAreNamedAndCountOnce) {
  schema_.key_equivalence = model::KeyEquivalence::kAsciiCaseInsensitive;
  shop_.rows["ann@x"] = erp_.rows["ann@x"] = "Ann";
  erp_.rows["ANN@x"] = "Ann";
  const Comparison comparison = compare();
  EXPECT_EQ(comparison.collision_counts, (std::vector<size_t>{1, 0}));
  ASSERT_EQ(comparison.collisions.size(), 1u);
  EXPECT_EQ(comparison.collisions[0].side, 0u);
  ASSERT_EQ(comparison.collisions[0].keys.size(), 2u);
  EXPECT_EQ(model::split_key(comparison.collisions[0].keys[0])[0], "ANN@x");
  EXPECT_EQ(model::split_key(comparison.collisions[0].keys[1])[0], "ann@x");
  EXPECT_EQ(comparison.missing_count, 0u);
  EXPECT_EQ(comparison.equal_count, kRows + 1);
}

TEST_F(CompareTest, TheCountsOfATruncatedComparisonAreRight) {
  for (size_t i = 0; i < 100; ++i) shop_.rows[TableSource::key(i * 10)] = "Anna";
  options_.difference_limit = 7;
  const Comparison comparison = compare();
  EXPECT_TRUE(comparison.is_truncated);
  EXPECT_EQ(comparison.differences.size(), 7u);
  EXPECT_EQ(comparison.different_count, 100u);
}

TEST_F(CompareTest, WhatIsTooMuchToListIsLookedAtAgainAllTheSame) {
  for (size_t i = 0; i < 600; ++i) shop_.rows[TableSource::key(i)] = "Anna";
  shop_.rows.erase(TableSource::key(700));
  options_.difference_limit = 7;
  Comparison comparison = compare();
  EXPECT_EQ(comparison.different_count, 600u);
  for (size_t i = 3; i < 600; ++i) erp_.rows[TableSource::key(i)] = "Anna";
  EXPECT_EQ(look_again(comparison), 4u);
  EXPECT_EQ(comparison.different_count, 3u);
  EXPECT_EQ(comparison.missing_counts, (std::vector<size_t>{0, 1}));
  EXPECT_EQ(comparison.equal_count, kRows - 4);
  EXPECT_FALSE(comparison.is_truncated);
  EXPECT_EQ(comparison.differences.size(), 4u);
  shop_.rows[TableSource::key(700)] = "Ann";
  EXPECT_EQ(look_again(comparison), 3u);
  EXPECT_EQ(comparison.missing_count, 0u);
}

TEST_F(CompareTest, ALookThatEndsEarlyKeepsWhatItDidNotComeTo) {
  for (size_t i = 0; i < 900; ++i) shop_.rows[TableSource::key(i)] = "Anna";
  for (const size_t limit : {size_t{700}, kRows}) {
    options_.difference_limit = limit;
    Comparison comparison = compare();
    const std::string last = comparison.differences.back().key;
    EXPECT_EQ(look_again(comparison, Then::kEnd), 256u);
    EXPECT_EQ(comparison.different_count, 900u);
    EXPECT_EQ(comparison.differences.size(), std::min<size_t>(limit, 900));
    EXPECT_EQ(comparison.differences.back().key, last);
    EXPECT_EQ(look_again(comparison), 900u);
  }
}

TEST_F(CompareTest, ManyBytesAreNotListed) {
  for (size_t i = 0; i < 600; ++i) shop_.rows[TableSource::key(i)] = std::string(1'000, 'a');
  options_.difference_bytes_limit = 20'000;
  Comparison comparison = compare();
  EXPECT_TRUE(comparison.is_truncated);
  EXPECT_LT(comparison.differences.size(), 21u);
  EXPECT_EQ(comparison.different_count, 600u);
  EXPECT_EQ(look_again(comparison), 600u);
}

}  // namespace
}  // namespace syncline::compare
