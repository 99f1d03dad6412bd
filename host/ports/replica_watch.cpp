#include "host/ports/replica_watch.hpp"

namespace syncline::ports {
namespace {

constexpr int64_t kRestUs = 30'000'000;
constexpr int kSlowMs = 1'000;
constexpr int kSlowCount = 3;  // one late chunk may be a passing load

Error slow(const std::string& place, int waited_ms) {
  const int tenths = waited_ms / 100;
  return {ErrorCode::kSystemBusy, "the replica " + place + " holds every chunk up",
          "the last " + std::to_string(kSlowCount) +
              " each waited a second or more until it showed what the primary does, this one " +
              std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " s",
          "see why it lags; or take `replica` out of the config: tables are then read from the "
          "primary"};
}

}  // namespace

void ReplicaWatch::served(const std::string& place, int waited_ms) {
  has_failed_ = false;
  slow_count_ = waited_ms < kSlowMs ? 0 : slow_count_ + 1;
  if (slow_count_ != kSlowCount) return;
  const int64_t now_us = clock_.steady_us();
  if (slow_said_us_ && now_us - *slow_said_us_ < kRestUs) {
    --slow_count_;  // it is said when that time is over
    return;
  }
  slow_said_us_ = now_us;
  notice_ = slow(place, waited_ms);
}

void ReplicaWatch::failed(Error why) {
  why.fix += "; its tables are read from the primary meanwhile";
  if (!has_failed_) notice_ = std::move(why);
  has_failed_ = true;
  slow_count_ = 0;
  rest_until_us_ = clock_.steady_us() + kRestUs;
}

}  // namespace syncline::ports
