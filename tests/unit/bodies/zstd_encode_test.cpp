// The coder's frames by libzstd and by our decoder, whatever the number of lanes; and their size.
#include "kernels/bodies/zstd_encode.h"

#include <algorithm>
#include <utility>

#include <gtest/gtest.h>

#include "tests/unit/bodies/zstd_frames.hpp"

namespace syncline::bodies {
namespace {

// In memory of just the sizes that the coder asks for.
std::string coded(const std::string& content, uint32_t width) {
  std::vector<uint8_t> literals(SYN_ZSTD_PIECE_SIZE);
  std::vector<syn_zstd_sequence> sequences(SYN_ZSTD_SEQUENCES_MAX);
  const auto encoder = std::make_unique<syn_zstd_encoder>();
  std::memset(encoder.get(), 0xcd, sizeof *encoder);
  const std::vector<uint8_t> input(content.begin(), content.end());
  std::vector<uint8_t> output(content.size() + SYN_ZSTD_OVERHEAD_MAX);
  const syn_zstd_piece piece{input.data(), static_cast<uint32_t>(input.size()), output.data(),
                             literals.data(), sequences.data()};
  const uint32_t size = syn_zstd_encode({0, width}, encoder.get(), piece);
  EXPECT_LE(size, output.size());
  return {output.begin(), output.begin() + std::min<size_t>(size, output.size())};
}

void expect_coded(const std::string& content) {
  const std::string frame = coded(content, 1);
  std::string back(content.size(), '\0');
  const size_t size = ZSTD_decompress(back.data(), back.size(), frame.data(), frame.size());
  ASSERT_EQ(ZSTD_isError(size), 0u) << ZSTD_getErrorName(size);
  ASSERT_TRUE(size == content.size() && back == content);
  ASSERT_EQ(ZSTD_getFrameContentSize(frame.data(), frame.size()), content.size());
  const Opened opened = open_by_body(frame, 1, content.size());
  ASSERT_EQ(opened.status, SYN_ZSTD_OK);
  ASSERT_TRUE(opened.bytes == content);
  for (const uint32_t width : {3u, 32u}) {
    ASSERT_TRUE(coded(content, width) == frame) << "width " << width;
  }
}

TEST(ZstdEncode, EverySmallSize) {
  for (size_t size = 0; size <= 1100; size += size < 300 ? 1 : 13) {
    for (const Content& content : contents_of(size)) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      expect_coded(content.bytes);
      if (HasFatalFailure()) return;
    }
  }
}

TEST(ZstdEncode, LargePiecesUpToTheLargest) {
  for (const size_t size : {4095u, 4096u, 16383u, 16384u, 40000u, 65535u, 65536u}) {
    for (const Content& content : contents_of(size)) {
      SCOPED_TRACE(content.name + ", " + std::to_string(size));
      expect_coded(content.bytes);
    }
  }
}

// Copies from anywhere, runs, and bytes of alphabets of any size, in turn.
std::string mixed(size_t size, std::mt19937_64& random) {
  std::string out;
  const uint32_t bits = 1 + random() % 8;
  while (out.size() < size) {
    const size_t length = 1 + random() % (random() % 8 == 0 ? 3000 : 40);
    const uint64_t kind = random() % 4;
    if (kind == 0 && !out.empty()) {
      const size_t from = random() % out.size();
      for (size_t i = 0; i < length; ++i) out += out[from + i];
    } else if (kind == 1) {
      out.append(length, static_cast<char>(random()));
    } else {
      out += noise_of(length, random(), kind == 2 ? bits : 1 + random() % 8);
    }
  }
  out.resize(size);
  return out;
}

TEST(ZstdEncode, MixturesOfAllThatThereIs) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 300; ++i) {
    SCOPED_TRACE("mixture " + std::to_string(i));
    expect_coded(mixed(random() % (i % 10 == 0 ? SYN_ZSTD_PIECE_SIZE : 5000) + 1, random));
    if (HasFatalFailure()) return;
  }
}

// Codes of 11 bits are the longest: counts like Fibonacci's numbers would take more.
TEST(ZstdEncode, LiteralsWhoseTreeIsTooDeep) {
  std::string content;
  size_t count = 1;
  size_t before = 1;
  for (int symbol = 0; symbol < 20; ++symbol) {
    content.append(count, static_cast<char>(symbol * 11));
    count = std::exchange(before, count + before);
  }
  std::mt19937_64 random(3);
  std::shuffle(content.begin(), content.end(), random);
  content.resize(std::min<size_t>(content.size(), SYN_ZSTD_PIECE_SIZE));
  expect_coded(content);
}

TEST(ZstdEncode, WhatDoesNotShrinkIsKept) {
  const std::string noise = noise_of(SYN_ZSTD_PIECE_SIZE, 1, 8);
  EXPECT_EQ(coded(noise, 1).size(), noise.size() + SYN_ZSTD_OVERHEAD_MAX);
}

// The goal of the contract, piece by piece; chunks of many pieces are the engines' suite's.
TEST(ZstdEncode, RatiosAreAtLeastNineTenthsOfLevelOne) {
  for (const size_t size : {4000u, 20000u, 65535u, SYN_ZSTD_PIECE_SIZE}) {
    for (const Content& content : contents_of(size)) {
      EXPECT_LE(0.9 * static_cast<double>(coded(content.bytes, 1).size()),
                static_cast<double>(frame_of(content.bytes, 1).size()))
          << content.name << ", " << size;
    }
  }
}

}  // namespace
}  // namespace syncline::bodies
