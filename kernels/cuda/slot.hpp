// A slot on the card: its stream, its pinned buffer and its memory there.
//
// Owner: the engine's ring. Threads: one at a time. Errors: kEngine.
#pragma once

#include "kernels/cuda/memory.hpp"
#include "kernels/device/device.hpp"

namespace syncline::cuda {

class CudaSlot final : public device::Slot {
 public:
  CudaSlot() = default;
  ~CudaSlot() override;
  CudaSlot(const CudaSlot&) = delete;
  CudaSlot& operator=(const CudaSlot&) = delete;

  Result<void> start() override;
  Result<void> reserve(device::Area area, size_t size) override;
  uint8_t* host() override { return pinned_.data(); }
  Result<void> copy_in(size_t at, size_t size) override;
  Result<void> copy_out(device::Area from, size_t size) override;
  Result<void> copy_fingerprints(size_t at, size_t size) override;
  // Large arrays in pinned memory of the caller's.
  Result<bool> copy_direct(const void* from, size_t size, size_t at) override;
  Result<void> run_fingerprint(const device::FingerprintShape& shape,
                               const engine::Secret& secret) override;
  Result<void> run_detect(const device::DetectShape& shape, device::TableMemory& table) override;
  // The card starts by itself, and the stream says when it is empty.
  Result<void> mark() override { return success(); }
  Result<bool> is_done() override;

  cudaStream_t stream() { return stream_; }
  Buffer& input() { return input_; }
  Buffer& pinned() { return pinned_; }

 private:
  Buffer& buffer_of(device::Area area);

  cudaStream_t stream_ = nullptr;
  Buffer pinned_{Place::kPinned};
  Buffer input_{Place::kDevice};
  Buffer fingerprints_{Place::kDevice};
  Buffer detected_{Place::kDevice};
};

}  // namespace syncline::cuda
