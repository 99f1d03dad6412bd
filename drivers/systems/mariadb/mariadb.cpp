#include "drivers/systems/mariadb/mariadb.hpp"

#include "drivers/scan/settings.hpp"
#include "drivers/systems/mariadb/detail/catalog.hpp"
#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/scan_tables.hpp"
#include "drivers/systems/mariadb/detail/source.hpp"
#include "drivers/systems/mariadb/detail/target.hpp"

namespace syncline::mariadb {
namespace {

std::string bytes_text(std::string_view digits) {
  return "x'" + std::string(digits) + "'";
}

// What a backslash means is up to the session of whoever runs it.
std::string text_of(std::string_view text) {
  if (text.find('\\') == std::string_view::npos) return literal(text);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits;
  for (const char letter : text) {
    const auto byte = static_cast<unsigned char>(letter);
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  return "_utf8mb4 " + bytes_text(digits);
}

Result<std::optional<Endpoint>> replica_of(const ports::SystemConfig& config,
                                           const Shared& shared) {
  if (config.replica_url.empty()) return std::optional<Endpoint>();
  if (shared.is_scan) {
    return fail(ErrorCode::kConfigValue, "system '" + config.name + "' has a `replica`",
                "without the log tables are read over and over, from the primary alone",
                "take `replica` out, or capture = \"log\"");
  }
  SYN_TRY(Endpoint endpoint, parse_endpoint(config.name, config.replica_url));
  return std::optional(std::move(endpoint));
}

}  // namespace

Result<ports::System> make_mariadb(const ports::SystemConfig& config, Clock& clock) {
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  SYN_TRY(shared->is_scan, scan::is_scanned(config, "a MariaDB database"));
  SYN_TRY(shared->endpoint, parse_endpoint(config.name, config.url));
  SYN_TRY(shared->replica, replica_of(config, *shared));
  ports::System system;
  if (shared->is_scan) {
    auto known = std::make_shared<scan::Shared>();
    system.source = std::make_unique<scan::Source>(
        shared->config, std::make_unique<ScanTables>(shared), known, clock);
    system.target = std::make_unique<MariadbTarget>(
        shared, std::make_unique<scan::Guard>(shared->config, known), 0, clock);
  } else {
    system.source = std::make_unique<MariadbSource>(shared, clock);
    system.target = std::make_unique<MariadbTarget>(shared, nullptr, 0, clock);
    for (size_t place = 1; place < config.write_connections; ++place) {
      system.more_targets.push_back(std::make_unique<MariadbTarget>(shared, nullptr, place, clock));
    }
  }
  system.catalog = std::make_unique<MariadbCatalog>(shared);
  return system;
}

ports::SqlQuotes sql_quotes() {
  return {quoted_name, quoted_name, text_of, bytes_text};
}

}  // namespace syncline::mariadb
