// A place in a server's binary log, and all that tells whether a log is still the one it is of.
//
// A transaction's place is where its group begins: a file's number and an offset in it. Reading
// goes on at `from`: that group, or an earlier one while an XA transaction that it prepared is
// undecided. There the log must show the same group again. On another server, which has taken over,
// groups are found by their GTIDs; its places come behind those of the server before.
//
//   (big endian, so that byte order is log order)
//   1 turn 3 file | 8 offset | 1 + 3 + 8 from | 4 domain 4 server 8 sequence 4 time of from's group
//   | 4 time the file was begun | the files' name without its number | 0 |
//   4 the server's own number | 1 whether there are several domains | 16 the GTID before `from`
//   | 16 the GTID that was read last
//   | 16 GTID and 4 time of the transaction behind the place, which is taken in parts | 8 how many
//   of its events were taken
// From the zero on it may be missing: then no other server's log can be followed. What stands
// behind the GTID that was read last is there only inside such a transaction.
//
// Threads: values. Errors: none; bytes that are no position decode to nothing.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/model/position.hpp"

namespace syncline::mariadb {

constexpr uint32_t kTurnMax = 255;
constexpr uint32_t kFileNumberMax = (1U << 24) - 1;

struct Place {
  uint32_t turn = 0;  // how often another server had taken over by then
  uint32_t file = 0;
  uint64_t offset = 0;
  auto operator<=>(const Place&) const = default;
};

struct Gtid {
  uint32_t domain = 0;
  uint32_t server = 0;
  uint64_t sequence = 0;  // 0: none
  bool operator==(const Gtid&) const = default;
};
// In `sequence` of MySQL's, where domain and server are the first bytes of the uuid; of a tagged
// one all three are a hash.
constexpr uint64_t kMysqlGtid = uint64_t{1} << 63;
constexpr uint64_t kTaggedGtid = uint64_t{1} << 62;
std::string to_string(const Gtid& gtid);  // "0-7-42", of MariaDB's
// "0-7-42,1-9-3"; what is no GTID is left out.
std::vector<Gtid> parse_gtids(std::string_view text);

struct GroupMark {  // by it a group is known again
  Place place;
  Gtid gtid;             // sequence 0: no group was read there yet, `place` is only an offset
  uint32_t time_s = 0;   // as the group says
  uint32_t began_s = 0;  // when its file was begun
  Gtid before;           // of the group before it
};

// By it a log is read on that another server writes.
struct History {
  uint32_t server = 0;       // whose log was read; 0: not known, nor is the rest
  bool has_domains = false;  // several: their order may be another there
  Gtid last;                 // of the group that was read last
};

// Of the group behind a position, which was taken in part.
struct Part {
  Gtid gtid;
  uint32_t time_s = 0;
  uint64_t taken = 0;  // of its events; 0: no group was
};

struct LogPosition {
  Place place;
  GroupMark from;
  std::string base;  // "mariadb-bin"
  History history;
  Part part;
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
