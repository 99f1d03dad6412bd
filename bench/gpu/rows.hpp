// Host rows of 200 bytes: a key of 8 and twelve cells of 2 to 40 bytes; in ordinary memory, as the
// appliance has them, or pinned, so that the bus alone is measured. Each batch has its own keys and
// values.
#pragma once

#include <cstdint>
#include <vector>

#include "bench/gpu/card.hpp"
#include "kernels/contract/batch.h"

namespace syncline::bench {

inline constexpr uint32_t kRowSize = 200;
inline constexpr uint32_t kRowValues = 12;

enum class RowMemory { kOrdinary, kPinned };

class HostRows {
 public:
  HostRows(uint32_t row_count, uint64_t seed, uint32_t lane_count, RowMemory place);
  ~HostRows();
  HostRows(const HostRows&) = delete;
  HostRows& operator=(const HostRows&) = delete;

  syn_batch view() const { return batch_; }
  // From view().op on, all arrays of the batch one after the other: what a device needs of it.
  size_t input_size() const;

 private:
  template <class T>
  T* take(size_t count);

  RowMemory place_;
  syn_batch batch_{};
  uint8_t* memory_ = nullptr;
  size_t used_ = 0;
};

}  // namespace syncline::bench
