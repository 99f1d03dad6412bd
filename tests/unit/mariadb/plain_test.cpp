// What is read plainly has the bytes that canonical_from_native gives, whatever the column.
#include "drivers/systems/mariadb/detail/row_cells.hpp"
#include "drivers/systems/mariadb/detail/value.hpp"
#include "tests/support/plain_texts.hpp"

namespace syncline::mariadb {
namespace {

using model::LogicalType;

TEST(ReadPlainly, IsReadAsCanonicalFromNativeReads) {
  const auto read = [](std::string_view text, const NativeType& native, const LogicalType& type) {
    std::string bytes;
    const bool is_plain = canonical_if_plain(text, native, type, bytes);
    return is_plain ? std::optional(bytes) : std::nullopt;
  };
  expect_read_plainly<NativeType>(Category::kOther, read, canonical_from_native);
}

}  // namespace
}  // namespace syncline::mariadb
