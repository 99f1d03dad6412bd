// Columns of a mapped table that cannot hold what they will be given, or tell keys apart otherwise
// than the dataset does, each with the script that declares them as they should be.
//
// Threads: on the connection given. Errors: those of the connection.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "drivers/systems/sqlite/detail/table.hpp"
#include "host/ports/catalog.hpp"

namespace syncline::sqlite {

// Each finding has the script of its own change.
Result<void> find_in_columns(Connection& connection, const Mapped& mapped,
                             std::vector<ports::Finding>& out);

// A decimal's declaration that keeps all of its digits; and what becomes of the user's own SQL.
inline constexpr const char* kTextMind =
    " -- mind: it compares and sorts as text then, and by CAST(... AS NUMERIC) as a number";
std::string decimal_declaration(const model::LogicalType& type, const Table& table);

// The statements after which these columns are a key that the file itself keeps.
Result<std::string> key_sql(Connection& connection, const Table& table,
                            std::span<const std::string> columns);

}  // namespace syncline::sqlite
