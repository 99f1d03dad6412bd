#include "bench/gpu/rows.hpp"

#include <cstdlib>
#include <random>

namespace syncline::bench {
namespace {

constexpr uint32_t kKeySize = 8;
constexpr uint32_t kSizes[kRowValues] = {8, 8, 2, 12, 24, 20, 16, 40, 10, 4, 18, 30};

}  // namespace

template <class T>
T* HostRows::take(size_t count) {
  T* place = reinterpret_cast<T*>(memory_ + used_);
  used_ += (count * sizeof(T) + 15) / 16 * 16;
  return place;
}

HostRows::HostRows(uint32_t row_count, uint64_t seed, uint32_t lane_count, RowMemory place)
    : place_(place) {
  const size_t cells = size_t{row_count} * (kRowValues + 1);
  const size_t size = cells * 8 + size_t{row_count} * (kRowSize + 16) + 256;
  void* memory = nullptr;
  if (place == RowMemory::kPinned) {
    require(cudaMallocHost(&memory, size), "no pinned memory");
  } else {
    memory = std::malloc(size);
    require(memory == nullptr ? cudaErrorMemoryAllocation : cudaSuccess, "no memory");
  }
  memory_ = static_cast<uint8_t*>(memory);
  auto* op = take<uint8_t>(row_count);
  auto* lane = take<uint16_t>(row_count);
  auto* key_offset = take<uint32_t>(row_count);
  auto* key_length = take<uint32_t>(row_count);
  auto* cell_offset = take<uint32_t>(cells);
  auto* cell_length = take<uint32_t>(cells);
  auto* arena = take<uint8_t>(size_t{row_count} * kRowSize);
  std::mt19937_64 random(seed);
  uint32_t at = 0;
  size_t cell = 0;
  const auto add_cell = [&](uint32_t length) {
    cell_offset[cell] = at;
    cell_length[cell++] = length;
    for (uint32_t i = 0; i < length; ++i) arena[at + i] = static_cast<uint8_t>(random() >> 11);
    at += length;
  };
  for (uint32_t row = 0; row < row_count; ++row) {
    op[row] = SYN_OP_UPDATE;
    lane[row] = static_cast<uint16_t>(row % lane_count);
    key_offset[row] = at;
    key_length[row] = kKeySize;
    add_cell(kKeySize);
    for (const uint32_t length : kSizes) add_cell(length);
  }
  batch_ = {row_count,  kRowValues + 1, 1,           at,          op,   lane,
            key_offset, key_length,     cell_offset, cell_length, arena};
}

HostRows::~HostRows() {
  if (place_ == RowMemory::kPinned) {
    cudaFreeHost(memory_);
  } else {
    std::free(memory_);
  }
}

size_t HostRows::input_size() const {
  return used_;
}

}  // namespace syncline::bench
