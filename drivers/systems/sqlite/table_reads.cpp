#include "drivers/systems/sqlite/detail/table_reads.hpp"

#include "host/ports/pieces.hpp"

namespace syncline::sqlite {
namespace {

// "a", "b"
std::string key_list(const Mapped& mapped) {
  return column_list({mapped.columns.begin(),
                      mapped.columns.begin() + static_cast<std::ptrdiff_t>(mapped.key_count())});
}

// Row values compare column by column by the columns' own collations, as the key's index does.
std::string chunk_sql(const Mapped& mapped, bool is_first) {
  const std::string keys = key_list(mapped);
  std::string present;
  std::string parameters;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    present += (i == 0 ? "" : " AND ") + quoted(mapped.columns[i].name) + " IS NOT NULL";
    parameters += (i == 0 ? "?" : ", ?") + std::to_string(i + 2);
  }
  return "SELECT " + column_list(mapped.columns) + " FROM " + quoted(mapped.table.name) +
         " WHERE " + present + filter_condition(mapped) +
         (is_first ? "" : " AND (" + keys + ") > (" + parameters + ")") + " ORDER BY " + keys +
         " LIMIT ?1";
}

void show(const Mapped& mapped, const RecordCells& cells, ports::ChangeSink& sink) {
  sink.row({mapped.dataset(), ports::RowOp::kSnapshot, false, cells.views(), {}});
}

}  // namespace

// Without the row filter, which may have an index of its own that is worth a sort.
Result<bool> is_key_ordered(Connection& connection, const Mapped& mapped) {
  SYN_TRY(
      Statement plan,
      connection.prepare("EXPLAIN QUERY PLAN SELECT " + column_list(mapped.columns) + " FROM " +
                         quoted(mapped.table.name) + " ORDER BY " + key_list(mapped) + " LIMIT 1"));
  constexpr int kDetail = 3;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(plan));
    if (!has_row) return true;
    if (plan.text(kDetail) == "USE TEMP B-TREE FOR ORDER BY") return false;
  }
}

Result<void> reject_null_keys(Connection& connection, const Mapped& mapped,
                              std::vector<ports::RejectedRow>& rejected) {
  std::string absent;
  for (size_t i = 0; i < mapped.key_count(); ++i) {
    absent += (i == 0 ? "" : " OR ") + quoted(mapped.columns[i].name) + " IS NULL";
  }
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM " + quoted(mapped.table.name) +
                                   " WHERE (" + absent + ")" + filter_condition(mapped)));
  if (count == 0) return success();
  rejected.push_back(rejected_row(
      mapped, {},
      {ErrorCode::kSystemKey,
       std::to_string(count) + " rows of " + mapped.table.name + " have NULL in their key",
       "a record is known by its key, and NULL equals nothing",
       "give these rows keys: SELECT * FROM " + quoted(mapped.table.name) + " WHERE " + absent}));
  return success();
}

Error not_open(const std::string& path) {
  return {ErrorCode::kSystemOpen, path + " is not open", "the file went away",
          "put it back: it is looked for again"};
}

Result<uint64_t> count_rows(Connection& connection, const Mapped& mapped) {
  SYN_TRY(const int64_t count,
          connection.query_integer("SELECT count(*) FROM " + quoted(mapped.table.name)));
  return static_cast<uint64_t>(count);
}

Error not_read(model::DatasetId dataset, const std::map<model::DatasetId, Error>& stopped,
               const std::string& path) {
  const auto found = stopped.find(dataset);
  if (found != stopped.end()) return found->second;
  return {ErrorCode::kInvalidArgument, "the dataset is not read from " + path,
          "its direction is \"to\", or the config does not name it", "correct the config"};
}

Result<std::string> read_chunk(Connection& connection, const Mapped& mapped,
                               const std::string& cursor, size_t row_limit,
                               const std::function<void(const std::vector<NativeValue>&)>& take) {
  SYN_TRY(Statement rows, connection.prepare(chunk_sql(mapped, cursor.empty())));
  rows.bind(1, static_cast<int64_t>(row_limit));
  ByteReader in(cursor);
  for (size_t i = 0; !cursor.empty() && i < mapped.key_count(); ++i) {
    rows.bind(static_cast<int>(i) + 2, read_value(in));
  }
  size_t count = 0;
  size_t size_bytes = 0;
  while (true) {
    SYN_TRY(const bool has_row, connection.next(rows));
    if (!has_row) return std::string();
    const auto values = row_values(rows, 0, mapped.columns.size());
    take(values);
    for (const NativeValue& value : values) size_bytes += sizeof(value) + value.bytes.size();
    if (++count < row_limit && size_bytes < ports::kChunkBytesMax) continue;
    std::string last_key;
    for (size_t i = 0; i < mapped.key_count(); ++i) append_value(values[i], last_key);
    return last_key;
  }
}

Result<ports::SnapshotChunk> show_chunk(Connection& connection, const Mapped& mapped,
                                        const std::string& cursor, size_t row_limit,
                                        const ports::TransactionInfo& transaction,
                                        ports::ChangeSink& sink) {
  ports::SnapshotChunk chunk;
  if (cursor.empty()) {
    SYN_TRY(reject_null_keys(connection, mapped, chunk.rejected));
  }
  sink.begin(transaction);
  RecordCells cells;
  const auto take = [&](const std::vector<NativeValue>& values) {
    if (auto filled = cells.fill(mapped, values); filled) {
      show(mapped, cells, sink);
      ++chunk.row_count;
    } else {
      chunk.rejected.push_back(rejected_values(mapped, values, std::move(filled).error()));
    }
  };
  SYN_TRY(chunk.cursor, read_chunk(connection, mapped, cursor, row_limit, take));
  sink.end();
  return chunk;
}

Result<std::vector<ports::RejectedRow>> show_records(Connection& connection, const Mapped& mapped,
                                                     std::span<const std::string> keys,
                                                     const ports::TransactionInfo& transaction,
                                                     ports::ChangeSink& sink) {
  SYN_TRY(RecordReader reader, RecordReader::make(connection, mapped));
  std::vector<ports::RejectedRow> rejected;
  sink.begin(transaction);
  RecordCells cells;
  for (const std::string& key : keys) {
    const auto native = native_key(mapped, key);
    if (!native) continue;  // no row here can have it
    SYN_TRY(const auto values, reader.find(native.value().values()));
    if (!values) continue;
    if (auto filled = cells.fill(mapped, *values); filled) {
      show(mapped, cells, sink);
    } else {
      rejected.push_back(rejected_row(mapped, key, std::move(filled).error()));
    }
  }
  sink.end();
  return rejected;
}

}  // namespace syncline::sqlite
