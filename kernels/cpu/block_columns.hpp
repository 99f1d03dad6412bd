// A block's columns as its chunks give them: the part of open that every engine shares.
//
// Owner: the caller. Threads: one at a time. Errors: kDamaged, naming the chunk; a hole, a
// repetition, a size beyond the limits and parts that no encoder wrote are damage.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.hpp"
#include "kernels/cpu/chunk.hpp"

namespace syncline::cpu {

Error damaged(size_t chunk, std::string why);

// What a chunk's frames hold, by its directory.
uint64_t framed_size(const Chunk& chunk);

class BlockColumns {
 public:
  // The columns of an authentic chunk. REQUIRES: framed is of framed_size, stored of the header's.
  Result<void> add(const Chunk& chunk, std::string_view framed, std::string_view stored);
  // After the last chunk, whose number is given.
  Result<std::vector<engine::ColumnBytes>> take(size_t last_chunk);

 private:
  struct Slot {
    ColumnEntry entry;
    std::string bytes;
    bool is_there = false;
  };

  Result<void> add_column(size_t chunk, const ColumnEntry& entry, std::string_view framed,
                          std::string_view stored);

  std::vector<Slot> slots_;
  uint64_t size_ = 0;
};

}  // namespace syncline::cpu
