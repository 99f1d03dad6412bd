// Finding and judging by the bodies, against the plain reference on a table that the host filled.
#include "kernels/bodies/table.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "host/state/fingerprint_table.hpp"
#include "kernels/contract/reference.hpp"
#include "tests/conformance/random_batch.hpp"

namespace syncline::bodies {
namespace {

using conformance::BatchShape;
using conformance::RawBatch;

syn_table_lane lane_of(const engine::TableLaneRef& ref) {
  return {const_cast<uint64_t*>(ref.keys), const_cast<uint8_t*>(ref.cells), ref.line_count};
}

// A batch in which no key comes twice: the body judges against the table alone.
RawBatch distinct_batch(const BatchShape& shape, uint64_t first, std::mt19937_64& random) {
  RawBatch batch(shape.value_count);
  for (uint32_t row = 0; row < shape.row_count; ++row) {
    std::vector<RawBatch::Cell> values;
    const uint64_t key = first + row;
    for (uint32_t i = 0; i < shape.value_count; ++i) {
      values.push_back(conformance::random_cell(shape, key, i, random));
    }
    const uint8_t op = random() % 8 == 0 ? SYN_OP_DELETE : SYN_OP_UPDATE;
    batch.add_row(op, static_cast<uint16_t>(key % shape.lane_count), std::to_string(key), values);
  }
  return batch;
}

class TableBody : public testing::TestWithParam<uint32_t> {};

TEST_P(TableBody, JudgesAsTheReferenceDoes) {
  const BatchShape shape{.row_count = 400, .value_count = GetParam(), .lane_count = 3};
  state::FingerprintTable table(shape.value_count, shape.lane_count);
  contract::ReferenceTable truth(shape.value_count, shape.lane_count);
  std::mt19937_64 random(shape.value_count + 7);
  const std::vector<uint8_t> secret(SYN_SECRET_SIZE, 5);
  const size_t word_count = (shape.value_count + 63) / 64;
  for (uint64_t round = 0; round < 8; ++round) {
    RawBatch batch = distinct_batch(shape, round * 150, random);
    const syn_batch view = batch.view();
    const auto fingerprints = contract::reference_fingerprint(view, secret.data());
    const auto expected = truth.detect(view, fingerprints, false);
    for (uint32_t row = 0; row < view.row_count; ++row) {
      std::vector<uint64_t> changed(word_count, ~uint64_t{0});
      const uint8_t verdict =
          syn_detect_row(lane_of(table.ref().lanes[view.lane[row]]), view.op[row],
                         syn_key_bits(fingerprints.keys[row]),
                         fingerprints.cells.data() + size_t{row} * shape.value_count,
                         shape.value_count, changed.data());
      ASSERT_EQ(verdict, expected.verdicts[row]) << "round " << round << " row " << row;
      for (size_t i = 0; i < word_count * 64; ++i) {
        const bool wanted = i < shape.value_count && expected.changed[row][i];
        ASSERT_EQ((changed[i / 64] >> (i % 64) & 1) != 0, wanted) << "row " << row << " bit " << i;
      }
    }
    for (uint32_t lane = 0; lane < shape.lane_count; ++lane) {
      ASSERT_TRUE(table.apply(static_cast<model::LaneIndex>(lane), expected.deltas[lane]));
      truth.apply(lane, expected.deltas[lane]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Widths, TableBody, testing::Values(0u, 1u, 8u, 12u, 63u, 64u, 65u, 256u));

TEST(TableBody, ACellIsReadAsItWasStored) {
  std::vector<uint16_t> memory(3 * 5 + 1);
  auto* cells = reinterpret_cast<uint8_t*>(memory.data());
  for (uint32_t i = 0; i < 5; ++i) syn_store_cell(cells, i, SYN_CELL_MASK - i);
  for (uint32_t i = 0; i < 5; ++i) EXPECT_EQ(syn_load_cell(cells, i), SYN_CELL_MASK - i);
}

}  // namespace
}  // namespace syncline::bodies
