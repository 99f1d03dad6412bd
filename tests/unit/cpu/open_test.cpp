// What open refuses: anything but the very bytes that were sealed, under the same key, nonce and
// associated data. Nothing of a damaged block comes out, and no input makes it read astray.
#include <cstring>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/contract/block.h"
#include "kernels/cpu/seal.hpp"

namespace syncline::cpu {
namespace {

using engine::ColumnView;
using engine::SealKey;

SealKey some_key() {
  SealKey key;
  key.key.fill(0x42);
  key.nonce_counter = 77;
  return key;
}

Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed,
                                              std::string_view associated_data = "header") {
  std::array<uint8_t, 32> digest{};
  return open_block(sealed, some_key(), associated_data, digest);
}

void expect_damaged(std::string_view sealed, std::string_view associated_data = "header") {
  const auto opened = open(sealed, associated_data);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, ErrorCode::kDamaged);
  EXPECT_THAT(opened.error().what, testing::HasSubstr("chunk"));
  EXPECT_FALSE(opened.error().why.empty());
}

// A block with numbers, texts, an own frame and a second chunk if asked for.
std::string seal(size_t text_size) {
  std::string numbers;
  for (uint64_t i = 0; i < 40; ++i) {
    const uint64_t value = 5'000'000'000 + i * i * 31;
    numbers.append(reinterpret_cast<const char*>(&value), sizeof value);
  }
  std::string text;
  for (size_t i = 0; text.size() < text_size; ++i) text += "entry " + std::to_string(i * 7919);
  const ColumnView columns[] = {{1, SYN_COLUMN_U64, numbers},
                                {2, SYN_COLUMN_U8, numbers},
                                {3, SYN_COLUMN_BYTES, text},
                                {9, SYN_COLUMN_U32, ""}};
  return seal_block(columns, some_key(), "header").value().bytes;
}

TEST(Open, EveryFlippedBitIsFound) {
  const std::string sealed = seal(120);
  ASSERT_TRUE(open(sealed).has_value());
  for (size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    std::string flipped = sealed;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ 1 << bit % 8);
    expect_damaged(flipped);
    if (testing::Test::HasFailure()) FAIL() << "bit " << bit;
  }
}

TEST(Open, EveryTruncationIsFound) {
  const std::string sealed = seal(1500);
  for (size_t size = 0; size < sealed.size(); ++size) {
    expect_damaged(std::string_view(sealed).substr(0, size));
    if (testing::Test::HasFailure()) FAIL() << "size " << size;
  }
}

TEST(Open, ABlockCutBetweenTwoChunksIsFound) {
  const std::string sealed = seal(2 << 20);
  uint32_t sizes[3];
  std::memcpy(sizes, sealed.data() + 8, sizeof sizes);
  const size_t first = SYN_CHUNK_HEADER_SIZE + sizes[0] + sizes[1] + sizes[2] + SYN_TAG_SIZE;
  ASSERT_LT(first, sealed.size());
  ASSERT_TRUE(open(sealed).has_value());
  expect_damaged(std::string_view(sealed).substr(0, first));
  expect_damaged(std::string_view(sealed).substr(first));
}

TEST(Open, BytesBehindTheLastChunkAreFound) {
  expect_damaged(seal(100) + "x");
}

TEST(Open, OtherAssociatedDataIsFound) {
  const std::string sealed = seal(100);
  expect_damaged(sealed, "");
  expect_damaged(sealed, "heade");
  expect_damaged(sealed, "header ");
}

TEST(Open, AnotherKeyOrNonceIsFound) {
  const std::string sealed = seal(100);
  std::array<uint8_t, 32> digest{};
  SealKey other = some_key();
  other.key[31] ^= 1;
  EXPECT_FALSE(open_block(sealed, other, "header", digest).has_value());
  other = some_key();
  ++other.nonce_counter;
  EXPECT_FALSE(open_block(sealed, other, "header", digest).has_value());
  other = some_key();
  ++other.nonce_prefix;
  EXPECT_FALSE(open_block(sealed, other, "header", digest).has_value());
}

TEST(Open, NothingIsDamagedNotEmpty) {
  expect_damaged("");
}

TEST(Open, TwentyThousandMutationsNeverPassAndNeverReadAstray) {
  std::mt19937_64 random(2026);
  const std::string blocks[] = {seal(60), seal(3000), seal(40'000)};
  for (int round = 0; round < 20'000; ++round) {
    const std::string& sealed = blocks[random() % 3];
    std::string mutated = sealed;
    for (uint64_t n = 1 + random() % 4; n > 0; --n) {
      const size_t at = random() % (random() % 2 == 0 ? 64 : mutated.size()) % mutated.size();
      switch (random() % 5) {
        case 0:
          mutated[at] = static_cast<char>(random());
          break;
        case 1:
          mutated.erase(at, 1 + random() % 40);
          break;
        case 2:
          mutated.insert(at, 1 + random() % 40, static_cast<char>(random()));
          break;
        case 3:  // a size or count of all ones
          std::memset(mutated.data() + at, 0xff, std::min<size_t>(4, mutated.size() - at));
          break;
        default:
          mutated.resize(at);
          mutated += sealed;
      }
      if (mutated.empty()) mutated = "\x01";
    }
    if (mutated == sealed) continue;
    const auto opened = open(mutated);
    ASSERT_FALSE(opened.has_value()) << "round " << round;
    ASSERT_EQ(opened.error().code, ErrorCode::kDamaged) << "round " << round;
  }
}

TEST(Open, RandomBytesAreDamaged) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random() % 300, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
    if (!bytes.empty()) bytes[0] = SYN_BLOCK_FORMAT;
    expect_damaged(bytes);
  }
}

}  // namespace
}  // namespace syncline::cpu
