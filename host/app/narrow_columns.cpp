#include "host/app/narrow_columns.hpp"

#include <algorithm>

#include "host/app/systems.hpp"
#include "host/config/narrow.hpp"

namespace syncline::app {
namespace {

constexpr uint16_t kTimeDigitsMax = 6;

struct Place {
  size_t system = 0;  // of the blueprint
  std::string table;
  std::string column;
};

// A finding whose statement is still to be asked for.
struct Found {
  std::string dataset;
  std::string field;
  Place place;
  model::LogicalType type;  // of the column, or what the config bounds it to
  config::Narrow narrow;
  bool is_declared = false;  // by the config, finer than the column
  std::string fix = {};
};

// Where no statement widens the column any more.
std::string as_it_is(const Found& found) {
  if (!found.narrow.is_rounding) return "nothing wider fits there: keep the others' values within";
  return "nothing wider fits there; if it is meant: [datasets." + found.dataset + ".types] " +
         found.field + " = \"" + model::to_string(found.type) + "\"";
}

// As its system writes the type, with the sizes that its name leaves out.
std::string declared_text(const ports::ColumnInfo& column) {
  using enum model::TypeKind;
  const model::LogicalType& type = column.type;
  const std::string& name = column.native_type;
  if (name.find('(') != std::string::npos) return name;
  const auto sized = [&](const std::string& size) {
    const size_t end = std::min(name.find(' '), name.size());
    const bool is_in_front =
        type.kind == kDatetime || type.kind == kTimestamp || type.kind == kTime;
    return is_in_front ? name.substr(0, end) + "(" + size + ")" + name.substr(end)
                       : name + "(" + size + ")";
  };
  switch (type.kind) {
    case kDecimal:
      if (type.precision == 0) return name;
      return sized(std::to_string(type.precision) + "," + std::to_string(type.scale));
    case kDatetime:
    case kTimestamp:
    case kTime:
      return type.precision == kTimeDigitsMax ? name : sized(std::to_string(type.precision));
    case kText:
    case kChar:
      return type.length == 0 ? name : sized(std::to_string(type.length));
    default:
      return name;
  }
}

class Search {
 public:
  Search(const Blueprint& blueprint, const KnownTables& tables)
      : blueprint_(blueprint), tables_(tables) {}

  std::vector<SystemFinding> run() {
    for (const auto& schema : blueprint_.schemas) look_at(*schema);
    for (size_t system = 0; system < blueprint_.systems.size(); ++system) {
      ask_for_statements(system);
    }
    std::vector<SystemFinding> findings;
    for (Found& one : found_) {
      const auto severity = one.narrow.is_rounding || one.is_declared ? ports::Severity::kWarning
                                                                      : ports::Severity::kNote;
      findings.push_back({blueprint_.systems[one.place.system].settings->name,
                          {severity, one.dataset, std::move(one.narrow.what), std::move(one.fix)}});
    }
    return findings;
  }

 private:
  void look_at(const model::Schema& schema) {
    const core::DatasetRules& rules = blueprint_.rules.at(schema.dataset);
    for (size_t field = 0; field < schema.fields.size(); ++field) {
      const bool is_own =
          field >= schema.key_count && !rules.travels(static_cast<model::FieldIndex>(field));
      if (!is_own) look_at(schema, field);
    }
  }

  void look_at(const model::Schema& schema, size_t field) {
    const std::string& name = schema.fields[field].name;
    const auto& types = blueprint_.config->find_dataset(schema.name)->types;
    const auto declared = types.find(name);
    std::vector<config::Holder> holders;
    std::vector<Place> places;
    for (size_t at = 0; at < blueprint_.systems.size(); ++at) {
      for (const ports::DatasetMapping& mapping : blueprint_.systems[at].ports.datasets) {
        if (mapping.schema != &schema) continue;
        const ports::ColumnInfo* column =
            find_column(tables_.find(at, mapping.table), mapping.columns[field]);
        if (column == nullptr) continue;
        config::Holder& holder =
            holders.emplace_back(holder_of(blueprint_.systems[at], mapping, *column));
        if (declared != types.end()) bound(holder.extent.type, declared->second);
        places.push_back({at, mapping.table, column->name});
      }
    }
    for (config::Narrow& narrow : config::find_narrow(schema.fields[field].type, holders)) {
      narrow.what = "field " + name + ": " + narrow.what;
      found_.push_back({schema.name, name, places[narrow.holder],
                        holders[narrow.holder].extent.type, std::move(narrow),
                        declared != types.end()});
    }
  }

  // What the config says of a field is known to its writer.
  static void bound(model::LogicalType& type, const model::LogicalType& declared) {
    if (type.kind == declared.kind) type = config::coarsest(type, declared).value_or(type);
  }

  static config::Holder holder_of(const BlueprintSystem& system,
                                  const ports::DatasetMapping& mapping,
                                  const ports::ColumnInfo& column) {
    return {system.settings->name + "." + mapping.table + "." + column.name, declared_text(column),
            find_system_row(system.settings->kind)->extent_of(column),
            mapping.direction != ports::Direction::kTo,
            mapping.direction != ports::Direction::kFrom};
  }

  void ask_for_statements(size_t system) {
    std::vector<Found*> asking;
    std::vector<ports::Widening> wanted;
    for (Found& one : found_) {
      if (one.place.system != system) continue;
      asking.push_back(&one);
      wanted.push_back({one.place.table, one.place.column, one.narrow.wanted});
    }
    if (asking.empty()) return;
    const BlueprintSystem& of = blueprint_.systems[system];
    const auto statements = find_system_row(of.settings->kind)->widening_sql(of.ports, wanted);
    for (size_t i = 0; i < asking.size(); ++i) {
      if (!statements) {
        asking[i]->fix = to_string(statements.error());
      } else if (!statements.value()[i].empty()) {
        asking[i]->fix = statements.value()[i];
      } else {
        asking[i]->fix = as_it_is(*asking[i]);
      }
    }
  }

  const Blueprint& blueprint_;
  const KnownTables& tables_;
  std::vector<Found> found_;
};

}  // namespace

std::vector<SystemFinding> find_narrow_columns(const Blueprint& blueprint,
                                               const KnownTables& tables) {
  return Search(blueprint, tables).run();
}

}  // namespace syncline::app
