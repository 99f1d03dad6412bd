// The binary log's own forms: table maps, row images, cells. Source: the server's manual,
// "Replication protocol", and what a 10.11 server writes; of MySQL its
// manual alone.
//
// Foreign bytes: every length is checked. Threads: pure functions. Errors: kSystemOpen for bytes
// that are no such event; kValue for a cell that its type cannot hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/flavour.hpp"
#include "drivers/systems/mariadb/detail/value.hpp"
#include "host/base/result.hpp"

namespace syncline::mariadb {

// Permanent values: they are in every log.
enum class WireType : uint8_t {
  kTiny = 1,
  kShort = 2,
  kLong = 3,
  kFloat = 4,
  kDouble = 5,
  kTimestampOld = 7,
  kLongLong = 8,
  kInt24 = 9,
  kDate = 10,
  kTimeOld = 11,
  kDatetimeOld = 12,
  kYear = 13,
  kVarchar = 15,
  kBit = 16,
  kTimestamp = 17,
  kDatetime = 18,
  kTime = 19,
  kBlobCompressed = 140,
  kVarcharCompressed = 141,
  kVector = 242,  // MySQL's, as the next one
  kJson = 245,
  kDecimal = 246,
  kEnum = 247,
  kSet = 248,
  kBlob = 252,
  kString = 254,
  kGeometry = 255,
};

struct WireColumn {
  WireType type = WireType::kLong;
  uint16_t metadata = 0;
  std::string name;  // these: only with binlog_row_metadata = FULL
  bool is_unsigned = false;
  uint32_t collation_id = 0;
  std::vector<std::string> labels;  // in the column's character set
};

struct TableMap {
  uint64_t id = 0;
  std::string database;
  std::string table;
  bool has_metadata = false;
  std::vector<WireColumn> columns;
};

// body: behind the event's header, without checksum.
Result<TableMap> parse_table_map(std::string_view body, Flavour flavour);

// How many bytes of `rest` a value takes; more than there are: damaged.
size_t cell_size(const WireColumn& column, std::string_view rest);

// The cell of a kDecimal column, of the size that cell_size says.
std::string decimal_text(std::string_view cell, const WireColumn& column);

// Whether a column of this declaration is written so.
bool is_written_as(const NativeType& native, const WireColumn& wire);

// Appends nothing: `out` becomes the cell's canonical bytes.
Result<void> decode_cell(std::string_view cell, const WireColumn& wire, const NativeType& native,
                         const model::LogicalType& type, std::string& out);

}  // namespace syncline::mariadb
