// What is read plainly has the bytes that canonical_from_native gives, whatever the column.
#include "drivers/systems/postgres/detail/row_cells.hpp"
#include "drivers/systems/postgres/detail/value.hpp"
#include "host/model/plain_values.hpp"
#include "tests/support/plain_texts.hpp"

namespace syncline::postgres {
namespace {

using model::LogicalType;

TEST(ReadPlainly, IsReadAsCanonicalFromNativeReads) {
  const auto read = [](std::string_view text, const NativeType& native, const LogicalType& type) {
    std::string bytes;
    const bool is_plain = is_read_plainly(native) && model::canonical_if_plain(text, type, bytes);
    return is_plain ? std::optional(bytes) : std::nullopt;
  };
  expect_read_plainly<NativeType>(Category::kOther, read, canonical_from_native);
}

}  // namespace
}  // namespace syncline::postgres
