#include "drivers/systems/sqlite/detail/record_reader.hpp"

#include "host/model/key.hpp"
#include "host/ports/key_spelling.hpp"

namespace syncline::sqlite {
namespace {

auto null_key(const Mapped& mapped, size_t field) {
  return fail(ErrorCode::kSystemKey,
              "column " + mapped.columns[field].name + " of " + mapped.table.name + " is NULL",
              "a record is known by its key, and NULL equals nothing",
              "give the row a key, or declare the column NOT NULL");
}

std::string_view without_spaces(std::string_view text) {
  return text.substr(0, text.find_last_not_of(' ') + 1);
}

// As the column's collation compares texts. One of the user's own is taken to find it.
bool is_same_text(std::string_view stored, std::string_view written, const std::string& collation) {
  if (collation == "BINARY") return stored == written;
  if (collation == "NOCASE")
    return sqlite3_stricmp(std::string(stored).c_str(), std::string(written).c_str()) == 0;
  if (collation == "RTRIM") return without_spaces(stored) == without_spaces(written);
  return true;
}

Result<void> check_key(const Mapped& mapped, size_t field, const NativeValue& stored,
                       std::string_view canonical) {
  const Column& column = mapped.columns[field];
  if (stored.storage != StorageClass::kText || stored.bytes == canonical) return success();
  NativeCell written;
  const auto bound = native_from_cell(model::CellState::kValue, canonical,
                                      mapped.schema->fields[field].type, column.affinity, written);
  if (!bound) return success();  // no write will name it
  const NativeValue value = written.view();
  if (value.storage != StorageClass::kText) return success();
  if (is_same_text(stored.bytes, value.bytes, column.collation)) return success();
  return ports::other_spelling(mapped.table.name, column.name, stored.bytes, value.bytes);
}

}  // namespace

Result<void> RecordCells::fill(const Mapped& mapped, const std::vector<NativeValue>& values) {
  cells_.resize(values.size());
  views_.resize(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    if (i < mapped.key_count() && values[i].storage == StorageClass::kNull) {
      return null_key(mapped, i);
    }
    auto cell = cell_from_native(values[i], mapped.schema->fields[i].type);
    if (!cell) {
      Error error = std::move(cell).error();
      error.what = "column " + mapped.columns[i].name + ": " + error.what;
      return error;
    }
    if (i < mapped.key_count()) {
      SYN_TRY(check_key(mapped, i, values[i], cell.value().bytes));
    }
    cells_[i] = std::move(cell).value();
    views_[i] = cells_[i].view();
  }
  return success();
}

void RecordCells::fill_key(const Mapped& mapped, std::string_view joined_key) {
  const auto parts = model::split_key(joined_key);
  cells_.assign(mapped.schema->fields.size(), {});
  views_.resize(cells_.size());
  for (size_t i = 0; i < cells_.size(); ++i) {
    if (i < parts.size()) cells_[i] = model::Cell::value(std::string(parts[i]));
    views_[i] = cells_[i].view();
  }
}

std::string RecordCells::key(const Mapped& mapped) const {
  return model::join_key(views().first(mapped.key_count()));
}

Result<std::string> joined_key(const Mapped& mapped, const std::vector<NativeValue>& key) {
  RecordCells cells;
  SYN_TRY(cells.fill(mapped, key));
  return cells.key(mapped);
}

std::vector<NativeValue> NativeKey::values() const {
  std::vector<NativeValue> values;
  values.reserve(cells.size());
  for (const NativeCell& cell : cells) values.push_back(cell.view());
  return values;
}

Result<NativeKey> native_key(const Mapped& mapped, std::string_view joined_key) {
  const auto parts = model::split_key(joined_key);
  NativeKey key;
  key.cells.resize(parts.size());
  for (size_t i = 0; i < parts.size(); ++i) {
    SYN_TRY(native_from_cell(model::CellState::kValue, parts[i], mapped.schema->fields[i].type,
                             mapped.columns[i].affinity, key.cells[i]));
  }
  return key;
}

ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error) {
  std::string record = "dataset " + mapped.schema->name;
  if (!key.empty()) record += ", record " + model::describe_key(key, *mapped.schema);
  error.what = record + ": " + error.what;
  return {mapped.dataset(), std::move(key), std::move(error)};
}

// With its key in any spelling; written as ours the record is there, whatever else is wrong with
// it.
ports::RejectedRow rejected_values(const Mapped& mapped, const std::vector<NativeValue>& values,
                                   Error error) {
  std::vector<model::Cell> cells;
  bool is_record = true;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    auto cell = cell_from_native(values[i], mapped.schema->fields[i].type);
    const bool is_key = cell && values[i].storage != StorageClass::kNull;
    if (!is_key) return rejected_row(mapped, {}, std::move(error));
    is_record = is_record && check_key(mapped, i, values[i], cell.value().bytes);
    cells.push_back(std::move(cell).value());
  }
  std::vector<model::CellView> views;
  views.reserve(cells.size());
  for (const model::Cell& cell : cells) views.push_back(cell.view());
  ports::RejectedRow row = rejected_row(mapped, model::join_key(views), std::move(error));
  row.is_record = is_record;
  return row;
}

Result<RecordReader> RecordReader::make(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Statement by_key,
          connection.prepare("SELECT " + column_list(mapped.columns) + " FROM " +
                             quoted(mapped.table.name) + " WHERE " + key_condition(mapped, 1) +
                             filter_condition(mapped)));
  return RecordReader(connection, mapped, std::move(by_key));
}

Result<std::optional<std::vector<NativeValue>>> RecordReader::find(
    const std::vector<NativeValue>& key) {
  by_key_.reset();
  for (size_t i = 0; i < key.size(); ++i) by_key_.bind(static_cast<int>(i) + 1, key[i]);
  SYN_TRY(const bool is_found, connection_->next(by_key_));
  if (!is_found) return std::optional<std::vector<NativeValue>>();
  return std::optional(row_values(by_key_, 0, mapped_->columns.size()));
}

std::vector<NativeValue> decode_key(std::string_view encoded, size_t count) {
  ByteReader in(encoded);
  std::vector<NativeValue> key(count);
  for (NativeValue& value : key) value = read_value(in);
  return key;
}

std::vector<NativeValue> row_values(Statement& statement, size_t first, size_t count) {
  std::vector<NativeValue> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = statement.value(static_cast<int>(first + i));
  return values;
}

}  // namespace syncline::sqlite
