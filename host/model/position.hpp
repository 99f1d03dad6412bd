// A place in one system's own log: opaque to all but its driver, ordered by its bytes.
//
// Drivers encode big-endian, so that byte order is log order. Empty is before everything.
#pragma once

#include <compare>
#include <string>

namespace syncline::model {

struct Position {
  std::string bytes;

  bool is_start() const { return bytes.empty(); }
  auto operator<=>(const Position&) const = default;
};

}  // namespace syncline::model
