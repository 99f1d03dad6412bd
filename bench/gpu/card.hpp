// The card for the benches: calls that must not fail, memory that goes with its holder, and rates
// of work that runs there. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include <cuda_runtime.h>

#include "bench/harness.hpp"

namespace syncline::bench {

// Ends the program where a call failed: a figure without its card is none.
void require(cudaError_t status, const char* what);

class CardMemory {
 public:
  explicit CardMemory(size_t size);
  ~CardMemory();
  CardMemory(const CardMemory&) = delete;
  CardMemory& operator=(const CardMemory&) = delete;

  template <class T>
  T* as(size_t offset = 0) {
    return reinterpret_cast<T*>(data_ + offset);
  }

 private:
  uint8_t* data_ = nullptr;
};

// Launches `count` times, waits, and returns count * units: a Work for measure_rate.
Work repeated(int count, double units, std::function<cudaError_t()> launch);

// Bytes read and written per second by copies within the card's memory, of buffers that no cache
// holds.
Work card_copy();

}  // namespace syncline::bench
