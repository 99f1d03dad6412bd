#include <algorithm>
#include <map>
#include <vector>

#include "host/base/assert.hpp"
#include "host/state/shadow.hpp"
#include "host/state/shadow_record_internal.hpp"

namespace syncline::state {

namespace {

using Records = std::map<RecordId, std::string>;  // encoded RecordParts
using Items = std::map<std::string, std::string>;

void take_over(Records& records, const model::Frame& frame, const Shadow::Shorten& shorten) {
  for (const model::RecordImage& image : frame.records) {
    std::string& bytes = records[{image.dataset, image.key_hash}];
    RecordParts parts = parts_of(image);
    const std::string shortened =
        shorten ? shorten(image.dataset, frame.lane, image.state) : std::string();
    if (!shortened.empty()) parts.state = shortened;
    if (!bytes.empty()) {
      RecordParts below;
      SYN_ASSERT(decode(bytes, below));
      overlay(below, std::move(parts));
      parts = std::move(below);
    }
    bytes = encode(parts);
  }
}

ShadowRecord record_of(std::string_view bytes, size_t value_count) {
  RecordParts parts;
  SYN_ASSERT(decode(bytes, parts));
  return {std::string(parts.state), values_of(parts, value_count)};
}

// What happened since the last flush, in order.
struct Applied {
  uint64_t order = 0;
  model::FramePointer frame;
};
struct PutItem {
  uint64_t order = 0;
  std::string name;
  std::string bytes;
};

struct LaneState {
  uint64_t staged = 0;
  uint64_t applied = 0;
  uint64_t flushed = 0;
  std::vector<Applied> since_flush;
};

class MapShadow : public MemoryShadow {
 public:
  explicit MapShadow(size_t lane_count) : lanes_(lane_count) {}

  Result<ShadowRecord> load(model::DatasetId dataset, const model::KeyHash& key_hash,
                            size_t value_count, Load what) override {
    const auto at = live_.find({dataset, key_hash});
    ShadowRecord record;
    if (at != live_.end()) {
      record = record_of(at->second, value_count);
    } else {
      record.values.resize(value_count);
    }
    if (what == Load::kState) record.values.clear();
    return record;
  }

  void stage(const model::FramePointer& frame) override {
    LaneState& lane = lane_at(frame->lane);
    if (frame->number <= lane.staged) return;
    lane.staged = frame->number;
    take_over(live_, *frame, nullptr);
  }

  using Shadow::apply;
  Result<void> apply(std::span<const model::FramePointer> frames) override {
    for (const model::FramePointer& frame : frames) {
      LaneState& lane = lane_at(frame->lane);
      if (frame->number <= lane.applied) continue;
      stage(frame);
      lane.applied = frame->number;
      lane.since_flush.push_back({++order_, frame});
    }
    return success();
  }

  Result<uint64_t> applied(model::LaneIndex lane) override { return lane_at(lane).applied; }

  Result<void> flush() override {
    for (LaneState& lane : lanes_) {
      for (const Applied& applied : lane.since_flush) {
        take_over(flushed_, *applied.frame, shorten_);
      }
      lane.since_flush.clear();
      lane.flushed = lane.applied;
    }
    flushed_items_ = items_;
    items_since_flush_.clear();
    return success();
  }

  Result<void> scan(model::DatasetId dataset, model::LaneIndex lane, size_t lane_count,
                    size_t value_count, const Visit& visit) override {
    const HashRange range = range_of(lane, lane_count);
    const Records records(live_.lower_bound({dataset, range.first}),
                          live_.upper_bound({dataset, range.last}));
    for (const auto& [id, bytes] : records) {
      RecordParts parts;
      SYN_ASSERT(decode(bytes, parts));
      if (!visit(id.key_hash, parts.key, record_of(bytes, value_count))) break;
    }
    return success();
  }

  Result<std::string> get_item(const std::string& name) override {
    const auto at = items_.find(name);
    return at == items_.end() ? std::string() : at->second;
  }

  Result<void> put_item(const std::string& name, std::string_view bytes) override {
    items_since_flush_.push_back({++order_, name, std::string(bytes)});
    store_item(items_, items_since_flush_.back());
    return success();
  }

  Result<void> scan_items(const std::string& prefix, const VisitItem& visit) override {
    const Items items(items_.lower_bound(prefix), items_.end());
    for (const auto& [name, bytes] : items) {
      if (!name.starts_with(prefix) || !visit(name, bytes)) break;
    }
    return success();
  }

  void set_shorten(const Shorten& shorten) override { shorten_ = shorten; }

  MemoryUse memory_use() const override {
    MemoryUse use{live_.size(), 0};
    for (const auto& [id, bytes] : live_) use.size_bytes += sizeof id + bytes.size();
    return use;
  }

  void crash(const Keep& keep) override;

 private:
  void keep_before(uint64_t end);
  static void store_item(Items& items, const PutItem& put) {
    if (put.bytes.empty()) {
      items.erase(put.name);
    } else {
      items[put.name] = put.bytes;
    }
  }

  LaneState& lane_at(model::LaneIndex lane) {
    SYN_ASSERT(lane < lanes_.size());
    return lanes_[lane];
  }

  Shorten shorten_;
  std::vector<LaneState> lanes_;
  Records live_;     // staged frames included
  Records flushed_;  // what a crash cannot take
  Items items_;
  Items flushed_items_;
  std::vector<PutItem> items_since_flush_;
  uint64_t order_ = 0;
};

void MapShadow::crash(const Keep& keep) {
  // Items stand between the frames before and after them: one behind a lost frame, or behind all
  // that is kept, is lost, and with it every frame behind it.
  uint64_t first_lost = order_ + 1;
  uint64_t last_kept = 0;
  for (size_t i = 0; i < lanes_.size(); ++i) {
    LaneState& lane = lanes_[i];
    const uint64_t kept = keep(static_cast<model::LaneIndex>(i), lane.flushed, lane.applied);
    SYN_ASSERT(kept >= lane.flushed);
    SYN_ASSERT(kept <= lane.applied);
    for (const Applied& applied : lane.since_flush) {
      if (applied.frame->number <= kept) {
        last_kept = std::max(last_kept, applied.order);
      } else {
        first_lost = std::min(first_lost, applied.order);
      }
    }
    lane.applied = kept;
  }
  uint64_t end = order_ + 1;
  for (const PutItem& put : items_since_flush_) {
    if (put.order > first_lost || put.order > last_kept) end = std::min(end, put.order);
  }
  keep_before(end);
}

// Keeps what was put and, of the frames up to each lane's number, applied before this order.
void MapShadow::keep_before(uint64_t end) {
  for (LaneState& lane : lanes_) {
    uint64_t kept = lane.flushed;
    for (const Applied& applied : lane.since_flush) {
      if (applied.order >= end || applied.frame->number > lane.applied) break;
      take_over(flushed_, *applied.frame, shorten_);
      kept = applied.frame->number;
    }
    lane.staged = lane.applied = lane.flushed = kept;
    lane.since_flush.clear();
  }
  for (const PutItem& put : items_since_flush_) {
    if (put.order < end) store_item(flushed_items_, put);
  }
  items_since_flush_.clear();
  live_ = flushed_;
  items_ = flushed_items_;
}

}  // namespace

std::unique_ptr<MemoryShadow> make_memory_shadow(size_t lane_count) {
  return std::make_unique<MapShadow>(lane_count);
}

}  // namespace syncline::state
