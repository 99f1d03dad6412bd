// Which server stands at the other end, and what is said otherwise to each. What else differs
// between them asks for `flavour` where it is read: the log's events (event.hpp), its place
// (reads.cpp), bulk writes (bulk.cpp).
//
// MySQL 8 is written for from its manual: no test runs on one. 5.6 is what tests run on.
// Threads: values that never change. Errors: kSystemOpen for a server that is neither.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "host/base/result.hpp"

namespace syncline::mariadb {

enum class Flavour : uint8_t { kMariadb, kMysql };

constexpr uint32_t kMariadbUntested = 110'500;  // from here on: 10.11 and 11.4 are tested

constexpr uint32_t kMysql80 = 80'000;
constexpr uint32_t kMysql82 = 80'200;  // SHOW MASTER STATUS has another name from here on
constexpr uint32_t kMysql90 = 90'000;

struct Dialect {
  Flavour flavour = Flavour::kMariadb;
  uint32_t version = 0;  // the lowest that is spoken to so
  const char* name = "";
  std::span<const char* const> session;  // what every session of ours is set to
  const char* write_session = "";
  const char* read_session = "";
  const char* generation = "";   // of column c: what computes it
  bool has_json_checks = false;  // JSON is a text with a check that it is
  const char* lock = "";         // behind a SELECT
  bool looks_up_rows = true;     // (a, b) IN ((1, 2)) goes by an index
  const char* oldest_open = "";  // in microseconds: when the oldest open transaction began
};

struct ServerKind {
  const Dialect* dialect = nullptr;
  uint32_t version = 0;  // 101119, 80036
  std::string text;      // in the server's words

  Flavour flavour() const { return dialect->flavour; }
  bool is_mysql() const { return flavour() == Flavour::kMysql; }
};

// place: of the connection, for the error.
Result<ServerKind> kind_of_server(Flavour flavour, uint32_t version, std::string text,
                                  const std::string& place);

// Why its log is not read; nothing where it is.
std::optional<Error> unread_log(const ServerKind& kind, const std::string& place);

}  // namespace syncline::mariadb
