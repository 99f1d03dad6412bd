// What is plain has the bytes that canonical_from_text gives, and everyday values are plain.
#include "host/model/plain_values.hpp"

#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace syncline::model {
namespace {

const std::vector<std::string>& types() {
  static const std::vector<std::string> kTypes = {
      "int64",        "uint64",      "decimal",     "decimal(10,2)", "decimal(4,4)",
      "decimal(5,0)", "text",        "text(5)",     "enum",          "date",
      "datetime(6)",  "datetime(0)", "datetime(3)", "timestamp(6)",  "timestamp(0)",
      "char(4)",      "time(6)",     "bool",        "bytes",         "uuid",
      "float64",      "interval",    "json",        "year",          "set"};
  return kTypes;
}

LogicalType type_of(const std::string& name) {
  return parse_type(name).value();
}

// True where it was plain; then it is right.
bool is_plain(const std::string& text, const std::string& type_name) {
  const LogicalType type = type_of(type_name);
  std::string bytes = "before";
  if (!canonical_if_plain(text, type, bytes)) {
    EXPECT_EQ(bytes, "before");
    return false;
  }
  const auto wanted = canonical_from_text(text, type);
  EXPECT_TRUE(wanted.has_value()) << type_name << ": " << text;
  EXPECT_EQ(bytes, (wanted.has_value() ? wanted.value() : "none")) << type_name << ": " << text;
  return true;
}

TEST(PlainValues, EverydayValuesArePlain) {
  const std::vector<std::pair<std::string, std::string>> values = {
      {"int64", "0"},
      {"int64", "-9223372036854775808"},
      {"uint64", "18446744073709551615"},
      {"decimal(10,2)", "12345678.90"},
      {"decimal(10,2)", "-0.01"},
      {"decimal(10,2)", "0.00"},
      {"decimal", "123456789012345678901234567890.5"},
      {"text", "Zurich"},
      {"text(6)", "Z\xc3\xbcrich"},
      {"text(5)", "12345"},
      {"enum", "open"},
      {"date", "2026-11-28"},
      {"datetime(6)", "2026-11-28 02:33:27.123456"},
      {"datetime(0)", "2024-02-29 23:59:59"},
      {"timestamp(6)", "1999-12-31 00:00:00.5+00"},
      {"timestamp(6)", "0001-01-01 00:00:00Z"}};
  for (const auto& [type, text] : values) EXPECT_TRUE(is_plain(text, type)) << type << ": " << text;
}

TEST(PlainValues, UnusualOnesAreLeft) {
  const std::vector<std::pair<std::string, std::string>> values = {
      {"int64", "+1"},
      {"int64", "9223372036854775808"},
      {"int64", ""},
      {"uint64", "-1"},
      {"decimal(10,2)", "1.005"},
      {"decimal(10,2)", "123456789.00"},
      {"decimal", "1e3"},
      {"decimal", "NaN"},
      {"decimal", "."},
      {"decimal", "1.2.3"},
      {"text", "Z\xc3rich"},
      {"text(5)", "123456"},
      {"date", "2026-02-29"},
      {"date", "infinity"},
      {"date", "0000-00-00"},
      {"datetime(0)", "2026-11-28 02:33:27.5"},
      {"datetime(6)", "2026-11-28 24:00:00"},
      {"datetime(6)", "2026-11-28 02:33:27."},
      {"timestamp(6)", "2026-11-28 02:33:27+02"},
      {"timestamp(6)", "2026-11-28 02:33:27"}};
  for (const auto& [type, text] : values) {
    EXPECT_FALSE(is_plain(text, type)) << type << ": " << text;
  }
}

// Texts near to values of every type, by every type.
TEST(PlainValues, WhatIsPlainIsRight) {
  const std::vector<std::string> seeds = {"0",
                                          "-12.50",
                                          "00012.3400",
                                          "99999999.99",
                                          "0.0001",
                                          "2026-11-28",
                                          "12:34:56",
                                          "2026-11-28 02:33:27.123456+00",
                                          "2026-11-28 02:33:27Z",
                                          "true",
                                          "abc",
                                          "18446744073709551615",
                                          "-9223372036854775808",
                                          "0000-00-00",
                                          "9999-12-31"};
  const std::string letters = "0123456789-+.: eETZ\xc3\xa9";
  std::mt19937_64 random(7);
  size_t plain_count = 0;
  for (int round = 0; round < 40'000; ++round) {
    std::string text = seeds[random() % seeds.size()];
    for (uint64_t change = random() % 4; change > 0; --change) {
      const size_t at = random() % (text.size() + 1);
      const char letter = random() % 40 == 0 ? '\0' : letters[random() % letters.size()];
      if (random() % 3 == 0 || at == text.size()) {
        text.insert(at, 1, letter);
      } else if (random() % 2 == 0) {
        text[at] = letter;
      } else {
        text.erase(at, 1);
      }
    }
    for (const std::string& type : types()) plain_count += is_plain(text, type) ? 1 : 0;
    if (HasFailure()) return;
  }
  EXPECT_GT(plain_count, 100'000u);
}

}  // namespace
}  // namespace syncline::model
