// What the three faces of one system are told, and the names of what Syncline has there.
//
// Threads: immutable after it is made.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/systems/mariadb/detail/charset.hpp"
#include "drivers/systems/mariadb/detail/connection.hpp"
#include "host/model/ids.hpp"
#include "host/ports/system.hpp"

namespace syncline::mariadb {

struct Limits {
  int replica_ms = 5'000;  // for a replica to come to where the primary is
  // Of a transaction's events, as they are shown at once. A larger one is taken in parts.
  size_t part_bytes = size_t{4} << 20;
  // Of all prepared transactions (XA), which stay undecided for as long as their users like.
  size_t prepared_bytes = size_t{64} << 20;
};

struct Shared {
  ports::SystemConfig config;
  Limits limits;
  Endpoint endpoint;
  std::optional<Endpoint> replica;
  bool is_scan = false;  // no log is read: tables are scanned or polled
  std::shared_ptr<Charsets> charsets = std::make_shared<Charsets>();

  Access access() const { return {config.name, endpoint, config.password}; }
  // REQUIRES: there is one.
  Access replica_access() const {
    return {config.name, replica.value_or(Endpoint{}), config.password};
  }
  // Of a user-level lock that a session of ours holds while it writes: by it that session is found
  // and ended. Such names have 64 characters at most, whatever appliance and system are called.
  // place: among the connections that we write through, from 0.
  std::string lock_name(size_t place) const;
  // As a replica the server knows us by this number; two with one number end each other.
  uint32_t replica_number() const {
    return model::stable_id(config.appliance + "/" + config.name + "/replica");
  }
};

}  // namespace syncline::mariadb
