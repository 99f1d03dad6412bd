#include "drivers/systems/sqlite/detail/change_reader.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "drivers/systems/sqlite/detail/emitter.hpp"

namespace syncline::sqlite {
namespace {

constexpr size_t kPositionSize = 16;

}  // namespace

model::Position position_of(const Place& place) {
  std::string bytes;
  for (const int64_t number : {place.id, place.nonce}) {
    for (int shift = 56; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<char>(static_cast<uint64_t>(number) >> shift));
    }
  }
  return {std::move(bytes)};
}

Result<Place> place_of(const model::Position& position) {
  if (position.bytes.size() != kPositionSize) {
    return fail(ErrorCode::kSystemLost, "the stored position is not one of a SQLite system",
                "the system's kind or the data folder was changed",
                "run `syncline resync` for this system");
  }
  std::array<int64_t, 2> numbers{};
  for (size_t i = 0; i < kPositionSize; ++i) {
    numbers[i / 8] = static_cast<int64_t>(static_cast<uint64_t>(numbers[i / 8]) << 8 |
                                          static_cast<uint8_t>(position.bytes[i]));
  }
  return Place{numbers[0], numbers[1]};
}

Result<std::unique_ptr<ChangeReader>> ChangeReader::make(Connection& connection,
                                                         const std::vector<Mapped>& captured) {
  std::unique_ptr<ChangeReader> reader(new ChangeReader(connection));
  for (const Mapped& mapped : captured) {
    SYN_TRY(RecordReader records, RecordReader::make(connection, mapped));
    reader->reader_of_.emplace(mapped.dataset(), reader->readers_.size());
    reader->readers_.push_back(std::move(records));
    reader->key_count_max_ = std::max(reader->key_count_max_, mapped.key_count());
  }
  SYN_TRY(reader->rows_,
          connection.prepare("SELECT id, nonce, applying, op, dataset, at, payload, " +
                             key_columns(reader->key_count_max_) +
                             " FROM syncline_changes WHERE id > ?1 ORDER BY id LIMIT ?2"));
  return reader;
}

ChangeReader::Row ChangeReader::current_row(size_t key_count_max) {
  Row row;
  row.place = {rows_.integer(0), rows_.integer(1)};
  row.change.is_ours = rows_.integer(2) != 0;
  row.change.op = static_cast<ChangeOp>(rows_.integer(3));
  row.dataset = static_cast<model::DatasetId>(rows_.integer(4));
  row.change.at_ms = rows_.integer(5);
  if (!is_record_op(row.change.op)) row.change.payload = rows_.blob(6);
  row.is_moved = row.change.op == ChangeOp::kInsert && !rows_.blob(6).empty();
  const auto found = reader_of_.find(row.dataset);
  const size_t key_count =
      found == reader_of_.end() ? 0 : readers_[found->second].mapped().key_count();
  for (size_t i = 0; i < std::min(key_count, key_count_max); ++i) {
    append_value(rows_.value(static_cast<int>(7 + i)), row.key);
  }
  return row;
}

Result<std::vector<ChangeReader::Row>> ChangeReader::read_rows(const Place& after,
                                                               size_t row_limit) {
  const StatementScope scope(rows_);
  rows_.bind(1, after.id);
  rows_.bind(2, static_cast<int64_t>(row_limit));
  std::vector<Row> rows;
  while (true) {
    SYN_TRY(const bool has_row, connection_.next(rows_));
    if (!has_row) return rows;
    rows.push_back(current_row(key_count_max_));
  }
}

// How many of the first rows have records that fit into a run, by looking at some of them.
Result<size_t> ChangeReader::fitting(std::span<const Row> rows) {
  constexpr size_t kRunBytesMax = 16u << 20;
  constexpr size_t kAlwaysFitting = 128;
  constexpr size_t kLooks = 32;
  while (rows.size() > kAlwaysFitting) {
    size_t size_bytes = 0;
    for (size_t look = 0; look < kLooks; ++look) {
      SYN_TRY(const size_t size, record_size(rows[look * rows.size() / kLooks]));
      size_bytes += size;
    }
    const size_t row_size = size_bytes / kLooks + 1;
    const size_t count = std::clamp(kRunBytesMax / row_size, kAlwaysFitting, rows.size());
    if (count == rows.size()) break;
    rows = rows.first(count);  // which may be of another kind than what follows them
  }
  return rows.size();
}

Result<size_t> ChangeReader::record_size(const Row& row) {
  const auto found = reader_of_.find(row.dataset);
  if (found == reader_of_.end() || !is_record_op(row.change.op)) return size_t{0};
  RecordReader& reader = readers_[found->second];
  SYN_TRY(const auto values, reader.find(decode_key(row.key, reader.mapped().key_count())));
  size_t size_bytes = 0;
  if (values) {
    for (const NativeValue& value : *values) size_bytes += value.bytes.size();
  }
  reader.release();
  return size_bytes;
}

// Up to the last sure place between two transactions that lies in what fits, else to the first
// behind it: one of ours is never cut.
size_t ChangeReader::run_size(std::span<const Row> rows, size_t fitting, Behind behind) {
  if (behind == Behind::kNothing && fitting == rows.size()) return fitting;
  const auto is_sure = [&](size_t at) {
    const bool begins_ours = rows[at].change.op == ChangeOp::kMarker;
    return begins_ours || (rows[at - 1].change.is_ours && !rows[at].change.is_ours);
  };
  for (size_t at = std::min(fitting, rows.size() - 1); at > 0; --at) {
    if (is_sure(at)) return at;
  }
  for (size_t at = fitting; at < rows.size(); ++at) {
    if (is_sure(at) || (!rows[at].change.is_ours && !rows[at].is_moved)) return at;
  }
  // What follows may be where the last row's record has moved.
  const bool may_have_moved = behind == Behind::kMore && !rows.back().change.is_ours &&
                              rows.back().change.op == ChangeOp::kDelete && rows.size() > 1;
  return rows.size() - (may_have_moved ? 1 : 0);
}

// The record a row touches, or nothing: the dataset is not captured any more, the key is none, or
// the record is not in the run and is_added is false.
std::optional<size_t> ChangeReader::record_number(const Row& row, bool is_added, ReadRun* run) {
  const auto reader = reader_of_.find(row.dataset);
  if (reader == reader_of_.end()) return std::nullopt;
  const Mapped& mapped = readers_[reader->second].mapped();
  const auto values = decode_key(row.key, mapped.key_count());
  auto key = joined_key(mapped, values);
  if (!key) {
    if (run != nullptr && row.change.op != ChangeOp::kDelete) {
      run->rejected.push_back(rejected_values(mapped, values, std::move(key).error()));
    }
    return std::nullopt;
  }
  std::string name = record_name(mapped, key.value());
  if (!is_added) {
    const auto found = record_numbers_.find(name);
    if (found == record_numbers_.end()) return std::nullopt;
    return found->second;
  }
  const auto [found, is_new] = record_numbers_.emplace(std::move(name), records_.size());
  if (is_new) records_.emplace_back();
  records_[found->second] = {reader->second, row.key, std::move(key).value()};
  return found->second;
}

void ChangeReader::add_to_window(Row&& row, ReadRun& run) {
  const std::optional<size_t> before = std::exchange(last_record_, std::nullopt);
  if (row.change.op != ChangeOp::kMarker && row.change.op != ChangeOp::kOrigin) {
    last_record_ = record_number(row, true, &run);
    if (!last_record_) return;
    row.change.record = *last_record_;
    if (row.is_moved) row.change.moved_from = before;
  }
  window_.add(std::move(row.change));
}

void ChangeReader::look_ahead(Row&& row) {
  const auto number = record_number(row, false, nullptr);
  if (!number) return;
  row.change.record = *number;
  window_.look_ahead(std::move(row.change));
}

Result<void> ChangeReader::look_ahead_in_table(const Place& after) {
  const StatementScope scope(rows_);
  rows_.bind(1, after.id);
  rows_.bind(2, std::numeric_limits<int64_t>::max());
  while (true) {
    SYN_TRY(const bool has_row, connection_.next(rows_));
    if (!has_row) return success();
    look_ahead(current_row(key_count_max_));
  }
}

Result<ReadRun> ChangeReader::read(const Place& after, size_t row_limit, ports::ChangeSink& sink) {
  row_limit = std::max(row_limit, kRunRowsMax);
  ReadRun run;
  SYN_TRY(std::vector<Row> rows, read_rows(after, row_limit));
  if (rows.empty()) return run;
  const Behind behind = rows.size() < row_limit ? Behind::kNothing : Behind::kMore;
  SYN_TRY(const size_t fitting_count, fitting(rows));
  window_ = {};
  records_.clear();
  record_numbers_.clear();
  last_record_.reset();
  const size_t size = run_size(rows, fitting_count, behind);
  const Place end = rows.back().place;
  run.is_empty = false;
  run.last = rows[size - 1].place;
  for (size_t i = 0; i < size; ++i) add_to_window(std::move(rows[i]), run);
  for (size_t i = size; i < rows.size(); ++i) look_ahead(std::move(rows[i]));
  if (behind == Behind::kMore) {
    SYN_TRY(look_ahead_in_table(end));
  }
  run.has_more = size < rows.size() || behind == Behind::kMore;

  Emitter emitter(sink, position_of(run.last), run.rejected);
  for (const Item& item : window_.items()) {
    if (item.is_dropped) continue;
    if (item.is_marker) {
      SYN_TRY(emitter.show_marker(item));
      continue;
    }
    const Record& record = records_[item.record];
    RecordReader& reader = readers_[record.reader];
    const EmittedRecord shown{reader.mapped(), record.key,
                              decode_key(record.native_key, reader.mapped().key_count()),
                              item.moved_from ? records_[*item.moved_from].key : std::string(),
                              item.moved_to ? records_[*item.moved_to].key : std::string()};
    auto result = emitter.show_record(item, window_.items(), shown, reader);
    reader.release();
    if (!result) return std::move(result).error();
  }
  run.row_count = emitter.finish();
  return run;
}

}  // namespace syncline::sqlite
