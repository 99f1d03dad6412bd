// When a system's replica is read from, when it is left alone, and what is said of it: once where
// it stops serving, and once where every chunk waits for it.
//
// Threads: one at a time. Errors: none; it hands back what it was given, to be told.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "host/base/clock.hpp"
#include "host/base/error.hpp"

namespace syncline::ports {

class ReplicaWatch {
 public:
  explicit ReplicaWatch(Clock& clock) : clock_(clock) {}

  bool is_resting() const { return has_failed_ && clock_.steady_us() < rest_until_us_; }
  // A chunk came from there, after waiting so long for the replica to come to where the primary is.
  void served(const std::string& place, int waited_ms);
  void failed(Error why);
  std::optional<Error> take_notice() { return std::exchange(notice_, std::nullopt); }

 private:
  Clock& clock_;
  bool has_failed_ = false;  // since it last served
  int64_t rest_until_us_ = 0;
  int slow_count_ = 0;  // chunks in a row that waited long
  std::optional<int64_t> slow_said_us_;
  std::optional<Error> notice_;
};

}  // namespace syncline::ports
