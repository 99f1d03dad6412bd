#include "drivers/systems/postgres/detail/whole.hpp"

#include <algorithm>

namespace syncline::postgres {
namespace {

Error not_whole(const Mapped& mapped, std::string what, std::string why, std::string fix) {
  return {ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + ": " + std::move(what),
          std::move(why), std::move(fix)};
}

// Whether some unique index holds at every moment, and not only at a statement's or commit's end.
// Key columns are not NULL, so an index of some of them says as much.
bool keeps_apart(const Mapped& mapped) {
  const auto key_end = mapped.columns.begin() + static_cast<ptrdiff_t>(mapped.key_count());
  const auto is_of_key = [&](const std::string& name) {
    return std::any_of(mapped.columns.begin(), key_end,
                       [&](const Column& column) { return column.name == name; });
  };
  const auto& uniques = mapped.table.uniques;
  return std::any_of(uniques.begin(), uniques.end(), [&](const UniqueSet& unique) {
    return unique.is_immediate &&
           std::all_of(unique.columns.begin(), unique.columns.end(), is_of_key);
  });
}

bool is_log_read(const ports::DatasetMapping& mapping) {
  return mapping.direction != ports::Direction::kTo && mapping.capture == ports::Capture::kLog;
}

// A DEFERRABLE index cannot be the replica identity; this one can.
std::string keep_apart_sql(const Mapped& mapped) {
  const std::string table = mapped.table.sql_name();
  const std::string index = quoted_name("immediate_key_of_" + mapped.table.name);
  std::string sql = "CREATE UNIQUE INDEX " + index + " ON " + table + " (" +
                    column_list(mapped, mapped.key_count()) + ");";
  if (!is_log_read(*mapped.mapping) || !identity_problem(mapped)) return sql;
  return sql + " ALTER TABLE " + table + " REPLICA IDENTITY USING INDEX " + index + ";";
}

// An index of the table's own is one of all partitions.
std::vector<Error> shared_key(const Mapped& mapped, const std::vector<Mapped>& leaves) {
  std::string sql;
  if (!keeps_apart(mapped)) {
    sql = keep_apart_sql(mapped);
  } else {
    for (const Mapped& leaf : leaves) {
      if (!keeps_apart(leaf)) sql += (sql.empty() ? "" : " ") + keep_apart_sql(leaf);
    }
  }
  if (sql.empty()) return {};
  if (mapped.mapping->direction != ports::Direction::kTo) {
    sql += " or, where statements need such keys, capture = \"scan\" and direction = \"from\"";
  }
  return {{ErrorCode::kSystemKey,
           "dataset " + mapped.schema->name + ": two records of " + mapped.table.display_name() +
               " may share a key within a transaction",
           "its unique index is DEFERRABLE: the log does not tell such records apart, and our "
           "writes, for which no triggers run, can leave two of them",
           std::move(sql)}};
}

// The owner stays who it is, for it may be the one that users' programs come as. A superuser needs
// no ownership, and nobody is to be made a member of one.
std::optional<Error> owner_problem(const Mapped& mapped) {
  const Table& table = mapped.table;
  if (table.is_owned) return {};
  const std::string role = quoted_name(table.reader);
  return not_whole(mapped, "role " + role + " does not own " + table.display_name(),
                   "only owners may publish a table",
                   table.is_owners_super
                       ? "ALTER TABLE " + table.sql_name() + " OWNER TO " + role + ";"
                       : "GRANT " + quoted_name(table.owner) + " TO " + role + ";");
}

// Of the table and of its partitions, each of which may be otherwise.
std::optional<Error> unlogged_problem(const Mapped& mapped, const std::vector<Mapped>& leaves) {
  std::string names;
  std::string sql;
  const auto look_at = [&](const Table& table) {
    if (table.persistence != 'u') return;
    names += (names.empty() ? "" : ", ") + table.display_name();
    sql += (sql.empty() ? "ALTER TABLE " : " ALTER TABLE ") + table.sql_name() + " SET LOGGED;";
  };
  look_at(mapped.table);
  for (const Mapped& leaf : leaves) look_at(leaf.table);
  if (sql.empty()) return {};
  return not_whole(mapped, "UNLOGGED: " + names, "what changes there is in no log", std::move(sql));
}

// One at the most, with the SQL for all.
std::vector<Error> identity_problems(const Mapped& mapped, const std::vector<Mapped>& leaves) {
  std::vector<Error> problems;
  if (auto of_root = identity_problem(mapped)) problems.push_back(std::move(*of_root));
  for (const Mapped& leaf : leaves) {
    auto of_leaf = identity_problem(leaf);
    if (!of_leaf) continue;
    if (problems.empty()) {
      problems.push_back(std::move(*of_leaf));
    } else {
      problems.front().fix += " " + of_leaf->fix;
    }
  }
  return problems;
}

Result<std::vector<Mapped>> read_mapped_leaves(Connection& connection, const Mapped& root) {
  std::vector<Mapped> mapped;
  if (root.table.kind != 'p') return mapped;
  SYN_TRY(auto leaves, read_leaves(connection, root.table));
  for (Table& leaf : leaves) {
    mapped.push_back({root.mapping, root.schema, std::move(leaf), root.columns});
  }
  return mapped;
}

}  // namespace

std::optional<Error> hidden_problem(const Mapped& mapped) {
  const Table& table = mapped.table;
  if (table.is_filtered) {
    return not_whole(mapped, "row security of " + table.display_name() + " holds for our role",
                     "rows that it hides would count as deleted",
                     "ALTER ROLE " + quoted_name(table.reader) + " BYPASSRLS;");
  }
  if (!table.disinherit_sql.empty()) {
    return not_whole(mapped, table.display_name() + " has heirs (INHERITS)",
                     "their rows are read with its own, and its log does not tell of them",
                     table.disinherit_sql +
                         " and sync the heirs' rows in tables of their own; or make it a "
                         "partitioned table");
  }
  return {};
}

Result<std::vector<Error>> shared_key_problems(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const auto leaves, read_mapped_leaves(connection, mapped));
  return shared_key(mapped, leaves);
}

Result<std::vector<Error>> log_problems(Connection& connection, const Mapped& mapped) {
  std::vector<Error> problems;
  if (auto unowned = owner_problem(mapped)) problems.push_back(std::move(*unowned));
  if (auto hidden = hidden_problem(mapped)) {
    problems.push_back(std::move(*hidden));
    return problems;
  }
  SYN_TRY(const auto leaves, read_mapped_leaves(connection, mapped));
  if (auto unlogged = unlogged_problem(mapped, leaves)) problems.push_back(std::move(*unlogged));
  auto of_key = shared_key(mapped, leaves);
  if (of_key.empty()) of_key = identity_problems(mapped, leaves);
  problems.insert(problems.end(), of_key.begin(), of_key.end());
  return problems;
}

}  // namespace syncline::postgres
