#include "host/app/memory.hpp"

#ifdef SYN_TCMALLOC
#include <gperftools/malloc_extension.h>
#endif

namespace syncline::app {

#ifdef SYN_TCMALLOC
void give_back_free_memory() {
  MallocExtension::instance()->SetNumericProperty("tcmalloc.aggressive_memory_decommit", 1);
}
#else
void give_back_free_memory() {}
#endif

}  // namespace syncline::app
