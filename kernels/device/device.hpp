// What a device must offer to be an engine: slots that carry batches and blocks, memory for tables.
//
// Owner: the engine owns its device, slots and tables. Threads: a Device any; a Slot or TableMemory
// one at a time. All that is started on a slot runs in order; nothing but wait() waits for it.
// Errors: kEngine, with the device's own words; kEngineNotReady (no_room).
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>

#include "host/base/result.hpp"
#include "kernels/bodies/frames.h"
#include "kernels/bodies/gcm_group.h"
#include "kernels/device/graveyard.hpp"
#include "kernels/device/layout.hpp"
#include "kernels/device/wait_times.hpp"
#include "kernels/engine/engine.hpp"

namespace syncline::device {

class TableMemory;

// The memory of a slot.
enum class Area {
  kHost,          // the device reads and writes it fast
  kInput,         // on the device, as the two below
  kFingerprints,  // keys at 0, then cells
  kDetected,
  kFrames,  // seal: a size a piece at 0, then frames; open: a status a frame at 0, then contents
  kSealed,  // a tag a chunk at 0, then what is encrypted, or decrypted
};
inline constexpr size_t kAreaCount = 6;

struct FingerprintShape {
  uint32_t row_count;
  uint32_t field_count;
  uint32_t key_count;
  BatchLayout in;         // in kInput
  FingerprintLayout out;  // in kFingerprints
};

struct DetectShape {
  uint32_t row_count;
  uint32_t value_count;
  FingerprintLayout held;  // in kFingerprints
  DetectLayout layout;     // its first part in kInput, its second in kDetected
};

// Keys and cells of a host's lane, in kInput.
struct FillShape {
  uint64_t slot_count;
  size_t keys_at;
  size_t cells_at;
};

// Chunks to be encrypted or decrypted: a syn_gcm_record each, in kInput.
struct GcmShape {
  uint32_t count;
  uint32_t part_count;  // of all, by syn_gcm_part_count
  size_t records;
  bool is_open;  // from kInput to kSealed; else in place in kSealed
};

// One batch in flight.
class Slot {
 public:
  virtual ~Slot() = default;
  virtual Result<void> start() = 0;

  // Room for so much; what was in an area that grows is lost. REQUIRES: nothing runs on the slot.
  virtual Result<void> reserve(Area area, size_t size) = 0;
  virtual uint8_t* host() = 0;
  // From host() to kInput, at the same place.
  virtual Result<void> copy_in(size_t at, size_t size) = 0;
  // From the beginning of an area to the beginning of host().
  virtual Result<void> copy_out(Area from, size_t size) = 0;
  // From kInput to the beginning of kFingerprints.
  virtual Result<void> copy_fingerprints(size_t at, size_t size) = 0;
  // Takes the caller's memory to kInput without the host's area, where that is faster: true.
  virtual Result<bool> copy_direct(const void* /*from*/, size_t /*size*/, size_t /*at*/) {
    return false;
  }

  virtual Result<void> run_fingerprint(const FingerprintShape& shape,
                                       const engine::Secret& secret) = 0;
  // Judges every row against the table, as if no key came twice.
  virtual Result<void> run_detect(const DetectShape& shape, TableMemory& table) = 0;

  // A small batch's way, there and back: what lies in host() as its shape says goes to kInput, the
  // stage runs, and its results come to host(). Nothing in it waits or takes memory, so a device
  // may keep the commands of one and send them again. REQUIRES: room in the areas.
  virtual Result<void> fingerprint_trip(const FingerprintShape& shape,
                                        const engine::Secret& secret);
  virtual Result<void> detect_trip(const DetectShape& shape, TableMemory& table);

  // Once, before the device's first block, when its own coder was found to be right: where there is
  // another one it measures both. Whether that one does it from now on.
  virtual Result<bool> choose_coder() { return false; }
  // What it compressed was wrong, or failed: whether another coder does it from now on.
  virtual bool drop_coder() { return false; }
  // What a frame of a piece may take.
  virtual uint32_t frame_room(uint32_t piece_size) { return piece_size + SYN_ZSTD_OVERHEAD_MAX; }
  // Compresses pieces: a syn_piece_place each at 0 in kInput, from there to kFrames.
  virtual Result<void> run_compress(uint32_t piece_count) = 0;
  // Decompresses frames: a syn_frame_place each at 0 in kInput, from kSealed to kFrames.
  virtual Result<void> run_decompress(uint32_t frame_count) = 0;
  // Gathers bytes in kSealed: a syn_move each in kInput, from kFrames or kInput.
  virtual Result<void> run_gather(uint32_t move_count, size_t moves) = 0;
  // By the key that was set last.
  virtual Result<void> run_gcm(const GcmShape& shape) = 0;
  // The key stays as it is until wait().
  virtual Result<void> set_key(const syn_gcm_key& key) = 0;
  // The same, where another key is set or one may have been lost with commands that failed.
  Result<void> use_key(const std::array<uint8_t, 32>& key);

  // Sends off what was started, and whether all up to the last mark() is done.
  virtual Result<void> mark() = 0;
  virtual Result<bool> is_done() = 0;

  // By way of the host's area, piece by piece, so that the device takes one while the next is
  // copied; zeros follow up to padded_size. REQUIRES: both areas reach to at + padded_size; from
  // stays as it is until wait().
  Result<void> upload(const void* from, size_t size, size_t padded_size, size_t at);
  // Until all that was started is done, or the deadline: then the slot is lost until it is. The
  // deadline suits what such work took before; without any it is the longest, wait_limit_us.
  Result<void> wait(Work work, size_t size);
  Result<void> wait();
  // Memory that this slot, or a table by its way, uses no more: it is given back when nothing runs.
  void bury(std::shared_ptr<void> memory);
  // The device has no memory for what this slot needs: no fault. A table's copy makes room for it,
  // and this batch is another engine's.
  Error no_room(std::string why);

  // What the ring and the engine note of it.
  struct Use {
    uint64_t stamp = 0;       // of the fingerprints; 0: none
    bool is_awaited = false;  // detect has not asked for them yet
    uint64_t turn = 0;
    bool is_taken = false;
    // Its commands did not end in time: its memory may still be written.
    std::atomic<bool> is_lost = false;
    std::thread::id thread;  // that used it last
    bool is_short = false;   // of the device's memory
  };
  Use use;
  int64_t wait_limit_us = 0;
  std::shared_ptr<void> opening;  // open_block's own (seal.hpp)
  // The ring's; a slot outside of it has neither, and one of the CPU's cores no times.
  WaitTimes* times = nullptr;
  Graveyard* graveyard = nullptr;

 private:
  Result<void> wait_until_done(int64_t limit_us);
  Result<void> poll_until_done(int64_t limit_us);

  bool has_key_ = false;  // the device has key_, or will have
  std::array<uint8_t, 32> key_{};
  std::unique_ptr<syn_gcm_key> prepared_;  // from key_; a copy that is under way reads it
};

// Slots come later than tables, and take what their batches need: of the device's memory, in bytes,
// so much is left to them.
constexpr uint64_t slots_share(uint64_t memory_size) {
  constexpr uint64_t kShare = 8;
  constexpr uint64_t kSizeMax = uint64_t{2} << 30;
  return std::min(memory_size / kShare, kSizeMax);
}

// The lanes of one table's copy: keys, cells, and how many slots of each are taken, those of
// removed keys among them. The slots handed in are of the same device. It goes by the graveyard:
// its end gives memory back.
class TableMemory {
 public:
  // Why there was no memory for a lane.
  enum class Shortage {
    kNone,      // that was not it
    kFull,      // others may give some back
    kTooLarge,  // no device of this kind ever gives so much
  };

  virtual ~TableMemory() = default;
  // Before anything else; again and again. line_count: of all lanes that are to be laid out next.
  virtual Result<void> prepare(uint64_t line_count, Slot& slot) = 0;
  // Empty memory for a lane, beside what it has: the lane's with swap().
  virtual Result<void> lay_out(size_t lane, uint64_t line_count, Slot& slot) = 0;
  // Puts what is in some slots of a lane, but for removed keys, into what was laid out for it.
  virtual Result<void> move(size_t lane, uint64_t first_slot, uint64_t slot_count, Slot& slot) = 0;
  // What was laid out for a lane is the lane; what it had is buried.
  virtual Result<void> swap(size_t lane, Slot& slot) = 0;
  // What a lane has, and what was laid out for it, is wanted no more: buried.
  virtual void drop(size_t lane, Slot& slot) = 0;
  // Puts slots of a host's lane, which lie in kInput, into a lane that has room for them.
  virtual Result<void> fill(size_t lane, const FillShape& shape, Slot& slot) = 0;
  // Waits; slots taken in a lane.
  virtual Result<uint64_t> used_count(size_t lane, Slot& slot) = 0;
  // Takes over delta records that lie in kInput: all records of a key in their order.
  virtual Result<void> apply(const DeltaLayout& deltas, Slot& slot) = 0;
  // Whether the last failure was for want of memory.
  virtual Shortage shortage() const = 0;
};

class Device {
 public:
  virtual ~Device() = default;
  virtual engine::Description describe() const = 0;
  virtual uint8_t engine() const = 0;  // SYN_ENGINE_*: in the chunks that it seals
  // Before the first batch; after a failure again before the next one.
  virtual Result<void> start() = 0;
  virtual std::unique_ptr<Slot> make_slot() = 0;
  virtual std::unique_ptr<TableMemory> make_table_memory(size_t lane_count,
                                                         uint32_t value_count) = 0;
};

}  // namespace syncline::device
