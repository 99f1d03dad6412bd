#include "drivers/systems/mariadb/detail/catalog.hpp"

#include <algorithm>

#include "drivers/scan/findings.hpp"
#include "drivers/systems/mariadb/detail/findings.hpp"
#include "drivers/systems/mariadb/detail/indexes.hpp"
#include "drivers/systems/mariadb/detail/names.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "drivers/systems/mariadb/detail/replica.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "drivers/systems/mariadb/detail/scan_tables.hpp"

namespace syncline::mariadb {
namespace {

using ports::Finding, ports::Severity;

ports::UniqueInfo unique_info(const Table& table, const UniqueSet& unique) {
  ports::UniqueInfo info;
  info.columns = unique.columns;
  for (const std::string& name : unique.columns) {
    const Column* column = table.find(name);
    info.equivalences.push_back(column == nullptr ? model::KeyEquivalence::kBytes
                                                  : equivalence_of(column->type));
  }
  info.drop =
      "ALTER TABLE " + quoted_name(table.name) + " DROP INDEX " + quoted_name(unique.index) + ";";
  return info;
}

ports::TableInfo table_info(const Table& table) {
  ports::TableInfo info;
  info.name = table.name;
  info.row_count = table.row_estimate;
  for (const ForeignKey& key : table.foreign_keys) info.references.push_back(key.referenced);
  for (const Column& column : table.columns) {
    info.columns.push_back({column.name, logical_type_of(column.type), column.type.name,
                            column.is_nullable, column.is_generated, equivalence_of(column.type),
                            std::nullopt, false, column.collation, column.is_numbered});
  }
  for (const UniqueSet& unique : table.uniques) {
    const bool is_usable =
        std::all_of(unique.columns.begin(), unique.columns.end(), [&](const std::string& name) {
          const Column* column = table.find(name);
          return column != nullptr && !column->is_nullable;
        });
    if (is_usable) info.keys.push_back(unique.columns);
    info.uniques.push_back(unique_info(table, unique));
  }
  return info;
}

// How its rows will be read; what we may not read is named with our rights.
Result<void> find_reads(Connection& connection, const Mapped& mapped, std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (const auto filter = check_filter(connection, mapped); !filter) {
    const Error& error = filter.error();
    if (error.code != ErrorCode::kSystemSchema) return error;
    out.push_back(
        {Severity::kStops, mapping.schema->name, error.what + ": " + error.why, error.fix});
    return success();
  }
  if (mapping.capture == ports::Capture::kPoll && mapping.direction != ports::Direction::kTo) {
    SYN_TRY(find_poll(connection, mapped, out));
  }
  return find_indexes(connection, mapped, out);
}

}  // namespace

Result<std::vector<ports::TableInfo>> MariadbCatalog::tables() {
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kSql));
  SYN_TRY(const auto tables, read_tables(*connection));
  std::vector<ports::TableInfo> infos;
  for (const Table& table : tables) infos.push_back(table_info(table));
  SYN_TRY(const auto unread, read_unread_tables(*connection));
  for (const UnreadTable& table : unread) {
    ports::TableInfo& info = infos.emplace_back();
    info.name = table.name;
    info.unread = table.why;
    info.unread_fix = table.fix;
  }
  return infos;
}

Result<std::vector<Finding>> MariadbCatalog::findings() {
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kSql));
  std::vector<Finding> out;
  find_flavour(connection->kind(), connection->place(), out);
  if (shared_->is_scan) {
    SYN_TRY(find_in_scanned_server(*connection, out));
  } else {
    SYN_TRY(find_in_server(*connection, out));
    SYN_TRY(const std::string logged, logged_database(*connection));
    if (auto other = other_database(*connection, shared_->endpoint.database, logged)) {
      out.push_back({Severity::kStops, "", other->what + ": " + other->why, other->fix});
    }
  }
  SYN_TRY(find_own_table_rights(*connection, kCheckpoint, out));
  if (shared_->is_scan) {
    SYN_TRY(find_own_table_rights(*connection, kEcho, out));
  }
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    auto mapped = read_mapped(*connection, mapping, *shared_->charsets);
    if (!mapped) {
      const Error& error = mapped.error();
      out.push_back(
          {Severity::kStops, mapping.schema->name, error.what + ": " + error.why, error.fix});
      continue;
    }
    SYN_TRY(find_in_table(*connection, mapped.value(), *shared_, out));
    scan::find_unseen(mapping, out);
    SYN_TRY(find_reads(*connection, mapped.value(), out));
  }
  SYN_TRY(find_silent_keys(*connection, shared_->config.datasets, out));
  SYN_TRY(find_replica(*connection, *shared_, out));
  SYN_TRY(const auto present, installed_objects(*connection));
  for (const char* table : {kCheckpoint, kEcho}) {
    const bool is_needed = table == kCheckpoint || shared_->is_scan;
    const bool is_there =
        std::find(present.begin(), present.end(), std::string("table ") + table) != present.end();
    if (!is_needed || is_there) continue;
    out.push_back({Severity::kNote, "",
                   "Syncline will create in " + connection->place() + ": table " + table,
                   "nothing; `syncline detach` removes it"});
  }
  return out;
}

Result<std::vector<std::string>> MariadbCatalog::detach() {
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kSql));
  return remove_objects(*connection, *shared_);
}

}  // namespace syncline::mariadb
