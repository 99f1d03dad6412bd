#include "host/app/blueprint.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "host/app/engines.hpp"
#include "host/app/remembered.hpp"
#include "host/app/systems.hpp"

namespace syncline::app {
namespace {

ports::Direction direction(config::Direction from) {
  switch (from) {
    case config::Direction::kBoth:
      return ports::Direction::kBoth;
    case config::Direction::kFrom:
      return ports::Direction::kFrom;
    case config::Direction::kTo:
      return ports::Direction::kTo;
  }
  return ports::Direction::kBoth;
}

ports::Capture capture(config::Capture from) {
  switch (from) {
    case config::Capture::kLog:
      return ports::Capture::kLog;
    case config::Capture::kPoll:
      return ports::Capture::kPoll;
    case config::Capture::kScan:
      return ports::Capture::kScan;
  }
  return ports::Capture::kLog;
}

std::string triggers(config::Triggers from) {
  switch (from) {
    case config::Triggers::kSuppress:
      return "suppress";
    case config::Triggers::kFire:
      return "fire";
    case config::Triggers::kGuarded:
      return "guarded";
  }
  return "suppress";
}

core::FieldPolicy field_policy(const config::Policy& from) {
  core::FieldPolicy policy;
  policy.text = from.text;
  policy.is_local = from.kind == config::PolicyKind::kLocal;
  if (from.kind == config::PolicyKind::kOldest) policy.policy = core::Policy::kOldest;
  if (from.kind != config::PolicyKind::kAuthority) return policy;
  policy.policy = core::Policy::kAuthority;
  auto rank = static_cast<int64_t>(from.authority.size());
  for (const std::string& system : from.authority) policy.ranks[model::stable_id(system)] = rank--;
  return policy;
}

// The system that `first` names wins; the others follow in the config's order.
int64_t first_rank(const config::Dataset& dataset, size_t index) {
  const auto count = static_cast<int64_t>(dataset.mappings.size());
  const bool is_first = dataset.first.rule == config::FirstRule::kSystem &&
                        dataset.first.name == dataset.mappings[index].system;
  return is_first ? count + 1 : count - static_cast<int64_t>(index);
}

core::InsertExists insert_exists(const config::ResolvedDataset& resolved) {
  switch (resolved.dataset->conflict.insert_exists) {
    case config::InsertExists::kMerge:
      return core::InsertExists::kMerge;
    case config::InsertExists::kQuarantine:
      return core::InsertExists::kQuarantine;
    case config::InsertExists::kAsNumbered:
      break;
  }
  return resolved.is_numbered_apart ? core::InsertExists::kQuarantine : core::InsertExists::kMerge;
}

core::DatasetRules dataset_rules(const config::ResolvedDataset& resolved,
                                 const model::Schema& schema) {
  core::DatasetRules rules;
  rules.schema = &schema;
  for (const config::Policy& policy : resolved.policies) {
    rules.fields.push_back(field_policy(policy));
  }
  const bool update_wins = resolved.dataset->conflict.deletes == config::DeletePolicy::kUpdateWins;
  const config::DeleteLimit& limit = resolved.dataset->delete_limit;
  rules.delete_limit.is_off = limit.is_off;
  rules.delete_limit.records = limit.records;
  rules.delete_limit.percent = limit.percent;
  rules.deletes = update_wins ? core::DeletePolicy::kUpdateWins : core::DeletePolicy::kDeleteWins;
  rules.insert_exists = insert_exists(resolved);
  for (size_t i = 0; i < resolved.dataset->mappings.size(); ++i) {
    const config::Mapping& mapping = resolved.dataset->mappings[i];
    core::SystemRole role;
    role.system = mapping.id;
    role.is_written_to = mapping.direction != config::Direction::kFrom;
    role.is_read = mapping.direction != config::Direction::kTo;
    role.first_rank = first_rank(*resolved.dataset, i);
    rules.systems.push_back(role);
  }
  std::sort(rules.systems.begin(), rules.systems.end(),
            [](const auto& a, const auto& b) { return a.system < b.system; });
  return rules;
}

bool is_maker(const config::Mapping& mapping) {
  return mapping.direction != config::Direction::kTo;
}

// The systems that make records of a dataset beside others, in the file's order: a server has one
// way of numbering for all its tables, so each has one place among them for all datasets.
std::vector<std::string> find_makers(const config::Config& config) {
  std::set<std::string> makers;
  for (const config::Dataset& dataset : config.datasets) {
    std::vector<std::string> of_dataset;
    for (const config::Mapping& mapping : dataset.mappings) {
      if (is_maker(mapping)) of_dataset.push_back(mapping.system);
    }
    if (of_dataset.size() > 1) makers.insert(of_dataset.begin(), of_dataset.end());
  }
  std::vector<std::string> ordered;
  for (const config::SystemSettings& system : config.systems) {
    if (makers.contains(system.name)) ordered.push_back(system.name);
  }
  return ordered;
}

ports::DatasetMapping dataset_mapping(const config::ResolvedMapping& resolved,
                                      const std::vector<config::Mapping>& all,
                                      const std::vector<std::string>& makers,
                                      const model::Schema& schema) {
  ports::DatasetMapping mapping;
  mapping.schema = &schema;
  mapping.table = resolved.mapping->table;
  mapping.columns = resolved.columns;
  mapping.direction = direction(resolved.mapping->direction);
  mapping.capture = capture(resolved.mapping->capture);
  mapping.poll_by = resolved.mapping->poll_by;
  mapping.every_us = resolved.mapping->every_us;
  mapping.overlap_us = resolved.mapping->overlap_us;
  mapping.where = resolved.mapping->where;
  mapping.triggers = triggers(resolved.mapping->triggers);
  mapping.cascade = resolved.mapping->cascade == config::Cascade::kDerive ? ports::Cascade::kDerive
                                                                          : ports::Cascade::kRefuse;
  mapping.are_numbers_apart = resolved.mapping->numbers == config::Numbers::kApart;
  const bool is_shared = std::count_if(all.begin(), all.end(), is_maker) > 1;
  if (!is_shared || mapping.are_numbers_apart || !is_maker(*resolved.mapping)) return mapping;
  const auto here = std::find(makers.begin(), makers.end(), resolved.mapping->system);
  mapping.maker_count = makers.size();
  mapping.maker_index = static_cast<size_t>(here - makers.begin());
  return mapping;
}

std::vector<BlueprintSystem> bare_systems(const config::Config& config,
                                          std::vector<Error>& errors) {
  std::vector<BlueprintSystem> systems;
  for (const config::SystemSettings& settings : config.systems) {
    auto system = bare_system(config, settings);
    if (system) {
      systems.push_back(std::move(system).value());
    } else {
      errors.push_back(std::move(system).error());
    }
  }
  return systems;
}

// The columns as the catalog knows them.
std::vector<const ports::ColumnInfo*> infos_of(
    const std::vector<ports::TableInfo>& tables, const std::string& table,
    std::span<const config::ColumnShape* const> columns) {
  std::vector<const ports::ColumnInfo*> infos;
  const auto& known = std::ranges::find(tables, table, &ports::TableInfo::name)->columns;
  for (const config::ColumnShape* column : columns) {
    infos.push_back(&*std::ranges::find(known, column->name, &ports::ColumnInfo::name));
  }
  return infos;
}

Result<config::SystemShape> read_shape(const BlueprintSystem& system, Clock& clock) {
  SYN_TRY(auto made, make_system(system.settings->kind, system.ports, clock));
  SYN_TRY(const auto tables, made.catalog->tables());
  const std::string& kind = system.settings->kind;
  const SystemRow* row = find_system_row(kind);
  using Columns = std::span<const config::ColumnShape* const>;
  return config::SystemShape{
      system.settings->name, shapes_of(tables, kind),
      [row, config = system.ports](const std::string& table, Columns columns) {
        return row->make_key(config, table, columns);
      },
      [row, config = system.ports, tables](const std::string& table, Columns columns) {
        return row->finer_key(config, table, infos_of(tables, table, columns));
      },
      [row, config = system.ports](const std::string& table, const std::string& column,
                                   const model::LogicalType& type) {
        return row->add_column(config, table, column, type);
      }};
}

// PostgreSQL's sequences alone are not moved by numbers that others bring.
bool do_others_step(const Blueprint& blueprint, const std::vector<config::Mapping>& all,
                    const std::string& system) {
  return std::all_of(all.begin(), all.end(), [&](const config::Mapping& mapping) {
    if (mapping.system == system || !is_maker(mapping)) return true;
    return std::any_of(blueprint.systems.begin(), blueprint.systems.end(), [&](const auto& other) {
      return other.settings->name == mapping.system &&
             find_system_row(other.settings->kind) == find_system_row("postgres");
    });
  });
}

void take_resolution(config::Resolution&& resolution, Blueprint& blueprint) {
  const std::vector<std::string> makers = find_makers(*blueprint.config);
  for (const config::ResolvedDataset& resolved : resolution.datasets) {
    const auto& schema =
        blueprint.schemas.emplace_back(std::make_unique<model::Schema>(resolved.schema));
    blueprint.rules.emplace(schema->dataset, dataset_rules(resolved, *schema));
    for (const config::ResolvedMapping& mapping : resolved.mappings) {
      for (BlueprintSystem& system : blueprint.systems) {
        if (system.settings->name != mapping.mapping->system) continue;
        system.ports.datasets.push_back(
            dataset_mapping(mapping, resolved.dataset->mappings, makers, *schema));
        system.ports.datasets.back().do_others_step =
            do_others_step(blueprint, resolved.dataset->mappings, system.settings->name);
      }
    }
  }
  for (std::string& note : resolution.notes) blueprint.notes.push_back(std::move(note));
}

Result<Blueprint> first_error_or_blueprint(Drafted&& drafted) {
  if (drafted.errors.empty()) return std::move(drafted.blueprint);
  return first_error(drafted);
}

// What the systems that were read say of their part of each dataset.
void settle_parts(Drafted& drafted, const std::vector<config::SystemShape>& shapes) {
  const config::Config& config = *drafted.blueprint.config;
  for (const config::Dataset& dataset : config.datasets) {
    auto part = std::make_unique<config::Dataset>(dataset);
    std::erase_if(part->mappings, [&](const config::Mapping& mapping) {
      return std::ranges::find(shapes, mapping.system, &config::SystemShape::system) ==
             shapes.end();
    });
    if (part->mappings.empty()) continue;
    config::Resolution resolution = config::resolve_dataset(config, *part, shapes);
    if (resolution.errors.empty()) take_resolution(std::move(resolution), drafted.blueprint);
    drafted.parts.push_back(std::move(part));
  }
}

Drafted begin_draft(const std::string& config_path) {
  Drafted drafted;
  config::Parsed parsed = config::load_config(config_path, offer());
  if (!parsed.errors.empty()) {
    drafted.errors = std::move(parsed.errors);
    return drafted;
  }
  drafted.blueprint.config = std::make_unique<config::Config>(std::move(parsed.config));
  drafted.blueprint.systems = bare_systems(*drafted.blueprint.config, drafted.errors);
  return drafted;
}

// Fields may be added at the end: anything else would give stored values to other fields.
bool extends(const model::Schema& now, const model::Schema& before) {
  return now.key_count == before.key_count && now.key_equivalence == before.key_equivalence &&
         now.fields.size() >= before.fields.size() &&
         std::equal(before.fields.begin(), before.fields.end(), now.fields.begin(),
                    [](const model::Field& a, const model::Field& b) {
                      return a.name == b.name && a.type == b.type;
                    });
}

// A blueprint from what the systems show and what the data folder remembers of them.
class ToRun {
 public:
  ToRun(Drafted& drafted, Clock& clock)
      : drafted_(drafted),
        blueprint_(drafted.blueprint),
        clock_(clock),
        before_(read_remembered(blueprint_.config->appliance.data)) {}

  void settle() {
    for (const BlueprintSystem& system : blueprint_.systems) look_at(system);
    for (const config::Dataset& dataset : blueprint_.config->datasets) settle(dataset);
    if (!blueprint_.schemas.empty() || !blueprint_.away.empty()) return;
    for (const HeldDataset& held : blueprint_.held) drafted_.errors.push_back(held.error);
  }

 private:
  void look_at(const BlueprintSystem& system) {
    auto shape = read_shape(system, clock_);
    if (shape) {
      now_.push_back(std::move(shape).value());
      return;
    }
    blueprint_.away.emplace(system.settings->name, std::move(shape).error());
    for (const config::SystemShape& known : before_) {
      if (known.system == system.settings->name) now_.push_back(known);
    }
  }

  bool is_remembered(const config::Dataset& dataset) const {
    return std::ranges::all_of(dataset.mappings, [&](const config::Mapping& mapping) {
      return find_table(before_, mapping.system, mapping.table) != nullptr;
    });
  }

  // Why nothing can be said of a dataset yet; null where nothing stands in the way.
  const Error* find_away(const config::Dataset& dataset) const {
    for (const config::Mapping& mapping : dataset.mappings) {
      const auto away = blueprint_.away.find(mapping.system);
      if (away == blueprint_.away.end()) continue;
      if (find_table(now_, mapping.system, mapping.table) == nullptr) return &away->second;
    }
    return nullptr;
  }

  void settle(const config::Dataset& dataset) {
    if (const Error* away = find_away(dataset)) return hold(dataset, *away);
    config::Resolution now = config::resolve_dataset(*blueprint_.config, dataset, now_);
    if (is_remembered(dataset)) {
      config::Resolution before = config::resolve_dataset(*blueprint_.config, dataset, before_);
      const bool fits = now.errors.empty() && before.errors.empty() &&
                        extends(now.datasets[0].schema, before.datasets[0].schema);
      if (before.errors.empty() && !fits) return keep(dataset, std::move(before), now);
    }
    if (now.errors.empty()) return take(dataset, std::move(now), now_);
    const bool is_of_tables = exit_status(now.errors.front().code) == ExitStatus::kSystem;
    if (is_of_tables && !before_.empty()) return hold(dataset, now.errors.front());
    drafted_.errors.insert(drafted_.errors.end(), now.errors.begin(), now.errors.end());
  }

  void hold(const config::Dataset& dataset, const Error& error) {
    blueprint_.held.push_back({dataset.name, error});
  }

  void keep(const config::Dataset& dataset, config::Resolution&& before,
            const config::Resolution& now) {
    before.notes.push_back(
        "dataset " + dataset.name + " keeps the fields it was synced with: " +
        (now.errors.empty() ? "its tables have others now" : to_string(now.errors.front())));
    take(dataset, std::move(before), before_);
  }

  void take(const config::Dataset& dataset, config::Resolution&& resolution,
            const std::vector<config::SystemShape>& from) {
    take_resolution(std::move(resolution), blueprint_);
    for (const config::Mapping& mapping : dataset.mappings) {
      auto& shapes = blueprint_.shapes;
      auto shape = std::ranges::find(shapes, mapping.system, &config::SystemShape::system);
      if (shape == shapes.end()) shape = shapes.insert(shapes.end(), {mapping.system, {}});
      shape->tables.push_back(*find_table(from, mapping.system, mapping.table));
    }
  }

  Drafted& drafted_;
  Blueprint& blueprint_;
  Clock& clock_;
  std::vector<config::SystemShape> now_;  // of a system that is away: as it was
  std::vector<config::SystemShape> before_;
};

}  // namespace

const model::Schema* Blueprint::find_schema(std::string_view dataset) const {
  for (const auto& schema : schemas) {
    if (schema->name == dataset) return schema.get();
  }
  return nullptr;
}

std::string Blueprint::system_name(model::SystemId system) const {
  for (const BlueprintSystem& known : systems) {
    if (known.settings->id == system) return known.settings->name;
  }
  return "(a system the config no longer names)";
}

std::string Blueprint::dataset_name(model::DatasetId dataset) const {
  for (const auto& schema : schemas) {
    if (schema->dataset == dataset) return schema->name;
  }
  return "(a dataset the config no longer names)";
}

config::Offer offer() {
  config::Offer offer;
  for (const SystemRow& row : system_table()) offer.kinds.push_back(row.offer());
  for (const EngineRow& row : engine_table()) offer.engines.emplace_back(row.name);
  return offer;
}

namespace {

std::string declaration_of(const ports::ColumnInfo& column) {
  return column.native_type + (column.collation.empty() ? "" : " COLLATE " + column.collation);
}

}  // namespace

std::vector<config::TableShape> shapes_of(const std::vector<ports::TableInfo>& tables,
                                          const std::string& kind) {
  std::vector<config::TableShape> shapes;
  for (const ports::TableInfo& table : tables) {
    config::TableShape& shape = shapes.emplace_back();
    shape.name = table.name;
    shape.keys = table.keys;
    shape.kind = kind;
    shape.unread = table.unread;
    shape.unread_fix = table.unread_fix;
    for (const ports::ColumnInfo& column : table.columns) {
      shape.columns.push_back({column.name, column.type, column.is_nullable, column.is_generated,
                               column.equivalence, column.may_be,
                               column.is_of_own_kind ? column.native_type : std::string(),
                               declaration_of(column), column.is_numbered});
    }
  }
  return shapes;
}

Drafted draft_blueprint(const std::string& config_path, Clock& clock) {
  Drafted drafted = begin_draft(config_path);
  if (!drafted.errors.empty()) return drafted;
  Blueprint& blueprint = drafted.blueprint;
  std::vector<config::SystemShape> shapes;
  for (const BlueprintSystem& system : blueprint.systems) {
    auto shape = read_shape(system, clock);
    if (!shape) {
      drafted.errors.push_back(shape.error());
    } else {
      shapes.push_back(std::move(shape).value());
    }
  }
  if (!drafted.errors.empty()) {
    settle_parts(drafted, shapes);
    return drafted;
  }
  config::Resolution resolution = config::resolve(*blueprint.config, shapes);
  drafted.errors = resolution.errors;
  take_resolution(std::move(resolution), blueprint);
  return drafted;
}

Error first_error(const Drafted& drafted) {
  Error first = drafted.errors.front();
  const size_t more = drafted.errors.size() - 1;
  if (more > 0) {
    first.fix += " (and " + std::to_string(more) + " more: `syncline check` lists them all)";
  }
  return first;
}

Result<Blueprint> make_blueprint(const std::string& config_path, Clock& clock) {
  return first_error_or_blueprint(draft_blueprint(config_path, clock));
}

Result<Blueprint> make_blueprint_to_run(const std::string& config_path, Clock& clock) {
  Drafted drafted = begin_draft(config_path);
  if (drafted.errors.empty()) ToRun(drafted, clock).settle();
  return first_error_or_blueprint(std::move(drafted));
}

}  // namespace syncline::app
