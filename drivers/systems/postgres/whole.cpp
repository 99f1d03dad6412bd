#include "drivers/systems/postgres/detail/whole.hpp"

namespace syncline::postgres {
namespace {

Error not_whole(const Mapped& mapped, std::string what, std::string why, std::string fix) {
  return {ErrorCode::kSystemSchema, "dataset " + mapped.schema->name + ": " + std::move(what),
          std::move(why), std::move(fix)};
}

}  // namespace

std::optional<Error> hidden_problem(const Mapped& mapped) {
  const Table& table = mapped.table;
  if (table.is_filtered) {
    return not_whole(mapped, "row security of " + table.display_name() + " holds for our role",
                     "rows that it hides would count as deleted",
                     "ALTER ROLE " + quoted_name(table.reader) + " BYPASSRLS;");
  }
  if (table.has_heirs) {
    return not_whole(mapped, table.display_name() + " has heirs (INHERITS)",
                     "their rows are read with its own, and its log does not tell of them",
                     "sync the heirs' rows in tables of their own (ALTER TABLE … NO INHERIT " +
                         table.sql_name() + ";), or make it a partitioned table");
  }
  return {};
}

Result<std::vector<Error>> log_problems(Connection& connection, const Mapped& mapped) {
  std::vector<Error> problems;
  if (auto hidden = hidden_problem(mapped)) {
    problems.push_back(std::move(*hidden));
    return problems;
  }
  if (auto of_root = identity_problem(mapped)) problems.push_back(std::move(*of_root));
  if (mapped.table.kind != 'p') return problems;
  SYN_TRY(auto leaves, read_leaves(connection, mapped.table));
  for (Table& leaf : leaves) {
    auto of_leaf =
        identity_problem({mapped.mapping, mapped.schema, std::move(leaf), mapped.columns});
    if (!of_leaf) continue;
    if (problems.empty()) {
      problems.push_back(std::move(*of_leaf));
    } else {
      problems.front().fix += " " + of_leaf->fix;
    }
  }
  return problems;
}

}  // namespace syncline::postgres
