// What the three faces of one system are told, and the names of what Syncline creates there.
//
// Threads: immutable after it is made.
#pragma once

#include <string>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "host/ports/system.hpp"

namespace syncline::postgres {

struct Shared {
  ports::SystemConfig config;
  std::string object;  // slot and publication: "syncline_zurich_erp"

  Access access(std::string_view role) const {
    return {config.name, config.url, config.password, session(role)};
  }
  // Sessions of ours are known by it, for the one purpose of ending those that are left over.
  std::string session(std::string_view role) const { return object + "/" + std::string(role); }
};

// Slots have small letters, digits and _; names with others, or too long, get a number of their
// own.
std::string object_name(const std::string& appliance, const std::string& system);

}  // namespace syncline::postgres
