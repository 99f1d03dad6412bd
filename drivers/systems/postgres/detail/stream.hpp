// The replication stream: pgoutput messages from a slot, keepalives answered on the way.
//
// What is confirmed to the server is what the caller said is durable. Threads: one at a time.
// Errors: kSystemOpen (gone: make a new stream), kSystemBusy (the slot is still held by an older
// session), kSystemLost (the slot, or its log, is gone).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "drivers/systems/postgres/detail/connection.hpp"
#include "drivers/systems/postgres/detail/place.hpp"
#include "host/base/clock.hpp"

namespace syncline::postgres {

enum class Patience : uint8_t {
  kFixed,          // from the call on
  kSinceLastSign,  // anew with every sign of life: the server is at work on what shows nothing
};

enum class Shown : uint8_t {
  kAll,
  kWithoutOrigin,  // what is written under a replication origin is left out (16 and later)
};

class Stream {
 public:
  // Streams transactions whose commit record lies behind `after` (0: from what the slot confirmed),
  // if the server is the one that `after` is of; `after` becomes the place as it is in its log.
  static Result<std::unique_ptr<Stream>> open(const Access& access, const std::string& object,
                                              Place& after, Shown shown, Clock& clock);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // The next message's bytes, valid until the next call; nothing if none came within wait_ms.
  Result<std::optional<std::string_view>> next(int wait_ms, Patience patience);
  // Answers the server, now and then, while nothing is read.
  Result<void> stay();
  // The steady time, as it was looked up last: after each wait, and now and then between.
  int64_t about_now_us() const { return now_us_; }

  // A transaction has been read whole; it waits to be durable.
  void note_read(Lsn commit_lsn) { read_ = commit_lsn; }
  // Everything before here is durable. Tells the server, now and then.
  Result<void> confirm(Lsn flushed);

  // Asks the server how far it has sent: idle_end() rises with its answer.
  Result<void> ask() { return send_status(Reply::kWanted); }

  Lsn server_end() const { return server_end_; }
  // When, by its own clock, the server sent the last message; since 1970.
  int64_t sent_time_us() const { return sent_time_us_; }
  // All up to here has been sent, and what of it had anything to show was returned by next().
  Lsn idle_end() const { return idle_end_; }
  // The server waits for an answer, as where it is to stop: until all that it sent is confirmed.
  bool is_answer_wanted() const { return is_answer_wanted_ && confirmed_ < idle_end_; }
  uint32_t timeline() const { return timeline_; }

 private:
  Stream(std::unique_ptr<Connection> connection, std::string system, Lsn after, uint32_t timeline,
         Clock& clock)
      : connection_(std::move(connection)),
        system_(std::move(system)),
        clock_(clock),
        timeline_(timeline),
        read_(after) {}

  void let_them_gather(int64_t deadline_us);
  Result<bool> wait_for_input(int64_t deadline_us);
  Result<std::optional<std::string_view>> take(std::string_view bytes);
  enum class Reply : uint8_t { kNone = 0, kWanted = 1 };  // the protocol's values
  Result<void> send_status(Reply reply = Reply::kNone);
  Result<void> end_of_stream(int code);

  std::unique_ptr<Connection> connection_;
  std::string system_;
  Clock& clock_;
  uint32_t timeline_ = 0;
  char* buffer_ = nullptr;  // libpq's, of the last message
  Lsn read_ = 0;
  Lsn confirmed_ = 0;
  Lsn server_end_ = 0;
  Lsn idle_end_ = 0;          // the server had sent all up to here
  Lsn sent_ = 0;              // the last flush position told
  int64_t sent_at_us_ = 0;    // by us
  int64_t sent_time_us_ = 0;  // by the server
  int64_t now_us_ = 0;
  uint32_t messages_since_look_ = 0;
  int64_t message_count_ = 0;  // since pace_since_us_
  int64_t pace_since_us_ = 0;
  bool is_flood_ = false;
  bool is_answer_wanted_ = false;  // by the last keepalive
};

}  // namespace syncline::postgres
