// What repeats from piece to piece is found, and nothing else is.
#include "kernels/device/far_repeats.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/bodies/zstd_frames.hpp"

namespace syncline::device {
namespace {

constexpr size_t kPieceSize = 65536;

std::string block(size_t size, uint64_t seed) {
  return bodies::noise_of(size, seed, 8);
}

TEST(FarRepeats, ABlockThatComesAgainIsAboutItsSize) {
  const std::string once = block(100'001, 1);
  const size_t found = far_repeats(once + once + once, kPieceSize);
  EXPECT_GT(found, 150'000u);
  EXPECT_LT(found, 250'000u);
}

TEST(FarRepeats, AFewOfThemAmongMuchElse) {
  std::string run;
  for (uint64_t i = 0; i < 10; ++i) run += block(90'000, 10 + i) + block(10'000, 1);
  const size_t found = far_repeats(run, kPieceSize);
  EXPECT_GT(found, 60'000u);
  EXPECT_LT(found, 120'000u);
}

TEST(FarRepeats, WhatRepeatsWithinItsPieceIsNotCounted) {
  std::string run;
  while (run.size() < 1u << 20) run += block(3'000, 2);
  EXPECT_LT(far_repeats(run, kPieceSize), (size_t{1} << 20) / 10);
}

TEST(FarRepeats, NoiseAndWhatIsBeyondTheReachAreNone) {
  const std::string once = block(600'000, 3);
  EXPECT_EQ(far_repeats(once, kPieceSize), 0u);
  EXPECT_EQ(far_repeats(once + once, kPieceSize), 0u);
}

// A run leaves nothing behind for the next one.
TEST(FarRepeats, RunsAreEachTheirOwn) {
  const std::string once = block(100'000, 4);
  far_repeats(once, kPieceSize);
  EXPECT_EQ(far_repeats(once, kPieceSize), 0u);
}

TEST(FarRepeats, ShortRunsAreReadToTheirEndAndNotBeyond) {
  for (size_t size = 0; size < 100; ++size) {
    const std::vector<char> bytes(size, 'x');
    EXPECT_LE(far_repeats({bytes.data(), size}, kPieceSize), size);
  }
}

}  // namespace
}  // namespace syncline::device
