// What the shadow on disk keeps in memory: records by shard of their hash, and frames by lane, from
// when they are staged until they are written.
//
// Threads: a shard's parts and a queue's frames under their own mutex. Errors: none.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <vector>

#include "host/state/shadow_overlay_internal.hpp"
#include "host/state/shadow_tier_internal.hpp"

namespace syncline::state {

struct Shard {
  explicit Shard(size_t limit_bytes) : tier(limit_bytes) {}
  std::mutex mutex;
  Overlay overlay;
  TierShard tier;
};

struct LaneQueue {
  std::mutex mutex;  // of frames
  std::deque<StagedFrame> frames;
  size_t applied_count = 0;  // of frames, from the front; the applying thread's
  std::atomic<uint64_t> staged = 0;
  std::atomic<uint64_t> applied = 0;
};

// One record's run of images that goes down in one write.
struct Run {
  RecordId id;
  const PendingImage* first = nullptr;
  const PendingImage* last = nullptr;
  std::string shortened = {};  // the last state; empty: as it is

  std::string_view state() const {
    return shortened.empty() ? std::string_view(last->image->state) : shortened;
  }
};

// Asks the memory for what is written of the runs behind this one.
inline void ask_ahead(const std::vector<Run>& runs, size_t at) {
  constexpr size_t kImageAhead = 8;
  constexpr size_t kBytesAhead = 4;
  if (at + kImageAhead < runs.size()) {
    const model::RecordImage* image = runs[at + kImageAhead].first->image;
    __builtin_prefetch(image);
    __builtin_prefetch(&image->cells);
  }
  if (at + kBytesAhead < runs.size()) {
    const model::RecordImage& image = *runs[at + kBytesAhead].first->image;
    __builtin_prefetch(image.state.data());
    __builtin_prefetch(image.cells.data());
  }
}

// What goes down of one lane: its first frames, as runs in the order of ids.
struct Portion {
  model::LaneIndex lane = 0;
  size_t frame_count = 0;
  size_t image_count = 0;
  uint64_t last_number = 0;
  std::vector<Run> runs;
};

inline RecordId id_of(const model::RecordImage& image) {
  return {image.dataset, image.key_hash};
}

// A frame without records counts too: its number has to go down.
inline size_t image_count_of(const model::Frame& frame) {
  return 1 + frame.records.size();
}

}  // namespace syncline::state
