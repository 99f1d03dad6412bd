#include "drivers/systems/postgres/detail/connection.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

namespace syncline::postgres {
namespace {

// pgoutput and every SELECT obey these, and a role or database may have set others.
constexpr std::string_view kSession =
    "-c datestyle=ISO,YMD -c intervalstyle=iso_8601 -c extra_float_digits=3 -c TimeZone=UTC "
    "-c bytea_output=hex -c lc_monetary=C -c xmloption=content -c standard_conforming_strings=on "
    "-c client_min_messages=error -c default_transaction_isolation=read\\ committed "
    "-c default_transaction_read_only=off -c default_transaction_deferrable=off "
    "-c idle_in_transaction_session_timeout=0 ";

// A write never waits behind a user for long, and gives up before the server looks for deadlocks,
// whose victim might be the user's transaction: that may be sooner than its default of a second.
constexpr std::string_view kWriteSession = "-c lock_timeout=400ms -c statement_timeout=60s ";
constexpr const char* kBelowDeadlocks =
    "SELECT set_config('lock_timeout', greatest(1, least(400, setting::int / 2)) || 'ms', false) "
    "FROM pg_settings WHERE name = 'deadlock_timeout'";
constexpr std::string_view kReadSession = "-c lock_timeout=20s -c statement_timeout=300s ";
constexpr std::string_view kReplicationSession = "-c statement_timeout=0 ";
// How long a server that is at work may be silent; a URL's own `options` come behind it.
constexpr std::string_view kSigns = "-c wal_sender_timeout=60s ";

constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
    {"connect_timeout", "10"}, {"keepalives_idle", "10"},     {"keepalives_interval", "5"},
    {"keepalives_count", "3"}, {"tcp_user_timeout", "30000"},
};

std::string_view session_of(Purpose purpose) {
  switch (purpose) {
    case Purpose::kWrite:
      return kWriteSession;
    case Purpose::kReplication:
      return kReplicationSession;
    case Purpose::kSql:
      break;
  }
  return kReadSession;
}

auto not_a_url(const Access& access, std::string why) {
  return fail(ErrorCode::kConfigValue, "the url of system '" + access.system + "' cannot be used",
              std::move(why),
              "write it as postgres://user@host:5432/database, and the password's source in "
              "`password`");
}

std::string without_newline(const char* text) {
  std::string out = text == nullptr ? "" : text;
  while (!out.empty() && (out.back() == '\n' || out.back() == ' ')) out.pop_back();
  std::replace(out.begin(), out.end(), '\n', ' ');
  return out;
}

std::string fix_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kSystemBusy:
      return "nothing: it is tried again";
    case ErrorCode::kSystemOpen:
      return "see that the server runs and takes this role and password; it is tried again";
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
  std::string out = "\"";
  for (const char letter : name) {
    if (letter == '"') out += '"';
    out += letter;
  }
  return out + "\"";
}

std::string literal(std::string_view text) {
  std::string out = "'";
  for (const char letter : text) {
    if (letter == '\'') out += '\'';
    out += letter;
  }
  return out + "'";
}

size_t Answer::affected_count() const {
  const std::string_view text = PQcmdTuples(result_.get());
  size_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::string_view Answer::text(size_t row, size_t column) const {
  const int r = static_cast<int>(row);
  const int c = static_cast<int>(column);
  return {PQgetvalue(result_.get(), r, c), static_cast<size_t>(PQgetlength(result_.get(), r, c))};
}

int64_t Answer::integer(size_t row, size_t column) const {
  const std::string_view from = text(row, column);
  int64_t value = 0;
  std::from_chars(from.data(), from.data() + from.size(), value);
  return value;
}

ErrorCode code_of(std::string_view sqlstate) {
  constexpr std::string_view kBusy[] = {"40001", "40P01", "55P03", "57014", "55006"};
  constexpr std::string_view kSchema[] = {"42P01", "42703", "3F000", "42804", "42846", "42P10"};
  const auto is_in = [&](const auto& codes) {
    return std::find(std::begin(codes), std::end(codes), sqlstate) != std::end(codes);
  };
  if (sqlstate.empty()) return ErrorCode::kSystemOpen;
  if (is_in(kBusy)) return ErrorCode::kSystemBusy;
  if (is_in(kSchema)) return ErrorCode::kSystemSchema;
  if (sqlstate == "53100") return ErrorCode::kSystemFull;
  if (sqlstate == "25006") return ErrorCode::kSystemOpen;  // a standby takes no writes
  const std::string_view group = sqlstate.substr(0, 2);
  if (group == "53") return ErrorCode::kSystemBusy;
  if (group == "08" || group == "57" || group == "28" || group == "3D") {
    return ErrorCode::kSystemOpen;
  }
  return ErrorCode::kSystemRefused;
}

bool is_refusal(std::string_view sqlstate) {
  const std::string_view group = sqlstate.substr(0, 2);
  return group == "22" || group == "23" || group == "44" || group == "P0" || group == "54" ||
         group == "38" || group == "39" || sqlstate == "428C9";
}

Result<std::unique_ptr<Connection>> Connection::open(const Access& access, Purpose purpose) {
  char* message = nullptr;
  PQconninfoOption* options = PQconninfoParse(access.url.c_str(), &message);
  if (options == nullptr) {
    std::string why = without_newline(message);
    PQfreemem(message);
    return not_a_url(access, std::move(why));
  }
  std::map<std::string, std::string> values;
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (option->val != nullptr) values[option->keyword] = option->val;
  }
  PQconninfoFree(options);
  for (const auto& [name, value] : kDefaults) values.emplace(name, value);
  if (!access.password.empty()) values["password"] = access.password;
  values["application_name"] = access.session;
  values["client_encoding"] = "UTF8";
  std::string& session = values["options"];
  if (purpose == Purpose::kReplication) session.insert(0, kSigns);
  if (!session.empty()) session += ' ';
  session.append(kSession).append(session_of(purpose));
  if (purpose == Purpose::kReplication) values["replication"] = "database";
  std::vector<const char*> names;
  std::vector<const char*> texts;
  for (const auto& [name, value] : values) {
    names.push_back(name.c_str());
    texts.push_back(value.c_str());
  }
  names.push_back(nullptr);
  texts.push_back(nullptr);
  PGconn* handle = PQconnectdbParams(names.data(), texts.data(), 0);
  const auto part = [&](const char* text) { return std::string(text == nullptr ? "" : text); };
  std::string place = "system " + access.system + " (" + part(PQdb(handle)) + " at " +
                      part(PQhost(handle)) + ":" + part(PQport(handle)) + ")";
  std::unique_ptr<Connection> connection(new Connection(handle, std::move(place)));
  if (!connection->is_usable()) return connection->lost("cannot connect to " + connection->place_);
  if (purpose == Purpose::kWrite) {
    SYN_TRY(connection->run(kBelowDeadlocks));
  }
  return connection;
}

Connection::~Connection() {
  PQfinish(handle_);
}

Error Connection::lost(std::string what) const {
  sqlstate_.clear();
  return {ErrorCode::kSystemOpen, std::move(what), without_newline(PQerrorMessage(handle_)),
          fix_of(ErrorCode::kSystemOpen)};
}

Error Connection::error_of(const PGresult* result, std::string what) const {
  const auto field = [&](int code) {
    const char* text = PQresultErrorField(result, code);
    return std::string(text == nullptr ? "" : text);
  };
  sqlstate_ = field(PG_DIAG_SQLSTATE);
  if (sqlstate_.empty()) return lost(std::move(what));
  constraint_ = field(PG_DIAG_CONSTRAINT_NAME);
  const ErrorCode code = code_of(sqlstate_);
  std::string why = field(PG_DIAG_MESSAGE_PRIMARY);
  // The detail of these names the whole row, with columns that are none of ours.
  const bool has_row = sqlstate_ == "23502" || sqlstate_ == "23514" || sqlstate_ == "44000";
  const std::string detail = has_row ? "" : field(PG_DIAG_MESSAGE_DETAIL);
  for (const std::string& more : {detail, field(PG_DIAG_MESSAGE_HINT)}) {
    if (!more.empty()) why += "; " + more;
  }
  std::replace(why.begin(), why.end(), '\n', ' ');
  return {code, std::move(what), why + " [" + sqlstate_ + "]", fix_of(code)};
}

Result<Answer> Connection::query(const std::string& sql, std::span<const Parameter> parameters) {
  std::vector<const char*> values;
  values.reserve(parameters.size());
  for (const Parameter& parameter : parameters) {
    values.push_back(parameter ? parameter->c_str() : nullptr);
  }
  PGresult* result = PQexecParams(handle_, sql.c_str(), static_cast<int>(values.size()), nullptr,
                                  values.data(), nullptr, nullptr, 0);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) {
    sqlstate_.clear();
    return Answer(result);
  }
  Error error = error_of(result, place_ + " refused a statement");
  PQclear(result);
  return error;
}

Result<void> Connection::run(const std::string& sql) {
  PGresult* result = PQexec(handle_, sql.c_str());
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
    PQclear(result);
    sqlstate_.clear();
    return success();
  }
  Error error = error_of(result, place_ + " refused a statement");
  PQclear(result);
  return error;
}

Result<std::string> Connection::query_text(const std::string& sql,
                                           std::span<const Parameter> parameters) {
  SYN_TRY(const Answer answer, query(sql, parameters));
  if (answer.row_count() == 0) return std::string();
  return std::string(answer.text(0, 0));
}

void ArrayLiteral::add(std::string_view text) {
  if (count_++ > 0) text_ += ',';
  text_ += '"';
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') text_ += '\\';
    text_ += letter;
  }
  text_ += '"';
}

void ArrayLiteral::add_null() {
  text_ += count_++ > 0 ? ",NULL" : "NULL";
}

std::string ArrayLiteral::finish() {
  text_ += '}';
  return std::move(text_);
}

}  // namespace syncline::postgres
