#include "kernels/cuda/memory.hpp"

#include <atomic>
#include <memory>
#include <string>
#include <utility>

namespace syncline::cuda {
namespace {

constexpr size_t kSizeMin = 64 << 10;

std::atomic<uint64_t> taken_count = 0;
std::atomic<uint64_t> given_back_count = 0;

}  // namespace

Result<void> check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return success();
  cudaGetLastError();  // or the next launch would be blamed for this
  return fail(ErrorCode::kEngine, what, cudaGetErrorString(status),
              "The other engines go on; see the driver's log (dmesg, nvidia-smi).");
}

Result<void> check_absent(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return success();
  cudaGetLastError();
  return fail(ErrorCode::kUnsupported, what, cudaGetErrorString(status),
              "Install the card's driver; nvidia-smi says what it sees.");
}

uint64_t allocations() {
  return taken_count.load(std::memory_order_relaxed);
}

uint64_t allocations_held() {
  return taken_count.load() - given_back_count.load();
}

cudaError_t allocate(Place place, void** memory, size_t size) {
  const cudaError_t status =
      place == Place::kDevice ? cudaMalloc(memory, size) : cudaMallocHost(memory, size);
  if (status == cudaSuccess) taken_count.fetch_add(1);
  return status;
}

void give_back(Place place, void* memory) {
  if (memory == nullptr) return;
  const cudaError_t status = place == Place::kDevice ? cudaFree(memory) : cudaFreeHost(memory);
  if (status != cudaSuccess) cudaGetLastError();  // the context is lost, and this with it
  given_back_count.fetch_add(1);
}

Buffer::~Buffer() {
  release();
}

Buffer::Buffer(Buffer&& other) noexcept
    : place_(other.place_),
      data_(std::exchange(other.data_, nullptr)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(place_, other.place_);
  std::swap(data_, other.data_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

Result<void> Buffer::reserve(size_t size, device::Slot& slot) {
  if (size <= capacity_) return success();
  const size_t wanted = size < kSizeMin ? kSizeMin : size + size / 2;
  if (data_ != nullptr) {
    auto old = std::make_shared<Buffer>(place_);
    std::swap(*old, *this);
    slot.bury(std::move(old));
  }
  void* memory = nullptr;
  const bool is_on_card = place_ == Place::kDevice;
  const cudaError_t status = allocate(place_, &memory, wanted);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    const std::string why = cudaGetErrorString(status);
    if (is_on_card) return slot.no_room(why);
    return fail(ErrorCode::kEngineNotReady, "no pinned memory", why);
  }
  SYN_TRY(check(status, is_on_card ? "no memory on the card" : "no pinned memory"));
  data_ = static_cast<uint8_t*>(memory);
  capacity_ = wanted;
  return success();
}

void Buffer::release() {
  give_back(place_, data_);
  data_ = nullptr;
  capacity_ = 0;
}

}  // namespace syncline::cuda
