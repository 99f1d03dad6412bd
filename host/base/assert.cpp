#include "host/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace syncline {

void assert_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "SYN-1000: assertion failed: %s at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace syncline
