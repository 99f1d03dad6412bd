#include "drivers/systems/mariadb/detail/writer.hpp"

#include <algorithm>
#include <map>

#include <boost/algorithm/string/join.hpp>

#include "drivers/systems/mariadb/declaration.hpp"
#include "drivers/systems/mariadb/detail/reads.hpp"
#include "host/model/key.hpp"
#include "host/ports/moves.hpp"

namespace syncline::mariadb {
namespace {

using model::EntryKind;
using scan::Standing;

constexpr uint32_t kFreeTextSize = 12;

Step step_of(EntryKind kind, Standing standing) {
  if (kind == EntryKind::kDelete) return Step::kDelete;
  if (kind == EntryKind::kInsert) return Step::kNew;
  if (kind != EntryKind::kPut) return Step::kSet;
  return standing == Standing::kAbsent ? Step::kNew : Step::kPut;
}

// Whether its collation takes more for one than the dataset's equivalence does; also MySQL's
// "_as_cs", to which a letter and the same one in two signs are one.
bool is_coarse(const NativeType& type) {
  return equivalence_of(type) == model::KeyEquivalence::kAsciiCaseInsensitive ||
         (holds_characters(type) && type.collation.ends_with("_0900_as_cs"));
}

// One that tells all texts of a character set apart; MySQL has but one without padding.
std::string finest_collation(const ServerKind& server, const std::string& charset) {
  if (!server.is_mysql()) return charset + "_nopad_bin";
  const bool is_new = server.version >= kMysql80 && charset == "utf8mb4";
  return charset + (is_new ? "_0900_bin" : "_bin");
}

// `k` = ?, and where its collation is coarser than the dataset's equivalence, that too.
void add_condition(const Mapped& mapped, std::vector<ParameterArray>& keys, GroupSql& out) {
  out.sql += " WHERE ";
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const Column& column = mapped.columns[i];
    const std::string name = quoted_name(column.name);
    out.sql += (i == 0 ? "" : " AND ") + name + " = ?";
    out.arrays.push_back(&keys[i]);
    if (!is_coarse(column.type)) continue;
    out.sql += " AND LOWER(CONVERT(" + name + " USING utf8mb4)) COLLATE utf8mb4_bin = LOWER(?)";
    out.arrays.push_back(&keys[i]);
  }
}

// One below zero; of the unsigned the upper half of what an int64 holds. Empty: it is none.
std::string free_integer(const NativeType& type) {
  if (type.category != Category::kInteger) return {};
  const int bits = std::min(8 * type.size_bytes, type.is_unsigned ? 63 : 64);
  const std::string half = std::to_string(uint64_t{1} << (bits - 1));
  if (type.is_unsigned) return half + " + CAST(FLOOR(RAND() * " + half + ") AS UNSIGNED)";
  return "-1 - CAST(FLOOR(RAND() * " + half + ") AS SIGNED)";
}

bool holds_text(const NativeType& type) {
  return holds_characters(type) && type.category != Category::kJson;
}

// Of a column and the type that it is declared to have, of which 0 is any length.
uint32_t length_of(const NativeType& native, const model::LogicalType& type) {
  const uint32_t length = native.category == Category::kText ? kFreeTextSize : native.length;
  return type.length == 0 ? length : std::min(length, type.length);
}

// Signs that texts seldom consist of.
std::string free_text(uint32_t length) {
  std::string sql = "CONCAT(''";
  for (uint32_t i = 0; i < std::min(length, kFreeTextSize); ++i) {
    sql += ", CHAR(33 + FLOOR(RAND() * 15) USING ascii)";
  }
  return sql + ")";
}

// Of a type that has a form of its own, also where the column keeps it as text: these centuries are
// seldom spoken of. Empty: it is none of these.
std::string free_formed(const NativeType& type, model::TypeKind kind) {
  constexpr const char* kDay = "DATE_ADD('1000-01-01', INTERVAL FLOOR(RAND() * 290000) DAY)";
  constexpr const char* kMoment =
      "DATE_ADD('1000-01-01 00:00:00', INTERVAL FLOOR(RAND() * 25000000000) SECOND)";
  const bool is_text = holds_text(type);
  const bool is_moment = kind == model::TypeKind::kDatetime || kind == model::TypeKind::kTimestamp;
  if (type.category == Category::kTimestamp) {
    return is_moment ? "FROM_UNIXTIME(1 + FLOOR(RAND() * 900000000))" : "";  // before 1999
  }
  switch (kind) {
    case model::TypeKind::kUuid:
      return type.category == Category::kUuid || is_text ? "UUID()" : "";
    case model::TypeKind::kDate:
      return type.category == Category::kDate || type.category == Category::kDatetime || is_text
                 ? kDay
                 : "";
    case model::TypeKind::kDatetime:
      return type.category == Category::kDatetime || is_text ? kMoment : "";
    case model::TypeKind::kTimestamp:
      if (is_text) return "CONCAT(" + std::string(kMoment) + ", 'Z')";
      return type.category == Category::kDatetime ? kMoment : "";
    default:
      return {};
  }
}

// What hardly another record holds, as SQL, drawn anew each time; empty: nothing can be made up.
std::string free_value(const Mapped& mapped, model::FieldIndex field) {
  const Column& column = mapped.columns[field];
  if (column.is_nullable) return "NULL";
  const model::LogicalType& type = mapped.schema->fields[field].type;
  switch (type.kind) {
    case model::TypeKind::kText:
    case model::TypeKind::kChar:
      if (!holds_text(column.type)) return free_integer(column.type);
      return free_text(length_of(column.type, type));
    case model::TypeKind::kInt64:
    case model::TypeKind::kDecimal:
      return free_integer(column.type);
    case model::TypeKind::kUint64:
      return column.type.is_unsigned ? free_integer(column.type) : "";
    default:
      return free_formed(column.type, type.kind);
  }
}

// A write's values.
struct Values {
  std::vector<Parameter> keys;
  std::vector<model::FieldIndex> fields;
  std::vector<model::FieldIndex> kept;
  std::vector<Parameter> values;  // of the fields
};

// NULL is all that is known of a zero date: a whole record with it says nothing of that column.
bool may_be_kept(const Mapped& mapped, const ports::RecordWrite& write, model::FieldIndex field) {
  const Column& column = mapped.columns[field];
  return write.kind == EntryKind::kPut && mapped.schema->fields[field].are_zero_dates_null &&
         is_date(column.type) && !column.is_touched_on_update;
}

Result<Parameter> value_of(const Mapped& mapped, size_t field, std::string_view bytes) {
  const Column& column = mapped.columns[field];
  auto value = parameter_from_canonical(bytes, mapped.schema->fields[field].type, column.type);
  if (value) return value;
  Error error = std::move(value).error();
  error.what = "column " + column.name + ": " + error.what;
  return error;
}

Result<Values> values_of(const Mapped& mapped, const ports::RecordWrite& write) {
  Values out;
  const auto parts = model::split_key(write.key);
  for (size_t i = 0; i < parts.size(); ++i) {
    SYN_TRY(Parameter key, value_of(mapped, i, parts[i]));
    out.keys.push_back(std::move(key));
  }
  if (write.kind == EntryKind::kDelete) return out;
  for (const model::EntryCell& cell : write.cells) {
    if (cell.state == model::CellState::kUnchanged) continue;
    Parameter value;
    value.is_null = cell.state == model::CellState::kNull;
    if (!value.is_null) {
      SYN_TRY(value, value_of(mapped, cell.field, cell.bytes));
    }
    if (value.is_null && may_be_kept(mapped, write, cell.field)) out.kept.push_back(cell.field);
    out.fields.push_back(cell.field);
    out.values.push_back(std::move(value));
  }
  return out;
}

Group new_group(const Mapped& mapped, Step step, const Values& values) {
  Group group;
  group.mapped = &mapped;
  group.step = step;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    group.keys.emplace_back(parameter_kind_of(mapped.columns[i].type));
    if (step != Step::kMove) continue;
    group.old_keys.emplace_back(parameter_kind_of(mapped.columns[i].type));
  }
  for (const model::FieldIndex field : values.fields) {
    group.values.emplace_back(parameter_kind_of(mapped.columns[field].type));
  }
  group.fields = values.fields;
  group.kept = values.kept;
  return group;
}

// old_keys: of a kMove.
void add_to(Group& group, Values values, std::vector<Parameter> old_keys = {}) {
  for (size_t i = 0; i < group.keys.size(); ++i) group.keys[i].add(std::move(values.keys[i]));
  for (size_t i = 0; i < group.old_keys.size(); ++i) group.old_keys[i].add(std::move(old_keys[i]));
  for (size_t i = 0; i < group.values.size(); ++i) {
    group.values[i].add(std::move(values.values[i]));
  }
  ++group.count;
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
std::optional<std::vector<Parameter>> old_keys_of(const Mapped& mapped,
                                                  const ports::RecordWrite& write) {
  auto old = values_of(mapped, {write.dataset, write.moved_from, EntryKind::kDelete, {}});
  if (!old) return std::nullopt;
  return std::move(old).value().keys;
}

bool is_nothing(const ports::RecordWrite& write, const Values& values, Standing standing) {
  if (standing == Standing::kAbsent && !model::is_whole(write.kind)) return true;
  return write.kind == EntryKind::kNote || (write.kind == EntryKind::kSet && values.fields.empty());
}

bool is_among(const std::vector<model::FieldIndex>& fields, size_t field) {
  return std::find(fields.begin(), fields.end(), field) != fields.end();
}

std::string itself(const Column& column) {
  return quoted_name(column.name) + " = " + quoted_name(column.name);
}

}  // namespace

size_t Group::size_bytes(size_t row) const {
  size_t size = 0;
  for (const ParameterArray& array : keys) size += 2 * array.size_bytes(row);
  for (const ParameterArray& array : old_keys) size += 2 * array.size_bytes(row);
  for (const ParameterArray& array : values) size += array.size_bytes(row);
  return size;
}

GroupSql delete_sql(Group& group) {
  GroupSql out{"DELETE FROM " + quoted_name(group.mapped->table.name), {}};
  add_condition(*group.mapped, group.keys, out);
  return out;
}

namespace {

// A column that the server would touch by itself stays as it is, unless it is kept there alone.
std::vector<std::string> changes_of(Group& group, GroupSql& out) {
  const Mapped& mapped = *group.mapped;
  std::vector<std::string> changes;
  for (size_t i = 0; i < group.fields.size(); ++i) {
    if (is_among(group.kept, group.fields[i])) continue;
    changes.push_back(quoted_name(mapped.columns[group.fields[i]].name) + " = ?");
    out.arrays.push_back(&group.values[i]);
  }
  for (size_t field = mapped.key_count(); field < mapped.columns.size(); ++field) {
    const Column& column = mapped.columns[field];
    if (!column.is_touched_on_update || is_among(group.fields, field)) continue;
    changes.push_back(itself(column));
  }
  return changes;
}

}  // namespace

// A record of nothing but its key is only looked for.
GroupSql update_sql(Group& group) {
  const Mapped& mapped = *group.mapped;
  GroupSql out;
  std::vector<std::string> changes = changes_of(group, out);
  if (changes.empty()) changes.push_back(itself(mapped.columns[0]));
  out.sql =
      "UPDATE " + quoted_name(mapped.table.name) + " SET " + boost::algorithm::join(changes, ", ");
  add_condition(mapped, group.keys, out);
  return out;
}

// A table that is written to may be asked only behind a LIMIT.
GroupSql move_sql(Group& group) {
  const Mapped& mapped = *group.mapped;
  const std::string table = quoted_name(mapped.table.name);
  GroupSql out;
  std::vector<std::string> changes = changes_of(group, out);
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    changes.push_back(quoted_name(mapped.columns[i].name) + " = ?");
    out.arrays.push_back(&group.keys[i]);
  }
  out.sql = "UPDATE " + table + " SET " + boost::algorithm::join(changes, ", ");
  add_condition(mapped, group.old_keys, out);
  out.sql += " AND NOT EXISTS (SELECT 1 FROM (SELECT 1 FROM " + table;
  add_condition(mapped, group.keys, out);
  out.sql += " LIMIT 1) AS taken)";
  return out;
}

GroupSql clear_sql(Group& group, model::FieldIndex field) {
  const Mapped& mapped = *group.mapped;
  const std::string name = quoted_name(mapped.columns[field].name);
  GroupSql out{"UPDATE " + quoted_name(mapped.table.name) + " SET " + name + " = NULL", {}};
  for (const Column& column : mapped.columns) {
    if (column.is_touched_on_update) out.sql += ", " + itself(column);
  }
  add_condition(*group.mapped, group.keys, out);
  out.sql +=
      " AND YEAR(" + name + ") <> 0 AND MONTH(" + name + ") <> 0 AND DAYOFMONTH(" + name + ") <> 0";
  return out;
}

GroupSql insert_sql(Group& group) {
  const Mapped& mapped = *group.mapped;
  GroupSql out{"INSERT INTO " + quoted_name(mapped.table.name) + " (" +
                   column_list(mapped, mapped.key_count()),
               {}};
  std::string marks;
  for (ParameterArray& key : group.keys) {
    marks += marks.empty() ? "?" : ", ?";
    out.arrays.push_back(&key);
  }
  for (size_t i = 0; i < group.fields.size(); ++i) {
    out.sql += ", " + quoted_name(mapped.columns[group.fields[i]].name);
    marks += ", ?";
    out.arrays.push_back(&group.values[i]);
  }
  out.sql += ") VALUES (" + marks + ")";
  return out;
}

GroupSql free_sql(Group& group) {
  GroupSql out{"UPDATE " + quoted_name(group.mapped->table.name) + " SET ", {}};
  for (size_t i = 0; i < group.fields.size(); ++i) {
    const Mapped& mapped = *group.mapped;
    const model::FieldIndex field = group.fields[i];
    out.sql += (i == 0 ? "" : ", ") + quoted_name(mapped.columns[field].name) + " = " +
               free_value(mapped, field);
  }
  add_condition(*group.mapped, group.keys, out);
  return out;
}

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

Writer::Plan Writer::plan(std::span<const ports::RecordWrite> writes,
                          const Standings& standings) const {
  Plan plan;
  plan.stopped = stopped(writes);
  if (!plan.stopped.empty()) return plan;
  const ports::MoveWaves waves(writes);
  using Fields = std::vector<model::FieldIndex>;
  std::map<std::tuple<Step, size_t, model::DatasetId, bool, Fields, Fields>, Group> groups;
  for (size_t i = 0; i < writes.size(); ++i) {
    const Mapped* mapped = find(writes[i].dataset).value();
    auto read = values_of(*mapped, writes[i]);
    if (!read) {
      plan.poisons.push_back({i, refusal(writes[i], std::move(read).error())});
      continue;
    }
    Values values = std::move(read).value();
    const Standing standing = standings.empty() ? Standing::kUnguarded : standings[i];
    if (is_nothing(writes[i], values, standing)) continue;
    const Step step = step_of(writes[i].kind, standing);
    const bool is_put = step == Step::kPut && standing == Standing::kUnguarded;
    const auto old_keys = waves.at(i) && is_put ? old_keys_of(*mapped, writes[i]) : std::nullopt;
    const auto group_of = [&](Step of) -> Group& {
      const size_t wave = of == Step::kMove ? *waves.at(i) : 0;
      const auto [at, is_new] = groups.try_emplace(
          {of, wave, writes[i].dataset, old_keys.has_value(), values.fields, values.kept}, Group{});
      if (is_new) at->second = new_group(*mapped, of, values);
      at->second.is_moved = old_keys.has_value();
      return at->second;
    };
    if (is_put && writes[i].is_replacing) add_to(group_of(Step::kClear), values);
    if (old_keys) add_to(group_of(Step::kMove), values, *old_keys);
    Group& group = group_of(step);
    add_to(group, std::move(values));
  }
  for (auto& [id, group] : groups) plan.groups.push_back(std::move(group));
  return plan;
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
    SYN_TRY(Values values, values_of(*mapped, write));
    std::vector<model::FieldIndex> fields;
    for (const model::FieldIndex field : values.fields) {
      if (is_unique(*mapped, field) && !free_value(*mapped, field).empty()) {
        fields.push_back(field);
      }
    }
    if (fields.empty()) continue;
    const auto [at, is_first] = groups.try_emplace({write.dataset, fields}, Group{});
    if (is_first) {
      values.fields = std::move(fields);
      values.kept.clear();
      at->second = new_group(*mapped, Step::kFree, values);
      at->second.values.clear();  // they are made up
    }
    add_to(at->second, std::move(values));
  }
  std::vector<Group> freeing;
  freeing.reserve(groups.size());
  for (auto& [id, group] : groups) freeing.push_back(std::move(group));
  return freeing;
}

bool Writer::is_doubtful(const Mapped& mapped, const ports::RecordWrite& write) {
  const auto parts = model::split_key(write.key);
  for (size_t i = 0; i < parts.size(); ++i) {
    const bool has_more_than_ascii = std::any_of(parts[i].begin(), parts[i].end(), [](char letter) {
      return static_cast<uint8_t>(letter) >= 0x80;
    });
    if (is_coarse(mapped.columns[i].type) && has_more_than_ascii) return true;
  }
  return false;
}

Result<std::string> Writer::alike_sql(const Mapped& mapped, const ports::RecordWrite& write) {
  SYN_TRY(const Values values,
          values_of(mapped, {write.dataset, write.key, EntryKind::kDelete, {}}));
  std::string sql = "SELECT " + select_list(mapped, mapped.key_count()) + " FROM " +
                    quoted_name(mapped.table.name);
  for (size_t i = 0; i < values.keys.size(); ++i) {
    sql += (i == 0 ? " WHERE " : " AND ") + quoted_name(mapped.columns[i].name) + " = " +
           sql_value(mapped.columns[i].type, values.keys[i]);
  }
  return sql;
}

Result<std::string> Writer::exact_key_sql(Connection& connection, const Mapped& mapped) {
  std::string changes;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    const Column& column = mapped.columns[i];
    if (!is_coarse(column.type)) continue;
    SYN_TRY(const std::string declared, read_declaration(connection, mapped.table.name, column));
    const std::string finest = finest_collation(connection.kind(), column.type.charset);
    changes +=
        (changes.empty() ? " " : ", ") + modify_sql(column.name, with_collation(declared, finest));
  }
  return "ALTER TABLE " + quoted_name(mapped.table.name) + changes;
}

}  // namespace syncline::mariadb
