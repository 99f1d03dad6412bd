#include "drivers/systems/postgres/detail/indexes.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>
#include <utility>

#include "drivers/scan/findings.hpp"
#include "drivers/systems/postgres/detail/reads.hpp"

namespace syncline::postgres {
namespace {

using ports::Severity;

constexpr int64_t kLargeRows = 10'000;  // below, no index is worth a word
constexpr int64_t kFilterFactor = 4;    // rows to those of a filter, from which a partial one pays
constexpr int64_t kNarrowFactor = 3;    // a row's bytes to those that are read of it, likewise
constexpr int64_t kEntryBytesMax = 2000;  // a B-tree refuses entries of 2,704 bytes
constexpr size_t kLookRows = 1000;

// The first of the statements that read the table in this order.
std::string lead_sql(const Mapped& mapped, Lead lead) {
  return lead == Lead::kKey ? chunk_sql(mapped, kLookRows, ChunkPlace::kFirst)
                            : changed_sql(mapped, "", kLookRows);
}

IndexUse use_of(const Answer& plan) {
  IndexUse use{true, true, true};
  for (size_t row = 0; row < plan.row_count(); ++row) {
    std::string_view line = plan.text(row, 0);
    line.remove_prefix(std::min(line.find_first_not_of(" ->"), line.size()));
    if (line == "Sort" || line.starts_with("Seq Scan")) use.is_ordered = false;
    if (line.starts_with("Filter:")) use.is_filter_free = false;
    if (line.starts_with("Index Scan")) use.is_alone = false;
  }
  use.is_filter_free = use.is_filter_free && use.is_ordered;
  use.is_alone = use.is_alone && use.is_ordered;
  return use;
}

// The planner takes the smaller index where rows are not known to be visible to all yet.
Result<bool> is_covered(Connection& connection, const Mapped& mapped, Lead lead) {
  ArrayLiteral needed;
  for (const Column& column : mapped.columns) needed.add(column.name);
  const std::string& first = lead == Lead::kKey ? mapped.columns[0].name : mapped.mapping->poll_by;
  const std::string at_first = literal(first);
  needed.add(first);
  SYN_TRY(const Answer rows,
          connection.query(
              "SELECT 1 FROM pg_index i JOIN pg_attribute f ON f.attrelid = i.indrelid AND "
              "f.attnum = i.indkey[0] WHERE i.indisvalid AND f.attname = " +
                  at_first + " AND i.indrelid = " + std::to_string(mapped.table.oid) +
                  (mapped.mapping->where.empty() ? " AND i.indpred IS NULL" : "") +
                  " AND NOT EXISTS (SELECT FROM unnest($1::text[]) n(name) WHERE NOT EXISTS "
                  "(SELECT FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attname = "
                  "n.name AND a.attnum = ANY(i.indkey::int2[])))",
              std::vector<Parameter>{needed.finish()}));
  return rows.row_count() > 0;
}

// Whether what is read of a row is a small part of it, and an index entry of it can never grow too
// large to be written.
Result<bool> is_narrow(Connection& connection, const Mapped& mapped, Lead lead) {
  ArrayLiteral needed;
  for (const Column& column : mapped.columns) needed.add(column.name);
  if (lead == Lead::kPollColumn) needed.add(mapped.mapping->poll_by);
  SYN_TRY(
      const Answer row,
      connection.query(
          "SELECT count(*) FILTER (WHERE is_read AND (bytes_max IS NULL OR avg_width IS NULL)), "
          "coalesce(sum(bytes_max) FILTER (WHERE is_read), 0)::bigint, coalesce(sum(avg_width) "
          "FILTER (WHERE is_read), 0)::bigint, coalesce(sum(avg_width), 0)::bigint FROM "
          "(SELECT a.attname = ANY($1::text[]) AS is_read, s.avg_width, CASE WHEN t.typlen > 0 "
          "THEN t.typlen WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN "
          "(a.atttypmod - 4) * 4 WHEN t.typname = 'numeric' AND a.atttypmod > 4 THEN "
          "((a.atttypmod - 4) >> 16) / 2 + 16 END AS bytes_max FROM pg_attribute a JOIN pg_type "
          "t ON t.oid = a.atttypid LEFT JOIN pg_stats s ON s.schemaname = " +
              literal(mapped.table.schema) + " AND s.tablename = " + literal(mapped.table.name) +
              " AND s.attname = a.attname AND s.inherited = " +
              (mapped.table.kind == 'p' ? "true" : "false") + " WHERE a.attrelid = " +
              std::to_string(mapped.table.oid) + " AND a.attnum > 0 AND NOT a.attisdropped) c",
          std::vector<Parameter>{needed.finish()}));
  const bool is_bounded = row.integer(0, 0) == 0 && row.integer(0, 1) <= kEntryBytesMax;
  return is_bounded && kNarrowFactor * row.integer(0, 2) <= row.integer(0, 3);
}

// An index takes no predicate whose outcome may change: without calls and the like it has none.
bool may_be_predicate(std::string_view where) {
  static const std::set<std::string, std::less<>> kWords = {"and", "or", "not", "in", "any"};
  static const std::set<std::string, std::less<>> kChanging = {
      "current_date",   "current_time", "current_timestamp", "localtime",
      "localtimestamp", "current_user", "session_user",      "select"};
  std::string word;
  bool is_quoted = false;
  bool is_ended = false;
  for (const char letter : std::string(where) + " ;") {
    if (letter == '\'') is_quoted = !is_quoted;
    if (is_quoted) continue;
    if (std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_') {
      if (std::exchange(is_ended, false)) word.clear();
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
      continue;
    }
    is_ended = true;
    if (kChanging.contains(word)) return false;
    if (letter == '(' && !word.empty() && !kWords.contains(word)) return false;
    if (letter != ' ') word.clear();
  }
  return true;
}

enum class Cover : uint8_t { kNothing, kAllThatIsRead };

std::string index_sql(const Mapped& mapped, Lead lead, Cover cover) {
  const bool is_partitioned = mapped.table.kind == 'p';
  std::vector<std::string> keys;
  if (lead == Lead::kPollColumn) keys.push_back(mapped.mapping->poll_by);
  std::vector<std::string> others;
  for (size_t i = 0; i < mapped.columns.size(); ++i) {
    const std::string& name = mapped.columns[i].name;
    if (std::find(keys.begin(), keys.end(), name) != keys.end()) continue;
    (i < mapped.key_count() ? keys : others).push_back(name);
  }
  const auto list = [](const std::vector<std::string>& names) {
    std::string sql;
    for (const std::string& name : names) sql += (sql.empty() ? "" : ", ") + quoted_name(name);
    return "(" + sql + ")";
  };
  std::string sql = std::string("CREATE INDEX ") + (is_partitioned ? "" : "CONCURRENTLY ") + "ON " +
                    mapped.table.sql_name() + " " + list(keys);
  if (cover == Cover::kAllThatIsRead && !others.empty()) sql += " INCLUDE " + list(others);
  const std::string& where = mapped.mapping->where;
  if (!where.empty() && may_be_predicate(where)) sql += " WHERE " + where;
  return sql + ";";
}

// Rows that the filter lets through, as the planner guesses.
Result<int64_t> rows_inside(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const std::string plan,
          connection.query_text("EXPLAIN SELECT 1 FROM " + mapped.table.sql_name() + " WHERE " +
                                mapped.mapping->where));
  const size_t at = plan.find("rows=");
  int64_t rows = mapped.table.row_estimate;
  if (at != std::string::npos) {
    std::from_chars(plan.data() + at + 5, plan.data() + plan.size(), rows);
  }
  return rows;
}

// Of a table that is looked at again and again.
Result<void> find_spared(Connection& connection, const Mapped& mapped, Lead lead, IndexUse use,
                         std::vector<ports::Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (mapped.table.row_estimate < kLargeRows || !use.is_ordered) return success();
  std::string reason;
  if (!mapping.where.empty() && !use.is_filter_free && may_be_predicate(mapping.where)) {
    SYN_TRY(const int64_t inside, rows_inside(connection, mapped));
    if (kFilterFactor * inside <= mapped.table.row_estimate) {
      reason = "passes over all rows that `where` leaves out, about " +
               std::to_string(mapped.table.row_estimate - inside) +
               ": a partial index holds none of them";
    }
  }
  SYN_TRY(const bool may_cover, is_narrow(connection, mapped, lead));
  SYN_TRY(const bool covers, is_covered(connection, mapped, lead));
  if (may_cover && !use.is_alone && !covers) {
    reason += std::string(reason.empty() ? "" : "; it ") +
              "fetches each whole row for the few columns that are synced: an index that includes "
              "them is read alone, once VACUUM has passed (it costs your updates of them a write)";
  }
  if (reason.empty()) return success();
  const auto cover = may_cover ? Cover::kAllThatIsRead : Cover::kNothing;
  out.push_back({Severity::kNote, mapping.schema->name,
                 (lead == Lead::kKey ? "each scan of " : "each poll of ") +
                     mapped.table.display_name() + " " + reason,
                 index_sql(mapped, lead, cover)});
  return success();
}

}  // namespace

Result<IndexUse> look_at_index(Connection& connection, const Mapped& mapped, Lead lead) {
  SYN_TRY(connection.run(
      "BEGIN READ ONLY; SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET "
      "LOCAL enable_sort = off; SET LOCAL max_parallel_workers_per_gather = 0"));
  auto plan = connection.query("EXPLAIN (COSTS OFF) " + lead_sql(mapped, lead));
  SYN_TRY(connection.run("ROLLBACK"));
  if (!plan) return std::move(plan).as_failure();
  return use_of(plan.value());
}

Result<std::string> poll_index_sql(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const bool may_cover, is_narrow(connection, mapped, Lead::kPollColumn));
  return index_sql(mapped, Lead::kPollColumn, may_cover ? Cover::kAllThatIsRead : Cover::kNothing);
}

Result<void> check_filter(Connection& connection, const Mapped& mapped) {
  const std::string& where = mapped.mapping->where;
  if (where.empty()) return success();
  const auto asked = connection.query("SELECT 1 FROM " + mapped.table.sql_name() +
                                      " WHERE false AND (" + where + ")");
  if (!asked) return scan::filter_error(*mapped.mapping, asked.error());
  return success();
}

Result<void> find_indexes(Connection& connection, const Mapped& mapped,
                          std::vector<ports::Finding>& out) {
  const ports::DatasetMapping& mapping = *mapped.mapping;
  if (!mapped.table.is_readable) return success();
  SYN_TRY(const IndexUse by_key, look_at_index(connection, mapped, Lead::kKey));
  if (!by_key.is_ordered) {
    out.push_back({Severity::kWarning, mapping.schema->name,
                   "no index has the order of the dataset's key in " + mapped.table.display_name() +
                       ": each chunk that a scan, a first sync or `verify` reads sorts all of it",
                   index_sql(mapped, Lead::kKey, Cover::kNothing)});
  }
  if (mapping.direction == ports::Direction::kTo) return success();
  if (mapping.capture == ports::Capture::kScan) {
    return find_spared(connection, mapped, Lead::kKey, by_key, out);
  }
  const bool is_polled =
      mapping.capture == ports::Capture::kPoll && mapped.table.find(mapping.poll_by) != nullptr;
  if (!is_polled) return success();
  SYN_TRY(const IndexUse by_column, look_at_index(connection, mapped, Lead::kPollColumn));
  return find_spared(connection, mapped, Lead::kPollColumn, by_column, out);
}

}  // namespace syncline::postgres
