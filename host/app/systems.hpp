// The table of system kinds. A new connector is one row here.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/config/config.hpp"
#include "host/config/resolve.hpp"
#include "host/ports/sql_quotes.hpp"
#include "host/ports/system.hpp"
#include "host/ports/widening.hpp"

namespace syncline::app {

struct SystemRow {
  std::string_view kind;                  // as the config writes it
  std::vector<std::string_view> schemes;  // of its URLs, for `init`
  Result<ports::System> (*make)(const ports::SystemConfig& config, Clock& clock);
  config::SystemKind (*offer)();  // what its datasets may ask for
  ports::SqlQuotes (*quotes)();
  // How these key columns are made to tell apart what their collations take for one, and how they
  // are made a key; a system that must be looked at for that and is not there says so instead.
  std::string (*finer_key)(const ports::SystemConfig& config, const std::string& table,
                           std::span<const ports::ColumnInfo* const> columns);
  std::string (*make_key)(const ports::SystemConfig& config, const std::string& table,
                          std::span<const config::ColumnShape* const> columns);
  // A column for a field of that type, which may be NULL; empty where there is no type for it.
  std::string (*add_column)(const ports::SystemConfig& config, const std::string& table,
                            const std::string& column, const model::LogicalType& type);
  // The statement that makes these columns unique together, compared by these equivalences; empty
  // where it cannot.
  std::string (*make_unique)(const std::string& table, std::span<const ports::ColumnInfo> columns);
  // What a column holds, and per column the statement after which it holds what is wanted; empty
  // where there is none.
  model::Extent (*extent_of)(const ports::ColumnInfo& column);
  Result<std::vector<std::string>> (*widening_sql)(const ports::SystemConfig& config,
                                                   std::span<const ports::Widening> columns);
};

const std::vector<SystemRow>& system_table();
const SystemRow* find_system_row(std::string_view kind);  // null: there is none

// Errors: kConfigValue for a kind that is not in the table, with those that are.
Result<ports::System> make_system(const std::string& kind, const ports::SystemConfig& config,
                                  Clock& clock);

}  // namespace syncline::app
