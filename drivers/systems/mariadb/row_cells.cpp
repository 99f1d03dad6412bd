#include "drivers/systems/mariadb/detail/row_cells.hpp"

#include "drivers/systems/mariadb/detail/wire_dates.hpp"
#include "host/model/key.hpp"
#include "host/model/plain_values.hpp"
#include "host/ports/key_spelling.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kDateSize = 10;  // "2026-11-27"
constexpr char kNoText = '\xff';  // before bytes that are no letters: no text in UTF-8 has it

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

bool may_be_other(const Mapped& mapped, size_t field) {
  if (field >= mapped.key_count()) return false;
  if (mapped.mapping->direction == ports::Direction::kFrom) return false;  // never written
  const NativeType& native = mapped.columns[field].type;
  const model::LogicalType& type = mapped.schema->fields[field].type;
  return holds_characters(native) ? ports::has_spellings(type)
                                  : ports::has_digits(type) && logical_type_of(native) != type;
}

// As its column has it, which may be finer than the dataset.
model::LogicalType own_type(const Column& column) {
  if (holds_characters(column.type)) return {.kind = model::TypeKind::kText};
  return logical_type_of(column.type);
}

// Of a cell of select_list.
bool is_text_as_it_is(const NativeType& native, std::string_view cell) {
  return !is_read_as_bytes(native) || is_utf8_here(cell, native);
}

}  // namespace

std::string_view text_in_image(const NativeType& native, std::string_view cell,
                               std::string& buffer) {
  if (is_text_as_it_is(native, cell)) return cell;
  auto text = utf8_from(cell, native);
  buffer = text ? std::move(text).value() : kNoText + std::string(cell);
  return buffer;
}

bool canonical_if_plain(std::string_view text, const NativeType& native, model::LogicalType type,
                        std::string& out) {
  switch (native.category) {
    case Category::kInteger:
    case Category::kDecimal:
    case Category::kChar:
    case Category::kVarchar:
    case Category::kText:
    case Category::kDate:
    case Category::kDatetime:
      return model::canonical_if_plain(text, type, out);
    case Category::kTimestamp:
      if (type.kind != model::TypeKind::kTimestamp) return false;
      type.kind = model::TypeKind::kDatetime;
      return model::canonical_if_plain(text, type, out);
    default:
      return false;
  }
}

Result<void> RowCells::set_logged(const Mapped& mapped, size_t field, std::string_view cell,
                                  const WireColumn& wire) {
  auto decoded = decode_cell(cell, wire, mapped.columns[field].type,
                             mapped.schema->fields[field].type, bytes_[field]);
  if (!decoded && is_null_for(mapped, field) && is_beyond_dates(cell, wire)) {
    return set_null(mapped, field);
  }
  if (!decoded) return in_column(mapped, field, std::move(decoded).error());
  show(field);
  if (!may_be_other(mapped, field)) return success();
  std::string stored;
  const Column& column = mapped.columns[field];
  SYN_TRY(decode_cell(cell, wire, column.type, own_type(column), stored));
  return check_spelling(mapped, field, stored);
}

Result<void> RowCells::set_read(const Mapped& mapped, size_t field, std::string_view cell) {
  const NativeType& native = mapped.columns[field].type;
  if (is_text_as_it_is(native, cell)) return set_text(mapped, field, cell);
  auto text = utf8_from(cell, native);
  if (!text) return in_column(mapped, field, std::move(text).error());
  return set_text(mapped, field, text.value());
}

Result<void> RowCells::set_text(const Mapped& mapped, size_t field, std::string_view text) {
  const NativeType& native = mapped.columns[field].type;
  if (text.starts_with(kNoText) && is_read_as_bytes(native)) {
    return set_read(mapped, field, text.substr(1));
  }
  const model::LogicalType& type = mapped.schema->fields[field].type;
  if (!canonical_if_plain(text, native, type, bytes_[field])) {
    auto canonical = canonical_from_native(text, native, type);
    if (!canonical && is_null_for(mapped, field) && is_beyond_dates(text, native)) {
      return set_null(mapped, field);
    }
    if (!canonical) return in_column(mapped, field, std::move(canonical).error());
    bytes_[field] = std::move(canonical).value();
  }
  show(field);
  if (!may_be_other(mapped, field)) return success();
  const Column& column = mapped.columns[field];
  const auto stored = canonical_from_native(text, column.type, own_type(column));
  return stored ? check_spelling(mapped, field, stored.value()) : success();
}

// The cell stays, so that the rejection can name the key. stored: of the column's own type.
Result<void> RowCells::check_spelling(const Mapped& mapped, size_t field, std::string_view stored) {
  const Column& column = mapped.columns[field];
  const auto written =
      parameter_from_canonical(bytes_[field], mapped.schema->fields[field].type, column.type);
  if (!written) return success();  // no write will name it
  const std::string& text = written.value().text;
  const model::LogicalType own = own_type(column);
  const auto ours = canonical_from_native(text, column.type, own);
  if (!ours || model::is_same_text(stored, ours.value(), equivalence_of(column.type))) {
    return success();
  }
  has_other_spelling_ = true;
  return ports::other_spelling(mapped.table.name, column.name,
                               model::text_from_canonical(stored, own), text);
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
                                  : cells.set_read(mapped, field, row.text(field));
    if (!set && first) first = std::move(set);
  }
  return first;
}

ports::RejectedRow rejected_row(const Mapped& mapped, const RowCells& cells, Error error) {
  ports::RejectedRow row = rejected_row(mapped, cells.joined_key(mapped), std::move(error));
  row.is_record = !cells.has_other_spelling();
  return row;
}

}  // namespace syncline::mariadb
