#include "host/app/known_tables.hpp"

#include <algorithm>

#include "host/app/systems.hpp"

namespace syncline::app {
namespace {

std::vector<ports::TableInfo> tables_of(const BlueprintSystem& system) {
  if (system.ports.datasets.empty()) return {};
  const auto made = make_system(system.settings->kind, system.ports, system_clock());
  if (!made) return {};
  auto tables = made.value().catalog->tables();
  return tables ? std::move(tables).value() : std::vector<ports::TableInfo>();
}

}  // namespace

KnownTables::KnownTables(const Blueprint& blueprint) {
  for (const BlueprintSystem& system : blueprint.systems) tables_.push_back(tables_of(system));
}

const ports::TableInfo* KnownTables::find(size_t system, const std::string& table) const {
  const auto found = std::ranges::find(tables_[system], table, &ports::TableInfo::name);
  return found == tables_[system].end() ? nullptr : &*found;
}

const ports::ColumnInfo* find_column(const ports::TableInfo* table, const std::string& column) {
  if (table == nullptr) return nullptr;
  const auto found = std::ranges::find(table->columns, column, &ports::ColumnInfo::name);
  return found == table->columns.end() ? nullptr : &*found;
}

}  // namespace syncline::app
