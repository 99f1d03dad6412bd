#include "kernels/cuda/cuda_engine.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <string>
#include <utility>

#include "host/base/random.hpp"
#include "kernels/cpu/detect.hpp"
#include "kernels/cuda/kernels.hpp"
#include "kernels/cuda/slot.hpp"
#include "kernels/cuda/table_copy.hpp"

namespace syncline::cuda {
namespace {

constexpr int kCapabilityMin = 8;  // major

// Where a batch's arrays lie in a slot's input, pinned and on the card alike.
struct BatchLayout {
  explicit BatchLayout(const syn_batch& batch) {
    const size_t rows = batch.row_count;
    const size_t cells = rows * batch.field_count;
    Layout layout;
    key_offset = layout.add(rows * sizeof(uint32_t));
    key_length = layout.add(rows * sizeof(uint32_t));
    cell_offset = layout.add(cells * sizeof(uint32_t));
    cell_length = layout.add(cells * sizeof(uint32_t));
    arena = layout.add(batch.arena_size + kSlackSize);
    size = layout.size();
  }

  size_t key_offset;
  size_t key_length;
  size_t cell_offset;
  size_t cell_length;
  size_t arena;
  size_t size;
};

// A batch's fingerprints: on the card, and in the pinned buffer on their way.
struct FingerprintLayout {
  FingerprintLayout(uint32_t row_count, uint32_t value_count) {
    Layout layout;
    layout.add(keys_size = row_count * sizeof(syn_hash128));
    cells = layout.add(cells_size = size_t{row_count} * value_count * sizeof(uint64_t));
    size = layout.size();
  }

  size_t keys_size;
  size_t cells_size;
  size_t cells;  // keys lie at 0
  size_t size;
};

struct DetectLayout {
  DetectLayout(uint32_t row_count, size_t bitmap_words) {
    Layout in;
    op = in.add(row_count);
    lane = in.add(row_count * sizeof(uint16_t));
    in_size = in.size();
    Layout out;
    out.add(sizeof(uint32_t));
    verdicts = out.add(row_count);
    changed = out.add(row_count * bitmap_words * sizeof(uint64_t));
    out_size = out.size();
  }

  size_t op;
  size_t lane;
  size_t in_size;
  size_t verdicts;  // the status lies at 0
  size_t changed;
  size_t out_size;
};

SecretArgument argument_of(const engine::Secret& secret) {
  SecretArgument argument;
  static_assert(sizeof argument.words == sizeof(engine::Secret));
  std::memcpy(argument.words, secret.data(), secret.size());
  return argument;
}

// From the pinned buffer; a batch with a key that no copy can hold is judged on the host after all.
void take_detected(Slot& slot, const DetectLayout& layout, const cpu::DetectRows& rows) {
  const uint8_t* from = slot.pinned.data();
  uint32_t status = 0;
  std::memcpy(&status, from, sizeof status);
  if ((status & kStatusReserved) != 0) {
    cpu::detect_scalar(rows);
    return;
  }
  std::memcpy(rows.verdicts, from + layout.verdicts, rows.row_count);
  const size_t changed_size = size_t{rows.row_count} * rows.bitmap_words * sizeof(uint64_t);
  if (changed_size > 0) std::memcpy(rows.changed, from + layout.changed, changed_size);
}

bool is_complete(const engine::TableRef& table) {
  if (table.id == 0) return false;
  for (uint32_t i = 0; i < table.lane_count; ++i) {
    if (table.lanes[i].log == nullptr) return false;
  }
  return true;
}

class CudaEngine final : public engine::Engine {
 public:
  explicit CudaEngine(const cudaDeviceProp& properties)
      : device_(properties.name),
        variant_("sm_" + std::to_string(properties.major * 10 + properties.minor)) {}

  engine::Description describe() const override {
    engine::Description description;
    description.name = "cuda";
    description.device = device_;
    description.variants = "fingerprint " + variant_ + ", detect " + variant_;
    description.has_stage[static_cast<size_t>(engine::Stage::kFingerprint)] = true;
    description.has_stage[static_cast<size_t>(engine::Stage::kDetect)] = true;
    return description;
  }

  Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                           engine::Fingerprints& out) override;
  Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                      const engine::TableRef& table, engine::Detected& out) override;

  Result<engine::Sealed> seal(std::span<const engine::ColumnView> /*columns*/,
                              const engine::SealKey& /*key*/,
                              std::string_view /*associated_data*/) override {
    return fail(ErrorCode::kUnsupported, "cuda: it does not seal");
  }
  Result<std::vector<engine::ColumnBytes>> open(std::string_view /*sealed*/,
                                                const engine::SealKey& /*key*/,
                                                std::string_view /*associated_data*/,
                                                std::array<uint8_t, 32>& /*tags_digest*/) override {
    return fail(ErrorCode::kUnsupported, "cuda: it does not open");
  }

 private:
  Result<void> start();
  Result<void> upload_batch(const syn_batch& batch, const BatchLayout& layout, Slot& slot);
  Result<void> upload_fingerprints(const engine::Fingerprints& fingerprints,
                                   const FingerprintLayout& layout, size_t at, Slot& slot);
  Result<void> judge(const DetectWork& work, const DetectLayout& layout, Slot& slot);
  Result<void> update(const engine::TableRef& table, TableCopy& copy, Slot& slot);
  Result<void> run_detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                          const engine::TableRef& table, const cpu::DetectRows& rows);

  std::string device_;
  std::string variant_;
  std::mutex start_mutex_;
  std::atomic<bool> is_started_ = false;
  // Begins somewhere, so that no stamp of another engine is taken for one of ours.
  std::atomic<uint64_t> stamps_ = system_random().u64();
  Ring ring_;
  TableCopies copies_;
};

Result<void> CudaEngine::start() {
  if (is_started_.load(std::memory_order_acquire)) return success();
  const std::lock_guard lock(start_mutex_);
  if (is_started_.load(std::memory_order_relaxed)) return success();
  SYN_TRY(ring_.start());
  is_started_.store(true, std::memory_order_release);
  return success();
}

Result<void> CudaEngine::upload_batch(const syn_batch& batch, const BatchLayout& layout,
                                      Slot& slot) {
  const size_t rows_size = batch.row_count * sizeof(uint32_t);
  const size_t cells_size = rows_size * batch.field_count;
  SYN_TRY(slot.upload(batch.key_offset, rows_size, layout.key_offset));
  SYN_TRY(slot.upload(batch.key_length, rows_size, layout.key_length));
  SYN_TRY(slot.upload(batch.cell_offset, cells_size, layout.cell_offset));
  SYN_TRY(slot.upload(batch.cell_length, cells_size, layout.cell_length));
  return slot.upload(batch.arena, batch.arena_size, layout.arena);
}

Result<void> CudaEngine::fingerprint(const syn_batch& batch, const engine::Secret& secret,
                                     engine::Fingerprints& out) {
  const uint32_t value_count = batch.field_count - batch.key_count;
  if (batch.key_count > batch.field_count || value_count > SYN_FIELD_COUNT_MAX) {
    return fail(ErrorCode::kInvalidArgument, "a batch's field counts contradict each other");
  }
  out.stamp = 0;
  out.keys.resize(batch.row_count);
  out.cells.resize(size_t{batch.row_count} * value_count);
  if (batch.row_count == 0) return success();
  SYN_TRY(start());
  SYN_TRY(Ring::Lease slot, ring_.acquire(0));
  const BatchLayout in(batch);
  const FingerprintLayout results(batch.row_count, value_count);
  slot->stamp = 0;
  slot->is_awaited = false;
  SYN_TRY(slot->pinned.reserve(std::max(in.size, results.size)));
  SYN_TRY(slot->input.reserve(in.size));
  SYN_TRY(slot->fingerprints.reserve(results.size));
  SYN_TRY(upload_batch(batch, in, *slot));
  const FingerprintWork work{
      .row_count = batch.row_count,
      .field_count = batch.field_count,
      .key_count = batch.key_count,
      .key_offset = slot->input.at<uint32_t>(in.key_offset),
      .key_length = slot->input.at<uint32_t>(in.key_length),
      .cell_offset = slot->input.at<uint32_t>(in.cell_offset),
      .cell_length = slot->input.at<uint32_t>(in.cell_length),
      .arena = slot->input.at<uint8_t>(in.arena),
      .keys = slot->fingerprints.at<syn_hash128>(0),
      .cells = slot->fingerprints.at<uint64_t>(results.cells),
  };
  SYN_TRY(check(launch_fingerprint(work, argument_of(secret), slot->stream),
                "fingerprints cannot be started"));
  SYN_TRY(slot->download(slot->fingerprints.data(), results.size, 0));
  SYN_TRY(slot->wait());
  std::memcpy(out.keys.data(), slot->pinned.data(), results.keys_size);
  if (results.cells_size > 0) {
    std::memcpy(out.cells.data(), slot->pinned.data() + results.cells, results.cells_size);
  }
  slot->stamp = std::max<uint64_t>(stamps_.fetch_add(1, std::memory_order_relaxed), 1);
  slot->is_awaited = true;
  out.stamp = slot->stamp;
  return success();
}

Result<void> CudaEngine::detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                                const engine::TableRef& table, engine::Detected& out) {
  SYN_TRY(const cpu::DetectRows rows, cpu::begin_detect(batch, fingerprints, table, out));
  if (!is_complete(table)) {
    return fail(ErrorCode::kEngine, "cuda: a table without an id or logs cannot be copied");
  }
  if (batch.row_count > 0) {
    SYN_TRY(run_detect(batch, fingerprints, table, rows));
  }
  cpu::end_detect(rows, table, out);
  return success();
}

Result<void> CudaEngine::upload_fingerprints(const engine::Fingerprints& fingerprints,
                                             const FingerprintLayout& layout, size_t at,
                                             Slot& slot) {
  slot.stamp = 0;
  SYN_TRY(slot.fingerprints.reserve(layout.size));
  SYN_TRY(slot.upload(fingerprints.keys.data(), layout.keys_size, at));
  SYN_TRY(slot.upload(fingerprints.cells.data(), layout.cells_size, at + layout.cells));
  return check(cudaMemcpyAsync(slot.fingerprints.data(), slot.input.data() + at, layout.size,
                               cudaMemcpyDeviceToDevice, slot.stream),
               "fingerprints cannot be put in place");
}

// Copies of other tables make room where the card has none left.
Result<void> CudaEngine::update(const engine::TableRef& table, TableCopy& copy, Slot& slot) {
  auto updated = copy.update(table, slot);
  while (!updated.has_value() && copy.is_card_full() && copies_.drop_another(copy)) {
    updated = copy.update(table, slot);
  }
  if (!updated.has_value()) copies_.drop(copy);
  return updated;
}

Result<void> CudaEngine::judge(const DetectWork& work, const DetectLayout& layout, Slot& slot) {
  SYN_TRY(check(cudaMemsetAsync(slot.detected.data(), 0, sizeof(uint32_t), slot.stream),
                "a status cannot be cleared"));
  SYN_TRY(check(launch_detect(work, slot.stream), "detect cannot be started"));
  SYN_TRY(slot.download(slot.detected.data(), layout.out_size, 0));
  return slot.wait();
}

Result<void> CudaEngine::run_detect(const syn_batch& batch,
                                    const engine::Fingerprints& fingerprints,
                                    const engine::TableRef& table, const cpu::DetectRows& rows) {
  SYN_TRY(start());
  SYN_TRY(Ring::Lease slot, ring_.acquire(fingerprints.stamp));
  const bool is_resident = fingerprints.stamp != 0 && slot->stamp == fingerprints.stamp;
  slot->is_awaited = false;
  const std::shared_ptr<TableCopy> copy = copies_.find(table);
  const std::lock_guard lock(copy->mutex());
  SYN_TRY(update(table, *copy, *slot));

  const DetectLayout layout(batch.row_count, rows.bitmap_words);
  const FingerprintLayout held(batch.row_count, rows.value_count);
  const size_t in_size = layout.in_size + (is_resident ? 0 : held.size);
  SYN_TRY(slot->pinned.reserve(std::max(in_size, layout.out_size)));
  SYN_TRY(slot->input.reserve(in_size));
  SYN_TRY(slot->detected.reserve(layout.out_size));
  SYN_TRY(slot->upload(batch.op, batch.row_count, layout.op));
  SYN_TRY(slot->upload(batch.lane, batch.row_count * sizeof(uint16_t), layout.lane));
  if (!is_resident) {
    SYN_TRY(upload_fingerprints(fingerprints, held, layout.in_size, *slot));
  }
  const DetectWork work{
      .row_count = batch.row_count,
      .value_count = rows.value_count,
      .op = slot->input.at<uint8_t>(layout.op),
      .lane = slot->input.at<uint16_t>(layout.lane),
      .keys = slot->fingerprints.at<syn_hash128>(0),
      .cells = slot->fingerprints.at<uint64_t>(held.cells),
      .lanes = copy->device_lanes(),
      .verdicts = slot->detected.at<uint8_t>(layout.verdicts),
      .changed = slot->detected.at<uint64_t>(layout.changed),
      .status = slot->detected.at<uint32_t>(0),
  };
  SYN_TRY(judge(work, layout, *slot));
  take_detected(*slot, layout, rows);
  return success();
}

}  // namespace

std::unique_ptr<engine::Engine> make_cuda_engine() {
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0) return nullptr;
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) return nullptr;
  if (properties.major < kCapabilityMin) return nullptr;
  return std::make_unique<CudaEngine>(properties);
}

}  // namespace syncline::cuda
