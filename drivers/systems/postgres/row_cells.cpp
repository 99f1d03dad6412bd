#include "drivers/systems/postgres/detail/row_cells.hpp"

#include <algorithm>

#include "host/model/key.hpp"

namespace syncline::postgres {

Result<void> RowCells::set_text(const Mapped& mapped, size_t field, std::string_view text) {
  auto bytes =
      canonical_from_native(text, mapped.columns[field].type, mapped.schema->fields[field].type);
  if (!bytes) {
    const bool is_null = mapped.schema->fields[field].are_zero_dates_null &&
                         is_beyond_dates(text, mapped.columns[field].type);
    if (is_null) return set_null(mapped, field);
    views_[field] = {};
    Error error = std::move(bytes).error();
    error.what = "column " + mapped.columns[field].name + ": " + error.what;
    return error;
  }
  set_canonical(field, std::move(bytes).value());
  return success();
}

Result<void> RowCells::set_null(const Mapped& mapped, size_t field) {
  views_[field] = {model::CellState::kNull, {}};
  if (field >= mapped.key_count()) return success();
  views_[field] = {};
  return fail(
      ErrorCode::kSystemKey,
      "column " + mapped.columns[field].name + " of " + mapped.table.display_name() + " is NULL",
      "a record is known by its key, and NULL equals nothing",
      "give the row a key, and declare the column NOT NULL");
}

void RowCells::set_canonical(size_t field, std::string bytes) {
  bytes_[field] = std::move(bytes);
  views_[field] = {model::CellState::kValue, bytes_[field]};
}

std::string RowCells::joined_key(const Mapped& mapped) const {
  const auto cells = key(mapped);
  const bool is_whole = std::all_of(cells.begin(), cells.end(), [](const model::CellView& cell) {
    return cell.state == model::CellState::kValue;
  });
  return is_whole ? model::join_key(cells) : std::string();
}

Result<void> fill_row(const Mapped& mapped, const Answer& rows, size_t row, RowCells& cells) {
  Result<void> first = success();
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    auto set = rows.is_null(row, field) ? cells.set_null(mapped, field)
                                        : cells.set_text(mapped, field, rows.text(row, field));
    if (!set && first) first = std::move(set);
  }
  return first;
}

}  // namespace syncline::postgres
