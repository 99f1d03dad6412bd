// Memory on the card and pinned memory beside it, and what a failed call says.
//
// All that this process takes for the engine is taken and given back here, and counted. Buffers
// only grow, by half again, so a steady load allocates nothing. Owner: whoever holds the memory.
// Threads: any; one at a time per buffer. Errors: kEngine.
#pragma once

#include <cstddef>
#include <cstdint>

#include <cuda_runtime.h>

#include "host/base/result.hpp"
#include "kernels/device/device.hpp"

namespace syncline::cuda {

// what: the call, for the error's text.
Result<void> check(cudaError_t status, const char* what);
// The same while it is not known whether there is a card: kUnsupported.
Result<void> check_absent(cudaError_t status, const char* what);

uint64_t allocations();
// How many of them were not given back.
uint64_t allocations_held();

enum class Place { kDevice, kPinned };

// give_back: what the context has lost may be handed in too.
cudaError_t allocate(Place place, void** memory, size_t size);
void give_back(Place place, void* memory);

class Buffer {
 public:
  explicit Buffer(Place place) : place_(place) {}
  ~Buffer();
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;

  // What was in it is lost where it grows; its old memory goes to the slot's graveyard. Where there
  // is none left it is kEngineNotReady.
  Result<void> reserve(size_t size, device::Slot& slot);
  void release();

  uint8_t* data() { return data_; }
  template <class T>
  T* at(size_t offset) {
    return reinterpret_cast<T*>(data_ + offset);
  }
  size_t capacity() const { return capacity_; }

 private:
  Place place_;
  uint8_t* data_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace syncline::cuda
