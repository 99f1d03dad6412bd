#include "drivers/systems/sqlite/detail/source.hpp"

#include <algorithm>

#include "drivers/systems/sqlite/detail/table_reads.hpp"

namespace syncline::sqlite {
namespace {

constexpr int64_t kMillisecondUs = 1000;
constexpr int64_t kForgetPauseUs = 50'000;
constexpr int64_t kForgetRowsMax = 10'000;  // of one transaction, so that no user waits long
constexpr int kSchemaTriesMax = 8;
constexpr uint64_t kChangeRowSizeBytes = 48;  // about what one takes in the file

auto lost(const Shared& shared, std::string why) {
  return fail(ErrorCode::kSystemLost, shared.path + " has lost its change log", std::move(why),
              "run " + resync_command(shared));
}

Result<int64_t> run_query(Connection& connection, Statement& query) {
  const StatementScope scope(query);
  SYN_TRY(const bool has_row, connection.next(query));
  return has_row ? query.integer(0) : 0;
}

bool is_captured(const ports::DatasetMapping& mapping) {
  return mapping.direction != ports::Direction::kTo;
}

}  // namespace

Result<void> SqliteSource::connect() {
  changes_.reset();
  place_query_ = {};
  data_version_query_ = {};
  schema_version_query_ = {};
  reader_.reset();
  SYN_TRY(auto reader, Connection::open(shared_->path, Access::kWrite, "NORMAL", kLockWaitMs));
  SYN_TRY(keeper_, Connection::open(shared_->path, Access::kWrite, "NORMAL", 0));
  SYN_TRY(data_version_query_, reader->prepare("PRAGMA data_version"));
  SYN_TRY(schema_version_query_, reader->prepare("PRAGMA schema_version"));
  reader_ = std::move(reader);
  waiter_ = std::make_unique<Waiter>(shared_->path);
  schema_version_ = -1;
  data_version_ = -1;
  has_more_ = true;
  return success();
}

Result<void> SqliteSource::open(const model::Position& position) {
  SYN_TRY(connect());
  stopped_.clear();
  stops_to_report_.clear();
  rescans_to_report_.clear();
  captured_.clear();
  if (!position.is_start()) {
    SYN_TRY(last_, place_of(position));
    SYN_TRY(const int64_t has_log,
            reader_->query_integer("SELECT count(*) FROM sqlite_master WHERE name = "
                                   "'syncline_changes'"));
    if (has_log == 0) {
      return lost(*shared_,
                  "syncline_changes is not in the file: an older copy was restored, "
                  "or `syncline detach` was run");
    }
  }
  SYN_TRY(refresh_schema(!position.is_start()));
  if (position.is_start()) {
    SYN_TRY(last_, last_place());
  }
  SYN_TRY(check_place());
  SYN_TRY(const int64_t first_id, reader_->query_integer("SELECT min(id) FROM syncline_changes"));
  shared_->acknowledged_id = last_.id;
  shared_->first_kept_id = first_id;
  return success();
}

void SqliteSource::stop(const ports::DatasetMapping& mapping, Error error) {
  const model::DatasetId dataset = mapping.schema->dataset;
  if (stopped_.emplace(dataset, error).second) {
    stops_to_report_.push_back({dataset, std::move(error)});
  }
}

// A dataset that stopped goes on when its table is as the config says again.
void SqliteSource::keep_mapped(std::vector<Mapped>& captured, Mapped&& now) {
  const auto before = std::find_if(captured_.begin(), captured_.end(), [&](const Mapped& known) {
    return known.dataset() == now.dataset();
  });
  if (before != captured_.end()) {
    const std::string difference = mapped_difference(*before, now);
    if (!difference.empty()) {
      return stop(
          *now.mapping,
          {ErrorCode::kSystemSchema,
           "dataset " + now.schema->name + ": table " + now.table.name + " was changed", difference,
           "check the dataset's types in the config, then run " + resync_command(*shared_)});
    }
  }
  stopped_.erase(now.dataset());
  captured.push_back(std::move(now));
}

Result<void> SqliteSource::refresh_schema(bool is_resuming) {
  changes_.reset();
  place_query_ = {};
  // Read first, so that a change behind it is noticed at the next look, as our own are.
  SYN_TRY(schema_version_, run_query(*reader_, schema_version_query_));
  SYN_TRY(auto installer,
          Connection::open(shared_->path, Access::kWrite, "NORMAL", kInstallWaitMs));
  std::vector<Mapped> captured;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (!is_captured(mapping)) continue;
    auto mapped = read_mapped(*installer, mapping);
    if (mapped) {
      keep_mapped(captured, std::move(mapped).value());
    } else if (mapped.error().code == ErrorCode::kSystemSchema ||
               mapped.error().code == ErrorCode::kSystemKey) {
      stop(mapping, std::move(mapped).error());
    } else {
      return std::move(mapped).as_failure();
    }
  }
  const std::lock_guard lock(shared_->writing);
  SYN_TRY(const auto rebuilt, install(*installer, shared_->config.appliance, captured));
  if (is_resuming) {
    rescans_to_report_.insert(rescans_to_report_.end(), rebuilt.begin(), rebuilt.end());
  }
  captured_ = std::move(captured);
  SYN_TRY(place_query_, reader_->prepare("SELECT nonce FROM syncline_changes WHERE id = ?1"));
  SYN_TRY(changes_, ChangeReader::make(*reader_, captured_));
  return success();
}

// Another schema may stand by the time ours is read: what counts is the one inside the read
// transaction, which the caller compares again.
Result<void> SqliteSource::check_schema() {
  SYN_TRY(const int64_t version, run_query(*reader_, schema_version_query_));
  if (version == schema_version_ && changes_ != nullptr) return success();
  return refresh_schema(true);
}

Result<Place> SqliteSource::last_place() {
  SYN_TRY(Statement query,
          reader_->prepare("SELECT id, nonce FROM syncline_changes ORDER BY id DESC LIMIT 1"));
  SYN_TRY(const bool has_row, reader_->next(query));
  if (!has_row) return lost(*shared_, "syncline_changes was emptied by someone else");
  return Place{query.integer(0), query.integer(1)};
}

// The last row read stays in the table until a later one is acknowledged.
Result<void> SqliteSource::check_place() {
  const StatementScope scope(place_query_);
  place_query_.bind(1, last_.id);
  SYN_TRY(const bool has_row, reader_->next(place_query_));
  if (has_row && place_query_.integer(0) == last_.nonce) return success();
  return fail(ErrorCode::kSystemWentBack, shared_->path + " went back in time",
              "the last change that was read is not in the file any more: an older "
              "copy was restored",
              "nothing: it is compared, and given what is missing; where it stays stopped, run " +
                  resync_command(*shared_));
}

Result<bool> SqliteSource::wait_for_change(int wait_ms) {
  const int64_t deadline_us = clock_.steady_us() + int64_t{1000} * wait_ms;
  while (true) {
    SYN_TRY(const int64_t version, run_query(*reader_, data_version_query_));
    if (version != data_version_ || has_more_) {
      data_version_ = version;
      return true;
    }
    const int64_t left_us = deadline_us - clock_.steady_us();
    if (left_us <= 0) return false;
    waiter_->wait(left_us);
  }
}

Result<ports::PollResult> SqliteSource::poll(ports::ChangeSink& sink, size_t row_limit,
                                             int wait_ms) {
  if (reader_ == nullptr || !reader_->is_same_file()) {
    SYN_TRY(connect());
    SYN_TRY(refresh_schema(true));
  }
  ports::PollResult result;
  if (stops_to_report_.empty() && rescans_to_report_.empty()) {
    SYN_TRY(const bool is_changed, wait_for_change(wait_ms));
    if (!is_changed) {
      forget_acknowledged();
      return result;
    }
  }
  has_more_ = true;  // until the read below has succeeded
  SYN_TRY(read_changes(sink, row_limit, result));
  result.stopped = std::move(stops_to_report_);
  result.rescan = std::move(rescans_to_report_);
  stops_to_report_.clear();
  rescans_to_report_.clear();
  forget_acknowledged();
  return result;
}

Result<void> SqliteSource::read_changes(ports::ChangeSink& sink, size_t row_limit,
                                        ports::PollResult& result) {
  for (int attempt = 0; attempt < kSchemaTriesMax; ++attempt) {
    SYN_TRY(check_schema());
    SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
    SYN_TRY(const int64_t version, run_query(*reader_, schema_version_query_));
    if (version != schema_version_) continue;
    SYN_TRY(check_place());
    SYN_TRY(ReadRun run, changes_->read(last_, row_limit, sink));
    if (!run.is_empty) last_ = run.last;
    has_more_ = run.has_more;
    result.has_more = run.has_more;
    result.row_count = run.row_count;
    result.rejected = std::move(run.rejected);
    return success();
  }
  return fail(ErrorCode::kSystemBusy, "the schema of " + shared_->path + " keeps changing",
              "a migration is running", "nothing: it is tried again");
}

Result<void> SqliteSource::acknowledge(const model::Position& position) {
  if (position.is_start()) return success();
  SYN_TRY(const Place place, place_of(position));
  shared_->acknowledged_id = std::max(shared_->acknowledged_id.load(), place.id);
  forget_acknowledged();
  return success();
}

// Removes what is durable on our side, except the last row; now and then, a bounded number, and
// only if nobody else is writing. What is left is removed later; failing is no error.
void SqliteSource::forget_acknowledged() {
  const int64_t now_us = clock_.steady_us();
  const int64_t acknowledged = shared_->acknowledged_id;
  if (shared_->first_kept_id >= acknowledged) return;
  if (now_us - forgotten_at_us_ < kForgetPauseUs) return;
  const std::unique_lock lock(shared_->writing, std::try_to_lock);
  if (!lock.owns_lock()) return;
  forgotten_at_us_ = now_us;
  auto transaction = Transaction::begin(*keeper_, Access::kWrite);
  if (!transaction) return;
  const auto first = keeper_->query_integer("SELECT min(id) FROM syncline_changes");
  if (!first) return;
  const int64_t end = std::min(acknowledged, first.value() + kForgetRowsMax);
  if (!keeper_->execute("DELETE FROM syncline_changes WHERE id < " + std::to_string(end))) return;
  if (transaction.value().commit()) shared_->first_kept_id = end;
}

Result<model::Position> SqliteSource::current_position() {
  if (reader_ == nullptr) return not_open(shared_->path);
  SYN_TRY(const Place place, last_place());
  return position_of(place);
}

Result<ports::Source::Lag> SqliteSource::lag() {
  if (reader_ == nullptr) return not_open(shared_->path);
  SYN_TRY(Statement query,
          reader_->prepare("SELECT max(id) - ?1, (SELECT at FROM syncline_changes WHERE id > ?1 "
                           "ORDER BY id LIMIT 1) FROM syncline_changes"));
  query.bind(1, shared_->acknowledged_id.load());
  SYN_TRY(const bool has_row, reader_->next(query));
  Lag lag;
  if (!has_row || query.integer(0) <= 0) return lag;
  lag.rows = static_cast<uint64_t>(query.integer(0));
  lag.bytes = lag.rows * kChangeRowSizeBytes;
  lag.oldest_us = query.integer(1) * kMillisecondUs;
  return lag;
}

// Before open: rows as they stand, for plan and verify, which leave nothing behind in the file.
Result<const Mapped*> SqliteSource::look_at(model::DatasetId dataset) {
  if (looker_ == nullptr) {
    SYN_TRY(looker_, Connection::open(shared_->path, Access::kRead, "NORMAL", kLockWaitMs));
  }
  const auto known = looked_at_.find(dataset);
  if (known != looked_at_.end()) return &known->second;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.schema->dataset != dataset) continue;
    SYN_TRY(auto mapped, read_mapped(*looker_, mapping));
    return &looked_at_.emplace(dataset, std::move(mapped)).first->second;
  }
  return not_read(dataset, stopped_, shared_->path);
}

// The transaction's position is the log's end in the same read: whatever the log has up to there is
// in these rows. The log may be read from an earlier place; its rows then show nothing new.
Result<ports::SnapshotChunk> SqliteSource::read_snapshot(model::DatasetId dataset,
                                                         const std::string& cursor,
                                                         size_t row_limit,
                                                         ports::ChangeSink& sink) {
  if (reader_ == nullptr) {
    SYN_TRY(const Mapped* looked_at, look_at(dataset));
    SYN_TRY(const Transaction snapshot, Transaction::begin(*looker_, Access::kRead));
    return show_chunk(*looker_, *looked_at, cursor, row_limit, {}, sink);
  }
  SYN_TRY(check_schema());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  SYN_TRY(const Place end, last_place());
  return show_chunk(*reader_, *mapped, cursor, row_limit,
                    {position_of(end), clock_.now_us(), kMillisecondUs}, sink);
}

Result<uint64_t> SqliteSource::estimate_rows(model::DatasetId dataset) {
  if (reader_ == nullptr) return not_open(shared_->path);
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  return count_rows(*reader_, *mapped);
}

Result<std::vector<ports::RejectedRow>> SqliteSource::read_records(
    model::DatasetId dataset, std::span<const std::string> keys, ports::ChangeSink& sink) {
  if (reader_ == nullptr) {
    SYN_TRY(const Mapped* looked_at, look_at(dataset));
    SYN_TRY(const Transaction snapshot, Transaction::begin(*looker_, Access::kRead));
    return show_records(*looker_, *looked_at, keys, {}, sink);
  }
  SYN_TRY(check_schema());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  SYN_TRY(const Transaction snapshot, Transaction::begin(*reader_, Access::kRead));
  SYN_TRY(const Place end, last_place());
  return show_records(*reader_, *mapped, keys, {position_of(end), clock_.now_us(), kMillisecondUs},
                      sink);
}

Result<const Mapped*> SqliteSource::mapped_of(model::DatasetId dataset) {
  for (const Mapped& mapped : captured_) {
    if (mapped.dataset() == dataset) return &mapped;
  }
  return not_read(dataset, stopped_, shared_->path);
}

}  // namespace syncline::sqlite
