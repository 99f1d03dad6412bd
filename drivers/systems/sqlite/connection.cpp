#include "drivers/systems/sqlite/detail/connection.hpp"

#include <chrono>
#include <cstring>
#include <thread>

#include <sys/stat.h>

namespace syncline::sqlite {
namespace {

constexpr int64_t kLockPauseUs = 250;

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return ErrorCode::kSystemBusy;
    case SQLITE_FULL:
      return ErrorCode::kSystemFull;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
      return ErrorCode::kSystemRefused;
    case SQLITE_ERROR:
    case SQLITE_SCHEMA:
      return ErrorCode::kSystemSchema;
    default:
      return ErrorCode::kSystemOpen;
  }
}

std::string fix_of(int sqlite_code, const std::string& path) {
  switch (sqlite_code & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "nothing: it is tried again; keep write transactions on " + path + " short";
    case SQLITE_FULL:
      return "free space on the disk that holds " + path + ", or raise its max_page_count";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
    case SQLITE_AUTH:
      return "let this user read and write " + path + " and its folder";
    case SQLITE_NOTADB:
      return "check the url: " + path + " is not a SQLite database, or it is encrypted";
    case SQLITE_CORRUPT:
      return "restore " + path + " from a backup, or try `.recover` of the sqlite3 shell";
    case SQLITE_CONSTRAINT:
      return "resolve the clash in the database, then `syncline quarantine retry`";
    default:
      return "look into " + path + " with the sqlite3 shell";
  }
}

}  // namespace

void Statement::bind(int parameter, const NativeValue& value) {
  switch (value.storage) {
    case StorageClass::kNull:
      sqlite3_bind_null(handle_.get(), parameter);
      break;
    case StorageClass::kInteger:
      sqlite3_bind_int64(handle_.get(), parameter, value.integer);
      break;
    case StorageClass::kReal:
      sqlite3_bind_double(handle_.get(), parameter, value.real);
      break;
    case StorageClass::kText:
      bind_text(parameter, value.bytes);
      break;
    case StorageClass::kBlob:
      bind_blob(parameter, value.bytes);
      break;
  }
}

// An empty view may have a null pointer, which SQLite would take for NULL.
void Statement::bind_text(int parameter, std::string_view text) {
  sqlite3_bind_text64(handle_.get(), parameter, text.empty() ? "" : text.data(), text.size(),
                      SQLITE_STATIC, SQLITE_UTF8);
}

void Statement::bind_blob(int parameter, std::string_view bytes) {
  sqlite3_bind_blob64(handle_.get(), parameter, bytes.empty() ? "" : bytes.data(), bytes.size(),
                      SQLITE_STATIC);
}

int Statement::run() {
  const int code = step();
  reset();
  return code;
}

NativeValue Statement::value(int column) {
  NativeValue out;
  switch (sqlite3_column_type(handle_.get(), column)) {
    case SQLITE_INTEGER:
      out.storage = StorageClass::kInteger;
      out.integer = sqlite3_column_int64(handle_.get(), column);
      break;
    case SQLITE_FLOAT:
      out.storage = StorageClass::kReal;
      out.real = sqlite3_column_double(handle_.get(), column);
      break;
    case SQLITE_TEXT:
      out.storage = StorageClass::kText;
      out.bytes = text(column);
      break;
    case SQLITE_BLOB:
      out.storage = StorageClass::kBlob;
      out.bytes = blob(column);
      break;
    default:
      break;
  }
  return out;
}

std::string_view Statement::text(int column) {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

std::string_view Statement::blob(int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Connection::Connection(sqlite3* handle, std::string path, int busy_wait_ms)
    : handle_(handle), path_(std::move(path)), busy_wait_us_(int64_t{1000} * busy_wait_ms) {}

Connection::~Connection() {
  sqlite3_close_v2(handle_);
}

// SQLite's own handler sleeps in steps of up to 100 ms; ours in steps that fit a short transaction.
int Connection::wait_for_lock(void* self, int attempt) {
  if (attempt * kLockPauseUs >= static_cast<Connection*>(self)->busy_wait_us_) return 0;
  std::this_thread::sleep_for(std::chrono::microseconds(kLockPauseUs));
  return 1;
}

Result<std::unique_ptr<Connection>> Connection::open(const std::string& path, Access access,
                                                     const std::string& synchronous,
                                                     int busy_wait_ms) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) {
    return fail(ErrorCode::kSystemOpen, "cannot open " + path, std::strerror(errno),
                "check the url; Syncline does not create databases");
  }
  if (S_ISDIR(info.st_mode)) {
    return fail(ErrorCode::kSystemOpen, "cannot open " + path, "it is a folder",
                "let the url name the database file in it");
  }
  const int flags = access == Access::kWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &handle, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<Connection> connection(new Connection(handle, path, busy_wait_ms));
  if (code != SQLITE_OK) return connection->error(code, "cannot open " + path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_handler(handle, &Connection::wait_for_lock, connection.get());
  connection->device_ = info.st_dev;
  connection->inode_ = info.st_ino;
  SYN_TRY(connection->execute("PRAGMA foreign_keys = OFF; PRAGMA synchronous = " + synchronous +
                              "; PRAGMA ignore_check_constraints = OFF"));
  SYN_TRY(connection->query_integer("PRAGMA schema_version"));
  return connection;
}

Error Connection::error(int code, std::string what) const {
  const char* message = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  return Error{code_of(code), std::move(what), message, fix_of(code, path_)};
}

Result<void> Connection::execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "cannot run `" + sql + "` on " + path_);
  return success();
}

Result<Statement> Connection::prepare(const std::string& sql) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.c_str(), static_cast<int>(sql.size()) + 1,
                                      SQLITE_PREPARE_PERSISTENT, &handle, nullptr);
  if (code != SQLITE_OK) return error(code, "cannot prepare `" + sql + "` on " + path_);
  return Statement(handle);
}

Result<int64_t> Connection::query_integer(const std::string& sql) {
  SYN_TRY(Statement statement, prepare(sql));
  const int code = statement.step();
  if (code == SQLITE_ROW) return statement.integer(0);
  if (code == SQLITE_DONE) return 0;
  return error(code, "cannot run `" + sql + "` on " + path_);
}

Result<std::string> Connection::query_text(const std::string& sql) {
  SYN_TRY(Statement statement, prepare(sql));
  const int code = statement.step();
  if (code == SQLITE_ROW) return std::string(statement.text(0));
  if (code == SQLITE_DONE) return std::string();
  return error(code, "cannot run `" + sql + "` on " + path_);
}

Result<bool> Connection::next(Statement& statement) {
  const int code = statement.step();
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return error(code, "cannot read from " + path_);
}

Result<std::string> Connection::column_collation(const std::string& table,
                                                 const std::string& column) {
  const char* collation = nullptr;
  const int code = sqlite3_table_column_metadata(handle_, "main", table.c_str(), column.c_str(),
                                                 nullptr, &collation, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error(code, "cannot read column " + column + " of " + table);
  return std::string(collation == nullptr ? "BINARY" : collation);
}

void Connection::rollback() {
  if (is_in_transaction()) sqlite3_exec(handle_, "ROLLBACK", nullptr, nullptr, nullptr);
}

bool Connection::is_same_file() const {
  struct stat info{};
  return stat(path_.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

Result<Transaction> Transaction::begin(Connection& connection, Access access) {
  SYN_TRY(connection.execute(access == Access::kWrite ? "BEGIN IMMEDIATE" : "BEGIN"));
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ != nullptr) connection_->rollback();
}

Result<void> Transaction::commit() {
  SYN_TRY(connection_->execute("COMMIT"));
  connection_ = nullptr;
  return success();
}

std::string quoted(std::string_view name) {
  std::string out = "\"";
  for (const char letter : name)
    out += letter == '"' ? std::string("\"\"") : std::string(1, letter);
  return out + '"';
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? std::string("''") : std::string(1, letter);
  return out + '\'';
}

}  // namespace syncline::sqlite
