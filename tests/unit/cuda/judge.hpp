// Batches judged on a card that the host plays, beside the reference's table.
#pragma once

#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/state/fingerprint_table.hpp"
#include "kernels/contract/reference.hpp"
#include "kernels/engine/engine.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::cuda {

inline constexpr conformance::BatchShape kShape{
    .row_count = 60, .value_count = 5, .lane_count = 3, .key_space = 1u << 30};

// A table that moves on, beside the reference's.
struct Tracked {
  state::FingerprintTable table{kShape.value_count, kShape.lane_count};
  contract::ReferenceTable truth{kShape.value_count, kShape.lane_count};
};

// Of an engine or a dispatcher, one batch after the other.
template <class Stages>
class Judge {
 public:
  explicit Judge(Stages& stages) : stages_(stages) {}

  void next_batch(uint32_t row_count) {
    conformance::BatchShape shape = kShape;
    shape.row_count = row_count;
    batch_ = conformance::random_batch(shape, random_);
  }
  Result<void> judge(const Tracked& tracked) {
    SYN_TRY(stages_.fingerprint(batch_.view(), secret_, fingerprints_));
    return stages_.detect(batch_.view(), fingerprints_, tracked.table.ref(), detected_);
  }
  void expect_right(Tracked& tracked) {
    const auto done = judge(tracked);
    ASSERT_TRUE(done.has_value()) << to_string(done.error());
    expect_judged_right(tracked);
  }
  void expect_judged_right(Tracked& tracked) {
    const auto truth = contract::reference_fingerprint(batch_.view(), secret_.data());
    ASSERT_EQ(fingerprints_.cells, truth.cells);
    ASSERT_EQ(detected_.delta.lanes, tracked.truth.detect(batch_.view(), truth, false).deltas);
    for (model::LaneIndex lane = 0; lane < kShape.lane_count; ++lane) {
      ASSERT_TRUE(tracked.table.apply(lane, detected_.delta.lanes[lane]).has_value());
      tracked.truth.apply(lane, detected_.delta.lanes[lane]);
    }
  }

 private:
  Stages& stages_;
  std::mt19937_64 random_{11};
  conformance::RawBatch batch_{kShape.value_count};
  engine::Secret secret_{};
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
};

inline void expect_engine_error(const Error& error) {
  EXPECT_EQ(error.code, ErrorCode::kEngine) << to_string(error);
  EXPECT_THAT(error.what, testing::StartsWith("cuda: "));
}

}  // namespace syncline::cuda
