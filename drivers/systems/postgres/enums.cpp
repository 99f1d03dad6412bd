#include "drivers/systems/postgres/detail/enums.hpp"

#include <algorithm>

namespace syncline::postgres {
namespace {

// What a type is made of, and what that is made of.
constexpr const char* kLabels =
    "WITH RECURSIVE held(root, type) AS (SELECT a.attrelid, a.atttypid FROM unnest($1::oid[], "
    "$2::int[]) AS m(root, number) JOIN pg_attribute a ON a.attrelid = m.root AND a.attnum = "
    "m.number UNION SELECT h.root, x.type FROM held h JOIN pg_type t ON t.oid = h.type CROSS JOIN "
    "LATERAL (SELECT t.typbasetype UNION ALL SELECT t.typelem UNION ALL SELECT c.atttypid FROM "
    "pg_attribute c WHERE c.attrelid = t.typrelid AND c.attnum > 0 AND NOT c.attisdropped UNION "
    "ALL SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid) AS x(type) WHERE x.type <> "
    "0) SELECT h.root, e.oid, e.xmin FROM held h JOIN pg_enum e ON e.enumtypid = h.type";

bool is_relabelled(const std::map<std::string, std::string>& before,
                   const std::map<std::string, std::string>& now) {
  return std::any_of(now.begin(), now.end(), [&](const auto& label) {
    const auto known = before.find(label.first);
    return known != before.end() && known->second != label.second;
  });
}

}  // namespace

Result<EnumLabels> read_enum_labels(Connection& connection, const std::vector<Mapped>& tables) {
  EnumLabels labels;
  ArrayLiteral roots;
  ArrayLiteral numbers;
  for (const Mapped& mapped : tables) {
    for (const Column& column : mapped.columns) {
      roots.add(std::to_string(mapped.table.oid));
      numbers.add(std::to_string(column.number));
    }
  }
  const Parameter parameters[] = {roots.finish(), numbers.finish()};
  SYN_TRY(const Answer rows, connection.query(kLabels, parameters));
  for (size_t row = 0; row < rows.row_count(); ++row) {
    for (const Mapped& mapped : tables) {
      if (mapped.table.oid != rows.integer(row, 0)) continue;
      labels[mapped.dataset()].emplace(rows.text(row, 1), rows.text(row, 2));
    }
  }
  return labels;
}

std::vector<model::DatasetId> relabelled(const EnumLabels& before, const EnumLabels& now) {
  std::vector<model::DatasetId> datasets;
  for (const auto& [dataset, labels] : now) {
    const auto known = before.find(dataset);
    if (known == before.end()) continue;
    if (is_relabelled(known->second, labels)) datasets.push_back(dataset);
  }
  return datasets;
}

}  // namespace syncline::postgres
