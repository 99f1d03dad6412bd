// The shadow: the accepted state of every record. States (generation, versions, what systems were
// shown) and values, by (dataset, key hash).
//
// What a step left is seen by the next load() at once (stage), and may go down to the disk from
// apply() on, when the journal holds it. RocksDB keeps it: one column family, WAL off, every write
// batch is the effects of one lane's consecutive frames plus the number of the last, so what a
// crash leaves is an exact prefix per lane; frames above it are replayed from the journal. Applied
// frames wait a little (up to 64 MiB in all), so that what follows on the same record is one write.
// Between them and the disk stands a memory tier of states; while it holds every record, a key that
// was never seen costs no read.
//
// Threads: load, stage and scan of one lane from one thread at a time, different lanes side by
// side; apply and flush from one thread; items from any. A visit may call load. Errors:
// kStorageOpen, kStorageLocked, kStorageFull, kDamaged, kFormat.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/frame.hpp"

namespace syncline::state {

struct RecordId {
  model::DatasetId dataset = 0;
  model::KeyHash key_hash;
  auto operator<=>(const RecordId&) const = default;
};

struct ShadowRecord {
  std::string state;                // core::encode(RecordState); empty: never heard of
  std::vector<model::Cell> values;  // by value field (kUnchanged: unknown); empty unless asked for
};

enum class Load { kState, kStateAndValues };

struct MemoryUse {
  size_t record_count = 0;
  size_t size_bytes = 0;  // of the memory tier (states, indexes) and of what waits to be written
};

class Shadow {
 public:
  virtual ~Shadow() = default;

  virtual Result<ShadowRecord> load(model::DatasetId dataset, const model::KeyHash& key_hash,
                                    size_t value_count, Load what) = 0;
  // The states of several records, each visited once, in any order: what load() of each gives, for
  // less where their ids are sorted. The bytes live for the visit, which may not call the shadow.
  using VisitState = std::function<void(size_t index, std::string_view state)>;
  virtual Result<void> load_states(std::span<const RecordId> ids, const VisitState& visit);
  // The frame is appended, not yet durable: later loads must see it.
  virtual void stage(const model::FramePointer& frame) = 0;
  // These frames are durable: store them. A frame that was not staged is staged; one that is
  // applied already is passed over. REQUIRES: frames of a lane come in order, an image with cells
  // has its joined key.
  virtual Result<void> apply(std::span<const model::FramePointer> frames) = 0;
  Result<void> apply(const model::FramePointer& frame) { return apply(std::span(&frame, 1)); }
  // The last frame of this lane that was applied; after opening, the last that the disk holds, and
  // replay begins behind it.
  virtual Result<uint64_t> applied(model::LaneIndex lane) = 0;
  // Hands what was applied down piece by piece. A flush does it too, but where items wait, in one
  // write, which takes as much memory again: before many items are put, this comes first.
  virtual Result<void> settle() { return success(); }
  // Makes what was applied durable, so that the journal need not keep it.
  virtual Result<void> flush() = 0;

  // Every record whose key hash is of this lane, in key hash order (for the first sync's sweep and
  // verify), staged ones too. The lane 0 of 1 is the whole dataset, as an atomic group's needs it.
  // visit returns false to stop.
  using Visit =
      std::function<bool(const model::KeyHash&, std::string_view key, const ShadowRecord&)>;
  virtual Result<void> scan(model::DatasetId dataset, model::LaneIndex lane, size_t lane_count,
                            size_t value_count, const Visit& visit) = 0;

  // Small named values that belong to the state: epochs, phases, quarantine, conflicts. Durable
  // with the next flush. A crash keeps the order of the calls: an item is there only with all
  // frames applied before it, and a frame only with all items put before its apply. Empty bytes
  // remove an item. Items are visited in the order of their names.
  virtual Result<std::string> get_item(const std::string& name) = 0;  // empty: not there
  virtual Result<void> put_item(const std::string& name, std::string_view bytes) = 0;
  using VisitItem = std::function<bool(const std::string& name, std::string_view bytes)>;
  virtual Result<void> scan_items(const std::string& prefix, const VisitItem& visit) = 0;

  // A state as it may be stored instead, shorter by what was made durable since; empty: as it is.
  // Asked as states go down to the store; null: none is.
  using Shorten =
      std::function<std::string(model::DatasetId, model::LaneIndex, std::string_view state)>;
  virtual void set_shorten(const Shorten& /*shorten*/) {}

  virtual MemoryUse memory_use() const = 0;
};

struct ShadowOptions {
  size_t memory_limit_bytes = 4ull << 30;  // of the memory tier, which uses at most 6 GiB of it
  size_t waiting_images_max = 262'144;     // of applied frames that wait to be written
  size_t waiting_bytes_max = 32u << 20;    // likewise
  size_t lane_count = model::kLaneCountDefault;
};

// folder: an absolute path that exists. RocksDB reaches the disk by itself.
Result<std::unique_ptr<Shadow>> open_rocksdb_shadow(const std::string& folder,
                                                    const ShadowOptions& options);

// For the simulator and tests: the same contract in memory. crash() loses, per lane, everything
// behind a prefix chosen by `keep` (lane -> frame number to keep, at least the flushed one), and
// what items put in between take with them.
class MemoryShadow : public Shadow {
 public:
  using Keep = std::function<uint64_t(model::LaneIndex, uint64_t flushed, uint64_t applied)>;
  virtual void crash(const Keep& keep) = 0;
};
std::unique_ptr<MemoryShadow> make_memory_shadow(size_t lane_count);

}  // namespace syncline::state
