#include "host/base/clock.hpp"

#include <chrono>

namespace syncline {
namespace {

template <class StdClock>
int64_t since_epoch_us() {
  using std::chrono::duration_cast, std::chrono::microseconds;
  return duration_cast<microseconds>(StdClock::now().time_since_epoch()).count();
}

class SystemClock final : public Clock {
 public:
  int64_t now_us() override { return since_epoch_us<std::chrono::system_clock>(); }
  int64_t steady_us() override { return since_epoch_us<std::chrono::steady_clock>(); }
};

}  // namespace

Clock& system_clock() {
  static SystemClock clock;
  return clock;
}

}  // namespace syncline
