#include <filesystem>
#include <utility>

#include "host/app/blueprint.hpp"

namespace syncline::app {
namespace {

// A plain path is relative to the config file's folder, as all paths in it are.
std::string url_of(const config::Config& config, const config::SystemSettings& settings) {
  if (settings.url.find("://") != std::string::npos) return settings.url;
  return (std::filesystem::path(config.file).parent_path() / settings.url).string();
}

}  // namespace

Result<BlueprintSystem> bare_system(const config::Config& config,
                                    const config::SystemSettings& settings) {
  BlueprintSystem system;
  system.settings = &settings;
  system.ports.appliance = config.appliance.name;
  system.ports.name = settings.name;
  system.ports.id = settings.id;
  system.ports.url = url_of(config, settings);
  system.ports.replica_url = settings.replica;
  auto password = config::read_secret(settings.password);
  if (!password) {
    Error error = std::move(password).error();
    error.what = config::place_text(config, settings.place) + "system \"" + settings.name +
                 "\": " + error.what;
    return error;
  }
  system.ports.password = std::move(password).value();
  system.ports.lane_count = config.appliance.lane_count;
  system.ports.spool_folder = (std::filesystem::path(config.appliance.data) / "spool").string();
  const bool is_pause = settings.log_limit_action == config::LogLimitAction::kPause;
  (is_pause ? system.ports.log_pause_bytes : system.ports.log_limit_bytes) =
      settings.log_limit_bytes;
  system.ports.write_connections = settings.write_connections;
  return system;
}

}  // namespace syncline::app
