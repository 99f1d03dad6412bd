#include "drivers/systems/postgres/detail/source.hpp"

#include <algorithm>

#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/reads.hpp"

namespace syncline::postgres {
namespace {

constexpr size_t kPositionSize = 16;
constexpr int kInTransactionMs = 60'000;  // for the rest of a transaction that has begun
constexpr int64_t kRefreshEveryUs = 5'000'000;

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

bool is_read(const ports::DatasetMapping& mapping) {
  return mapping.direction != ports::Direction::kTo;
}

bool is_same_shape(const Mapped& a, const Mapped& b) {
  return a.table.oid == b.table.oid &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    [](const Column& one, const Column& other) {
                      return one.declared_type == other.declared_type &&
                             one.declared_modifier == other.declared_modifier;
                    });
}

}  // namespace

PostgresSource::PostgresSource(std::shared_ptr<const Shared> shared, Clock& clock)
    : shared_(std::move(shared)), clock_(clock), decoder_(shared_, [this] { return connect(); }) {}

Result<Connection*> PostgresSource::connect() {
  if (connection_ != nullptr && !connection_->is_usable()) connection_.reset();
  if (connection_ == nullptr) {
    SYN_TRY(connection_, Connection::open(shared_->access("read"), Purpose::kSql));
  }
  return connection_.get();
}

Result<void> PostgresSource::open(const model::Position& position) {
  stream_.reset();
  connection_.reset();
  stopped_.clear();
  stops_to_report_.clear();
  rescans_to_report_.clear();
  waiting_.clear();
  is_open_ = false;
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(take_place(position));
  SYN_TRY(end_sessions(*connection, shared_->session("source")));
  SYN_TRY(install_checkpoint(*connection));
  decoder_.follow({}, server_);
  SYN_TRY(refresh(nullptr));
  SYN_TRY(take_slot(position));
  is_open_ = true;
  return success();
}

// A position names the server it is of, and lies in what that server has written.
Result<void> PostgresSource::take_place(const model::Position& position) {
  SYN_TRY(const Answer row,
          connection_->query("SELECT system_identifier, pg_current_wal_flush_lsn() FROM "
                             "pg_control_system()"));
  server_ = static_cast<uint64_t>(row.integer(0, 0));
  SYN_TRY(const Lsn end, parse_lsn(row.text(0, 1)));
  read_ = 0;
  confirmed_ = 0;
  if (position.is_start()) return success();
  if (position.bytes.size() != kPositionSize) {
    return lost_log(shared_->config.name, "the journal holds no position of a PostgreSQL log");
  }
  if (number_at(position.bytes, 8) != server_) {
    return lost_log(shared_->config.name, "the URL leads to another server than before");
  }
  read_ = number_at(position.bytes, 0);
  confirmed_ = read_;
  if (read_ <= end) return success();
  return lost_log(shared_->config.name,
                  "its log ends at " + lsn_text(end) + ", before " + lsn_text(read_) +
                      ", where we had read to: the server was restored from an older backup");
}

// Without a position an existing slot is kept: it holds what users changed since a first sync that
// was cut short began. But a slot cannot be read where the publication was not there yet.
Result<void> PostgresSource::take_slot(const model::Position& position) {
  const std::string& name = shared_->object;
  SYN_TRY(const Slot slot, find_slot(*connection_, name));
  if (!position.is_start()) {
    if (slot == Slot::kMissing) {
      return lost_log(shared_->config.name,
                      "the replication slot " + name +
                          " is gone: it was dropped, or another server took over without it");
    }
    if (publication_ == Made::kNow) {
      SYN_TRY(drop_slot(*connection_, name));  // of no use: it reads what was before
      return lost_log(shared_->config.name, "the publication " + name + " was dropped");
    }
    if (slot == Slot::kUsable) return success();
    return lost_log(shared_->config.name,
                    "the server removed the log behind slot " + name +
                        ": more was written than max_slot_wal_keep_size while we were away");
  }
  if (slot == Slot::kUsable && publication_ == Made::kBefore) return success();
  if (slot != Slot::kMissing) {
    SYN_TRY(drop_slot(*connection_, name));
  }
  return create_slot(*connection_, name);
}

void PostgresSource::stop(const ports::DatasetMapping& mapping, Error error,
                          ports::PollResult* result) {
  const model::DatasetId dataset = mapping.schema->dataset;
  if (!stopped_.emplace(dataset, error).second) return;
  auto& stops = result == nullptr ? stops_to_report_ : result->stopped;
  stops.push_back({dataset, std::move(error)});
}

// Looks at the tables as they are now: at open (result is null), and now and then, for changes of
// tables that nobody writes to are told by nothing else.
Result<void> PostgresSource::refresh(ports::PollResult* result) {
  refresh_due_us_ = clock_.steady_us() + kRefreshEveryUs;
  SYN_TRY(Connection * connection, connect());
  std::vector<Mapped> captured;
  std::vector<model::DatasetId> rescans;
  bool is_changed = result == nullptr;
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (!is_read(mapping)) continue;
    const model::DatasetId dataset = mapping.schema->dataset;
    auto mapped = read_mapped(*connection, mapping);
    std::optional<Error> problem;
    if (!mapped) {
      problem = mapped.error();
      const bool is_of_table =
          problem->code == ErrorCode::kSystemSchema || problem->code == ErrorCode::kSystemKey;
      if (!is_of_table) return std::move(mapped).as_failure();
    } else {
      problem = identity_problem(mapped.value());
    }
    const Mapped* before = decoder_.find(dataset);
    if (problem) {
      is_changed = is_changed || before != nullptr;
      stop(mapping, std::move(*problem), result);
      continue;
    }
    const bool was_stopped = stopped_.erase(dataset) > 0 || decoder_.is_stopped(dataset);
    const bool is_other =
        was_stopped || before == nullptr || !is_same_shape(*before, mapped.value());
    if (is_other) rescans.push_back(dataset);
    is_changed = is_changed || is_other;
    captured.push_back(std::move(mapped).value());
  }
  if (!is_changed) return success();
  SYN_TRY(publication_, install_publication(*connection, shared_->object, captured));
  decoder_.follow(std::move(captured), server_);
  if (result == nullptr) return success();
  stream_.reset();  // a new stream describes every relation anew
  result->rescan.insert(result->rescan.end(), rescans.begin(), rescans.end());
  return success();
}

Result<void> PostgresSource::open_stream() {
  auto stream = Stream::open(shared_->access("source"), shared_->object, read_, clock_);
  if (!stream && stream.error().code == ErrorCode::kSystemBusy) {
    SYN_TRY(Connection * connection, connect());
    SYN_TRY(end_sessions(*connection, shared_->session("source")));
    stream = Stream::open(shared_->access("source"), shared_->object, read_, clock_);
  }
  if (!stream) return std::move(stream).as_failure();
  stream_ = std::move(stream).value();
  decoder_.begin_stream();
  return stream_->confirm(confirmed_);
}

Result<void> PostgresSource::read_stream(ports::PollResult& result, size_t row_limit, int wait_ms) {
  size_t transaction_count = 0;
  const int64_t deadline_us = clock_.steady_us() + int64_t{1000} * wait_ms;
  while (true) {
    const bool is_inside = decoder_.is_in_transaction();
    if (!is_inside && result.row_count >= row_limit) {
      result.has_more = true;
      return success();
    }
    const int64_t left_ms = std::max<int64_t>(0, (deadline_us - clock_.steady_us()) / 1000);
    const int patience_ms = is_inside               ? kInTransactionMs
                            : transaction_count > 0 ? 0
                                                    : static_cast<int>(left_ms);
    SYN_TRY(const auto message, stream_->next(patience_ms));
    if (!message) {
      if (!is_inside) return success();
      return fail(ErrorCode::kSystemOpen, "the log of system " + shared_->config.name + " stalled",
                  "the rest of a transaction did not come", "nothing: the stream is opened anew");
    }
    SYN_TRY(decoder_.take(*message));
    if (!is_inside || decoder_.is_in_transaction()) continue;
    const Decoder::Read& last = decoder_.last();
    ++transaction_count;
    stream_->note_read(last.lsn);
    waiting_.push_back({last.lsn, last.commit_time_us, last.row_count});
  }
}

Result<void> PostgresSource::poll_once(ports::PollResult& result, size_t row_limit, int wait_ms) {
  if (clock_.steady_us() >= refresh_due_us_) {
    SYN_TRY(refresh(&result));
  }
  if (stream_ == nullptr) {
    SYN_TRY(open_stream());
  }
  return read_stream(result, row_limit, wait_ms);
}

// A poll that fails gave nothing: what it had read is read again, what it had found is told later.
Result<ports::PollResult> PostgresSource::poll(ports::ChangeSink& sink, size_t row_limit,
                                               int wait_ms) {
  ports::PollResult result;
  result.stopped = std::exchange(stops_to_report_, {});
  result.rescan = std::exchange(rescans_to_report_, {});
  decoder_.begin_poll(sink, result);
  if (auto read = poll_once(result, row_limit, wait_ms); !read) {
    stream_.reset();
    while (!waiting_.empty() && waiting_.back().lsn > read_) waiting_.pop_back();
    stops_to_report_ = std::move(result.stopped);
    rescans_to_report_ = std::move(result.rescan);
    return std::move(read).as_failure();
  }
  if (!waiting_.empty()) read_ = std::max(read_, waiting_.back().lsn);
  return result;
}

Result<void> PostgresSource::acknowledge(const model::Position& position) {
  if (position.bytes.size() != kPositionSize) return success();
  confirmed_ = std::max(confirmed_, number_at(position.bytes, 0));
  while (!waiting_.empty() && waiting_.front().lsn <= confirmed_) waiting_.pop_front();
  if (stream_ == nullptr) return success();
  if (auto told = stream_->confirm(confirmed_); !told) {
    stream_.reset();
    return told;
  }
  return success();
}

Result<model::Position> PostgresSource::current_position() {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const std::string text, connection->query_text("SELECT pg_current_wal_flush_lsn()"));
  SYN_TRY(const Lsn lsn, parse_lsn(text));
  return position_of(lsn, server_);
}

Result<const Mapped*> PostgresSource::mapped_of(model::DatasetId dataset) {
  if (const Mapped* followed = decoder_.find(dataset); followed != nullptr) return followed;
  if (const auto stopped = stopped_.find(dataset); stopped != stopped_.end()) {
    return stopped->second;
  }
  if (const auto known = looked_at_.find(dataset); known != looked_at_.end()) {
    return &known->second;
  }
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.schema->dataset != dataset) continue;
    SYN_TRY(Connection * connection, connect());
    SYN_TRY(auto mapped, read_mapped(*connection, mapping));
    return &looked_at_.emplace(dataset, std::move(mapped)).first->second;
  }
  return fail(ErrorCode::kInvalidArgument, "the dataset is not in system " + shared_->config.name,
              "the config does not name it", "correct the config");
}

Result<ports::SnapshotChunk> PostgresSource::read_snapshot(model::DatasetId dataset,
                                                           const std::string& cursor,
                                                           size_t row_limit,
                                                           ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  const ReadPlace place{{position_of(read_, server_), clock_.now_us(), 1},
                        is_open_ ? &decoder_.recent_xids() : nullptr};
  return read_chunk(*connection, *mapped, cursor, row_limit, place, sink);
}

Result<uint64_t> PostgresSource::estimate_rows(model::DatasetId dataset) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  return postgres::estimate_rows(*connection, *mapped);
}

Result<std::vector<ports::RejectedRow>> PostgresSource::read_records(model::DatasetId dataset,
                                          std::span<const std::string> keys,
                                          ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  const ReadPlace place{{position_of(read_, server_), clock_.now_us(), 1},
                        is_open_ ? &decoder_.recent_xids() : nullptr};
  return read_keys(*connection, *mapped, keys, place, sink);
}

Result<ports::Source::Lag> PostgresSource::lag() {
  Lag lag;
  for (const Waiting& transaction : waiting_) lag.rows += transaction.row_count;
  if (!waiting_.empty()) lag.oldest_us = waiting_.front().commit_time_us;
  if (stream_ != nullptr && !waiting_.empty() && stream_->server_end() > confirmed_) {
    lag.bytes = stream_->server_end() - confirmed_;
  }
  return lag;
}

}  // namespace syncline::postgres
