#include "drivers/systems/mariadb/mariadb.hpp"

#include "drivers/systems/mariadb/detail/catalog.hpp"
#include "drivers/systems/mariadb/detail/source.hpp"
#include "drivers/systems/mariadb/detail/target.hpp"

namespace syncline::mariadb {
namespace {

auto not_offered(const ports::DatasetMapping& mapping, const std::string& setting) {
  return fail(ErrorCode::kConfigValue, "dataset " + mapping.schema->name + ": " + setting,
              "MariaDB systems do not have this in this version", "take it out of the config");
}

}  // namespace

Result<ports::System> make_mariadb(const ports::SystemConfig& config, Clock& clock) {
  for (const ports::DatasetMapping& mapping : config.datasets) {
    if (!mapping.where.empty()) return not_offered(mapping, "`where` is set");
    if (mapping.capture != ports::Capture::kLog)
      return not_offered(mapping, "`capture` is not log");
  }
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  SYN_TRY(shared->endpoint, parse_endpoint(config.name, config.url));
  ports::System system;
  system.source = std::make_unique<MariadbSource>(shared, clock);
  system.target = std::make_unique<MariadbTarget>(shared);
  system.catalog = std::make_unique<MariadbCatalog>(shared);
  return system;
}

}  // namespace syncline::mariadb
