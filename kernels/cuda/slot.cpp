#include "kernels/cuda/slot.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <string>

namespace syncline::cuda {
namespace {

constexpr size_t kPieceSize = 1 << 20;
// From here on it is worth asking whether the caller's memory is pinned.
constexpr size_t kDirectSizeMin = 256 << 10;

bool is_pinned(const void* memory) {
  cudaPointerAttributes attributes;
  if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
    cudaGetLastError();  // the answer was no: the next call's status is its own
    return false;
  }
  return attributes.type == cudaMemoryTypeHost;
}

}  // namespace

Slot::~Slot() {
  if (stream != nullptr) cudaStreamDestroy(stream);
}

Result<void> Slot::start() {
  return check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "no stream");
}

Result<void> Slot::upload(const void* from, size_t size, size_t at) {
  const auto* bytes = static_cast<const uint8_t*>(from);
  if (size >= kDirectSizeMin && is_pinned(from)) {
    return check(cudaMemcpyAsync(input.data() + at, from, size, cudaMemcpyHostToDevice, stream),
                 "a batch cannot be copied to the card");
  }
  while (size > 0) {
    const size_t piece = std::min(size, kPieceSize);
    std::memcpy(pinned.data() + at, bytes, piece);
    SYN_TRY(check(cudaMemcpyAsync(input.data() + at, pinned.data() + at, piece,
                                  cudaMemcpyHostToDevice, stream),
                  "a batch cannot be copied to the card"));
    bytes += piece;
    at += piece;
    size -= piece;
  }
  return success();
}

Result<void> Slot::download(const uint8_t* from, size_t size, size_t to_at) {
  if (size == 0) return success();
  return check(cudaMemcpyAsync(pinned.data() + to_at, from, size, cudaMemcpyDeviceToHost, stream),
               "a result cannot be copied from the card");
}

Result<void> Slot::wait() {
  return check(cudaStreamSynchronize(stream), "a batch failed on the card");
}

Result<void> Ring::start() {
  for (Slot& slot : slots_) {
    SYN_TRY(slot.start());
  }
  return success();
}

Result<Ring::Lease> Ring::acquire(uint64_t stamp) {
  std::unique_lock lock(mutex_);
  Slot* slot = find_free(stamp);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(kWaitMs);
  while (slot == nullptr) {
    if (is_free_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return fail(ErrorCode::kEngine, "cuda: no slot came free",
                  std::to_string(kSlotCount) + " batches have been on the card for seconds");
    }
    slot = find_free(stamp);
  }
  slot->is_taken = true;
  slot->thread = std::this_thread::get_id();
  return Lease(*this, *slot);
}

void Ring::give_back(Slot& slot) {
  {
    const std::lock_guard lock(mutex_);
    slot.is_taken = false;
    slot.turn = ++turns_;
  }
  is_free_.notify_one();
}

bool Ring::is_better(const Slot& slot, const Slot& than) {
  const std::thread::id self = std::this_thread::get_id();
  if ((slot.thread == self) != (than.thread == self)) return slot.thread == self;
  if (slot.is_awaited != than.is_awaited) return than.is_awaited;
  return slot.is_awaited ? slot.turn < than.turn : slot.turn > than.turn;
}

Slot* Ring::find_free(uint64_t stamp) {
  Slot* best = nullptr;
  for (Slot& slot : slots_) {
    if (slot.is_taken) continue;
    if (stamp != 0 && slot.stamp == stamp) return &slot;
    if (best == nullptr || is_better(slot, *best)) best = &slot;
  }
  return best;
}

}  // namespace syncline::cuda
