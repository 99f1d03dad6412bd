// Writes a first config from the tables of two or more systems, for `syncline init`: matches tables
// and columns by name and type, and says in a comment whatever it is unsure of.
//
// What it writes parses and resolves against the same tables; a table whose key it cannot match is
// only mentioned. Threads: pure functions. Errors: none.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/resolve.hpp"

namespace syncline::config {

struct InitSystem {
  std::string name;
  std::string kind;
  std::string url;  // without a password
  std::vector<TableShape> tables;
  std::string password_environment = {};  // the variable that holds it; empty: no password
};

struct InitSettings {
  std::string appliance = "main";
  std::string data = "syncline-data";
};

// Whether the config refuses this as a system's name.
bool is_reserved_system(std::string_view name);

// REQUIRES: at least two systems, with names that the config accepts.
std::string make_sample(const InitSettings& settings, std::span<const InitSystem> systems);

}  // namespace syncline::config
