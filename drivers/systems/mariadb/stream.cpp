#include "drivers/systems/mariadb/detail/stream.hpp"

#include <thread>

#include <errmsg.h>
#include <mysqld_error.h>
#include <sys/socket.h>

#include "drivers/systems/mariadb/detail/mysql_log.hpp"
#include "drivers/systems/mariadb/detail/rights.hpp"
#include "drivers/systems/mariadb/detail/takeover.hpp"
#include "host/base/bounded_queue.hpp"
#include "host/base/thread_name.hpp"

namespace syncline::mariadb {
namespace {

// Read ahead; an event of rows has 8 KiB or one row, kept twice.
constexpr size_t kEventsMax = 512;
constexpr size_t kEventBytesMax = 8u << 20;
constexpr size_t kTakenMax = 128;
constexpr int64_t kPushPatienceUs = 100'000;
constexpr size_t kHeaderSize = 19;
constexpr size_t kChecksumSize = 4;
constexpr size_t kTypeOffset = 4;
constexpr size_t kSizeOffset = 9;
constexpr size_t kNameSizeMax = 512;
constexpr size_t kRotatePlaceSize = 8;      // before the name
constexpr uint64_t kFirstOffset = 4;        // behind a file's own mark
constexpr size_t kNoPacket = packet_error;  // the library's

// A heartbeat tells that a quiet server lives; capability 4 asks for GTID events as they are.
constexpr const char* kSettings[] = {
    "SET @mariadb_slave_capability = 4",  // to a MySQL it means nothing
    "SET @master_binlog_checksum = @@global.binlog_checksum",
    "SET @master_heartbeat_period = 5000000000",
};

}  // namespace

Error lost_log(const std::string& system, std::string why) {
  return {ErrorCode::kSystemLost, "system " + system + " has lost the log that we read",
          std::move(why),
          "what its users changed since the last change read is not known any more: run `syncline "
          "resync --system " +
              system + "`, which compares all records anew"};
}

namespace {

// The file in which the log goes on behind this event; nothing for other events.
std::optional<FileName> next_file(const Event& event) {
  const bool is_end = event.kind == EventKind::kRotate && !event.is_artificial;
  if (!is_end || event.body.size() <= kRotatePlaceSize) return std::nullopt;
  return parse_file_name(event.body.substr(kRotatePlaceSize));
}

// A server that was stopped left no such event at the end of its file. It then makes one up, which
// the library refuses: it still lies where the library keeps the last message.
std::optional<FileName> next_file_refused(const MYSQL& handle, size_t checksum_size) {
  const unsigned char* packet = handle.net.read_pos;
  if (packet == nullptr || packet[0] != 0 || packet[1 + kTypeOffset] != ROTATE_EVENT) {
    return std::nullopt;
  }
  const unsigned char* header = packet + 1;
  size_t size = 0;
  for (size_t i = 4; i > 0; --i) size = size << 8 | header[kSizeOffset + i - 1];
  const size_t overhead = kHeaderSize + kRotatePlaceSize + checksum_size;
  if (size <= overhead || size > overhead + kNameSizeMax) return std::nullopt;
  const char* name = reinterpret_cast<const char*>(header) + kHeaderSize + kRotatePlaceSize;
  return parse_file_name({name, size - overhead});
}

// An event that the library refuses, or reads as it is not: a file that a statement loads, which
// need not end as a text does. Its header still lies where the library keeps the last message.
Event event_refused(const MYSQL& handle) {
  const unsigned char* packet = handle.net.read_pos;
  if (packet == nullptr || packet[0] != 0) return {};
  return make_refused_event({reinterpret_cast<const char*>(packet) + 1, kHeaderSize});
}

}  // namespace

class Stream::Reading {
 public:
  Reading(std::unique_ptr<Connection> connection, const Access& access)
      : connection_(std::move(connection)),
        system_(access.system),
        reader_(mariadb_rpl_init(connection_->handle())),
        queue_(kEventsMax, kEventBytesMax) {}
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;
  ~Reading() {
    queue_.close();
    if (!thread_.joinable()) return;
    shutdown(static_cast<int>(mysql_get_socket(connection_->handle())), SHUT_RDWR);
    thread_.join();
  }

  Result<void> start(uint32_t replica_number, const StreamStart& start) {
    for (const char* setting : kSettings) {
      SYN_TRY(connection_->run(setting));
    }
    SYN_TRY(account_, account(*connection_));
    SYN_TRY(const uint32_t server, server_number(*connection_));
    if (server != start.server) {
      return fail(
          ErrorCode::kSystemOpen, connection_->place() + " is another server than just now",
          "it has number " + std::to_string(server) + ", not " + std::to_string(start.server),
          "nothing: the log is opened anew");
    }
    if (connection_->kind().is_mysql()) {
      SYN_TRY(const std::string is_bare,
              connection_->query_text("SELECT @@global.binlog_checksum = 'NONE'"));
      if (is_bare == "1") mysql_log_ = MysqlLog(MysqlLog::Checksums::kNone);
    }
    if (start.behind) {
      SYN_TRY(find_behind(*start.behind));
    }
    const std::string file = start.behind ? "" : file_name(start.base, start.place.file);
    const uint64_t offset = start.behind ? kFirstOffset : start.place.offset;
    MARIADB_RPL* reader = reader_.get();
    mariadb_rpl_optionsv(reader, MARIADB_RPL_SERVER_ID, replica_number);
    mariadb_rpl_optionsv(reader, MARIADB_RPL_FILENAME, file.c_str(), file.size());
    mariadb_rpl_optionsv(reader, MARIADB_RPL_START, static_cast<unsigned long>(offset));
    mariadb_rpl_optionsv(reader, MARIADB_RPL_VERIFY_CHECKSUM, 1);
    mariadb_rpl_optionsv(reader, MARIADB_RPL_UNCOMPRESS, 1);
    if (mariadb_rpl_open(reader) != 0) return ended();
    const bool is_mysql = connection_->kind().is_mysql();
    thread_ = std::thread([this, is_mysql] { is_mysql ? read_mysql_ahead() : read_ahead(); });
    return success();
  }

  void take(std::vector<Item>& out, int wait_ms) {
    queue_.pop_many(out, kTakenMax, int64_t{1000} * wait_ms);
  }

 private:
  struct Close {
    void operator()(MARIADB_RPL* reader) const { mariadb_rpl_close(reader); }
  };

  // A server in whose log that group is missing refuses then.
  Result<void> find_behind(const Gtid& group) {
    const std::string state = group.sequence == 0 ? "" : to_string(group);
    SYN_TRY(connection_->run("SET @slave_connect_state = " + literal(state)));
    SYN_TRY(connection_->run("SET @slave_gtid_strict_mode = 1"));
    return connection_->run("SET @slave_gtid_ignore_duplicates = 0");
  }

  size_t checksum_size() const { return reader_->use_checksum != 0 ? kChecksumSize : 0; }

  void read_ahead() {
    name_thread("binlog");
    while (!queue_.is_closed()) {
      Event event = next_event();
      if (!event) {
        give_end();
        return;
      }
      if (event.kind == EventKind::kHeartbeat) continue;
      if (auto next = next_file(event)) {
        give(std::move(*next));
        return;
      }
      if (!give(std::move(event))) return;
    }
  }

  // None where the stream has ended, or what is next cannot be read.
  Event next_event() {
    MARIADB_RPL_EVENT* fetched = mariadb_rpl_fetch(reader_.get(), nullptr);
    if (fetched != nullptr) return make_event(fetched, checksum_size());
    const unsigned why = mariadb_rpl_errno(reader_.get());
    const bool is_refused = why == CR_BINLOG_ERROR || why == CR_UNKNOWN_BINLOG_EVENT;
    Event event = is_refused ? event_refused(*connection_->handle()) : Event();
    if (event) reader_->error_no = 0;
    return event;
  }

  void read_mysql_ahead() {
    name_thread("binlog");
    std::vector<Event> events;
    while (!queue_.is_closed()) {
      const std::string_view bytes = next_mysql_event();
      if (bytes.empty()) {
        give(ended());
        return;
      }
      events.clear();
      if (auto read = mysql_log_.take(bytes, events); !read) {
        give(std::move(read).error());
        return;
      }
      for (Event& event : events) {
        if (!give(std::move(event))) return;
      }
    }
  }

  // Behind a sign that there is one; empty where the stream has ended.
  std::string_view next_mysql_event() {
    MYSQL* handle = connection_->handle();
    const size_t size = mysql_net_read_packet(handle);
    const bool is_event = size != kNoPacket && size > 1 && handle->net.read_pos[0] == 0;
    if (!is_event) return {};
    return {reinterpret_cast<const char*>(handle->net.read_pos) + 1, size - 1};
  }

  void give_end() {
    std::optional<FileName> next;
    if (mariadb_rpl_errno(reader_.get()) == CR_BINLOG_ERROR) {
      next = next_file_refused(*connection_->handle(), checksum_size());
    }
    if (next) {
      give(std::move(*next));
    } else {
      give(ended());
    }
  }

  // A full queue is waited for: the item is moved from only when it goes in.
  bool give(Item item) {
    const Event* event = std::get_if<Event>(&item);
    const size_t size = event == nullptr ? 0 : event->size + event->rows.images.size();
    while (true) {
      // NOLINTNEXTLINE(bugprone-use-after-move)
      const QueueState state = queue_.push(std::move(item), kPushPatienceUs, size);
      if (state != QueueState::kTimeout) return state == QueueState::kDone;
    }
  }

  // What an end of the stream means, in the server's words.
  Error ended() const {
    MYSQL* handle = connection_->handle();
    const unsigned own = mariadb_rpl_errno(reader_.get());
    const unsigned number = own != 0 ? own : mysql_errno(handle);
    const std::string message = own != 0 ? mariadb_rpl_error(reader_.get()) : mysql_error(handle);
    if (number == ER_MASTER_FATAL_ERROR_READING_BINLOG) return lost_log(system_, message);
    Error error = connection_->error_of(number, mysql_sqlstate(handle), message,
                                        "the log of " + connection_->place() + " broke off");
    if (number == ER_SPECIFIC_ACCESS_DENIED_ERROR) {
      error.fix = "GRANT REPLICATION SLAVE ON *.* TO " + account_ + ";";
    }
    error.code = ErrorCode::kSystemOpen;
    return error;
  }

  std::unique_ptr<Connection> connection_;
  std::string system_;
  std::string account_;  // ours, as a GRANT names it
  std::unique_ptr<MARIADB_RPL, Close> reader_;
  MysqlLog mysql_log_{MysqlLog::Checksums::kCrc32};
  BoundedQueue<Item> queue_;
  std::thread thread_;
};

Stream::Stream(Access access, uint32_t replica_number, uint32_t server)
    : access_(std::move(access)), replica_number_(replica_number), server_(server) {}

Stream::~Stream() = default;

Result<std::unique_ptr<Stream>> Stream::open(const Access& access, uint32_t replica_number,
                                             const StreamStart& start) {
  std::unique_ptr<Stream> stream(new Stream(access, replica_number, start.server));
  SYN_TRY(stream->read_from(start));
  return stream;
}

Result<void> Stream::read_from(const StreamStart& start) {
  reading_.reset();
  SYN_TRY(auto connection, Connection::open(access_, Purpose::kReplication));
  auto reading = std::make_unique<Reading>(std::move(connection), access_);
  SYN_TRY(reading->start(replica_number_, start));
  reading_ = std::move(reading);
  return success();
}

Result<Event> Stream::next(int wait_ms) {
  while (true) {
    if (taken_at_ == taken_.size()) {
      taken_.clear();
      taken_at_ = 0;
      reading_->take(taken_, wait_ms);
      if (taken_.empty()) return Event();
    }
    Item& item = taken_[taken_at_];
    if (const Error* error = std::get_if<Error>(&item)) return *error;
    if (const FileName* file = std::get_if<FileName>(&item)) {
      SYN_TRY(read_from({server_, file->base, {0, file->number, kFirstOffset}, {}}));
      ++taken_at_;
      continue;
    }
    ++taken_at_;
    return std::get<Event>(std::move(item));
  }
}

}  // namespace syncline::mariadb
