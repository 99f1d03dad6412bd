// SQLite's dynamic values and the canonical bytes of logical types.
//
// A value whose storage class is not the field's is converted only where that is exact; everything
// else is kValue. A value that the column's affinity would change on the way in is kValue too.
// Threads: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/bytes.hpp"
#include "host/base/result.hpp"
#include "host/model/cell.hpp"
#include "host/model/types.hpp"

namespace syncline::sqlite {

enum class StorageClass : uint8_t { kNull = 0, kInteger = 1, kReal = 2, kText = 3, kBlob = 4 };

struct NativeValue {
  StorageClass storage = StorageClass::kNull;
  int64_t integer = 0;
  double real = 0;
  std::string_view bytes;  // of kText and kBlob; borrowed
};

// Owns the bytes of its value; view() is what to bind, as long as the cell stays where it is.
struct NativeCell {
  NativeValue value;
  std::string bytes;

  NativeValue view() const {
    NativeValue out = value;
    if (out.storage >= StorageClass::kText) out.bytes = bytes;
    return out;
  }
};

// The column's type affinity (sqlite.org/datatype3.html, 3.1), from its declared type.
enum class Affinity : uint8_t { kInteger, kText, kNone, kReal, kNumeric };
Affinity affinity_of(std::string_view declared_type);

// What a column declared like this most likely holds.
model::LogicalType logical_type_of(std::string_view declared_type);
// How a column for such values is declared; empty where no declaration says it.
enum class Typing : uint8_t { kByAffinity, kStrict };
std::string declaration_of(const model::LogicalType& type, Typing typing);

// Errors: kValue.
Result<model::Cell> cell_from_native(const NativeValue& value, const model::LogicalType& type);
Result<void> native_from_cell(model::CellState state, std::string_view bytes,
                              const model::LogicalType& type, Affinity affinity, NativeCell& out);

// A value in bytes of its own: cursors, images.
void append_value(const NativeValue& value, std::string& out);
NativeValue read_value(ByteReader& in);

}  // namespace syncline::sqlite
