#include "drivers/systems/sqlite/detail/catalog.hpp"

#include <algorithm>

#include <sys/stat.h>
#include <unistd.h>

#include "drivers/systems/sqlite/detail/change_reader.hpp"
#include "drivers/systems/sqlite/detail/column_findings.hpp"
#include "drivers/systems/sqlite/detail/index_findings.hpp"
#include "drivers/systems/sqlite/detail/numbering.hpp"
#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/triggers.hpp"
#include "host/ports/silent_key.hpp"

namespace syncline::sqlite {
namespace {

using ports::Finding, ports::Severity;

Result<std::vector<std::string>> query_texts(Connection& connection, const std::string& sql) {
  SYN_TRY(Statement rows, connection.prepare(sql));
  std::vector<std::string> texts;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return texts;
    texts.emplace_back(rows.text(0));
  }
}

model::KeyEquivalence equivalence_of(const std::string& collation) {
  if (collation == "NOCASE") return model::KeyEquivalence::kAsciiCaseInsensitive;
  if (collation == "RTRIM") return model::KeyEquivalence::kTrailingSpaces;
  return model::KeyEquivalence::kBytes;
}

bool is_usable_key(const Table& table, const UniqueSet& unique) {
  return !unique.is_partial &&
         std::all_of(unique.columns.begin(), unique.columns.end(), [&](const std::string& name) {
           const Column* column = table.find(name);
           return column != nullptr && (!column->is_nullable || column->primary_key_place > 0);
         });
}

// Types that it has no storage class for, and decimals that it is to keep whole.
bool is_spelled(const Column& column) {
  switch (logical_type_of(column.declared_type).kind) {
    case model::TypeKind::kBool:
    case model::TypeKind::kInt64:
    case model::TypeKind::kFloat64:
    case model::TypeKind::kBytes:
    case model::TypeKind::kText:
    case model::TypeKind::kChar:
      return false;
    case model::TypeKind::kDecimal:
      return column.affinity == Affinity::kText || column.affinity == Affinity::kNone;
    default:
      return true;
  }
}

ports::UniqueInfo unique_info(const UniqueSet& unique) {
  ports::UniqueInfo info;
  info.columns = unique.columns;
  for (const std::string& collation : unique.collations) {
    info.equivalences.push_back(equivalence_of(collation));
  }
  std::string names;
  for (const std::string& column : unique.columns) {
    names += (names.empty() ? "" : ", ") + quoted(column);
  }
  info.drop = unique.is_created ? "DROP INDEX main." + quoted(unique.index) + ";"
                                : "make the table anew without UNIQUE (" + names + ")";
  return info;
}

Result<ports::TableInfo> table_info(Connection& connection, const Table& table) {
  ports::TableInfo info;
  info.name = table.name;
  for (const Column& column : table.columns) {
    info.columns.push_back({column.name, logical_type_of(column.declared_type),
                            column.declared_type,
                            column.is_nullable && column.primary_key_place == 0,
                            column.is_generated, equivalence_of(column.collation)});
    SYN_TRY(info.columns.back().is_numbered, is_numbered(connection, table, column));
    info.columns.back().is_spelled = is_spelled(column);
    const bool is_decimal = info.columns.back().type.kind == model::TypeKind::kDecimal;
    info.columns.back().is_double = is_decimal && !is_spelled(column);
  }
  for (const UniqueSet& unique : table.uniques) {
    if (is_usable_key(table, unique)) info.keys.push_back(unique.columns);
    if (!unique.is_partial) info.uniques.push_back(unique_info(unique));
  }
  SYN_TRY(info.references,
          query_texts(connection, "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(" +
                                      literal(table.name) + ") ORDER BY 1"));
  SYN_TRY(const int64_t row_count,
          connection.query_integer("SELECT count(*) FROM " + quoted(table.name)));
  info.row_count = static_cast<uint64_t>(row_count);
  return info;
}

// The file stays its owner's, whose programs write there too.
std::string writable_by_us(const std::string& place) {
  std::string shown = "'";
  for (const char letter : place) shown += letter == '\'' ? "'\\''" : std::string(1, letter);
  shown += "'";
  struct stat info{};
  if (stat(place.c_str(), &info) == 0 && info.st_uid == geteuid()) {
    return "chmod u+w " + shown;
  }
  return "sudo setfacl -m u:" + std::to_string(geteuid()) + ":rwX " + shown;
}

Result<void> find_in_file(Connection& connection, std::vector<Finding>& out) {
  SYN_TRY(const std::string mode, connection.query_text("PRAGMA journal_mode"));
  if (mode != "wal") {
    out.push_back({Severity::kWarning, "",
                   connection.path() + " is in journal mode " + mode +
                       ": our reads and your writes wait for each other",
                   "PRAGMA journal_mode = WAL;"});
  }
  const std::string& path = connection.path();
  const std::string folder =
      path.find('/') == std::string::npos ? "." : path.substr(0, path.rfind('/') + 1);
  for (const std::string& place : {path, folder}) {
    if (access(place.c_str(), W_OK) != 0) {
      out.push_back(
          {Severity::kStops, "", place + " cannot be written by this user", writable_by_us(place)});
    }
  }
  return success();
}

// A file keeps the change log of one appliance.
Result<void> find_owner(Connection& connection, const Shared& shared,
                        const std::vector<std::string>& present, std::vector<Finding>& out) {
  SYN_TRY(const std::string owner,
          connection.query_text("SELECT appliance FROM syncline_state WHERE id = 1"));
  if (owner == shared.config.appliance) return success();
  const std::string what = connection.path() + " is captured by the appliance " + owner;
  if (const auto asked = check_nobody_asks(connection); !asked) {
    out.push_back({Severity::kStops, "", what + "; " + asked.error().why, asked.error().fix});
    return success();
  }
  std::string sql = "BEGIN IMMEDIATE; ";
  for (const std::string& object : present) {
    const size_t space = object.find(' ');
    sql += "DROP " + object.substr(0, space) + " main." + quoted(object.substr(space + 1)) + "; ";
  }
  out.push_back(
      {Severity::kStops, "", what,
       "-- `syncline detach` there; or, where that appliance is no more:\n" + sql + "COMMIT;"});
  return success();
}

// Triggers that a start makes, and those that went since, with a table that was made anew.
Result<void> find_triggers_of_ours(Connection& connection, const Mapped& mapped,
                                   std::vector<Finding>& out) {
  SYN_TRY(const auto present, present_triggers(connection));
  std::string names;
  for (const Trigger& trigger : triggers_of(mapped)) {
    const auto found = present.find(trigger.name);
    if (found != present.end() && found->second == trigger.sql) continue;
    names += (names.empty() ? "" : ", ") + trigger.name;
  }
  if (names.empty()) return success();
  out.push_back({Severity::kWarning, mapped.schema->name,
                 "triggers of ours on " + mapped.table.name +
                     " are missing or not as they should "
                     "be: " +
                     names + "; what users write there is not seen",
                 "syncline run # makes them anew, and reads the table whole"});
  return success();
}

// What the first start will create, announced before it does; and what is no longer as it was made.
Result<void> find_objects(Connection& connection, const Shared& shared,
                          const std::vector<Mapped>& captured, std::vector<Finding>& out) {
  SYN_TRY(const auto present, installed_objects(connection));
  std::string missing;
  const auto is_there = [&](const std::string& object) {
    return std::find(present.begin(), present.end(), object) != present.end();
  };
  const auto need = [&](const std::string& object) {
    if (is_there(object)) return;
    missing += (missing.empty() ? "" : ", ") + object;
  };
  need("table syncline_checkpoint");
  if (shared.is_scan) {
    need("table syncline_echo");
    out.push_back({Severity::kNote, "",
                   connection.path() + " is scanned: states between two scans are not seen",
                   "capture = \"log\" in the datasets' sections, if triggers are allowed"});
  } else {
    need("table syncline_state");
    need("table syncline_changes");
  }
  const bool is_captured =
      !shared.is_scan && is_there("table syncline_state") && is_there("table syncline_changes");
  if (is_captured) {
    SYN_TRY(find_owner(connection, shared, present, out));
  }
  for (const Mapped& mapped : captured) {
    if (shared.is_scan) break;
    bool is_known = false;
    if (is_captured) {
      SYN_TRY(is_known, was_captured(connection, mapped.dataset()));
    }
    const auto triggers = triggers_of(mapped);
    is_known |= is_captured && std::any_of(triggers.begin(), triggers.end(), [&](const auto& one) {
                  return is_there("trigger " + one.name);
                });
    if (is_known) {
      SYN_TRY(find_triggers_of_ours(connection, mapped, out));
      continue;
    }
    for (const Trigger& trigger : triggers) need("trigger " + trigger.name);
  }
  if (missing.empty()) return success();
  out.push_back({Severity::kNote, "",
                 "Syncline will create in " + connection.path() + ": " + missing,
                 "nothing; `syncline detach` removes all of it"});
  return success();
}

Result<void> find_cascades(Connection& connection, const Mapped& mapped,
                           std::vector<Finding>& out) {
  SYN_TRY(const auto tables,
          query_texts(connection,
                      "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(" +
                          literal(mapped.table.name) +
                          ") WHERE on_delete NOT IN ('NO ACTION', 'RESTRICT') OR on_update NOT IN "
                          "('NO ACTION', 'RESTRICT')"));
  for (const std::string& table : tables) {
    out.push_back({Severity::kNote, mapped.schema->name,
                   mapped.table.name + " follows " + table +
                       " by a foreign key action; what users' connections cascade is captured, and "
                       "our writes run no actions",
                   "nothing"});
  }
  return success();
}

// From tables that we do not write, and to such.
Result<void> find_silent_keys(Connection& connection, const Mapped& mapped, const Shared& shared,
                              std::vector<Finding>& out) {
  if (mapped.mapping->direction == ports::Direction::kFrom) return success();
  std::string written;
  for (const ports::DatasetMapping& mapping : shared.config.datasets) {
    if (mapping.direction == ports::Direction::kFrom) continue;
    written += (written.empty() ? "" : ", ") + literal(mapping.table);
  }
  const std::string table = literal(mapped.table.name);
  SYN_TRY(Statement children,
          connection.prepare(
              "SELECT m.name, coalesce(group_concat(k.\"to\", ', '), 'primary key'), "
              "k.on_delete, k.on_update FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) "
              "k WHERE m.type = 'table' AND k.\"table\" = " +
              table + " COLLATE NOCASE AND m.name COLLATE NOCASE NOT IN (" + written +
              ") GROUP BY m.name, k.id ORDER BY m.name, k.id"));
  while (true) {
    SYN_TRY(const bool has_row, connection.next(children));
    if (!has_row) break;
    out.push_back(ports::silent_key({.name = {},
                                     .child = std::string(children.text(0)),
                                     .parent = mapped.table.name,
                                     .columns = std::string(children.text(1)),
                                     .on_delete = std::string(children.text(2)),
                                     .on_update = std::string(children.text(3))},
                                    mapped.schema->name));
  }
  SYN_TRY(Statement parents,
          connection.prepare("SELECT \"table\", group_concat(\"from\", ', ') FROM "
                             "pragma_foreign_key_list(" +
                             table + ") WHERE \"table\" COLLATE NOCASE NOT IN (" + written +
                             ") GROUP BY id ORDER BY 1, id"));
  while (true) {
    SYN_TRY(const bool has_row, connection.next(parents));
    if (!has_row) return success();
    out.push_back(ports::parentless_key({.name = {},
                                         .child = mapped.table.name,
                                         .parent = std::string(parents.text(0)),
                                         .columns = std::string(parents.text(1)),
                                         .on_delete = {},
                                         .on_update = {}},
                                        mapped.schema->name));
  }
}

Result<Finding> unmapped_finding(Connection& connection, const ports::DatasetMapping& mapping,
                                 const Error& error) {
  Finding finding{Severity::kStops, mapping.schema->name, error.what + ": " + error.why, error.fix};
  if (error.code != ErrorCode::kSystemKey) return finding;
  SYN_TRY(const auto table, read_table(connection, mapping.table));
  if (!table) return finding;
  SYN_TRY(finding.fix,
          key_sql(connection, *table, std::span(mapping.columns).first(mapping.schema->key_count)));
  return finding;
}

}  // namespace

Result<std::vector<ports::TableInfo>> SqliteCatalog::tables() {
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kRead, "NORMAL", kLockWaitMs));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*connection, Access::kRead));
  SYN_TRY(const auto names,
          query_texts(*connection,
                      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND "
                      "type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND "
                      "name NOT IN " +
                          std::string(kNamesOfOurTables) + " ORDER BY name"));
  std::vector<ports::TableInfo> infos;
  for (const std::string& name : names) {
    SYN_TRY(const auto table, read_table(*connection, name));
    if (!table) continue;
    SYN_TRY(auto info, table_info(*connection, *table));
    infos.push_back(std::move(info));
  }
  return infos;
}

Result<std::vector<Finding>> SqliteCatalog::findings() {
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kRead, "NORMAL", kLockWaitMs));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*connection, Access::kRead));
  std::vector<Finding> out;
  std::vector<Mapped> captured;
  SYN_TRY(find_in_file(*connection, out));
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    auto mapped = read_mapped(*connection, mapping);
    if (!mapped) {
      SYN_TRY(auto unmapped, unmapped_finding(*connection, mapping, mapped.error()));
      out.push_back(std::move(unmapped));
      continue;
    }
    SYN_TRY(find_triggers(*connection, *shared_, mapped.value(), out));
    SYN_TRY(find_cascades(*connection, mapped.value(), out));
    SYN_TRY(find_silent_keys(*connection, mapped.value(), *shared_, out));
    SYN_TRY(find_in_columns(*connection, mapped.value(), out));
    SYN_TRY(find_in_indexes(*connection, *shared_, mapped.value(), out));
    SYN_TRY(find_numbering(*connection, mapped.value(), out));
    if (mapping.direction != ports::Direction::kTo) {
      captured.push_back(std::move(mapped).value());
    }
  }
  SYN_TRY(find_objects(*connection, *shared_, captured, out));
  return out;
}

// The last row read stays until a later one is, and numbers never come twice: a file whose last
// number is below that, or that has another row there, went back. The place may be an old one: that
// its row is gone says nothing.
Result<std::optional<Finding>> SqliteCatalog::find_gap(const model::Position& read_to) {
  if (shared_->is_scan) return std::optional<Finding>();
  const auto place = place_of(read_to);
  if (!place) return std::optional<Finding>();
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kRead, "NORMAL", kLockWaitMs));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*connection, Access::kRead));
  SYN_TRY(const int64_t has_log,
          connection->query_integer(
              "SELECT count(*) FROM sqlite_master WHERE name = 'syncline_changes'"));
  const std::string what = shared_->path + " is not the file that was read last, but an older copy";
  if (has_log == 0) {
    return std::optional(
        Finding{Severity::kStops, "",
                what + " of it, or `syncline detach` was run: syncline_changes is not in it",
                "run " + resync_command(*shared_)});
  }
  const std::string id = std::to_string(place.value().id);
  SYN_TRY(const int64_t went_back,
          connection->query_integer("SELECT coalesce(max(id), 0) < " + id +
                                    " OR EXISTS (SELECT 1 FROM syncline_changes WHERE id = " + id +
                                    " AND nonce <> " + std::to_string(place.value().nonce) +
                                    ") FROM syncline_changes"));
  if (went_back == 0) return std::optional<Finding>();
  return std::optional(Finding{Severity::kNote, "",
                               what + " of it: changes that were read from it are not in it",
                               "put the newer file back, or start: it is compared anew"});
}

Result<std::vector<std::string>> SqliteCatalog::detach() {
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(auto connection, Connection::open(shared_->path, Access::kWrite, "FULL", kInstallWaitMs));
  SYN_TRY(check_nobody_asks(*connection));
  return remove_objects(*connection);
}

}  // namespace syncline::sqlite
