#include "host/base/work_pool.hpp"

#include "host/base/thread_name.hpp"

namespace syncline {

WorkPool::WorkPool(size_t worker_count) {
  for (size_t i = 0; i < worker_count; ++i) {
    workers_.emplace_back([this] {
      name_thread("work");
      work_loop();
    });
  }
}

WorkPool::~WorkPool() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  started_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void WorkPool::take_all() {
  for (size_t i = next_.fetch_add(1); i < count_; i = next_.fetch_add(1)) (*work_)(i);
}

// A worker that comes when all is taken is not waited for: on a busy machine that would take longer
// than the work.
void WorkPool::run(size_t count, const std::function<void(size_t)>& work) {
  if (workers_.empty() || count < 2) {
    for (size_t i = 0; i < count; ++i) work(i);
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    work_ = &work;
    count_ = count;
    next_ = 0;
    ++round_;
    is_open_ = true;
  }
  started_.notify_all();
  take_all();
  std::unique_lock lock(mutex_);
  is_open_ = false;
  finished_.wait(lock, [this] { return busy_ == 0; });
}

void WorkPool::work_loop() {
  uint64_t seen = 0;
  std::unique_lock lock(mutex_);
  while (true) {
    started_.wait(lock, [&] { return is_closing_ || (is_open_ && round_ != seen); });
    if (is_closing_) return;
    seen = round_;
    ++busy_;
    lock.unlock();
    take_all();
    lock.lock();
    if (--busy_ == 0) finished_.notify_one();
  }
}

}  // namespace syncline
