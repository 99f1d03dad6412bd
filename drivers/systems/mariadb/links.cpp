#include "drivers/systems/mariadb/detail/links.hpp"

#include <algorithm>
#include <iterator>

#include "drivers/systems/mariadb/detail/rights.hpp"
#include "host/base/bytes.hpp"

namespace syncline::mariadb {
namespace {

using model::LogicalType, model::TypeKind;

Action action_of(const std::string& rule, Action cascade) {
  if (rule == "CASCADE") return cascade;
  return rule == "SET NULL" ? Action::kSetNull : Action::kNone;
}

Error cannot(const Mapped& mapped, const ForeignKey& key, std::string why, std::string fix) {
  return {ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + " is not read",
          "what foreign key " + key.name + " of " + mapped.table.name +
              " does to its rows cannot be made up: " + std::move(why),
          std::move(fix)};
}

std::optional<size_t> field_of(const ports::DatasetMapping& mapping, const std::string& column) {
  const auto found = std::find(mapping.columns.begin(), mapping.columns.end(), column);
  if (found == mapping.columns.end()) return std::nullopt;
  return static_cast<size_t>(found - mapping.columns.begin());
}

// Whether two values of the column are never one value of the field.
bool is_told_apart(const NativeType& native, const LogicalType& field) {
  const LogicalType own = logical_type_of(native);
  switch (own.kind) {
    case TypeKind::kDecimal:
      return field.kind != own.kind || field.precision == 0 || field.scale >= own.scale;
    case TypeKind::kTime:
    case TypeKind::kDatetime:
    case TypeKind::kTimestamp:
      return field.kind != own.kind || field.precision >= own.precision;
    case TypeKind::kFloat32:
    case TypeKind::kFloat64:
      return field.kind == own.kind;
    default:
      return true;
  }
}

// Whether a value of one is written with the same bytes in the other.
bool is_same_form(const LogicalType& one, const LogicalType& other) {
  const bool is_text = one.kind == TypeKind::kText && other.kind == TypeKind::kText;
  return is_text || one == other;
}

const ports::DatasetMapping* find_mapping(const ports::SystemConfig& config,
                                          const std::string& table) {
  for (const ports::DatasetMapping& mapping : config.datasets) {
    if (mapping.table == table && mapping.direction != ports::Direction::kTo) return &mapping;
  }
  return nullptr;
}

class LinkReader {
 public:
  // user: as a GRANT names it.
  LinkReader(Connection& connection, const Mapped& mapped, const Shared& shared, std::string user)
      : connection_(connection), mapped_(mapped), shared_(shared), user_(std::move(user)) {}

  // The link, or none and a problem.
  Result<void> read(const ForeignKey& key, Links& out) {
    Link link;
    link.key = key;
    if (auto problem = read_child(link)) return keep(std::move(*problem), out);
    if (key.referenced_database != shared_.endpoint.database) {
      return keep(cannot(mapped_, key,
                         "table " + key.referenced + " is in database " + key.referenced_database +
                             ", whose log is not followed",
                         "bring both tables into one database, or ON DELETE RESTRICT ON UPDATE "
                         "RESTRICT"),
                  out);
    }
    SYN_TRY(const auto parents, read_tables(connection_, key.referenced));
    if (parents.empty()) {
      return keep(cannot(mapped_, key, "table " + key.referenced + " cannot be looked at",
                         "GRANT SELECT ON " + of_database(key.referenced) + " TO " + user_ + ";"),
                  out);
    }
    if (auto problem = read_parent(parents[0], link)) return keep(std::move(*problem), out);
    out.links.push_back(std::move(link));
    return success();
  }

 private:
  static Result<void> keep(Error problem, Links& out) {
    out.problems.push_back(std::move(problem));
    return success();
  }

  std::string of_database(const std::string& table) const {
    return quoted_name(shared_.endpoint.database) + "." + quoted_name(table);
  }

  std::optional<Error> read_child(Link& link) {
    const ForeignKey& key = link.key;
    for (const std::string& column : key.columns) {
      const auto field = field_of(*mapped_.mapping, column);
      if (!field) {
        return cannot(mapped_, key, "its column " + column + " is not among the dataset's fields",
                      "add the column to the dataset in every system that it is in");
      }
      const NativeType& type = mapped_.columns[*field].type;
      const LogicalType& logical = mapped_.schema->fields[*field].type;
      if (!is_told_apart(type, logical)) {
        return cannot(mapped_, key,
                      "column " + column + " is " + type.name + ", and the dataset keeps of it " +
                          model::to_string(logical) + ", which is less",
                      "give the column the same type in every system");
      }
      link.fields.push_back(*field);
      link.types.push_back(type);
      link.logical.push_back(logical);
    }
    return std::nullopt;
  }

  std::optional<Error> read_parent(const Table& parent, Link& link) {
    for (const std::string& name : link.key.referenced_columns) {
      const Column* column = parent.find(name);
      if (column == nullptr) {
        return cannot(mapped_, link.key, "column " + name + " of " + parent.name + " is not seen",
                      "GRANT SELECT ON " + of_database(parent.name) + " TO " + user_ + ";");
      }
      link.parent_types.push_back(column->type);
      link.parent_places.push_back(static_cast<size_t>(column - parent.columns.data()));
    }
    link.parent_column_count = parent.columns.size();
    const bool is_acted_on = std::any_of(parent.foreign_keys.begin(), parent.foreign_keys.end(),
                                         [](const ForeignKey& key) { return key.cascades(); });
    return is_acted_on ? read_parent_dataset(parent, link) : std::nullopt;
  }

  // Its rows change unseen too: what they are must be known from its own dataset.
  std::optional<Error> read_parent_dataset(const Table& parent, Link& link) {
    const ports::DatasetMapping* mapping = find_mapping(shared_.config, parent.name);
    const std::string why = "foreign keys act on its parent " + parent.name + " as well, and ";
    if (mapping == nullptr) {
      return cannot(mapped_, link.key, why + "no dataset here is read from that table",
                    "sync " + parent.name + " too, with cascade = \"derive\"");
    }
    if (mapping->cascade != ports::Cascade::kDerive) {
      return cannot(mapped_, link.key, why + "its dataset does not derive what they do",
                    "set cascade = \"derive\" for dataset " + mapping->schema->name + " too");
    }
    for (size_t i = 0; i < link.fields.size(); ++i) {
      const std::string& name = link.key.referenced_columns[i];
      const auto field = field_of(*mapping, name);
      if (!field) {
        return cannot(mapped_, link.key,
                      std::string(why).append("its column ").append(name).append(" is not synced"),
                      "add the column to dataset " + mapping->schema->name);
      }
      const LogicalType& type = mapping->schema->fields[*field].type;
      if (!is_same_form(type, link.logical[i])) {
        return cannot(mapped_, link.key,
                      why + "there the field is " + model::to_string(type) + ", here " +
                          model::to_string(link.logical[i]),
                      "give both columns the same type in every system");
      }
      link.parent_fields.push_back(*field);
    }
    link.parent_dataset = mapping->schema->dataset;
    return std::nullopt;
  }

  Connection& connection_;
  const Mapped& mapped_;
  const Shared& shared_;
  std::string user_;
};

bool is_printable_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char byte) { return byte >= 0x20 && byte < 0x7f; });
}

// Collations that take of ASCII only letters' case for one. Those of languages have rules of their
// own: in Turkish ones I is no i.
bool is_plain_in_ascii(std::string_view collation) {
  constexpr std::string_view kPlain[] = {"_general_",    "_unicode_",    "latin1_swedish_",
                                         "_uca1400_ai_", "_uca1400_as_", "_uca1400_nopad_"};
  return std::any_of(std::begin(kPlain), std::end(kPlain), [&](std::string_view part) {
    return collation.find(part) != std::string_view::npos;
  });
}

}  // namespace

Action Link::on_delete() const {
  return action_of(key.on_delete, Action::kDelete);
}

Action Link::on_update() const {
  return action_of(key.on_update, Action::kFollow);
}

Result<Links> read_links(Connection& connection, const Mapped& mapped, const Shared& shared) {
  Links out;
  const bool is_derived = mapped.mapping->cascade == ports::Cascade::kDerive &&
                          mapped.mapping->capture == ports::Capture::kLog &&
                          mapped.mapping->direction != ports::Direction::kTo;
  if (!is_derived) return out;
  if (connection.kind().is_mysql()) {
    out.problems.push_back(
        {ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + " is not read",
         "what foreign keys do is not made up for a MySQL, which does not tell as of which place "
         "in its log a table is read",
         "take cascade = \"derive\" out of the dataset's section, and let foreign keys that act "
         "on " +
             mapped.table.name + " be RESTRICT"});
    return out;
  }
  SYN_TRY(std::string user, account(connection));
  LinkReader reader(connection, mapped, shared, std::move(user));
  for (const ForeignKey& key : mapped.table.foreign_keys) {
    if (!key.cascades()) continue;
    SYN_TRY(reader.read(key, out));
  }
  return out;
}

// What a collation takes for one beyond letters' case and, unless it says NOPAD, trailing spaces
// is not known here: such texts are vague.
ParentRef parent_ref(const Link& link, std::span<const model::Cell> cells) {
  ParentRef ref;
  std::string joined;
  ByteWriter out(joined);
  for (size_t i = 0; i < cells.size(); ++i) {
    if (cells[i].state == model::CellState::kNull) return {};
    if (cells[i].state == model::CellState::kUnchanged) {
      ref.state = ParentRef::State::kUnknown;
      continue;
    }
    std::string bytes = cells[i].bytes;
    const auto equivalence = equivalence_of(link.types[i]);
    const bool is_cased = equivalence != model::KeyEquivalence::kAsciiCaseInsensitive;
    const bool is_padded = equivalence != model::KeyEquivalence::kBytes &&
                           link.types[i].collation.find("nopad") == std::string::npos;
    if (is_padded) bytes.resize(bytes.find_last_not_of(' ') + 1);
    if (!is_cased) {
      for (char& letter : bytes) {
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
      }
    }
    const bool is_binary = link.types[i].collation.ends_with("_bin");
    const bool is_compared_as_text = equivalence != model::KeyEquivalence::kBytes;
    const bool is_certain =
        is_binary || (is_printable_ascii(bytes) && is_plain_in_ascii(link.types[i].collation));
    if (is_compared_as_text && !is_certain) ref.is_vague = true;
    out.text(bytes);
  }
  if (ref.state == ParentRef::State::kUnknown) return ref;
  ref.state = ParentRef::State::kKnown;
  ref.hash = model::hash_key(joined);
  return ref;
}

}  // namespace syncline::mariadb
