#include "drivers/systems/sqlite/detail/numbering.hpp"

#include "drivers/systems/sqlite/detail/rebuild.hpp"

namespace syncline::sqlite {
namespace {

using ports::Finding, ports::Severity;

// Above what sequences of other systems come to, and exact in a float64: JSON takes it.
constexpr int64_t kRangeSize = 1'000'000'000'000'000;

constexpr const char* kInConfig =
    "-- direction = \"to\" in the section of every system but one; or numbers = \"apart\" in this "
    "dataset's section of each, where the program gives the keys itself (UUIDs, numbers in steps "
    "of "
    "its own)";
constexpr const char* kBesideSteps =
    "; or, for a key of 64 bits beside PostgreSQL, whose sequences in steps do not follow:\n";

int64_t range_begin(const Mapped& mapped) {
  return (static_cast<int64_t>(mapped.mapping->maker_index) + 1) * kRangeSize;
}

// Numbers never go back then, and those of the others never come up to it.
Result<bool> is_in_range(Connection& connection, const Mapped& mapped) {
  if (!mapped.mapping->do_others_step || !has_word(mapped.table.sql, "AUTOINCREMENT")) return false;
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM main.sqlite_sequence WHERE name = " +
                                   literal(mapped.table.name) +
                                   " AND seq >= " + std::to_string(range_begin(mapped))));
  return count > 0;
}

std::string range_sql(const Mapped& mapped) {
  const std::string name = literal(mapped.table.name);
  return "INSERT INTO main.sqlite_sequence(name, seq) SELECT " + name +
         ", 0 WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_sequence WHERE name = " + name +
         "); UPDATE main.sqlite_sequence SET seq = max(seq, " +
         std::to_string(range_begin(mapped)) + ") WHERE name = " + name + ";";
}

// A table of AUTOINCREMENT alone can begin elsewhere than above its highest row.
Result<std::string> begin_sql(Connection& connection, const Mapped& mapped, const Column& key) {
  if (has_word(mapped.table.sql, "AUTOINCREMENT")) return range_sql(mapped);
  Rebuild rebuild;
  rebuild.after = range_sql(mapped) + " ";
  add_change(rebuild.changes, {.column = key.name, .numbers = ColumnChange::Numbers::kNeverTwice});
  return rebuild_sql(connection, mapped.table, rebuild);
}

}  // namespace

Result<bool> is_numbered(Connection& connection, const Table& table, const Column& column) {
  if (column.primary_key_place != 1 || table.is_without_rowid) return false;
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM pragma_index_list(" + literal(table.name) +
                                   ") WHERE origin = 'pk'"));
  return count == 0;
}

Result<void> find_numbering(Connection& connection, const Mapped& mapped,
                            std::vector<Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (mapping.direction == ports::Direction::kTo || mapping.maker_count < 2) return success();
  SYN_TRY(const bool is_apart, is_in_range(connection, mapped));
  if (is_apart) return success();
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    SYN_TRY(const bool has_numbers, is_numbered(connection, mapped.table, mapped.columns[i]));
    if (!has_numbers) continue;
    std::string fix(kInConfig);
    if (mapping.do_others_step) {
      SYN_TRY(const std::string sql, begin_sql(connection, mapped, mapped.columns[i]));
      fix.append(kBesideSteps).append(sql);
    }
    out.push_back({Severity::kStops, mapped.schema->name,
                   "key column " + mapped.columns[i].name + " of " + mapped.table.name +
                       " is numbered by SQLite, one above the highest that is there, and another "
                       "system makes records too: two would share a number",
                   std::move(fix)});
  }
  return success();
}

}  // namespace syncline::sqlite
