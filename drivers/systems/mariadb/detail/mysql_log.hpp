// MySQL's log, event by event, from the bytes that the server sends: what MariaDB's library cannot
// read. Source: MySQL 8.0's manual and the source documentation's pages on binary log events; tests
// run on 5.6's log and on events made by hand, none on a server 8.
//
//   header: 4 time | 1 type | 4 server | 4 size | 4 end | 2 flags; behind it the body, then 4 bytes
//   of CRC32 where the file's description says so
//
// A transaction's GTID comes before what tells which kind of group it is: it is held until then.
// What a compressed transaction holds is given event by event.
//
// Foreign bytes: every length is checked. Owner: events own their bytes. Threads: one at a time.
// Errors: kSystemOpen for bytes that are no events.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "drivers/systems/mariadb/detail/event.hpp"
#include "host/base/result.hpp"

namespace syncline::mariadb {

class MysqlLog {
 public:
  enum class Checksums : uint8_t { kNone, kCrc32 };

  // checksums: those of events that come before a file's description.
  explicit MysqlLog(Checksums checksums) : checksums_(checksums) {}

  // Appends what the next event comes to.
  Result<void> take(std::string_view bytes, std::vector<Event>& out);

 private:
  struct Header {
    uint8_t type = 0;
    uint16_t flags = 0;
  };

  Result<Event> read(std::shared_ptr<const void> owner, std::string_view bytes, Header& header);
  Result<void> strip_checksum(const Header& header, std::string_view bytes, Event& event);
  Result<void> unpack(const Event& payload, std::vector<Event>& out);
  void give(Event event, std::vector<Event>& out);

  Checksums checksums_;
  std::optional<Event> group_;  // that has begun, its kind not known yet
};

}  // namespace syncline::mariadb
