// What the three faces of one system are told, and the names of what Syncline creates there.
//
// Threads: immutable after it is made.
#pragma once

#include <string>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "host/ports/system.hpp"

namespace syncline::postgres {

struct Limits {
  size_t spool_memory_bytes = size_t{64} << 20;  // of open transactions; the rest goes to a file
  // A user's transaction of no more is shown whole, a larger one in parts of about this; a poll
  // reads no more bytes than a part has.
  size_t part_rows = 16'384;
  size_t part_bytes = size_t{16} << 20;
  int in_transaction_ms = 60'000;  // without a sign of life, for the rest of what has begun
  int replay_ms = 5'000;           // for a replica to come to where the primary is
};

struct Shared {
  ports::SystemConfig config;
  Limits limits;
  std::string object;    // slot and publication: "syncline_zurich_erp"
  bool is_scan = false;  // no log is read: tables are scanned or polled

  Access access(std::string_view role) const {
    return {config.name, config.url, config.password, session(role)};
  }
  // Sessions of ours are known by it, for the one purpose of ending those that are left over.
  std::string session(std::string_view role) const { return object + "/" + std::string(role); }
  // Those that write, by their places from 0; and all of them, as a regular expression.
  static std::string writer_role(size_t place) {
    return place == 0 ? "target" : "w" + std::to_string(place + 1);
  }
  std::string writers() const { return object + "/(target|w[0-9]+)"; }
};

// Slots have small letters, digits and _; names with others, or too long, get a number of their
// own.
std::string object_name(const std::string& appliance, const std::string& system);

}  // namespace syncline::postgres
