#include "drivers/systems/mariadb/detail/row_cells.hpp"

#include "drivers/systems/mariadb/detail/wire_dates.hpp"
#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kDateSize = 10;  // "2026-11-27"

Error in_column(const Mapped& mapped, size_t field, Error error) {
  error.what = "column " + mapped.columns[field].name + ": " + error.what;
  return error;
}

// As SELECT shows it: whether a part of the date is zero.
bool is_beyond_dates(std::string_view text, const NativeType& native) {
  if (!is_date(native) || text.size() < kDateSize) return false;
  return text.starts_with("0000") || text.substr(5, 2) == "00" || text.substr(8, 2) == "00";
}

// Whether the field takes a zero date for NULL.
bool is_null_for(const Mapped& mapped, size_t field) {
  return mapped.schema->fields[field].are_zero_dates_null;
}

}  // namespace

Result<void> RowCells::set_logged(const Mapped& mapped, size_t field, std::string_view cell,
                                  const WireColumn& wire) {
  auto decoded = decode_cell(cell, wire, mapped.columns[field].type,
                             mapped.schema->fields[field].type, bytes_[field]);
  if (!decoded && is_null_for(mapped, field) && is_beyond_dates(cell, wire)) {
    return set_null(mapped, field);
  }
  if (!decoded) return in_column(mapped, field, std::move(decoded).error());
  show(field);
  return success();
}

Result<void> RowCells::set_text(const Mapped& mapped, size_t field, std::string_view text) {
  auto canonical =
      canonical_from_native(text, mapped.columns[field].type, mapped.schema->fields[field].type);
  if (!canonical && is_null_for(mapped, field) &&
      is_beyond_dates(text, mapped.columns[field].type)) {
    return set_null(mapped, field);
  }
  if (!canonical) return in_column(mapped, field, std::move(canonical).error());
  bytes_[field] = std::move(canonical).value();
  show(field);
  return success();
}

Result<void> RowCells::set_null(const Mapped& mapped, size_t field) {
  if (field >= mapped.key_count()) {
    views_[field] = {model::CellState::kNull, {}};
    return success();
  }
  return fail(ErrorCode::kSystemKey,
              "column " + mapped.columns[field].name + " of " + mapped.table.name + " is NULL",
              "a record is known by its key, and NULL equals nothing",
              "give the row a key, and declare the column NOT NULL");
}

std::string RowCells::joined_key(const Mapped& mapped) const {
  for (const model::CellView& cell : key(mapped)) {
    if (cell.state != model::CellState::kValue) return {};
  }
  return model::join_key(key(mapped));
}

Result<void> fill_row(const Mapped& mapped, const Answer& row, RowCells& cells) {
  cells.reset(mapped.columns.size());
  Result<void> first = success();
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    auto set = row.is_null(field) ? cells.set_null(mapped, field)
                                  : cells.set_text(mapped, field, row.text(field));
    if (!set && first) first = std::move(set);
  }
  return first;
}

}  // namespace syncline::mariadb
