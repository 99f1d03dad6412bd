// A slot on an OpenCL device: its queue, its kernels and its buffers.
//
// Owner: the engine's ring; the device outlives it. Threads: one at a time. Errors: kEngine,
// kEngineNotReady (a batch that it cannot take).
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include "kernels/device/device.hpp"
#include "kernels/opencl/api.hpp"

namespace syncline::opencl {

// What slots and tables share: chosen and made once, by the engine.
struct Shared {
  cl_device_id device = nullptr;
  Context context;
  Program program;
  uint64_t allocation_size_max = 0;
  uint64_t memory_size = 0;
  bool is_processor = false;
  size_t group_size = 1;       // of kernels that go over cells, rows or slots
  uint32_t lane_workers = 1;   // work items that share a lane's deltas
  size_t lane_group_size = 1;  // of the kernel that takes deltas over
  size_t block_width = 1;      // work items that share a piece, a frame or a chunk
  size_t block_groups = 1;     // how many of these are worked on at once
};

// From kCompress on a work group takes entries of a list.
enum class KernelId {
  kCells,
  kRows,
  kKeys,
  kDetect,
  kFill,
  kApply,
  kCompress,
  kDecompress,
  kGather,
  kGcm
};
inline constexpr size_t kKernelCount = 10;

class OpenclSlot;

// A buffer on the device, or (kHost) in memory of the host's that the device reaches fast.
class Buffer {
 public:
  enum class Place { kDevice, kHost };
  explicit Buffer(Place place) : place_(place) {}
  // What was in it is lost where it grows; the host's is there when the slot's queue has come so
  // far. Its old memory goes to the slot's graveyard. Where there is none left it is
  // kEngineNotReady.
  Result<void> reserve(const Shared& shared, OpenclSlot& slot, size_t size);
  cl_mem memory() const { return memory_.get(); }
  uint8_t* host() const { return mapped_; }
  size_t capacity() const { return capacity_; }

 private:
  Place place_;
  Memory memory_;
  uint8_t* mapped_ = nullptr;  // for as long as memory_ lives
  size_t capacity_ = 0;
};

class OpenclSlot final : public device::Slot {
 public:
  explicit OpenclSlot(const Shared& shared) : shared_(shared) {}

  Result<void> start() override;
  // Runs every kernel over nothing: many drivers finish compiling one only when it first runs.
  Result<void> warm_up();
  Result<void> reserve(device::Area area, size_t size) override;
  uint8_t* host() override { return buffer(device::Area::kHost).host(); }
  Result<void> copy_in(size_t at, size_t size) override;
  Result<void> copy_out(device::Area from, size_t size) override;
  Result<void> copy_fingerprints(size_t at, size_t size) override;
  Result<void> run_fingerprint(const device::FingerprintShape& shape,
                               const engine::Secret& secret) override;
  Result<void> run_detect(const device::DetectShape& shape, device::TableMemory& table) override;
  Result<void> run_compress(uint32_t piece_count) override;
  Result<void> run_decompress(uint32_t frame_count) override;
  Result<void> run_gather(uint32_t move_count, size_t moves) override;
  Result<void> run_gcm(const device::GcmShape& shape) override;
  Result<void> set_key(const syn_gcm_key& key) override;
  Result<void> mark() override;
  Result<bool> is_done() override;

  cl_command_queue queue() const { return queue_.get(); }
  cl_mem input() { return buffer(device::Area::kInput).memory(); }
  // Runs a kernel over so many work items, or so many entries of a list; its arguments are copied.
  template <class... Arguments>
  Result<void> run(KernelId id, size_t count, const Arguments&... arguments) {
    const cl_kernel kernel = kernels_[static_cast<size_t>(id)].get();
    cl_uint index = 0;
    cl_int status = CL_SUCCESS;
    const auto set = [&](std::span<const std::byte> argument) {
      if (status != CL_SUCCESS) return;
      status = clSetKernelArg(kernel, index++, argument.size(), argument.data());
    };
    (set(std::as_bytes(std::span(&arguments, 1))), ...);
    SYN_TRY(check(status, "a kernel does not take its arguments"));
    if (id >= KernelId::kCompress) {
      return enqueue(kernel, shared_.block_width, groups_for(count) * shared_.block_width);
    }
    const bool is_apply = id == KernelId::kApply;
    return enqueue(kernel, is_apply ? shared_.lane_group_size : shared_.group_size, count);
  }

 private:
  Result<void> enqueue(cl_kernel kernel, size_t group, size_t count);
  Result<void> set_secret(const engine::Secret& secret);
  size_t groups_for(size_t count) const { return std::min(count, shared_.block_groups); }
  Result<void> reserve_scratch(size_t count, size_t size_each);
  cl_mem fingerprints() { return buffer(device::Area::kFingerprints).memory(); }
  cl_mem detected() { return buffer(device::Area::kDetected).memory(); }
  cl_mem frames() { return buffer(device::Area::kFrames).memory(); }
  cl_mem sealed() { return buffer(device::Area::kSealed).memory(); }
  Buffer& buffer(device::Area area) { return buffers_[static_cast<size_t>(area)]; }

  const Shared& shared_;
  Queue queue_;
  std::array<Kernel, kKernelCount> kernels_;
  // By Area.
  std::array<Buffer, device::kAreaCount> buffers_{
      Buffer(Buffer::Place::kHost),   Buffer(Buffer::Place::kDevice),
      Buffer(Buffer::Place::kDevice), Buffer(Buffer::Place::kDevice),
      Buffer(Buffer::Place::kDevice), Buffer(Buffer::Place::kDevice)};
  Buffer scratch_{Buffer::Place::kDevice};
  Buffer key_memory_{Buffer::Place::kDevice};
  Buffer secret_memory_{Buffer::Place::kDevice};
  engine::Secret secret_{};  // what lies in it
  bool has_secret_ = false;
  Event marked_;
};

}  // namespace syncline::opencl
