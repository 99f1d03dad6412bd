#include "drivers/systems/postgres/detail/writer.hpp"

#include <algorithm>

#include "drivers/systems/postgres/detail/made_up.hpp"
#include "host/model/key.hpp"
#include "host/ports/moves.hpp"

namespace syncline::postgres {
namespace {

using model::EntryKind;
using scan::Standing;

Step step_of(EntryKind kind, Standing standing) {
  if (kind == EntryKind::kDelete) return Step::kDelete;
  if (kind == EntryKind::kInsert) return Step::kNew;
  if (kind != EntryKind::kPut) return Step::kSet;
  return standing == Standing::kAbsent ? Step::kNew : Step::kPut;
}

// Whether rows may get other keys: what no UPDATE may name stays as it is.
bool may_move(const Mapped& mapped) {
  return std::none_of(mapped.columns.begin(), mapped.columns.end(),
                      [](const Column& column) { return column.is_always_identity; });
}

// Whether records may be deleted and written anew, and their rows moved on: no action of a foreign
// key takes children along.
bool may_renew(const Mapped& mapped) {
  return mapped.mapping->triggers == "suppress";
}

// A write's texts, in the order of a group's arrays.
struct Texts {
  std::vector<model::FieldIndex> fields;
  std::vector<Parameter> values;  // key columns, then fields
  bool is_exact = true;
};

// Into texts, whose memory is used again.
Result<void> set_texts(const Mapped& mapped, const ports::RecordWrite& write, Texts& texts) {
  texts.fields.clear();
  texts.values.clear();
  texts.is_exact = true;
  const auto parts = model::split_key(write.key);
  const auto add = [&](size_t field, std::string_view bytes) -> Result<void> {
    const Column& column = mapped.columns[field];
    const model::LogicalType& type = mapped.schema->fields[field].type;
    auto text = native_from_canonical(bytes, type, column.type);
    if (!text) {
      Error error = std::move(text).error();
      error.what = "column " + column.name + ": " + error.what;
      return error;
    }
    texts.is_exact = texts.is_exact && !column.is_generated &&
                     is_stored_exactly(text.value(), type, column.type);
    texts.values.emplace_back(std::move(text).value());
    return success();
  };
  for (size_t i = 0; i < parts.size(); ++i) {
    SYN_TRY(add(i, parts[i]));
  }
  if (write.kind == EntryKind::kDelete) return success();
  for (const model::EntryCell& cell : write.cells) {
    if (cell.state == model::CellState::kUnchanged) continue;
    texts.fields.push_back(cell.field);
    if (cell.state == model::CellState::kNull) {
      texts.values.emplace_back(std::nullopt);
    } else {
      SYN_TRY(add(cell.field, cell.bytes));
    }
  }
  return success();
}

Result<Texts> texts_of(const Mapped& mapped, const ports::RecordWrite& write) {
  Texts texts;
  SYN_TRY(set_texts(mapped, write, texts));
  return texts;
}

Group new_group(const Mapped& mapped, Step step, std::vector<model::FieldIndex> fields) {
  Group group;
  group.mapped = &mapped;
  group.step = step;
  const bool is_by_key = step == Step::kFree || step == Step::kClear;
  size_t value_count = is_by_key ? 0 : fields.size();
  if (step == Step::kMove) value_count += mapped.key_count();
  if (step != Step::kFill) group.arrays.resize(mapped.key_count() + value_count);
  group.fields = std::move(fields);
  return group;
}

// A value as COPY's text has it.
void add_copied(std::string_view value, std::string& rows) {
  for (const char letter : value) {
    const char escaped = letter == '\n'   ? 'n'
                         : letter == '\r' ? 'r'
                         : letter == '\t' ? 't'
                                          : letter;
    if (escaped != letter || letter == '\\') rows += '\\';
    rows += escaped;
  }
}

void add_row(Group& group, const std::vector<Parameter>& values) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (i > 0) group.rows += '\t';
    if (const Parameter& value = values[i]; value.has_value()) {
      add_copied(*value, group.rows);
    } else {
      group.rows += "\\N";
    }
  }
  group.rows += '\n';
  ++group.count;
}

void add_to(Group& group, const std::vector<Parameter>& values) {
  if (group.step == Step::kFill) return add_row(group, values);
  for (size_t i = 0; i < group.arrays.size(); ++i) {
    if (const Parameter& value = values[i]; value.has_value()) {
      group.arrays[i].add(*value);
    } else {
      group.arrays[i].add_null();
    }
  }
  ++group.count;
}

void note_numbers(const Mapped& mapped, const Texts& texts, Brought& brought) {
  if (mapped.mapping->are_numbers_apart) return;  // what comes is of another's range
  for (size_t i = 0; i < texts.values.size(); ++i) {
    const size_t key_count = mapped.key_count();
    const size_t field = i < key_count ? i : texts.fields[i - key_count];
    const Parameter& value = texts.values[i];
    if (value.has_value()) note_brought(mapped.columns[field], *value, brought);
  }
}

// What is referred to goes behind what refers to it, and comes before it.
int64_t place_of(const Mapped& mapped, Step step) {
  const auto rank = static_cast<int64_t>(mapped.rank);
  return step == Step::kDelete || step == Step::kClear ? -rank : rank;
}

bool is_unique(const Mapped& mapped, model::FieldIndex field) {
  const std::string& name = mapped.columns[field].name;
  const auto& uniques = mapped.table.uniques;
  return std::any_of(uniques.begin(), uniques.end(), [&](const UniqueSet& unique) {
    const auto& columns = unique.columns;
    return std::find(columns.begin(), columns.end(), name) != columns.end();
  });
}

// Of a kMove; nothing where the row is deleted and inserted.
std::optional<std::vector<Parameter>> moved_values(const Mapped& mapped,
                                                   const ports::RecordWrite& write,
                                                   const Texts& texts) {
  if (!may_move(mapped)) return std::nullopt;
  const auto old_key = texts_of(mapped, {write.dataset, write.moved_from, EntryKind::kDelete, {}});
  if (!old_key) return std::nullopt;
  std::vector<Parameter> values = texts.values;
  const auto& keys = old_key.value().values;
  values.insert(values.end(), keys.begin(), keys.end());
  return values;
}

bool is_nothing(const ports::RecordWrite& write, const Texts& texts, Standing standing) {
  if (standing == Standing::kAbsent && !model::is_whole(write.kind)) return true;
  return write.kind == EntryKind::kNote || (write.kind == EntryKind::kSet && texts.fields.empty());
}

}  // namespace

Result<const Mapped*> Writer::find(model::DatasetId dataset) const {
  for (const Mapped& mapped : mapped_) {
    if (mapped.dataset() == dataset) return &mapped;
  }
  if (const auto stopped = stopped_.find(dataset); stopped != stopped_.end()) {
    return stopped->second;
  }
  return fail(ErrorCode::kSystemSchema, "a write for a dataset that cannot be written",
              "its direction in this system is \"from\"", "run `syncline doctor`");
}

Error Writer::refusal(const ports::RecordWrite& write, Error error) const {
  const auto mapped = find(write.dataset);
  if (!mapped) return error;
  return rejected_row(*mapped.value(), std::string(write.key), std::move(error)).error;
}

std::vector<Writer::Reading> Writer::readings(const ports::RecordWrite& write) const {
  std::vector<Reading> readings;
  const auto mapped = find(write.dataset);
  if (!mapped) return readings;
  const auto texts = texts_of(*mapped.value(), write);
  if (!texts) return readings;
  const size_t key_count = mapped.value()->key_count();
  for (size_t i = 0; i < texts.value().values.size(); ++i) {
    const Parameter& value = texts.value().values[i];
    if (!value.has_value()) continue;
    const size_t field = i < key_count ? i : texts.value().fields[i - key_count];
    const Column& column = mapped.value()->columns[field];
    readings.push_back({column.name, {"SELECT $1::text::" + column.type.name, {*value}}});
  }
  return readings;
}

Result<SqlStatement> Writer::alike(const ports::RecordWrite& write) const {
  SYN_TRY(const Mapped* mapped, find(write.dataset));
  SYN_TRY(Texts texts, texts_of(*mapped, {write.dataset, write.key, EntryKind::kDelete, {}}));
  Group group = new_group(*mapped, Step::kDelete, {});
  add_to(group, texts.values);
  SqlStatement statement{alike_sql(*mapped), {}};
  for (ArrayLiteral& array : group.arrays) statement.parameters.push_back(array.finish());
  return statement;
}

Writer::Plan Writer::plan(std::span<const ports::RecordWrite> writes, const Standings& standings,
                          const std::set<model::DatasetId>& filling) const {
  Plan plan;
  plan.stopped = stopped(writes);
  if (!plan.stopped.empty()) return plan;
  const ports::MoveWaves waves(writes);
  using Fields = std::vector<model::FieldIndex>;
  using Place = std::tuple<Step, int64_t, size_t, model::DatasetId, bool, Fields>;
  std::map<Place, Group> groups;
  Group* last = nullptr;  // mostly the next write's, too
  Texts texts;
  for (size_t i = 0; i < writes.size(); ++i) {
    const Mapped* mapped = find(writes[i].dataset).value();
    if (auto set = set_texts(*mapped, writes[i], texts); !set) {
      plan.poisons.push_back({i, refusal(writes[i], std::move(set).error())});
      continue;
    }
    const size_t value_count = mapped->columns.size() - mapped->key_count();
    const bool is_partial = model::is_whole(writes[i].kind) && texts.fields.size() < value_count;
    plan.is_exact = plan.is_exact && texts.is_exact && !is_partial;
    const Standing standing = standings.empty() ? Standing::kUnguarded : standings[i];
    if (is_nothing(writes[i], texts, standing)) continue;
    Step step = step_of(writes[i].kind, standing);
    const bool is_put = step == Step::kPut && standing == Standing::kUnguarded;
    const bool is_plain = !waves.is_chained(i) && !waves.is_left(i) && !writes[i].is_replacing;
    const bool may_move_on = is_put && (is_plain || may_renew(*mapped));
    const auto moved =
        waves.at(i) && may_move_on ? moved_values(*mapped, writes[i], texts) : std::nullopt;
    const auto group_of = [&](Step of) -> Group& {
      if (last != nullptr && !moved && last->is_of(*mapped, of, texts.fields)) return *last;
      const size_t wave = of == Step::kMove ? *waves.at(i) : 0;
      const Place place{of, place_of(*mapped, of), wave, writes[i].dataset, !!moved, texts.fields};
      const auto [at, is_new] = groups.try_emplace(place, Group{});
      if (is_new) at->second = new_group(*mapped, of, texts.fields);
      at->second.is_moved = moved.has_value();
      last = &at->second;
      return *last;
    };
    const bool is_in_the_way = waves.is_left(i) && !may_move(*mapped);
    if (may_move_on && (writes[i].is_replacing || is_in_the_way)) {
      add_to(group_of(Step::kClear), texts.values);
    }
    if (moved) add_to(group_of(Step::kMove), *moved);
    const bool may_fill = (step == Step::kPut || writes[i].kind == EntryKind::kInsert) && !moved;
    if (may_fill && filling.contains(writes[i].dataset)) step = Step::kFill;
    add_to(group_of(step), texts.values);
    if (step >= Step::kNew) note_numbers(*mapped, texts, plan.brought);
  }
  for (auto& [id, group] : groups) plan.groups.push_back(std::move(group));
  return plan;
}

std::vector<size_t> Writer::in_order(std::span<const ports::RecordWrite> writes, Step step) const {
  std::vector<std::pair<int64_t, size_t>> places;
  for (size_t i = 0; i < writes.size(); ++i) {
    const bool is_delete = writes[i].kind == EntryKind::kDelete;
    if (is_delete != (step == Step::kDelete)) continue;
    const auto mapped = find(writes[i].dataset);
    places.emplace_back(mapped ? place_of(*mapped.value(), step) : 0, i);
  }
  std::sort(places.begin(), places.end());
  std::vector<size_t> order;
  order.reserve(places.size());
  for (const auto& [place, index] : places) order.push_back(index);
  return order;
}

Result<std::vector<Group>> Writer::freeing(std::span<const ports::RecordWrite> writes,
                                           const Standings& standings) const {
  std::map<std::pair<model::DatasetId, std::vector<model::FieldIndex>>, Group> groups;
  for (size_t i = 0; i < writes.size(); ++i) {
    const ports::RecordWrite& write = writes[i];
    const bool is_new = write.kind == EntryKind::kDelete || write.kind == EntryKind::kInsert ||
                        scan::standing_of(standings, i) == Standing::kAbsent;
    if (is_new) continue;
    SYN_TRY(const Mapped* mapped, find(write.dataset));
    SYN_TRY(const Texts texts, texts_of(*mapped, write));
    std::vector<model::FieldIndex> fields;
    for (const model::FieldIndex field : texts.fields) {
      if (is_unique(*mapped, field) && !free_value(*mapped, field).empty()) {
        fields.push_back(field);
      }
    }
    if (fields.empty()) continue;
    const auto [at, is_first] = groups.try_emplace({write.dataset, fields}, Group{});
    if (is_first) at->second = new_group(*mapped, Step::kFree, std::move(fields));
    add_to(at->second, texts.values);
  }
  std::vector<Group> freeing;
  freeing.reserve(groups.size());
  for (auto& [id, group] : groups) freeing.push_back(std::move(group));
  return freeing;
}

}  // namespace syncline::postgres
