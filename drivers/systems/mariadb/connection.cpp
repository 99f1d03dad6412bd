#include "drivers/systems/mariadb/detail/connection.hpp"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <mutex>

#include <errmsg.h>
#include <mysqld_error.h>

namespace syncline::mariadb {
namespace {

constexpr unsigned kConnectSeconds = 10;
constexpr unsigned kReadSeconds = 600;
constexpr unsigned kStreamSeconds = 30;  // several heartbeats

// MySQL's own numbers; MariaDB gives none of them another meaning.
constexpr unsigned kMysqlQueryTimeout = 3024;
constexpr unsigned kMysqlOffline = 3032;
constexpr unsigned kMysqlSessionKilled = 3169;
constexpr unsigned kMysqlLockNoWait = 3572;
constexpr unsigned kMysqlCheckViolated = 3819;
constexpr unsigned kMysqlStringConversion = 3854;

bool is_in(unsigned number, std::initializer_list<unsigned> numbers) {
  return std::find(numbers.begin(), numbers.end(), number) != numbers.end();
}

void set_options(MYSQL* handle, const Access& access, Purpose purpose) {
  const Endpoint& endpoint = access.endpoint;
  const bool is_short = purpose == Purpose::kReplication || purpose == Purpose::kCopy;
  const unsigned seconds = is_short ? kStreamSeconds : kReadSeconds;
  mysql_optionsv(handle, MYSQL_OPT_CONNECT_TIMEOUT, &kConnectSeconds);
  mysql_optionsv(handle, MYSQL_OPT_READ_TIMEOUT, &seconds);
  mysql_optionsv(handle, MYSQL_OPT_WRITE_TIMEOUT, &seconds);
  mysql_optionsv(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4");
  const size_t packet_size_max = size_t{1} << 30;
  mysql_optionsv(handle, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_size_max);
  const my_bool yes = 1;
  const auto set_file = [&](mysql_option option, const std::string& file) {
    if (!file.empty()) mysql_optionsv(handle, option, file.c_str());
  };
  set_file(MYSQL_OPT_SSL_CA, endpoint.ca_file);
  set_file(MYSQL_OPT_SSL_CERT, endpoint.certificate_file);
  set_file(MYSQL_OPT_SSL_KEY, endpoint.key_file);
  if (endpoint.tls == Tls::kRequired || endpoint.tls == Tls::kVerified) {
    mysql_optionsv(handle, MYSQL_OPT_SSL_ENFORCE, &yes);
  }
  if (endpoint.tls == Tls::kVerified) {
    mysql_optionsv(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
  }
}

std::string place_of(const Access& access) {
  const Endpoint& endpoint = access.endpoint;
  const std::string where = endpoint.socket.empty()
                                ? endpoint.host + ":" + std::to_string(endpoint.port)
                                : endpoint.socket;
  return "system " + access.system + " (" + endpoint.database + " at " + where + ")";
}

std::string fix_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSystemBusy:
      return "nothing: it is tried again";
    case ErrorCode::kSystemOpen:
      return "see that the server runs and takes this user and password; it is tried again";
    case ErrorCode::kSystemFull:
      return "make room on the server's disk; it is tried again";
    case ErrorCode::kSystemSchema:
      return "compare the dataset's section of the config with the table";
    default:
      return "see the server's message";
  }
}

}  // namespace

std::string quoted_name(std::string_view name) {
  std::string out = "`";
  for (const char letter : name) {
    if (letter == '`') out += '`';
    out += letter;
  }
  return out + "`";
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'' || letter == '\\') out += letter;
    out += letter;
  }
  return out + "'";
}

bool Answer::next() {
  row_ = mysql_fetch_row(result_.get());
  sizes_ = row_ == nullptr ? nullptr : mysql_fetch_lengths(result_.get());
  return row_ != nullptr;
}

size_t Answer::row_count() const {
  return mysql_num_rows(result_.get());
}

std::string_view Answer::text(size_t column) const {
  if (row_[column] == nullptr) return {};
  return {row_[column], sizes_[column]};
}

size_t Answer::size_bytes() const {
  size_t size = 0;
  for (size_t column = 0; column < mysql_num_fields(result_.get()); ++column) {
    size += sizes_[column];
  }
  return size;
}

int64_t Answer::integer(size_t column) const {
  const std::string_view from = text(column);
  int64_t value = 0;
  std::from_chars(from.data(), from.data() + from.size(), value);
  return value;
}

std::string_view Answer::text_of(std::string_view column) const {
  const MYSQL_FIELD* fields = mysql_fetch_fields(result_.get());
  const unsigned count = mysql_num_fields(result_.get());
  for (unsigned i = 0; i < count; ++i) {
    if (column == fields[i].name) return text(i);
  }
  return {};
}

ErrorCode code_of(unsigned number) {
  if (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR) return ErrorCode::kSystemOpen;
  if (is_in(number,
            {ER_LOCK_WAIT_TIMEOUT, ER_LOCK_DEADLOCK, ER_CHECKREAD, ER_QUERY_INTERRUPTED,
             ER_STATEMENT_TIMEOUT, ER_CON_COUNT_ERROR, ER_TOO_MANY_USER_CONNECTIONS,
             ER_USER_LIMIT_REACHED, ER_OUT_OF_RESOURCES, ER_OUTOFMEMORY, ER_TABLE_DEF_CHANGED,
             ER_LOCK_TABLE_FULL, kMysqlLockNoWait, kMysqlQueryTimeout})) {
    return ErrorCode::kSystemBusy;
  }
  if (is_in(number, {ER_NO_SUCH_TABLE, ER_BAD_FIELD_ERROR, ER_BAD_TABLE_ERROR,
                     ER_NO_SUCH_TABLE_IN_ENGINE, ER_UNKNOWN_TABLE, ER_WRONG_VALUE_COUNT})) {
    return ErrorCode::kSystemSchema;
  }
  if (is_in(number, {ER_DISK_FULL, ER_RECORD_FILE_FULL})) return ErrorCode::kSystemFull;
  if (is_in(number,
            {ER_ACCESS_DENIED_ERROR, ER_DBACCESS_DENIED_ERROR, ER_BAD_DB_ERROR, ER_SERVER_SHUTDOWN,
             ER_NORMAL_SHUTDOWN, ER_CONNECTION_KILLED, ER_OPTION_PREVENTS_STATEMENT,
             ER_HOST_NOT_PRIVILEGED, ER_HOST_IS_BLOCKED, ER_NET_PACKET_TOO_LARGE, ER_NET_READ_ERROR,
             ER_NET_READ_INTERRUPTED, ER_NET_ERROR_ON_WRITE, ER_NET_WRITE_INTERRUPTED,
             kMysqlOffline, kMysqlSessionKilled})) {
    return ErrorCode::kSystemOpen;
  }
  return ErrorCode::kSystemRefused;
}

bool is_refusal(unsigned number, std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "22" || group == "23" || group == "45" || group == "01") return true;
  return is_in(number,
               {ER_TRUNCATED_WRONG_VALUE_FOR_FIELD, ER_NO_DEFAULT_FOR_FIELD, WARN_DATA_TRUNCATED,
                ER_TRUNCATED_WRONG_VALUE, ER_TOO_BIG_ROWSIZE, ER_CANT_CREATE_GEOMETRY_OBJECT,
                ER_NO_PARTITION_FOR_GIVEN_VALUE, ER_NON_INSERTABLE_TABLE, ER_WRONG_VALUE,
                ER_CANNOT_CONVERT_CHARACTER, kMysqlCheckViolated, kMysqlStringConversion});
}

Result<std::unique_ptr<Connection>> Connection::open(const Access& access, Purpose purpose) {
  static std::once_flag is_library_ready;
  std::call_once(is_library_ready, [] { mysql_server_init(0, nullptr, nullptr); });
  MYSQL* handle = mysql_init(nullptr);
  std::unique_ptr<Connection> connection(new Connection(handle, place_of(access)));
  const Endpoint& endpoint = access.endpoint;
  set_options(handle, access, purpose);
  const char* host = endpoint.host.empty() ? nullptr : endpoint.host.c_str();
  const char* socket = endpoint.socket.empty() ? nullptr : endpoint.socket.c_str();
  const MYSQL* opened = mysql_real_connect(
      handle, socket == nullptr ? host : nullptr, endpoint.user.c_str(), access.password.c_str(),
      endpoint.database.c_str(), endpoint.port, socket, CLIENT_FOUND_ROWS);
  if (opened == nullptr) {
    Error error = connection->last_error("cannot connect to " + connection->place_);
    if (error.code == ErrorCode::kSystemRefused) error.code = ErrorCode::kSystemOpen;
    return error;
  }
  // Asked to enforce TLS, the library goes on without it where the server has none.
  if (endpoint.tls != Tls::kDisabled && mysql_get_ssl_cipher(handle) == nullptr) {
    return fail(
        ErrorCode::kSystemOpen, connection->place_ + " offers no TLS",
        "the url asks for it with sslmode",
        "set ssl_cert and ssl_key in the server's config and restart it, or sslmode=disable");
  }
  SYN_TRY(connection->kind_,
          kind_of_server(mariadb_connection(handle) != 0 ? Flavour::kMariadb : Flavour::kMysql,
                         static_cast<uint32_t>(mysql_get_server_version(handle)),
                         mysql_get_server_info(handle), connection->place_));
  const Dialect& dialect = connection->dialect();
  for (const char* setting : dialect.session) {
    SYN_TRY(connection->run(setting));
  }
  const bool is_write = purpose == Purpose::kWrite;
  if (is_write && connection->kind_.is_mysql() &&
      mysql_set_server_option(handle, MYSQL_OPTION_MULTI_STATEMENTS_ON) != 0) {
    return connection->last_error(connection->place_ + " takes no statements in bulk");
  }
  SYN_TRY(connection->run(is_write ? dialect.write_session : dialect.read_session));
  return connection;
}

Connection::~Connection() {
  mysql_close(handle_);
}

Error Connection::error_of(unsigned number, std::string_view sqlstate, std::string_view message,
                           std::string what) const {
  const ErrorCode code = code_of(number);
  is_usable_ = is_usable_ && code != ErrorCode::kSystemOpen;
  std::string why(message);
  std::replace(why.begin(), why.end(), '\n', ' ');
  why += " [" + std::to_string(number) + ", " + std::string(sqlstate) + "]";
  return {code, std::move(what), std::move(why), fix_of(code)};
}

Error Connection::last_error(std::string what) const {
  return error_of(mysql_errno(handle_), mysql_sqlstate(handle_), mysql_error(handle_),
                  std::move(what));
}

Result<Answer> Connection::query(const std::string& sql) {
  const bool is_sent = mysql_real_query(handle_, sql.data(), sql.size()) == 0;
  MYSQL_RES* result = is_sent ? mysql_store_result(handle_) : nullptr;
  if (result != nullptr) return Answer(result);
  if (is_sent && mysql_errno(handle_) == 0) {
    return fail(ErrorCode::kInternal, "a statement gave no rows", sql, "report this");
  }
  return last_error(place_ + " refused a statement");
}

Result<void> Connection::run(const std::string& sql) {
  const bool is_sent = mysql_real_query(handle_, sql.data(), sql.size()) == 0;
  if (is_sent) mysql_free_result(mysql_store_result(handle_));
  if (is_sent && mysql_errno(handle_) == 0) return success();
  return last_error(place_ + " refused a statement");
}

Result<std::string> Connection::query_text(const std::string& sql) {
  SYN_TRY(Answer answer, query(sql));
  return answer.next() ? std::string(answer.text(0)) : std::string();
}

}  // namespace syncline::mariadb
