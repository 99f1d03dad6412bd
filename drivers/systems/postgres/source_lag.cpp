// What the source has not told or confirmed yet, and what the server keeps because of that.
#include "drivers/systems/postgres/detail/failover.hpp"
#include "drivers/systems/postgres/detail/objects.hpp"
#include "drivers/systems/postgres/detail/source.hpp"

namespace syncline::postgres {
namespace {

constexpr int64_t kMeasureEveryUs = 5'000'000;

}  // namespace

// What the server keeps for us, now and then; beyond the limit of the config it is given up.
Result<void> PostgresSource::measure() {
  if (given_up_ || clock_.steady_us() < measure_due_us_) return success();
  SYN_TRY(Connection * connection, connect());
  SYN_TRY(retained_bytes_, retained_log(*connection, shared_->object));
  SYN_TRY(find_absent_standby(*connection, withheld_));
  const uint64_t pause = shared_->config.log_pause_bytes;
  held_by_.clear();
  if (pause > 0 && retained_bytes_ > pause / 2) {
    SYN_TRY(held_by_, find_log_holder(*connection));
  }
  measure_due_us_ = clock_.steady_us() + kMeasureEveryUs;
  const uint64_t limit = shared_->config.log_limit_bytes;
  if (!is_open_ || limit == 0 || retained_bytes_ <= limit) return success();
  close_stream();
  place_ = given_;
  SYN_TRY(end_sessions(*connection, shared_->session("source")));
  SYN_TRY(drop_slot(*connection, shared_->object));
  given_up_ =
      lost_log(shared_->config.name,
               "slot " + shared_->object + " held " + std::to_string(retained_bytes_ >> 20) +
                   " MiB of the server's log, more than `log_limit` in the config allows, "
                   "and was dropped",
               given_.reach());
  retained_bytes_ = 0;
  return success();
}

Result<ports::Source::Lag> PostgresSource::lag() {
  SYN_TRY(measure());
  Lag lag;
  lag.retained_bytes = retained_bytes_;
  lag.held_by = held_by_;
  lag.withheld = withheld_;
  for (const Waiting& transaction : waiting_) lag.rows += transaction.row_count;
  if (at_hand_) lag.oldest_us = at_hand_->transaction.begin.commit_time_us;
  if (!waiting_.empty()) lag.oldest_us = waiting_.front().commit_time_us;
  if (stream_ != nullptr && lag.oldest_us > 0 && stream_->server_end() > flushed_) {
    lag.bytes = stream_->server_end() - flushed_;
  }
  return lag;
}

// Behind the last commit nothing is told but that the server has sent all up to some place: with
// that, it has been, if nothing of it is still at hand.
Result<bool> PostgresSource::has_passed(const Place& reached, Lsn end) {
  if (reached.lsn >= end) return true;
  if (stream_ == nullptr || at_hand_) return false;
  if (stream_->idle_end() >= end) return true;
  SYN_TRY(stream_->ask());
  return false;
}

Result<std::optional<bool>> PostgresSource::has_told(const model::Position& position) {
  const auto place = place_of(position);
  if (!place) return std::optional(false);
  const auto told = has_passed(given_, place->lsn);
  if (told) return std::optional(told.value());
  close_stream();
  place_ = given_;
  return told.as_failure();
}

}  // namespace syncline::postgres
