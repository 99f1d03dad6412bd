#include "drivers/systems/sqlite/sqlite.hpp"

#include "drivers/scan/source.hpp"
#include "drivers/systems/sqlite/detail/catalog.hpp"
#include "drivers/systems/sqlite/detail/column_findings.hpp"
#include "drivers/systems/sqlite/detail/connection.hpp"
#include "drivers/systems/sqlite/detail/rebuild.hpp"
#include "drivers/systems/sqlite/detail/scan_tables.hpp"
#include "drivers/systems/sqlite/detail/source.hpp"
#include "drivers/systems/sqlite/detail/target.hpp"

namespace syncline::sqlite {
namespace {

Result<std::string> path_of(const std::string& url) {
  std::string path = url;
  for (const std::string_view prefix : {"sqlite://", "sqlite:"}) {
    if (path.starts_with(prefix)) {
      path.erase(0, prefix.size());
      break;
    }
  }
  if (!path.empty() && path != ":memory:" && path.find("://") == std::string::npos) return path;
  return fail(ErrorCode::kConfigValue, "\"" + url + "\" names no SQLite file",
              "a SQLite system is a file on this machine",
              "write it as sqlite:///absolute/path/to/file.db");
}

std::string bytes_text(std::string_view digits) {
  return "x'" + std::string(digits) + "'";
}

// One file has one way of being read: markers stand either in the change table or in no log at all.
Result<bool> is_scanned(const ports::SystemConfig& config) {
  size_t scan_count = 0;
  for (const ports::DatasetMapping& mapping : config.datasets) {
    if (mapping.capture == ports::Capture::kPoll) {
      return fail(ErrorCode::kConfigValue,
                  "dataset " + mapping.schema->name + ": capture = \"poll\" is not for SQLite",
                  "SQLite offers \"log\" (triggers) and \"scan\"", "choose one of the two");
    }
    const bool is_scan = mapping.capture == ports::Capture::kScan;
    if (is_scan && mapping.triggers == "guarded") {
      return fail(ErrorCode::kConfigValue,
                  "dataset " + mapping.schema->name + ": triggers = \"guarded\" needs the log",
                  "a scanned file has no table that tells a trigger whose write it is",
                  "triggers = \"fire\", or capture = \"log\"");
    }
    scan_count += is_scan ? 1 : 0;
  }
  if (scan_count == 0 || scan_count == config.datasets.size()) return scan_count > 0;
  return fail(
      ErrorCode::kConfigValue, "system " + config.name + " mixes capture = \"log\" and \"scan\"",
      "a SQLite file is read in one of the two ways", "give all its datasets the same `capture`");
}

// A table as it is now, on a connection that has nothing else to do.
struct Look {
  std::unique_ptr<Connection> connection;
  Table table;
};

Result<Look> look_at(const ports::SystemConfig& config, const std::string& name) {
  SYN_TRY(const std::string path, path_of(config.url));
  Look look;
  SYN_TRY(look.connection, Connection::open(path, Access::kRead, "NORMAL", kLockWaitMs));
  SYN_TRY(auto table, read_table(*look.connection, name));
  if (!table) {
    return fail(ErrorCode::kSystemSchema, path + " has no table " + name,
                "it was dropped or renamed", "bring it back");
  }
  look.table = std::move(*table);
  return look;
}

// A decimal of more digits than a double has is kept as text.
bool is_kept_as_text(const model::LogicalType& type) {
  constexpr uint16_t kDecimalDigitsOfReal = 15;
  return type.kind == model::TypeKind::kDecimal &&
         (type.precision == 0 || type.precision > kDecimalDigitsOfReal);
}

}  // namespace

Result<std::string> finer_key_sql(const ports::SystemConfig& config, const std::string& table,
                                  std::span<const std::string> columns) {
  SYN_TRY(const Look look, look_at(config, table));
  Rebuild rebuild;
  for (const std::string& column : columns) {
    add_change(rebuild.changes, {.column = column, .collation = "BINARY"});
  }
  return rebuild_sql(*look.connection, look.table, rebuild);
}

Result<std::string> make_key_sql(const ports::SystemConfig& config, const std::string& table,
                                 std::span<const std::string> columns) {
  SYN_TRY(const Look look, look_at(config, table));
  return key_sql(*look.connection, look.table, columns);
}

// Integers of SQLite hold all that there are of them.
Result<std::vector<std::string>> widening_sql(const ports::SystemConfig& config,
                                              std::span<const ports::Widening> columns) {
  std::vector<std::string> statements;
  for (const ports::Widening& widening : columns) {
    std::string& statement = statements.emplace_back();
    const model::LogicalType& type = widening.wanted.type;
    if (type.kind == model::TypeKind::kInt64) continue;
    SYN_TRY(const Look look, look_at(config, widening.table));
    const bool is_text = is_kept_as_text(type);
    Rebuild rebuild;
    add_change(rebuild.changes,
               {.column = widening.column,
                .type = is_text ? decimal_declaration(type, look.table) : model::to_string(type)});
    SYN_TRY(statement, rebuild_sql(*look.connection, look.table, rebuild));
    if (is_text) statement += kTextMind;
  }
  return statements;
}

Result<std::string> new_column_type(const ports::SystemConfig& config, const std::string& table,
                                    const model::LogicalType& type) {
  SYN_TRY(const Look look, look_at(config, table));
  return is_kept_as_text(type)
             ? decimal_declaration(type, look.table)
             : declaration_of(type, look.table.is_strict ? Typing::kStrict : Typing::kByAffinity);
}

Result<ports::System> make_sqlite(const ports::SystemConfig& config, Clock& clock) {
  auto shared = std::make_shared<Shared>();
  shared->config = config;
  SYN_TRY(shared->path, path_of(config.url));
  SYN_TRY(shared->is_scan, is_scanned(config));
  ports::System system;
  if (shared->is_scan) {
    auto known = std::make_shared<scan::Shared>();
    system.source = std::make_unique<scan::Source>(
        shared->config, std::make_unique<ScanTables>(shared), known, clock);
    system.target = std::make_unique<SqliteTarget>(
        shared, std::make_unique<scan::Guard>(shared->config, known), clock);
  } else {
    system.source = std::make_unique<SqliteSource>(shared, clock);
    system.target = std::make_unique<SqliteTarget>(shared, nullptr, clock);
  }
  system.catalog = std::make_unique<SqliteCatalog>(shared);
  return system;
}

ports::SqlQuotes sql_quotes() {
  return {quoted, quoted, literal, bytes_text};
}

}  // namespace syncline::sqlite
