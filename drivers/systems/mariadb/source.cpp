#include "drivers/systems/mariadb/detail/source.hpp"

#include <algorithm>

#include "drivers/systems/mariadb/detail/names.hpp"
#include "drivers/systems/mariadb/detail/objects.hpp"
#include "drivers/systems/mariadb/detail/takeover.hpp"

namespace syncline::mariadb {
namespace {

constexpr int kInGroupMs = 60'000;  // for the rest of a transaction that has begun
constexpr int kVerifyMs = 20'000;
constexpr int64_t kLookEveryUs = 5'000'000;

auto stalled(const std::string& system) {
  return fail(ErrorCode::kSystemOpen, "the log of system " + system + " stalled",
              "what was to come did not", "nothing: the log is opened anew");
}

}  // namespace

MariadbSource::MariadbSource(std::shared_ptr<const Shared> shared, Clock& clock)
    : shared_(std::move(shared)),
      clock_(clock),
      decoder_(shared_, [this] { return connect(); }),
      replica_(shared_, clock) {}

Result<Connection*> MariadbSource::connect_anywhere() {
  if (connection_ != nullptr && connection_->is_usable()) return connection_.get();
  SYN_TRY(auto connection, Connection::open(shared_->access(), Purpose::kSql));
  SYN_TRY(server_, server_number(*connection));
  connection_ = std::move(connection);
  replica_.forget();
  return connection_.get();
}

// To the server whose log is being read.
Result<Connection*> MariadbSource::connect() {
  SYN_TRY(Connection * connection, connect_anywhere());
  if (stream_ == nullptr || server_ == decoder_.server()) return connection;
  return fail(
      ErrorCode::kSystemOpen, connection->place() + " is another server now",
      "it has number " + std::to_string(server_) + ", not " + std::to_string(decoder_.server()),
      "nothing: its log is opened");
}

// Tables are read as of the log of the same server.
Result<Connection*> MariadbSource::in_step() {
  SYN_TRY(Connection * connection, connect_anywhere());
  if (!is_open_ || server_ == decoder_.server()) return connection;
  stream_.reset();
  SYN_TRY(open_stream());
  return connection_.get();
}

Result<void> MariadbSource::open(const model::Position& position) {
  stream_.reset();
  connection_.reset();
  waiting_.clear();
  is_open_ = false;
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(check_log(*connection));
  SYN_TRY(const std::string logged, logged_database(*connection));
  if (auto other = other_database(*connection, shared_->endpoint.database, logged)) return *other;
  SYN_TRY(take_place(position));
  SYN_TRY(install_checkpoint(*connection));
  SYN_TRY(decoder_.look(Decoder::Which::kAll));
  SYN_TRY(open_stream());
  SYN_TRY(verify_log());
  SYN_TRY(decoder_.load_children(shown()));
  is_open_ = true;
  return success();
}

Result<LogPosition> MariadbSource::end_of_log() {
  SYN_TRY(Connection * connection, in_step());
  SYN_TRY(const LogEnd end, read_log_end(*connection));
  if (end.file.number > kFileNumberMax) {
    return fail(ErrorCode::kSystemOpen, connection->place() + " counts too many log files",
                "numbers beyond " + std::to_string(kFileNumberMax) + " are not read",
                "RESET MASTER begins anew; then `syncline resync`");
  }
  const Place place{decoder_.turn(), end.file.number, end.offset};
  const uint32_t began_s = decoder_.began_s(end.file.number);
  const GroupMark mark{place, {}, 0, began_s, {}};
  return LogPosition{{place.turn, place.file, place.offset - 1}, mark, end.file.base, {}, {}};
}

Result<void> MariadbSource::take_place(const model::Position& position) {
  if (position.is_start()) {
    SYN_TRY(read_, end_of_log());
    return success();
  }
  const auto decoded = decode(position);
  if (!decoded) {
    return lost_log(shared_->config.name, "the journal holds no position of a MariaDB log");
  }
  read_ = *decoded;
  return success();
}

// Where another server has taken over, its log is read on behind the same transaction.
Result<void> MariadbSource::open_stream() {
  SYN_TRY(Connection * connection, connect_anywhere());
  const uint32_t before = read_.history.server;
  if (before == 0) {
    SYN_TRY(learn_history(*connection, server_, read_));
  }
  StreamStart start{server_, read_.base, read_.from.place, {}};
  if (before != 0 && before != server_) {
    SYN_TRY(check_takeover(*connection, shared_->config.name, server_, read_));
    start.behind = read_.from.before;
  }
  auto stream = Stream::open(shared_->access(), shared_->replica_number(), start);
  if (!stream) {
    connection_.reset();  // it may be to another server than the log's
    return std::move(stream).as_failure();
  }
  stream_ = std::move(stream).value();
  decoder_.begin_stream(read_, server_);
  return success();
}

// Of what polls have given, as a place in the log that is read now.
Place MariadbSource::shown() const {
  return read_.place.turn == decoder_.turn() ? read_.place : Place{decoder_.turn(), 0, 0};
}

// Whether the log is the one that was read is known once it shows its file, or the same group
// again.
Result<void> MariadbSource::verify_log() {
  SYN_TRY(const LogPosition end, end_of_log());
  if (end.place < read_.place) {
    return lost_log(shared_->config.name, "the log ends before the place that was read");
  }
  const int64_t deadline_us = clock_.steady_us() + int64_t{1000} * kVerifyMs;
  while (!decoder_.is_verified()) {
    if (clock_.steady_us() > deadline_us) return stalled(shared_->config.name);
    SYN_TRY(Event event, stream_->next(100));
    if (event) {
      SYN_TRY(decoder_.take(std::move(event)));
    }
  }
  return success();
}

Result<void> MariadbSource::read_stream(size_t row_limit, int wait_ms, ports::PollResult& result) {
  bool is_waiting_over = false;
  const int64_t deadline_us = clock_.steady_us() + int64_t{1000} * wait_ms;
  size_t size_bytes = 0;
  while (true) {
    const bool is_inside = decoder_.is_in_group();
    const bool is_enough =
        decoder_.row_count() >= row_limit || size_bytes >= shared_->limits.part_bytes;
    if (decoder_.has_shown_part() || (!is_inside && is_enough)) {
      result.has_more = true;
      return success();
    }
    const int64_t left_ms = std::max<int64_t>(0, (deadline_us - clock_.steady_us()) / 1000);
    const int patience_ms = is_inside         ? kInGroupMs
                            : is_waiting_over ? 0
                                              : static_cast<int>(left_ms);
    SYN_TRY(Event event, stream_->next(patience_ms));
    if (!event) {
      if (!is_inside) return success();
      return stalled(shared_->config.name);
    }
    size_bytes += event.size;
    SYN_TRY(decoder_.take(std::move(event)));
    if (decoder_.is_to_be_read_again()) {
      stream_.reset();
      result.has_more = true;
      return success();
    }
    is_waiting_over = is_waiting_over || (is_inside && !decoder_.is_in_group());
  }
}

Result<void> MariadbSource::poll_once(size_t row_limit, int wait_ms, ports::PollResult& result) {
  // Inside a group its tables are described: what is known of them must not go.
  const bool is_inside = stream_ != nullptr && decoder_.is_in_group();
  if (!is_inside && clock_.steady_us() >= look_due_us_) {
    look_due_us_ = clock_.steady_us() + kLookEveryUs;
    SYN_TRY(decoder_.look(Decoder::Which::kStopped));
  }
  if (stream_ == nullptr) {
    SYN_TRY(open_stream());
  }
  SYN_TRY(decoder_.load_children(shown()));
  return read_stream(row_limit, wait_ms, result);
}

// A poll that fails gave nothing: what it had read is read again, what it had found is told later.
Result<ports::PollResult> MariadbSource::poll(ports::ChangeSink& sink, size_t row_limit,
                                              int wait_ms) {
  ports::PollResult result;
  decoder_.begin_poll(sink);
  if (auto read = poll_once(row_limit, wait_ms, result); !read) {
    stream_.reset();
    return std::move(read).as_failure();
  }
  decoder_.end_poll(result);
  for (const ReadGroup& group : decoder_.take_groups()) waiting_.push_back(group);
  read_ = decoder_.read();
  return result;
}

Result<void> MariadbSource::acknowledge(const model::Position& position) {
  const auto durable = decode(position);
  if (!durable) return success();
  while (!waiting_.empty() && waiting_.front().place <= durable->place) waiting_.pop_front();
  return success();
}

Result<model::Position> MariadbSource::current_position() {
  SYN_TRY(const LogPosition end, end_of_log());
  return encode(end);
}

Result<std::optional<bool>> MariadbSource::has_told(const model::Position& position) {
  const auto wanted = decode(position);
  if (!wanted || stream_ == nullptr) return std::optional(false);
  // A place of a server whose log is gone: what of it has come to this one is not known by places.
  if (wanted->place.turn < decoder_.turn()) return std::optional<bool>();
  return std::optional(read_.place >= wanted->place || decoder_.reached() > wanted->place);
}

Result<const Mapped*> MariadbSource::mapped_of(model::DatasetId dataset) {
  if (const Mapped* followed = decoder_.find(dataset); followed != nullptr) return followed;
  if (const Error* why = decoder_.why_stopped(dataset); why != nullptr) return *why;
  if (const auto known = looked_at_.find(dataset); known != looked_at_.end()) {
    return &known->second;
  }
  for (const ports::DatasetMapping& mapping : shared_->config.datasets) {
    if (mapping.schema->dataset != dataset) continue;
    SYN_TRY(Connection * connection, connect());
    SYN_TRY(auto mapped, read_mapped(*connection, mapping, *shared_->charsets));
    return &looked_at_.emplace(dataset, std::move(mapped)).first->second;
  }
  return fail(ErrorCode::kInvalidArgument, "the dataset is not in system " + shared_->config.name,
              "the config does not name it", "correct the config");
}

ReadPlace MariadbSource::read_place() const {
  const model::Position position = is_open_ ? encode(read_) : model::Position{};
  return {{position, clock_.now_us(), 1}, is_open_ ? shown() : Place{}};
}

Result<ports::SnapshotChunk> MariadbSource::read_snapshot(model::DatasetId dataset,
                                                          const std::string& cursor,
                                                          size_t row_limit,
                                                          ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, in_step());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  const ChunkWanted wanted{*mapped, cursor, row_limit, read_place()};
  if (is_open_ && replica_.is_usable()) {
    if (auto chunk = replica_.read(*connection, server_, wanted, sink)) return std::move(*chunk);
  }
  SYN_TRY(auto chunk, read_chunk(*connection, wanted, sink));
  chunk.notice = replica_.take_notice();
  return chunk;
}

Result<uint64_t> MariadbSource::estimate_rows(model::DatasetId dataset) {
  SYN_TRY(Connection * connection, in_step());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  return mariadb::estimate_rows(*connection, *mapped);
}

Result<std::vector<ports::RejectedRow>> MariadbSource::read_records(
    model::DatasetId dataset, std::span<const std::string> keys, ports::ChangeSink& sink) {
  SYN_TRY(Connection * connection, in_step());
  SYN_TRY(const Mapped* mapped, mapped_of(dataset));
  return read_keys(*connection, *mapped, keys, read_place(), sink);
}

Result<ports::Source::Lag> MariadbSource::lag() {
  Lag lag;
  for (const ReadGroup& group : waiting_) {
    lag.rows += group.row_count;
    lag.bytes += group.size_bytes;
  }
  if (!waiting_.empty()) lag.oldest_us = waiting_.front().commit_time_us;
  return lag;
}

}  // namespace syncline::mariadb
