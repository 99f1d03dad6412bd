// The source's reads of what is there: whole tables in chunks by key, and single records.
#include "drivers/systems/sqlite/detail/source.hpp"
#include "host/model/key.hpp"

namespace syncline::sqlite {
namespace {

constexpr int64_t kMillisecondUs = 1000;

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

void show(const Mapped& mapped, const RecordCells& cells, ports::ChangeSink& sink) {
  sink.row({mapped.dataset(), ports::RowOp::kSnapshot, false, cells.views(), {}});
}

}  // namespace

// The transaction's position is the log's end in the same read: whatever the log has up to there is
// in these rows. The log may be read from an earlier place; its rows then show nothing new.
Result<ports::SnapshotChunk> SqliteSource::read_snapshot(model::DatasetId dataset,
                                                         const std::string& cursor,
                                                         size_t row_limit,
                                                         ports::ChangeSink& sink) {
  SYN_TRY(check_schema());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  SYN_TRY(const Place end, last_place());
  ports::SnapshotChunk chunk;
  if (cursor.empty()) {
    SYN_TRY(reject_null_keys(*reader_, *mapped, chunk.rejected));
  }
  SYN_TRY(Statement rows, reader_->prepare(chunk_sql(*mapped, cursor.empty())));
  rows.bind(1, static_cast<int64_t>(row_limit));
  ByteReader in(cursor);
  for (size_t i = 0; !cursor.empty() && i < mapped->key_count(); ++i) {
    rows.bind(static_cast<int>(i) + 2, read_value(in));
  }
  sink.begin({position_of(end), clock_.now_us(), kMillisecondUs});
  RecordCells cells;
  std::string last_key;
  size_t read_count = 0;
  while (true) {
    SYN_TRY(const bool has_row, reader_->next(rows));
    if (!has_row) break;
    ++read_count;
    const auto values = row_values(rows, 0, mapped->columns.size());
    last_key.clear();
    for (size_t i = 0; i < mapped->key_count(); ++i) append_value(values[i], last_key);
    if (auto filled = cells.fill(*mapped, values); filled) {
      show(*mapped, cells, sink);
      ++chunk.row_count;
    } else {
      const auto key = joined_key(*mapped, {values.begin(), values.begin() + mapped->key_count()});
      chunk.rejected.push_back(
          rejected_row(*mapped, key ? key.value() : std::string(), std::move(filled).error()));
    }
  }
  sink.end();
  if (read_count == row_limit) chunk.cursor = std::move(last_key);
  return chunk;
}

Result<void> SqliteSource::read_records(model::DatasetId dataset, std::span<const std::string> keys,
                                        ports::ChangeSink& sink) {
  SYN_TRY(check_schema());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  SYN_TRY(const Place end, last_place());
  SYN_TRY(RecordReader reader, RecordReader::make(*reader_, *mapped));
  sink.begin({position_of(end), clock_.now_us(), kMillisecondUs});
  RecordCells cells;
  for (const std::string& key : keys) {
    SYN_TRY(auto native, native_key(*mapped, key));
    SYN_TRY(const auto values, reader.find(native.values()));
    if (!values) continue;
    if (auto filled = cells.fill(*mapped, *values); !filled) {
      return rejected_row(*mapped, key, std::move(filled).error()).error;
    }
    show(*mapped, cells, sink);
  }
  sink.end();
  return success();
}

}  // namespace syncline::sqlite
