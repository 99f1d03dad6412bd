#include "drivers/systems/postgres/detail/alike.hpp"

#include <algorithm>

#include "host/model/key.hpp"

namespace syncline::postgres {
namespace {

// The column's type where bytes decide; of citext that is text.
std::string exact_type(const Column& column) {
  if (column.type.name.find("citext") != std::string::npos) return "text";
  const uint32_t length = logical_type_of(column.type).length;
  return column.type.name + (length == 0 ? "" : "(" + std::to_string(length) + ")");
}

}  // namespace

bool has_coarse_key(const Mapped& mapped) {
  return std::any_of(mapped.columns.begin(),
                     mapped.columns.begin() + static_cast<ptrdiff_t>(mapped.key_count()),
                     is_coarse);
}

// Under "C" lower() knows no other letters.
std::string folded(const std::string& value) {
  return "lower(" + value + R"(::text COLLATE "C"))";
}

std::string told_apart(const Mapped& mapped, const std::vector<std::string>& values) {
  std::string sql;
  for (size_t i = 0; i < values.size(); ++i) {
    sql += (i == 0 ? "" : ", ") + values[i];
    if (is_coarse(mapped.columns[i])) sql += ", " + folded(values[i]);
  }
  return sql;
}

Error taken_for(const Mapped& mapped, const std::string& other) {
  std::string changes;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const Column& column = mapped.columns[i];
    if (!is_coarse(column)) continue;
    changes += (changes.empty() ? " ALTER " : ", ALTER ") + quoted_name(column.name) + " TYPE " +
               exact_type(column) + R"( COLLATE "default")";
  }
  return {ErrorCode::kSystemRefused,
          "table " + mapped.table.display_name() + " takes it for the record " +
              model::describe_key(other, *mapped.schema),
          "the type or collation of its key does not tell the two apart",
          "ALTER TABLE " + mapped.table.sql_name() + changes +
              "; or give one of them another key; then `syncline quarantine retry`"};
}

}  // namespace syncline::postgres
