// A place in a server's binary log, and all that tells whether a log is still the one it is of.
//
// A transaction's place is where its group begins: a file's number and an offset in it. Reading
// goes on at `from`: that group, or an earlier one while an XA transaction that it prepared is
// undecided. There the log must show the same group again.
//
//   (big endian, so that byte order is log order)
//   4 file | 8 offset | 4 + 8 from | 4 domain 4 server 8 sequence 4 time of from's group |
//   4 time the file was begun | the files' name without its number
//
// Threads: values. Errors: none; bytes that are no position decode to nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/model/position.hpp"

namespace syncline::mariadb {

struct Place {
  uint32_t file = 0;
  uint64_t offset = 0;
  auto operator<=>(const Place&) const = default;
};

struct Gtid {
  uint32_t domain = 0;
  uint32_t server = 0;
  uint64_t sequence = 0;
  bool operator==(const Gtid&) const = default;
};
std::string to_string(const Gtid& gtid);  // "0-7-42"

struct GroupMark {  // by it a group is known again
  Place place;
  Gtid gtid;             // sequence 0: no group was read there yet, `place` is only an offset
  uint32_t time_s = 0;   // as the group says
  uint32_t began_s = 0;  // when its file was begun
};

struct LogPosition {
  Place place;
  GroupMark from;
  std::string base;  // "mariadb-bin"
};

model::Position encode(const LogPosition& position);
std::optional<LogPosition> decode(const model::Position& position);

// "mariadb-bin", 7 <-> "mariadb-bin.000007"
std::string file_name(const std::string& base, uint32_t number);
struct FileName {
  std::string base;
  uint32_t number = 0;
};
std::optional<FileName> parse_file_name(std::string_view name);

}  // namespace syncline::mariadb
