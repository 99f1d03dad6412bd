// The shadow: the accepted state of every record. States (generation, versions, what systems were
// shown) and values, by (dataset, key hash).
//
// Ahead of the disk there is a memory tier: what a step left is seen by the next load() at once
// (stage), and goes down with apply() when the journal holds it. RocksDB behind it: one column
// family, WAL off, every write batch is one frame's effects plus that lane's frame number, so what a
// crash leaves is an exact prefix per lane; frames above it are replayed from the journal.
//
// Threads: load and stage of one lane from one thread at a time, different lanes side by side; apply
// from one thread. Errors: kStorageOpen, kStorageFull, kDamaged.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/frame.hpp"

namespace syncline::state {

struct ShadowRecord {
  std::string state;                   // core::encode(RecordState); empty: never heard of
  std::vector<model::Cell> values;     // by value field; empty unless asked for
};

enum class Load { kState, kStateAndValues };

struct MemoryUse {
  size_t record_count = 0;
  size_t size_bytes = 0;  // of the memory tier: states, indexes
};

class Shadow {
 public:
  virtual ~Shadow() = default;

  virtual Result<ShadowRecord> load(model::DatasetId dataset, const model::KeyHash& key_hash,
                                    size_t value_count, Load what) = 0;
  // The frame is appended, not yet durable: later loads must see it.
  virtual void stage(const model::FramePointer& frame) = 0;
  // The frame is durable: store it, with its lane's frame number, in one write batch.
  // REQUIRES: frames of a lane come in order.
  virtual Result<void> apply(const model::FramePointer& frame) = 0;
  // The last frame of this lane that the store holds; replay begins behind it.
  virtual Result<uint64_t> applied(model::LaneIndex lane) = 0;
  // Makes what was applied durable, so that the journal need not keep it.
  virtual Result<void> flush() = 0;

  // Every record of a dataset's lane, in key hash order (for the first sync's sweep and verify).
  // visit returns false to stop.
  using Visit = std::function<bool(const model::KeyHash&, std::string_view key,
                                   const ShadowRecord&)>;
  virtual Result<void> scan(model::DatasetId dataset, model::LaneIndex lane, size_t lane_count,
                            size_t value_count, const Visit& visit) = 0;

  // Small named values that belong to the state: epochs, phases, quarantine, conflicts.
  virtual Result<std::string> get_item(const std::string& name) = 0;  // empty: not there
  virtual Result<void> put_item(const std::string& name, std::string_view bytes) = 0;
  using VisitItem = std::function<bool(const std::string& name, std::string_view bytes)>;
  virtual Result<void> scan_items(const std::string& prefix, const VisitItem& visit) = 0;

  virtual MemoryUse memory_use() const = 0;
};

struct ShadowOptions {
  size_t memory_limit_bytes = 4ull << 30;  // of the memory tier; beyond it states are read from disk
  size_t lane_count = model::kLaneCountDefault;
};

// folder: an absolute path that exists. RocksDB reaches the disk by itself.
Result<std::unique_ptr<Shadow>> open_rocksdb_shadow(const std::string& folder,
                                                    const ShadowOptions& options);

// For the simulator and tests: the same contract in memory. crash() loses, per lane, everything
// behind a prefix chosen by `keep` (lane -> frame number to keep, at least the flushed one).
class MemoryShadow : public Shadow {
 public:
  using Keep = std::function<uint64_t(model::LaneIndex, uint64_t flushed, uint64_t applied)>;
  virtual void crash(const Keep& keep) = 0;
};
std::unique_ptr<MemoryShadow> make_memory_shadow(size_t lane_count);

}  // namespace syncline::state
