// Canonical bytes: one form per value, text and back, order, and what is refused.
#include "host/model/types.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "host/model/quote.hpp"

namespace syncline::model {
namespace {

LogicalType type_of(std::string_view text) {
  auto type = parse_type(text);
  EXPECT_TRUE(type.has_value()) << text;
  return type.has_value() ? type.value() : LogicalType{};
}

// The text that a value comes back as, or why it does not.
std::string again(std::string_view text, std::string_view type_text) {
  const LogicalType type = type_of(type_text);
  const auto bytes = canonical_from_text(text, type);
  if (!bytes.has_value()) return bytes.error().why;
  EXPECT_TRUE(is_canonical(bytes.value(), type)) << text << " as " << type_text;
  return text_from_canonical(bytes.value(), type);
}

std::string bytes_of(std::string_view text, std::string_view type_text) {
  const auto bytes = canonical_from_text(text, type_of(type_text));
  EXPECT_TRUE(bytes.has_value()) << text << " as " << type_text;
  return bytes.has_value() ? bytes.value() : std::string();
}

bool is_refused(std::string_view text, std::string_view type_text) {
  const auto bytes = canonical_from_text(text, type_of(type_text));
  if (bytes.has_value()) return false;
  const Error& error = bytes.error();
  EXPECT_EQ(error.code, ErrorCode::kValue);
  EXPECT_FALSE(error.what.empty() || error.why.empty() || error.fix.empty()) << to_string(error);
  return true;
}

struct Case {
  const char* type;
  const char* text;
  const char* expected;
};

TEST(Types, ComeBackAsTheirOneTextForm) {
  const Case cases[] = {
      {"bool", "1", "true"},
      {"bool", "false", "false"},
      {"int64", "-9223372036854775808", "-9223372036854775808"},
      {"int64", "+42", "42"},
      {"uint64", "18446744073709551615", "18446744073709551615"},
      {"decimal", "-0012.5000", "-12.5"},
      {"decimal", "1.5e3", "1500"},
      {"decimal", "-0.00", "0"},
      {"decimal", "12345678901234567.89", "12345678901234567.89"},
      {"decimal", ".000012e-2", "0.00000012"},
      {"decimal(10,2)", "12.5", "12.50"},
      {"decimal(10,2)", "-Infinity", "-Infinity"},
      {"decimal", "NaN", "NaN"},
      {"float32", "16777216", "16777216"},
      {"float32", "0.1", "0.1"},
      {"float64", "-0", "0"},
      {"float64", "1e300", "1e+300"},
      {"float64", "NaN", "NaN"},
      {"text", "", ""},
      {"text(3)", "\xC3\xA4\xC3\xB6\xC3\xBC", "\xC3\xA4\xC3\xB6\xC3\xBC"},
      {"char(3)", "ab     ", "ab"},
      {"bytes", "00FF", "00ff"},
      {"bytes(4)", "00ff", "00ff0000"},
      {"bit(9)", "010000001", "010000001"},
      {"bit", "", ""},
      {"date", "0001-01-01", "0001-01-01"},
      {"date", "2024-02-29", "2024-02-29"},
      {"datetime(3)", "2026-11-23T08:56:03.123999", "2026-11-23 08:56:03.123"},
      {"datetime(0)", "2026-11-23 08:56", "2026-11-23 08:56:00"},
      {"datetime", "1969-12-31", "1969-12-31 00:00:00.000000"},
      {"timestamp(6)", "2026-11-23 08:56:03+02:30", "2026-11-23 06:26:03.000000Z"},
      {"timestamp(0)", "1960-01-01T00:00:00.9-01", "1960-01-01 01:00:00Z"},
      {"time(1)", "24:00:00", "24:00:00.0"},
      {"time(6)", "23:59:59.999999", "23:59:59.999999"},
      {"interval", "P1Y2M3W4DT5H6M7.89S", "P14M25DT18367.89S"},
      {"interval", "-838:59:59", "PT-3020399S"},
      {"year", "0", "0"},
      {"uuid", "{6BA7B810-9DAD-11D1-80B4-00C04FD430C8}", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
      {"uuid", "6ba7b8109dad11d180b400c04fd430c8", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"},
      {"inet", "10.1.2.3/32", "10.1.2.3"},
      {"inet", "10.1.2.3/08", "10.1.2.3/8"},
      {"inet", "2001:DB8:0:0:0:0:0:1/64", "2001:db8::1/64"},
      {"macaddr", "0800.2B01.0203", "08:00:2b:01:02:03"},
      {"macaddr", "08-00-2b-01-02-03-04-05", "08:00:2b:01:02:03:04:05"},
      {"enum", "open", "open"},
      {"set", "b,a,b", "a,b"},
      {"set", "", ""},
      {"spatial", "4326;0101", "4326;0101"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(again(c.text, c.type), c.expected) << c.type << " of " << c.text;
  }
}

TEST(Types, RefuseWhatTheyCannotHold) {
  const Case cases[] = {
      {"bool", "2", ""},
      {"bool", "yes", ""},
      {"int64", "9223372036854775808", ""},
      {"int64", "1.0", ""},
      {"int64", "", ""},
      {"int64", "+-1", ""},
      {"uint64", "-1", ""},
      {"decimal", "1,5", ""},
      {"decimal", ".", ""},
      {"decimal", "1e99999999", ""},
      {"decimal(5,2)", "1000", ""},
      {"decimal(5,2)", "999.995", ""},
      {"float64", "1e999", ""},
      {"float32", "1e39", ""},
      {"float64", "inf", ""},
      {"text", "\xC0\x80", ""},
      {"text", "\xED\xA0\x80", ""},
      {"text", "\xF4\x90\x80\x80", ""},
      {"text", "\xE2\x82", ""},
      {"text(2)", "abc", ""},
      {"char(2)", "abc", ""},
      {"bytes(1)", "0001", ""},
      {"bytes", "0g", ""},
      {"bytes", "000", ""},
      {"bit(4)", "010", ""},
      {"bit", "012", ""},
      {"date", "0000-00-00", ""},
      {"date", "2025-02-29", ""},
      {"date", "2026-1-1", ""},
      {"date", "10000-01-01", ""},
      {"date", "infinity", ""},
      {"datetime", "2026-11-23 24:00:00", ""},
      {"datetime", "2026-11-23 08:56:60", ""},
      {"datetime", "2026-11-23 08:56:00Z", ""},
      {"datetime", "2026-11-23 08:56:00.", ""},
      {"timestamp", "2026-11-23 08:56:00", ""},
      {"timestamp", "0001-01-01 00:00:00+01", ""},
      {"timestamp", "2026-11-23 08:56:00+01:", ""},
      {"time", "24:00:01", ""},
      {"time", "8:00", ""},
      {"interval", "P", ""},
      {"interval", "P1DT", ""},
      {"interval", "P99999999999Y", ""},
      {"interval", "P1.5D", ""},
      {"year", "10000", ""},
      {"uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c", ""},
      {"uuid", "6ba7b810-9dad-11d1-80b4000c04fd430c8", ""},
      {"inet", "010.0.0.1", ""},
      {"inet", "10.0.0.1/33", ""},
      {"inet", "::1/129", ""},
      {"inet", "10.0.0.1/", ""},
      {"macaddr", "08:00:2b-01-02-03", ""},
      {"macaddr", "08:00:2b:01:02", ""},
      {"set", "a,,b", ""},
      {"spatial", "0101", ""},
      {"spatial", "4294967296;01", ""},
  };
  for (const Case& c : cases) EXPECT_TRUE(is_refused(c.text, c.type)) << c.type << " " << c.text;
}

TEST(Types, ADoubleIsAFloatOnlyWhereItIsOneExactly) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  for (const double value : {0.0, -1.5, 16777216.0, static_cast<double>(0.1F),
                             3.4028234663852886e38, 1.401298464324817e-45, -kInfinity}) {
    const auto bytes = canonical_exact_float32(value);
    ASSERT_TRUE(bytes.has_value()) << value;
    EXPECT_EQ(value, static_cast<double>(float32_from_canonical(bytes.value())));
  }
  for (const double value : {0.1, 16777217.0, 1e39, -1e308, 5e-324}) {
    EXPECT_FALSE(canonical_exact_float32(value).has_value()) << value;
  }
  EXPECT_EQ(canonical_float32(std::nanf("")), canonical_exact_float32(std::nan("")).value());
}

TEST(Types, EqualValuesHaveEqualBytes) {
  const std::vector<std::vector<const char*>> groups = {
      {"decimal", "12.50", "+12.5", "0012.500", "125e-1", "0.125E+2"},
      {"decimal", "0", "-0", "0.000", "0e5"},
      {"decimal(10,1)", "1.25", "1.3", "1.349"},
      {"decimal(3,1)", "-9.96", "-10"},
      {"decimal(3,0)", "99.5", "100"},
      {"decimal(4,2)", "0.004", "-0.0049", "0"},
      {"float64", "0", "-0"},
      {"float32", "0.1", "0.100000001490116"},
      {"char(9)", "a", "a  "},
      {"bytes(3)", "01", "0100", "010000"},
      {"timestamp(3)", "2026-11-23T00:00:00.0001Z", "2026-11-23 01:00:00+01",
       "2026-11-22 19:00:00.000999-0500"},
      {"inet", "::ffff:1.2.3.4", "::FFFF:102:304"},
      {"set", "x,y", "y,x,x"},
  };
  for (const auto& group : groups) {
    const std::string first = bytes_of(group[1], group[0]);
    for (size_t i = 2; i < group.size(); ++i) {
      EXPECT_EQ(bytes_of(group[i], group[0]), first) << group[0] << " " << group[i];
    }
  }
}

TEST(Types, IntervalsAreNeverNormalised) {
  EXPECT_NE(bytes_of("P1D", "interval"), bytes_of("PT24H", "interval"));
  EXPECT_NE(bytes_of("P1M", "interval"), bytes_of("P30D", "interval"));
}

TEST(Types, PublishedFormsStay) {
  EXPECT_EQ(bytes_of("-1", "int64"), std::string("\x7f\xff\xff\xff\xff\xff\xff\xff"));
  EXPECT_EQ(bytes_of("12.5", "decimal"), std::string("\x04\x80\x00\x02\x0c\x32", 6));
  EXPECT_EQ(bytes_of("-12.5", "decimal"), std::string("\x02\x7f\xff\xfd\xf3\xcd\xff"));
  EXPECT_EQ(bytes_of("0", "decimal"), "\x03");
  EXPECT_EQ(bytes_of("1970-01-02", "date"), std::string("\x80\x00\x00\x01", 4));
  EXPECT_EQ(bytes_of("101", "bit(3)"), std::string("\x00\x00\x00\x03\xa0", 5));
}

RC_GTEST_PROP(Types, Int64BytesSortAsTheirValues, (int64_t a, int64_t b)) {
  RC_ASSERT((canonical_int64(a) < canonical_int64(b)) == (a < b));
  RC_ASSERT(int64_from_canonical(canonical_int64(a)) == a);
}

RC_GTEST_PROP(Types, Uint64BytesSortAsTheirValues, (uint64_t a, uint64_t b)) {
  RC_ASSERT((canonical_uint64(a) < canonical_uint64(b)) == (a < b));
  RC_ASSERT(uint64_from_canonical(canonical_uint64(a)) == a);
}

RC_GTEST_PROP(Types, FloatBytesSortAsTheirValues, (uint64_t a_bits, uint64_t b_bits)) {
  const auto a = std::bit_cast<double>(a_bits);
  const auto b = std::bit_cast<double>(b_bits);
  RC_PRE(!std::isnan(a) && !std::isnan(b));
  RC_ASSERT((canonical_float64(a) < canonical_float64(b)) == (a < b));
  RC_ASSERT(float64_from_canonical(canonical_float64(a)) == a);
}

RC_GTEST_PROP(Types, Float32BytesSortAsTheirValues, (uint32_t a_bits, uint32_t b_bits)) {
  const auto a = std::bit_cast<float>(a_bits);
  const auto b = std::bit_cast<float>(b_bits);
  RC_PRE(!std::isnan(a) && !std::isnan(b));
  RC_ASSERT((canonical_float32(a) < canonical_float32(b)) == (a < b));
  RC_ASSERT(float32_from_canonical(canonical_float32(a)) == a);
}

TEST(Types, ThereIsOneNan) {
  const auto odd = std::bit_cast<double>(uint64_t{0xFFF8'0000'0000'1234});
  EXPECT_EQ(canonical_float64(odd), canonical_float64(std::nan("")));
  EXPECT_EQ(canonical_float32(-std::nanf("")), canonical_float32(std::nanf("7")));
}

RC_GTEST_PROP(Types, DecimalBytesSortAsTheirValues, (int32_t a, int32_t b)) {
  const auto scale_a = *rc::gen::inRange(0, 12);
  const auto scale_b = *rc::gen::inRange(0, 12);
  const auto text = [](int32_t value, int scale) {
    return std::to_string(value) + "e-" + std::to_string(scale);
  };
  const auto exact = [](int32_t value, int scale) {
    __int128 wide = value;
    for (int i = scale; i < 12; ++i) wide *= 10;
    return wide;
  };
  const std::string bytes_a = bytes_of(text(a, scale_a), "decimal");
  const std::string bytes_b = bytes_of(text(b, scale_b), "decimal");
  const auto exact_a = exact(a, scale_a);
  const auto exact_b = exact(b, scale_b);
  RC_ASSERT((bytes_a < bytes_b) == (exact_a < exact_b));
  RC_ASSERT((bytes_a == bytes_b) == (exact_a == exact_b));
}

TEST(Types, DecimalExtremesSortOutside) {
  const char* rising[] = {"-Infinity", "-1e400", "-1.25", "-1.2",  "-1e-400",  "0",
                          "1e-400",    "1.2",    "1.25",  "1e400", "Infinity", "NaN"};
  for (size_t i = 1; i < std::size(rising); ++i) {
    EXPECT_LT(bytes_of(rising[i - 1], "decimal"), bytes_of(rising[i], "decimal")) << rising[i];
  }
}

RC_GTEST_PROP(Types, DecimalTextComesBack, ()) {
  const auto digits =
      *rc::gen::nonEmpty(rc::gen::container<std::string>(rc::gen::inRange('0', ':')));
  const auto exponent = *rc::gen::inRange(-60, 60);
  const std::string bytes = bytes_of("-" + digits + "E" + std::to_string(exponent), "decimal");
  const std::string text = text_from_canonical(bytes, type_of("decimal"));
  RC_ASSERT(bytes_of(text, "decimal") == bytes);
}

RC_GTEST_PROP(Types, TimesComeBackAndSort, ()) {
  constexpr int64_t kFirstUs = -62'135'596'800'000'000;
  constexpr int64_t kEndUs = 253'402'300'800'000'000;
  const auto a = *rc::gen::inRange(kFirstUs, kEndUs);
  const auto b = *rc::gen::inRange(kFirstUs, kEndUs);
  const auto precision = *rc::gen::inRange(0, 7);
  for (const char* name : {"datetime", "timestamp"}) {
    const LogicalType type = type_of(std::string(name) + "(" + std::to_string(precision) + ")");
    const std::string bytes = canonical_time_us(a, type).value();
    RC_ASSERT(canonical_from_text(text_from_canonical(bytes, type), type).value() == bytes);
    RC_ASSERT(int64_from_canonical(bytes) <= a);
    RC_ASSERT(a - int64_from_canonical(bytes) < static_cast<int64_t>(std::pow(10, 6 - precision)));
    if (a <= b) RC_ASSERT(bytes <= canonical_time_us(b, type).value());
  }
}

TEST(Types, TimesOutsideTheirRangeAreRefused) {
  EXPECT_FALSE(canonical_time_us(-1, type_of("time")).has_value());
  EXPECT_FALSE(canonical_time_us(86'400'000'001, type_of("time")).has_value());
  EXPECT_FALSE(
      canonical_time_us(std::numeric_limits<int64_t>::min(), type_of("datetime")).has_value());
  EXPECT_FALSE(canonical_time_us(253'402'300'800'000'000, type_of("timestamp")).has_value());
}

RC_GTEST_PROP(Types, IntervalsComeBack, (int32_t months, int32_t days, int64_t microseconds)) {
  const std::string bytes = canonical_interval(months, days, microseconds);
  RC_ASSERT(bytes_of(text_from_canonical(bytes, type_of("interval")), "interval") == bytes);
}

RC_GTEST_PROP(Types, ForeignBytesNeverReadOutside, (const std::string& bytes)) {
  for (int kind = 1; kind <= 23; ++kind) {
    const LogicalType type{.kind = static_cast<TypeKind>(kind), .precision = 6};
    const std::string text = text_from_canonical(bytes, type);
    if (is_canonical(bytes, type)) RC_ASSERT(canonical_from_text(text, type).value() == bytes);
  }
}

// Counted here in the plainest way: bytes that do not continue a character.
RC_GTEST_PROP(Types, TextLengthIsInCharacters, ()) {
  const auto parts = *rc::gen::container<std::vector<std::string>>(rc::gen::element<std::string>(
      "a", "plain words", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80"));
  std::string text;
  for (const std::string& part : parts) text += part;
  const auto count = static_cast<uint32_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
  RC_PRE(count > 1);
  RC_ASSERT(canonical_text(text, {.kind = TypeKind::kText, .length = count}).has_value());
  RC_ASSERT(!canonical_text(text, {.kind = TypeKind::kText, .length = count - 1}).has_value());
  const auto cut = *rc::gen::inRange<size_t>(0, text.size());
  RC_ASSERT(!canonical_text(text.substr(0, cut) + "\xff" + text, {}).has_value());
}

// --- json

TEST(Json, HasOneForm) {
  const Case cases[] = {
      {"json", " { \"b\" : 1 , \"a\" : [ true , null ] } ", R"({"a":[true,null],"b":1})"},
      {"json", R"({"a":1,"a":2})", R"({"a":2})"},
      {"json", "12345678901234567890", "12345678901234567890"},
      {"json", "1.50e1", "15"},
      {"json", "-0.0", "0"},
      {"json", "1e21", "1e+21"},
      {"json", "1e20", "100000000000000000000"},
      {"json", "0.000001", "0.000001"},
      {"json", "0.00000012", "1.2e-7"},
      {"json", "-1234567890123456789012345", "-1.234567890123456789012345e+24"},
      {"json", R"("\u0041\/\u000f\n\"\\")", R"("A/\u000f\n\"\\")"},
      {"json", R"("\ud83d\ude00")", "\"\xF0\x9F\x98\x80\""},
      {"json", "[]", "[]"},
      {"json", "{}", "{}"},
      {"json", R"([[],[{}],""])", R"([[],[{}],""])"},
  };
  for (const Case& c : cases) EXPECT_EQ(again(c.text, c.type), c.expected) << c.text;
}

// The sorting example of RFC 8785, section 3.2.3.
TEST(Json, KeysSortByUtf16Units) {
  const char* text =
      R"({"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7})";
  EXPECT_EQ(again(text, "json"),
            "{\"\\r\":2,\"1\":4,\"\xC2\x80\":6,\"\xC3\xB6\":7,\"\xE2\x82\xAC\":1,"
            "\"\xF0\x9F\x98\x80\":5,\"\xEF\xAC\xB3\":3}");
}

TEST(Json, RefusesWhatIsNotJson) {
  const char* texts[] = {
      "",        "{",   "[1,]",     "{\"a\"}", "{a:1}",       "01",          "+1",
      ".5",      "1.",  "1.e5",     "1e",      "--1",         "NaN",         "tru",
      "[1 2]",   "1 2", "\"\\x\"",  "\"\n\"",  "\"\\ud800\"", "\"\\udc00\"", "\"a",
      "\"\\u12", "'a'", "{\"a\":}", "[1}",     "1e9999999999"};
  for (const char* text : texts) EXPECT_TRUE(is_refused(text, "json")) << text;
  EXPECT_TRUE(is_refused(std::string(100'000, '['), "json"));
}

std::string random_json(int depth) {
  const int kind = *rc::gen::inRange(0, depth > 0 ? 6 : 4);
  if (kind == 0) return std::to_string(*rc::gen::arbitrary<int64_t>());
  if (kind == 1) {
    return std::to_string(*rc::gen::inRange(-9, 9)) + ".25e" +
           std::to_string(*rc::gen::inRange(-40, 40));
  }
  if (kind == 2) return *rc::gen::element<std::string>("true", "false", "null");
  const auto name = [] {
    return "\"" + *rc::gen::element<std::string>("a", "b", "\\u0000", "\\n", "\xC3\xA4", "") + "\"";
  };
  if (kind == 3) return name();
  std::string text = kind == 4 ? "[" : "{";
  const int count = *rc::gen::inRange(0, 4);
  for (int i = 0; i < count; ++i) {
    if (i > 0) text += " , ";
    if (kind == 5) text += name() + " : ";
    text += random_json(depth - 1);
  }
  return text + (kind == 4 ? "]" : "}");
}

RC_GTEST_PROP(Json, CanonicalFormIsItsOwnCanonicalForm, ()) {
  const auto once = canonical_json(random_json(3)).value();
  RC_ASSERT(canonical_json(once).value() == once);
}

// --- type names

TEST(TypeNames, ComeBack) {
  for (const char* text :
       {"bool", "decimal", "decimal(10,2)", "text", "text(40)", "char(3)", "bytes(16)", "bit(7)",
        "datetime(6)", "timestamp(0)", "time(3)", "json"}) {
    EXPECT_EQ(to_string(type_of(text)), text);
  }
  EXPECT_EQ(to_string(type_of("datetime")), "datetime(6)");
  EXPECT_EQ(to_string(type_of("decimal(5)")), "decimal(5,0)");
  EXPECT_EQ(to_string(type_of("decimal(10, 2)")), "decimal(10,2)");
}

TEST(TypeNames, AreRefusedWithTheKnownOnes) {
  for (const char* text :
       {"", "varchar", "text(", "text()", "text(0)", "text(1,2)", "text(x)", "bool(1)",
        "datetime(7)", "decimal(2,3)", "decimal(0)", "decimal(1,2,3)", "text(4)x"}) {
    const auto type = parse_type(text);
    ASSERT_FALSE(type.has_value()) << text;
    EXPECT_EQ(type.error().code, ErrorCode::kConfigValue);
    EXPECT_NE(type.error().fix.find("decimal"), std::string::npos);
  }
}

TEST(Types, MessagesCutLongValuesAndHideBrokenOnes) {
  const auto error = canonical_text(std::string(500, 'x'), type_of("text(9)")).error();
  EXPECT_LT(error.what.size(), 150U);
  EXPECT_NE(error.what.find("text(9)"), std::string::npos);
  const auto broken = canonical_text("\xff\x01", type_of("text")).error();
  EXPECT_NE(broken.what.find("0xff01"), std::string::npos);
}

TEST(Quote, IsCutBehindACharacter) {
  std::string letters;
  for (int i = 0; i < 60; ++i) letters += "ä";
  for (const std::string& text : {letters, "x" + letters}) {
    const std::string shown = quote(text);
    ASSERT_TRUE(shown.ends_with("ä...")) << shown;
    EXPECT_TRUE(text.starts_with(shown.substr(0, shown.size() - 3)));
  }
  EXPECT_EQ("0xff01", quote("\xff\x01"));
  EXPECT_EQ("", quote(""));
}

}  // namespace
}  // namespace syncline::model
