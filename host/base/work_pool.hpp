// Does pieces of work side by side on a few threads, and waits for all of them: the lanes of one
// poll, the blocks of one group.
//
// With worker_count 0 everything runs on the calling thread, in order. Threads: run from one thread
// at a time. Errors: none of its own; work keeps its outcome where the caller finds it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace syncline {

class WorkPool {
 public:
  explicit WorkPool(size_t worker_count);
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // Calls work(i) once for every i below count; returns when all are done. work must not throw.
  void run(size_t count, const std::function<void(size_t)>& work);

 private:
  void work_loop();
  void take_all();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable started_;
  std::condition_variable finished_;
  const std::function<void(size_t)>* work_ = nullptr;
  size_t count_ = 0;
  std::atomic<size_t> next_{0};
  size_t busy_ = 0;  // workers that have come to this round
  uint64_t round_ = 0;
  bool is_open_ = false;  // workers may still come to it
  bool is_closing_ = false;
};

// The same where there may be no pool: then on the calling thread.
inline void run_all(WorkPool* pool, size_t count, const std::function<void(size_t)>& work) {
  if (pool != nullptr) return pool->run(count, work);
  for (size_t i = 0; i < count; ++i) work(i);
}

}  // namespace syncline
