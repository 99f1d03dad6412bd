#include "host/config/resolve.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "host/config/nearest.hpp"

namespace syncline::config {
namespace {

using model::KeyEquivalence;
using model::TypeKind;

// Keys by these cannot be compared for equality by people or by indexes alike.
constexpr TypeKind kNoKeys[] = {TypeKind::kFloat32, TypeKind::kFloat64, TypeKind::kJson,
                                TypeKind::kSpatial};

// A mapping with its table: which column holds which field.
struct Side {
  const Mapping* mapping = nullptr;
  const SystemShape* system = nullptr;
  const TableShape* table = nullptr;
  std::map<std::string, const ColumnShape*> columns;  // by logical name

  std::string column_text(const ColumnShape& column) const {
    return mapping->system + "." + mapping->table + "." + column.name;
  }
};

template <class T>
std::vector<std::string> names_in(const std::vector<T>& things) {
  std::vector<std::string> names;
  names.reserve(things.size());
  for (const T& thing : things) names.push_back(thing.name);
  return names;
}

template <class T>
const T* find_named(const std::vector<T>& things, std::string_view name) {
  const auto found = std::ranges::find(things, name, &T::name);
  return found == things.end() ? nullptr : &*found;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::ranges::find(names, name) != names.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

// One dataset on its way to a schema. Each step needs the one before.
class DatasetResolver {
 public:
  DatasetResolver(const Config& config, const Dataset& dataset,
                  std::span<const SystemShape> systems, Resolution& out)
      : config_(config), dataset_(dataset), systems_(systems), out_(out) {}

  void run() {
    const size_t error_count = out_.errors.size();
    find_tables();
    if (out_.errors.size() > error_count) return;
    check_names();
    choose_fields();
    check_keys();
    if (out_.errors.size() > error_count) return;
    ResolvedDataset resolved = make_schema();
    choose_policies(resolved);
    if (out_.errors.size() == error_count) out_.datasets.push_back(std::move(resolved));
  }

 private:
  void add(const Place& place, ErrorCode code, const std::string& what, std::string why,
           std::string fix) {
    out_.errors.push_back(
        {code, place_text(config_, place) + what, std::move(why), std::move(fix)});
  }
  void note(const std::string& text) {
    out_.notes.push_back("dataset " + dataset_.name + ": " + text);
  }

  std::string field_text(const std::string& field) const {
    return "field \"" + field + "\" of dataset \"" + dataset_.name + "\"";
  }

  void find_tables();
  static void map_columns(Side& side);
  void check_mapped(const Side& side);
  std::string nearest_or_new(const Side& side, const std::string& field,
                             const std::string& column) const;
  std::string add_column(const Side& side, const std::string& field,
                         const std::string& column) const;
  void check_names();
  bool is_known(const std::string& field) const;
  std::vector<std::string> all_fields() const;
  void choose_fields();
  bool travels(const std::string& field);
  void check_keys();
  void check_key_of(const Side& side);
  std::string finer_keys(KeyEquivalence wanted) const;
  KeyEquivalence choose_equivalence();
  ResolvedDataset make_schema();
  bool is_numbered_apart() const;
  model::Field make_field(const std::string& name);
  model::LogicalType find_type(const std::string& name);
  bool are_zero_dates_null(const model::Field& field);
  void choose_policies(ResolvedDataset& resolved);

  const Config& config_;
  const Dataset& dataset_;
  std::span<const SystemShape> systems_;
  Resolution& out_;
  std::vector<Side> sides_;
  std::vector<std::string> fields_;  // key first
};

void DatasetResolver::find_tables() {
  for (const Mapping& mapping : dataset_.mappings) {
    const auto system = std::ranges::find(systems_, mapping.system, &SystemShape::system);
    const TableShape* table =
        system == systems_.end() ? nullptr : find_named(system->tables, mapping.table);
    if (table == nullptr) {
      add(mapping.place, ErrorCode::kSystemSchema,
          "system \"" + mapping.system + "\" has no table \"" + mapping.table + "\"",
          "dataset \"" + dataset_.name + "\" lives in it",
          system == systems_.end() || system->tables.empty()
              ? "the system has no tables: check its url, or create the table there"
              : suggest(mapping.table, names_in(system->tables)));
      continue;
    }
    if (!table->unread.empty()) {
      add(mapping.place, ErrorCode::kSystemSchema,
          "table \"" + mapping.table + "\" of \"" + mapping.system + "\" cannot be synced",
          table->unread, table->unread_fix);
      continue;
    }
    sides_.push_back({&mapping, &*system, table, {}});
    map_columns(sides_.back());
  }
  for (const Side& side : sides_) check_mapped(side);
}

void DatasetResolver::map_columns(Side& side) {
  std::set<std::string> taken;
  for (const auto& [logical, physical] : side.mapping->fields) {
    taken.insert(physical);
    const ColumnShape* column = find_named(side.table->columns, physical);
    side.columns[logical] = column;
  }
  for (const ColumnShape& column : side.table->columns) {
    if (!taken.contains(column.name)) side.columns.emplace(column.name, &column);
  }
}

void DatasetResolver::check_mapped(const Side& side) {
  for (const auto& [logical, physical] : side.mapping->fields) {
    if (side.columns.at(logical) != nullptr) continue;
    add(side.mapping->place, ErrorCode::kSystemSchema,
        "table \"" + side.mapping->table + "\" of \"" + side.mapping->system +
            "\" has no column \"" + physical + "\"",
        "field \"" + logical + "\" is mapped to it", nearest_or_new(side, logical, physical));
  }
}

std::string DatasetResolver::nearest_or_new(const Side& side, const std::string& field,
                                            const std::string& column) const {
  const std::string nearest = suggest(column, names_in(side.table->columns));
  const std::string sql = add_column(side, field, column);
  return sql.empty() ? nearest : "-- " + nearest + " Or:\n" + sql;
}

// The statement that gives a system a column for the field, of the type that the others have; empty
// where that is not known.
std::string DatasetResolver::add_column(const Side& side, const std::string& field,
                                        const std::string& column) const {
  if (side.system->add_column == nullptr) return {};
  const auto say = [&](const model::LogicalType& type) {
    return side.system->add_column(side.mapping->table, column, type);
  };
  const auto declared = dataset_.types.find(field);
  if (declared != dataset_.types.end()) return say(declared->second);
  std::vector<ColumnOf> holders;
  for (const Side& other : sides_) {
    const auto found = other.columns.find(field);
    if (found == other.columns.end() || found->second == nullptr) continue;
    const bool is_foreign =
        !found->second->own_type.empty() && other.table->kind != side.table->kind;
    if (is_foreign) return {};
    if (!found->second->is_generated) holders.push_back({other.table, found->second});
  }
  const auto type = holders.empty() ? std::nullopt : common_type(holders);
  return type ? say(*type) : std::string();
}

std::vector<std::string> DatasetResolver::all_fields() const {
  std::set<std::string> names;
  for (const Side& side : sides_) {
    for (const auto& [logical, column] : side.columns) names.insert(logical);
  }
  return {names.begin(), names.end()};
}

bool DatasetResolver::is_known(const std::string& field) const {
  return std::ranges::any_of(sides_, [&](const Side& s) { return s.columns.contains(field); });
}

// Every field that the config names must be in some system.
void DatasetResolver::check_names() {
  const auto check = [&](const std::string& field, const std::string& where, const Place& place) {
    if (is_known(field)) return;
    add(place, ErrorCode::kConfigUnknown,
        "unknown field \"" + field + "\" in " + where + " of dataset \"" + dataset_.name + "\"",
        "no table of the dataset has it", suggest(field, all_fields()));
  };
  for (const std::string& field : dataset_.exclude) check(field, "exclude", dataset_.place);
  for (const auto& [field, type] : dataset_.types) check(field, "types", dataset_.place);
  for (const auto& [field, policy] : dataset_.conflict.fields) {
    check(field, "conflict.fields", policy.place);
  }
}

// Whether every system has the field and may write it; says why not.
bool DatasetResolver::travels(const std::string& field) {
  if (contains(dataset_.exclude, field)) return false;
  const bool is_mapped = std::ranges::any_of(
      sides_, [&](const Side& side) { return side.mapping->fields.contains(field); });
  for (const Side& side : sides_) {
    const auto found = side.columns.find(field);
    const bool is_missing = found == side.columns.end();
    if (!is_missing && !found->second->is_generated) continue;
    const std::string why = is_missing ? "\"" + side.mapping->system + "\" has no column for it"
                                       : side.column_text(*found->second) + " is generated";
    const std::string sql = is_missing ? add_column(side, field, field) : std::string();
    if (is_mapped) {
      const std::string words = "map it in every system, or take it out of \"fields\"";
      std::string fix = sql.empty() ? words : "-- " + words;
      if (!sql.empty()) fix.append(". Or:\n").append(sql);
      add(side.mapping->place, ErrorCode::kSystemSchema, field_text(field) + " cannot travel", why,
          std::move(fix));
    } else {
      std::string text = "field ";
      text.append(field).append(" does not travel: ").append(why);
      if (!sql.empty()) text.append("; with one it would: ").append(sql);
      note(text);
    }
    return false;
  }
  return true;
}

void DatasetResolver::choose_fields() {
  fields_ = dataset_.key;
  std::set<std::string> seen(fields_.begin(), fields_.end());
  const auto choose = [&](const std::string& field) {
    if (seen.insert(field).second && travels(field)) fields_.push_back(field);
  };
  const Side& first = sides_.front();
  for (const ColumnShape& column : first.table->columns) {
    for (const auto& [logical, mapped] : first.columns) {
      if (mapped == &column) choose(logical);
    }
  }
  for (const std::string& field : all_fields()) choose(field);  // only to say why not
}

void DatasetResolver::check_keys() {
  for (const Side& side : sides_) check_key_of(side);
}

void DatasetResolver::check_key_of(const Side& side) {
  const std::string table =
      "table \"" + side.mapping->table + "\" of \"" + side.mapping->system + "\"";
  std::vector<std::string> columns;
  std::vector<const ColumnShape*> shapes;
  for (const std::string& field : dataset_.key) {
    const auto found = side.columns.find(field);
    if (found == side.columns.end()) {
      add(side.mapping->place, ErrorCode::kSystemKey,
          std::string(table).append(" has no key column \"").append(field).append("\""),
          "it is part of the key of dataset \"" + dataset_.name + "\"",
          nearest_or_new(side, field, field));
      return;
    }
    columns.push_back(found->second->name);
    shapes.push_back(found->second);
    if (!found->second->is_generated &&
        std::ranges::find(kNoKeys, found->second->type.kind) == std::end(kNoKeys)) {
      continue;
    }
    add(side.mapping->place, ErrorCode::kSystemKey,
        "column \"" + found->second->name + "\" in " + table + " cannot be part of a key",
        found->second->is_generated ? "it is generated"
                                    : "its type is " + to_string(found->second->type),
        "choose another key for the dataset");
    return;
  }
  const std::set<std::string> wanted(columns.begin(), columns.end());
  for (const std::vector<std::string>& key : side.table->keys) {
    if (std::set<std::string>(key.begin(), key.end()) == wanted) return;
  }
  std::string keys;
  for (const auto& key : side.table->keys) keys += (keys.empty() ? "(" : ", (") + joined(key) + ")";
  add(side.mapping->place, ErrorCode::kSystemKey, "(" + joined(columns) + ") is no key of " + table,
      keys.empty() ? "the table has no key" : "its keys are " + keys,
      side.system->make_key == nullptr
          ? "make them NOT NULL and unique together or choose another key"
          : side.system->make_key(side.mapping->table, shapes) + " -- or choose another key");
}

// What makes all key columns tell keys apart as the dataset does, system by system.
std::string DatasetResolver::finer_keys(KeyEquivalence wanted) const {
  std::string fix;
  for (const Side& side : sides_) {
    std::vector<const ColumnShape*> coarse;
    for (const std::string& field : dataset_.key) {
      const ColumnShape* column = side.columns.at(field);
      if (is_coarser(column->equivalence, wanted)) coarse.push_back(column);
    }
    if (coarse.empty()) continue;
    fix += "-- in " + side.mapping->system + ":\n";
    fix += side.system->finer_key == nullptr
               ? "-- give the column a binary collation\n"
               : side.system->finer_key(side.mapping->table, coarse) + "\n";
  }
  return fix + "-- or remove the line";
}

KeyEquivalence DatasetResolver::choose_equivalence() {
  KeyEquivalence needed = KeyEquivalence::kBytes;
  std::string needed_by;
  for (const Side& side : sides_) {
    for (const std::string& field : dataset_.key) {
      const ColumnShape& column = *side.columns.at(field);
      if (!is_coarser(column.equivalence, needed)) continue;
      needed = column.equivalence;
      needed_by = side.column_text(column);
    }
  }
  if (!dataset_.key_equivalence) return needed;
  if (is_coarser(needed, *dataset_.key_equivalence)) {
    add(dataset_.place, ErrorCode::kSystemKey,
        "\"key_equivalence\" of dataset \"" + dataset_.name + "\" is finer than its systems",
        needed_by + " takes keys for equal that the config tells apart",
        finer_keys(*dataset_.key_equivalence));
  }
  return *dataset_.key_equivalence;
}

model::Field DatasetResolver::make_field(const std::string& name) {
  const bool is_key = contains(dataset_.key, name);
  model::Field field{name, {}, false};
  for (const Side& side : sides_) {
    field.is_nullable = field.is_nullable || (side.columns.at(name)->is_nullable && !is_key);
  }
  const auto declared = dataset_.types.find(name);
  field.type = declared == dataset_.types.end() ? find_type(name) : declared->second;
  field.are_zero_dates_null = are_zero_dates_null(field);
  return field;
}

model::LogicalType DatasetResolver::find_type(const std::string& name) {
  std::vector<ColumnOf> columns;
  columns.reserve(sides_.size());
  for (const Side& side : sides_) columns.push_back({side.table, side.columns.at(name)});
  const ColumnShape& first = *columns.front().column;
  const auto declaring = [&](std::string_view type) {
    return "[datasets." + dataset_.name + ".types] " + name + " = \"" + std::string(type) + "\"";
  };
  if (const ColumnOf* own = find_not_understood(columns)) {
    const Side& side = sides_[static_cast<size_t>(own - columns.data())];
    add(side.mapping->place, ErrorCode::kSystemSchema,
        field_text(name) + " is understood by some of its systems only",
        side.column_text(*own->column) + " is " + own->column->own_type +
            ", whose text means nothing to a system that is not of kind " + side.table->kind,
        "put the field into \"exclude\", or let its text travel as it is: " + declaring("text"));
    return first.type;
  }
  model::LogicalType type;
  for (size_t count = 1; count <= columns.size(); ++count) {
    if (const auto common = common_type(std::span(columns).first(count))) {
      type = *common;
      continue;
    }
    const Side& side = sides_[count - 1];
    const ColumnShape& column = *columns[count - 1].column;
    add(side.mapping->place, ErrorCode::kSystemSchema,
        field_text(name) + " has types that do not fit",
        sides_.front().column_text(first) + " is " + to_string(first.type) + ", " +
            side.column_text(column) + " is " + to_string(column.type),
        "say which is meant: " + declaring(to_string(column.type)) +
            ", or put the field into \"exclude\"");
    return first.type;
  }
  for (const Side& side : sides_) {
    const ColumnShape& column = *side.columns.at(name);
    if (column.type.kind == type.kind) continue;
    note("field " + name + " is " + to_string(type) + ", though " + side.column_text(column) +
         " is " + to_string(column.type));
  }
  return type;
}

// NULL must have a place in every system that is written to; says why not.
bool DatasetResolver::are_zero_dates_null(const model::Field& field) {
  const TypeKind kind = field.type.kind;
  const bool is_date =
      kind == TypeKind::kDate || kind == TypeKind::kDatetime || kind == TypeKind::kTimestamp;
  if (!is_date || dataset_.zero_dates == ZeroDates::kReject) return false;
  std::string why = contains(dataset_.key, field.name) ? "it is part of the key" : "";
  for (const Side& side : sides_) {
    const ColumnShape& column = *side.columns.at(field.name);
    if (column.is_nullable || side.mapping->direction == Direction::kFrom) continue;
    if (why.empty()) why = side.column_text(column) + " is NOT NULL";
  }
  if (why.empty()) return true;
  note("zero dates of field " + field.name + " are rejected, not NULL: " + why);
  return false;
}

ResolvedDataset DatasetResolver::make_schema() {
  ResolvedDataset resolved;
  resolved.dataset = &dataset_;
  model::Schema& schema = resolved.schema;
  schema.dataset = dataset_.id;
  schema.stream = dataset_.stream;
  schema.name = dataset_.name;
  schema.key_count = dataset_.key.size();
  schema.key_equivalence = choose_equivalence();
  for (const std::string& field : fields_) schema.fields.push_back(make_field(field));
  for (const Side& side : sides_) {
    ResolvedMapping mapping{side.mapping, {}};
    for (const std::string& field : fields_) {
      mapping.columns.push_back(side.columns.at(field)->name);
    }
    resolved.mappings.push_back(std::move(mapping));
  }
  resolved.is_numbered_apart = is_numbered_apart();
  return resolved;
}

bool DatasetResolver::is_numbered_apart() const {
  const auto numbers = std::ranges::count_if(sides_, [&](const Side& side) {
    const bool is_maker = side.mapping->direction != Direction::kTo;
    return is_maker && std::ranges::any_of(dataset_.key, [&](const std::string& field) {
             return side.columns.at(field)->is_numbered;
           });
  });
  return numbers > 1;
}

void DatasetResolver::choose_policies(ResolvedDataset& resolved) {
  for (const std::string& field : fields_) {
    const auto own = dataset_.conflict.fields.find(field);
    resolved.policies.push_back(
        own == dataset_.conflict.fields.end() ? dataset_.conflict.default_policy : own->second);
  }
  for (const auto& [field, policy] : dataset_.conflict.fields) {
    if (policy.kind == PolicyKind::kLocal || contains(fields_, field)) continue;
    add(policy.place, ErrorCode::kConfigValue,
        field_text(field) + " has a policy, but does not travel",
        "it is excluded, or some system lacks it", "remove the line, or map the field everywhere");
  }
}

}  // namespace

Resolution resolve_dataset(const Config& config, const Dataset& dataset,
                           std::span<const SystemShape> systems) {
  Resolution resolution;
  DatasetResolver(config, dataset, systems, resolution).run();
  return resolution;
}

Resolution resolve(const Config& config, std::span<const SystemShape> systems) {
  Resolution resolution;
  for (const Dataset& dataset : config.datasets) {
    DatasetResolver(config, dataset, systems, resolution).run();
  }
  return resolution;
}

}  // namespace syncline::config
