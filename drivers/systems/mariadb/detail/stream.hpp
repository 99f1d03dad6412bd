// The server's binary log as it sends it to a replica: events, read ahead by a thread of its own.
// Each file is asked for anew: libmariadb 3.3 cannot read on behind a file's end.
//
// Owner: it owns connection and thread; an event owns its bytes. Threads: next() one at a time.
// Errors: kSystemOpen (gone, or another server: make a new stream), kSystemLost (the log is not
// there any more).
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

// clang-format off: the second needs the first
#include <mysql.h>
#include <mariadb_rpl.h>
// clang-format on

#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"

namespace syncline::mariadb {

// kSystemLost, with what is lost and the command that mends it.
Error lost_log(const std::string& system, std::string why);

class Event {
 public:
  Event() = default;
  // Takes it over. Its last checksum_size bytes are not its own.
  Event(MARIADB_RPL_EVENT* event, size_t checksum_size)
      : event_(event), checksum_size_(checksum_size) {}

  explicit operator bool() const { return event_ != nullptr; }
  const MARIADB_RPL_EVENT* operator->() const { return event_.get(); }
  int type() const { return static_cast<int>(event_->event_type); }
  // Its bytes behind the header, without checksum.
  std::string_view body() const;

 private:
  struct Free {
    void operator()(MARIADB_RPL_EVENT* event) const { mariadb_free_rpl_event(event); }
  };
  std::unique_ptr<MARIADB_RPL_EVENT, Free> event_;
  size_t checksum_size_ = 0;
};

struct StreamStart {
  uint32_t server = 0;  // the number of the one that it has to be
  std::string base;
  Place place;  // an offset at which an event begins
  // Instead: behind this group, wherever that stands; sequence 0: from the first there is.
  std::optional<Gtid> behind;
};

class Stream {
 public:
  static Result<std::unique_ptr<Stream>> open(const Access& access, uint32_t replica_number,
                                              const StreamStart& start);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Nothing where none came within wait_ms.
  Result<Event> next(int wait_ms);

 private:
  using Item = std::variant<Event, FileName, Error>;  // FileName: the log goes on there
  // One file's connection, reader and thread.
  class Reading;

  Stream(Access access, uint32_t replica_number, uint32_t server);
  Result<void> read_from(const StreamStart& start);

  Access access_;
  uint32_t replica_number_;
  uint32_t server_;
  std::unique_ptr<Reading> reading_;
  std::vector<Item> taken_;  // from the queue, in one go
  size_t taken_at_ = 0;
};

}  // namespace syncline::mariadb
