// One event of the log as the decoder takes it, whichever server wrote it, and its parts.
//
// Owner: it owns its bytes, which all views are into; it may be moved. Threads: values. Errors:
// none: what is no event has been refused before.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

// clang-format off: the second needs the first
#include <mysql.h>
#include <mariadb_rpl.h>
// clang-format on

#include "drivers/systems/mariadb/detail/flavour.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"

namespace syncline::mariadb {

enum class EventKind : uint8_t {
  kOther,
  kHeartbeat,
  kRotate,
  kFile,      // a file's description
  kGroup,     // a group begins
  kIncident,  // the server could not write all that happened
  kStatement,
  kTableMap,
  kRows,
  kUntold,    // rows that were changed, and that the event does not tell
  kCommit,    // the group ends
  kPrepared,  // likewise: what is in it is undecided
  kStrange,   // of a type that is not known here, and that a reader must not pass over
};

enum class GroupKind : uint8_t { kNone, kTransaction, kAlone, kPrepared, kDecided };
enum class RowsKind : uint8_t { kWrite, kUpdate, kDelete };

struct Rows {  // flags: of the event; present: the bits of the columns that an image has
  uint16_t flags = 0;
  RowsKind kind = RowsKind::kWrite;
  size_t column_count = 0;
  std::string_view present;
  std::string_view present_after;  // of an update's second image
  std::string_view images;
};

struct Event {
  EventKind kind = EventKind::kOther;
  Flavour flavour = Flavour::kMariadb;
  uint8_t type = 0;            // as its server numbers it
  bool is_artificial = false;  // it stands in no file
  uint32_t time_s = 0;
  uint32_t server = 0;
  uint32_t size = 0;
  uint64_t end = 0;  // where the next event begins; 0: it stands in no file

  std::string_view body;               // behind the header, without checksum
  std::string_view file;               // of kRotate
  GroupKind group = GroupKind::kNone;  // these: of kGroup
  Gtid gtid;
  std::string xid;
  bool is_one_phase = false;  // of kPrepared: it is decided at once
  std::string_view sql;       // these: of kStatement
  std::string_view database;
  uint64_t table = 0;  // of kTableMap, kRows and kUntold: as this log numbers it
  Rows rows;

  std::shared_ptr<const void> bytes;
  explicit operator bool() const { return bytes != nullptr; }
};

// Of the types that are not read: kOther for those that change no rows, and for those that say of
// themselves that who does not know them may pass them over. flags: of the event.
EventKind kind_of_unread(uint8_t type, uint16_t flags);

// Of an event that MariaDB's library refuses to read, of which the header alone is there: what it
// is where no more of it is needed, else nothing. header: 19 bytes.
Event make_refused_event(std::string_view header);

// Of MariaDB, as its library has read it, which is taken over; its last checksum_size bytes are not
// its own.
Event make_event(MARIADB_RPL_EVENT* read, size_t checksum_size);

// As its server writes it, "0-7-42"; of MySQL's uuid the first half: "3e11fa47-71ca-11e1-...:23".
std::string gtid_text(Flavour flavour, const Gtid& gtid);

}  // namespace syncline::mariadb
