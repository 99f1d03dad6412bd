// Where a server is and how to reach it, from the config's URL:
//   mariadb://user@host:3306/database?option=value&...
//   socket           path of a Unix socket, instead of the host
//   sslmode          disable (the default) | require | verify-full
//   sslrootcert, sslcert, sslkey   files
//
// Threads: values. Errors: kConfigValue.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/result.hpp"

namespace syncline::mariadb {

enum class Tls : uint8_t { kDisabled, kRequired, kVerified };

struct Endpoint {
  std::string user;
  std::string host;
  uint16_t port = 3306;
  std::string socket;
  std::string database;
  Tls tls = Tls::kDisabled;
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

Result<Endpoint> parse_endpoint(const std::string& system, std::string_view url);

}  // namespace syncline::mariadb
