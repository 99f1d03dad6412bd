// Where the decoder stands in the log: what was shown before, on this server or on another that it
// has taken over from, and the place that is told.
#include "drivers/systems/mariadb/detail/decoder.hpp"

namespace syncline::mariadb {
namespace {

constexpr uint64_t kFileHeaderSize = 4;
constexpr uint64_t kToldMax = 0xffff'ffff;  // of a place: in an event, and where a stream begins

}  // namespace

void Decoder::begin_stream(LogPosition position, uint32_t server) {
  const History& history = position.history;
  const bool was_other = server_ != 0 && server_ != server;
  if (was_other) cascades_.forget();  // children are known as of a place of the other's log
  for (Followed& followed : followed_) {
    if (was_other) followed.behind_end.reset();  // likewise
  }
  cascades_.roll_back();
  bound_.clear();
  held_.clear();
  group_ = {};
  groups_.clear();
  rejected_.clear();
  row_count_ = 0;
  server_ = server;
  is_history_known_ = history.server != 0;
  is_moved_ = is_history_known_ && history.server != server;
  turn_ = position.place.turn + (is_moved_ ? 1 : 0);
  has_domains_ = history.has_domains;
  shown_last_ = history.last;
  last_ = position.from.before;
  expected_ = position.from;
  is_verified_ = false;
  file_ = {position.base, is_moved_ ? 0 : position.from.place.file};
  file_began_s_ = 0;
  file_end_ = 0;
  told_ = position.place;
  reached_ = {};
  read_ = std::move(position);
}

// The files before are not needed any more: the server may remove them, however quiet it is.
void Decoder::pass_into_file() {
  if (!held_.empty() || is_in_group() || read_.part.taken > 0) return;
  const bool is_of_this = read_.place.turn == turn_;
  if (is_of_this ? file_.number <= read_.place.file : last_ != shown_last_) return;
  const Place begin{turn_, file_.number, kFileHeaderSize};
  const GroupMark mark{begin, {}, file_began_s_, file_began_s_, last_};
  read_ = {{turn_, begin.file, begin.offset - 1}, mark, file_.base, {}, {}};
  if (is_history_known_) read_.history = {server_, has_domains_, last_};
}

// On a server that has taken over, by the GTID.
bool Decoder::is_shown_before(const GroupMark& mark) const {
  if (mark.place <= read_.place || mark.place == torn_) return true;
  return is_moved_ && mark.gtid.domain == shown_last_.domain &&
         mark.gtid.sequence <= shown_last_.sequence;
}

bool Decoder::is_as_expected(const GroupMark& mark) const {
  return (is_moved_ || mark.place == expected_.place) && mark.gtid == expected_.gtid &&
         mark.time_s == expected_.time_s;
}

LogPosition Decoder::position_of(const GroupMark& mark) const {
  LogPosition position{mark.place, mark, file_.base, {}, {}};
  if (is_history_known_) position.history = {server_, has_domains_, mark.gtid};
  const bool is_in_reach = mark.place.offset <= kToldMax || read_.place.turn != turn_;
  if (!is_in_reach) position.from = read_.from;
  for (const auto& [xid, held] : held_) {
    if (held.mark.place < position.from.place) position.from = held.mark;
  }
  return position;
}

// An event tells 32 bits of where it ends, and a file is as large as its last transactions make it.
uint64_t Decoder::whole_end(uint64_t end) {
  uint64_t whole = (file_end_ & ~kToldMax) | end;
  if (whole + kToldMax / 2 < file_end_) whole += kToldMax + 1;
  file_end_ = std::max(file_end_, whole);
  return whole;
}

}  // namespace syncline::mariadb
