#include "host/app/memory.hpp"

#include <cstddef>

#ifdef SYN_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

namespace syncline::app {

#ifdef SYN_TCMALLOC
void release_free_memory() {
  constexpr size_t kReserveBytes = 48u << 20;
  MallocExtension& malloc = *MallocExtension::instance();
  size_t free_bytes = 0;
  if (!malloc.GetNumericProperty("tcmalloc.pageheap_free_bytes", &free_bytes)) return;
  if (free_bytes > kReserveBytes) malloc.ReleaseToSystem(free_bytes - kReserveBytes);
}
#else
void release_free_memory() {}
#endif

}  // namespace syncline::app
