// The rows that seal and open are measured with: 64 KiB of customers' orders, 12 fields, 132 bytes
// a row, once row by row as a plain program would compress them, once in the columns of a block.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/engine/engine.hpp"

namespace syncline::bench {

inline constexpr size_t kSealBlockSize = 65536;

struct SealRows {
  std::string row_major;                     // cells in order; a length byte before each text
  std::vector<engine::ColumnBytes> columns;  // per field its cells' lengths, then their bytes
  std::vector<engine::ColumnView> views() const;
};

// Row-major size: kSealBlockSize at the most. The same for the same seed.
SealRows seal_rows(uint64_t seed);

// What a plain program does: one zstd frame of the rows at level 1, then AES-256-GCM with a key
// schedule that it keeps. Each thread of a program would hold one.
class PlainSealer {
 public:
  PlainSealer();
  ~PlainSealer();
  PlainSealer(const PlainSealer&) = delete;
  PlainSealer& operator=(const PlainSealer&) = delete;

  const std::string& seal(const std::string& rows);  // valid until the next call
  const std::string& open(const std::string& sealed, size_t size);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

}  // namespace syncline::bench
