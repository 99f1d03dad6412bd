// The MariaDB connector: changes are read from the server's binary log as a replica reads it, and
// written as marked transactions.
//
// make_mariadb does no I/O: the three faces connect when they are first used, each with connections
// of its own, so each may live on a thread of its own. config's schemas outlive the system. What is
// and is not possible is in README.md beside this file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/ports/sql_quotes.hpp"
#include "host/ports/system.hpp"
#include "host/ports/widening.hpp"

namespace syncline::mariadb {

// url: mariadb://user@host:3306/database?sslmode=verify-full (detail/endpoint.hpp has the options).
// Errors: kConfigValue.
Result<ports::System> make_mariadb(const ports::SystemConfig& config, Clock& clock);

ports::SqlQuotes sql_quotes();

// What the column holds.
model::Extent extent_of(const ports::ColumnInfo& column);
// Per column the statement after which it holds what is wanted, or as much of it as one here can;
// empty where it holds that already.
Result<std::vector<std::string>> widening_sql(const ports::SystemConfig& config,
                                              std::span<const ports::Widening> columns);
// What a new column is declared as for values of this type; what MySQL has no type for is a text.
std::string new_column_type(const model::LogicalType& type);

}  // namespace syncline::mariadb
