#include "drivers/systems/postgres/detail/partitions.hpp"

#include <algorithm>

namespace syncline::postgres {
namespace {

// pg_partition_tree() would lock each of them, and wait behind a user who holds one.
constexpr const char* kPartitions =
    "WITH RECURSIVE part AS (SELECT root, root AS id, '' AS edges FROM unnest($1::oid[]) AS root "
    "UNION ALL SELECT p.root, i.inhrelid, p.edges || '/' || i.xmin FROM part p JOIN pg_inherits i "
    "ON i.inhparent = p.id) SELECT p.root, c.oid, c.relfilenode || p.edges FROM part p JOIN "
    "pg_class c ON c.oid = p.id WHERE c.relkind <> 'p'";

// Whatever is in it by the time that is known came through the log, or comes with the scan.
bool is_empty(Connection& connection, const std::string& partition) {
  if (!connection.run("BEGIN; SET LOCAL lock_timeout = '100ms'")) return false;
  const auto size = connection.query_text("SELECT pg_relation_size(" + partition + ")");
  return connection.run("ROLLBACK") && size && size.value() == "0";
}

bool is_regrouped(Connection& connection, const std::map<std::string, std::string>& before,
                  const std::map<std::string, std::string>& now) {
  const auto stays = [&](const auto& partition) {
    const auto found = now.find(partition.first);
    return found != now.end() && found->second == partition.second;
  };
  if (!std::all_of(before.begin(), before.end(), stays)) return true;
  return std::any_of(now.begin(), now.end(), [&](const auto& partition) {
    return !before.contains(partition.first) && !is_empty(connection, partition.first);
  });
}

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
      if (mapped.table.oid != rows.integer(row, 0)) continue;
      partitions[mapped.dataset()].emplace(rows.text(row, 1), rows.text(row, 2));
    }
  }
  return partitions;
}

std::vector<model::DatasetId> regrouped(Connection& connection, const Partitions& before,
                                        const Partitions& now) {
  std::vector<model::DatasetId> datasets;
  for (const auto& [dataset, partitions] : now) {
    const auto known = before.find(dataset);
    if (known != before.end() && is_regrouped(connection, known->second, partitions)) {
      datasets.push_back(dataset);
    }
  }
  return datasets;
}

}  // namespace syncline::postgres
