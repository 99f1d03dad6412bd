// What a column's numbers look like: the figures that its encoding is chosen by.
//
// Threads: Examiner belongs to one thread, which keeps its tables between columns.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/cpu/columns_pack.hpp"

namespace syncline::cpu {

struct Ranges {
  uint64_t min = 0;
  uint64_t max = 0;
  int64_t delta_min = 0;  // of value - previous, in wrapping arithmetic
  int64_t delta_max = 0;
  size_t run_count = 0;
};

Ranges ranges_of(std::span<const uint64_t> values);  // REQUIRES: not empty

unsigned bit_width(uint64_t value);

// Distinct symbols of a column, and the column in terms of them.
struct Symbols {
  std::vector<uint64_t> distinct;  // in order of first appearance
  std::vector<uint64_t> indexes;   // per value
};

class Examiner {
 public:
  // The share of values that appeared before, of those zstd's window could still reach. A filter:
  // some 2 % of what it counts was never there.
  double repeated_share(std::span<const uint64_t> values);

  // False when there are more than limit distinct values.
  bool find_symbols(std::span<const uint64_t> values, size_t limit, Symbols& out);

  // Whether what follows a symbol can be told from what followed it last time: zstd finds more in
  // such a column than its entropy says. REQUIRES: indexes below symbol_count.
  bool is_patterned(std::span<const uint64_t> indexes, size_t symbol_count);

  // How to pack numbers of this width: planes from the top as long as zstd would shrink them.
  // estimate: about how many bytes that will take.
  Split choose_split(std::span<const uint64_t> values, unsigned width, double& estimate);

 private:
  double plane_entropy(std::span<const uint64_t> values, unsigned shift, unsigned bits);

  std::vector<uint64_t> filter_;
  std::vector<uint32_t> slots_;
  std::vector<uint32_t> successors_;
  std::vector<uint32_t> counts_;
};

}  // namespace syncline::cpu
