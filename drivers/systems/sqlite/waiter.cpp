#include "drivers/systems/sqlite/detail/waiter.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace syncline::sqlite {
namespace {

constexpr int64_t kNetUs = 20'000;
// The WAL is written a moment before the commit shows: look this often, this many times.
constexpr int64_t kLookUs = 250;
constexpr int kLooksMax = 40;

void pause(int descriptor, int64_t timeout_us) {
  pollfd entry{descriptor, POLLIN, 0};
  const timespec timeout{timeout_us / 1'000'000, timeout_us % 1'000'000 * 1000};
  ppoll(&entry, descriptor < 0 ? 0 : 1, &timeout, nullptr);
}

}  // namespace

Waiter::Waiter(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  descriptor_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  if (descriptor_ < 0) return;
  if (inotify_add_watch(descriptor_, folder.c_str(), IN_MODIFY | IN_CREATE | IN_MOVED_TO) >= 0) {
    return;
  }
  close(descriptor_);
  descriptor_ = -1;
}

Waiter::~Waiter() {
  if (descriptor_ >= 0) close(descriptor_);
}

// name, name-wal, name-journal; the folder may hold other busy files.
bool Waiter::take_events() {
  alignas(inotify_event) std::array<char, 4096> buffer{};
  bool is_ours = false;
  while (true) {
    const ssize_t size = read(descriptor_, buffer.data(), buffer.size());
    if (size <= 0) return is_ours;
    for (ssize_t at = 0; at < size;) {
      inotify_event event{};
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const char* name = buffer.data() + at + sizeof event;
      if (event.len > 0 && std::strncmp(name, name_.c_str(), name_.size()) == 0) is_ours = true;
      at += static_cast<ssize_t>(sizeof event + event.len);
    }
  }
}

void Waiter::wait(int64_t timeout_us) {
  if (looks_left_ > 0) {
    --looks_left_;
    pause(-1, std::min(timeout_us, kLookUs));
    return;
  }
  pause(descriptor_, std::min(timeout_us, kNetUs));
  if (descriptor_ >= 0 && take_events()) looks_left_ = kLooksMax;
}

}  // namespace syncline::sqlite
