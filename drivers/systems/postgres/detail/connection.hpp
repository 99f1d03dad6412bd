// One connection to a PostgreSQL server, behind Result. Its session is fixed: whatever the role or
// the database is set to, values read and written look the same.
//
// Owner: an Answer is its own; it may outlive its connection. Threads: one at a time per
// connection. Errors: kSystemOpen (gone, or never there), kSystemBusy (locks, deadlocks, time
// limits), kSystemFull, kSystemSchema, kSystemRefused (everything that speaks of the statement).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <libpq-fe.h>

#include "host/base/result.hpp"

namespace syncline::postgres {

// "public"."customer" | 'it''s'
std::string quoted_name(std::string_view name);
std::string literal(std::string_view text);

class Answer {
 public:
  explicit Answer(PGresult* result) : result_(result) {}

  size_t row_count() const { return static_cast<size_t>(PQntuples(result_.get())); }
  size_t affected_count() const;  // rows that a statement wrote
  bool is_null(size_t row, size_t column) const {
    return PQgetisnull(result_.get(), static_cast<int>(row), static_cast<int>(column)) != 0;
  }
  std::string_view text(size_t row, size_t column) const;
  int64_t integer(size_t row, size_t column) const;  // 0 for NULL
  bool is_true(size_t row, size_t column) const { return text(row, column) == "t"; }
  size_t size_bytes() const { return PQresultMemorySize(result_.get()); }

 private:
  struct Clear {
    void operator()(PGresult* result) const { PQclear(result); }
  };
  std::unique_ptr<PGresult, Clear> result_;
};

using Parameter = std::optional<std::string>;  // nullopt: NULL

enum class Purpose : uint8_t { kSql, kWrite, kReplication };

struct Access {
  std::string system;    // its name, for messages
  std::string url;       // without a password
  std::string password;  // never in a message
  std::string session;   // application_name: by it our own sessions are known
};

class Connection {
 public:
  static Result<std::unique_ptr<Connection>> open(const Access& access, Purpose purpose);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<Answer> query(const std::string& sql, std::span<const Parameter> parameters = {});
  Result<void> run(const std::string& sql);  // one or several statements without parameters
  // The first cell as text; empty for NULL or no row.
  Result<std::string> query_text(const std::string& sql,
                                 std::span<const Parameter> parameters = {});

  // What a result that is no success means, with the server's own words.
  Error error_of(const PGresult* result, std::string what) const;
  Error lost(std::string what) const;  // the connection itself is gone
  // SQLSTATE of the last error that query or error_of made; empty where there was none.
  const std::string& sqlstate() const { return sqlstate_; }

  // The constraint that it named, likewise.
  const std::string& constraint() const { return constraint_; }

  PGconn* handle() const { return handle_; }
  int version() const { return PQserverVersion(handle_); }  // 150018
  bool is_usable() const { return PQstatus(handle_) == CONNECTION_OK; }
  const std::string& place() const { return place_; }  // "system erp (shop at db1:5432)"

 private:
  Connection(PGconn* handle, std::string place) : handle_(handle), place_(std::move(place)) {}

  PGconn* handle_ = nullptr;
  std::string place_;
  mutable std::string sqlstate_;
  mutable std::string constraint_;
};

ErrorCode code_of(std::string_view sqlstate);
// Whether the code speaks of the one record: a constraint, a value.
bool is_refusal(std::string_view sqlstate);

// {"a","b\"c",NULL}: an array literal of texts.
class ArrayLiteral {
 public:
  void add(std::string_view text);
  void add_null();
  std::string finish();
  size_t count() const { return count_; }

 private:
  std::string text_ = "{";
  size_t count_ = 0;
};

}  // namespace syncline::postgres
