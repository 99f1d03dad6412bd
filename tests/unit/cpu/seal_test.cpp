// Seal and open together: what goes in comes out, whatever the columns hold.
#include "kernels/cpu/seal.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace syncline::cpu {
namespace {

using engine::ColumnBytes;
using engine::ColumnView;
using engine::SealKey;

SealKey some_key() {
  SealKey key;
  for (size_t i = 0; i < key.key.size(); ++i) key.key[i] = static_cast<uint8_t>(i * 7 + 1);
  key.nonce_prefix = 5;
  key.nonce_counter = 1000;
  return key;
}

std::vector<ColumnView> views(const std::vector<ColumnBytes>& columns) {
  std::vector<ColumnView> out;
  for (const ColumnBytes& column : columns) out.push_back({column.id, column.type, column.bytes});
  return out;
}

void expect_round_trip(const std::vector<ColumnBytes>& columns) {
  auto sealed = seal_block(views(columns), some_key(), "header");
  ASSERT_TRUE(sealed.has_value()) << to_string(sealed.error());
  std::array<uint8_t, 32> digest{};
  auto opened = open_block(sealed.value().bytes, some_key(), "header", digest);
  ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
  EXPECT_EQ(digest, sealed.value().tags_digest);
  ASSERT_EQ(opened.value().size(), columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    EXPECT_EQ(opened.value()[i].id, columns[i].id);
    EXPECT_EQ(opened.value()[i].type, columns[i].type);
    EXPECT_TRUE(opened.value()[i].bytes == columns[i].bytes) << "column " << i;
  }
}

TEST(Seal, RoundTripOfNoColumns) {
  expect_round_trip({});
}

TEST(Seal, RoundTripOfEmptyColumns) {
  expect_round_trip({{1, 0, ""}, {2, 3, ""}, {9, 1, ""}});
}

TEST(Seal, RoundTripOfText) {
  expect_round_trip({{3, 0, "Ann"}, {4, 0, std::string(5000, 'x')}, {900, 2, "odd"}});
}

TEST(Seal, RoundTripOfManyChunks) {
  expect_round_trip(
      {{1, 0, std::string(3 << 20, 'a')}, {2, 0, "b"}, {3, 0, std::string(2 << 20, 'c')}});
}

}  // namespace
}  // namespace syncline::cpu
