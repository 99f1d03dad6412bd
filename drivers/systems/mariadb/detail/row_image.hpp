// The rows of one event, image by image: for each column of the table whether it is there, NULL, or
// its bytes.
//
// Foreign bytes: every length is checked. Owner: views borrow from the event. Threads: one at a
// time. Errors: next() says kSystemOpen for bytes that are no rows.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/wire.hpp"
#include "host/base/result.hpp"

namespace syncline::mariadb {

enum class ImageState : uint8_t { kAbsent, kNull, kValue };

struct ImageCell {
  ImageState state = ImageState::kAbsent;
  std::string_view bytes;
  bool operator==(const ImageCell&) const = default;
};

using RowImage = std::vector<ImageCell>;  // per column of the table

// Whether images of which these are the bits have that column.
bool has_column(std::string_view present, size_t column);

class ImageReader {
 public:
  ImageReader(const TableMap& map, std::string_view rows) : map_(map), rest_(rows) {}

  bool is_at_end() const { return rest_.empty(); }
  // present: the bits of the columns that this kind of image has.
  Result<void> next(std::string_view present, RowImage& image);

 private:
  const TableMap& map_;
  std::string_view rest_;
};

}  // namespace syncline::mariadb
