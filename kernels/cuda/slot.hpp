// A slot on the card: its stream, its pinned buffer and its memory there.
//
// Owner: the engine's ring. Threads: one at a time. Errors: kEngine.
#pragma once

#include <array>
#include <memory>

#include "kernels/cuda/coders.hpp"
#include "kernels/cuda/cuda_engine.hpp"
#include "kernels/cuda/graphs.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/memory.hpp"
#include "kernels/device/device.hpp"

namespace syncline::cuda {

class CudaSlot final : public device::Slot {
 public:
  // coders: null where there is only ours.
  explicit CudaSlot(const CudaOptions& options = {}, std::shared_ptr<Coders> coders = nullptr);
  ~CudaSlot() override;
  CudaSlot(const CudaSlot&) = delete;
  CudaSlot& operator=(const CudaSlot&) = delete;

  Result<void> start() override;
  Result<void> reserve(device::Area area, size_t size) override;
  uint8_t* host() override { return buffer(device::Area::kHost).data(); }
  Result<void> copy_in(size_t at, size_t size) override;
  Result<void> copy_out(device::Area from, size_t size) override;
  Result<void> copy_fingerprints(size_t at, size_t size) override;
  // Large arrays in pinned memory of the caller's.
  Result<bool> copy_direct(const void* from, size_t size, size_t at) override;
  Result<void> run_fingerprint(const device::FingerprintShape& shape,
                               const engine::Secret& secret) override;
  Result<void> run_detect(const device::DetectShape& shape, device::TableMemory& table) override;
  // As graphs, where they come again.
  Result<void> fingerprint_trip(const device::FingerprintShape& shape,
                                const engine::Secret& secret) override;
  Result<void> detect_trip(const device::DetectShape& shape, device::TableMemory& table) override;
  Result<bool> choose_coder() override;
  bool drop_coder() override;
  uint32_t frame_room(uint32_t piece_size) override;
  // By the coder that was chosen; where nvCOMP cannot, by ours.
  Result<void> run_compress(uint32_t piece_count) override;
  // nvcomp: null for ours.
  Result<void> compress_by(const Nvcomp* nvcomp, uint32_t piece_count);
  Result<void> run_decompress(uint32_t frame_count) override;
  Result<void> run_gather(uint32_t move_count, size_t moves) override;
  Result<void> run_gcm(const device::GcmShape& shape) override;
  Result<void> set_key(const syn_gcm_key& key) override;
  // The card starts by itself, and the stream says when it is empty.
  Result<void> mark() override { return success(); }
  Result<bool> is_done() override;

  cudaStream_t stream() { return stream_; }
  Buffer& input() { return buffer(device::Area::kInput); }

 private:
  Buffer& frames() { return buffer(device::Area::kFrames); }
  Buffer& sealed() { return buffer(device::Area::kSealed); }
  Buffer& fingerprints() { return buffer(device::Area::kFingerprints); }
  Buffer& detected() { return buffer(device::Area::kDetected); }
  size_t copy_size(size_t size);
  Result<void> compress_by_nvcomp(const Nvcomp& nvcomp, uint32_t piece_count);
  Buffer& buffer(device::Area area) { return buffers_[static_cast<size_t>(area)]; }

  cudaStream_t stream_ = nullptr;
  // By Area.
  std::array<Buffer, device::kAreaCount> buffers_{Buffer(Place::kPinned), Buffer(Place::kDevice),
                                                  Buffer(Place::kDevice), Buffer(Place::kDevice),
                                                  Buffer(Place::kDevice), Buffer(Place::kDevice)};
  Buffer scratch_{Place::kDevice};
  Buffer nvcomp_scratch_{Place::kDevice};
  Buffer lists_{Place::kDevice};  // of pieces, as nvCOMP wants them
  Buffer key_{Place::kDevice};
  Buffer pinned_key_{Place::kPinned};
  Buffer parts_{Place::kDevice};  // of records: sums, then which are whose
  GroupCounts groups_{};
  std::shared_ptr<Coders> coders_;
  engine::Secret secret_{};  // of the kept trips
  Graphs graphs_;
};

}  // namespace syncline::cuda
