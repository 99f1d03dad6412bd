#include "drivers/systems/postgres/detail/copy.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "host/base/assert.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kMessageBytesMax = 1u << 20;

bool send_text(PGconn* handle, const std::string& text) {
  for (size_t at = 0; at < text.size(); at += kMessageBytesMax) {
    const size_t size = std::min(kMessageBytesMax, text.size() - at);
    if (PQputCopyData(handle, text.data() + at, static_cast<int>(size)) != 1) return false;
  }
  return PQputCopyEnd(handle, nullptr) == 1;
}

}  // namespace

Result<size_t> copy_rows(Connection& connection, const std::string& sql,
                         std::span<const std::string* const> texts) {
  PGconn* handle = connection.handle();
  const std::string refused = connection.place() + " refused a write";
  if (PQsendQuery(handle, sql.c_str()) == 0) return connection.lost(refused);
  size_t row_count = 0;
  bool is_copying = false;
  std::optional<Error> error;
  while (PGresult* result = PQgetResult(handle)) {
    const Answer answer(result);
    switch (PQresultStatus(result)) {
      case PGRES_COMMAND_OK:
      case PGRES_TUPLES_OK:
        if (std::exchange(is_copying, false)) row_count += answer.affected_count();
        break;
      case PGRES_COPY_IN:
        SYN_ASSERT(!texts.empty());
        if (!send_text(handle, *texts.front())) return connection.lost(refused);
        texts = texts.subspan(1);
        is_copying = true;
        break;
      default:
        if (!error) error = connection.error_of(result, refused);
    }
  }
  if (error) return *error;
  return row_count;
}

}  // namespace syncline::postgres
