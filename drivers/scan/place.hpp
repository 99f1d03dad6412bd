// Where the reading of a system by scans and polls stands, as a position.
//
//   bytes    what
//   1        's', which no position of a log begins with
//   8        a number that rises (big endian, as the next)
//   8        the last echo that was shown
//   varint   how many datasets are polled; of each its id (u32), its column and the value of that
//   to
//            read on from
//
// Threads: values. Errors: kSystemLost for bytes that are no such place.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>

#include "drivers/scan/tables.hpp"
#include "host/base/result.hpp"
#include "host/model/position.hpp"

namespace syncline::scan {

struct From {
  std::string column;
  std::string value;  // empty: everything
  bool operator==(const From&) const = default;
};

struct Place {
  int64_t number = 0;
  uint64_t echo = 0;
  std::map<model::DatasetId, From> from;
};

model::Position position_of(const Place& place);
Result<Place> place_of(const model::Position& position, const std::string& system);

// From which value on a poll has to read: rows below it can come no more.
//
// A transaction that was open when the last round began may commit values that are lower than what
// that round saw, but none lower than the highest value at the moment when it began itself: the
// column rises with the clock, or with a counter. So the values to read on from are those that
// earlier rounds noted, up to the begin of the oldest transaction.
class PollPlace {
 public:
  void begin(std::string from) {
    from_ = std::move(from);
    noted_.clear();
    latest_us_ = 0;
  }
  const std::string& from() const { return from_; }  // empty: everything
  // Where the server's clock stands before an earlier round's by more than a round looks back: the
  // time from which on all was written since. What is written now may lie below from().
  std::optional<int64_t> set_back_to(const Reached& reached, int64_t overlap_us) const;
  // A round saw everything from from() on that was visible then. overlap_us: added to the age of
  // the oldest transaction, for clocks that go wrong.
  void end_round(const Reached& reached, int64_t overlap_us);

 private:
  struct Noted {
    int64_t now_us = 0;
    std::string highest;
  };
  std::string from_;
  std::deque<Noted> noted_;
  int64_t latest_us_ = 0;  // that the clock has told
  int64_t latest_steady_us_ = 0;
};

}  // namespace syncline::scan
