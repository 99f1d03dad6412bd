#include "kernels/opencl/slot.hpp"

#include "kernels/opencl/table_memory.hpp"

namespace syncline::opencl {
namespace {

constexpr size_t kBufferSizeMin = 64 << 10;
constexpr std::array<const char*, kKernelCount> kKernelNames{
    "fingerprint_cells", "fingerprint_rows", "fingerprint_keys",  "detect_rows",  "fill_slots",
    "apply_deltas",      "compress_pieces",  "decompress_frames", "gather_bytes", "run_records"};

cl_uint number(uint64_t value) {
  return static_cast<cl_uint>(value);
}
cl_ulong place(uint64_t value) {
  return value;
}

}  // namespace

Result<void> Buffer::reserve(const Shared& shared, OpenclSlot& slot, size_t size) {
  if (size <= capacity_) return success();
  const size_t wanted = size < kBufferSizeMin ? kBufferSizeMin : size + size / 2;
  capacity_ = 0;
  mapped_ = nullptr;
  if (memory_) slot.bury(std::make_shared<Memory>(std::exchange(memory_, {})));
  const cl_mem_flags flags =
      CL_MEM_READ_WRITE | (place_ == Place::kHost ? CL_MEM_ALLOC_HOST_PTR : 0);
  // Many drivers find out only when a command uses it, and then that is their failure.
  const bool is_beyond = place_ == Place::kDevice && memory_held() + wanted > shared.memory_size;
  if (is_beyond) return slot.no_room("all of it is taken");
  cl_int status = CL_SUCCESS;
  memory_ = make_memory(shared.context.get(), flags, wanted, status);
  if (is_memory_short(status)) return slot.no_room(error_name(status));
  SYN_TRY(check(status, "no memory on the device"));
  if (place_ == Place::kHost) {
    mapped_ = static_cast<uint8_t*>(clEnqueueMapBuffer(slot.queue(), memory_.get(), CL_FALSE,
                                                       CL_MAP_READ | CL_MAP_WRITE, 0, wanted, 0,
                                                       nullptr, nullptr, &status));
    SYN_TRY(check(status, "no memory that the device reaches"));
  }
  capacity_ = wanted;
  return success();
}

Result<void> OpenclSlot::start() {
  cl_int status = CL_SUCCESS;
  queue_ = Queue(clCreateCommandQueue(shared_.context.get(), shared_.device, 0, &status));
  SYN_TRY(check(status, "no queue"));
  for (size_t i = 0; i < kKernelCount; ++i) {
    kernels_[i] = Kernel(clCreateKernel(shared_.program.get(), kKernelNames[i], &status));
    SYN_TRY(check(status, "a kernel is not in the program"));
  }
  return success();
}

Result<void> OpenclSlot::warm_up() {
  using device::Area;
  for (const Area area : {Area::kHost, Area::kInput, Area::kFingerprints, Area::kDetected,
                          Area::kFrames, Area::kSealed}) {
    SYN_TRY(reserve(area, 1));
  }
  SYN_TRY(set_secret({}));
  const cl_uint none = 0;
  const cl_uint one = 1;
  const cl_ulong at = 0;
  const cl_mem any = fingerprints();
  for (const KernelId id : {KernelId::kCells, KernelId::kRows}) {
    SYN_TRY(run(id, 1, none, one, none, any, at, at, at, any, any, at));
  }
  SYN_TRY(run(KernelId::kKeys, 1, none, any, at, at, at, any, any));
  SYN_TRY(run(KernelId::kDetect, 1, none, one, any, at, at, any, at, any, any, any, at, at));
  SYN_TRY(run(KernelId::kFill, 1, none, one, any, at, at, any, any, none, any));
  SYN_TRY(run(KernelId::kApply, 1, none, one, one, any, at, at, any, any, any));
  SYN_TRY(run(KernelId::kCompress, 1, none, any, any, any));
  SYN_TRY(run(KernelId::kDecompress, 1, none, any, any, any, any));
  SYN_TRY(run(KernelId::kGather, 1, none, any, at, any, any));
  SYN_TRY(run(KernelId::kGcm, 1, none, none, any, any, at, any, any));
  return wait();
}

Result<void> OpenclSlot::reserve(device::Area area, size_t size) {
  Buffer& grown = buffer(area);
  if (size <= grown.capacity()) return success();
  SYN_TRY(grown.reserve(shared_, *this, size));
  return area == device::Area::kHost ? wait() : Result<void>(success());
}

Result<void> OpenclSlot::copy_in(size_t at, size_t size) {
  return check(
      clEnqueueWriteBuffer(queue(), input(), CL_FALSE, at, size, host() + at, 0, nullptr, nullptr),
      "a batch cannot be copied to the device");
}

Result<void> OpenclSlot::copy_out(device::Area from, size_t size) {
  if (size == 0) return success();
  return check(clEnqueueReadBuffer(queue(), buffer(from).memory(), CL_FALSE, 0, size, host(), 0,
                                   nullptr, nullptr),
               "a result cannot be copied from the device");
}

Result<void> OpenclSlot::copy_fingerprints(size_t at, size_t size) {
  return check(
      clEnqueueCopyBuffer(queue(), input(), fingerprints(), at, 0, size, 0, nullptr, nullptr),
      "fingerprints cannot be put in place");
}

Result<void> OpenclSlot::enqueue(cl_kernel kernel, size_t group, size_t count) {
  const size_t whole = (count + group - 1) / group * group;
  return check(
      clEnqueueNDRangeKernel(queue(), kernel, 1, nullptr, &whole, &group, 0, nullptr, nullptr),
      "a kernel cannot be started");
}

// It changes with the appliance only, so it is there already nearly always.
Result<void> OpenclSlot::set_secret(const engine::Secret& secret) {
  if (has_secret_ && secret == secret_) return success();
  has_secret_ = false;
  SYN_TRY(secret_memory_.reserve(shared_, *this, secret.size() + device::kSlackSize));
  secret_ = secret;
  SYN_TRY(check(clEnqueueWriteBuffer(queue(), secret_memory_.memory(), CL_FALSE, 0, secret_.size(),
                                     secret_.data(), 0, nullptr, nullptr),
                "the secret cannot be copied to the device"));
  has_secret_ = true;
  return success();
}

Result<void> OpenclSlot::run_fingerprint(const device::FingerprintShape& shape,
                                         const engine::Secret& secret) {
  SYN_TRY(set_secret(secret));
  const device::BatchLayout& in = shape.in;
  const uint64_t cell_count = uint64_t{shape.row_count} * (shape.field_count - shape.key_count);
  if (cell_count > UINT32_MAX) {
    return fail(ErrorCode::kEngineNotReady, "a batch has too many cells for the device");
  }
  if (cell_count > 0) {
    const KernelId kernel = shared_.is_processor ? KernelId::kRows : KernelId::kCells;
    const uint64_t count = shared_.is_processor ? shape.row_count : cell_count;
    SYN_TRY(run(kernel, count, number(count), number(shape.field_count), number(shape.key_count),
                input(), place(in.cell_offset), place(in.cell_length), place(in.arena),
                secret_memory_.memory(), fingerprints(), place(shape.out.cells)));
  }
  return run(KernelId::kKeys, shape.row_count, number(shape.row_count), input(),
             place(in.key_offset), place(in.key_length), place(in.arena), secret_memory_.memory(),
             fingerprints());
}

Result<void> OpenclSlot::run_detect(const device::DetectShape& shape, device::TableMemory& table) {
  const auto& pool = static_cast<OpenclTableMemory&>(table);
  const cl_uint zero = 0;
  SYN_TRY(check(clEnqueueFillBuffer(queue(), detected(), &zero, sizeof zero, 0,
                                    shape.layout.verdicts, 0, nullptr, nullptr),
                "a status cannot be cleared"));
  return run(KernelId::kDetect, shape.row_count, number(shape.row_count), number(shape.value_count),
             input(), place(shape.layout.op), place(shape.layout.lane), fingerprints(),
             place(shape.held.cells), pool.pool(), pool.lanes(), detected(),
             place(shape.layout.verdicts), place(shape.layout.changed));
}

Result<void> OpenclSlot::reserve_scratch(size_t count, size_t size_each) {
  return scratch_.reserve(shared_, *this, groups_for(count) * size_each);
}

Result<void> OpenclSlot::run_compress(uint32_t piece_count) {
  SYN_TRY(reserve_scratch(piece_count, SYN_CODER_SCRATCH_SIZE));
  return run(KernelId::kCompress, piece_count, number(piece_count), input(), frames(),
             scratch_.memory());
}

Result<void> OpenclSlot::run_decompress(uint32_t frame_count) {
  SYN_TRY(reserve_scratch(frame_count, SYN_DECODER_SCRATCH_SIZE));
  return run(KernelId::kDecompress, frame_count, number(frame_count), input(), sealed(), frames(),
             scratch_.memory());
}

Result<void> OpenclSlot::run_gather(uint32_t move_count, size_t moves) {
  return run(KernelId::kGather, move_count, number(move_count), input(), place(moves), frames(),
             sealed());
}

Result<void> OpenclSlot::run_gcm(const device::GcmShape& shape) {
  return run(KernelId::kGcm, shape.count, number(shape.count),
             number(shape.is_open ? SYN_GCM_OPEN : SYN_GCM_SEAL), key_memory_.memory(), input(),
             place(shape.records), shape.is_open ? input() : sealed(), sealed());
}

Result<void> OpenclSlot::set_key(const syn_gcm_key& key) {
  SYN_TRY(key_memory_.reserve(shared_, *this, sizeof key));
  return check(clEnqueueWriteBuffer(queue(), key_memory_.memory(), CL_FALSE, 0, sizeof key, &key, 0,
                                    nullptr, nullptr),
               "a key cannot be copied to the device");
}

Result<void> OpenclSlot::mark() {
  cl_event event = nullptr;
  SYN_TRY(check(clEnqueueMarkerWithWaitList(queue(), 0, nullptr, &event),
                "a batch's end cannot be marked"));
  marked_ = Event(event);
  return check(clFlush(queue()), "a batch cannot be sent off");
}

Result<bool> OpenclSlot::is_done() {
  cl_int state = CL_COMPLETE;
  SYN_TRY(check(clGetEventInfo(marked_.get(), CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state,
                               &state, nullptr),
                "a batch's state cannot be asked"));
  if (state < 0) {
    has_secret_ = false;  // it may have been on its way
    SYN_TRY(check(state, "a batch failed on the device"));
  }
  return state == CL_COMPLETE;
}

}  // namespace syncline::opencl
