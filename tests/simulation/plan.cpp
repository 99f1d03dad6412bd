#include "tests/simulation/plan.hpp"

#include <algorithm>

#include "host/base/assert.hpp"
#include "tests/simulation/dice.hpp"
#include "tests/simulation/history.hpp"
#include "tests/simulation/sim_clock.hpp"

namespace syncline::simulation {

namespace {

std::unique_ptr<model::Schema> make_schema(const std::string& name) {
  auto schema = std::make_unique<model::Schema>();
  schema->name = name;
  schema->dataset = model::stable_id(name);
  schema->stream = schema->dataset;
  schema->key_count = 1;
  schema->fields = {{"id", {model::TypeKind::kText, 0, 0, 0}, false},
                    {"count", {model::TypeKind::kInt64, 0, 0, 0}, true},
                    {"note", {model::TypeKind::kText, 0, 0, 0}, true}};
  return schema;
}

DatasetPlan make_dataset(const std::string& name) {
  DatasetPlan dataset;
  dataset.schema = make_schema(name);
  return dataset;
}

AppliancePlan make_appliance(size_t index) {
  AppliancePlan appliance;
  appliance.name = "h" + std::to_string(index);
  appliance.id = model::stable_id(appliance.name);
  return appliance;
}

SystemPlan make_system(size_t index) {
  SystemPlan system;
  system.name = "s" + std::to_string(index);
  system.id = model::stable_id(system.name);
  return system;
}

void roll_system(Dice& dice, SystemPlan& system) {
  static const std::vector<Rounding> kRoundings = {Rounding::kExact,   Rounding::kExact,
                                                   Rounding::kExact,   Rounding::kEven,
                                                   Rounding::kQuarter, Rounding::kOdd};
  if (dice.chance(0.7)) system.skew_us = dice.between(-600, 600) * kSecondUs;
  if (dice.chance(0.3)) system.resolution_us = kSecondUs;
  system.rounding = dice.pick(kRoundings);
  if (dice.chance(0.4)) system.log_style = LogStyle::kNet;
  if (dice.chance(0.3)) system.image_style = ImageStyle::kPartial;
  if (dice.chance(0.2)) system.slowness = 0.9;
  if (dice.chance(0.15)) system.poison_modulus = dice.between(5, 40);
}

void roll_dataset(Dice& dice, size_t system_count, DatasetPlan& dataset) {
  const core::Policy policies[] = {core::Policy::kNewest, core::Policy::kOldest,
                                   core::Policy::kAuthority};
  dataset.policy = policies[dice.below(3)];
  for (size_t system = 0; system < system_count; ++system) dataset.authority.push_back(system);
  for (size_t left = system_count; left > 1; --left) {
    std::swap(dataset.authority[left - 1], dataset.authority[dice.below(left)]);
  }
  if (dice.chance(0.3)) dataset.authority.resize(1 + dice.below(system_count));
  if (dice.chance(0.5)) dataset.deletes = core::DeletePolicy::kUpdateWins;
  dataset.key_count = 2 + dice.below(4);
}

void roll_faults(Dice& dice, FaultPlan& faults) {
  const auto maybe = [&dice](double share, double rate) { return dice.chance(share) ? rate : 0; };
  faults.crash_step = maybe(0.6, 0.01);
  faults.crash_disk = maybe(0.6, 0.01);
  faults.disk_full = maybe(0.2, 0.004);
  faults.sync_failure = maybe(0.2, 0.003);
  faults.system_down = maybe(0.4, 0.004);
  faults.system_full = maybe(0.2, 0.004);
  faults.busy = maybe(0.4, 0.1);
  faults.lost_commit = maybe(0.6, 0.1);
  faults.lost_read = maybe(0.4, 0.03);
  faults.lost_acknowledgement = maybe(0.4, 0.3);
  faults.repeated_report = maybe(0.5, 0.5);
  faults.clock_jump = maybe(0.3, 0.01);
  faults.message_lost = maybe(0.5, 0.2);
  faults.message_twice = maybe(0.5, 0.2);
  faults.message_late = maybe(0.5, 0.3);
  faults.partition = maybe(0.4, 0.004);
}

// One appliance as often as several; trees, and now and then links that close cycles.
void roll_appliances(Dice& dice, Plan& plan) {
  const size_t count = dice.chance(0.5) ? 1 : 2 + dice.below(3);
  std::set<std::pair<size_t, size_t>> links;
  for (size_t index = 0; index < count; ++index) {
    plan.appliances.push_back(make_appliance(index));
    plan.appliances[index].lane_count = size_t{1} << dice.below(4);
    if (index > 0) links.emplace(dice.below(index), index);
  }
  for (int more = 0; count > 2 && more < 2; ++more) {
    const size_t left = dice.below(count);
    const size_t right = dice.below(count);
    if (left != right && dice.chance(0.5)) links.insert(std::minmax(left, right));
  }
  plan.links.assign(links.begin(), links.end());
}

// By dice of their own, so that what users do to keys changes nothing else of a seed. The rows of
// several appliances are merged whatever is said of them, and what a system refuses is no clash.
void roll_keys(Plan& plan) {
  Dice dice(plan.seed * 0xd6e8feb86659fd93 + 11);
  if (dice.chance(0.5)) plan.move_chance = 0.3;
  if (plan.appliances.size() > 1 || !dice.chance(0.4)) return;
  dice.pick(plan.datasets).insert_exists = core::InsertExists::kQuarantine;
  for (SystemPlan& system : plan.systems) system.poison_modulus = 0;
}

// By dice of their own, too: results are the same on every engine.
void roll_devices(Plan& plan) {
  Dice dice(plan.seed * 0xa0761d6478bd642f + 13);
  for (AppliancePlan& appliance : plan.appliances) appliance.has_device = dice.chance(0.5);
  plan.faults.device = dice.chance(0.8) ? 0.05 : 0;
}

core::FieldPolicy make_policy(const Plan& plan, const DatasetPlan& dataset) {
  core::FieldPolicy policy;
  policy.policy = dataset.policy;
  policy.text = dataset.policy == core::Policy::kNewest   ? "newest"
                : dataset.policy == core::Policy::kOldest ? "oldest"
                                                          : "authority";
  int64_t rank = static_cast<int64_t>(dataset.authority.size());
  for (const size_t system : dataset.authority) policy.ranks[plan.systems[system].id] = rank--;
  return policy;
}

}  // namespace

void make_rules(Plan& plan) {
  for (size_t index = 0; index < plan.appliances.size(); ++index) {
    core::Rules& all = plan.appliances[index].rules;
    all.clear();
    for (const DatasetPlan& dataset : plan.datasets) {
      core::DatasetRules rules;
      rules.schema = dataset.schema.get();
      rules.fields.assign(dataset.schema->fields.size(), make_policy(plan, dataset));
      rules.deletes = dataset.deletes;
      rules.insert_exists = dataset.insert_exists;
      for (const size_t system : plan.systems_of(index)) {
        rules.systems.push_back({.system = plan.systems[system].id});
      }
      for (const size_t peer : plan.peers_of(index)) {
        rules.systems.push_back(
            {.system = plan.appliances[peer].id, .kind = core::SystemKind::kPeer});
      }
      std::sort(rules.systems.begin(), rules.systems.end(),
                [](const auto& a, const auto& b) { return a.system < b.system; });
      all[dataset.schema->dataset] = rules;
    }
  }
}

Plan make_plan(uint64_t seed) {
  Dice dice(seed * 0x2545f4914f6cdd1d + 1);
  Plan plan;
  plan.seed = seed;
  roll_appliances(dice, plan);
  const size_t appliance_count = plan.appliances.size();
  plan.step_count = 150 * appliance_count + dice.below(450);
  plan.delete_chance = dice.chance(0.7) ? 0.25 : 0;
  const size_t system_count = std::max(appliance_count, 2 + dice.below(3));
  for (size_t index = 0; index < system_count; ++index) {
    plan.systems.push_back(make_system(index));
    roll_system(dice, plan.systems.back());
    const bool may_be_quiet = plan.systems.back().rounding == Rounding::kExact;
    if (may_be_quiet && (seed + index) % 3 != 0) plan.systems.back().quietness = 0.8;
    plan.systems.back().appliance = index < appliance_count ? index : dice.below(appliance_count);
    if (index == 0) plan.systems[0].poison_modulus = 0;  // one shows what is accepted
  }
  const size_t dataset_count = 1 + dice.below(2);
  for (size_t index = 0; index < dataset_count; ++index) {
    plan.datasets.push_back(make_dataset(index == 0 ? "customer" : "order"));
    roll_dataset(dice, system_count, plan.datasets.back());
  }
  roll_faults(dice, plan.faults);
  plan.journal.segment_size_bytes = dice.chance(0.5) ? 8u << 10 : 1u << 20;
  plan.journal.recent_size_bytes = dice.chance(0.5) ? 4u << 10 : 1u << 20;
  plan.journal.retain_us = dice.chance(0.5) ? 0 : 3600 * kSecondUs;
  plan.journal.heads_every_blocks = dice.chance(0.5) ? 10 : 1000;
  roll_keys(plan);
  roll_devices(plan);
  make_rules(plan);
  return plan;
}

Plan make_calm_plan(size_t system_count, size_t appliance_count) {
  Plan plan;
  for (size_t index = 0; index < appliance_count; ++index) {
    plan.appliances.push_back(make_appliance(index));
    if (index > 0) plan.links.emplace_back(index - 1, index);
  }
  for (size_t index = 0; index < system_count; ++index) {
    plan.systems.push_back(make_system(index));
    plan.systems.back().appliance = index % appliance_count;
  }
  plan.datasets.push_back(make_dataset("customer"));
  for (size_t index = 0; index < system_count; ++index) {
    plan.datasets[0].authority.push_back(index);
  }
  make_rules(plan);
  return plan;
}

size_t Plan::dataset_index(model::DatasetId dataset) const {
  const auto found = std::find_if(datasets.begin(), datasets.end(), [dataset](const auto& each) {
    return each.schema->dataset == dataset;
  });
  SYN_ASSERT(found != datasets.end());
  return static_cast<size_t>(found - datasets.begin());
}

size_t Plan::system_index(model::SystemId system) const {
  const auto found = std::find_if(systems.begin(), systems.end(),
                                  [system](const auto& each) { return each.id == system; });
  SYN_ASSERT(found != systems.end());
  return static_cast<size_t>(found - systems.begin());
}

std::vector<size_t> Plan::systems_of(size_t appliance) const {
  std::vector<size_t> found;
  for (size_t system = 0; system < systems.size(); ++system) {
    if (systems[system].appliance == appliance) found.push_back(system);
  }
  return found;
}

std::vector<size_t> Plan::peers_of(size_t appliance) const {
  std::vector<size_t> found;
  for (const auto& [left, right] : links) {
    if (left == appliance) found.push_back(right);
    if (right == appliance) found.push_back(left);
  }
  return found;
}

const std::string& Plan::name_of(model::SystemId id) const {
  const auto found = std::find_if(appliances.begin(), appliances.end(),
                                  [id](const auto& each) { return each.id == id; });
  return found != appliances.end() ? found->name : systems[system_index(id)].name;
}

std::vector<const model::Schema*> Plan::schemas() const {
  std::vector<const model::Schema*> all;
  for (const DatasetPlan& dataset : datasets) all.push_back(dataset.schema.get());
  return all;
}

std::set<Rounding> Plan::roundings() const {
  std::set<Rounding> all;
  for (const SystemPlan& system : systems) all.insert(system.rounding);
  return all;
}

std::string describe(const Plan& plan) {
  static const char* const kRoundings[] = {"exact", "even", "quarter", "odd"};
  static const char* const kPolicies[] = {"newest", "oldest", "authority"};
  std::string text = "seed " + std::to_string(plan.seed) + ":";
  for (const AppliancePlan& appliance : plan.appliances) {
    text += " " + appliance.name + " " + std::to_string(appliance.lane_count) + " lanes" +
            (appliance.has_device ? " and a device" : "");
  }
  for (const auto& [left, right] : plan.links) {
    text += "; " + plan.appliances[left].name + " - " + plan.appliances[right].name;
  }
  for (const SystemPlan& system : plan.systems) {
    text += "; " + system.name + " of " + plan.appliances[system.appliance].name + " " +
            kRoundings[static_cast<size_t>(system.rounding)] +
            (system.log_style == LogStyle::kNet ? " net" : " rows") +
            (system.image_style == ImageStyle::kPartial ? " partial" : " full") + " skew " +
            std::to_string(system.skew_us / kSecondUs) + " s" +
            (system.resolution_us > 1 ? " coarse" : "") + (system.slowness > 0 ? " slow" : "") +
            (system.quietness > 0 ? " quiet" : "") +
            (system.poison_modulus > 0 ? " poison " + std::to_string(system.poison_modulus) : "");
  }
  if (plan.move_chance > 0) text += "; keys change";
  for (const DatasetPlan& dataset : plan.datasets) {
    text += "; " + dataset.schema->name + " " + kPolicies[static_cast<size_t>(dataset.policy)] +
            (dataset.deletes == core::DeletePolicy::kUpdateWins ? " update_wins" : " delete_wins") +
            (dataset.insert_exists == core::InsertExists::kQuarantine ? " apart" : "");
    if (dataset.policy != core::Policy::kAuthority) continue;
    for (const size_t system : dataset.authority) text += " " + plan.systems[system].name;
  }
  return text;
}

}  // namespace syncline::simulation
