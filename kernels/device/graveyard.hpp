// Memory of a device that nobody uses any more, until nothing runs there.
//
// To give memory back may wait for all that the device does, without any deadline (cudaFree);
// beside a hung command it would never return. Owner: the ring. Threads: any.
#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace syncline::device {

class Graveyard {
 public:
  void bury(std::shared_ptr<void> memory) {
    if (memory == nullptr) return;
    const std::lock_guard lock(mutex_);
    buried_.push_back(std::move(memory));
  }
  bool is_empty() {
    const std::lock_guard lock(mutex_);
    return buried_.empty();
  }
  // Gives all of it back. REQUIRES: nothing runs on the device, nor begins to meanwhile.
  void clear() {
    std::vector<std::shared_ptr<void>> buried;
    const std::lock_guard lock(mutex_);
    buried.swap(buried_);
  }

 private:
  std::mutex mutex_;
  std::vector<std::shared_ptr<void>> buried_;
};

}  // namespace syncline::device
