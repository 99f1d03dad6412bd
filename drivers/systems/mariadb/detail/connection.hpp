// One connection to a MariaDB or MySQL server, behind Result. Its session is fixed: whatever the
// server or the user is set to, values read and written look the same.
//
// Owner: an Answer is its own; it may outlive its connection. Threads: one at a time per
// connection. Errors: kSystemOpen (gone, or never there), kSystemBusy (locks, deadlocks, limits),
// kSystemFull, kSystemSchema, kSystemRefused (everything that speaks of the statement).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <mysql.h>

#include "drivers/systems/mariadb/detail/endpoint.hpp"
#include "drivers/systems/mariadb/detail/flavour.hpp"
#include "host/base/result.hpp"

namespace syncline::mariadb {

// `customer` | 'it''s'
std::string quoted_name(std::string_view name);
std::string literal(std::string_view text);

// Rows of text, read forwards: next() comes before the first.
class Answer {
 public:
  explicit Answer(MYSQL_RES* result) : result_(result) {}

  bool next();
  size_t row_count() const;
  bool is_null(size_t column) const { return row_[column] == nullptr; }
  std::string_view text(size_t column) const;  // empty for NULL
  int64_t integer(size_t column) const;        // 0 for NULL
  // Of the column of this name; empty where there is none.
  std::string_view text_of(std::string_view column) const;
  size_t size_bytes() const;  // of the row

 private:
  struct Free {
    void operator()(MYSQL_RES* result) const { mysql_free_result(result); }
  };
  std::unique_ptr<MYSQL_RES, Free> result_;
  MYSQL_ROW row_ = nullptr;
  const unsigned long* sizes_ = nullptr;  // NOLINT(google-runtime-int): the library's type
};

// kCopy: short reads of a replica, whose silence must hold up nobody for long.
enum class Purpose : uint8_t { kSql, kWrite, kReplication, kCopy };

struct Access {
  std::string system;  // its name, for messages
  Endpoint endpoint;
  std::string password;  // never in a message
};

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Access& access, Purpose purpose);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<Answer> query(const std::string& sql);
  Result<void> run(const std::string& sql);  // one statement, its rows dropped
  // The first cell as text; empty for NULL or no row.
  Result<std::string> query_text(const std::string& sql);
  // Rows that the last statement matched.
  uint64_t matched_count() const { return mysql_affected_rows(handle_); }

  // What an error of the server's means, with its own words.
  Error error_of(unsigned number, std::string_view sqlstate, std::string_view message,
                 std::string what) const;
  Error last_error(std::string what) const;

  const ServerKind& kind() const { return kind_; }
  const Dialect& dialect() const { return *kind_.dialect; }
  MYSQL* handle() const { return handle_; }
  uint64_t id() const { return mysql_thread_id(handle_); }
  bool is_usable() const { return is_usable_; }
  const std::string& place() const { return place_; }  // "system erp (shop at db1:3306)"

 private:
  Connection(MYSQL* handle, std::string place) : handle_(handle), place_(std::move(place)) {}

  MYSQL* handle_ = nullptr;
  std::string place_;
  ServerKind kind_;
  mutable bool is_usable_ = true;
};

ErrorCode code_of(unsigned number);
// Whether the error speaks of the one record: a constraint, a value.
bool is_refusal(unsigned number, std::string_view sqlstate);

}  // namespace syncline::mariadb
