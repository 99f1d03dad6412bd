// What seal writes: anyone's libzstd and AES-GCM read it by the documented layout, it is as small
// as promised, and no nonce is used twice. tests/unit/cpu/open_test.cpp has what open refuses.
#include "kernels/cpu/seal.hpp"

#include <random>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <rapidcheck.h>
#include <zstd.h>

#include "host/base/bytes.hpp"
#include "kernels/contract/block.h"

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

engine::Sealed seal(const std::vector<ColumnBytes>& columns) {
  auto sealed = seal_block(views(columns), some_key(), "header");
  EXPECT_TRUE(sealed.has_value());
  return std::move(sealed.value());
}

void expect_round_trip(const std::vector<ColumnBytes>& columns) {
  const engine::Sealed sealed = seal(columns);
  std::array<uint8_t, 32> digest{};
  auto opened = open_block(sealed.bytes, some_key(), "header", digest);
  ASSERT_TRUE(opened.has_value()) << to_string(opened.error());
  EXPECT_EQ(digest, sealed.tags_digest);
  ASSERT_EQ(opened.value().size(), columns.size());
  for (size_t i = 0; i < columns.size(); ++i) {
    EXPECT_EQ(opened.value()[i].id, columns[i].id);
    EXPECT_EQ(opened.value()[i].type, columns[i].type);
    EXPECT_TRUE(opened.value()[i].bytes == columns[i].bytes) << "column " << i;
  }
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

// The columns of some customers: number, name with its length, city with its length, time.
std::vector<ColumnBytes> customers(size_t count, uint64_t seed) {
  std::mt19937_64 random(seed);
  const char* cities[] = {"Zurich", "Bern", "Basel", "Geneva", "La Chaux-de-Fonds"};
  const char* names[] = {"Ann", "Urs", "Beat", "Regula", "Maximilian", "Li", "Jean-Pierre"};
  std::vector<uint64_t> numbers, times;
  std::vector<uint32_t> name_lengths, city_lengths;
  std::string all_names, all_cities;
  uint64_t time = 1'700'000'000'000'000;
  for (size_t i = 0; i < count; ++i) {
    const std::string name = std::string(names[random() % 7]) + std::to_string(random() % 1000);
    const std::string city = cities[random() % 5];
    numbers.push_back(random() % 1'000'000);
    times.push_back(time += random() % 5000);
    name_lengths.push_back(static_cast<uint32_t>(name.size()));
    city_lengths.push_back(static_cast<uint32_t>(city.size()));
    all_names += name;
    all_cities += city;
  }
  return {{1, SYN_COLUMN_U64, bytes_of(numbers)},
          {2, SYN_COLUMN_U32, bytes_of(name_lengths)},
          {3, SYN_COLUMN_BYTES, all_names},
          {4, SYN_COLUMN_U32, bytes_of(city_lengths)},
          {5, SYN_COLUMN_BYTES, all_cities},
          {60, SYN_COLUMN_U64, bytes_of(times)},
          {61, SYN_COLUMN_U8, std::string(count, 'I')}};
}

TEST(Seal, NoColumnsComeBackAsNoColumns) {
  expect_round_trip({});
}

TEST(Seal, EmptyColumnsComeBackEmpty) {
  expect_round_trip({{1, 0, ""}, {2, 3, ""}, {9, 1, ""}});
}

TEST(Seal, ColumnsWithOneIdOrFallingIdsComeBackInOrder) {
  expect_round_trip({{9, 0, "a"}, {9, 0, "b"}, {3, 0, std::string(5000, 'x')}, {2, 2, "odd"}});
}

TEST(Seal, ManyChunksComeBackInOrder) {
  std::string noise;
  std::mt19937_64 random(1);
  while (noise.size() < 1 << 20) noise.push_back(static_cast<char>(random()));
  const std::vector<ColumnBytes> columns = {
      {1, 0, std::string(3 << 20, 'a')}, {2, 0, "b"}, {3, 0, noise}, {4, 0, "c"}};
  EXPECT_GT(seal(columns).chunk_count, 2u);
  expect_round_trip(columns);
}

TEST(Seal, BlocksOfCustomersComeBack) {
  for (const size_t count : {1u, 2u, 15u, 16u, 100u, 5000u, 60'000u}) {
    expect_round_trip(customers(count, count));
  }
}

TEST(Seal, AnyColumnsComeBack) {
  const bool is_good =
      rc::check([](const std::vector<std::tuple<uint16_t, uint8_t, std::string>>& in) {
        std::vector<ColumnBytes> columns;
        for (const auto& [id, type, bytes] : in) {
          columns.push_back({id, static_cast<uint8_t>(type % 4), bytes});
        }
        const engine::Sealed sealed = seal(columns);
        std::array<uint8_t, 32> digest{};
        auto opened = open_block(sealed.bytes, some_key(), "header", digest);
        RC_ASSERT(opened.has_value());
        RC_ASSERT(opened.value().size() == columns.size());
        for (size_t i = 0; i < columns.size(); ++i) {
          RC_ASSERT(opened.value()[i].bytes == columns[i].bytes);
        }
      });
  EXPECT_TRUE(is_good);
}

TEST(Seal, OneEntryTakesLittleMoreThanItsBytes) {
  const engine::Sealed sealed = seal(customers(1, 1));
  EXPECT_EQ(sealed.chunk_count, 1u);
  EXPECT_LT(sealed.bytes.size(), 100u);
}

TEST(Seal, TheSameColumnsUnderAnotherNonceLookDifferent) {
  SealKey other = some_key();
  ++other.nonce_counter;
  const auto columns = customers(10, 1);
  EXPECT_NE(seal(columns).bytes, seal_block(views(columns), other, "header").value().bytes);
}

TEST(Seal, TooManyColumnsAreRefused) {
  const std::vector<ColumnView> columns(SYN_COLUMN_COUNT_MAX + 1);
  const auto sealed = seal_block(columns, some_key(), "");
  ASSERT_FALSE(sealed.has_value());
  EXPECT_EQ(sealed.error().code, ErrorCode::kInvalidArgument);
}

TEST(Seal, AnUnknownTypeIsRefused) {
  const ColumnView column{1, 4, "x"};
  EXPECT_FALSE(seal_block({&column, 1}, some_key(), "").has_value());
}

// An independent reader: only the layout of kernels/contract/block.h, EVP and libzstd.
struct PlainChunk {
  std::string clear;
  std::string frames;  // decompressed
  std::string stored;
};

std::string decrypt_by_openssl(std::string_view sealed, const std::string& additional,
                               std::string_view tag, uint64_t counter) {
  std::string nonce;
  ByteWriter writer(nonce);
  writer.u32(some_key().nonce_prefix);
  writer.u64(counter);
  std::string plain(sealed.size() + 16, '\0');
  int size = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), nullptr, some_key().key.data(),
                     reinterpret_cast<const uint8_t*>(nonce.data()));
  EVP_DecryptUpdate(context, nullptr, &size, reinterpret_cast<const uint8_t*>(additional.data()),
                    static_cast<int>(additional.size()));
  EVP_DecryptUpdate(context, reinterpret_cast<uint8_t*>(plain.data()), &size,
                    reinterpret_cast<const uint8_t*>(sealed.data()),
                    static_cast<int>(sealed.size()));
  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, 16, const_cast<char*>(tag.data()));
  uint8_t rest[16];
  int rest_size = 0;
  EXPECT_EQ(EVP_DecryptFinal_ex(context, rest, &rest_size), 1) << "chunk at nonce " << counter;
  EVP_CIPHER_CTX_free(context);
  plain.resize(static_cast<size_t>(size));
  return plain;
}

std::string decompress_by_zstd(std::string_view frames) {
  std::string out;
  while (!frames.empty()) {
    const auto size = ZSTD_getFrameContentSize(frames.data(), frames.size());
    const size_t frame_size = ZSTD_findFrameCompressedSize(frames.data(), frames.size());
    std::string content(size, '\0');
    EXPECT_EQ(ZSTD_decompress(content.data(), size, frames.data(), frame_size), size);
    out += content;
    frames.remove_prefix(frame_size);
  }
  return out;
}

std::vector<PlainChunk> read_independently(std::string_view bytes) {
  std::vector<PlainChunk> out;
  while (!bytes.empty()) {
    ByteReader header(bytes);
    EXPECT_EQ(header.u8(), SYN_BLOCK_FORMAT);
    EXPECT_EQ(header.u8(), SYN_ENGINE_CPU);
    EXPECT_EQ(header.u16(), out.size());
    header.u16();
    header.u16();
    const size_t clear_size = SYN_CHUNK_HEADER_SIZE + header.u32();
    const size_t frames_size = header.u32();
    const size_t stored_size = header.u32();
    const std::string clear(bytes.substr(0, clear_size));
    const std::string_view sealed = bytes.substr(clear_size, frames_size + stored_size);
    const std::string_view tag = bytes.substr(clear_size + sealed.size(), SYN_TAG_SIZE);
    const std::string plain =
        decrypt_by_openssl(sealed, clear + "header", tag, some_key().nonce_counter + out.size());
    out.push_back(
        {clear, decompress_by_zstd(plain.substr(0, frames_size)), plain.substr(frames_size)});
    bytes.remove_prefix(clear_size + sealed.size() + tag.size());
  }
  return out;
}

TEST(Seal, AnyOpensslAndLibzstdReadTheChunks) {
  const auto columns = customers(3000, 1);
  const auto chunks = read_independently(seal(columns).bytes);
  ASSERT_EQ(chunks.size(), 1u);
  EXPECT_THAT(chunks[0].frames, testing::HasSubstr(columns[2].bytes));
}

TEST(Seal, EveryChunkHasItsOwnNonce) {
  const engine::Sealed sealed =
      seal({{1, 0, std::string(1 << 20, 'a')}, {2, 0, std::string(1 << 20, 'b')}, {3, 0, "c"}});
  // Each chunk opened with nonce_counter + its index, or decrypt_by_openssl would have failed.
  EXPECT_EQ(read_independently(sealed.bytes).size(), sealed.chunk_count);
  EXPECT_EQ(sealed.chunk_count, 3u);
}

// What plain libzstd -1 makes of the columns, each by itself, or stored where it does not shrink.
size_t size_by_zstd(const std::vector<ColumnBytes>& columns) {
  size_t out = 0;
  for (const ColumnBytes& column : columns) {
    std::string space(ZSTD_compressBound(column.bytes.size()), '\0');
    const size_t size =
        ZSTD_compress(space.data(), space.size(), column.bytes.data(), column.bytes.size(), 1);
    out += std::min(size, column.bytes.size());
  }
  return out;
}

void expect_within_a_tenth_of_zstd(const std::vector<ColumnBytes>& columns) {
  const size_t overhead = 80 + 24 * columns.size();
  EXPECT_LE(static_cast<double>(seal(columns).bytes.size()),
            1.1 * static_cast<double>(size_by_zstd(columns)) + static_cast<double>(overhead));
}

TEST(Seal, CustomersAreMuchSmallerThanByZstdAlone) {
  for (const size_t count : {500u, 5000u, 50'000u}) {
    const auto columns = customers(count, 1);
    EXPECT_LT(seal(columns).bytes.size() * 10, size_by_zstd(columns) * 9) << count;
  }
}

// One column each of many characters, so that no good column hides a bad one.
TEST(Seal, NoColumnIsMoreThanATenthLargerThanByZstd) {
  for (uint64_t seed = 0; seed < 1500; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    const size_t count = 200 + random() % 6000;
    const uint64_t mask = ~uint64_t{0} >> random() % 64;
    const uint64_t period = 1 + random() % (random() % 2 == 0 ? 10 : 3000);
    const unsigned shape = random() % 7;
    std::vector<uint64_t> pool;
    for (uint64_t i = 0; i < period; ++i) pool.push_back(random() & mask);
    uint64_t rising = random();
    std::vector<uint64_t> values;
    for (size_t i = 0; i < count; ++i) {
      rising += random() % 1000;
      const size_t skewed = static_cast<size_t>(random() % period * (random() % period) / period);
      const uint64_t choices[] = {
          rising,
          random() & mask,
          pool[i % period],
          pool[random() % period],
          pool[skewed],
          pool[i / 3 % period],
          random() % 4 == 0 || i == 0 ? pool[random() % period] : values[i - 1] + 1};
      values.push_back(choices[shape]);
    }
    std::string bytes = bytes_of(values);
    const auto type = static_cast<uint8_t>(random() % 4);
    expect_within_a_tenth_of_zstd({{1, type, bytes}});
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace syncline::cpu
