#include "host/ports/pieces.hpp"

#include <vector>

#include <gtest/gtest.h>

namespace syncline::ports {
namespace {

// The pieces of one chunk of a table whose rows have these sizes.
template <class SizeOfRow>
std::vector<size_t> pieces_of(size_t row_limit, const SizeOfRow& size_of_row) {
  std::vector<size_t> sizes;
  Pieces pieces(row_limit);
  for (size_t row = 0; !pieces.is_full();) {
    const size_t count = pieces.next_rows();
    size_t size_bytes = 0;
    for (const size_t end = row + count; row < end; ++row) size_bytes += size_of_row(row);
    pieces.take(count, size_bytes);
    sizes.push_back(count);
  }
  return sizes;
}

TEST(Pieces, narrow_rows_come_in_large_ones_up_to_the_limit) {
  const auto sizes = pieces_of(8192, [](size_t) { return 100; });
  EXPECT_EQ(sizes, (std::vector<size_t>{64, 512, 2048, 2048, 2048, 1472}));
  EXPECT_EQ(pieces_of(10, [](size_t) { return 100; }), (std::vector<size_t>{10}));
}

TEST(Pieces, wide_rows_end_a_chunk_early) {
  EXPECT_EQ(pieces_of(8192, [](size_t) { return 1 << 20; }), (std::vector<size_t>{64}));
  EXPECT_EQ(pieces_of(8192, [](size_t) { return 100'000; }), (std::vector<size_t>{64, 20}));
}

TEST(Pieces, wide_rows_behind_narrow_ones_come_in_one_piece_at_most) {
  const auto sizes = pieces_of(8192, [](size_t row) { return row < 3000 ? 100 : 100'000; });
  EXPECT_EQ(sizes, (std::vector<size_t>{64, 512, 2048, 2048}));
}

TEST(Pieces, empty_rows_are_no_reason_to_ask_for_none) {
  EXPECT_EQ(pieces_of(100, [](size_t) { return 0; }), (std::vector<size_t>{64, 36}));
}

}  // namespace
}  // namespace syncline::ports
