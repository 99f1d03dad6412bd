// The typed encodings, one by one: each is chosen where it should be, and each gives back its
// column.
#include "kernels/cpu/columns.hpp"

#include <cstring>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "kernels/cpu/columns_pack.hpp"

namespace syncline::cpu {
namespace {

using engine::ColumnView;

struct Encoded {
  std::vector<PlacedColumn> columns;
  Parts parts;
  size_t size() const { return parts.framed.size() + parts.stored.size(); }
  uint8_t encoding(size_t i) const { return columns[i].entry.encoding; }
};

Encoded encode(const std::vector<ColumnView>& columns) {
  Encoded out;
  encode_columns(columns, 0, out.columns, out.parts);
  return out;
}

bool decode(const Encoded& encoded, size_t i, std::string& out, std::string& lengths) {
  const PlacedColumn& column = encoded.columns[i];
  const std::string_view framed = encoded.parts.framed;
  const std::string_view stored = encoded.parts.stored;
  return decode_column(column.entry, framed.substr(column.framed_at, column.entry.framed_size),
                       stored.substr(column.stored_at, column.entry.stored_size), out, lengths);
}

// Encodes one column, expects it back, and says how it was encoded.
uint8_t encoding_of(std::string_view bytes, uint8_t type) {
  const Encoded encoded = encode({{1, type, bytes}});
  std::string out, lengths;
  EXPECT_TRUE(decode(encoded, 0, out, lengths));
  EXPECT_TRUE(out == bytes);
  return encoded.encoding(0);
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

template <class Make>
std::string numbers(size_t count, const Make& make) {
  std::vector<uint64_t> values;
  for (size_t i = 0; i < count; ++i) values.push_back(make(i));
  return bytes_of(values);
}

TEST(Columns, AConstantTakesNoBitsAtAll) {
  const std::string bytes = numbers(1000, [](size_t) { return 77; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_OFFSET);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 8u);
}

TEST(Columns, ASequenceTakesNoBitsAtAll) {
  const std::string bytes = numbers(1000, [](size_t i) { return 1'000'000 - 3 * i; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_DELTA);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 16u);
}

TEST(Columns, RisingTimesAreDeltas) {
  std::mt19937_64 random(1);
  uint64_t time = 1'700'000'000'000'000;
  const std::string bytes = numbers(1000, [&](size_t) { return time += random() % 1000; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_DELTA);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 1300u);
}

TEST(Columns, MillisecondsInMicrosecondsLoseTheirZeros) {
  std::mt19937_64 random(1);
  const std::string bytes = numbers(1000, [&](size_t) { return random() % 65536 * 1000; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_OFFSET);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 2020u);
}

TEST(Columns, FewDistinctNumbersAreADictionary) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> distinct;
  for (int i = 0; i < 16; ++i) distinct.push_back(random());
  const std::string bytes = numbers(1000, [&](size_t) { return distinct[random() % 16]; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_DICTIONARY);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 700u);
}

TEST(Columns, LongRunsAreRuns) {
  const std::string bytes = numbers(1000, [](size_t i) { return i / 100 * 12345678 % 1000; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_RUNS);
  EXPECT_LT(encode({{1, SYN_COLUMN_U64, bytes}}).size(), 60u);
}

TEST(Columns, RandomNumbersAreStored) {
  std::mt19937_64 random(1);
  const std::string bytes = numbers(1000, [&](size_t) { return random(); });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_STORED);
}

TEST(Columns, RandomNumbersThatComeAgainAreLeftToZstd) {
  std::mt19937_64 random(1);
  std::vector<uint64_t> half;
  for (int i = 0; i < 6000; ++i) half.push_back(random());
  const std::string bytes = numbers(12000, [&](size_t i) { return half[i % 6000]; });
  EXPECT_EQ(encoding_of(bytes, SYN_COLUMN_U64), SYN_ENCODING_FRAMED);
}

TEST(Columns, BigEndianNumbersAmongTextsAreNumbers) {
  std::vector<uint32_t> lengths(200, 8);
  std::string bytes =
      numbers(200, [](size_t i) { return __builtin_bswap64(i * 7 + (1ull << 63)); });
  const Encoded encoded =
      encode({{1, SYN_COLUMN_U32, bytes_of(lengths)}, {2, SYN_COLUMN_BYTES, bytes}});
  EXPECT_EQ(encoded.encoding(1), SYN_ENCODING_DELTA);
  std::string out, none;
  ASSERT_TRUE(decode(encoded, 1, out, none));
  EXPECT_TRUE(out == bytes);
}

TEST(Columns, FewDistinctTextsBringTheirLengthsAlong) {
  std::mt19937_64 random(1);
  const char* cities[] = {"Zurich", "Bern", "Basel", "La Chaux-de-Fonds", ""};
  std::string bytes;
  std::vector<uint32_t> lengths;
  for (int i = 0; i < 500; ++i) {
    const std::string city = cities[random() % 5];
    bytes += city;
    lengths.push_back(static_cast<uint32_t>(city.size()));
  }
  const Encoded encoded =
      encode({{1, SYN_COLUMN_U32, bytes_of(lengths)}, {2, SYN_COLUMN_BYTES, bytes}});
  EXPECT_EQ(encoded.encoding(0), SYN_ENCODING_TEXT_LENGTHS);
  EXPECT_EQ(encoded.encoding(1), SYN_ENCODING_TEXTS);
  std::string out, lengths_out;
  ASSERT_TRUE(decode(encoded, 1, out, lengths_out));
  EXPECT_TRUE(out == bytes);
  EXPECT_TRUE(lengths_out == bytes_of(lengths));
}

TEST(Columns, PackedBitsOfEveryWidthComeBack) {
  std::mt19937_64 random(1);
  for (unsigned bits = 0; bits <= 64; ++bits) {
    for (const size_t count : {0u, 1u, 7u, 8u, 9u, 63u, 64u, 65u, 300u}) {
      std::vector<uint64_t> values;
      for (size_t i = 0; i < count; ++i) values.push_back(bits == 0 ? 0 : random() >> (64 - bits));
      for (unsigned planes = 0; planes <= (bits + 7) / 8; ++planes) {
        const unsigned low = bits > 8 * planes ? bits - 8 * planes : 0;
        if (low > SYN_PACKED_BITS_MAX) continue;
        Parts parts;
        pack(values, {static_cast<uint8_t>(low), static_cast<uint8_t>(planes)}, parts);
        ByteReader stored(parts.stored);
        std::string_view framed = parts.framed;
        std::vector<uint64_t> out(count, 99);
        ASSERT_TRUE(unpack(stored, framed, out));
        ASSERT_EQ(out, values) << bits << " bits, " << planes << " planes";
        ASSERT_TRUE(stored.at_end() && framed.empty());
      }
    }
  }
}

// Columns of many characters: constant, rising, repeating, random, with resets and outliers.
template <class T>
std::vector<T> some_numbers(std::mt19937_64& random) {
  const size_t count = random() % 4 == 0 ? random() % 40 : random() % 3000;
  const uint64_t mask = ~uint64_t{0} >> random() % 64;
  const uint64_t base = random() >> random() % 64;
  const uint64_t period = 1 + random() % (random() % 2 == 0 ? 8 : 2000);
  const unsigned shape = random() % 6;
  const uint64_t scale = random() % 3 == 0 ? 1000 : 1;
  std::vector<uint64_t> pool;
  for (uint64_t i = 0; i < period; ++i) pool.push_back(random() & mask);
  std::vector<T> out;
  uint64_t rising = base;
  for (size_t i = 0; i < count; ++i) {
    rising += random() & (mask >> 8);
    const uint64_t choices[] = {base,
                                rising,
                                base + (random() & mask) * scale,
                                pool[i % period],
                                pool[random() % period],
                                pool[i / period % period]};
    out.push_back(static_cast<T>(random() % 500 == 0 ? random() : choices[shape]));
  }
  return out;
}

template <class T>
void expect_all_come_back(uint8_t type) {
  for (uint64_t seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    encoding_of(bytes_of(some_numbers<T>(random)), type);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Columns, AllKindsOfU8ComeBack) {
  expect_all_come_back<uint8_t>(SYN_COLUMN_U8);
}
TEST(Columns, AllKindsOfU32ComeBack) {
  expect_all_come_back<uint32_t>(SYN_COLUMN_U32);
}
TEST(Columns, AllKindsOfU64ComeBack) {
  expect_all_come_back<uint64_t>(SYN_COLUMN_U64);
}

TEST(Columns, OddSizesOfATypeComeBack) {
  for (const uint8_t type : {SYN_COLUMN_U8, SYN_COLUMN_U32, SYN_COLUMN_U64, SYN_COLUMN_BYTES}) {
    for (size_t size = 0; size < 70; ++size) encoding_of(std::string(size, 'q'), type);
  }
}

// What is decoded has passed the tag; but its sealer may have been at fault.
TEST(Columns, PartsThatNoEncoderWroteAreRefusedOrDecodedWithinBounds) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20'000; ++round) {
    ColumnEntry entry;
    entry.type = random() % 4;
    entry.encoding = random() % 10;
    entry.size = random() % 4 == 0 ? random() % 16 : static_cast<uint32_t>(random() % 5000);
    std::string framed(random() % 200, '\0');
    std::string stored(random() % 64, '\0');
    for (char& byte : framed) byte = static_cast<char>(random());
    for (char& byte : stored) byte = static_cast<char>(random() % 3 == 0 ? random() : random() % 9);
    entry.framed_size = static_cast<uint32_t>(framed.size());
    entry.stored_size = static_cast<uint32_t>(stored.size());
    std::string out, lengths;
    const bool is_good = decode_column(entry, framed, stored, out, lengths);
    const bool is_plain =
        entry.encoding <= SYN_ENCODING_FRAMED || entry.encoding == SYN_ENCODING_TEXT_LENGTHS;
    if (is_good && !is_plain) {
      EXPECT_EQ(out.size(), entry.size);
    }
  }
}

}  // namespace
}  // namespace syncline::cpu
