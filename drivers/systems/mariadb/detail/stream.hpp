// The server's binary log as it sends it to a replica: events, read ahead by a thread of its own.
// Of MariaDB each file is asked for anew: libmariadb 3.3 cannot read on behind a file's end.
// MySQL's events it cannot read at all (mysql_log.hpp does).
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

#include "drivers/systems/mariadb/detail/connection.hpp"
#include "drivers/systems/mariadb/detail/event.hpp"
#include "drivers/systems/mariadb/detail/position.hpp"

namespace syncline::mariadb {

// kSystemLost, with what is lost and the command that mends it.
Error lost_log(const std::string& system, std::string why);

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
