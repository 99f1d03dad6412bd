#include "drivers/systems/postgres/detail/source.hpp"

#include <algorithm>
#include <utility>

#include "drivers/systems/postgres/detail/failover.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/unseen.hpp"

namespace syncline::postgres {
namespace {

constexpr int64_t kPassedEveryUs = 5'000'000;
constexpr int64_t kReadOnUs = 20'000;  // behind what a poll gave, if it was not to wait
// Where the log is read so long after it was written, little is lost by waiting for more of it:
// large polls make large batches.
constexpr int64_t kFarBehindUs = 1'000'000;
constexpr int64_t kReadOnUsMax = 100'000;

}  // namespace

PostgresSource::PostgresSource(std::shared_ptr<const Shared> shared, Clock& clock)
    : shared_(std::move(shared)),
      clock_(clock),
      budget_{shared_->config.spool_folder, shared_->limits.spool_memory_bytes},
      assembler_(budget_),
      decoder_(shared_, [this] { return connect(); }),
      replica_(shared_, clock) {}

Result<Connection*> PostgresSource::connect() {
  if (connection_ != nullptr && !connection_->is_usable()) connection_.reset();
  if (connection_ == nullptr) {
    replica_.forget();
    SYN_TRY(connection_, Connection::open(shared_->access("read"), Purpose::kSql));
  }
  return connection_.get();
}

Result<void> PostgresSource::open(const model::Position& position) {
  close_stream();
  connection_.reset();
  given_up_.reset();
  stopped_.clear();
  stops_to_report_.clear();
  rescans_to_report_.clear();
  waiting_.clear();
  is_open_ = false;
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(take_place(position));
  SYN_TRY(end_sessions(*connection, shared_->session("source")));
  SYN_TRY(install_checkpoint(*connection));
  decoder_.follow({});
  SYN_TRY(refresh(nullptr));
  SYN_TRY(take_slot(position));
  SYN_TRY(let_standbys_keep(*connection, shared_->access("source"), shared_->object));
  SYN_TRY(note_primary(*connection));
  if (!position.is_start()) {
    SYN_TRY(const auto unseen, unseen_commits(*connection));
    auto& recent = decoder_.recent_xids();
    recent.insert(recent.end(), unseen.begin(), unseen.end());
  }
  is_open_ = true;
  return success();
}

// A position names the server it is of, and lies in what that server has written.
Result<void> PostgresSource::take_place(const model::Position& position) {
  SYN_TRY(auto looker, Connection::open(shared_->access("source"), Purpose::kReplication));
  SYN_TRY(const Place now, identify(*looker));
  given_ = {.server = now.server, .timeline = now.timeline};
  flushed_ = begun_ = 0;
  if (!position.is_start()) {
    const auto before = place_of(position);
    if (!before) {
      return lost_log(shared_->config.name, "the journal holds no position of a PostgreSQL log");
    }
    SYN_TRY(given_, check_place(*looker, shared_->config.name, shared_->object, *before, now));
    given_.timeline = now.timeline;
    flushed_ = given_.flushed();
  }
  place_ = given_;
  return success();
}

// Without a position an existing slot is kept: it holds what users changed since a first sync that
// was cut short began. But a slot cannot be read where the publication was not there yet.
Result<void> PostgresSource::take_slot(const model::Position& position) {
  const std::string& name = shared_->object;
  SYN_TRY(const Slot slot, find_slot(*connection_, name));
  if (!position.is_start()) {
    if (slot == Slot::kMissing) {
      return lost_slot(shared_->config.name, name, place_of(position).value_or(given_), given_);
    }
    if (publication_ == Made::kNow) {
      SYN_TRY(drop_slot(*connection_, name));  // of no use: it reads what was before
      return lost_publication();
    }
    if (slot == Slot::kUsable) return success();
    return lost_log(shared_->config.name,
                    "the server removed the log behind slot " + name +
                        ": more was written than max_slot_wal_keep_size while we were away",
                    given_.reach());
  }
  if (slot != Slot::kUsable || publication_ != Made::kBefore) {
    if (slot != Slot::kMissing) {
      SYN_TRY(drop_slot(*connection_, name));
    }
    SYN_TRY(create_slot(*connection_, name));
  }
  SYN_TRY(const auto begin, begin_of_slot(*connection_, name));
  given_.lsn = before_end(given_.lsn);
  given_.passed = begin.value_or(0);
  place_ = given_;
  flushed_ = given_.flushed();
  return success();
}

void PostgresSource::close_stream() {
  stream_.reset();
  assembler_.reset();
  at_hand_.reset();
}

Result<void> PostgresSource::open_stream() {
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(check_origins(*connection, rescans_to_report_));
  is_filtered_ = origins_.ours == Origin::kOurs && is_filtering_due_;
  const Shown shown = is_filtered_ ? Shown::kWithoutOrigin : Shown::kAll;
  auto stream = Stream::open(shared_->access("source"), shared_->object, place_, shown, clock_);
  if (!stream && stream.error().code == ErrorCode::kSystemBusy) {
    SYN_TRY(end_sessions(*connection, shared_->session("source")));
    stream = Stream::open(shared_->access("source"), shared_->object, place_, shown, clock_);
  }
  if (!stream) return std::move(stream).as_failure();
  stream_ = std::move(stream).value();
  place_.timeline = stream_->timeline();
  given_ = place_;
  flushed_ = std::min(flushed_, given_.flushed());
  assembler_.reset();
  decoder_.begin_stream();
  return stream_->confirm(flushed_);
}

// What of the transaction at hand comes next: where it ends, and how many changes it has. One of
// ours is never cut: what we wrote is told from what users did by its marker, in the same poll.
Result<PostgresSource::Stretch> PostgresSource::next_stretch(AtHand& at_hand) {
  const Limits& limits = shared_->limits;
  Spool& spool = at_hand.transaction.spool;
  Stretch stretch;
  stretch.begin = at_hand.offset;
  stretch.end = stretch.begin;
  const size_t end_max = stretch.begin + limits.part_bytes;
  const auto has_room = [&] {
    return stretch.change_count < limits.part_rows && stretch.end < end_max;
  };
  while (stretch.end < spool.size() && (at_hand.is_ours || has_room())) {
    SYN_TRY(const Spool::Record record, spool.at(stretch.end));
    stretch.end = record.end;
    if (at_hand.counts(record)) ++stretch.change_count;
    if (at_hand.is_ours || at_hand.is_rolled_back(record)) continue;
    SYN_TRY(at_hand.is_ours, decoder_.is_marker(record));
  }
  stretch.is_last = stretch.end == spool.size();
  return stretch;
}

bool PostgresSource::AtHand::is_rolled_back(const Spool::Record& record) const {
  return record.bytes[0] != kRelation && transaction.aborted.contains(record.tag);
}

bool PostgresSource::AtHand::counts(const Spool::Record& record) const {
  return record.bytes[0] != kRelation && !is_rolled_back(record);
}

// Shows one part of the transaction at hand. What was given of it before is passed over; one of
// ours comes whole again.
Result<PostgresSource::Stretch> PostgresSource::give_part(AtHand& at_hand) {
  SYN_TRY(const Stretch stretch, next_stretch(at_hand));
  has_given_since_ = true;
  const Lsn commit_lsn = at_hand.transaction.begin.commit_lsn;
  const bool is_continued = place_.part.commit_lsn == commit_lsn && !at_hand.is_ours;
  const uint64_t given = is_continued ? place_.part.taken : 0;
  const uint64_t taken = at_hand.taken + stretch.change_count;
  Place after = place_;
  after.part = {commit_lsn, taken};
  if (stretch.is_last) {
    const Lsn passed = std::max(commit_lsn, place_.passed.value_or(0));
    after = {commit_lsn, place_.server, place_.timeline, passed, {}};
  }
  const bool is_shown = stretch.is_last || taken > given;
  if (is_shown) decoder_.begin_part(position_of(after));
  for (size_t at = stretch.begin; at < stretch.end;) {
    SYN_TRY(const Spool::Record record, at_hand.transaction.spool.at(at));
    at = record.end;
    if (at_hand.is_rolled_back(record)) continue;
    const bool is_new = at_hand.taken >= given;
    SYN_TRY(decoder_.take(record, is_new ? Decoder::Showing::kAll : Decoder::Showing::kNothing));
    if (at_hand.counts(record)) ++at_hand.taken;
  }
  if (is_shown) {
    decoder_.end_part();
    place_ = after;
  }
  at_hand.offset = stretch.end;
  if (!stretch.is_last) return stretch;
  SYN_TRY(decoder_.end_transaction());
  const Waiting read{commit_lsn, at_hand.transaction.begin.commit_time_us, decoder_.row_count()};
  if (read.row_count > 0) waiting_.push_back(read);
  return stretch;
}

// The next message of the stream; false: none came in time.
Result<bool> PostgresSource::read_message(int wait_ms) {
  const bool is_inside = assembler_.is_inside();
  SYN_TRY(const auto message,
          stream_->next(is_inside ? shared_->limits.in_transaction_ms : wait_ms,
                        is_inside ? Patience::kSinceLastSign : Patience::kFixed));
  if (!message) {
    if (!is_inside) return false;
    return fail(ErrorCode::kSystemOpen, "the log of system " + shared_->config.name + " stalled",
                "the rest of a transaction did not come, and no sign that it will",
                "nothing: the stream is opened anew");
  }
  SYN_TRY(auto complete, assembler_.take(*message));
  if (!complete) return true;
  stream_->note_read(complete->begin.commit_lsn);
  is_far_behind_ = stream_->sent_time_us() - complete->begin.commit_time_us > kFarBehindUs;
  decoder_.begin_transaction(*complete);
  at_hand_.emplace(std::move(*complete));
  return true;
}

// A poll is bounded by what it reads, whether rows come of it or not; and by its time, apart from
// the rest of a block that has begun.
Result<void> PostgresSource::read_stream(ports::PollResult& result, size_t row_limit, int wait_ms) {
  read_on_us_ = is_far_behind_ ? std::min(2 * read_on_us_, kReadOnUsMax) : kReadOnUs;
  const int64_t begin_us = clock_.steady_us();
  const int64_t deadline_us = begin_us + int64_t{1000} * wait_ms;
  const int64_t read_on_until_us = std::max(deadline_us, begin_us + read_on_us_);
  size_t change_count = 0;
  size_t size = 0;
  bool has_given = false;
  bool has_read = false;
  SYN_TRY(stream_->stay());
  while (true) {
    if (change_count >= row_limit || size >= shared_->limits.part_bytes) {
      result.has_more = true;
      return success();
    }
    if (at_hand_) {
      SYN_TRY(const Stretch given, give_part(*at_hand_));
      if (given.is_last) at_hand_.reset();
      change_count += given.change_count;
      size += given.end - given.begin;
      has_given = true;
      continue;
    }
    const int64_t now_us = stream_->about_now_us();
    const bool is_due = now_us >= (has_given ? read_on_until_us : deadline_us);
    if (has_read && is_due && !assembler_.is_inside()) {
      result.has_more = true;  // more may be there: others may be asked meanwhile
      return success();
    }
    const bool waits_on = has_given && is_far_behind_ && read_on_us_ > kReadOnUs;
    const int64_t until_us = !has_given ? deadline_us : waits_on ? read_on_until_us : now_us;
    const int64_t left_ms = std::max<int64_t>(0, (until_us - now_us) / 1000);
    SYN_TRY(has_read, read_message(static_cast<int>(left_ms)));
    if (!has_read) return success();
  }
}

Result<void> PostgresSource::poll_once(ports::PollResult& result, size_t row_limit, int wait_ms) {
  if (given_up_) return *given_up_;
  if (clock_.steady_us() >= refresh_due_us_ && !at_hand_) {
    SYN_TRY(refresh(&result));
  }
  if (is_past_look()) {
    is_filtering_due_ = true;
    close_stream();
    place_ = given_;
  }
  if (stream_ == nullptr) {
    SYN_TRY(open_stream());
  }
  SYN_TRY(read_stream(result, row_limit, wait_ms));
  give_passed(result);
  return give_regrouped(result);
}

// What the server has passed by without anything of ours in it is a place, too: once that is
// durable a quiet database holds no log for us.
void PostgresSource::give_passed(ports::PollResult& result) {
  const bool is_due = stream_->is_answer_wanted() || clock_.steady_us() >= passed_due_us_;
  if (!is_due || at_hand_ || assembler_.is_inside()) return;
  const Lsn passed = stream_->idle_end();
  if (passed <= std::max(place_.flushed(), begun_)) return;
  place_.lsn = std::max(place_.lsn, before_end(begun_));  // places come in order
  place_.passed = passed;
  decoder_.give_place(position_of(place_));
  result.quiet_place = ports::QuietPlace::kKept;
  passed_due_us_ = clock_.steady_us() + kPassedEveryUs;
}

// A poll that fails gave nothing: what it had read is read again, what it had found is told later.
Result<ports::PollResult> PostgresSource::poll(ports::ChangeSink& sink, size_t row_limit,
                                               int wait_ms) {
  ports::PollResult result;
  result.quiet_place = ports::QuietPlace::kLeft;
  result.stopped = std::exchange(stops_to_report_, {});
  result.rescan = std::exchange(rescans_to_report_, {});
  decoder_.begin_poll(sink, result);
  if (auto read = poll_once(result, row_limit, wait_ms); !read) {
    close_stream();
    place_ = given_;
    while (!waiting_.empty() && waiting_.back().lsn > given_.lsn) waiting_.pop_back();
    stops_to_report_ = std::move(result.stopped);
    rescans_to_report_ = std::move(result.rescan);
    return std::move(read).as_failure();
  }
  given_ = place_;
  if (regrouped_.empty() && std::exchange(is_seen_anew_, false)) told_layout_ = to_text(seen_);
  return result;
}

Result<void> PostgresSource::acknowledge(const model::Position& position) {
  const auto place = place_of(position);
  if (!place) return success();
  // What another server had passed by says nothing of this one.
  const bool is_of_here = place->timeline == given_.timeline;
  const Lsn committed = place->lsn == 0 ? 0 : place->lsn + 1;
  flushed_ = std::max(flushed_, is_of_here ? place->flushed() : committed);
  while (!waiting_.empty() && waiting_.front().lsn < flushed_) waiting_.pop_front();
  if (stream_ == nullptr) return success();
  if (auto told = stream_->confirm(flushed_); !told) {
    close_stream();
    place_ = given_;
    return told;
  }
  return success();
}

}  // namespace syncline::postgres
