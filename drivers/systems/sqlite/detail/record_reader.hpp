// Reads records of one dataset from its table as canonical cells.
//
// Owner: the connection and the mapping outlive it. Threads: one at a time.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/source.hpp"

namespace syncline::sqlite {

// The cells of one record, every field of the schema; views stay valid until the next fill.
class RecordCells {
 public:
  // Errors: kValue, kSystemKey for NULL in the key.
  Result<void> fill(const Mapped& mapped, const std::vector<NativeValue>& values);
  void fill_key(const Mapped& mapped, std::string_view joined_key);  // the others: unchanged
  void set(model::FieldIndex field, const model::CellView& cell) { views_[field] = cell; }
  std::span<const model::CellView> views() const { return views_; }
  std::string key(const Mapped& mapped) const;

 private:
  std::vector<model::Cell> cells_;
  std::vector<model::CellView> views_;
};

// The joined key of native key values. Errors: as RecordCells::fill.
Result<std::string> joined_key(const Mapped& mapped, const std::vector<NativeValue>& key);

// A joined key as native values with their bytes. Errors: kValue.
class NativeKey {
 public:
  std::vector<NativeValue> values() const;
  std::vector<NativeCell> cells;
};
Result<NativeKey> native_key(const Mapped& mapped, std::string_view joined_key);

// What stands before an error of one record: "dataset customer, record id=7: …".
ports::RejectedRow rejected_row(const Mapped& mapped, std::string key, Error error);
// The same by the record's native values.
ports::RejectedRow rejected_values(const Mapped& mapped, const std::vector<NativeValue>& values,
                                   Error error);

class RecordReader {
 public:
  static Result<RecordReader> make(Connection& connection, const Mapped& mapped);

  // The native values of the record with this native key, that the row filter lets through; they
  // live until the next call. nullopt: not there.
  Result<std::optional<std::vector<NativeValue>>> find(const std::vector<NativeValue>& key);
  void release() { by_key_.reset(); }  // ends the read
  const Mapped& mapped() const { return *mapped_; }

 private:
  RecordReader(Connection& connection, const Mapped& mapped, Statement by_key)
      : connection_(&connection), mapped_(&mapped), by_key_(std::move(by_key)) {}

  Connection* connection_;
  const Mapped* mapped_;
  Statement by_key_;
};

// Native key values from their encoded form, from which they borrow.
std::vector<NativeValue> decode_key(std::string_view encoded, size_t count);

// All values of the statement's current row.
std::vector<NativeValue> row_values(Statement& statement, size_t first, size_t count);

}  // namespace syncline::sqlite
