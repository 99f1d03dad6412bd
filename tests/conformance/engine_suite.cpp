// Every engine and every variant of it against the plain reference, bit for bit.
#include <random>
#include <thread>

#include <gtest/gtest.h>

#include "host/state/fingerprint_table.hpp"
#include "kernels/contract/reference.hpp"
#include "kernels/contract/vectors.h"
#include "tests/conformance/engines_under_test.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::conformance {
namespace {

engine::Secret test_secret() {
  engine::Secret secret;
  for (size_t i = 0; i < secret.size(); ++i) secret[i] = static_cast<uint8_t>(i * 7 + 3);
  return secret;
}

class EngineSuite : public testing::TestWithParam<EngineUnderTest> {
 protected:
  void expect_fingerprints_right(RawBatch& batch) {
    engine::Fingerprints out;
    const syn_batch view = batch.view();
    ASSERT_TRUE(engine_->fingerprint(view, secret_, out).has_value());
    const auto truth = contract::reference_fingerprint(view, secret_.data());
    ASSERT_EQ(out.keys.size(), truth.keys.size());
    for (size_t row = 0; row < truth.keys.size(); ++row) {
      ASSERT_EQ(out.keys[row].low, truth.keys[row].low) << "row " << row;
      ASSERT_EQ(out.keys[row].high, truth.keys[row].high) << "row " << row;
    }
    ASSERT_EQ(out.cells.size(), truth.cells.size());
    for (size_t i = 0; i < truth.cells.size(); ++i) {
      ASSERT_EQ(out.cells[i], truth.cells[i])
          << "cell " << i << " of length " << view.cell_length[i + i / (view.field_count - 1) + 1];
    }
  }

  std::unique_ptr<engine::Engine> engine_ = GetParam().make();
  engine::Secret secret_ = test_secret();
  std::mt19937_64 random_{20260101};
};

TEST_P(EngineSuite, TheForcedVariantRan) {
  const engine::Description description = engine_->describe();
  EXPECT_FALSE(description.name.empty());
  EXPECT_FALSE(description.device.empty());
  EXPECT_TRUE(description.variants.starts_with(GetParam().variants)) << description.variants;
}

TEST_P(EngineSuite, FingerprintsEqualThePublishedVectors) {
  RawBatch batch(1);
  for (const syn_fingerprint_vector& vector : syn_fingerprint_vectors) {
    std::string input;
    for (uint32_t i = 0; i < vector.size; ++i) {
      input.push_back(static_cast<char>(i * 31 + vector.size));
    }
    batch.add_row(SYN_OP_INSERT, 0, input, {{0, input}});
  }
  engine::Fingerprints out;
  ASSERT_TRUE(engine_->fingerprint(batch.view(), secret_, out).has_value());
  size_t row = 0;
  for (const syn_fingerprint_vector& vector : syn_fingerprint_vectors) {
    EXPECT_EQ(out.cells[row], vector.xxh3_64) << vector.size;
    EXPECT_EQ(out.keys[row].low, vector.xxh3_128_low) << vector.size;
    EXPECT_EQ(out.keys[row].high, vector.xxh3_128_high) << vector.size;
    ++row;
  }
}

TEST_P(EngineSuite, FingerprintsEveryLengthUpTo1100) {
  RawBatch batch(3);
  for (uint32_t size = 0; size <= 1100; ++size) {
    batch.add_row(SYN_OP_INSERT, 0, bytes_of(size, size),
                  {{0, bytes_of(size + 1, size)},
                   {0, bytes_of(size + 2, 1100 - size)},
                   {0, bytes_of(size + 3, size % 40)}});
  }
  expect_fingerprints_right(batch);
}

// Columns of one length, as real ones are: whole vectors of equal work.
TEST_P(EngineSuite, FingerprintsColumnsOfOneLength) {
  for (uint32_t size = 0; size <= 140; ++size) {
    RawBatch batch(2);
    for (uint32_t row = 0; row < 21; ++row) {
      batch.add_row(SYN_OP_UPDATE, 0, bytes_of(row, size),
                    {{0, bytes_of(row * 3, size)}, {0, bytes_of(row * 5, size / 2)}});
    }
    expect_fingerprints_right(batch);
  }
}

TEST_P(EngineSuite, FingerprintsRandomBatchesWithNullAndUnchangedCells) {
  for (uint32_t round = 0; round < 60; ++round) {
    const BatchShape shape{.row_count = static_cast<uint32_t>(random_() % 200),
                           .value_count = static_cast<uint32_t>(random_() % 14),
                           .length_max = round % 2 == 0 ? 20u : 300u,
                           .null_percent = round % 3 * 20,
                           .unchanged_percent = round % 4 * 15};
    RawBatch batch = random_batch(shape, random_);
    expect_fingerprints_right(batch);
  }
}

TEST_P(EngineSuite, FingerprintsTheWidestDataset) {
  RawBatch batch = random_batch({.row_count = 20, .value_count = SYN_FIELD_COUNT_MAX}, random_);
  expect_fingerprints_right(batch);
}

// An engine with a table beside the reference with its own.
class Detection {
 public:
  Detection(engine::Engine& engine, const engine::Secret& secret, const BatchShape& shape)
      : engine_(engine),
        secret_(secret),
        table(shape.value_count, shape.lane_count),
        truth(shape.value_count, shape.lane_count) {}

  void expect_right(RawBatch& batch) { expect_right_with(table, batch); }
  // REQUIRES: the table holds what truth holds.
  void expect_right_with(const state::FingerprintTable& with, RawBatch& batch) {
    const syn_batch view = batch.view();
    ASSERT_TRUE(engine_.fingerprint(view, secret_, fingerprints_).has_value());
    ASSERT_TRUE(engine_.detect(view, fingerprints_, with.ref(), out).has_value());
    const contract::ReferenceFingerprints same{fingerprints_.keys, fingerprints_.cells};
    const auto expected = truth.detect(view, same, with.is_sweeping());
    ASSERT_EQ(out.verdicts.size(), view.row_count);
    for (size_t row = 0; row < view.row_count; ++row) {
      ASSERT_EQ(static_cast<uint8_t>(out.verdicts[row]), expected.verdicts[row]) << "row " << row;
      for (size_t i = 0; i < expected.changed[row].size(); ++i) {
        const uint64_t word = out.changed[row * out.bitmap_words + i / 64];
        ASSERT_EQ((word >> (i % 64) & 1) != 0, expected.changed[row][i])
            << "row " << row << " field " << i;
      }
    }
    ASSERT_EQ(out.delta.lanes, expected.deltas);
  }
  // The table moves on by what another engine found: this one does not see it.
  void change_by(engine::Engine& other, RawBatch& batch) {
    ASSERT_TRUE(other.fingerprint(batch.view(), secret_, fingerprints_).has_value());
    ASSERT_TRUE(other.detect(batch.view(), fingerprints_, table.ref(), out).has_value());
    apply();
  }
  void apply() {
    for (size_t lane = 0; lane < out.delta.lanes.size(); ++lane) {
      const auto index = static_cast<model::LaneIndex>(lane);
      ASSERT_TRUE(table.apply(index, out.delta.lanes[lane]).has_value());
      truth.apply(lane, out.delta.lanes[lane]);
    }
    ASSERT_EQ(table.record_count(), truth.record_count());
  }

 private:
  engine::Engine& engine_;
  const engine::Secret& secret_;
  engine::Fingerprints fingerprints_;

 public:
  state::FingerprintTable table;
  contract::ReferenceTable truth;
  engine::Detected out;
};

TEST_P(EngineSuite, DetectsRandomBatchesInOrder) {
  for (const uint32_t value_count : {0u, 1u, 3u, 4u, 7u, 8u, 9u, 12u, 16u, 63u, 64u, 65u}) {
    BatchShape shape{.row_count = 300, .value_count = value_count, .key_space = 700};
    Detection detection(*engine_, secret_, shape);
    for (int round = 0; round < 12; ++round) {
      shape.row_count = static_cast<uint32_t>(random_() % 300);
      RawBatch batch = random_batch(shape, random_);
      ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
      ASSERT_NO_FATAL_FAILURE(detection.apply());
    }
  }
}

TEST_P(EngineSuite, DetectsTheWidestDataset) {
  const BatchShape shape{.row_count = 64, .value_count = SYN_FIELD_COUNT_MAX, .key_space = 80};
  Detection detection(*engine_, secret_, shape);
  for (int round = 0; round < 4; ++round) {
    RawBatch batch = random_batch(shape, random_);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
  }
}

TEST_P(EngineSuite, RowsOfOneKeyInOneBatchSeeEachOther) {
  const BatchShape shape{.row_count = 400, .key_space = 12, .delete_percent = 30};
  Detection detection(*engine_, secret_, shape);
  for (int round = 0; round < 8; ++round) {
    RawBatch batch = random_batch(shape, random_);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
  }
}

TEST_P(EngineSuite, OneKeyInTwoLanesIsTwoRecords) {
  Detection detection(*engine_, secret_, {.value_count = 1, .lane_count = 2});
  RawBatch batch(1);
  batch.add_row(SYN_OP_INSERT, 0, "k", {{0, "a"}});
  batch.add_row(SYN_OP_INSERT, 1, "k", {{0, "a"}});
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
  EXPECT_EQ(detection.out.verdicts[1], engine::Verdict::kNew);
}

struct Fullness {
  uint64_t slot_count = 0;
  double load = 0;
};
Fullness fullness_of(const state::FingerprintTable& table) {
  const uint64_t slot_count = table.ref().lanes[0].line_count * SYN_SLOTS_PER_LINE;
  return {slot_count, static_cast<double>(table.record_count()) / static_cast<double>(slot_count)};
}

// Many sizes, so that loads up to the fullest and growth in between are all met.
TEST_P(EngineSuite, DetectsAtEveryLoadWhileTheTableGrows) {
  BatchShape shape{.row_count = 500, .value_count = 2, .lane_count = 1, .key_space = 1u << 30};
  shape.delete_percent = 0;
  Detection detection(*engine_, secret_, shape);
  Fullness fullest;
  int growth_count = 0;
  for (int round = 0; round < 40; ++round) {
    std::mt19937_64 replay = random_;
    RawBatch fresh = random_batch(shape, random_);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(fresh));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
    const Fullness now = fullness_of(detection.table);
    if (round > 0 && now.slot_count > fullest.slot_count) ++growth_count;
    fullest = {std::max(now.slot_count, fullest.slot_count), std::max(now.load, fullest.load)};
    shape.delete_percent = round % 3 * 20;
    RawBatch again = random_batch(shape, replay);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(again));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
    shape.delete_percent = 0;
  }
  EXPECT_GE(fullest.load, 0.875);
  EXPECT_GE(growth_count, 5);
}

TEST_P(EngineSuite, WhatWasAppliedIsTheSame) {
  const BatchShape shape{
      .row_count = 300, .key_space = 1u << 30, .delete_percent = 0, .unchanged_percent = 0};
  Detection detection(*engine_, secret_, shape);
  RawBatch batch = random_batch(shape, random_);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
  ASSERT_NO_FATAL_FAILURE(detection.apply());
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
  for (const engine::Verdict verdict : detection.out.verdicts) {
    ASSERT_EQ(verdict, engine::Verdict::kSame);
  }
  for (const std::string& delta : detection.out.delta.lanes) ASSERT_TRUE(delta.empty());
}

TEST_P(EngineSuite, ACellThatWasNotKnownIsChangedByAnyValue) {
  Detection detection(*engine_, secret_, {.value_count = 2, .lane_count = 1});
  RawBatch partial(2);
  partial.add_row(SYN_OP_UPDATE, 0, "k", {{0, "a"}, {SYN_LENGTH_UNCHANGED, {}}});
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(partial));
  EXPECT_EQ(detection.out.changed[0], 0b01u);
  ASSERT_NO_FATAL_FAILURE(detection.apply());
  for (const RawBatch::Cell& second : {RawBatch::Cell{SYN_LENGTH_NULL, {}}, {0, ""}, {0, "b"}}) {
    RawBatch full(2);
    full.add_row(SYN_OP_UPDATE, 0, "k", {{0, "a"}, second});
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(full));
    EXPECT_EQ(detection.out.verdicts[0], engine::Verdict::kChanged);
    EXPECT_EQ(detection.out.changed[0], 0b10u);
  }
}

TEST_P(EngineSuite, ReplayedDeltasGiveTheSameTable) {
  const BatchShape shape{.row_count = 300, .lane_count = 2, .key_space = 400};
  Detection detection(*engine_, secret_, shape);
  state::FingerprintTable replayed(shape.value_count, shape.lane_count);
  for (int round = 0; round < 10; ++round) {
    RawBatch batch = random_batch(shape, random_);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
    for (model::LaneIndex lane = 0; lane < 2; ++lane) {
      ASSERT_TRUE(replayed.apply(lane, detection.out.delta.lanes[lane]).has_value());
    }
  }
  std::swap(replayed, detection.table);
  RawBatch probe = random_batch(shape, random_);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(probe));
}

TEST_P(EngineSuite, ASweepConfirmsWhatItMeetsAndRemovesTheRest) {
  BatchShape shape{.row_count = 400, .key_space = 300, .delete_percent = 0};
  Detection detection(*engine_, secret_, shape);
  RawBatch all = random_batch(shape, random_);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(all));
  ASSERT_NO_FATAL_FAILURE(detection.apply());
  detection.table.begin_sweep();
  shape.row_count = 200;
  RawBatch scan = random_batch(shape, random_);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(scan));
  ASSERT_NO_FATAL_FAILURE(detection.apply());
  for (model::LaneIndex lane = 0; lane < shape.lane_count; ++lane) {
    const auto unseen = detection.table.unseen(lane);
    ASSERT_TRUE(detection.table.apply(lane, unseen.delta).has_value());
    detection.truth.apply(lane, unseen.delta);
  }
  detection.table.end_sweep();
  ASSERT_EQ(detection.table.record_count(), detection.truth.record_count());
  ASSERT_LT(detection.table.record_count(), 200u);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(scan));
  for (const engine::Verdict verdict : detection.out.verdicts) {
    ASSERT_NE(verdict, engine::Verdict::kNew) << "a key that was met is still there";
  }
}

// A device's copy of the table has to notice all of this by itself.
TEST_P(EngineSuite, ATableThatChangedManyTimesUnseenIsSeenAsItIs) {
  BatchShape shape{.row_count = 2000, .value_count = 8, .lane_count = 2, .key_space = 1u << 14};
  Detection detection(*engine_, secret_, shape);
  const auto cpu = engines_under_test().front().make();
  for (int round = 0; round < 3; ++round) {
    RawBatch seen = random_batch(shape, random_);
    ASSERT_NO_FATAL_FAILURE(detection.expect_right(seen));
    ASSERT_NO_FATAL_FAILURE(detection.apply());
    for (int unseen = 0; unseen < 12; ++unseen) {
      RawBatch batch = random_batch(shape, random_);
      ASSERT_NO_FATAL_FAILURE(detection.change_by(*cpu, batch));
    }
  }
}

TEST_P(EngineSuite, AClearedLaneIsEmptyAndTheOthersStay) {
  const BatchShape shape{
      .row_count = 300, .lane_count = 3, .key_space = 1u << 30, .delete_percent = 0};
  Detection detection(*engine_, secret_, shape);
  RawBatch batch = random_batch(shape, random_);
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
  ASSERT_NO_FATAL_FAILURE(detection.apply());
  ASSERT_NO_FATAL_FAILURE(detection.expect_right(batch));
  detection.table.clear(1);
  engine::Detected out;
  engine::Fingerprints fingerprints;
  const syn_batch view = batch.view();
  ASSERT_TRUE(engine_->fingerprint(view, secret_, fingerprints).has_value());
  ASSERT_TRUE(engine_->detect(view, fingerprints, detection.table.ref(), out).has_value());
  for (uint32_t row = 0; row < view.row_count; ++row) {
    const auto wanted = view.lane[row] == 1 ? engine::Verdict::kNew : engine::Verdict::kSame;
    ASSERT_EQ(out.verdicts[row], wanted) << "row " << row;
  }
}

TEST_P(EngineSuite, ChangedFingerprintsAreNotTakenForThoseThatWereMade) {
  const BatchShape shape{.row_count = 50, .lane_count = 1, .key_space = 1u << 30};
  Detection detection(*engine_, secret_, shape);
  RawBatch batch = random_batch(shape, random_);
  RawBatch other = random_batch(shape, random_);
  engine::Fingerprints fingerprints;
  ASSERT_TRUE(engine_->fingerprint(batch.view(), secret_, fingerprints).has_value());
  const auto cpu = engines_under_test().front().make();
  ASSERT_TRUE(cpu->fingerprint(other.view(), secret_, fingerprints).has_value());
  engine::Detected out;
  ASSERT_TRUE(engine_->detect(other.view(), fingerprints, detection.table.ref(), out).has_value());
  const contract::ReferenceFingerprints same{fingerprints.keys, fingerprints.cells};
  EXPECT_EQ(out.delta.lanes, detection.truth.detect(other.view(), same, false).deltas);
}

// Eight threads, each with a table of its own, and one table that all of them read.
TEST_P(EngineSuite, BatchesOfManyThreadsDoNotMix) {
  const BatchShape shape{.row_count = 300, .key_space = 500};
  const state::FingerprintTable shared(shape.value_count, shape.lane_count);
  const auto work = [&](uint64_t seed) {
    std::mt19937_64 random(seed);
    Detection own(*engine_, secret_, shape);
    for (int round = 0; round < 10; ++round) {
      RawBatch batch = random_batch(shape, random);
      ASSERT_NO_FATAL_FAILURE(own.expect_right(batch));
      ASSERT_NO_FATAL_FAILURE(own.apply());
      Detection empty(*engine_, secret_, shape);
      ASSERT_NO_FATAL_FAILURE(empty.expect_right_with(shared, batch));
    }
  };
  std::vector<std::thread> threads;
  for (uint64_t seed = 0; seed < 8; ++seed) threads.emplace_back(work, seed);
  for (std::thread& thread : threads) thread.join();
}

// Fingerprints whose 48 bits would be those of unknown or NULL: no input is known to give them, so
// they are made up here.
TEST_P(EngineSuite, ReservedCellsAreTakenByNoValue) {
  constexpr uint64_t kHigh = uint64_t{5} << 48;
  const std::vector<uint64_t> made_up{SYN_FINGERPRINT_UNCHANGED,
                                      SYN_FINGERPRINT_NULL,
                                      2,
                                      3,
                                      4,
                                      kHigh,
                                      kHigh + 1,
                                      kHigh + 2,
                                      ~uint64_t{0} << 48,
                                      (~uint64_t{0} << 48) + 1,
                                      ~uint64_t{0}};
  const auto count = static_cast<uint32_t>(made_up.size());
  RawBatch batch(count);
  const std::vector<RawBatch::Cell> values(count, RawBatch::Cell{0, "any"});
  for (uint32_t row = 0; row < count; ++row) batch.add_row(SYN_OP_UPDATE, 0, "k", values);
  const syn_batch view = batch.view();
  state::FingerprintTable table(count, 1);
  contract::ReferenceTable truth(count, 1);
  for (uint32_t shift = 0; shift < count; ++shift) {
    // One key a row, so that the kernels and not the settling of repeats compare.
    contract::ReferenceFingerprints fingerprints;
    for (uint32_t row = 0; row < count; ++row) {
      fingerprints.keys.push_back({row + 1, 0});
      for (uint32_t i = 0; i < count; ++i) {
        fingerprints.cells.push_back(made_up[(i + row * shift) % count]);
      }
    }
    engine::Detected out;
    ASSERT_TRUE(engine_->detect(view, {fingerprints.keys, fingerprints.cells}, table.ref(), out)
                    .has_value());
    const auto expected = truth.detect(view, fingerprints, false);
    ASSERT_EQ(out.delta.lanes, expected.deltas) << "shift " << shift;
    ASSERT_TRUE(table.apply(0, out.delta.lanes[0]).has_value());
    truth.apply(0, out.delta.lanes[0]);
  }
}

TEST_P(EngineSuite, PartsThatDoNotBelongTogetherAreRefused) {
  RawBatch batch(2);
  batch.add_row(SYN_OP_INSERT, 3, "k", {{0, "a"}, {0, "b"}});
  engine::Fingerprints fingerprints;
  ASSERT_TRUE(engine_->fingerprint(batch.view(), secret_, fingerprints).has_value());
  engine::Detected out;
  const state::FingerprintTable narrow(1, 4);
  const state::FingerprintTable few_lanes(2, 3);
  const state::FingerprintTable right(2, 4);
  const syn_batch view = batch.view();
  EXPECT_FALSE(engine_->detect(view, fingerprints, narrow.ref(), out).has_value());
  EXPECT_FALSE(engine_->detect(view, fingerprints, few_lanes.ref(), out).has_value());
  EXPECT_FALSE(engine_->detect(view, {}, right.ref(), out).has_value());
  EXPECT_TRUE(engine_->detect(view, fingerprints, right.ref(), out).has_value());
}

INSTANTIATE_TEST_SUITE_P(Engines, EngineSuite, testing::ValuesIn(engines_under_test()),
                         [](const auto& row) { return row.param.name; });

}  // namespace
}  // namespace syncline::conformance
