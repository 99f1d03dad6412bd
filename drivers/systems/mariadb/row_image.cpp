#include "drivers/systems/mariadb/detail/row_image.hpp"

namespace syncline::mariadb {
namespace {

bool has_bit(std::string_view bits, size_t at) {
  return (static_cast<uint8_t>(bits[at / 8]) >> (at % 8) & 1) != 0;
}

auto damaged() {
  return fail(ErrorCode::kSystemOpen, "the log is not what it should be", "a row ends too early",
              "nothing: the log is opened anew");
}

}  // namespace

bool has_column(std::string_view present, size_t column) {
  return column / 8 < present.size() && has_bit(present, column);
}

Result<void> ImageReader::next(std::string_view present, RowImage& image) {
  const size_t column_count = map_.columns.size();
  image.assign(column_count, {});
  if (present.size() * 8 < column_count) return damaged();
  size_t present_count = 0;
  for (size_t i = 0; i < column_count; ++i) present_count += has_bit(present, i) ? 1 : 0;
  const size_t nulls_size = (present_count + 7) / 8;
  if (nulls_size == 0 || rest_.size() < nulls_size) return damaged();  // a row has columns
  const std::string_view nulls = rest_.substr(0, nulls_size);
  rest_.remove_prefix(nulls_size);
  size_t at = 0;
  for (size_t i = 0; i < column_count; ++i) {
    if (!has_bit(present, i)) continue;
    if (has_bit(nulls, at++)) {
      image[i].state = ImageState::kNull;
      continue;
    }
    const size_t size = cell_size(map_.columns[i], rest_);
    if (size > rest_.size()) return damaged();
    image[i] = {ImageState::kValue, rest_.substr(0, size)};
    rest_.remove_prefix(size);
  }
  return success();
}

}  // namespace syncline::mariadb
