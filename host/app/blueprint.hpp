// The blueprint: what a config file and the systems' tables come to, before anything runs. Schemas,
// the lanes' rules, and what each driver is told.
//
// Owner: Blueprint owns all that the rest borrows (schemas, rules). Threads: values.
// Errors: those of config and resolve, all of them; kSystem* for a system that cannot be read.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/config/config.hpp"
#include "host/config/resolve.hpp"
#include "host/core/rules.hpp"
#include "host/ports/system.hpp"

namespace syncline::app {

struct BlueprintSystem {
  const config::SystemSettings* settings = nullptr;
  ports::SystemConfig ports;
};

struct Blueprint {
  std::unique_ptr<config::Config> config;
  std::vector<std::unique_ptr<model::Schema>> schemas;  // in the config's order
  core::Rules rules;
  std::vector<BlueprintSystem> systems;
  std::vector<std::string> notes;

  const model::Schema* find_schema(std::string_view dataset) const;
  std::string system_name(model::SystemId system) const;
  std::string dataset_name(model::DatasetId dataset) const;
};

struct Drafted {
  Blueprint blueprint;        // usable only without errors
  std::vector<Error> errors;  // in the config's order
};

// What this build offers the config.
config::Offer offer();

// Reads the config and every system's tables.
Drafted draft_blueprint(const std::string& config_path, Clock& clock);
// The blueprint, or its first error, which says how many more there are.
Result<Blueprint> make_blueprint(const std::string& config_path, Clock& clock);

// A catalog's tables as the config's room sees them.
std::vector<config::TableShape> shapes_of(const std::vector<ports::TableInfo>& tables);

}  // namespace syncline::app
