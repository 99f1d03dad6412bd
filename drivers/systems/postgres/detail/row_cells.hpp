// A row's native texts as canonical cells in schema order.
//
// Owner: the views borrow from it until the next fill. Threads: one at a time. Errors: kValue and
// kSystemKey, naming the column.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "drivers/systems/postgres/detail/table.hpp"
#include "host/model/cell.hpp"

namespace syncline::postgres {

class RowCells {
 public:
  // Every cell unchanged; memory is kept.
  void reset(size_t count) {
    bytes_.resize(count);
    views_.assign(count, {});
    has_other_spelling_ = false;
  }

  Result<void> set_text(const Mapped& mapped, size_t field, std::string_view text);
  Result<void> set_null(const Mapped& mapped, size_t field);
  void set_unchanged(size_t field) { views_[field] = {}; }
  void set_canonical(size_t field, std::string bytes);

  bool is_unchanged(size_t field) const {
    return views_[field].state == model::CellState::kUnchanged;
  }
  std::span<const model::CellView> views() const { return views_; }
  std::span<const model::CellView> key(const Mapped& mapped) const {
    return views().first(mapped.key_count());
  }
  bool has_key(const Mapped& mapped) const;  // no cell of it is missing
  // Empty while a key cell is missing.
  std::string joined_key(const Mapped& mapped) const;
  // Its key is not written as we write it (host/ports/key_spelling.hpp): it is no record.
  bool has_other_spelling() const { return has_other_spelling_; }

 private:
  Result<void> check_spelling(const Mapped& mapped, size_t field, std::string_view text);

  std::vector<std::string> bytes_;
  std::vector<model::CellView> views_;
  bool has_other_spelling_ = false;
};

// Whether a text of this type that is plain (host/model/plain_values.hpp) has the bytes that
// canonical_from_native gives.
bool is_read_plainly(const NativeType& native);

// Every column of one row of an answer to SELECT of column_list, from a first column on. What
// follows an error of one cell is still filled, so that the rejection can name the key.
Result<void> fill_row(const Mapped& mapped, const Answer& rows, size_t row, RowCells& cells);

// Of a row that these cells could not be filled with.
ports::RejectedRow rejected_row(const Mapped& mapped, const RowCells& cells, Error error);

}  // namespace syncline::postgres
