// What one seed means: the systems, datasets, policies and faults of a run.
//
// Threads: immutable once made.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/core/rules.hpp"
#include "host/journal/journal.hpp"
#include "host/model/schema.hpp"
#include "tests/simulation/values.hpp"

namespace syncline::simulation {

// How a system's log shows what happened.
enum class LogStyle : uint8_t {
  kRows,  // row by row, transaction by transaction
  kNet,   // per poll: the net effect of each stretch between our marked transactions
};

enum class ImageStyle : uint8_t {
  kFull,     // updates show every cell
  kPartial,  // updates show the cells that changed; the others are unchanged
};

struct AppliancePlan {
  std::string name;
  model::SystemId id = 0;  // as its peers know it
  size_t lane_count = 4;
  bool has_device = false;  // beside the CPU
  core::Rules rules;        // of its own systems and its peers
};

struct SystemPlan {
  std::string name;
  model::SystemId id = 0;
  size_t appliance = 0;  // the one that keeps it in step
  int64_t skew_us = 0;
  int64_t resolution_us = 1;
  Rounding rounding = Rounding::kExact;
  LogStyle log_style = LogStyle::kRows;
  ImageStyle image_style = ImageStyle::kFull;
  double quietness = 0;        // the share of our transactions whose rows its log does not show
  double slowness = 0;         // the share of turns in which it does nothing for us
  int64_t poison_modulus = 0;  // refuses values whose tag it divides; 0: takes everything
};

struct DatasetPlan {
  std::unique_ptr<model::Schema> schema;
  core::Policy policy = core::Policy::kNewest;
  std::vector<size_t> authority;  // systems by rank, best first; the unlisted rank below
  core::DeletePolicy deletes = core::DeletePolicy::kDeleteWins;
  core::InsertExists insert_exists = core::InsertExists::kMerge;
  size_t key_count = 3;

  model::TypeKind kind(size_t field) const { return schema->fields[1 + field].type.kind; }
};

struct FaultPlan {        // chances per opportunity
  double crash_step = 0;  // the process dies between two steps
  double crash_disk = 0;  // it dies inside the next disk operations
  double disk_full = 0;
  double sync_failure = 0;
  double system_down = 0;  // a system is away for long
  double system_full = 0;
  double busy = 0;
  double lost_commit = 0;  // the connection breaks during commit
  double lost_read = 0;    // the source's connection breaks: read again from an older place
  double lost_acknowledgement = 0;
  double repeated_report = 0;  // a skip is reported twice
  double clock_jump = 0;
  double device = 0;  // a device gets into trouble, for some calls
  // Between appliances.
  double message_lost = 0;
  double message_twice = 0;
  double message_late = 0;  // overtaken by those behind it
  double partition = 0;
};

struct Plan {
  uint64_t seed = 0;
  size_t step_count = 0;
  double delete_chance = 0;
  double move_chance = 0;  // that a user changes rows' keys
  std::vector<AppliancePlan> appliances;
  std::vector<std::pair<size_t, size_t>> links;  // pairs of appliances: a tree, or with cycles
  std::vector<SystemPlan> systems;               // each appliance has at least one
  std::vector<DatasetPlan> datasets;
  FaultPlan faults;
  journal::Options journal;

  // REQUIRES: the dataset or system is in the plan.
  size_t dataset_index(model::DatasetId dataset) const;
  size_t system_index(model::SystemId system) const;
  std::vector<size_t> systems_of(size_t appliance) const;
  std::vector<size_t> peers_of(size_t appliance) const;
  // Of a system or an appliance.
  const std::string& name_of(model::SystemId id) const;
  std::vector<const model::Schema*> schemas() const;
  std::set<Rounding> roundings() const;
};

Plan make_plan(uint64_t seed);

// For stories: this many exact systems, one dataset, one hot key space, no faults. Systems in turn
// belong to this many appliances, of which each is linked to the one before it.
Plan make_calm_plan(size_t system_count, size_t appliance_count = 1);

// Fills the appliances' rules; after anything that they follow from has been changed by hand.
void make_rules(Plan& plan);

std::string describe(const Plan& plan);

}  // namespace syncline::simulation
