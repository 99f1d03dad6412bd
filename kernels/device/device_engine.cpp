#include "kernels/device/device_engine.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <mutex>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "host/base/random.hpp"
#include "kernels/cpu/detect.hpp"
#include "kernels/device/ring.hpp"
#include "kernels/device/seal.hpp"
#include "kernels/device/self_check.hpp"
#include "kernels/device/table_copies.hpp"

namespace syncline::device {
namespace {

// From the host's area; a batch with a key that no copy can hold is judged on the host after all.
void take_detected(Slot& slot, const DetectLayout& layout, const cpu::DetectRows& rows) {
  const uint8_t* from = slot.host();
  uint32_t status = 0;
  std::memcpy(&status, from, sizeof status);
  if ((status & SYN_DETECT_RESERVED) != 0) {
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

// What goes to the device up to this size goes as one; more goes piece by piece, so that the device
// takes one while the next is copied.
constexpr size_t kTripSizeMax = 1 << 20;

// An array of the input, and where the next one begins.
struct Piece {
  const void* from;
  size_t size;
  size_t at;
  size_t end;
};

void put_pieces(std::span<const Piece> pieces, uint8_t* to) {
  for (const Piece& piece : pieces) {
    if (piece.size > 0) std::memcpy(to + piece.at, piece.from, piece.size);
    std::memset(to + piece.at + piece.size, 0, piece.end - piece.at - piece.size);
  }
}

Result<void> upload_pieces(std::span<const Piece> pieces, Slot& slot) {
  for (const Piece& piece : pieces) {
    SYN_TRY(slot.upload(piece.from, piece.size, piece.end - piece.at, piece.at));
  }
  return success();
}

std::array<Piece, 5> pieces_of(const syn_batch& batch, const BatchLayout& in) {
  const size_t rows_size = batch.row_count * sizeof(uint32_t);
  const size_t cells_size = rows_size * batch.field_count;
  return {{{batch.key_offset, rows_size, in.key_offset, in.key_length},
           {batch.key_length, rows_size, in.key_length, in.cell_offset},
           {batch.cell_offset, cells_size, in.cell_offset, in.cell_length},
           {batch.cell_length, cells_size, in.cell_length, in.arena},
           {batch.arena, batch.arena_size, in.arena, in.size}}};
}

std::array<Piece, 2> pieces_of(const syn_batch& batch, const DetectLayout& layout) {
  return {{{batch.op, batch.row_count, layout.op, layout.lane},
           {batch.lane, batch.row_count * sizeof(uint16_t), layout.lane, layout.in_size}}};
}

Result<void> upload_fingerprints(const engine::Fingerprints& fingerprints,
                                 const FingerprintLayout& held, size_t at, Slot& slot) {
  slot.use.stamp = 0;
  SYN_TRY(slot.reserve(Area::kFingerprints, held.size));
  SYN_TRY(slot.upload(fingerprints.keys.data(), held.keys_size, held.cells, at));
  SYN_TRY(slot.upload(fingerprints.cells.data(), held.cells_size, held.size - held.cells,
                      at + held.cells));
  return slot.copy_fingerprints(at, held.size);
}

class DeviceEngine final : public engine::Engine {
 public:
  DeviceEngine(std::unique_ptr<Device> device, int64_t wait_limit_us)
      : parts_(std::make_unique<Parts>(std::move(device), wait_limit_us)),
        name_(parts_->device->describe().name) {}
  ~DeviceEngine() override {
    // Giving back memory that a hung command may still write would wait for it, or corrupt it: what
    // such a device holds is left to the end of the process.
    if (!parts_->ring.has_lost()) return;
    [[maybe_unused]] const Parts* const left = parts_.release();
  }
  DeviceEngine(const DeviceEngine&) = delete;
  DeviceEngine& operator=(const DeviceEngine&) = delete;

  engine::Description describe() const override {
    engine::Description description = parts_->device->describe();
    for (bool& has_stage : description.has_stage) has_stage = true;
    return description;
  }

  Result<void> fingerprint(const syn_batch& batch, const engine::Secret& secret,
                           engine::Fingerprints& out) override {
    const uint32_t value_count = batch.field_count - batch.key_count;
    if (batch.key_count > batch.field_count || value_count > SYN_FIELD_COUNT_MAX) {
      return fail(ErrorCode::kInvalidArgument, "a batch's field counts contradict each other");
    }
    out.stamp = 0;
    out.keys.resize(batch.row_count);
    out.cells.resize(size_t{batch.row_count} * value_count);
    if (batch.row_count == 0) return success();
    return on_slot(0, [&](Slot& slot) { return run_fingerprint(batch, secret, slot, out); });
  }

  Result<void> detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                      const engine::TableRef& table, engine::Detected& out) override {
    SYN_TRY(const cpu::DetectRows rows, cpu::begin_detect(batch, fingerprints, table, out));
    if (!is_complete(table)) {
      return fail(ErrorCode::kEngineNotReady, "a table without an id or logs cannot be copied");
    }
    if (batch.row_count > 0) {
      SYN_TRY(on_slot(fingerprints.stamp, [&](Slot& slot) {
        return run_detect(batch, fingerprints, table, rows, slot);
      }));
    }
    cpu::end_detect(rows, table, out);
    return success();
  }

  Result<engine::Sealed> seal(std::span<const engine::ColumnView> columns,
                              const engine::SealKey& key,
                              std::string_view associated_data) override {
    return on_slot(0, [&](Slot& slot) -> Result<engine::Sealed> {
      SYN_TRY(check_once(slot));
      return seal_block(slot, parts_->device->engine(), columns, key, associated_data);
    });
  }
  Result<std::vector<engine::ColumnBytes>> open(std::string_view sealed, const engine::SealKey& key,
                                                std::string_view associated_data,
                                                std::array<uint8_t, 32>& tags_digest) override {
    return on_slot(0, [&](Slot& slot) -> Result<std::vector<engine::ColumnBytes>> {
      SYN_TRY(check_once(slot));
      return open_block(slot, sealed, key, associated_data, tags_digest);
    });
  }

 private:
  struct Parts {
    Parts(std::unique_ptr<Device> from, int64_t wait_limit_us)
        : device(std::move(from)), ring(wait_limit_us), copies(ring.graveyard()) {}
    std::unique_ptr<Device> device;
    Ring ring;
    TableCopies copies;
  };

  Result<void> start();
  Result<void> update(const engine::TableRef& table, TableCopy& copy, Slot& slot);
  // Whoever waits for the copy already begins it anew.
  void give_up(TableCopy& copy, Slot& slot) {
    copy.give_up(slot);
    parts_->copies.drop(copy);
  }
  Result<void> run_fingerprint(const syn_batch& batch, const engine::Secret& secret, Slot& slot,
                               engine::Fingerprints& out);
  Result<void> run_detect(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                          const engine::TableRef& table, const cpu::DetectRows& rows, Slot& slot);
  Result<void> judge(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                     const cpu::DetectRows& rows, TableCopy& copy, Slot& slot);

  // REQUIRES: work that succeeds has waited for all that it started.
  template <class Work>
  std::invoke_result_t<Work, Slot&> on_slot(uint64_t stamp, const Work& work) {
    if (Result<void> started = start(); !started.has_value()) return named(started.error());
    Result<Ring::Lease> slot = parts_->ring.acquire(stamp);
    if (!slot.has_value()) return named(slot.error());
    auto done = work(*slot.value());
    if (done.has_value()) {
      slot.value().settle();
      return done;
    }
    end_failed(slot.value(), done.error());
    return named(done.error());
  }

  // The device's own failure, but for want of time, has it started anew before the next batch: its
  // driver may have given up all that it holds. Said while the slot is held, or it might be said of
  // a device that is new already.
  void end_failed(Ring::Lease& slot, const Error& error) {
    slot.finish();
    const bool is_short = std::exchange(slot->use.is_short, false);
    if (parts_->ring.has_lost()) return;
    if (error.code == ErrorCode::kEngine) parts_->ring.note_failure();
    if (error.code != ErrorCode::kEngineNotReady || !is_short) return;
    parts_->copies.drop_oldest();
    parts_->ring.clear_graveyard(*slot);
  }

  // By one thread, which the others wait for: no block is begun before it is known who makes it.
  Result<void> check_once(Slot& slot) {
    if (is_checked_.load(std::memory_order_acquire)) return success();
    const std::lock_guard lock(check_mutex_);
    if (is_checked_.load(std::memory_order_relaxed)) return success();
    SYN_TRY(expect_none_lost());
    SYN_TRY(check_coders(slot));
    is_checked_.store(true, std::memory_order_release);
    return success();
  }

  // The device's own in any case: it takes over in the middle of a block where another one fails.
  Result<void> check_coders(Slot& slot) {
    SYN_TRY(check_blocks(slot, parts_->device->engine()));
    SYN_TRY(const bool is_other, slot.choose_coder());
    if (!is_other) return success();
    Result<void> checked = check_blocks(slot, parts_->device->engine());
    if (checked.has_value()) return success();
    if (checked.error().code == ErrorCode::kEngineNotReady) return checked;
    if (slot.use.is_lost || !slot.drop_coder()) return checked.error();
    return success();
  }

  // Whoever had before what this thread waited for may have found that the device hangs.
  Result<void> expect_none_lost() {
    if (!parts_->ring.has_lost()) return success();
    return fail(ErrorCode::kEngine, "the device still works on a batch that was given up");
  }

  // A failure of the device, or beside it, by its name; what is wrong with a block is neither.
  Error named(const Error& error) const {
    if (error.code != ErrorCode::kEngine && error.code != ErrorCode::kInternal) return error;
    return {ErrorCode::kEngine, name_ + ": " + error.what, error.why, error.fix};
  }

  std::unique_ptr<Parts> parts_;
  std::string name_;
  std::mutex start_mutex_;
  std::atomic<bool> is_started_ = false;
  std::mutex check_mutex_;
  std::atomic<bool> is_checked_ = false;
  // Begins somewhere, so that no stamp of another engine is taken for one of ours.
  std::atomic<uint64_t> stamps_ = system_random().u64();
};

Result<void> DeviceEngine::start() {
  Ring& ring = parts_->ring;
  if (is_started_.load(std::memory_order_acquire) && !ring.has_failed()) return success();
  const std::lock_guard lock(start_mutex_);
  if (is_started_.load(std::memory_order_relaxed)) {
    if (!ring.has_failed()) return success();
    if (!ring.stop()) {
      return fail(ErrorCode::kEngineNotReady, "the device failed, and is started anew in a moment",
                  "other batches are still on it");
    }
    parts_->copies.drop_all();
    ring.graveyard().clear();
    is_started_.store(false, std::memory_order_release);
  }
  SYN_TRY(parts_->device->start());
  SYN_TRY(parts_->ring.start(*parts_->device));
  is_started_.store(true, std::memory_order_release);
  return success();
}

Result<void> DeviceEngine::run_fingerprint(const syn_batch& batch, const engine::Secret& secret,
                                           Slot& slot, engine::Fingerprints& out) {
  const FingerprintShape shape{
      batch.row_count, batch.field_count, batch.key_count, BatchLayout(batch),
      FingerprintLayout(batch.row_count, batch.field_count - batch.key_count)};
  slot.use.stamp = 0;
  slot.use.is_awaited = false;
  SYN_TRY(slot.reserve(Area::kHost, std::max(shape.in.size, shape.out.size)));
  SYN_TRY(slot.reserve(Area::kInput, shape.in.size));
  SYN_TRY(slot.reserve(Area::kFingerprints, shape.out.size));
  const auto pieces = pieces_of(batch, shape.in);
  if (shape.in.size <= kTripSizeMax) {
    put_pieces(pieces, slot.host());
    SYN_TRY(slot.fingerprint_trip(shape, secret));
  } else {
    SYN_TRY(upload_pieces(pieces, slot));
    SYN_TRY(slot.run_fingerprint(shape, secret));
    SYN_TRY(slot.copy_out(Area::kFingerprints, shape.out.size));
  }
  SYN_TRY(slot.wait(Work::kFingerprint, shape.in.size));
  std::memcpy(out.keys.data(), slot.host(), shape.out.keys_size);
  if (shape.out.cells_size > 0) {
    std::memcpy(out.cells.data(), slot.host() + shape.out.cells, shape.out.cells_size);
  }
  slot.use.stamp = std::max<uint64_t>(stamps_.fetch_add(1, std::memory_order_relaxed), 1);
  slot.use.is_awaited = true;
  out.stamp = slot.use.stamp;
  return success();
}

// A copy that has no room is no fault of the device: others make room, or this one is left to the
// other engines for a while.
Result<void> DeviceEngine::update(const engine::TableRef& table, TableCopy& copy, Slot& slot) {
  using Shortage = TableMemory::Shortage;
  SYN_TRY(expect_none_lost());
  if (copy.is_refused(table)) {
    return fail(ErrorCode::kEngineNotReady, "the device has no room for a table's copy");
  }
  for (;;) {
    auto updated = copy.update(table, slot);
    if (updated.has_value() || updated.error().code == ErrorCode::kEngineNotReady) return updated;
    const Shortage shortage = copy.memory().shortage();
    if (slot.use.is_lost || shortage == Shortage::kNone) {
      give_up(copy, slot);
      return updated.error();
    }
    if (shortage == Shortage::kFull) {
      if (!parts_->ring.graveyard().is_empty()) {
        SYN_TRY(slot.wait());
        if (parts_->ring.clear_graveyard(slot)) continue;
        return fail(ErrorCode::kEngineNotReady, "memory of the device is being given back");
      }
      if (parts_->copies.drop_idle_for(copy)) continue;
    }
    copy.give_up(slot);
    parts_->copies.refuse(copy, table);
    return fail(ErrorCode::kEngineNotReady, updated.error().what, updated.error().why);
  }
}

Result<void> DeviceEngine::run_detect(const syn_batch& batch,
                                      const engine::Fingerprints& fingerprints,
                                      const engine::TableRef& table, const cpu::DetectRows& rows,
                                      Slot& slot) {
  slot.use.is_awaited = false;
  const std::shared_ptr<TableCopy> copy = parts_->copies.find(table, *parts_->device);
  const std::lock_guard lock(copy->mutex());
  SYN_TRY(update(table, *copy, slot));
  Result<void> judged = judge(batch, fingerprints, rows, *copy, slot);
  if (judged.has_value() || slot.use.is_lost) return judged;
  // Nobody gets the copy beside commands on it, nor one whose commands may not have been done. A
  // slot that is lost keeps all others waiting until its commands have ended.
  if (judged.error().code == ErrorCode::kEngineNotReady) {
    Result<void> settled = slot.wait();
    if (settled.has_value()) return judged;
    judged = std::move(settled);
  }
  give_up(*copy, slot);
  return judged;
}

Result<void> DeviceEngine::judge(const syn_batch& batch, const engine::Fingerprints& fingerprints,
                                 const cpu::DetectRows& rows, TableCopy& copy, Slot& slot) {
  const bool is_resident = fingerprints.stamp != 0 && slot.use.stamp == fingerprints.stamp;
  const DetectShape shape{batch.row_count, rows.value_count,
                          FingerprintLayout(batch.row_count, rows.value_count),
                          DetectLayout(batch.row_count, rows.bitmap_words)};
  const DetectLayout& layout = shape.layout;
  const size_t in_size = layout.in_size + (is_resident ? 0 : shape.held.size);
  SYN_TRY(slot.reserve(Area::kHost, std::max(in_size, layout.out_size)));
  SYN_TRY(slot.reserve(Area::kInput, in_size));
  SYN_TRY(slot.reserve(Area::kDetected, layout.out_size));
  const auto pieces = pieces_of(batch, layout);
  if (is_resident && in_size <= kTripSizeMax) {
    put_pieces(pieces, slot.host());
    SYN_TRY(slot.detect_trip(shape, copy.memory()));
  } else {
    SYN_TRY(upload_pieces(pieces, slot));
    if (!is_resident) {
      SYN_TRY(upload_fingerprints(fingerprints, shape.held, layout.in_size, slot));
    }
    SYN_TRY(slot.run_detect(shape, copy.memory()));
    SYN_TRY(slot.copy_out(Area::kDetected, layout.out_size));
  }
  SYN_TRY(slot.wait(Work::kDetect, in_size + layout.out_size));
  take_detected(slot, layout, rows);
  return success();
}

}  // namespace

std::unique_ptr<engine::Engine> make_device_engine(std::unique_ptr<Device> device,
                                                   int64_t wait_limit_us) {
  return std::make_unique<DeviceEngine>(std::move(device), wait_limit_us);
}

}  // namespace syncline::device
