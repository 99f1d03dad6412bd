#include "host/app/comparison.hpp"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>

#include <boost/json/array.hpp>

#include "host/app/engines.hpp"
#include "host/app/known_places.hpp"
#include "host/app/narrow_columns.hpp"
#include "host/app/render.hpp"
#include "host/app/systems.hpp"
#include "host/app/unique_keys.hpp"
#include "host/base/random.hpp"
#include "host/model/key.hpp"

namespace syncline::app {
namespace {

namespace json = boost::json;

constexpr long kRecheckNs = 200'000'000;
constexpr int64_t kProgressAfterUs = 2'000'000;
constexpr size_t kShownMax = 100;

struct OpenSystem {
  std::string name;
  ports::System system;
  const BlueprintSystem* from = nullptr;
};

Result<std::vector<OpenSystem>> open_systems(const Blueprint& blueprint) {
  std::vector<OpenSystem> systems;
  for (const BlueprintSystem& from : blueprint.systems) {
    SYN_TRY(auto made, make_system(from.settings->kind, from.ports, system_clock()));
    systems.push_back({from.settings->name, std::move(made), &from});
  }
  return systems;
}

Result<std::vector<ports::Finding>> find_in_system(const BlueprintSystem& system,
                                                   const KnownPlaces& places) {
  SYN_TRY(const auto made, make_system(system.settings->kind, system.ports, system_clock()));
  SYN_TRY(auto findings, made.catalog->findings());
  const auto place = places.find(system.settings->name);
  if (place == places.end()) return findings;
  SYN_TRY(auto gap, made.catalog->find_gap(place->second));
  if (gap) findings.push_back(std::move(*gap));
  return findings;
}

// A field that a system sets itself is of no interest once it is `local`; before, that is the fix.
std::optional<ports::Finding> with_proposal(const Blueprint& blueprint, ports::Finding finding) {
  if (!finding.kept_field) return finding;
  const model::Schema* schema = blueprint.find_schema(finding.dataset);
  const core::DatasetRules& rules = blueprint.rules.at(schema->dataset);
  if (!rules.travels(*finding.kept_field)) return std::nullopt;
  finding.fix += "[datasets." + finding.dataset + ".conflict.fields] " +
                 schema->fields[*finding.kept_field].name +
                 " = \"local\", if each system keeps its own";
  return finding;
}

// Whether all systems of the dataset lack the same letters in the field.
bool is_narrow_everywhere(const std::vector<SystemFinding>& found, const SystemFinding& one,
                          const Blueprint& blueprint) {
  if (!one.finding.narrow_text) return false;
  const auto has_dataset = [&](const BlueprintSystem& system) {
    return std::ranges::any_of(system.ports.datasets, [&](const ports::DatasetMapping& mapping) {
      return mapping.schema->name == one.finding.dataset;
    });
  };
  const auto says_the_same = [&](const SystemFinding& other) {
    return other.finding.dataset == one.finding.dataset &&
           other.finding.narrow_text == one.finding.narrow_text;
  };
  return std::ranges::count_if(blueprint.systems, has_dataset) ==
         std::ranges::count_if(found, says_the_same);
}

// Whether a file of doubles is written what other files keep as doubles, and nothing else.
bool is_double_everywhere(const SystemFinding& one, const Blueprint& blueprint,
                          const KnownTables& tables) {
  if (!one.finding.double_field) return false;
  for (size_t at = 0; at < blueprint.systems.size(); ++at) {
    for (const ports::DatasetMapping& mapping : blueprint.systems[at].ports.datasets) {
      const bool is_other = mapping.schema->name == one.finding.dataset &&
                            mapping.direction != ports::Direction::kTo &&
                            blueprint.systems[at].settings->name != one.system;
      if (!is_other) continue;
      const ports::ColumnInfo* column =
          find_column(tables.find(at, mapping.table), mapping.columns[*one.finding.double_field]);
      if (column == nullptr || !column->is_double) return false;
    }
  }
  return true;
}

std::vector<compare::Side> sides_of(std::vector<OpenSystem>& systems, model::DatasetId dataset) {
  std::vector<compare::Side> sides;
  for (OpenSystem& system : systems) {
    for (const ports::DatasetMapping& mapping : system.from->ports.datasets) {
      if (mapping.schema->dataset != dataset) continue;
      sides.push_back({system.name, system.system.source.get()});
    }
  }
  return sides;
}

// A line on standard error while it takes long; nobody waits without knowing.
class Progress {
 public:
  Progress(const std::string& dataset, const ComparisonOptions& options)
      : dataset_(dataset), is_shown_(options.is_progress_shown) {}

  void read(size_t rows) {
    rows_ = rows;
    read_us_ = system_clock().steady_us();
    if (!is_due()) return;
    std::fprintf(stderr, "%s: %s rows read, %s rows/s\n", dataset_.c_str(),
                 count_text(rows).c_str(), count_text(rows_per_second()).c_str());
  }
  void wait_for(size_t differing) {
    if (!is_due()) return;
    std::fprintf(stderr, "%s: %s records still differ\n", dataset_.c_str(),
                 count_text(differing).c_str());
  }
  size_t rows() const { return rows_; }
  uint64_t rows_per_second() const {
    const int64_t took_us = std::max<int64_t>(1, read_us_ - started_us_);
    return static_cast<uint64_t>(static_cast<double>(rows_) * 1e6 / static_cast<double>(took_us));
  }
  double seconds() const {
    return static_cast<double>(system_clock().steady_us() - started_us_) / 1e6;
  }

 private:
  bool is_due() {
    const int64_t now_us = system_clock().steady_us();
    if (!is_shown_ || now_us - shown_us_ < kProgressAfterUs) return false;
    shown_us_ = now_us;
    return true;
  }

  const std::string& dataset_;
  const bool is_shown_;
  const int64_t started_us_ = system_clock().steady_us();
  int64_t shown_us_ = started_us_;
  int64_t read_us_ = started_us_;
  size_t rows_ = 0;
};

// Looks again at what differs until none of it has become the same for settle_us. A look that has
// seen nothing but what is the same goes on: it may end with all of it.
Result<void> settle(const core::DatasetRules& rules, const std::vector<compare::Side>& sides,
                    const compare::Options& how, int64_t settle_us, Progress& progress,
                    compare::Comparison& comparison) {
  int64_t deadline_us = system_clock().steady_us() + settle_us;
  while (comparison.open_count() > 0 && system_clock().steady_us() < deadline_us) {
    const timespec wait{0, kRecheckNs};
    nanosleep(&wait, nullptr);
    const size_t before = comparison.open_count();
    progress.wait_for(before);
    bool differs = false;
    const auto on_looked = [&](std::span<const compare::Difference> left) -> Result<compare::Then> {
      differs = differs || !left.empty();
      const bool is_over = differs && system_clock().steady_us() >= deadline_us;
      return is_over ? compare::Then::kEnd : compare::Then::kGoOn;
    };
    SYN_TRY(compare::recheck(rules, sides, how, comparison, on_looked));
    if (comparison.open_count() < before) deadline_us = system_clock().steady_us() + settle_us;
  }
  return success();
}

Result<ComparedDataset> compare_one(const core::DatasetRules& rules,
                                    const std::vector<compare::Side>& sides,
                                    dispatch::Dispatcher& dispatcher,
                                    const ComparisonOptions& options) {
  ComparedDataset compared;
  compared.dataset = rules.schema->name;
  for (const compare::Side& side : sides) compared.systems.push_back(side.name);
  engine::Secret secret;
  system_random().fill(secret);
  Progress progress(compared.dataset, options);
  compare::Options how;
  how.on_progress = [&progress](size_t rows) { progress.read(rows); };
  compare::Comparison& comparison = compared.comparison;
  SYN_TRY(comparison, compare::compare_dataset(rules, sides, dispatcher, secret, how));
  compared.rows_read = progress.rows();
  compared.rows_per_second = progress.rows_per_second();
  SYN_TRY(settle(rules, sides, how, options.settle_us, progress, comparison));
  if (options.on_different && comparison.open_count() > 0) {
    const auto on_looked = [&](std::span<const compare::Difference> left) {
      return options.on_different(compared.dataset, left);
    };
    SYN_TRY(compare::recheck(rules, sides, how, comparison, on_looked));
  }
  comparison.places = {};
  compared.seconds = progress.seconds();
  return compared;
}

std::string cell_text(const model::Cell& cell, const model::LogicalType& type) {
  if (cell.state != model::CellState::kValue) return "NULL";
  return "'" + model::text_from_canonical(cell.bytes, type) + "'";
}

json::object difference_to_json(const compare::Difference& difference,
                                const std::vector<std::string>& systems,
                                const model::Schema& schema) {
  json::array missing_in;
  for (size_t side = 0; side < systems.size(); ++side) {
    if (!difference.is_there[side]) missing_in.emplace_back(systems[side]);
  }
  json::array cells;
  for (size_t i = 0; i < difference.fields.size(); ++i) {
    const model::Field& field = schema.fields[difference.fields[i]];
    json::object values;
    for (size_t side = 0; side < systems.size(); ++side) {
      if (!difference.is_there[side]) continue;
      const model::Cell& cell = difference.cells[side][i];
      values[systems[side]] = cell.state == model::CellState::kValue
                                  ? json::value(model::text_from_canonical(cell.bytes, field.type))
                                  : json::value(nullptr);
    }
    cells.push_back(json::object{{"field", field.name}, {"values", std::move(values)}});
  }
  return {{"key", model::describe_key(difference.key, schema)},
          {"missing_in", std::move(missing_in)},
          {"cells", std::move(cells)}};
}

bool is_equal(const ComparedDataset& compared) {
  const compare::Comparison& counts = compared.comparison;
  const bool has_collisions =
      std::ranges::any_of(counts.collision_counts, [](size_t count) { return count > 0; });
  return counts.missing_count == 0 && counts.different_count == 0 && !has_collisions;
}

std::string keys_text(const compare::Collision& collision, const model::Schema& schema) {
  std::string text;
  for (const std::string& key : collision.keys) {
    text += (text.empty() ? "'" : " and '") + model::describe_key(key, schema) + "'";
  }
  return text;
}

// The key columns whose collations are coarser than bytes, each with what makes it finer.
Result<std::string> finer_keys(std::vector<OpenSystem>& systems, const model::Schema& schema) {
  std::string fixes;
  for (OpenSystem& system : systems) {
    const SystemRow* row = find_system_row(system.from->settings->kind);
    SYN_TRY(const auto tables, system.system.catalog->tables());
    for (const ports::DatasetMapping& mapping : system.from->ports.datasets) {
      if (mapping.schema->dataset != schema.dataset) continue;
      const auto table = std::ranges::find(tables, mapping.table, &ports::TableInfo::name);
      if (table == tables.end()) continue;
      std::vector<const ports::ColumnInfo*> coarse;
      for (size_t key = 0; key < schema.key_count; ++key) {
        const auto column =
            std::ranges::find(table->columns, mapping.columns[key], &ports::ColumnInfo::name);
        const bool is_coarse =
            column != table->columns.end() && column->equivalence != model::KeyEquivalence::kBytes;
        if (is_coarse) coarse.push_back(&*column);
      }
      if (coarse.empty()) continue;
      fixes += "-- in " + system.name + ":\n" +
               row->finer_key(system.from->ports, table->name, coarse) + "\n";
    }
  }
  return fixes;
}

std::string difference_text(const compare::Difference& difference, const ComparedDataset& compared,
                            const model::Schema& schema) {
  std::string text;
  const std::string key = compared.dataset + " " + model::describe_key(difference.key, schema);
  for (size_t side = 0; side < compared.systems.size(); ++side) {
    const std::string& system = compared.systems[side];
    if (!difference.is_there[side]) {
      text.append("- ").append(key).append("  not in ").append(system).append("\n");
      continue;
    }
    text.append("+ ").append(key).append("  ").append(system);
    for (size_t i = 0; i < difference.fields.size(); ++i) {
      const model::Field& field = schema.fields[difference.fields[i]];
      text += " " + field.name + "=" + cell_text(difference.cells[side][i], field.type);
    }
    text += "\n";
  }
  return text;
}

}  // namespace

Result<std::vector<ComparedDataset>> compare_systems(const Blueprint& blueprint,
                                                     const ComparisonOptions& options) {
  if (!options.dataset.empty() && blueprint.find_schema(options.dataset) == nullptr) {
    return fail(ErrorCode::kInvalidArgument, "the config has no dataset '" + options.dataset + "'",
                "", "name one that [datasets] lists");
  }
  SYN_TRY(const auto dispatcher,
          make_dispatcher(blueprint.config->appliance.engine, system_clock()));
  SYN_TRY(auto systems, open_systems(blueprint));
  std::vector<ComparedDataset> all;
  for (const auto& schema : blueprint.schemas) {
    if (!options.dataset.empty() && schema->name != options.dataset) continue;
    auto one = compare_one(blueprint.rules.at(schema->dataset), sides_of(systems, schema->dataset),
                           *dispatcher, options);
    if (one) {
      all.push_back(std::move(one).value());
    } else if (options.on_error) {
      options.on_error(schema->name, one.error());
    } else {
      return std::move(one).as_failure();
    }
  }
  return all;
}

std::vector<SystemFinding> find_in_systems(const Blueprint& blueprint) {
  std::vector<SystemFinding> found;
  const KnownPlaces places = read_places(blueprint.config->appliance.data);
  for (const BlueprintSystem& system : blueprint.systems) {
    if (system.ports.datasets.empty()) continue;
    const auto findings = find_in_system(system, places);
    if (!findings) {
      const Error& error = findings.error();
      const std::string why = error.why.empty() ? "" : ": " + error.why;
      const ports::Finding stop{ports::Severity::kStops, "", error.what + why, error.fix};
      found.push_back({system.settings->name, stop});
      continue;
    }
    for (const ports::Finding& finding : findings.value()) {
      if (auto proposed = with_proposal(blueprint, finding)) {
        found.push_back({system.settings->name, std::move(*proposed)});
      }
    }
  }
  const KnownTables tables(blueprint);
  std::vector<SystemFinding> told;
  std::ranges::copy_if(found, std::back_inserter(told), [&](const SystemFinding& one) {
    return !is_narrow_everywhere(found, one, blueprint) &&
           !is_double_everywhere(one, blueprint, tables);
  });
  std::ranges::move(find_narrow_columns(blueprint, tables), std::back_inserter(told));
  std::ranges::move(find_unique_keys(blueprint, tables), std::back_inserter(told));
  return told;
}

Result<std::vector<SystemFinding>> find_collisions(const std::vector<ComparedDataset>& compared,
                                                   const Blueprint& blueprint) {
  std::vector<SystemFinding> found;
  for (const ComparedDataset& one : compared) {
    if (one.comparison.collisions.empty()) continue;
    const model::Schema& schema = *blueprint.find_schema(one.dataset);
    SYN_TRY(auto systems, open_systems(blueprint));
    SYN_TRY(const std::string fixes, finer_keys(systems, schema));
    for (const compare::Collision& collision : one.comparison.collisions) {
      SystemFinding finding;
      finding.system = one.systems[collision.side];
      finding.finding.severity = ports::Severity::kStops;
      finding.finding.dataset = one.dataset;
      finding.finding.what = keys_text(collision, schema) +
                             " would be one record: the dataset's key does not tell apart " +
                             equivalence_text(schema.key_equivalence);
      finding.finding.fix = fixes + "-- or correct the records";
      found.push_back(std::move(finding));
    }
  }
  return found;
}

json::object comparison_to_json(const std::vector<ComparedDataset>& compared,
                                const Blueprint& blueprint) {
  json::array datasets;
  bool is_all_equal = true;
  for (const ComparedDataset& one : compared) {
    const model::Schema& schema = *blueprint.find_schema(one.dataset);
    json::object records;
    for (size_t side = 0; side < one.systems.size(); ++side) {
      records[one.systems[side]] = one.comparison.record_counts[side];
    }
    json::array collisions;
    for (const compare::Collision& collision : one.comparison.collisions) {
      collisions.push_back(json::object{{"system", one.systems[collision.side]},
                                        {"keys", keys_text(collision, schema)}});
    }
    json::array differences;
    for (const compare::Difference& difference : one.comparison.differences) {
      differences.push_back(difference_to_json(difference, one.systems, schema));
    }
    datasets.push_back(json::object{{"dataset", one.dataset},
                                    {"records", std::move(records)},
                                    {"equal", one.comparison.equal_count},
                                    {"missing", one.comparison.missing_count},
                                    {"different", one.comparison.different_count},
                                    {"rejected", one.comparison.rejected_count},
                                    {"collisions", std::move(collisions)},
                                    {"seconds", one.seconds},
                                    {"rows_read", one.rows_read},
                                    {"rows_per_second", one.rows_per_second},
                                    {"is_truncated", one.comparison.is_truncated},
                                    {"differences", std::move(differences)}});
    is_all_equal = is_all_equal && is_equal(one);
  }
  return {{"is_equal", is_all_equal}, {"datasets", std::move(datasets)}};
}

std::string comparison_text(const std::vector<ComparedDataset>& compared,
                            const Blueprint& blueprint) {
  std::string text;
  for (const ComparedDataset& one : compared) {
    const model::Schema& schema = *blueprint.find_schema(one.dataset);
    const compare::Comparison& counts = one.comparison;
    text += one.dataset + ": " + (is_equal(one) ? "equal" : "DIFFERENT") + ", " +
            count_text(counts.equal_count) + " records the same in " +
            std::to_string(one.systems.size()) + " systems, " + count_text(counts.missing_count) +
            " missing, " + count_text(counts.different_count) + " different";
    if (counts.rejected_count > 0) text += ", " + count_text(counts.rejected_count) + " rejected";
    text += " (" + duration_text(one.seconds) + ", " + count_text(one.rows_read) + " rows read, " +
            count_text(one.rows_per_second) + " rows/s)\n";
    const size_t shown = std::min(kShownMax, counts.differences.size());
    for (size_t i = 0; i < shown; ++i) text += difference_text(counts.differences[i], one, schema);
    for (const compare::Collision& collision : counts.collisions) {
      text += "! " + one.dataset + " " + keys_text(collision, schema) +
              "  are one record, but two in " + one.systems[collision.side] + "\n";
    }
    const size_t more = counts.open_count() - shown;
    if (more > 0) text += "  ... and " + count_text(more) + " more\n";
  }
  return text;
}

json::object plan_to_json(const ComparedDataset& compared, const Blueprint& blueprint) {
  const config::Dataset& dataset = *blueprint.config->find_dataset(compared.dataset);
  json::array systems;
  for (size_t side = 0; side < compared.systems.size(); ++side) {
    systems.push_back(json::object{{"system", compared.systems[side]},
                                   {"records", compared.comparison.record_counts[side]},
                                   {"create", compared.comparison.missing_counts[side]}});
  }
  return {{"dataset", compared.dataset},
          {"first", dataset.first.name},
          {"equal", compared.comparison.equal_count},
          {"update", compared.comparison.different_count},
          {"systems", std::move(systems)}};
}

std::string plan_text(const ComparedDataset& compared, const Blueprint& blueprint) {
  const config::Dataset& dataset = *blueprint.config->find_dataset(compared.dataset);
  const compare::Comparison& counts = compared.comparison;
  std::string text = compared.dataset + ": " + count_text(counts.equal_count) + " the same, " +
                     count_text(counts.different_count) + " differ (" +
                     (dataset.first.rule == config::FirstRule::kStop
                          ? "and would stop the sync"
                          : "the values of '" + dataset.first.name + "' would stand") +
                     ")\n";
  for (size_t side = 0; side < compared.systems.size(); ++side) {
    text += "  " + compared.systems[side] + ": holds " + count_text(counts.record_counts[side]) +
            ", would be given " + count_text(counts.missing_counts[side]) + " it lacks\n";
  }
  return text;
}

}  // namespace syncline::app
