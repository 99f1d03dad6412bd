// Images of records that the store does not hold yet, by record, oldest first.
//
// Owner: a StagedFrame owns its nodes and shares its frame; the overlay points at them. Threads:
// one at a time per overlay; images never change.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "host/base/assert.hpp"
#include "host/state/shadow_record_internal.hpp"

namespace syncline::state {

struct PendingImage {
  const model::RecordImage* image = nullptr;
  uint64_t frame_number = 0;
  // As the overlay has it. Set once, by whoever stages the newer image, while others may look.
  std::atomic<PendingImage*> newer = nullptr;
  bool is_oldest = false;  // of its record; once it waits, the applying thread's
};

struct StagedFrame {
  model::FramePointer frame;
  std::unique_ptr<PendingImage[]> images;  // one for each of the frame's records
  size_t size_bytes = 0;                   // about what keeping the frame costs
};

class Overlay {
 public:
  struct Pending {
    PendingImage* oldest = nullptr;
    PendingImage* newest = nullptr;
  };

  void push(const RecordId& id, PendingImage* image) {
    Pending& pending = pending_[id];
    image->is_oldest = pending.newest == nullptr;
    if (image->is_oldest) {
      pending.oldest = image;
    } else {
      pending.newest->newer = image;
    }
    pending.newest = image;
  }

  // Also beside pop_through: only push() moves the memory.
  void prefetch(const RecordId& id) const { pending_.prefetch(id); }

  // Null where the store (and the tier) hold all there is.
  const Pending* find(const RecordId& id) const {
    const auto at = pending_.find(id);
    return at == pending_.end() ? nullptr : &at->second;
  }

  // Forgets the images of the record up to and including this one.
  void pop_through(const RecordId& id, const PendingImage* last) {
    const auto at = pending_.find(id);
    SYN_ASSERT(at != pending_.end());
    PendingImage* next = last->newer;
    at->second.oldest = next;
    if (next == nullptr) return static_cast<void>(pending_.erase(at));
    next->is_oldest = true;
  }

  template <class Visit>
  void for_each(const Visit& visit) const {
    for (const auto& [id, pending] : pending_) visit(id, pending);
  }

  size_t size_bytes() const { return pending_.capacity() * (sizeof(RecordId) + sizeof(Pending)); }

 private:
  struct Hasher {
    size_t operator()(const RecordId& id) const { return id.key_hash.low ^ id.dataset; }
  };
  absl::flat_hash_map<RecordId, Pending, Hasher> pending_;
};

// What a run of images comes to, up to and including `last`.
inline RecordParts parts_of_run(const PendingImage* image, const PendingImage* last) {
  RecordParts parts = parts_of(*image->image);
  while (image != last) {
    image = image->newer;
    overlay(parts, parts_of(*image->image));
  }
  return parts;
}

}  // namespace syncline::state
