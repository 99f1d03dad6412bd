// BoundedQueue<T>: a blocking queue of a fixed capacity between threads; backpressure is its only
// answer to a slow reader. Items may also have sizes: none goes in while their sum has come to its
// bound.
//
// Owner: whoever connects the threads; it outlives them. Threads: any number of writers and
// readers. Errors: QueueState; after close() nothing goes in, what is inside still comes out.
// Waits last an hour at most, whatever the timeout.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <mutex>
#include <utility>
#include <vector>

namespace syncline {

enum class QueueState : uint8_t {
  kDone,     // the item went in, or came out
  kTimeout,  // still full (push) or empty (pop) at the deadline
  kClosed,   // closed, and for pop also empty
};

template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(size_t capacity, size_t size_max = std::numeric_limits<size_t>::max())
      : capacity_(capacity), size_max_(size_max) {}
  BoundedQueue(const BoundedQueue&) = delete;
  BoundedQueue& operator=(const BoundedQueue&) = delete;

  // Waits up to timeout_us for room; 0 does not wait. item is moved from only when kDone.
  QueueState push(T&& item, int64_t timeout_us, size_t size = 0) {
    std::unique_lock lock(mutex_);
    const bool is_ready =
        has_room_.wait_for(lock, limited(timeout_us), [this] { return is_closed_ || has_room(); });
    if (is_closed_) return QueueState::kClosed;
    if (!is_ready) return QueueState::kTimeout;
    items_.push_back({std::move(item), size});
    size_sum_ += size;
    lock.unlock();
    has_items_.notify_one();
    return QueueState::kDone;
  }

  // Waits up to timeout_us for an item; 0 does not wait.
  QueueState pop(T& out, int64_t timeout_us) {
    std::unique_lock lock(mutex_);
    if (!wait_for_items(lock, timeout_us)) {
      return is_closed_ ? QueueState::kClosed : QueueState::kTimeout;
    }
    out = take_first();
    lock.unlock();
    has_room_.notify_all();
    return QueueState::kDone;
  }

  // Waits for a first item, then adds all that are there to out, at most count_max.
  QueueState pop_many(std::vector<T>& out, size_t count_max, int64_t timeout_us) {
    std::unique_lock lock(mutex_);
    if (!wait_for_items(lock, timeout_us)) {
      return is_closed_ ? QueueState::kClosed : QueueState::kTimeout;
    }
    for (size_t count = 0; count < count_max && !items_.empty(); ++count) {
      out.push_back(take_first());
    }
    lock.unlock();
    has_room_.notify_all();
    return QueueState::kDone;
  }

  void close() {
    {
      const std::lock_guard lock(mutex_);
      is_closed_ = true;
    }
    has_room_.notify_all();
    has_items_.notify_all();
  }

  size_t size() const {
    const std::lock_guard lock(mutex_);
    return items_.size();
  }
  size_t capacity() const { return capacity_; }
  bool is_closed() const {
    const std::lock_guard lock(mutex_);
    return is_closed_;
  }

 private:
  struct Held {
    T item;
    size_t size = 0;
  };

  bool has_room() const { return items_.size() < capacity_ && size_sum_ < size_max_; }

  T take_first() {
    T item = std::move(items_.front().item);
    size_sum_ -= items_.front().size;
    items_.pop_front();
    return item;
  }

  static std::chrono::microseconds limited(int64_t timeout_us) {
    return std::chrono::microseconds(std::clamp<int64_t>(timeout_us, 0, 3'600'000'000));
  }

  bool wait_for_items(std::unique_lock<std::mutex>& lock, int64_t timeout_us) {
    has_items_.wait_for(lock, limited(timeout_us),
                        [this] { return is_closed_ || !items_.empty(); });
    return !items_.empty();
  }

  const size_t capacity_;
  const size_t size_max_;
  mutable std::mutex mutex_;
  std::condition_variable has_room_;
  std::condition_variable has_items_;
  std::deque<Held> items_;
  size_t size_sum_ = 0;
  bool is_closed_ = false;
};

}  // namespace syncline
