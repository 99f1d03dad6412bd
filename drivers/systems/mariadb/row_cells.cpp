#include "drivers/systems/mariadb/detail/row_cells.hpp"

#include "host/model/key.hpp"

namespace syncline::mariadb {
namespace {

Error in_column(const Mapped& mapped, size_t field, Error error) {
  error.what = "column " + mapped.columns[field].name + ": " + error.what;
  return error;
}

}  // namespace

Result<void> RowCells::set_logged(const Mapped& mapped, size_t field, std::string_view cell,
                                  const WireColumn& wire) {
  auto decoded = decode_cell(cell, wire, mapped.columns[field].type,
                             mapped.schema->fields[field].type, bytes_[field]);
  if (!decoded) return in_column(mapped, field, std::move(decoded).error());
  show(field);
  return success();
}

Result<void> RowCells::set_text(const Mapped& mapped, size_t field, std::string_view text) {
  auto canonical =
      canonical_from_native(text, mapped.columns[field].type, mapped.schema->fields[field].type);
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
