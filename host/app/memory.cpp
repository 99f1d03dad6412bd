#include "host/app/memory.hpp"

#ifdef SYN_TCMALLOC
#include <algorithm>

#include <gperftools/malloc_extension.h>
#endif

namespace syncline::app {

#ifdef SYN_TCMALLOC
namespace {

constexpr size_t kFreeMax = size_t{32} << 20;
constexpr size_t kReleaseMax = size_t{8} << 20;  // a call: others wait for it
constexpr size_t kMuch = size_t{352} << 20;      // more than any drain holds

size_t property(const char* name) {
  size_t value = 0;
  MallocExtension::instance()->GetNumericProperty(name, &value);
  return value;
}

}  // namespace

void give_back_free_memory() {
  MallocExtension& allocator = *MallocExtension::instance();
  const size_t held = property("generic.heap_size") - property("tcmalloc.pageheap_unmapped_bytes");
  allocator.SetNumericProperty("tcmalloc.aggressive_memory_decommit", held > kMuch ? 1 : 0);
  const size_t free = property("tcmalloc.pageheap_free_bytes");
  if (free > kFreeMax) allocator.ReleaseToSystem(std::min(free - kFreeMax, kReleaseMax));
}
#else
void give_back_free_memory() {}
#endif

}  // namespace syncline::app
