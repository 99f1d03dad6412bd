#include "drivers/systems/postgres/postgres.hpp"

#include "drivers/scan/settings.hpp"
#include "drivers/systems/postgres/detail/catalog.hpp"
#include "drivers/systems/postgres/detail/scan_tables.hpp"
#include "drivers/systems/postgres/detail/source.hpp"
#include "drivers/systems/postgres/detail/table.hpp"
#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

std::string table_text(std::string_view table) {
  const TableName name = parse_table_name(table);
  return quoted_name(name.schema) + "." + quoted_name(name.name);
}

std::string bytes_text(std::string_view digits) {
  return "'\\x" + std::string(digits) + "'";
}

}  // namespace

Result<ports::System> make_postgres(const ports::SystemConfig& config, Clock& clock) {
  auto shared = std::make_shared<Shared>();
  SYN_TRY(shared->is_scan, scan::is_scanned(config, "a PostgreSQL database"));
  if (shared->is_scan && !config.replica_url.empty()) {
    return fail(
        ErrorCode::kConfigValue, "system '" + config.name + "' has a `replica`",
        "without the log (`capture` is scan or poll) rows are read with our own marks, from "
        "the primary alone",
        "take `replica` out, or capture = \"log\"");
  }
  shared->config = config;
  shared->object = object_name(config.appliance, config.name);
  ports::System system;
  if (shared->is_scan) {
    auto known = std::make_shared<scan::Shared>();
    system.source = std::make_unique<scan::Source>(
        shared->config, std::make_unique<ScanTables>(shared), known, clock);
    system.target = std::make_unique<PostgresTarget>(
        shared, std::make_unique<scan::Guard>(shared->config, known), 0, clock);
  } else {
    system.source = std::make_unique<PostgresSource>(shared, clock);
    system.target = std::make_unique<PostgresTarget>(shared, nullptr, 0, clock);
    for (size_t place = 1; place < config.write_connections; ++place) {
      system.more_targets.push_back(
          std::make_unique<PostgresTarget>(shared, nullptr, place, clock));
    }
  }
  system.catalog = std::make_unique<PostgresCatalog>(shared);
  return system;
}

ports::SqlQuotes sql_quotes() {
  return {table_text, quoted_name, literal, bytes_text};
}

}  // namespace syncline::postgres
