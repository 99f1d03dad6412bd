#include "drivers/systems/postgres/detail/row_cells.hpp"

#include <algorithm>

#include "host/model/key.hpp"
#include "host/model/plain_values.hpp"
#include "host/ports/key_spelling.hpp"

namespace syncline::postgres {
namespace {

bool is_kept_as_text(const NativeType& type) {
  return !type.is_array &&
         (type.category == Category::kText || type.category == Category::kName ||
          type.category == Category::kVarchar || type.category == Category::kChar);
}

bool is_same_text(const Column& column, std::string_view one, std::string_view other) {
  const bool is_padded = column.type.category == Category::kChar &&
                         column.equivalence == model::KeyEquivalence::kBytes;
  const auto equivalence = is_padded ? model::KeyEquivalence::kTrailingSpaces : column.equivalence;
  return model::is_same_text(one, other, equivalence);
}

// As the column's own type has it, which may be finer than the dataset's.
bool is_same_value(const Column& column, std::string_view one, std::string_view other) {
  const model::LogicalType own = logical_type_of(column.type);
  const auto first = canonical_from_native(one, column.type, own);
  const auto second = canonical_from_native(other, column.type, own);
  return !first || !second || first.value() == second.value();
}

}  // namespace

bool is_read_plainly(const NativeType& native) {
  if (native.is_array) return false;
  switch (native.category) {
    case Category::kInteger:
    case Category::kDecimal:
    case Category::kText:
    case Category::kName:
    case Category::kVarchar:
    case Category::kDate:
    case Category::kDatetime:
    case Category::kTimestamp:
    case Category::kEnum:
      return true;
    default:
      return false;
  }
}

Result<void> RowCells::set_text(const Mapped& mapped, size_t field, std::string_view text) {
  const NativeType& native = mapped.columns[field].type;
  const model::LogicalType& type = mapped.schema->fields[field].type;
  if (!is_read_plainly(native) || !model::canonical_if_plain(text, type, bytes_[field])) {
    auto bytes = canonical_from_native(text, native, type);
    if (!bytes) {
      const bool is_null =
          mapped.schema->fields[field].are_zero_dates_null && is_beyond_dates(text, native);
      if (is_null) return set_null(mapped, field);
      views_[field] = {};
      Error error = std::move(bytes).error();
      error.what = "column " + mapped.columns[field].name + ": " + error.what;
      return error;
    }
    bytes_[field] = std::move(bytes).value();
  }
  views_[field] = {model::CellState::kValue, bytes_[field]};
  return field < mapped.key_count() ? check_spelling(mapped, field, text) : success();
}

// The cell stays, so that the rejection can name the key.
Result<void> RowCells::check_spelling(const Mapped& mapped, size_t field, std::string_view text) {
  const Column& column = mapped.columns[field];
  const model::LogicalType& type = mapped.schema->fields[field].type;
  const bool is_text = is_kept_as_text(column.type);
  if (is_text ? !ports::has_spellings(type) : !ports::has_digits(type)) return success();
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();  // never written
  const auto written = native_from_canonical(bytes_[field], type, column.type);
  if (!written || written.value() == text) return success();  // or no write will name it
  if (is_text ? is_same_text(column, text, written.value())
              : is_same_value(column, text, written.value())) {
    return success();
  }
  has_other_spelling_ = true;
  return ports::other_spelling(mapped.table.display_name(), column.name, text, written.value());
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

bool RowCells::has_key(const Mapped& mapped) const {
  const auto cells = key(mapped);
  return std::all_of(cells.begin(), cells.end(), [](const model::CellView& cell) {
    return cell.state == model::CellState::kValue;
  });
}

std::string RowCells::joined_key(const Mapped& mapped) const {
  return has_key(mapped) ? model::join_key(key(mapped)) : std::string();
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

ports::RejectedRow rejected_row(const Mapped& mapped, const RowCells& cells, Error error) {
  ports::RejectedRow row = rejected_row(mapped, cells.joined_key(mapped), std::move(error));
  row.is_record = !cells.has_other_spelling();
  return row;
}

}  // namespace syncline::postgres
