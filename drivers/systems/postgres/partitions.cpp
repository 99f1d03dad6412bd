#include "drivers/systems/postgres/detail/partitions.hpp"

namespace syncline::postgres {
namespace {

// pg_partition_tree() would lock each of them, and wait behind a user who holds one.
constexpr const char* kPartitions =
    "WITH RECURSIVE part AS (SELECT root, root AS id FROM unnest($1::oid[]) AS root UNION ALL "
    "SELECT p.root, i.inhrelid FROM part p JOIN pg_inherits i ON i.inhparent = p.id) SELECT "
    "p.root, string_agg(c.oid || ' ' || c.relfilenode, ',' ORDER BY c.oid) FROM part p JOIN "
    "pg_class c ON c.oid = p.id WHERE c.relkind <> 'p' GROUP BY p.root";

}  // namespace

Result<Partitions> read_partitions(Connection& connection, const std::vector<Mapped>& tables) {
  Partitions partitions;
  ArrayLiteral roots;
  for (const Mapped& mapped : tables) {
    if (mapped.table.kind != 'p') continue;
    roots.add(std::to_string(mapped.table.oid));
    partitions[mapped.dataset()];
  }
  if (partitions.empty()) return partitions;
  const Parameter parameter[] = {roots.finish()};
  SYN_TRY(const Answer rows, connection.query(kPartitions, parameter));
  for (size_t row = 0; row < rows.row_count(); ++row) {
    for (const Mapped& mapped : tables) {
      if (mapped.table.oid == rows.integer(row, 0))
        partitions[mapped.dataset()] = rows.text(row, 1);
    }
  }
  return partitions;
}

std::vector<model::DatasetId> regrouped(const Partitions& before, const Partitions& now) {
  std::vector<model::DatasetId> datasets;
  for (const auto& [dataset, partitions] : now) {
    const auto known = before.find(dataset);
    if (known != before.end() && known->second != partitions) datasets.push_back(dataset);
  }
  return datasets;
}

}  // namespace syncline::postgres
