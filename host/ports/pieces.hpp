// How many rows a read of a table asks for at once, so that a chunk of wide rows takes no more
// memory than one of narrow ones: few at first, then as many as what came lets expect to fit.
//
// Threads: one at a time.
#pragma once

#include <algorithm>
#include <cstddef>

#include "host/base/assert.hpp"

namespace syncline::ports {

// A chunk ends behind the row with which it has as many, as the server sends them.
inline constexpr size_t kChunkBytesMax = 8u << 20;

class Pieces {
 public:
  explicit Pieces(size_t row_limit) : rows_left_(row_limit) { SYN_ASSERT(row_limit > 0); }

  size_t next_rows() const {
    const size_t fitting = row_count_ == 0 ? kRowsAtFirst : bytes_left() / row_size() + 1;
    return std::min(
        {fitting, kGrowth * std::max(kRowsAtFirst / kGrowth, last_rows_), kRowsMax, rows_left_});
  }
  void take(size_t rows, size_t bytes) {
    last_rows_ = rows;
    row_count_ += rows;
    byte_count_ += bytes;
    rows_left_ -= std::min(rows, rows_left_);
  }
  bool is_full() const { return rows_left_ == 0 || byte_count_ >= kChunkBytesMax; }

 private:
  static constexpr size_t kRowsAtFirst = 64;
  static constexpr size_t kRowsMax = 2048;  // for wide rows may stand behind narrow ones
  static constexpr size_t kGrowth = 8;

  size_t bytes_left() const { return kChunkBytesMax - std::min(kChunkBytesMax, byte_count_); }
  size_t row_size() const { return std::max<size_t>(1, byte_count_ / row_count_); }

  size_t rows_left_;
  size_t last_rows_ = 0;
  size_t row_count_ = 0;
  size_t byte_count_ = 0;
};

}  // namespace syncline::ports
