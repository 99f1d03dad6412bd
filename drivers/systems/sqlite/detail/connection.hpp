// One connection to a SQLite file, and its prepared statements, behind Result.
//
// Owner: statements must not outlive their connection. Threads: one at a time per connection.
// Errors: kSystemBusy, kSystemFull, kSystemOpen, kSystemRefused (a constraint), kSystemSchema.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <sqlite3.h>

#include "drivers/systems/sqlite/detail/value.hpp"
#include "host/base/result.hpp"

namespace syncline::sqlite {

class Statement {
 public:
  Statement() = default;
  explicit Statement(sqlite3_stmt* handle) : handle_(handle) {}

  explicit operator bool() const { return handle_ != nullptr; }

  // Parameters count from 1. Bytes must live until the next reset.
  void bind(int parameter, int64_t value) { sqlite3_bind_int64(handle_.get(), parameter, value); }
  void bind(int parameter, const NativeValue& value);
  void bind_text(int parameter, std::string_view text);
  void bind_blob(int parameter, std::string_view bytes);

  // SQLITE_ROW, SQLITE_DONE or an error code.
  int step() { return sqlite3_step(handle_.get()); }
  void reset() { sqlite3_reset(handle_.get()); }
  // One step of a statement that gives no rows, then a reset.
  int run();

  // Columns count from 0. Bytes live until the next step or reset.
  int64_t integer(int column) { return sqlite3_column_int64(handle_.get(), column); }
  NativeValue value(int column);
  std::string_view text(int column);
  std::string_view blob(int column);

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* handle) const { sqlite3_finalize(handle); }
  };
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

// Resets on every way out, so that no read transaction stays open.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement) : statement_(statement) {}
  ~StatementScope() { statement_.reset(); }
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

 private:
  Statement& statement_;
};

enum class Access : uint8_t { kRead, kWrite };

class Connection {
 public:
  // Opens a file that exists and is a database. synchronous: SQLite's word for when commits reach
  // the disk ("FULL", "NORMAL"). busy_wait_ms: how long a lock held by others is waited for.
  static Result<std::unique_ptr<Connection>> open(const std::string& path, Access access,
                                                  const std::string& synchronous, int busy_wait_ms);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Result<void> execute(const std::string& sql);
  Result<Statement> prepare(const std::string& sql);
  Result<int64_t> query_integer(const std::string& sql);
  Result<std::string> query_text(const std::string& sql);

  // The statement's next row; false after the last one.
  Result<bool> next(Statement& statement);
  // BINARY, NOCASE, RTRIM or a collation of the user's.
  Result<std::string> column_collation(const std::string& table, const std::string& column);

  // The error of the last call that failed with this code.
  Error error(int code, std::string what) const;
  int extended_code() const { return sqlite3_extended_errcode(handle_); }
  int64_t changed_rows() const { return sqlite3_changes64(handle_); }
  bool is_in_transaction() const { return sqlite3_get_autocommit(handle_) == 0; }
  void rollback();
  // Whether the path still leads to the file that was opened.
  bool is_same_file() const;
  const std::string& path() const { return path_; }

 private:
  Connection(sqlite3* handle, std::string path, int busy_wait_ms);

  static int wait_for_lock(void* self, int attempt);

  sqlite3* handle_;
  std::string path_;
  int64_t busy_wait_us_;
  uint64_t device_ = 0;
  uint64_t inode_ = 0;
};

// Rolls back on every way out but commit().
class Transaction {
 public:
  static Result<Transaction> begin(Connection& connection, Access access);
  Transaction(Transaction&& other) noexcept : connection_(other.connection_) {
    other.connection_ = nullptr;
  }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();
  Result<void> commit();

 private:
  explicit Transaction(Connection& connection) : connection_(&connection) {}
  Connection* connection_;
};

// "name" with its quotes doubled: an identifier in SQL.
std::string quoted(std::string_view name);
// 'text' likewise.
std::string literal(std::string_view text);

}  // namespace syncline::sqlite
