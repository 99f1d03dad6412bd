// What is read plainly has the bytes that canonical_from_native gives, whatever the column.
#include <gtest/gtest.h>

#include "drivers/systems/mariadb/detail/row_cells.hpp"
#include "drivers/systems/mariadb/detail/value.hpp"

namespace syncline::mariadb {
namespace {

constexpr std::string_view kTexts[] = {"0",
                                       "-7",
                                       "007",
                                       "18446744073709551615",
                                       "12.50",
                                       "open",
                                       "t",
                                       "Zurich  ",
                                       "2026-11-28",
                                       "2026-11-28 02:33:27",
                                       "2026-11-28 02:33:27.5",
                                       "2026-11-28 02:33:27.5+00",
                                       "2026-11-28 02:33:27Z",
                                       "0000-00-00",
                                       "12:34:56"};
constexpr std::string_view kTypes[] = {
    "bool",    "int64", "uint64", "decimal",     "decimal(4,2)", "text",         "text(5)",
    "char(8)", "enum",  "date",   "datetime(6)", "datetime(0)",  "timestamp(6)", "timestamp(0)",
    "time(6)", "bytes", "json",   "set",         "year",         "uuid"};

TEST(ReadPlainly, IsReadAsCanonicalFromNativeReads) {
  size_t plain_count = 0;
  for (uint8_t category = 0; category <= static_cast<uint8_t>(Category::kOther); ++category) {
    NativeType native;
    native.category = static_cast<Category>(category);
    for (const std::string_view name : kTypes) {
      const model::LogicalType type = model::parse_type(name).value();
      for (const std::string_view text : kTexts) {
        std::string bytes;
        if (!canonical_if_plain(text, native, type, bytes)) continue;
        ++plain_count;
        const auto wanted = canonical_from_native(text, native, type);
        EXPECT_EQ(bytes, wanted.has_value() ? wanted.value() : "none")
            << int{category} << ", " << name << ": " << text;
      }
    }
  }
  EXPECT_GT(plain_count, 100u);
}

}  // namespace
}  // namespace syncline::mariadb
