// The order in which rows get other keys (RecordWrite::moved_from): a row goes to a key that is
// another row's only when that has gone on.
//
// Threads: values. Errors: none.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "host/ports/target.hpp"

namespace syncline::ports {

// Of the writes whose rows are to get other keys, by index: those of one wave can be moved in one
// statement, behind all waves before it. Rows that change places in a ring are in none: they stay,
// and get each other's values.
std::vector<std::vector<size_t>> move_waves(std::span<const RecordWrite> writes);

// The waves' indexes, one after the other.
std::vector<size_t> moved_in_order(std::span<const RecordWrite> writes);

// Likewise by write: at(i) is its wave; none: its row is not to be moved.
class MoveWaves {
 public:
  explicit MoveWaves(std::span<const RecordWrite> writes);
  std::optional<size_t> at(size_t write) const {
    return places_.empty() ? std::nullopt : places_[write].wave;
  }
  // Of a kPut: whether the row that its record had goes to another key.
  bool is_left(size_t write) const { return !places_.empty() && places_[write].is_left; }
  // Whether its row goes where another was, or leaves its place to another: if one of them cannot
  // go, those behind it cannot.
  bool is_chained(size_t write) const { return !places_.empty() && places_[write].is_chained; }

 private:
  struct Place {
    std::optional<size_t> wave;
    bool is_left = false;
    bool is_chained = false;
  };
  std::vector<Place> places_;  // empty: none is to be moved
};

}  // namespace syncline::ports
