// Builders of MySQL's log events from the layouts that its manual prints: field by field, and
// sharing nothing with what reads them.
#pragma once

#include <cstdint>
#include <string>

#include <zlib.h>

namespace syncline::mariadb::made {

constexpr uint32_t kServer = 7;
constexpr uint32_t kTime = 1'700'000'000;

inline std::string le(uint64_t value, int size) {
  std::string out;
  for (int i = 0; i < size; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

inline std::string hex(const std::string& digits) {
  std::string out;
  for (size_t i = 0; i + 1 < digits.size(); i += 2) {
    out += static_cast<char>(std::stoi(digits.substr(i, 2), nullptr, 16));
  }
  return out;
}

enum class Sum { kNone, kCrc32 };

// timestamp, type_code, server_id, event_size, log_pos, flags; body; checksum
inline std::string event(int type, const std::string& body, uint32_t end, Sum sum = Sum::kCrc32,
                         uint16_t flags = 0) {
  const size_t size = 19 + body.size() + (sum == Sum::kCrc32 ? 4 : 0);
  std::string out = le(kTime, 4) + le(static_cast<uint64_t>(type), 1) + le(kServer, 4) +
                    le(size, 4) + le(end, 4) + le(flags, 2) + body;
  if (sum == Sum::kCrc32) {
    out +=
        le(crc32(0, reinterpret_cast<const Bytef*>(out.data()), static_cast<uInt>(out.size())), 4);
  }
  return out;
}

// binlog_version, server_version, create_timestamp, event_header_length, post-header lengths, alg
inline std::string format_description(char algorithm) {
  std::string version = "8.0.36";
  version.resize(50, '\0');
  return event(
      15, le(4, 2) + version + le(kTime, 4) + le(19, 1) + std::string(41, '\1') + algorithm, 126);
}

// flags, SID, GNO, logical clock: type, last_committed, sequence_number
inline std::string gtid(uint64_t number, uint32_t end, int type = 33, Sum sum = Sum::kCrc32) {
  return event(type,
               le(1, 1) + hex("3e11fa4771ca11e19e33c80aa9429562") + le(number, 8) + le(2, 1) +
                   le(number - 1, 8) + le(number, 8),
               end, sum);
}

// thread_id, query_exec_time, db_len, error_code, status_vars_len; status_vars, db, 0, query
inline std::string query_body(const std::string& database, const std::string& sql) {
  const std::string settings = hex("0000000000") + hex("0104000000000000");
  return le(11, 4) + le(0, 4) + le(database.size(), 1) + le(0, 2) + le(settings.size(), 2) +
         settings + database + '\0' + sql;
}
inline std::string query(const std::string& sql, uint32_t end, Sum sum = Sum::kCrc32) {
  return event(2, query_body("d", sql), end, sum);
}

inline std::string xid(uint32_t end, Sum sum = Sum::kCrc32) {
  return event(16, le(99, 8), end, sum);
}

// table_id, flags; db_len, db, 0, table_len, table, 0, columns, types, metadata, null bits,
// optional
inline std::string table_map_body(const std::string& types, const std::string& metadata,
                                  const std::string& optional, const std::string& database = "d",
                                  const std::string& table = "t") {
  return le(108, 6) + le(1, 2) + le(database.size(), 1) + database + '\0' + le(table.size(), 1) +
         table + '\0' + le(types.size(), 1) + types + le(metadata.size(), 1) + metadata +
         std::string((types.size() + 7) / 8, '\0') + optional;
}

// optional metadata: type, length, value
inline std::string field(int type, const std::string& value) {
  return le(static_cast<uint64_t>(type), 1) + le(value.size(), 1) + value;
}

// table_id, flags, extra data with its length; width, columns-present bits, rows
inline std::string rows_body(int width, const std::string& present, const std::string& rows,
                             const std::string& extra = "") {
  return le(108, 6) + le(1, 2) + le(2 + extra.size(), 2) + extra +
         le(static_cast<uint64_t>(width), 1) + present + rows;
}

// Of each header field type, length, value, as packed integers; 0; the events
inline std::string payload(uint64_t compression, size_t plain_size, const std::string& packed) {
  const auto packed_integer = [](uint64_t value) {
    return value < 251 ? le(value, 1) : '\xfc' + le(value, 2);
  };
  const auto entry = [&](uint64_t type, uint64_t value) {
    const std::string number = packed_integer(value);
    return packed_integer(type) + packed_integer(number.size()) + number;
  };
  return entry(2, compression) + entry(3, plain_size) + entry(1, packed.size()) + le(0, 1) + packed;
}

}  // namespace syncline::mariadb::made
