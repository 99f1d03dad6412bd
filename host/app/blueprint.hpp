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

#include "host/app/runtime.hpp"
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
  // Of a blueprint to run (make_blueprint_to_run) only:
  std::map<std::string, Error> away;        // systems whose tables could not be read, by name
  std::vector<HeldDataset> held;            // datasets without schema and rules
  std::vector<config::SystemShape> shapes;  // the tables that the datasets were made from

  const model::Schema* find_schema(std::string_view dataset) const;
  std::string system_name(model::SystemId system) const;
  std::string dataset_name(model::DatasetId dataset) const;
};

struct Drafted {
  Blueprint blueprint;        // with errors: what can be said all the same, for findings only
  std::vector<Error> errors;  // in the config's order
  // Datasets without the systems that could not be read, which such a blueprint is made of.
  std::vector<std::unique_ptr<config::Dataset>> parts = {};
};

// What this build offers the config.
config::Offer offer();

// A system as the config alone says it, which outlives it: no system is asked, and the datasets are
// not there. Errors: those of its password.
Result<BlueprintSystem> bare_system(const config::Config& config,
                                    const config::SystemSettings& settings);

// Reads the config and every system's tables.
Drafted draft_blueprint(const std::string& config_path, Clock& clock);
// Its first error, which says how many more there are. REQUIRES: it has one.
Error first_error(const Drafted& drafted);
// The blueprint, or its first error.
Result<Blueprint> make_blueprint(const std::string& config_path, Clock& clock);

// What the daemon runs: a system that is away holds up nobody. Its tables are taken as the data
// folder remembers them; a dataset whose tables are not known, or do not fit, is held, and so, once
// this folder has run, is one that was refused (Runtime::open refuses to run if it was synced
// before). A dataset whose tables have changed since keeps its
// schema: the drivers stop it where it does not fit, and take it up again when it does.
// Errors: the config's own, and those of the tables where nothing would be left to run.
Result<Blueprint> make_blueprint_to_run(const std::string& config_path, Clock& clock);

// A catalog's tables as the config's room sees them.
std::vector<config::TableShape> shapes_of(const std::vector<ports::TableInfo>& tables,
                                          const std::string& kind);

}  // namespace syncline::app
