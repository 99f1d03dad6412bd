// A slot: one batch in flight, with its stream, its pinned buffers and its memory on the card; and
// the ring of them that callers share.
//
// What a slot computed last stays on the card until the slot is used again: a call that comes with
// its stamp finds it there. Owner: the engine holds the ring; a Lease returns its slot. Threads:
// any may acquire; a slot belongs to one at a time. Errors: kEngine (the card, or no slot came free
// within kWaitMs).
#pragma once

#include <array>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>

#include "kernels/cuda/memory.hpp"

namespace syncline::cuda {

struct Slot {
  Slot() = default;
  ~Slot();
  Slot(const Slot&) = delete;
  Slot& operator=(const Slot&) = delete;

  Result<void> start();
  // Copies by way of the pinned buffer, piece by piece, so that the bus works while the next piece
  // is copied; large arrays in pinned memory of the caller's cross at once. REQUIRES: both buffers
  // reach to at + size; from stays as it is until wait().
  Result<void> upload(const void* from, size_t size, size_t at);
  // Starts the reverse: from the card's from into the pinned buffer. There it is after wait().
  Result<void> download(const uint8_t* from, size_t size, size_t to_at);
  Result<void> wait();

  cudaStream_t stream = nullptr;
  Buffer pinned{Place::kPinned};
  Buffer input{Place::kDevice};
  Buffer fingerprints{Place::kDevice};  // keys, then cells
  Buffer detected{Place::kDevice};
  uint64_t stamp = 0;       // of the fingerprints; 0: none
  bool is_awaited = false;  // detect has not asked for them yet
  uint64_t turn = 0;
  bool is_taken = false;
  std::thread::id thread;  // that used it last
};

class Ring {
 public:
  static constexpr size_t kSlotCount = 4;
  static constexpr int kWaitMs = 10'000;

  class Lease {
   public:
    Lease(Ring& ring, Slot& slot) : ring_(&ring), slot_(&slot) {}
    ~Lease() {
      if (slot_ != nullptr) ring_->give_back(*slot_);
    }
    Lease(Lease&& other) noexcept : ring_(other.ring_), slot_(other.slot_) {
      other.slot_ = nullptr;
    }
    Lease& operator=(Lease&&) = delete;
    Slot* operator->() { return slot_; }
    Slot& operator*() { return *slot_; }

   private:
    Ring* ring_;
    Slot* slot_;
  };

  Result<void> start();
  // The slot with this stamp if it is free. Else the one that this thread used last: its buffers
  // have grown, and whoever makes new fingerprints awaits the old ones no more. Else one whose
  // fingerprints nobody awaits, the latest first; else the one that was used least lately.
  Result<Lease> acquire(uint64_t stamp);

 private:
  void give_back(Slot& slot);
  Slot* find_free(uint64_t stamp);
  static bool is_better(const Slot& slot, const Slot& than);

  std::array<Slot, kSlotCount> slots_;
  std::mutex mutex_;
  std::condition_variable is_free_;
  uint64_t turns_ = 0;
};

}  // namespace syncline::cuda
