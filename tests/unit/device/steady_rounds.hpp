// Rounds of all four stages and of deltas that are alike: what an engine takes memory for happens
// in the first ones.
#pragma once

#include <random>
#include <string>

#include <gtest/gtest.h>

#include "host/state/fingerprint_table.hpp"
#include "kernels/engine/engine.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::device {

class SteadyRounds {
 public:
  explicit SteadyRounds(engine::Engine& engine) : engine_(engine) { key_.key.fill(9); }

  // Each row's value changes from round to round, and no key is new after the first one.
  void run(int count) {
    for (int i = 0; i < count; ++i) {
      ASSERT_NO_FATAL_FAILURE(run_rows());
      ASSERT_NO_FATAL_FAILURE(run_block());
    }
  }

 private:
  void run_rows() {
    conformance::RawBatch batch(2);
    const std::string value = std::to_string(1'000'000 + ++rounds_);
    for (int row = 0; row < 500; ++row) {
      batch.add_row(SYN_OP_UPDATE, static_cast<uint16_t>(row % 2), std::to_string(row),
                    {{0, value}, {0, "same"}});
    }
    const syn_batch view = batch.view();
    ASSERT_TRUE(engine_.fingerprint(view, {}, fingerprints_).has_value());
    ASSERT_TRUE(engine_.detect(view, fingerprints_, table_.ref(), detected_).has_value());
    for (model::LaneIndex lane = 0; lane < 2; ++lane) {
      ASSERT_TRUE(table_.apply(lane, detected_.delta.lanes[lane]).has_value());
    }
  }
  void run_block() {
    const engine::ColumnView columns[] = {{0, 0, small_}, {1, 0, large_}};
    std::array<uint8_t, 32> digest{};
    const auto sealed = engine_.seal(columns, key_, "block");
    ASSERT_TRUE(sealed.has_value());
    ASSERT_TRUE(engine_.open(sealed.value().bytes, key_, "block", digest).has_value());
  }

  engine::Engine& engine_;
  engine::SealKey key_;
  engine::Fingerprints fingerprints_;
  engine::Detected detected_;
  state::FingerprintTable table_{2, 2};
  const std::string small_ = std::string(500, 's');
  const std::string large_ = [] {
    std::string text;
    for (int i = 0; text.size() < 300'000; ++i) text += "order " + std::to_string(i * 7919 % 1000);
    return text;
  }();
  int rounds_ = 0;
};

}  // namespace syncline::device
