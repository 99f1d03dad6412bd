#include "kernels/cuda/slot.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/table_memory.hpp"

namespace syncline::cuda {
namespace {

// From here on it is worth asking whether the caller's memory is pinned.
constexpr size_t kDirectSizeMin = 256 << 10;

// So much more to copy costs less than a call of the driver.
constexpr size_t kCopyStepMin = 4 << 10;

// Of memory on the card that a slot's groups of pieces or frames may take.
constexpr uint32_t kScratchSizeMax = 256u << 20;

bool is_pinned(const void* memory) {
  cudaPointerAttributes attributes;
  if (cudaPointerGetAttributes(&attributes, memory) != cudaSuccess) {
    cudaGetLastError();  // the answer was no: the next call's status is its own
    return false;
  }
  return attributes.type == cudaMemoryTypeHost;
}

SecretArgument argument_of(const engine::Secret& secret) {
  SecretArgument argument;
  static_assert(sizeof argument.words == sizeof(engine::Secret));
  std::memcpy(argument.words, secret.data(), secret.size());
  return argument;
}

}  // namespace

CudaSlot::CudaSlot(const CudaOptions& options, std::shared_ptr<Coders> coders)
    : coders_(std::move(coders)) {
  if (options.trips == Trips::kByCommand) graphs_.turn_off();
}

CudaSlot::~CudaSlot() {
  graphs_.forget();
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

Result<void> CudaSlot::start() {
  SYN_TRY(check(count_groups(groups_), "the card cannot be asked"));
  return check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "no stream");
}

// Results go back whole, with what lies between their arrays, which no kernel writes: it is zero
// from the start.
Result<void> CudaSlot::reserve(device::Area area, size_t size) {
  Buffer& grown = buffer(area);
  if (size <= grown.capacity()) return success();
  graphs_.forget();
  SYN_TRY(grown.reserve(size, *this));
  if (area == device::Area::kHost || area == device::Area::kInput) return success();
  return check(cudaMemsetAsync(grown.data(), 0, grown.capacity(), stream_),
               "memory on the card cannot be cleared");
}

Result<void> CudaSlot::copy_in(size_t at, size_t size) {
  return check(
      cudaMemcpyAsync(input().data() + at, host() + at, size, cudaMemcpyHostToDevice, stream_),
      "a batch cannot be copied to the card");
}

Result<void> CudaSlot::copy_out(device::Area from, size_t size) {
  if (size == 0) return success();
  return check(cudaMemcpyAsync(host(), buffer(from).data(), size, cudaMemcpyDeviceToHost, stream_),
               "a result cannot be copied from the card");
}

Result<void> CudaSlot::copy_fingerprints(size_t at, size_t size) {
  return check(cudaMemcpyAsync(fingerprints().data(), input().data() + at, size,
                               cudaMemcpyDeviceToDevice, stream_),
               "fingerprints cannot be put in place");
}

Result<bool> CudaSlot::copy_direct(const void* from, size_t size, size_t at) {
  if (size < kDirectSizeMin || !is_pinned(from)) return false;
  SYN_TRY(check(cudaMemcpyAsync(input().data() + at, from, size, cudaMemcpyHostToDevice, stream_),
                "a batch cannot be copied to the card"));
  return true;
}

Result<void> CudaSlot::run_fingerprint(const device::FingerprintShape& shape,
                                       const engine::Secret& secret) {
  const FingerprintWork work{
      .row_count = shape.row_count,
      .field_count = shape.field_count,
      .key_count = shape.key_count,
      .key_offset = input().at<uint32_t>(shape.in.key_offset),
      .key_length = input().at<uint32_t>(shape.in.key_length),
      .cell_offset = input().at<uint32_t>(shape.in.cell_offset),
      .cell_length = input().at<uint32_t>(shape.in.cell_length),
      .arena = input().at<uint8_t>(shape.in.arena),
      .keys = fingerprints().at<syn_hash128>(0),
      .cells = fingerprints().at<uint64_t>(shape.out.cells),
  };
  return check(launch_fingerprint(work, argument_of(secret), stream_),
               "fingerprints cannot be started");
}

Result<void> CudaSlot::run_detect(const device::DetectShape& shape, device::TableMemory& table) {
  const DetectWork work{
      .row_count = shape.row_count,
      .value_count = shape.value_count,
      .op = input().at<uint8_t>(shape.layout.op),
      .lane = input().at<uint16_t>(shape.layout.lane),
      .keys = fingerprints().at<syn_hash128>(0),
      .cells = fingerprints().at<uint64_t>(shape.held.cells),
      .lanes = static_cast<CudaTableMemory&>(table).device_lanes(),
      .verdicts = detected().at<uint8_t>(shape.layout.verdicts),
      .changed = detected().at<uint64_t>(shape.layout.changed),
      .status = detected().at<uint32_t>(0),
  };
  SYN_TRY(check(cudaMemsetAsync(work.status, 0, sizeof(uint32_t), stream_),
                "a status cannot be cleared"));
  return check(launch_detect(work, stream_), "detect cannot be started");
}

// Batches of as many rows have arenas of any size. As much is copied as suits the next ones too: up
// to a quarter of a power of two more.
size_t CudaSlot::copy_size(size_t size) {
  const size_t step = std::max(std::bit_ceil(size) / 8, kCopyStepMin);
  const size_t rounded = (size + step - 1) / step * step;
  return std::min({rounded, buffer(device::Area::kHost).capacity(), input().capacity()});
}

Result<void> CudaSlot::fingerprint_trip(const device::FingerprintShape& shape,
                                        const engine::Secret& secret) {
  if (secret != secret_) {
    graphs_.forget();
    secret_ = secret;
  }
  device::FingerprintShape copied = shape;
  copied.in.size = copy_size(shape.in.size);
  std::memset(host() + shape.in.size, 0, copied.in.size - shape.in.size);
  const TripKey key{.stage = TripKey::Stage::kFingerprint,
                    .row_count = shape.row_count,
                    .field_count = shape.field_count,
                    .key_count = shape.key_count,
                    .in_size = copied.in.size};
  return graphs_.run(key, stream_, [&] { return Slot::fingerprint_trip(copied, secret); });
}

Result<void> CudaSlot::detect_trip(const device::DetectShape& shape, device::TableMemory& table) {
  const TripKey key{.stage = TripKey::Stage::kDetect,
                    .row_count = shape.row_count,
                    .field_count = shape.value_count,
                    .in_size = shape.layout.in_size,
                    .table = static_cast<CudaTableMemory&>(table).device_lanes()};
  return graphs_.run(key, stream_, [&] { return Slot::detect_trip(shape, table); });
}

Result<bool> CudaSlot::choose_coder() {
  return coders_ == nullptr ? Result<bool>(false) : coders_->choose(*this);
}

bool CudaSlot::drop_coder() {
  return coders_ != nullptr && coders_->drop("a block failed with it");
}

// nvCOMP may write as much for a small piece as for the largest one of the same call.
uint32_t CudaSlot::frame_room(uint32_t piece_size) {
  const uint32_t ours = Slot::frame_room(piece_size);
  const Nvcomp* const nvcomp = coders_ == nullptr ? nullptr : coders_->nvcomp();
  if (nvcomp == nullptr) return ours;
  const Result<size_t> theirs = nvcomp->frame_size_max(SYN_ZSTD_PIECE_SIZE);
  if (theirs.has_value()) return std::max(ours, static_cast<uint32_t>(theirs.value()));
  coders_->drop(to_string(theirs.error()));
  return ours;
}

Result<void> CudaSlot::run_compress(uint32_t piece_count) {
  const Nvcomp* const nvcomp = coders_ == nullptr ? nullptr : coders_->nvcomp();
  if (nvcomp != nullptr) {
    const Result<void> started = compress_by(nvcomp, piece_count);
    const bool is_short =
        !started.has_value() && started.error().code == ErrorCode::kEngineNotReady;
    if (started.has_value() || is_short) return started;
    coders_->drop(to_string(started.error()));
  }
  return compress_by(nullptr, piece_count);
}

Result<void> CudaSlot::compress_by(const Nvcomp* nvcomp, uint32_t piece_count) {
  if (nvcomp != nullptr) return compress_by_nvcomp(*nvcomp, piece_count);
  const uint32_t groups =
      std::min({piece_count, groups_.compress, kScratchSizeMax / SYN_CODER_SCRATCH_SIZE});
  SYN_TRY(scratch_.reserve(size_t{groups} * SYN_CODER_SCRATCH_SIZE, *this));
  const CompressWork work{.count = piece_count,
                          .places = input().at<syn_piece_place>(0),
                          .contents = input().data(),
                          .frames = frames().data(),
                          .sizes = frames().at<uint32_t>(0),
                          .scratch = scratch_.data()};
  return check(launch_compress(work, groups, stream_), "compression cannot be started");
}

Result<void> CudaSlot::compress_by_nvcomp(const Nvcomp& nvcomp, uint32_t piece_count) {
  device::Layout layout;
  const size_t from = layout.add(piece_count * sizeof(void*));
  const size_t from_sizes = layout.add(piece_count * sizeof(size_t));
  const size_t to = layout.add(piece_count * sizeof(void*));
  const size_t to_sizes = layout.add(piece_count * sizeof(size_t));
  const size_t statuses = layout.add(piece_count * sizeof(uint32_t));
  SYN_TRY(const size_t scratch_size,
          nvcomp.coder_scratch_size(piece_count, SYN_ZSTD_PIECE_SIZE, stream_));
  SYN_TRY(lists_.reserve(layout.size(), *this));
  SYN_TRY(nvcomp_scratch_.reserve(scratch_size, *this));
  const ListWork list{.count = piece_count,
                      .places = input().at<syn_piece_place>(0),
                      .contents = input().data(),
                      .frames = frames().data(),
                      .from = lists_.at<const void*>(from),
                      .from_sizes = lists_.at<size_t>(from_sizes),
                      .to = lists_.at<void*>(to)};
  SYN_TRY(check(launch_list_pieces(list, stream_), "pieces cannot be listed"));
  SYN_TRY(nvcomp.compress({.count = piece_count,
                           .piece_size_max = SYN_ZSTD_PIECE_SIZE,
                           .from = list.from,
                           .from_sizes = list.from_sizes,
                           .to = list.to,
                           .to_sizes = lists_.at<size_t>(to_sizes),
                           .to_room = nullptr,
                           .scratch = nvcomp_scratch_.data(),
                           .scratch_size = scratch_size,
                           .statuses = lists_.at<uint32_t>(statuses)},
                          stream_));
  return check(launch_take_sizes({.count = piece_count,
                                  .to_sizes = lists_.at<size_t>(to_sizes),
                                  .statuses = lists_.at<uint32_t>(statuses),
                                  .sizes = frames().at<uint32_t>(0)},
                                 stream_),
               "sizes of frames cannot be taken");
}

Result<void> CudaSlot::run_decompress(uint32_t frame_count) {
  const uint32_t groups =
      std::min({frame_count, groups_.decompress, kScratchSizeMax / SYN_DECODER_SCRATCH_SIZE});
  SYN_TRY(scratch_.reserve(size_t{groups} * SYN_DECODER_SCRATCH_SIZE, *this));
  const DecompressWork work{.count = frame_count,
                            .places = input().at<syn_frame_place>(0),
                            .frames = sealed().data(),
                            .contents = frames().data(),
                            .statuses = frames().at<uint32_t>(0),
                            .scratch = scratch_.data()};
  return check(launch_decompress(work, groups, stream_), "decompression cannot be started");
}

Result<void> CudaSlot::run_gather(uint32_t move_count, size_t moves) {
  const GatherWork work{.count = move_count,
                        .moves = input().at<syn_move>(moves),
                        .frames = frames().data(),
                        .stored = input().data(),
                        .to = sealed().data()};
  return check(launch_gather(work, stream_), "bytes cannot be gathered");
}

Result<void> CudaSlot::run_gcm(const device::GcmShape& shape) {
  const size_t sums_size = size_t{shape.part_count} * sizeof(syn_gf128);
  const bool has_parts = shape.part_count != shape.count;
  if (has_parts) {
    SYN_TRY(parts_.reserve(sums_size + (size_t{shape.count} + 1) * sizeof(uint32_t), *this));
  }
  const GcmWork work{.key = key_.at<syn_gcm_key>(0),
                     .records = input().at<syn_gcm_record>(shape.records),
                     .count = shape.count,
                     .part_count = shape.part_count,
                     .first_parts = has_parts ? parts_.at<uint32_t>(sums_size) : nullptr,
                     .part_sums = has_parts ? parts_.at<syn_gf128>(0) : nullptr,
                     .additional = input().data(),
                     .input = shape.is_open ? input().data() : sealed().data(),
                     .output = sealed().data(),
                     .tags = sealed().at<uint32_t>(0)};
  return check(launch_gcm(work, shape.is_open ? GcmDirection::kOpen : GcmDirection::kSeal, stream_),
               "encryption cannot be started");
}

Result<void> CudaSlot::set_key(const syn_gcm_key& key) {
  SYN_TRY(key_.reserve(sizeof key, *this));
  SYN_TRY(pinned_key_.reserve(sizeof key, *this));
  std::memcpy(pinned_key_.data(), &key, sizeof key);
  return check(
      cudaMemcpyAsync(key_.data(), pinned_key_.data(), sizeof key, cudaMemcpyHostToDevice, stream_),
      "a key cannot be copied to the card");
}

Result<bool> CudaSlot::is_done() {
  const cudaError_t status = cudaStreamQuery(stream_);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();  // the answer was no: the next launch's status is its own
    return false;
  }
  SYN_TRY(check(status, "a batch failed on the card"));
  return true;
}

}  // namespace syncline::cuda
