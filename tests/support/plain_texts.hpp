// Texts by types: what a driver reads plainly has the bytes that its long way gives.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "host/model/types.hpp"

namespace syncline {

inline constexpr std::string_view kPlainTexts[] = {"0",
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
inline constexpr std::string_view kPlainTypes[] = {
    "bool",    "int64", "uint64", "decimal",     "decimal(4,2)", "text",         "text(5)",
    "char(8)", "enum",  "date",   "datetime(6)", "datetime(0)",  "timestamp(6)", "timestamp(0)",
    "time(6)", "bytes", "json",   "set",         "year",         "uuid"};

// read: the bytes, where the text is plain. wanted: a Result of them.
template <class NativeType, class Category, class Read, class Wanted>
void expect_read_plainly(Category last, const Read& read, const Wanted& wanted) {
  size_t plain_count = 0;
  for (uint8_t category = 0; category <= static_cast<uint8_t>(last); ++category) {
    NativeType native;
    native.category = static_cast<Category>(category);
    for (const std::string_view name : kPlainTypes) {
      const model::LogicalType type = model::parse_type(name).value();
      for (const std::string_view text : kPlainTexts) {
        const std::optional<std::string> bytes = read(text, native, type);
        if (!bytes) continue;
        ++plain_count;
        const auto as_ever = wanted(text, native, type);
        EXPECT_EQ(*bytes, as_ever.has_value() ? as_ever.value() : "none")
            << int{category} << ", " << name << ": " << text;
      }
    }
  }
  EXPECT_GT(plain_count, 100u);
}

}  // namespace syncline
