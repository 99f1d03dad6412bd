// A row's cells as canonical bytes, in schema order.
//
// Owner: the views borrow from it until the next reset. Threads: one at a time. Errors: kValue and
// kSystemKey, naming the column.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/table.hpp"
#include "drivers/systems/mariadb/detail/wire.hpp"
#include "host/model/cell.hpp"

namespace syncline::mariadb {

class RowCells {
 public:
  // Every cell unchanged; memory is kept.
  void reset(size_t count) {
    bytes_.resize(count);
    views_.assign(count, {});
    has_other_spelling_ = false;
  }

  // From the log, from a row of SELECT of select_list, and from an image (text_in_image).
  Result<void> set_logged(const Mapped& mapped, size_t field, std::string_view cell,
                          const WireColumn& wire);
  Result<void> set_read(const Mapped& mapped, size_t field, std::string_view cell);
  Result<void> set_text(const Mapped& mapped, size_t field, std::string_view text);
  Result<void> set_null(const Mapped& mapped, size_t field);
  void set_canonical(size_t field, const model::Cell& cell) {
    bytes_[field] = cell.bytes;
    views_[field] = {cell.state, bytes_[field]};
  }

  std::span<const model::CellView> views() const { return views_; }
  std::span<const model::CellView> key(const Mapped& mapped) const {
    return views().first(mapped.key_count());
  }
  // Empty while a key cell is missing.
  std::string joined_key(const Mapped& mapped) const;
  // Its key is not written as we write it (host/ports/key_spelling.hpp): it is no record.
  bool has_other_spelling() const { return has_other_spelling_; }

 private:
  Result<void> check_spelling(const Mapped& mapped, size_t field, std::string_view stored);
  void show(size_t field) { views_[field] = {model::CellState::kValue, bytes_[field]}; }

  std::vector<std::string> bytes_;
  std::vector<model::CellView> views_;
  bool has_other_spelling_ = false;
};

// The same bytes as canonical_from_native, where the text is plain (host/model/plain_values.hpp)
// and its column's kind is read plainly; else false. A TIMESTAMP is without the zone that it is in,
// and then reads as a datetime.
bool canonical_if_plain(std::string_view text, const NativeType& native, model::LogicalType type,
                        std::string& out);

// What an image holds of a cell of select_list: its text, whatever the column's character set; of
// bytes that are no letter there these, marked.
std::string_view text_in_image(const NativeType& native, std::string_view cell,
                               std::string& buffer);

// A row of SELECT of select_list. What follows an error of one cell is still filled, so that the
// rejection can name the key.
Result<void> fill_row(const Mapped& mapped, const Answer& row, RowCells& cells);

// Of a row that these cells could not be filled with.
ports::RejectedRow rejected_row(const Mapped& mapped, const RowCells& cells, Error error);

}  // namespace syncline::mariadb
