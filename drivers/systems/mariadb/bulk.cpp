#include "drivers/systems/mariadb/detail/bulk.hpp"

#include <mysqld_error.h>

namespace syncline::mariadb {
namespace {

constexpr size_t kPreparedMax = 512;

}  // namespace

bool Bulk::Outcome::is_clash() const {
  return number == ER_DUP_ENTRY || number == ER_DUP_ENTRY_WITH_KEY_NAME || number == ER_DUP_KEY;
}

void ParameterArray::add(Parameter value) {
  values_.push_back(std::move(value));
}

MYSQL_BIND ParameterArray::bind(size_t first, size_t count) {
  MYSQL_BIND bound{};
  indicators_.resize(count);
  for (size_t i = 0; i < count; ++i) {
    indicators_[i] = values_[first + i].is_null ? STMT_INDICATOR_NULL : STMT_INDICATOR_NONE;
  }
  bound.u.indicator = indicators_.data();
  const auto fill = [&](auto& numbers, enum_field_types type, auto value_of) {
    numbers.resize(count);
    for (size_t i = 0; i < count; ++i) numbers[i] = value_of(values_[first + i]);
    bound.buffer_type = type;
    bound.buffer = numbers.data();
  };
  switch (kind_) {
    case ParameterKind::kInteger:
    case ParameterKind::kUnsigned:
      fill(integers_, MYSQL_TYPE_LONGLONG, [](const Parameter& value) { return value.integer; });
      bound.is_unsigned = kind_ == ParameterKind::kUnsigned ? 1 : 0;
      return bound;
    case ParameterKind::kFloat:
      fill(floats_, MYSQL_TYPE_FLOAT,
           [](const Parameter& value) { return static_cast<float>(value.real); });
      return bound;
    case ParameterKind::kDouble:
      fill(doubles_, MYSQL_TYPE_DOUBLE, [](const Parameter& value) { return value.real; });
      return bound;
    case ParameterKind::kDecimal:
    case ParameterKind::kText:
    case ParameterKind::kBytes:
      break;
  }
  sizes_.resize(count);
  for (size_t i = 0; i < count; ++i) sizes_[i] = values_[first + i].text.size();
  texts_.resize(count);
  for (size_t i = 0; i < count; ++i) texts_[i] = values_[first + i].text.data();
  bound.buffer = static_cast<void*>(texts_.data());
  bound.buffer_type = kind_ == ParameterKind::kDecimal ? MYSQL_TYPE_NEWDECIMAL
                      : kind_ == ParameterKind::kBytes ? MYSQL_TYPE_BLOB
                                                       : MYSQL_TYPE_STRING;
  bound.length = sizes_.data();
  return bound;
}

Bulk::Outcome Bulk::failed(unsigned number, std::string sqlstate, std::string message) {
  Outcome outcome;
  outcome.is_done = false;
  outcome.number = number;
  outcome.error =
      connection_.error_of(number, sqlstate, message, connection_.place() + " refused a write");
  outcome.sqlstate = std::move(sqlstate);
  outcome.message = std::move(message);
  return outcome;
}

Bulk::Outcome Bulk::run(const std::string& sql) {
  MYSQL* handle = connection_.handle();
  if (mysql_real_query(handle, sql.data(), sql.size()) == 0) {
    Outcome outcome;
    outcome.matched_count = mysql_affected_rows(handle);
    return outcome;
  }
  return failed(mysql_errno(handle), mysql_sqlstate(handle), mysql_error(handle));
}

Bulk::Outcome Bulk::run(const std::string& sql, const std::vector<ParameterArray*>& arrays,
                        size_t first, size_t count) {
  if (connection_.kind().is_mysql()) return run_texts(sql, arrays, first, count);
  if (prepared_.size() > kPreparedMax) prepared_.clear();
  Prepared& prepared = prepared_[sql];
  const auto error_of = [&](MYSQL_STMT* statement) {
    return failed(mysql_stmt_errno(statement), mysql_stmt_sqlstate(statement),
                  mysql_stmt_error(statement));
  };
  if (prepared == nullptr) {
    Prepared made(mysql_stmt_init(connection_.handle()));
    if (mysql_stmt_prepare(made.get(), sql.data(), sql.size()) != 0) return error_of(made.get());
    prepared = std::move(made);
  }
  std::vector<MYSQL_BIND> binds;
  binds.reserve(arrays.size());
  for (ParameterArray* array : arrays) binds.push_back(array->bind(first, count));
  MYSQL_STMT* statement = prepared.get();
  const auto row_count = static_cast<unsigned>(count);
  mysql_stmt_attr_set(statement, STMT_ATTR_ARRAY_SIZE, &row_count);
  if (mysql_stmt_bind_param(statement, binds.data()) != 0 || mysql_stmt_execute(statement) != 0) {
    return error_of(statement);
  }
  Outcome outcome;
  outcome.matched_count = mysql_stmt_affected_rows(statement);
  return outcome;
}

}  // namespace syncline::mariadb
