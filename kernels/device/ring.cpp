#include "kernels/device/ring.hpp"

#include <algorithm>
#include <chrono>
#include <string>

namespace syncline::device {

Result<void> Ring::start(Device& device) {
  // Where the CPU's own cores compute, whoever else works there decides how long it takes.
  WaitTimes* times = device.describe().is_only_forced ? nullptr : &times_;
  Slots fresh;
  for (std::unique_ptr<Slot>& slot : fresh) {
    slot = device.make_slot();
    slot->wait_limit_us = wait_limit_us_;
    slot->times = times;
    slot->graveyard = &graveyard_;
    SYN_TRY(slot->start());
  }
  const std::lock_guard lock(mutex_);
  slots_ = std::move(fresh);
  is_running_ = true;
  has_failed_ = false;
  return success();
}

bool Ring::stop() {
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->use.is_taken || is_working(*slot)) return false;
  }
  is_running_ = false;
  for (std::unique_ptr<Slot>& slot : slots_) slot = nullptr;
  graveyard_.clear();
  return true;
}

// Whether a lost slot's commands go on. Those that failed in the end are over too.
bool Ring::is_working(Slot& slot) {
  if (!slot.use.is_lost) return false;
  const auto done = slot.is_done();
  if (done.has_value() && !done.value()) return true;
  if (!done.has_value()) note_failure();
  slot.use.is_lost = false;
  return false;
}

// A lost slot whose commands have ended after all is one like the others.
Result<void> Ring::look_for_lost() {
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->use.is_taken || !is_working(*slot)) continue;
    return fail(ErrorCode::kEngine, "the device still works on a batch that was given up",
                "its commands do not end",
                "The other engines go on; restart the process where it stays so.");
  }
  return success();
}

Result<Ring::Lease> Ring::acquire(uint64_t stamp) {
  std::unique_lock lock(mutex_);
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::microseconds(wait_limit_us_);
  for (;;) {
    if (!is_running_) {
      return fail(ErrorCode::kEngineNotReady, "the device is being started anew");
    }
    SYN_TRY(look_for_lost());
    if (is_memory_wanted_ && is_idle_but_for(nullptr)) is_memory_wanted_ = false;
    if (Slot* slot = find_free(stamp); slot != nullptr && !is_memory_wanted_) {
      slot->use.is_taken = true;
      slot->use.thread = std::this_thread::get_id();
      return Lease(*this, *slot);
    }
    if (is_free_.wait_until(lock, deadline) == std::cv_status::timeout) {
      return fail(ErrorCode::kEngineNotReady, "no slot of the device came free in time",
                  std::to_string(kSlotCount) + " batches are on it");
    }
  }
}

bool Ring::has_lost() {
  const std::lock_guard lock(mutex_);
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot == nullptr || !slot->use.is_lost) continue;
    if (slot->use.is_taken || is_working(*slot)) return true;
  }
  return false;
}

bool Ring::is_idle_but_for(const Slot* mine) const {
  return std::ranges::all_of(slots_, [mine](const std::unique_ptr<Slot>& slot) {
    return slot.get() == mine || (!slot->use.is_taken && !slot->use.is_lost);
  });
}

bool Ring::clear_graveyard(const Slot& mine) {
  const std::lock_guard lock(mutex_);
  is_memory_wanted_ = !is_idle_but_for(&mine);
  if (!is_memory_wanted_) graveyard_.clear();
  return !is_memory_wanted_;
}

// Beside a slot that is lost nobody waits once more: this one is looked for like that.
void Ring::settle(Slot& slot) {
  if (slot.use.is_lost) return;
  if (!has_lost()) {
    (void)slot.wait();
    return;
  }
  if (slot.mark().has_value()) slot.use.is_lost = true;
}

// Under the lock, so that nothing begins while memory is given back.
void Ring::give_back(Slot& slot) {
  {
    const std::lock_guard lock(mutex_);
    slot.use.is_taken = false;
    slot.use.turn = ++turns_;
    if (is_idle_but_for(nullptr)) graveyard_.clear();
  }
  is_free_.notify_all();
}

bool Ring::is_better(const Slot::Use& slot, const Slot::Use& than) {
  const std::thread::id self = std::this_thread::get_id();
  if ((slot.thread == self) != (than.thread == self)) return slot.thread == self;
  if (slot.is_awaited != than.is_awaited) return than.is_awaited;
  return slot.is_awaited ? slot.turn < than.turn : slot.turn > than.turn;
}

Slot* Ring::find_free(uint64_t stamp) {
  Slot* best = nullptr;
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->use.is_taken) continue;
    if (stamp != 0 && slot->use.stamp == stamp) return slot.get();
    if (best == nullptr || is_better(slot->use, best->use)) best = slot.get();
  }
  return best;
}

}  // namespace syncline::device
