#include "host/base/random.hpp"

#include <cerrno>

#include <sys/random.h>

#include "host/base/assert.hpp"

namespace syncline {
namespace {

class SystemRandom final : public Random {
 public:
  void fill(std::span<uint8_t> bytes) override {
    while (!bytes.empty()) {
      const ssize_t count = getrandom(bytes.data(), bytes.size(), 0);
      if (count < 0 && errno == EINTR) continue;
      SYN_ASSERT(count > 0);
      bytes = bytes.subspan(static_cast<size_t>(count));
    }
  }
};

}  // namespace

uint64_t Random::u64() {
  uint8_t bytes[8];
  fill(bytes);
  uint64_t value = 0;
  for (const uint8_t byte : bytes) value = value << 8 | byte;
  return value;
}

Random& system_random() {
  static SystemRandom random;
  return random;
}

}  // namespace syncline
