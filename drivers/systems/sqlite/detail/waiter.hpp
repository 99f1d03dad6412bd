// Waits until a SQLite file may have changed: inotify on its folder wakes at once, and a look every
// few milliseconds is the net below it (network file systems, watches used up).
//
// Threads: one at a time. Errors: none; without inotify only the net is left.
#pragma once

#include <cstdint>
#include <string>

namespace syncline::sqlite {

class Waiter {
 public:
  explicit Waiter(const std::string& path);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  // Returns after an event on the file, its journal or its WAL, or after a while: look then.
  void wait(int64_t timeout_us);

 private:
  bool take_events();

  int descriptor_ = -1;
  std::string name_;
  int looks_left_ = 0;
};

}  // namespace syncline::sqlite
