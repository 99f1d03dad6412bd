// The ring of slots that callers of an engine share.
//
// What a slot computed last stays on the device until the slot is used again: a call that comes
// with its stamp finds it there. A slot whose commands did not end in time is lost: its memory may
// still be written, so nobody gets it, nor any other slot of the device, until they have ended.
// Memory that is used no more is given back when the last slot comes back, with none lost.
// Owner: the engine holds the ring; a Lease returns its slot. Threads: any may acquire; a slot
// belongs to one at a time. Errors: kEngine (the device), kEngineNotReady (stopped, or no slot came
// free in time).
#pragma once

#include <array>
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>

#include "kernels/device/device.hpp"

namespace syncline::device {

class Ring {
 public:
  static constexpr size_t kSlotCount = 4;

  class Lease {
   public:
    Lease(Ring& ring, Slot& slot) : ring_(&ring), slot_(&slot) {}
    // What was started and not waited for, because something else failed, is waited for here.
    ~Lease() {
      if (slot_ == nullptr) return;
      finish();
      ring_->give_back(*slot_);
    }
    void finish() {
      if (!is_settled_) ring_->settle(*slot_);
      is_settled_ = true;
    }
    Lease(Lease&& other) noexcept
        : ring_(other.ring_), slot_(other.slot_), is_settled_(other.is_settled_) {
      other.slot_ = nullptr;
    }
    // All that was started on the slot was waited for.
    void settle() { is_settled_ = true; }
    Lease& operator=(Lease&&) = delete;
    Slot* operator->() { return slot_; }
    Slot& operator*() { return *slot_; }

   private:
    Ring* ring_;
    Slot* slot_;
    bool is_settled_ = false;
  };

  explicit Ring(int64_t wait_limit_us) : wait_limit_us_(wait_limit_us), times_(wait_limit_us) {}
  Result<void> start(Device& device);
  // Gives all slots up, and what is buried. False: one is at work, or lost.
  bool stop();
  // The device failed, not for want of time: what the slots and tables hold may be gone. REQUIRES:
  // a slot is held, so that it is not started anew meanwhile.
  void note_failure() { has_failed_.store(true, std::memory_order_release); }
  bool has_failed() const { return has_failed_.load(std::memory_order_acquire); }
  // The slot with this stamp if it is free. Else the one that this thread used last: its buffers
  // have grown, and whoever makes new fingerprints awaits the old ones no more. Else one whose
  // fingerprints nobody awaits, the latest first; else the one that was used least lately.
  Result<Lease> acquire(uint64_t stamp);
  // Whether a slot is lost: then no memory of the device may be given back.
  bool has_lost();

  Graveyard& graveyard() { return graveyard_; }
  // Gives buried memory back. False: other slots are at work. Then nobody gets another slot before
  // all have come back. REQUIRES: nothing runs on mine.
  bool clear_graveyard(const Slot& mine);

 private:
  using Slots = std::array<std::unique_ptr<Slot>, kSlotCount>;

  void settle(Slot& slot);
  void give_back(Slot& slot);
  bool is_idle_but_for(const Slot* mine) const;
  Slot* find_free(uint64_t stamp);
  Result<void> look_for_lost();
  bool is_working(Slot& slot);
  static bool is_better(const Slot::Use& slot, const Slot::Use& than);

  int64_t wait_limit_us_;
  WaitTimes times_;
  Graveyard graveyard_;
  Slots slots_;
  std::mutex mutex_;
  std::condition_variable is_free_;
  uint64_t turns_ = 0;
  bool is_memory_wanted_ = false;
  bool is_running_ = false;
  std::atomic<bool> has_failed_ = false;
};

}  // namespace syncline::device
