#include "drivers/systems/postgres/detail/stream.hpp"

#include <algorithm>
#include <chrono>
#include <thread>

#include <poll.h>

namespace syncline::postgres {
namespace {

constexpr int64_t kStatusEveryUs = 10'000'000;  // well below wal_sender_timeout
constexpr int64_t kConfirmEveryUs = 20'000;
constexpr int64_t kEpochUs = 946'684'800'000'000;
constexpr uint32_t kMessagesPerLook = 64;  // at the clock
constexpr size_t kDataHeaderSize = 24;     // start, end, time behind the letter
constexpr size_t kKeepaliveSize = 17;
constexpr int64_t kPaceUsMin = 2000;  // what the pace is measured over, at least
constexpr int64_t kFloodMessagesPerMs = 40;
constexpr std::chrono::microseconds kGather{1000};
constexpr int kReadsMax = 64;
constexpr int kStreaming = 140000;  // the first version that streams transactions in progress

uint64_t number_at(std::string_view bytes, size_t at) {
  uint64_t value = 0;
  for (size_t i = 0; i < 8; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

void append_number(uint64_t value, std::string& out) {
  for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

constexpr std::string_view kNoSlot = "42704";  // or no publication, once it streams

// Likewise, or a slot whose log was removed.
bool is_gone(const std::string& sqlstate) {
  return sqlstate == kNoSlot || sqlstate == "55000";
}

}  // namespace

Result<std::unique_ptr<Stream>> Stream::open(const Access& access, const std::string& object,
                                             Place& after, Shown shown, Clock& clock) {
  SYN_TRY(auto connection, Connection::open(access, Purpose::kReplication));
  SYN_TRY(const Place now, identify(*connection));
  if (after.flushed() != 0 || after.reach() != 0) {
    SYN_TRY(after, check_place(*connection, access.system, object, after, now));
  }
  const Lsn start = after.flushed();
  const bool is_streaming = connection->version() >= kStreaming;
  const std::string sql =
      "START_REPLICATION SLOT " + quoted_name(object) + " LOGICAL " + lsn_text(start) +
      " (proto_version " + (is_streaming ? "'2', streaming 'on'" : "'1'") + ", publication_names " +
      literal(quoted_name(object)) + (shown == Shown::kWithoutOrigin ? ", origin 'none')" : ")");
  PGresult* result = PQexec(connection->handle(), sql.c_str());
  if (PQresultStatus(result) != PGRES_COPY_BOTH) {
    Error error = connection->error_of(result, "cannot read the log of " + connection->place());
    PQclear(result);
    if (connection->sqlstate() == kNoSlot) return lost_slot(access.system, object, after, now);
    if (is_gone(connection->sqlstate())) return lost_log(access.system, error.why, after.reach());
    return error;
  }
  PQclear(result);
  return std::unique_ptr<Stream>(
      new Stream(std::move(connection), access.system, after.lsn, now.timeline, clock));
}

Stream::~Stream() {
  PQfreemem(buffer_);
}

Result<void> Stream::send_status(Reply reply) {
  std::string message = "r";
  append_number(std::max(server_end_, confirmed_), message);
  append_number(confirmed_, message);
  append_number(confirmed_, message);
  append_number(static_cast<uint64_t>(clock_.now_us() - kEpochUs), message);
  message += static_cast<char>(reply);
  PGconn* handle = connection_->handle();
  const int put = PQputCopyData(handle, message.data(), static_cast<int>(message.size()));
  if (put <= 0 || PQflush(handle) < 0) {
    return connection_->lost("the log of " + connection_->place() + " cannot be answered");
  }
  sent_ = confirmed_;
  sent_at_us_ = clock_.steady_us();
  return success();
}

Result<void> Stream::confirm(Lsn flushed) {
  confirmed_ = std::max(confirmed_, flushed);
  if (confirmed_ <= sent_ || clock_.steady_us() - sent_at_us_ < kConfirmEveryUs) return success();
  return send_status();
}

// The server sends each message by itself. While they come thick and fast, to be woken for each of
// them costs both sides more than the messages: a moment's are read together.
void Stream::let_them_gather(int64_t deadline_us) {
  const int64_t passed_us = now_us_ - pace_since_us_;
  if (passed_us >= kPaceUsMin) {
    is_flood_ = message_count_ * 1000 >= kFloodMessagesPerMs * passed_us;
    message_count_ = 0;
    pace_since_us_ = now_us_;
  }
  if (is_flood_ && deadline_us - now_us_ > kGather.count()) std::this_thread::sleep_for(kGather);
}

Result<bool> Stream::wait_for_input(int64_t deadline_us) {
  let_them_gather(deadline_us);
  const int64_t left_us = std::max<int64_t>(0, deadline_us - clock_.steady_us());
  pollfd socket{PQsocket(connection_->handle()), POLLIN, 0};
  int ready = ::poll(&socket, 1, static_cast<int>((left_us + 999) / 1000));
  if (ready <= 0) return false;
  // libpq reads some 16 KiB at a time: what has gathered is taken whole, up to a megabyte.
  for (int reads = 0; ready > 0 && reads < kReadsMax; ++reads) {
    if (PQconsumeInput(connection_->handle()) == 0) {
      return connection_->lost("the log of " + connection_->place() + " cannot be read");
    }
    ready = is_flood_ ? ::poll(&socket, 1, 0) : 0;
  }
  return true;
}

// The server ended the stream; its last words say why.
Result<void> Stream::end_of_stream(int code) {
  PGconn* handle = connection_->handle();
  if (code == -2) return connection_->lost("the log of " + connection_->place() + " broke off");
  PGresult* result = PQgetResult(handle);
  Error error =
      PQresultStatus(result) == PGRES_FATAL_ERROR
          ? connection_->error_of(result, "the log of " + connection_->place() + " broke off")
          : connection_->lost("the log of " + connection_->place() + " ended");
  PQclear(result);
  if (is_gone(connection_->sqlstate())) return lost_log(system_, error.why, read_);
  if (error.code == ErrorCode::kSystemRefused) error.code = ErrorCode::kSystemOpen;
  return error;
}

Result<std::optional<std::string_view>> Stream::take(std::string_view bytes) {
  using Taken = std::optional<std::string_view>;
  if (!bytes.empty() && bytes[0] == 'w' && bytes.size() > kDataHeaderSize) {
    server_end_ = std::max(server_end_, number_at(bytes, 9));
    sent_time_us_ = static_cast<int64_t>(number_at(bytes, 17)) + kEpochUs;
    return Taken(bytes.substr(1 + kDataHeaderSize));
  }
  if (bytes.empty() || bytes[0] != 'k' || bytes.size() <= kKeepaliveSize) {
    return fail(ErrorCode::kSystemOpen, "the log of " + connection_->place() + " is damaged",
                "a frame of " + std::to_string(bytes.size()) + " bytes cannot be read",
                "nothing: the stream is opened anew");
  }
  idle_end_ = number_at(bytes, 1);
  server_end_ = std::max(server_end_, idle_end_);
  is_answer_wanted_ = bytes[kKeepaliveSize] != 0;
  if (is_answer_wanted_) {
    SYN_TRY(send_status());
  }
  return Taken();
}

Result<void> Stream::stay() {
  messages_since_look_ = 0;
  now_us_ = clock_.steady_us();
  if (now_us_ - sent_at_us_ <= kStatusEveryUs) return success();
  return send_status();
}

// As long as there is something at hand, the clock is asked now and then only.
Result<std::optional<std::string_view>> Stream::next(int wait_ms, Patience patience) {
  if (++messages_since_look_ >= kMessagesPerLook) {
    SYN_TRY(stay());
  }
  std::optional<int64_t> deadline_us;
  while (true) {
    PQfreemem(buffer_);
    buffer_ = nullptr;
    const int size = PQgetCopyData(connection_->handle(), &buffer_, 1);
    if (size > 0) {
      ++message_count_;
      SYN_TRY(const auto taken, take({buffer_, static_cast<size_t>(size)}));
      if (taken) return taken;
      if (patience == Patience::kSinceLastSign) deadline_us.reset();
      continue;
    }
    if (size < 0) {
      SYN_TRY(end_of_stream(size));
    }
    SYN_TRY(stay());
    if (!deadline_us) deadline_us = now_us_ + int64_t{1000} * wait_ms;
    SYN_TRY(const bool has_input, wait_for_input(*deadline_us));
    now_us_ = clock_.steady_us();
    if (!has_input && now_us_ >= *deadline_us) return std::optional<std::string_view>();
  }
}

}  // namespace syncline::postgres
