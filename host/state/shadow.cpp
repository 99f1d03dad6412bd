#include "host/state/shadow.hpp"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "host/base/assert.hpp"
#include "host/state/shadow_items_internal.hpp"
#include "host/state/shadow_lanes_internal.hpp"
#include "host/state/shadow_record_internal.hpp"
#include "host/state/shadow_store_internal.hpp"

namespace syncline::state {

namespace {

// By the first byte of the key hash, whatever the number of lanes: lanes of up to this many never
// meet in a shard.
constexpr size_t kShardCount = 256;
constexpr size_t kLaneImagesMax = 4'096;  // of one lane's frames in one write, or its first frame
// Waiting items divide the frames into those before and those after them, so they all go down in
// one write, and sooner: at this part of what may wait otherwise.
constexpr size_t kItemsShare = 16;
constexpr size_t kItemBytesMax = 4u << 20;

constexpr size_t kGroupMax = 32;  // records that are looked at under one lock
constexpr size_t kAhead = 8;      // records whose memory is on its way

class RocksdbShadow : public Shadow {
 public:
  RocksdbShadow(std::string folder, std::unique_ptr<ShadowStore> store,
                const ShadowOptions& options);
  ~RocksdbShadow() override;
  Result<void> recover();

  Result<ShadowRecord> load(model::DatasetId dataset, const model::KeyHash& key_hash,
                            size_t value_count, Load what) override;
  Result<void> load_states(std::span<const RecordId> ids, const VisitState& visit) override;
  void stage(const model::FramePointer& frame) override;
  using Shadow::apply;
  Result<void> apply(std::span<const model::FramePointer> frames) override;
  Result<uint64_t> applied(model::LaneIndex lane) override { return queue(lane).applied.load(); }
  Result<void> settle() override;
  Result<void> flush() override;
  Result<void> scan(model::DatasetId dataset, model::LaneIndex lane, size_t lane_count,
                    size_t value_count, const Visit& visit) override;
  Result<std::string> get_item(const std::string& name) override {
    return items_.get(*store_, name);
  }
  Result<void> put_item(const std::string& name, std::string_view bytes) override {
    items_.put(name, bytes);
    return success();
  }
  Result<void> scan_items(const std::string& prefix, const VisitItem& visit) override {
    return items_.scan(*store_, prefix, visit);
  }
  void set_shorten(const Shorten& shorten) override { shorten_ = shorten; }
  MemoryUse memory_use() const override;

 private:
  using PendingRecords = std::map<model::KeyHash, std::string>;

  Shard& shard(const RecordId& id) { return *shards_[id.key_hash.high >> 56]; }
  LaneQueue& queue(model::LaneIndex lane) {
    SYN_ASSERT(lane < queues_.size());
    return *queues_[lane];
  }
  Result<ShadowRecord> load_state(const RecordId& id);
  size_t visit_in_memory(std::span<const RecordId> ids, size_t first, const VisitState& visit,
                         std::vector<size_t>& below);
  Result<ShadowRecord> load_with_values(const RecordId& id, size_t value_count);
  Result<void> read_below(const RecordId& id, std::string& bytes, RecordParts& parts) const;
  PendingRecords pending_records(model::DatasetId dataset, const HashRange& range);
  Result<void> write_next_lane();
  Result<void> write_all();
  Result<void> write(std::span<Portion> portions, ShadowStore::Batch batch);
  Portion take(model::LaneIndex lane, size_t images_max);
  void gather(LaneQueue& queue, Portion& portion);
  void settle(const Portion& portion);
  size_t settle_group(std::span<const Run> runs, size_t first);
  Error damaged(const RecordId& id) const;

  std::string folder_;
  ShadowOptions options_;
  Shorten shorten_;
  std::unique_ptr<ShadowStore> store_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<std::unique_ptr<LaneQueue>> queues_;
  WaitingItems items_;
  std::atomic<size_t> waiting_bytes_ = 0;
  size_t waiting_images_ = 0;  // the applying thread's, as is next_lane_
  size_t waiting_applied_bytes_ = 0;
  size_t next_lane_ = 0;
};

RocksdbShadow::RocksdbShadow(std::string folder, std::unique_ptr<ShadowStore> store,
                             const ShadowOptions& options)
    : folder_(std::move(folder)), options_(options), store_(std::move(store)) {
  for (size_t i = 0; i < kShardCount; ++i) {
    shards_.push_back(std::make_unique<Shard>(options.memory_limit_bytes / kShardCount));
  }
  for (size_t i = 0; i < options.lane_count; ++i) queues_.push_back(std::make_unique<LaneQueue>());
}

RocksdbShadow::~RocksdbShadow() {
  // What cannot be written now is replayed from the journal.
  (void)write_all();
}

// Reads the lanes' numbers, and states into memory until it is full.
Result<void> RocksdbShadow::recover() {
  for (size_t lane = 0; lane < queues_.size(); ++lane) {
    SYN_TRY(const uint64_t number, store_->frame_number(static_cast<model::LaneIndex>(lane)));
    queues_[lane]->staged = number;
    queues_[lane]->applied = number;
  }
  size_t full_count = 0;
  return store_->scan_all([&](const RecordId& id, std::string_view bytes) {
    TierShard& tier = shard(id).tier;
    const bool was_complete = tier.is_complete();
    if (!tier.put_if_room(tier_key(id), decode_state(bytes)) && was_complete) ++full_count;
    return full_count < kShardCount;
  });
}

Error RocksdbShadow::damaged(const RecordId& id) const {
  return {ErrorCode::kDamaged, "the shadow in " + folder_ + " is damaged",
          "a record of dataset " + std::to_string(id.dataset) + " cannot be decoded",
          "restore the data folder from a copy, or run syncline resync"};
}

Result<ShadowRecord> RocksdbShadow::load(model::DatasetId dataset, const model::KeyHash& key_hash,
                                         size_t value_count, Load what) {
  const RecordId id{dataset, key_hash};
  return what == Load::kState ? load_state(id) : load_with_values(id, value_count);
}

Result<ShadowRecord> RocksdbShadow::load_state(const RecordId& id) {
  ShadowRecord record;
  const TierKey key = tier_key(id);
  Shard& home = shard(id);
  {
    const std::lock_guard lock(home.mutex);
    if (const Overlay::Pending* pending = home.overlay.find(id)) {
      record.state = pending->newest->image->state;
      return record;
    }
    std::string_view state;
    if (home.tier.find(key, state) != TierShard::Found::kUnknown) {
      record.state = state;
      return record;
    }
  }
  std::string bytes;
  SYN_TRY(const bool is_known, store_->get(id, bytes));
  if (!is_known) return record;
  record.state = decode_state(bytes);
  if (record.state.empty()) return damaged(id);
  // Nothing newer can have come meanwhile: stage for this record is this thread's own business.
  const std::lock_guard lock(home.mutex);
  home.tier.put(key, record.state);
  return record;
}

// Records of one shard together, so that its lock is taken once and the memory of each is on its
// way while others are looked at.
Result<void> RocksdbShadow::load_states(std::span<const RecordId> ids, const VisitState& visit) {
  std::vector<size_t> below;  // those that only the store has
  for (size_t first = 0; first < ids.size();) first = visit_in_memory(ids, first, visit, below);
  for (const size_t index : below) {
    SYN_TRY(const ShadowRecord record, load_state(ids[index]));
    visit(index, record.state);
  }
  return success();
}

// Visits a group of one shard; returns where the next begins.
size_t RocksdbShadow::visit_in_memory(std::span<const RecordId> ids, size_t first,
                                      const VisitState& visit, std::vector<size_t>& below) {
  Shard& home = shard(ids[first]);
  size_t last = first + 1;
  while (last < ids.size() && last - first < kGroupMax && &shard(ids[last]) == &home) ++last;
  const std::lock_guard lock(home.mutex);
  for (size_t i = first; i < last; ++i) {
    home.overlay.prefetch(ids[i]);
    home.tier.prefetch_slot(tier_key(ids[i]));
  }
  for (size_t i = first; i < last; ++i) home.tier.prefetch_block(tier_key(ids[i]));
  for (size_t i = first; i < last; ++i) {
    std::string_view state;
    if (const Overlay::Pending* pending = home.overlay.find(ids[i])) {
      visit(i, pending->newest->image->state);
    } else if (home.tier.find(tier_key(ids[i]), state) == TierShard::Found::kUnknown) {
      below.push_back(i);
    } else {
      visit(i, state);
    }
  }
  return last;
}

Result<void> RocksdbShadow::read_below(const RecordId& id, std::string& bytes,
                                       RecordParts& parts) const {
  SYN_TRY(const bool is_known, store_->get(id, bytes));
  if (is_known && !decode(bytes, parts)) return damaged(id);
  return success();
}

Result<ShadowRecord> RocksdbShadow::load_with_values(const RecordId& id, size_t value_count) {
  RecordParts parts;
  std::string above;  // what waits, copied: its frames may go once the lock is released
  {
    Shard& home = shard(id);
    const std::lock_guard lock(home.mutex);
    if (const Overlay::Pending* pending = home.overlay.find(id)) {
      above = encode(parts_of_run(pending->oldest, pending->newest));
    } else {
      std::string_view state;
      if (home.tier.find(tier_key(id), state) == TierShard::Found::kNever) {
        return ShadowRecord{{}, std::vector<model::Cell>(value_count)};
      }
    }
  }
  RecordParts newer;
  if (!above.empty()) SYN_ASSERT(decode(above, newer));
  std::string below;
  if (!newer.is_full || newer.key.empty()) {
    SYN_TRY(read_below(id, below, parts));
  }
  if (!above.empty()) overlay(parts, std::move(newer));
  return ShadowRecord{std::string(parts.state), values_of(parts, value_count)};
}

void RocksdbShadow::stage(const model::FramePointer& frame) {
  LaneQueue& lane = queue(frame->lane);
  if (frame->number <= lane.staged) return;
  StagedFrame staged{frame, std::make_unique<PendingImage[]>(frame->records.size()),
                     model::memory_size(*frame)};
  for (size_t i = 0; i < frame->records.size(); ++i) {
    const model::RecordImage& image = frame->records[i];
    staged.images[i].image = &image;
    staged.images[i].frame_number = frame->number;
    const RecordId id = id_of(image);
    if (i + kAhead < frame->records.size()) {
      const RecordId ahead = id_of(frame->records[i + kAhead]);
      shard(ahead).overlay.prefetch(ahead);
    }
    Shard& home = shard(id);
    const std::lock_guard lock(home.mutex);
    home.overlay.push(id, &staged.images[i]);
  }
  waiting_bytes_ += staged.size_bytes;
  lane.staged = frame->number;
  const std::lock_guard lock(lane.mutex);
  lane.frames.push_back(std::move(staged));
}

Result<void> RocksdbShadow::apply(std::span<const model::FramePointer> frames) {
  for (const model::FramePointer& frame : frames) {
    LaneQueue& lane = queue(frame->lane);
    if (frame->number <= lane.applied) continue;
    stage(frame);
    {
      const std::lock_guard lock(lane.mutex);
      SYN_ASSERT(lane.applied_count < lane.frames.size());
      const StagedFrame& next = lane.frames[lane.applied_count];
      SYN_ASSERT(next.frame->number == frame->number);
      waiting_applied_bytes_ += next.size_bytes;
    }
    ++lane.applied_count;
    waiting_images_ += image_count_of(*frame);
    lane.applied = frame->number;
  }
  if (const size_t item_bytes = items_.size_bytes(); item_bytes != 0) {
    const bool is_enough = item_bytes > kItemBytesMax ||
                           waiting_images_ > options_.waiting_images_max / kItemsShare ||
                           waiting_applied_bytes_ > options_.waiting_bytes_max / kItemsShare;
    return is_enough ? write_all() : success();
  }
  while (waiting_images_ > options_.waiting_images_max ||
         waiting_applied_bytes_ > options_.waiting_bytes_max) {
    SYN_TRY(write_next_lane());
  }
  return success();
}

// Lane after lane, so that each gathers as much as it can before its turn.
// REQUIRES: some frame waits.
Result<void> RocksdbShadow::write_next_lane() {
  while (queues_[next_lane_]->applied_count == 0) next_lane_ = (next_lane_ + 1) % queues_.size();
  Portion portion = take(static_cast<model::LaneIndex>(next_lane_), kLaneImagesMax);
  next_lane_ = (next_lane_ + 1) % queues_.size();
  return write({&portion, 1}, {});
}

// Every applied frame and every item, in one write.
Result<void> RocksdbShadow::write_all() {
  ShadowStore::Batch batch;
  const uint64_t last_order = items_.add_to(batch);
  std::vector<Portion> portions;
  for (size_t lane = 0; lane < queues_.size(); ++lane) {
    if (queues_[lane]->applied_count == 0) continue;
    portions.push_back(take(static_cast<model::LaneIndex>(lane), SIZE_MAX));
  }
  if (portions.empty() && batch.items.empty()) return success();
  SYN_TRY(write(portions, std::move(batch)));
  items_.forget(last_order);
  return success();
}

Result<void> RocksdbShadow::write(std::span<Portion> portions, ShadowStore::Batch batch) {
  for (Portion& portion : portions) {
    batch.lanes.emplace_back(portion.lane, portion.last_number);
    for (size_t i = 0; i < portion.runs.size(); ++i) {
      ask_ahead(portion.runs, i);
      Run& run = portion.runs[i];
      // Only this thread takes images out, so the run stays as it is.
      RecordParts parts = parts_of_run(run.first, run.last);
      if (shorten_) run.shortened = shorten_(run.id.dataset, portion.lane, parts.state);
      parts.state = run.state();
      batch.add(run.id, parts);
    }
  }
  SYN_TRY(store_->write(batch));
  for (const Portion& portion : portions) settle(portion);
  return success();
}

Portion RocksdbShadow::take(model::LaneIndex lane, size_t images_max) {
  LaneQueue& from = queue(lane);
  Portion portion{lane, 0, 0, 0, {}};
  {
    const std::lock_guard lock(from.mutex);
    while (portion.frame_count < from.applied_count && portion.image_count < images_max) {
      const model::Frame& frame = *from.frames[portion.frame_count].frame;
      portion.image_count += image_count_of(frame);
      portion.last_number = frame.number;
      ++portion.frame_count;
    }
  }
  gather(from, portion);
  return portion;
}

void RocksdbShadow::gather(LaneQueue& from, Portion& portion) {
  std::vector<std::span<const PendingImage>> frames;
  {
    const std::lock_guard lock(from.mutex);
    for (size_t i = 0; i < portion.frame_count; ++i) {
      frames.emplace_back(from.frames[i].images.get(), from.frames[i].frame->records.size());
    }
  }
  for (const std::span<const PendingImage> images : frames) {
    for (const PendingImage& image : images) {
      if (!image.is_oldest) continue;  // in its record's run already
      const PendingImage* last = &image;
      for (const PendingImage* next = last->newer;
           next != nullptr && next->frame_number <= portion.last_number; next = last->newer) {
        last = next;
      }
      portion.runs.push_back({id_of(*image.image), &image, last, {}});
    }
  }
  std::sort(portion.runs.begin(), portion.runs.end(),
            [](const Run& left, const Run& right) { return left.id < right.id; });
}

// A group of one shard, as visit_in_memory() has it; returns where the next begins.
size_t RocksdbShadow::settle_group(std::span<const Run> runs, size_t first) {
  Shard& home = shard(runs[first].id);
  size_t last = first + 1;
  while (last < runs.size() && last - first < kGroupMax && &shard(runs[last].id) == &home) ++last;
  const std::lock_guard lock(home.mutex);
  for (size_t i = first; i < last; ++i) {
    home.overlay.prefetch(runs[i].id);
    home.tier.prefetch_slot(tier_key(runs[i].id));
  }
  for (size_t i = first; i < last; ++i) {
    home.tier.put(tier_key(runs[i].id), runs[i].state());
    home.overlay.pop_through(runs[i].id, runs[i].last);
  }
  return last;
}

// The store holds the portion: the tier takes over its states, and the frames go.
void RocksdbShadow::settle(const Portion& portion) {
  const std::vector<Run>& runs = portion.runs;
  for (size_t first = 0; first < runs.size();) first = settle_group(runs, first);
  LaneQueue& from = queue(portion.lane);
  std::vector<StagedFrame> done;  // freed after the lock
  {
    const std::lock_guard lock(from.mutex);
    const auto end = from.frames.begin() + static_cast<std::ptrdiff_t>(portion.frame_count);
    done.assign(std::make_move_iterator(from.frames.begin()), std::make_move_iterator(end));
    from.frames.erase(from.frames.begin(), end);
  }
  from.applied_count -= portion.frame_count;
  waiting_images_ -= portion.image_count;
  size_t size_bytes = 0;
  for (const StagedFrame& frame : done) size_bytes += frame.size_bytes;
  waiting_bytes_ -= size_bytes;
  waiting_applied_bytes_ -= size_bytes;
}

Result<void> RocksdbShadow::settle() {
  if (items_.size_bytes() != 0) return write_all();
  while (waiting_images_ > 0) {
    SYN_TRY(write_next_lane());
  }
  return success();
}

Result<void> RocksdbShadow::flush() {
  SYN_TRY(settle());
  return store_->flush();
}

RocksdbShadow::PendingRecords RocksdbShadow::pending_records(model::DatasetId dataset,
                                                             const HashRange& range) {
  PendingRecords records;
  for (size_t i = range.first.high >> 56; i <= range.last.high >> 56; ++i) {
    const std::lock_guard lock(shards_[i]->mutex);
    shards_[i]->overlay.for_each([&](const RecordId& id, const Overlay::Pending& pending) {
      if (id.dataset != dataset || id.key_hash < range.first || range.last < id.key_hash) return;
      records.emplace(id.key_hash, encode(parts_of_run(pending.oldest, pending.newest)));
    });
  }
  return records;
}

Result<void> RocksdbShadow::scan(model::DatasetId dataset, model::LaneIndex lane, size_t lane_count,
                                 size_t value_count, const Visit& visit) {
  const HashRange range = range_of(lane, lane_count);
  // First what waits, then the store: an image that goes down in between is met twice, never
  // missed.
  const PendingRecords pending = pending_records(dataset, range);
  auto next = pending.begin();
  std::optional<Error> error;
  bool goes_on = true;
  const auto show = [&](const model::KeyHash& key_hash, const RecordParts& parts) {
    goes_on = visit(key_hash, parts.key, {std::string(parts.state), values_of(parts, value_count)});
    return goes_on;
  };
  const auto show_pending = [&](RecordParts below) {
    RecordParts above;
    SYN_ASSERT(decode(next->second, above));
    overlay(below, std::move(above));
    return show(std::exchange(next, std::next(next))->first, below);
  };
  SYN_TRY(store_->scan(dataset, range, [&](const RecordId& id, std::string_view bytes) {
    while (next != pending.end() && next->first < id.key_hash) {
      if (!show_pending({})) return false;
    }
    RecordParts parts;
    if (!decode(bytes, parts)) {
      error = damaged(id);
      return false;
    }
    if (next != pending.end() && next->first == id.key_hash) return show_pending(std::move(parts));
    return show(id.key_hash, parts);
  }));
  if (error) return *error;
  while (goes_on && next != pending.end()) {
    if (!show_pending({})) break;
  }
  return success();
}

MemoryUse RocksdbShadow::memory_use() const {
  MemoryUse use{0, waiting_bytes_};
  for (const std::unique_ptr<Shard>& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    use.record_count += shard->tier.record_count();
    use.size_bytes += shard->tier.size_bytes() + shard->overlay.size_bytes();
  }
  return use;
}

}  // namespace

Result<void> Shadow::load_states(std::span<const RecordId> ids, const VisitState& visit) {
  for (size_t i = 0; i < ids.size(); ++i) {
    SYN_TRY(const ShadowRecord record, load(ids[i].dataset, ids[i].key_hash, 0, Load::kState));
    visit(i, record.state);
  }
  return success();
}

Result<std::unique_ptr<Shadow>> open_rocksdb_shadow(const std::string& folder,
                                                    const ShadowOptions& options) {
  SYN_TRY(std::unique_ptr<ShadowStore> store, ShadowStore::open(folder, options.lane_count));
  auto shadow = std::make_unique<RocksdbShadow>(folder, std::move(store), options);
  SYN_TRY(shadow->recover());
  return std::unique_ptr<Shadow>(std::move(shadow));
}

}  // namespace syncline::state
