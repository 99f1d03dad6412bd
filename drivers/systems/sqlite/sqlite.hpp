// The SQLite connector: changes are captured by triggers into a change table, or by reading whole
// tables where triggers are refused; writes are marked transactions.
//
// make_sqlite does no I/O: the three faces open the file when they are first used, each with
// connections of its own, so each may live on a thread of its own. config's schemas outlive the
// system. What SQLite can and cannot do is in README.md beside this file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/ports/sql_quotes.hpp"
#include "host/ports/system.hpp"
#include "host/ports/widening.hpp"

namespace syncline::sqlite {

// url: "sqlite:///absolute/path", "sqlite://relative/path" or a plain path. Errors: kConfigValue.
Result<ports::System> make_sqlite(const ports::SystemConfig& config, Clock& clock);

ports::SqlQuotes sql_quotes();

// For these columns of a table the statements after which they tell apart what their collations
// take for one; and those after which they are a key that the file keeps. Errors: as of the file.
Result<std::string> finer_key_sql(const ports::SystemConfig& config, const std::string& table,
                                  std::span<const std::string> columns);
Result<std::string> make_key_sql(const ports::SystemConfig& config, const std::string& table,
                                 std::span<const std::string> columns);
// Per column the statements after which it holds what is wanted, the same for all of one table.
Result<std::vector<std::string>> widening_sql(const ports::SystemConfig& config,
                                              std::span<const ports::Widening> columns);
// What a new column of a table is declared as for values of this type; empty: there is none.
Result<std::string> new_column_type(const ports::SystemConfig& config, const std::string& table,
                                    const model::LogicalType& type);

}  // namespace syncline::sqlite
