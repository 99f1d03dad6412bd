#include "bench/gpu/card.hpp"

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace syncline::bench {

void require(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  std::fprintf(stderr, "bench: %s: %s\n", what, cudaGetErrorString(status));
  std::exit(1);
}

CardMemory::CardMemory(size_t size) {
  void* memory = nullptr;
  require(cudaMalloc(&memory, size), "no memory on the card");
  data_ = static_cast<uint8_t*>(memory);
}

CardMemory::~CardMemory() {
  cudaFree(data_);
}

Work repeated(int count, double units, std::function<cudaError_t()> launch) {
  return [count, units, launch = std::move(launch)] {
    for (int i = 0; i < count; ++i) require(launch(), "a kernel cannot be started");
    require(cudaDeviceSynchronize(), "a kernel failed");
    return count * units;
  };
}

Work card_copy() {
  constexpr size_t kSize = size_t{1} << 30;
  const auto from = std::make_shared<CardMemory>(kSize);
  const auto to = std::make_shared<CardMemory>(kSize);
  require(cudaMemset(from->as<uint8_t>(), 0x5a, kSize), "memory cannot be set");
  return repeated(8, 2.0 * kSize, [from, to] {
    return cudaMemcpyAsync(to->as<uint8_t>(), from->as<uint8_t>(), kSize, cudaMemcpyDeviceToDevice,
                           nullptr);
  });
}

}  // namespace syncline::bench
