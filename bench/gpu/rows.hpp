// Host rows of 200 bytes: a key of 8 and twelve cells of 2 to 40 bytes, in pinned memory, so that
// the bus is measured and not the pages. Each batch has its own keys and values.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/gpu/card.hpp"
#include "kernels/contract/batch.h"

namespace syncline::bench {

inline constexpr uint32_t kRowSize = 200;
inline constexpr uint32_t kRowValues = 12;

class HostRows {
 public:
  HostRows(uint32_t row_count, uint64_t seed, uint32_t lane_count);
  ~HostRows();
  HostRows(const HostRows&) = delete;
  HostRows& operator=(const HostRows&) = delete;

  syn_batch view() const { return batch_; }
  // All that a device needs of the rows to fingerprint them.
  size_t input_size() const;

 private:
  template <class T>
  T* take(size_t count);

  syn_batch batch_{};
  uint8_t* memory_ = nullptr;
  size_t used_ = 0;
};

}  // namespace syncline::bench
