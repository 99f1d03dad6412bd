// SQLite's values and canonical bytes, both ways.
#include <cmath>
#include <limits>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/value.hpp"
#include "tests/unit/sqlite/sqlite_fixture.hpp"

namespace syncline::sqlite {
namespace {

NativeValue integer(int64_t value) {
  return {StorageClass::kInteger, value, 0, {}};
}
NativeValue real(double value) {
  return {StorageClass::kReal, 0, value, {}};
}
NativeValue text(std::string_view value) {
  return {StorageClass::kText, 0, 0, value};
}
NativeValue blob(std::string_view value) {
  return {StorageClass::kBlob, 0, 0, value};
}

// The value as the type's text, or "refused".
std::string read_as(const std::string& type, const NativeValue& value) {
  const auto cell = cell_from_native(value, type_of(type));
  if (!cell) {
    EXPECT_EQ(ErrorCode::kValue, cell.error().code);
    EXPECT_FALSE(cell.error().why.empty());
    EXPECT_FALSE(cell.error().fix.empty());
    return "refused";
  }
  if (cell.value().state == model::CellState::kNull) return "NULL";
  return model::text_from_canonical(cell.value().bytes, type_of(type));
}

TEST(SqliteValues, AreReadOnlyWhereTheConversionIsExact) {
  EXPECT_EQ("NULL", read_as("int64", {}));
  EXPECT_EQ("7", read_as("int64", integer(7)));
  EXPECT_EQ("7", read_as("int64", real(7.0)));
  EXPECT_EQ("7", read_as("int64", text("7")));
  EXPECT_EQ("refused", read_as("int64", text("seven")));
  EXPECT_EQ("refused", read_as("int64", real(7.5)));
  EXPECT_EQ("refused", read_as("int64", real(9223372036854775808.0)));
  EXPECT_EQ("refused", read_as("int64", blob("7")));
  EXPECT_EQ("refused", read_as("uint64", integer(-1)));
  EXPECT_EQ("true", read_as("bool", integer(1)));
  EXPECT_EQ("refused", read_as("bool", integer(2)));
  EXPECT_EQ("2", read_as("float64", integer(2)));
  EXPECT_EQ("refused", read_as("float64", integer((int64_t{1} << 53) + 1)));
  EXPECT_EQ("0.5", read_as("float32", real(0.5)));
  EXPECT_EQ("refused", read_as("float32", real(0.1)));
  EXPECT_EQ("7", read_as("text", integer(7)));
  EXPECT_EQ("refused", read_as("text", real(1.5)));
  EXPECT_EQ("refused", read_as("text", blob("ab")));
  EXPECT_EQ("refused", read_as("text", text("\xff")));
}

TEST(SqliteValues, DecimalsFromDoublesKeepWhatFifteenDigitsShow) {
  EXPECT_EQ("12.50", read_as("decimal(10,2)", text("12.50")));
  EXPECT_EQ("0.30", read_as("decimal(10,2)", real(0.1 + 0.2)));
  EXPECT_EQ("1234567890123.45", read_as("decimal(15,2)", real(1234567890123.45)));
  EXPECT_EQ("refused", read_as("decimal(20,2)", real(12345678901234567.89)));
  EXPECT_EQ("12345678901234567.89", read_as("decimal(20,2)", text("12345678901234567.89")));
  EXPECT_EQ("9223372036854775807",
            read_as("decimal(20,0)", integer(std::numeric_limits<int64_t>::max())));
}

TEST(SqliteValues, TimesAreText) {
  EXPECT_EQ("2024-02-29", read_as("date", text("2024-02-29")));
  EXPECT_EQ("refused", read_as("date", text("2023-02-29")));
  EXPECT_EQ("refused", read_as("date", integer(1700000000)));
  EXPECT_EQ("2024-01-02 03:04:05.250", read_as("datetime(3)", text("2024-01-02T03:04:05.25")));
  EXPECT_EQ("2024-01-02 03:04:05Z", read_as("timestamp(0)", text("2024-01-02 03:04:05")));
  EXPECT_EQ("2024-01-02 01:04:05Z", read_as("timestamp(0)", text("2024-01-02 03:04:05+02:00")));
  EXPECT_EQ("03:04:05", read_as("time(0)", text("03:04:05")));
}

TEST(SqliteValues, UuidsAreTextOrSixteenBytes) {
  const std::string uuid = "00112233-4455-6677-8899-aabbccddeeff";
  EXPECT_EQ(uuid, read_as("uuid", text("00112233-4455-6677-8899-AABBCCDDEEFF")));
  const std::string bytes = model::canonical_uuid(uuid).value();
  EXPECT_EQ(uuid, read_as("uuid", blob(bytes)));
  EXPECT_EQ("refused", read_as("uuid", blob("short")));
}

struct Written {
  const char* type;
  const char* declared;
  const char* value;
};

class SqliteRoundTrip : public testing::TestWithParam<Written> {};

// Through a real column of that declared type.
TEST_P(SqliteRoundTrip, KeepsTheCanonicalBytes) {
  const auto& [type_text, declared, value] = GetParam();
  const model::LogicalType type = type_of(type_text);
  const std::string canonical = model::canonical_from_text(value, type).value();
  NativeCell native;
  const auto bound =
      native_from_cell(model::CellState::kValue, canonical, type, affinity_of(declared), native);
  ASSERT_TRUE(bound.has_value()) << to_string(bound.error());

  Folder folder;
  User user(folder.file("t.db"));
  user.run("CREATE TABLE t(v " + std::string(declared) + ")");
  auto connection = Connection::open(folder.file("t.db"), Access::kWrite, "NORMAL", 0).value();
  Statement insert = connection->prepare("INSERT INTO t VALUES (?)").value();
  insert.bind(1, native.view());
  ASSERT_EQ(SQLITE_DONE, insert.run());
  Statement select = connection->prepare("SELECT v FROM t").value();
  ASSERT_TRUE(connection->next(select).value());
  const auto cell = cell_from_native(select.value(0), type);
  ASSERT_TRUE(cell.has_value()) << to_string(cell.error());
  EXPECT_EQ(canonical, cell.value().bytes) << user.ask("SELECT typeof(v), v FROM t");
}

INSTANTIATE_TEST_SUITE_P(
    Types, SqliteRoundTrip,
    testing::Values(
        Written{"bool", "BOOLEAN", "true"}, Written{"bool", "TEXT", "false"},
        Written{"int64", "INTEGER", "-9223372036854775808"}, Written{"int64", "TEXT", "42"},
        Written{"int64", "REAL", "9007199254740991"},
        Written{"uint64", "UNSIGNED BIG INT", "9223372036854775807"},
        Written{"float64", "REAL", "0.1"}, Written{"float64", "REAL", "Infinity"},
        Written{"float64", "INTEGER", "5"}, Written{"float32", "FLOAT", "0.1"},
        Written{"decimal(10,2)", "DECIMAL(10,2)", "12345678.91"},
        Written{"decimal(30,2)", "TEXT", "1234567890123456789012345678.91"},
        Written{"decimal(19,0)", "NUMERIC", "9223372036854775807"}, Written{"text", "TEXT", "007"},
        Written{"text", "STRING", "12"}, Written{"text", "VARCHAR(3)", "longer than three"},
        Written{"char(5)", "CHAR(5)", "ab"}, Written{"bytes", "BLOB", "00ff41"},
        Written{"spatial", "BLOB", "4326;0101000000000000000000f03f0000000000000040"},
        Written{"date", "DATE", "2024-02-29"},
        Written{"datetime(6)", "DATETIME", "2024-01-02 03:04:05.678901"},
        Written{"datetime(6)", "DATETIME", "2024-01-02 03:04:05"},
        Written{"timestamp(6)", "TIMESTAMP", "2024-01-02 03:04:05.5Z"},
        Written{"time(3)", "TIME", "23:59:59.999"}, Written{"interval", "TEXT", "P1M2DT3S"},
        Written{"uuid", "UUID", "00112233-4455-6677-8899-aabbccddeeff"},
        Written{"uuid", "BLOB", "00112233-4455-6677-8899-aabbccddeeff"},
        Written{"json", "JSON", "{\"a\":12345678901234567890}"}, Written{"json", "JSON", "12"},
        Written{"year", "YEAR", "2024"}, Written{"inet", "TEXT", "10.0.0.1"}));

TEST(SqliteValues, AffinityThatWouldChangeTextIsRefused) {
  NativeCell out;
  const auto refused = [&](const std::string& value, const std::string& declared) {
    return !native_from_cell(model::CellState::kValue, value, type_of("text"),
                             affinity_of(declared), out);
  };
  for (const char* value : {"007", "1.0", "1e3", " 5", "5 ", "+5", ".5", "9223372036854775808"}) {
    EXPECT_TRUE(refused(value, "STRING")) << value;
    EXPECT_FALSE(refused(value, "TEXT")) << value;
    EXPECT_FALSE(refused(value, "")) << value;
  }
  EXPECT_TRUE(refused("5", "REAL"));
  for (const char* value : {"5", "-5", "5a", "e5", "", "0x10", "1e", "--1"}) {
    EXPECT_FALSE(refused(value, "STRING")) << value;
  }
}

TEST(SqliteValues, DeclaredTypesSayWhatTheyHold) {
  const auto type = [](const char* declared) { return to_string(logical_type_of(declared)); };
  EXPECT_EQ("int64", type("INTEGER"));
  EXPECT_EQ("int64", type("TINYINT(1)"));
  EXPECT_EQ("bool", type("boolean"));
  EXPECT_EQ("decimal(12,3)", type("DECIMAL(12, 3)"));
  EXPECT_EQ("text", type("VARCHAR(20)"));
  EXPECT_EQ("text", type(""));
  EXPECT_EQ("bytes", type("BLOB"));
  EXPECT_EQ("float64", type("DOUBLE PRECISION"));
  EXPECT_EQ("datetime(6)", type("DATETIME"));
  EXPECT_EQ("timestamp(3)", type("TIMESTAMP (3)"));
  EXPECT_EQ("date", type("date"));
}

}  // namespace
}  // namespace syncline::sqlite
