// Bulk execution where the server has none: statements as text.
#include "drivers/systems/mariadb/detail/bulk.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "host/base/assert.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kMessageSize = size_t{256} << 10;  // a quarter of the smallest common limit

// What stands between the question marks of a statement: those in names and literals are none.
std::vector<std::string> split_at_marks(const std::string& sql) {
  std::vector<std::string> parts(1);
  char quote = 0;
  for (const char letter : sql) {
    if (quote == 0 && letter == '?') {
      parts.emplace_back();
      continue;
    }
    if (quote == 0 && (letter == '`' || letter == '\'')) {
      quote = letter;
    } else if (letter == quote) {
      quote = 0;
    }
    parts.back() += letter;
  }
  return parts;
}

// INSERT ... VALUES | (?, ?): where the part begins that may be there for each row; 0 for others.
size_t find_tuple(const std::string& head) {
  constexpr std::string_view kValues = " VALUES (";
  const size_t at = head.rfind(kValues);
  const bool is_insert = head.starts_with("INSERT ") && at != std::string::npos;
  return is_insert ? at + kValues.size() - 1 : 0;
}

}  // namespace

std::string ParameterArray::sql(size_t row) const {
  return values_[row].is_null ? "NULL" : sql_value(kind_, values_[row]);
}

Bulk::Outcome Bulk::run_message(const std::string& statements) {
  MYSQL* handle = connection_.handle();
  Outcome outcome;
  int state = mysql_real_query(handle, statements.data(), statements.size());
  while (state == 0) {
    mysql_free_result(mysql_store_result(handle));
    outcome.matched_count += mysql_affected_rows(handle);
    state = mysql_next_result(handle);
  }
  if (state < 0) return outcome;
  return failed(mysql_errno(handle), mysql_sqlstate(handle), mysql_error(handle));
}

Bulk::Outcome Bulk::run_texts(const std::string& sql, const std::vector<ParameterArray*>& arrays,
                              size_t first, size_t count) {
  std::vector<std::string> parts = split_at_marks(sql);
  SYN_ASSERT(parts.size() == arrays.size() + 1);
  const size_t tuple = find_tuple(parts[0]);
  const std::string head = parts[0].substr(0, tuple);
  parts[0].erase(0, tuple);
  Outcome total;
  std::string message;
  for (size_t row = first; row < first + count; ++row) {
    message += !message.empty() ? (tuple > 0 ? ", " : "; ") : head;
    for (size_t i = 0; i < arrays.size(); ++i) message += parts[i] + arrays[i]->sql(row);
    message += parts.back();
    if (message.size() < kMessageSize && row + 1 < first + count) continue;
    Outcome outcome = run_message(message);
    if (!outcome.is_done) return outcome;
    total.matched_count += outcome.matched_count;
    message.clear();
  }
  return total;
}

}  // namespace syncline::mariadb
