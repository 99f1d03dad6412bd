// MySQL's binary JSON, from values made by the layout that its documentation prints.
#include "drivers/systems/mariadb/detail/json_binary.hpp"

#include <bit>
#include <random>

#include <gtest/gtest.h>

#include "tests/unit/mariadb/mysql_bytes.hpp"

namespace syncline::mariadb {
namespace {

using made::hex;
using made::le;

std::string text_of(const std::string& bytes) {
  const auto text = json_text(bytes);
  return text ? text.value() : to_string(text.error());
}

bool is_refused(const std::string& bytes) {
  const auto text = json_text(bytes);
  return !text && text.error().code == ErrorCode::kValue;
}

std::string type(int number) {
  return le(static_cast<uint64_t>(number), 1);
}

std::string string(const std::string& text) {  // of up to 127 bytes
  return type(12) + le(text.size(), 1) + text;
}

std::string opaque(int column_type, const std::string& data) {
  return type(15) + type(column_type) + le(data.size(), 1) + data;
}

// {"a": 1, "bc": [true, "x"]}, small: offsets count from behind the type.
std::string small_object() {
  const std::string array =
      le(2, 2) + le(12, 2) + type(4) + le(1, 2) + type(12) + le(10, 2) + "\1x";
  const size_t keys_at = 4 + 2 * 4 + 2 * 3;
  const size_t values_at = keys_at + 3;
  return type(0) + le(2, 2) + le(values_at + array.size(), 2) + le(keys_at, 2) + le(1, 2) +
         le(keys_at + 1, 2) + le(2, 2) + type(5) + le(1, 2) + type(2) + le(values_at, 2) + "abc" +
         array;
}

TEST(JsonBinary, ScalarsAreTheirTexts) {
  EXPECT_EQ("null", text_of(""));
  EXPECT_EQ("null", text_of(type(4) + type(0)));
  EXPECT_EQ("true", text_of(type(4) + type(1)));
  EXPECT_EQ("false", text_of(type(4) + type(2)));
  EXPECT_EQ("-2", text_of(type(5) + le(0xfffe, 2)));
  EXPECT_EQ("65534", text_of(type(6) + le(0xfffe, 2)));
  EXPECT_EQ("-2", text_of(type(7) + le(0xfffffffe, 4)));
  EXPECT_EQ("4294967294", text_of(type(8) + le(0xfffffffe, 4)));
  EXPECT_EQ("-9223372036854775808", text_of(type(9) + le(uint64_t{1} << 63, 8)));
  EXPECT_EQ("18446744073709551615", text_of(type(10) + le(~uint64_t{0}, 8)));
  EXPECT_EQ("0.1", text_of(type(11) + le(std::bit_cast<uint64_t>(0.1), 8)));
  EXPECT_EQ("\"a\\\"\\\\\\u000ab\"", text_of(string("a\"\\\nb")));
}

TEST(JsonBinary, LongStringsCountSevenBitsAByte) {
  const std::string letters(300, 'x');
  EXPECT_EQ('"' + letters + '"', text_of(type(12) + hex("ac02") + letters));
}

TEST(JsonBinary, ObjectsAndArraysHoldValuesInPlaceAndBehind) {
  EXPECT_EQ(R"({"a":1,"bc":[true,"x"]})", text_of(small_object()));
  EXPECT_EQ("{}", text_of(type(0) + le(0, 2) + le(4, 2)));
  EXPECT_EQ("[]", text_of(type(2) + le(0, 2) + le(4, 2)));
}

// In large ones counts and offsets have four bytes, and so has what is in place.
TEST(JsonBinary, LargeOnesHoldWholeIntegersInPlace) {
  const std::string large = type(3) + le(2, 4) + le(26, 4) + type(7) + le(0xfffffff9, 4) + type(9) +
                            le(18, 4) + le(uint64_t{1} << 40, 8);
  EXPECT_EQ("[-7,1099511627776]", text_of(large));
}

TEST(JsonBinary, DecimalsAndTimesAreWhatTheServerShows) {
  EXPECT_EQ("-12.50", text_of(opaque(246, type(4) + type(2) + hex("73cd"))));
  EXPECT_EQ("0.05", text_of(opaque(246, type(3) + type(2) + hex("8005"))));
  // 2026-11-27 10:20:30.000007: (2026 * 13 + 11) << 5 | 27, then 17 bits of clock, 24 of fraction
  const uint64_t day = (uint64_t{2026 * 13 + 11} << 5 | 27) << 41;
  const uint64_t clock = (uint64_t{10} << 12 | 20 << 6 | 30) << 24;
  EXPECT_EQ("\"2026-11-27 10:20:30.000007\"", text_of(opaque(12, le(day | clock | 7, 8))));
  EXPECT_EQ("\"2026-11-27 10:20:30.000000\"", text_of(opaque(7, le(day | clock, 8))));
  EXPECT_EQ("\"2026-11-27\"", text_of(opaque(10, le(day, 8))));
  EXPECT_EQ("\"10:20:30.000000\"", text_of(opaque(11, le(clock, 8))));
  EXPECT_EQ("\"-10:20:30.000000\"", text_of(opaque(11, le(-clock, 8))));
  EXPECT_EQ("\"base64:type252:aGk=\"", text_of(opaque(252, "hi")));
}

TEST(JsonBinary, WhatDoesNotHoldTogetherIsRefused) {
  EXPECT_TRUE(is_refused(type(9)));
  EXPECT_TRUE(is_refused(type(4) + type(3)));
  EXPECT_TRUE(is_refused(type(13)));
  EXPECT_TRUE(is_refused(type(12) + hex("ffffffffff01")));
  EXPECT_TRUE(is_refused(opaque(246, type(0) + type(0))));
  EXPECT_TRUE(is_refused(opaque(246, type(4) + type(5) + hex("73cd"))));
  EXPECT_TRUE(is_refused(opaque(12, "short")));
  EXPECT_TRUE(is_refused(type(2) + le(60000, 2) + le(65000, 2)));
  const std::string whole = small_object();
  for (size_t size = 1; size < whole.size(); ++size) {
    EXPECT_TRUE(is_refused(whole.substr(0, size))) << size;
  }
}

// An array that holds itself: neither deep nor long without end.
TEST(JsonBinary, ALoopIsRefused) {
  EXPECT_TRUE(is_refused(type(2) + le(1, 2) + le(7, 2) + type(2) + le(0, 2)));
  std::string wide = type(2) + le(40, 2) + le(124, 2);
  for (int i = 0; i < 40; ++i) wide += type(2) + le(0, 2);
  EXPECT_TRUE(is_refused(wide));
}

TEST(JsonBinary, NoBytesBreakIt) {
  std::mt19937 random(20261127);
  for (int round = 0; round < 50'000; ++round) {
    std::string bytes = small_object();
    for (unsigned i = random() % 4; i > 0; --i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    (void)json_text(bytes);
  }
}

}  // namespace
}  // namespace syncline::mariadb
