#include "drivers/systems/sqlite/detail/scan_source.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/change_reader.hpp"
#include "drivers/systems/sqlite/detail/objects.hpp"
#include "drivers/systems/sqlite/detail/payload.hpp"

namespace syncline::sqlite {
namespace {

constexpr int64_t kScanPauseUs = 1'000'000;
constexpr int64_t kScanPauseFactor = 9;  // at most a tenth of the time goes to scanning
constexpr int kSchemaTriesMax = 8;

}  // namespace

ports::ChangeSink& SqliteScanSource::Showing::open() {
  if (!is_open) sink.begin({position, now_us - resolution_us, resolution_us});
  is_open = true;
  return sink;
}

Result<void> SqliteScanSource::connect() {
  reader_.reset();
  SYN_TRY(auto reader, Connection::open(shared_->path, Access::kWrite, "NORMAL", kLockWaitMs));
  waiter_ = std::make_unique<Waiter>(shared_->path);
  reader_ = std::move(reader);
  data_version_ = -1;
  scanned_version_ = -1;
  return refresh_schema();
}

Result<void> SqliteScanSource::open(const model::Position& position) {
  stopped_.clear();
  stops_to_report_.clear();
  rescans_to_report_.clear();
  markers_.clear();
  next_dataset_ = 0;
  cursor_.clear();
  position_ = clock_.now_us();
  if (!position.is_start()) {
    SYN_TRY(const Place place, place_of(position));
    position_ = std::max(position_, place.id);
  }
  {
    const std::lock_guard lock(shared_->writing);
    SYN_TRY(auto installer,
            Connection::open(shared_->path, Access::kWrite, "NORMAL", kInstallWaitMs));
    SYN_TRY(install_checkpoint(*installer));
  }
  SYN_TRY(connect());
  // What was deleted while nobody looked is only found by comparing with what is known outside.
  for (const Mapped& mapped : captured_) {
    if (!position.is_start()) rescans_to_report_.push_back(mapped.dataset());
  }
  next_dataset_ = captured_.size();
  return success();
}

Result<void> SqliteScanSource::refresh_schema() {
  SYN_TRY(schema_version_, reader_->query_integer("PRAGMA schema_version"));
  captured_.clear();
  every_us_ = 0;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.direction == ports::Direction::kTo) continue;
    every_us_ = std::max(every_us_, mapping.every_us);
    const model::DatasetId dataset = mapping.schema->dataset;
    auto mapped = read_mapped(*reader_, mapping);
    if (mapped) {
      if (stopped_.erase(dataset) > 0) rescans_to_report_.push_back(dataset);
      captured_.push_back(std::move(mapped).value());
    } else if (mapped.error().code == ErrorCode::kSystemSchema ||
               mapped.error().code == ErrorCode::kSystemKey) {
      if (stopped_.emplace(dataset, mapped.error()).second) {
        stops_to_report_.push_back({dataset, std::move(mapped).error()});
      }
    } else {
      return std::move(mapped).as_failure();
    }
  }
  begin_scan();
  return success();
}

void SqliteScanSource::begin_scan() {
  next_dataset_ = 0;
  cursor_.clear();
  scanned_version_ = data_version_;
  scan_began_us_ = clock_.steady_us();
}

// Until the file changed, or a scan that was put off is due, or a write waits for one.
Result<void> SqliteScanSource::wait_for_change(int wait_ms) {
  const int64_t deadline_us = clock_.steady_us() + int64_t{1000} * wait_ms;
  while (true) {
    SYN_TRY(const int64_t version, reader_->query_integer("PRAGMA data_version"));
    const bool is_changed = version != data_version_;
    data_version_ = version;
    const int64_t pause_us = every_us_ > 0
                                 ? every_us_ - scan_took_us_
                                 : std::max(kScanPauseUs, kScanPauseFactor * scan_took_us_);
    const bool is_due = data_version_ != scanned_version_ &&
                        (scan_ended_us_ == 0 || clock_.steady_us() - scan_ended_us_ >= pause_us);
    if (is_due || shared_->scan.take_wish()) {
      begin_scan();
      return success();
    }
    const int64_t left_us = deadline_us - clock_.steady_us();
    if (is_changed || left_us <= 0) return success();
    waiter_->wait(left_us);
  }
}

Result<ports::PollResult> SqliteScanSource::poll(ports::ChangeSink& sink, size_t row_limit,
                                                 int wait_ms) {
  if (reader_ == nullptr || !reader_->is_same_file()) {
    SYN_TRY(connect());
  }
  if (!is_scanning()) {
    SYN_TRY(wait_for_change(wait_ms));
  }
  const int64_t now_us = clock_.now_us();
  const int64_t resolution_us =
      scan_ended_us_ == 0 ? 1 : std::max<int64_t>(1, clock_.steady_us() - scan_ended_us_);
  Showing showing{
      sink, position_of({std::max(position_ + 1, now_us), 0}), now_us, resolution_us, false, 0, {}};
  for (int attempt = 0; attempt < kSchemaTriesMax; ++attempt) {
    // While nobody of ours writes, what the snapshot holds and what is to be echoed are the same.
    std::unique_lock lock(shared_->writing);
    SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
    SYN_TRY(const int64_t version, reader_->query_integer("PRAGMA schema_version"));
    if (version != schema_version_) {
      SYN_TRY(refresh_schema());
      continue;
    }
    std::vector<Echo> echoes = shared_->scan.take_echoes();
    lock.unlock();
    if (auto shown = show_all(showing, row_limit, echoes); !shown) {
      shared_->scan.drop_shown(std::move(echoes));
      markers_.clear();
      begin_scan();
      return std::move(shown).as_failure();
    }
    if (showing.is_open) {
      sink.end();
      position_ = std::max(position_ + 1, now_us);
    }
    shared_->scan.keep_shown(position_);
    ports::PollResult result;
    result.row_count = showing.row_count;
    result.has_more = is_scanning();
    result.rejected = std::move(showing.rejected);
    result.stopped = std::exchange(stops_to_report_, {});
    result.rescan = std::exchange(rescans_to_report_, {});
    return result;
  }
  return fail(ErrorCode::kSystemBusy, "the schema of " + shared_->path + " keeps changing",
              "a migration is running", "nothing: it is tried again");
}

Result<void> SqliteScanSource::show_all(Showing& showing, size_t row_limit,
                                        const std::vector<Echo>& echoes) {
  SYN_TRY(show_markers(showing));
  SYN_TRY(show_echoes(showing, echoes));
  if (!is_scanning()) return success();
  return scan_chunk(showing, row_limit);
}

Result<void> SqliteScanSource::show_markers(Showing& showing) {
  SYN_TRY(Statement rows,
          reader_->prepare("SELECT epoch, stream, lane, seq FROM syncline_checkpoint WHERE "
                           "appliance = " +
                           literal(shared_->config.appliance) + " AND seq > 0"));
  while (true) {
    SYN_TRY(const bool has_row, reader_->next(rows));
    if (!has_row) return success();
    const std::pair<int64_t, int64_t> state{rows.integer(0), rows.integer(3)};
    const auto stream = static_cast<model::StreamId>(rows.integer(1));
    const auto lane = static_cast<model::LaneIndex>(rows.integer(2));
    auto& shown = markers_[{stream, lane}];
    if (shown == state) continue;
    shown = state;
    showing.open().marker({shared_->config.appliance, static_cast<uint32_t>(state.first), stream,
                           lane, static_cast<model::Sequence>(state.second)});
  }
}

const Mapped* SqliteScanSource::find(model::DatasetId dataset) const {
  for (const Mapped& mapped : captured_) {
    if (mapped.dataset() == dataset) return &mapped;
  }
  return nullptr;
}

// As the records stood when our transaction ended, whatever users have made of them since.
Result<void> SqliteScanSource::show_echoes(Showing& showing, const std::vector<Echo>& echoes) {
  for (const Echo& echo : echoes) {
    const Mapped* mapped = find(echo.record.dataset);
    if (mapped == nullptr) continue;
    SYN_TRY(const auto values, read_image_payload(echo.image));
    if (values && cells_.fill(*mapped, *values)) {
      showing.open().row({mapped->dataset(), ports::RowOp::kUpdate, true, cells_.views(), {}});
      ++showing.row_count;
    } else if (!values) {
      SYN_TRY(const std::string key,
              joined_key(*mapped, decode_key(echo.record.native_key, mapped->key_count())));
      cells_.fill_key(*mapped, key);
      showing.open().row({mapped->dataset(), ports::RowOp::kDelete, true, cells_.views(), {}});
      ++showing.row_count;
    }
  }
  return success();
}

void SqliteScanSource::show_values(Showing& showing, const Mapped& mapped,
                                   const std::vector<NativeValue>& values, ports::RowOp op) {
  if (auto filled = cells_.fill(mapped, values); !filled) {
    showing.rejected.push_back(rejected_values(mapped, values, std::move(filled).error()));
    return;
  }
  showing.open().row({mapped.dataset(), op, false, cells_.views(), {}});
  ++showing.row_count;
}

Result<void> SqliteScanSource::scan_chunk(Showing& showing, size_t row_limit) {
  const Mapped& mapped = captured_[next_dataset_];
  if (cursor_.empty()) {
    shared_->scan.begin_scan(mapped.dataset());
    SYN_TRY(reject_null_keys(*reader_, mapped, showing.rejected));
  }
  // Of what the first scan sees, a record that was just made looks like any other.
  const bool is_told_apart = shared_->scan.has_scanned(mapped.dataset());
  const auto take = [&](const std::vector<NativeValue>& values) {
    const auto key_end = values.begin() + static_cast<std::ptrdiff_t>(mapped.key_count());
    auto key = joined_key(mapped, {values.begin(), key_end});
    if (!key) {
      showing.rejected.push_back(rejected_row(mapped, {}, std::move(key).error()));
      return;
    }
    const ScannedRecord record = scanned_record(mapped, key.value(), {values.begin(), key_end});
    const ScanState::Seen seen = shared_->scan.see(record, image_hash(values));
    if (seen == ScanState::Seen::kKnown) return;
    const bool is_new = seen == ScanState::Seen::kNew && is_told_apart;
    show_values(showing, mapped, values, is_new ? ports::RowOp::kInsert : ports::RowOp::kUpdate);
  };
  SYN_TRY(cursor_, read_chunk(*reader_, mapped, cursor_, row_limit, take));
  if (!cursor_.empty()) return success();
  SYN_TRY(show_gone(showing, mapped));
  shared_->scan.end_scan(mapped.dataset());
  if (++next_dataset_ == captured_.size()) {
    scan_ended_us_ = clock_.steady_us();
    scan_took_us_ = scan_ended_us_ - scan_began_us_;
  }
  return success();
}

// A record whose key moved ahead of the scan was not seen, but is there.
Result<void> SqliteScanSource::show_gone(Showing& showing, const Mapped& mapped) {
  SYN_TRY(RecordReader reader, RecordReader::make(*reader_, mapped));
  for (const ScannedRecord& record : shared_->scan.unseen(mapped.dataset())) {
    const auto native = decode_key(record.native_key, mapped.key_count());
    SYN_TRY(const auto present, reader.find(native));
    if (present) continue;
    SYN_TRY(const std::string key, joined_key(mapped, native));
    shared_->scan.see_gone(record);
    cells_.fill_key(mapped, key);
    showing.open().row({mapped.dataset(), ports::RowOp::kDelete, false, cells_.views(), {}});
    ++showing.row_count;
  }
  return success();
}

Result<void> SqliteScanSource::acknowledge(const model::Position& position) {
  if (position.is_start()) return success();
  SYN_TRY(const Place place, place_of(position));
  shared_->scan.acknowledge(place.id);
  return success();
}

Result<model::Position> SqliteScanSource::current_position() {
  return position_of({std::max(position_, clock_.now_us()), 0});
}

Result<ports::SnapshotChunk> SqliteScanSource::read_snapshot(model::DatasetId dataset,
                                                             const std::string& cursor,
                                                             size_t row_limit,
                                                             ports::ChangeSink& sink) {
  if (reader_ == nullptr) return not_open(shared_->path);
  const Mapped* mapped = find(dataset);
  if (mapped == nullptr) return not_read(dataset, stopped_, shared_->path);
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  return show_chunk(*reader_, *mapped, cursor, row_limit,
                    {position_of({position_, 0}), clock_.now_us(), 1}, sink);
}

Result<uint64_t> SqliteScanSource::estimate_rows(model::DatasetId dataset) {
  if (reader_ == nullptr) return not_open(shared_->path);
  const Mapped* mapped = find(dataset);
  if (mapped == nullptr) return not_read(dataset, stopped_, shared_->path);
  return count_rows(*reader_, *mapped);
}

Result<std::vector<ports::RejectedRow>> SqliteScanSource::read_records(
    model::DatasetId dataset, std::span<const std::string> keys, ports::ChangeSink& sink) {
  if (reader_ == nullptr) return not_open(shared_->path);
  const Mapped* mapped = find(dataset);
  if (mapped == nullptr) return not_read(dataset, stopped_, shared_->path);
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  return show_records(*reader_, *mapped, keys, {position_of({position_, 0}), clock_.now_us(), 1},
                      sink);
}

}  // namespace syncline::sqlite
