#include "drivers/systems/mariadb/detail/reads.hpp"

#include <cstdio>

#include "host/base/bytes.hpp"
#include "host/model/key.hpp"
#include "host/ports/pieces.hpp"

namespace syncline::mariadb {
namespace {

constexpr size_t kFieldRowsMax = 50'000;

std::vector<std::string> order_terms(const Mapped& mapped) {
  std::vector<std::string> terms;
  terms.reserve(mapped.key_count());
  for (size_t i = 0; i < mapped.key_count(); ++i) terms.push_back(order_term(mapped.columns[i]));
  return terms;
}

std::string chunk_sql(const Mapped& mapped, const std::string& list, size_t row_limit,
                      const std::vector<std::string>& after) {
  const auto terms = order_terms(mapped);
  std::string order;
  for (const std::string& term : terms) order += (order.empty() ? "" : ", ") + term;
  std::string sql = "SELECT " + list + " FROM " + quoted_name(mapped.table.name) + " WHERE TRUE" +
                    filter_of(mapped);
  if (!after.empty())
    sql += " AND " + terms[0] + " >= " + after[0] + " AND " + behind(terms, after);
  return sql + " ORDER BY " + order + " LIMIT " + std::to_string(row_limit);
}

void show(const Mapped& mapped, const RowCells& cells, ports::ChangeSink& sink) {
  sink.row({mapped.dataset(), ports::RowOp::kSnapshot, false, cells.views(), {}});
}

// FLOAT as text has six digits; as a double it has all of them. A CAST to bytes would be NULL where
// they are more than max_allowed_packet.
std::string select_term(const Column& column) {
  const std::string name = quoted_name(column.name);
  if (is_read_as_bytes(column.type)) return "CONVERT(" + name + " USING binary)";
  return column.type.category == Category::kFloat ? "(" + name + " * 1e0)" : name;
}

std::string cursor_of(const Mapped& mapped, const Answer& row) {
  std::string cursor;
  ByteWriter out(cursor);
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    out.text(sql_value_of_text(mapped.columns[i].type, row.text(i)));
  }
  return cursor;
}

std::vector<std::string> values_of(const Mapped& mapped, const std::string& cursor) {
  std::vector<std::string> values;
  ByteReader in(cursor);
  while (!cursor.empty() && values.size() < mapped.key_count()) values.emplace_back(in.text());
  return values;
}

// 1, 'a'; empty for a key that the columns cannot hold: it stands nowhere.
std::vector<std::string> key_values(const Mapped& mapped, const std::string& key) {
  std::vector<std::string> values;
  const auto parts = model::split_key(key);
  for (size_t i = 0; i < parts.size(); ++i) {
    const auto value =
        parameter_from_canonical(parts[i], mapped.schema->fields[i].type, mapped.columns[i].type);
    if (!value) return {};
    values.push_back(sql_value(mapped.columns[i].type, value.value()));
  }
  return values;
}

// (`a`, `b`) IN ((1, 'a'), ...), or what a server needs in its place to go by an index.
std::string wanted_keys(const Dialect& dialect, const Mapped& mapped,
                        std::span<const std::string> keys) {
  const bool is_list = dialect.looks_up_rows || mapped.key_count() == 1;
  std::string wanted;
  for (const std::string& key : keys) {
    const auto values = key_values(mapped, key);
    if (values.empty()) continue;
    wanted += wanted.empty() ? "(" : is_list ? ", (" : " OR (";
    for (size_t i = 0; i < values.size(); ++i) {
      if (i > 0) wanted += is_list ? ", " : " AND ";
      if (!is_list) wanted += quoted_name(mapped.columns[i].name) + " = ";
      wanted += values[i];
    }
    wanted += ")";
  }
  if (wanted.empty()) return wanted;
  if (!is_list) return "(" + wanted + ")";
  return "(" + column_list(mapped, mapped.key_count()) + ") IN (" + wanted + ")";
}

}  // namespace

std::string sql_value(ParameterKind kind, const Parameter& value) {
  switch (kind) {
    case ParameterKind::kInteger:
      return std::to_string(value.integer);
    case ParameterKind::kUnsigned:
      return std::to_string(static_cast<uint64_t>(value.integer));
    case ParameterKind::kFloat:
    case ParameterKind::kDouble: {
      char text[40];
      std::snprintf(text, sizeof text, "%.17g", value.real);
      return text;
    }
    case ParameterKind::kDecimal:
      return value.text;
    case ParameterKind::kText:
      return literal(value.text);
    case ParameterKind::kBytes:
      break;
  }
  std::string sql = "X'";
  for (const char byte : value.text) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", static_cast<uint8_t>(byte));
    sql += digits;
  }
  return sql + "'";
}

std::string sql_value(const NativeType& native, const Parameter& value) {
  return sql_value(parameter_kind_of(native), value);
}

Result<void> ReadTransaction::begin() {
  SYN_TRY(connection_.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
  SYN_TRY(connection_.run("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
  is_open_ = true;
  return success();
}

void ReadTransaction::end() {
  // A read that cannot be ended is on a connection that is gone.
  if (std::exchange(is_open_, false)) (void)connection_.run("ROLLBACK");
}

std::string select_list(const Mapped& mapped, size_t count) {
  std::string sql;
  for (size_t i = 0; i < (count == 0 ? mapped.columns.size() : count); ++i) {
    sql += (i == 0 ? "" : ", ") + select_term(mapped.columns[i]);
  }
  return sql;
}

// By what rows are ordered and compared: labels by their text, not by their place in the type.
std::string order_term(const Column& column) {
  const std::string name = quoted_name(column.name);
  const bool is_label =
      column.type.category == Category::kEnum || column.type.category == Category::kSet;
  return is_label ? "CAST(" + name + " AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_bin" : name;
}

// Of a cell of select_list. As the column has it, an index serves, and what is no letter keeps its
// place in the order.
std::string sql_value_of_text(const NativeType& native, std::string_view text) {
  Parameter value;
  value.text = text;
  if (is_read_as_bytes(native) && !is_utf8_here(text, native)) {
    return "_" + native.charset + " " + sql_value(ParameterKind::kBytes, value);
  }
  if (native.category == Category::kBit) {
    for (const char byte : text) value.integer = value.integer << 8 | static_cast<uint8_t>(byte);
    return sql_value(native, value);
  }
  const ParameterKind kind = parameter_kind_of(native);
  const bool is_number = kind != ParameterKind::kText && kind != ParameterKind::kBytes;
  return is_number ? std::string(text) : sql_value(native, value);
}

std::string filter_of(const Mapped& mapped) {
  return mapped.mapping->where.empty() ? "" : " AND (" + mapped.mapping->where + ")";
}

std::string behind(const std::vector<std::string>& terms, const std::vector<std::string>& values,
                   size_t at) {
  std::string sql = "(" + terms[at] + " > " + values[at];
  if (at + 1 < values.size()) {
    sql += " OR (" + terms[at] + " = " + values[at] + " AND " + behind(terms, values, at + 1) + ")";
  }
  return sql + ")";
}

Result<std::string> visit_chunk(Connection& connection, const Mapped& mapped,
                                const std::string& cursor, size_t row_limit,
                                const VisitRow& visit) {
  const std::string columns = select_list(mapped);
  std::string at = cursor;
  ports::Pieces pieces(row_limit);
  while (true) {
    const size_t wanted = pieces.next_rows();
    auto piece = connection.query(chunk_sql(mapped, columns, wanted, values_of(mapped, at)));
    if (!piece && at == cursor) return std::move(piece).as_failure();
    if (!piece) return at;  // the next chunk meets it first
    Answer& rows = piece.value();
    size_t left = rows.row_count();
    const bool is_last = left < wanted;
    size_t size_bytes = 0;
    while (rows.next()) {
      visit(rows);
      size_bytes += rows.size_bytes();
      if (--left == 0 && !is_last) at = cursor_of(mapped, rows);
    }
    if (is_last) return std::string();
    pieces.take(wanted, size_bytes);
    if (pieces.is_full()) return at;
  }
}

Result<std::optional<Answer>> select_records(Connection& connection, const Mapped& mapped,
                                             std::span<const std::string> keys, Records records) {
  const std::string wanted = wanted_keys(connection.dialect(), mapped, keys);
  if (wanted.empty()) return std::optional<Answer>();
  const bool is_locked = records == Records::kLocked;
  const std::string& where = mapped.mapping->where;
  const std::string inside = where.empty() ? ", 1" : ", (" + where + ") IS TRUE";
  SYN_TRY(Answer rows,
          connection.query("SELECT " + select_list(mapped) + (is_locked ? inside : "") + " FROM " +
                           quoted_name(mapped.table.name) + " WHERE " + wanted +
                           (is_locked ? connection.dialect().lock : filter_of(mapped))));
  return std::optional(std::move(rows));
}

Result<ports::SnapshotChunk> show_chunk(Connection& connection, const ChunkWanted& wanted,
                                        ports::ChangeSink& sink) {
  const Mapped& mapped = wanted.mapped;
  ports::SnapshotChunk chunk;
  sink.begin(wanted.place.transaction);
  RowCells cells;
  auto cursor =
      visit_chunk(connection, mapped, wanted.cursor, wanted.row_limit, [&](const Answer& row) {
        if (auto filled = fill_row(mapped, row, cells); filled) {
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
                                        ports::ChangeSink& sink) {
  ReadTransaction transaction(connection);
  SYN_TRY(begin_seeing(connection, transaction, wanted.place.shown));
  return show_chunk(connection, wanted, sink);
}

Result<uint64_t> estimate_rows(Connection& connection, const Mapped& mapped) {
  SYN_TRY(Answer row, connection.query("SELECT TABLE_ROWS FROM information_schema.TABLES WHERE "
                                       "TABLE_SCHEMA = DATABASE() AND TABLE_NAME = " +
                                       literal(mapped.table.name)));
  return row.next() ? static_cast<uint64_t>(row.integer(0)) : uint64_t{0};
}

Result<std::vector<ports::RejectedRow>> read_keys(Connection& connection, const Mapped& mapped,
                                                  std::span<const std::string> keys,
                                                  const ReadPlace& place, ports::ChangeSink& sink) {
  std::vector<ports::RejectedRow> rejected;
  sink.begin(place.transaction);
  auto visited = visit_records(connection, mapped, keys, place.shown,
                               [&](const RowCells& cells, const Result<void>& filled) {
                                 if (filled) return show(mapped, cells, sink);
                                 rejected.push_back(rejected_row(mapped, cells, filled.error()));
                               });
  sink.end();
  if (!visited) return std::move(visited).as_failure();
  return rejected;
}

Result<void> visit_records(Connection& connection, const Mapped& mapped,
                           std::span<const std::string> keys, Place shown,
                           const VisitRecord& visit) {
  ReadTransaction transaction(connection);
  SYN_TRY(begin_seeing(connection, transaction, shown));
  SYN_TRY(auto rows, select_records(connection, mapped, keys, Records::kRead));
  RowCells cells;
  while (rows && rows->next()) {
    const auto filled = fill_row(mapped, *rows, cells);
    visit(cells, filled);
  }
  return success();
}

Result<void> read_fields(Connection& connection, const Mapped& mapped,
                         std::span<const size_t> fields, const VisitCells& visit) {
  std::string list;
  for (const size_t field : fields) {
    list += (list.empty() ? "" : ", ") + select_term(mapped.columns[field]);
  }
  std::string cursor;
  RowCells cells;
  while (true) {
    SYN_TRY(Answer rows,
            connection.query(chunk_sql(mapped, list, kFieldRowsMax, values_of(mapped, cursor))));
    const bool is_last = rows.row_count() < kFieldRowsMax;
    while (rows.next()) {
      cells.reset(mapped.columns.size());
      for (size_t i = 0; i < fields.size(); ++i) {
        // One that cannot be held is rejected where the row is read whole; here it is not known.
        (void)(rows.is_null(i) ? cells.set_null(mapped, fields[i])
                               : cells.set_read(mapped, fields[i], rows.text(i)));
      }
      visit(cells.views());
      if (!is_last) cursor = cursor_of(mapped, rows);
    }
    if (is_last) return success();
  }
}

}  // namespace syncline::mariadb
