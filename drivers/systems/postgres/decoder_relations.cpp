// What the log's descriptions of relations mean: which dataset's rows are theirs, and where its
// fields stand in them.
#include <algorithm>

#include "drivers/systems/postgres/detail/decoder.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kNowhere = static_cast<size_t>(-1);
constexpr std::string_view kQuietColumn = "quiet";  // rows of earlier versions are without it

size_t index_of(const Relation& relation, std::string_view name) {
  for (size_t i = 0; i < relation.columns.size(); ++i) {
    if (relation.columns[i].name == name) return i;
  }
  return kNowhere;
}

constexpr const char* kType =
    "WITH RECURSIVE base(declared, type, modifier) AS (SELECT oid, oid, -1 FROM pg_type WHERE "
    "typtype <> 'd' UNION ALL SELECT d.oid, b.type, CASE WHEN d.typtypmod >= 0 THEN d.typtypmod "
    "ELSE b.modifier END FROM pg_type d JOIN base b ON d.typtype = 'd' AND d.typbasetype = "
    "b.declared) SELECT b.modifier, t.typname, t.typtype, format_type(t.oid, NULL), e.typname, "
    "e.typtype, t.typcategory = 'A' AND e.typdelim = ',' FROM base b JOIN pg_type t ON t.oid = "
    "b.type LEFT JOIN pg_type e ON e.oid = t.typelem WHERE b.declared = $1::oid";

// A type that the log names and the table's description does not: the table has another by now.
Result<std::optional<NativeType>> read_type(Connection& connection, Oid oid, int32_t modifier) {
  const Parameter parameter[] = {std::to_string(oid)};
  SYN_TRY(const Answer rows, connection.query(kType, parameter));
  if (rows.row_count() == 0) return std::optional<NativeType>();
  NativeType type;
  type.modifier = modifier >= 0 ? modifier : static_cast<int32_t>(rows.integer(0, 0));
  type.name = cast_name(rows.text(0, 1), rows.text(0, 3));
  type.is_array = rows.is_true(0, 6);
  const size_t at = type.is_array ? 4 : 1;
  const std::string_view kind = rows.text(0, at + 1);
  type.category = category_of(rows.text(0, at), kind.empty() ? 'b' : kind[0]);
  return std::optional(std::move(type));
}

Error column_gone(const Mapped& mapped, const std::string& column) {
  return {ErrorCode::kSystemSchema,
          "dataset " + mapped.schema->name + ": table " + mapped.table.display_name() +
              " has no column " + column,
          "it was dropped or renamed",
          "bring the column back, or correct `fields` in the config; the dataset then goes on by a "
          "scan"};
}

}  // namespace

bool Decoder::is_checkpoint(const Relation& relation) {
  return relation.schema == kCheckpointSchema && relation.name == kCheckpointTable;
}

// It counts from the first row on that follows it in its transaction, for others may have gone on
// since it arrived.
void Decoder::describe(Oid relation, const Spool::Record& record) {
  Described described{record.tag, std::string(record.bytes)};
  Described& newest = newest_[relation];
  if (described.number > newest.number) newest = described;
  held_[relation] = std::move(described);
}

Result<void> Decoder::bind(const Described& described) {
  SYN_TRY(const Message parsed, parse_message(described.message));
  const Relation& relation = std::get<Relation>(parsed);
  Bound bound;
  bound.number = described.number;
  if (is_checkpoint(relation)) bind_checkpoint(relation, bound);
  if (const auto index = find_followed(relation)) {
    SYN_TRY(bind_dataset(relation, *index, bound));
  }
  bound_[relation.oid] = std::move(bound);
  return success();
}

// A table is itself under whatever name, as the log has it for a moment that nobody looks at; what
// has come in its place counts by its name, until the next look.
std::optional<size_t> Decoder::find_followed(const Relation& relation) const {
  std::optional<size_t> found;
  for (size_t i = 0; i < followed_.size(); ++i) {
    const Table& table = followed_[i].mapped.table;
    if (table.oid == relation.oid) return i;
    if (table.schema == relation.schema && table.name == relation.name) found = i;
  }
  return found;
}

void Decoder::bind_checkpoint(const Relation& relation, Bound& bound) {
  for (const std::string_view name : kCheckpointColumns) {
    bound.columns.push_back(index_of(relation, name));
    if (bound.columns.back() == kNowhere) return;
  }
  bound.columns.push_back(index_of(relation, kQuietColumn));
  bound.meaning = Meaning::kMarkers;
}

// A dataset that stopped goes on, by a scan, when its table is as it must be again; one whose
// column has another type is scanned too, for a rewritten table is in no log.
Result<void> Decoder::bind_dataset(const Relation& relation, size_t index, Bound& bound) {
  Followed& followed = followed_[index];
  Mapped& mapped = followed.mapped;
  bound.followed = index;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    const std::string& name = mapped.columns[field].name;
    const size_t at = index_of(relation, name);
    if (at == kNowhere) return lack(followed, name);
    bound.columns.push_back(at);
    if (field < mapped.key_count() && !relation.columns[at].is_identity) {
      stop(followed,
           identity_error(mapped, "its replica identity is without the key column " + name));
      return success();
    }
  }
  SYN_TRY(const Types types, take_types(relation, bound, mapped));
  if (types == Types::kGone) {
    behind_.insert(mapped.dataset());
    return success();
  }
  if (std::exchange(followed.is_stopped, false) || types == Types::kOther) {
    result_->rescan.push_back(mapped.dataset());
  }
  bound.meaning = Meaning::kDataset;
  return success();
}

// Where the table has it, its publication left it out, or it had another name for a moment: what
// the rows were is read from the table as it is.
Result<void> Decoder::lack(Followed& followed, const std::string& column) {
  const Mapped& mapped = followed.mapped;
  SYN_TRY(Connection * connection, connect_());
  const Parameter parameters[] = {mapped.table.sql_name(), column};
  SYN_TRY(const Answer there,
          connection->query("SELECT FROM pg_attribute WHERE attrelid = to_regclass($1) AND attname "
                            "= $2 AND attnum > 0 AND NOT attisdropped",
                            parameters));
  if (there.row_count() > 0) {
    behind_.insert(mapped.dataset());
  } else {
    stop(followed, column_gone(mapped, column));
  }
  return success();
}

// A type that was dropped since says that the column has another by now: what its rows were is not
// known any more, and is read from the table as it is.
Result<Decoder::Types> Decoder::take_types(const Relation& relation, const Bound& bound,
                                           Mapped& mapped) {
  Types types = Types::kSame;
  for (size_t field = 0; field < mapped.columns.size(); ++field) {
    Column& column = mapped.columns[field];
    const RelationColumn& now = relation.columns[bound.columns[field]];
    if (now.type == column.declared_type && now.modifier == column.declared_modifier) continue;
    SYN_TRY(Connection * connection, connect_());
    SYN_TRY(auto type, read_type(*connection, now.type, now.modifier));
    if (!type) return Types::kGone;
    column.type = std::move(*type);
    column.declared_type = now.type;
    column.declared_modifier = now.modifier;
    types = Types::kOther;
  }
  return types;
}

Result<const Decoder::Bound*> Decoder::bound_of(Oid relation) {
  auto found = bound_.find(relation);
  const auto held = held_.find(relation);
  const bool is_bound = found != bound_.end();
  if (held != held_.end() && (!is_bound || found->second.number != held->second.number)) {
    SYN_TRY(bind(held->second));
    found = bound_.find(relation);
  }
  if (found == bound_.end()) return out_of_step("a change of a relation that was not described");
  return &found->second;
}

}  // namespace syncline::postgres
