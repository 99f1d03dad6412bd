#include "host/app/unique_keys.hpp"

#include <algorithm>
#include <iterator>
#include <optional>

#include "host/app/systems.hpp"
#include "host/config/unique_keys.hpp"

namespace syncline::app {
namespace {

using Why = config::Looser::Why;

// A system's part of a dataset. keys: per unique key of the keeper, the table's.
struct Part {
  const BlueprintSystem* system = nullptr;
  const ports::DatasetMapping* mapping = nullptr;
  const ports::TableInfo* table = nullptr;
  std::vector<const ports::UniqueInfo*> keys = {};
};

bool is_text(model::TypeKind kind) {
  return kind == model::TypeKind::kText || kind == model::TypeKind::kChar;
}

class Search {
 public:
  Search(const Blueprint& blueprint, const KnownTables& tables, const model::Schema& schema)
      : blueprint_(blueprint), schema_(schema) {
    for (size_t at = 0; at < blueprint.systems.size(); ++at) {
      for (const ports::DatasetMapping& mapping : blueprint.systems[at].ports.datasets) {
        if (mapping.schema != &schema) continue;
        const ports::TableInfo* table = tables.find(at, mapping.table);
        if (table != nullptr) parts_.push_back({&blueprint.systems[at], &mapping, table});
      }
    }
  }

  std::vector<SystemFinding> run() {
    std::vector<config::Keeper> keepers;
    keepers.reserve(parts_.size());
    for (Part& part : parts_) keepers.push_back(keeper_of(part));
    std::vector<SystemFinding> findings;
    for (const config::Looser& found : config::find_looser(schema_, keepers)) {
      const auto severity =
          found.why == Why::kSpelled ? ports::Severity::kNote : ports::Severity::kWarning;
      findings.push_back({parts_[found.keeper].system->settings->name,
                          {severity, schema_.name, found.what, fix_of(found)}});
    }
    return findings;
  }

 private:
  // The field's place in the dataset; none where the column is not synced.
  std::optional<model::FieldIndex> field_of(const Part& part, const std::string& column) const {
    const auto& columns = part.mapping->columns;
    const auto at = std::ranges::find(columns, column) - columns.begin();
    const auto field = static_cast<model::FieldIndex>(at);
    if (static_cast<size_t>(at) == columns.size()) return std::nullopt;
    const bool is_key = field < schema_.key_count;
    return is_key || blueprint_.rules.at(schema_.dataset).travels(field) ? std::optional(field)
                                                                         : std::nullopt;
  }

  config::Keeper keeper_of(Part& part) const {
    const ports::DatasetMapping& mapping = *part.mapping;
    config::Keeper keeper;
    keeper.table = part.system->settings->name + "." + mapping.table;
    keeper.is_read = mapping.direction != ports::Direction::kTo;
    keeper.is_written = mapping.direction != ports::Direction::kFrom;
    for (size_t field = 0; field < schema_.fields.size(); ++field) {
      const ports::ColumnInfo* column = find_column(part.table, mapping.columns[field]);
      if (column == nullptr) continue;
      const bool is_plain_text =
          is_text(column->type.kind) && !is_text(schema_.fields[field].type.kind);
      if (column->is_spelled || is_plain_text) {
        keeper.spelled.push_back(static_cast<model::FieldIndex>(field));
      }
    }
    for (const ports::UniqueInfo& unique : part.table->uniques) {
      config::UniqueKey key{{}, unique.equivalences, unique.are_nulls_equal};
      for (const std::string& column : unique.columns) {
        if (const auto field = field_of(part, column)) key.fields.push_back(*field);
      }
      if (key.fields.size() != unique.columns.size()) continue;
      keeper.uniques.push_back(std::move(key));
      part.keys.push_back(&unique);
    }
    return keeper;
  }

  // The key's columns in a system, compared as they are to be.
  std::vector<ports::ColumnInfo> columns_of(const Part& part, const config::UniqueKey& key) const {
    std::vector<ports::ColumnInfo> columns;
    for (size_t i = 0; i < key.fields.size(); ++i) {
      const std::string& name = part.mapping->columns[key.fields[i]];
      columns.push_back(*find_column(part.table, name));
      columns.back().equivalence = key.equivalences[i];
    }
    return columns;
  }

  std::string make_unique(const config::Looser& found) const {
    const Part& part = parts_[found.keeper];
    const SystemRow* row = find_system_row(part.system->settings->kind);
    auto columns = columns_of(part, found.wanted);
    std::string sql = row->make_unique(part.mapping->table, columns);
    if (!sql.empty() || found.why != Why::kLacks) return sql;
    for (ports::ColumnInfo& column : columns) column.equivalence = model::KeyEquivalence::kBytes;
    return row->make_unique(part.mapping->table, columns);
  }

  // The stricter system's columns made to tell apart what the other does.
  std::string finer(const Part& strict, const config::UniqueKey& key) const {
    const SystemRow* row = find_system_row(strict.system->settings->kind);
    std::vector<const ports::ColumnInfo*> coarse;
    for (const model::FieldIndex field : key.fields) {
      const ports::ColumnInfo* column = find_column(strict.table, strict.mapping->columns[field]);
      if (column->equivalence != model::KeyEquivalence::kBytes) coarse.push_back(column);
    }
    if (coarse.empty()) return {};
    return row->finer_key(strict.system->ports, strict.mapping->table, coarse);
  }

  std::string fix_of(const config::Looser& found) const {
    if (found.why == Why::kSpelled) return "nothing, where each value is written in one way there";
    std::string fix;
    if (found.why != Why::kNulls) fix = make_unique(found);
    for (size_t i = 0; i < found.strict.size(); ++i) {
      const Part& strict = parts_[found.strict[i]];
      const std::string place = "in " + strict.system->settings->name + ":";
      if (fix.empty() && found.why == Why::kFiner) {
        const std::string sql = finer(strict, found.wanted);
        if (!sql.empty()) fix.append("-- ").append(place).append("\n").append(sql);
      }
      fix += (fix.empty() ? "-- " : "\n-- or, ") + place + " " + strict.keys[found.keys[i]]->drop;
    }
    return fix;
  }

  const Blueprint& blueprint_;
  const model::Schema& schema_;
  std::vector<Part> parts_;
};

}  // namespace

std::vector<SystemFinding> find_unique_keys(const Blueprint& blueprint, const KnownTables& tables) {
  std::vector<SystemFinding> findings;
  for (const auto& schema : blueprint.schemas) {
    std::ranges::move(Search(blueprint, tables, *schema).run(), std::back_inserter(findings));
  }
  return findings;
}

}  // namespace syncline::app
