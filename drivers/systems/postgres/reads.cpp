#include "drivers/systems/postgres/detail/reads.hpp"

#include <algorithm>
#include <charconv>

#include "drivers/systems/postgres/detail/alike.hpp"
#include "drivers/systems/postgres/detail/row_cells.hpp"
#include "host/base/bytes.hpp"
#include "host/model/key.hpp"
#include "host/ports/pieces.hpp"

namespace syncline::postgres {
namespace {

constexpr int kSeeTriesMax = 200;  // of 10 ms each

// Numbers of transactions run in a circle of 2^32.
uint32_t low_part(std::string_view text) {
  uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return static_cast<uint32_t>(value);
}

// A snapshot that sees everything the log has told.
Result<void> begin_seeing(Connection& connection, ReadTransaction& transaction,
                          std::vector<uint32_t>* shown_xids) {
  for (int attempt = 0; attempt < kSeeTriesMax; ++attempt) {
    SYN_TRY(const std::string snapshot, transaction.begin());
    if (shown_xids == nullptr || Visibility(snapshot).sees_all(*shown_xids)) {
      return success();
    }
    transaction.end();
    SYN_TRY(connection.query("SELECT pg_sleep(0.01)"));
  }
  return fail(ErrorCode::kSystemBusy, connection.place() + " does not show yet what its log says",
              "a commit waits for a synchronous standby", "nothing: it is tried again");
}

std::string is_inside(const Mapped& mapped) {
  return mapped.mapping->where.empty() ? ", true" : ", (" + mapped.mapping->where + ") IS TRUE";
}

// A key that the column's type cannot even read.
bool is_value_error(std::string_view sqlstate) {
  return sqlstate.substr(0, 2) == "22";
}

Result<Answer> select_keys(Connection& connection, const Mapped& mapped,
                           std::span<const std::string> keys, Records records) {
  std::vector<ArrayLiteral> wanted(mapped.key_count());
  for (const std::string& key : keys) {
    const auto parts = model::split_key(key);
    std::vector<std::string> texts;
    for (size_t i = 0; i < parts.size(); ++i) {
      auto text =
          native_from_canonical(parts[i], mapped.schema->fields[i].type, mapped.columns[i].type);
      if (text) texts.push_back(std::move(text).value());
    }
    // A key that the column cannot hold stands nowhere.
    if (texts.size() < wanted.size()) continue;
    for (size_t i = 0; i < wanted.size(); ++i) wanted[i].add(texts[i]);
  }
  std::string names;
  std::string arrays;
  std::vector<std::string> held;
  std::vector<std::string> casts;
  std::vector<Parameter> parameters;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    names += (i == 0 ? "k" : ", k") + number;
    arrays += (i == 0 ? "$" : ", $") + number + "::text[]";
    held.push_back(quoted_name(mapped.columns[i].name));
    casts.push_back("k" + number + "::" + mapped.columns[i].type.name);
    parameters.emplace_back(wanted[i].finish());
  }
  const bool is_locked = records == Records::kLocked;
  return connection.query("SELECT " + column_list(mapped) + (is_locked ? is_inside(mapped) : "") +
                              " FROM " + mapped.table.sql_name() + " WHERE (" +
                              told_apart(mapped, held) + ") IN (SELECT " +
                              told_apart(mapped, casts) + " FROM unnest(" + arrays + ") AS u(" +
                              names + "))" + (is_locked ? " FOR UPDATE NOWAIT" : filter_of(mapped)),
                          parameters);
}

Result<Answer> select_piece(Connection& connection, const Mapped& mapped, const std::string& cursor,
                            size_t row_limit) {
  std::vector<Parameter> after;
  ByteReader in(cursor);
  while (!cursor.empty() && after.size() < mapped.key_count()) after.emplace_back(in.text());
  const auto place = cursor.empty() ? ChunkPlace::kFirst : ChunkPlace::kBehindKey;
  return connection.query(chunk_sql(mapped, row_limit, place), after);
}

std::string cursor_of(const Mapped& mapped, const Answer& rows, size_t row) {
  std::string cursor;
  ByteWriter out(cursor);
  for (size_t i = 0; i < mapped.key_count(); ++i) out.text(rows.text(row, i));
  return cursor;
}

void show(const Mapped& mapped, const RowCells& cells, ports::ChangeSink& sink) {
  sink.row({mapped.dataset(), ports::RowOp::kSnapshot, false, cells.views(), {}});
}

}  // namespace

std::string filter_of(const Mapped& mapped) {
  return mapped.mapping->where.empty() ? "" : " AND (" + mapped.mapping->where + ")";
}

std::string chunk_sql(const Mapped& mapped, size_t row_limit, ChunkPlace place) {
  const std::string keys = column_list(mapped, mapped.key_count());
  std::string sql =
      "SELECT " + column_list(mapped) + " FROM " + mapped.table.sql_name() + " WHERE true";
  if (place == ChunkPlace::kBehindKey) {
    sql += " AND (" + keys + ") > (";
    for (size_t i = 1; i <= mapped.key_count(); ++i) {
      sql += (i == 1 ? "$" : ", $") + std::to_string(i);
    }
    sql += ")";
  }
  return sql + filter_of(mapped) + " ORDER BY " + keys + " LIMIT " + std::to_string(row_limit);
}

Result<std::string> ReadTransaction::begin() {
  SYN_TRY(connection_.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  is_open_ = true;
  return connection_.query_text("SELECT pg_current_snapshot()");
}

void ReadTransaction::end() {
  // A read that cannot be ended is on a connection that is gone.
  if (std::exchange(is_open_, false)) (void)connection_.run("ROLLBACK");
}

Result<std::string> visit_chunk(Connection& connection, const Mapped& mapped,
                                const std::string& cursor, size_t row_limit,
                                const VisitRow& visit) {
  std::string at = cursor;
  ports::Pieces pieces(row_limit);
  while (true) {
    const size_t wanted = pieces.next_rows();
    const auto rows = select_piece(connection, mapped, at, wanted);
    if (!rows && at == cursor) return rows.error();
    if (!rows) return at;  // the next chunk meets it first
    const size_t count = rows.value().row_count();
    for (size_t row = 0; row < count; ++row) visit(rows.value(), row);
    if (count < wanted) return std::string();
    at = cursor_of(mapped, rows.value(), count - 1);
    pieces.take(count, rows.value().size_bytes());
    if (pieces.is_full()) return at;
  }
}

// All at once; where a key cannot even be read by its column, one by one. Locks that were taken
// stay: only what failed is rolled back.
Result<std::vector<Answer>> select_records(Connection& connection, const Mapped& mapped,
                                           std::span<const std::string> keys, Records records) {
  constexpr const char* kSave = "SAVEPOINT syncline_keys";
  std::vector<Answer> answers;
  SYN_TRY(connection.run(kSave));
  auto all = select_keys(connection, mapped, keys, records);
  if (all) {
    answers.push_back(std::move(all).value());
    return answers;
  }
  if (!is_value_error(connection.sqlstate())) return std::move(all).as_failure();
  SYN_TRY(connection.run("ROLLBACK TO SAVEPOINT syncline_keys"));
  for (const std::string& key : keys) {
    SYN_TRY(connection.run(kSave));
    auto rows = select_keys(connection, mapped, std::span(&key, 1), records);
    if (rows) {
      answers.push_back(std::move(rows).value());
      continue;
    }
    if (!is_value_error(connection.sqlstate())) return std::move(rows).as_failure();
    SYN_TRY(connection.run("ROLLBACK TO SAVEPOINT syncline_keys"));
  }
  return answers;
}

Visibility::Visibility(std::string_view snapshot) {
  const size_t first = snapshot.find(':');
  const size_t second = snapshot.find(':', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return;
  end_ = low_part(snapshot.substr(first + 1, second - first - 1));
  snapshot.remove_prefix(second + 1);
  while (!snapshot.empty()) {
    const size_t comma = std::min(snapshot.find(','), snapshot.size());
    running_.push_back(low_part(snapshot.substr(0, comma)));
    snapshot.remove_prefix(std::min(comma + 1, snapshot.size()));
  }
}

bool Visibility::sees(uint32_t xid) const {
  if (static_cast<int32_t>(xid - end_) >= 0) return false;
  return std::find(running_.begin(), running_.end(), xid) == running_.end();
}

bool Visibility::sees_all(std::vector<uint32_t>& xids) const {
  std::erase_if(xids, [this](uint32_t xid) { return sees(xid); });
  return xids.empty();
}

Result<ports::SnapshotChunk> show_chunk(Connection& connection, const ChunkWanted& wanted,
                                        ports::ChangeSink& sink) {
  const Mapped& mapped = wanted.mapped;
  ports::SnapshotChunk chunk;
  sink.begin(wanted.transaction);
  RowCells cells;
  auto cursor = visit_chunk(
      connection, mapped, wanted.cursor, wanted.row_limit, [&](const Answer& rows, size_t row) {
        cells.reset(mapped.columns.size());
        if (auto filled = fill_row(mapped, rows, row, cells); filled) {
          show(mapped, cells, sink);
          ++chunk.row_count;
        } else {
          chunk.rejected.push_back(rejected_row(mapped, cells, std::move(filled).error()));
        }
      });
  sink.end();
  if (!cursor) return std::move(cursor).as_failure();
  chunk.cursor = std::move(cursor).value();
  return chunk;
}

Result<ports::SnapshotChunk> read_chunk(Connection& connection, const ChunkWanted& wanted,
                                        std::vector<uint32_t>* shown_xids,
                                        ports::ChangeSink& sink) {
  ReadTransaction transaction(connection);
  SYN_TRY(begin_seeing(connection, transaction, shown_xids));
  return show_chunk(connection, wanted, sink);
}

Result<uint64_t> estimate_rows(Connection& connection, const Mapped& mapped) {
  const std::string table = literal(mapped.table.sql_name()) + "::regclass";
  SYN_TRY(
      const std::string count,
      connection.query_text(
          "SELECT coalesce(sum(CASE WHEN reltuples > 0 THEN reltuples WHEN relkind IN ('r', "
          "'p') THEN pg_relation_size(oid) / 100 END), 0)::bigint FROM pg_class WHERE oid = " +
          table + " OR oid IN (SELECT relid FROM pg_partition_tree(" + table + ") WHERE isleaf)"));
  uint64_t rows = 0;
  std::from_chars(count.data(), count.data() + count.size(), rows);
  return rows;
}

Result<std::vector<ports::RejectedRow>> read_keys(Connection& connection, const Mapped& mapped,
                                                  std::span<const std::string> keys,
                                                  const ReadPlace& place, ports::ChangeSink& sink) {
  ReadTransaction transaction(connection);
  SYN_TRY(begin_seeing(connection, transaction, place.shown_xids));
  SYN_TRY(const auto answers, select_records(connection, mapped, keys, Records::kRead));
  std::vector<ports::RejectedRow> rejected;
  sink.begin(place.transaction);
  RowCells cells;
  for (const Answer& rows : answers) {
    for (size_t row = 0; row < rows.row_count(); ++row) {
      cells.reset(mapped.columns.size());
      if (auto filled = fill_row(mapped, rows, row, cells); filled) {
        show(mapped, cells, sink);
      } else {
        rejected.push_back(rejected_row(mapped, cells, std::move(filled).error()));
      }
    }
  }
  sink.end();
  return rejected;
}

}  // namespace syncline::postgres
