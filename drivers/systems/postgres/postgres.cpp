#include "drivers/systems/postgres/postgres.hpp"

#include "drivers/systems/postgres/detail/catalog.hpp"
#include "drivers/systems/postgres/detail/source.hpp"
#include "drivers/systems/postgres/detail/target.hpp"

namespace syncline::postgres {
namespace {

auto not_built(const ports::DatasetMapping& mapping, const std::string& setting) {
  return fail(ErrorCode::kConfigValue, "dataset " + mapping.schema->name + ": " + setting,
              "PostgreSQL systems do not have this in this version", "take it out of the config");
}

}  // namespace

Result<ports::System> make_postgres(const ports::SystemConfig& config, Clock& clock) {
  for (const ports::DatasetMapping& mapping : config.datasets) {
    if (!mapping.where.empty()) return not_built(mapping, "`where` is set");
    if (mapping.capture != ports::Capture::kLog) return not_built(mapping, "`capture` is not log");
  }
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  shared->object = object_name(config.appliance, config.name);
  ports::System system;
  system.source = std::make_unique<PostgresSource>(shared, clock);
  system.target = std::make_unique<PostgresTarget>(shared);
  system.catalog = std::make_unique<PostgresCatalog>(shared);
  return system;
}

}  // namespace syncline::postgres
