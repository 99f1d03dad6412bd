/* Where a table's lane lies in the pool, for the host and for kernels.
 *
 * Threads: a value. C subset: compiles as C++ and OpenCL C. */
#ifndef SYN_OPENCL_POOL_H
#define SYN_OPENCL_POOL_H

#include "kernels/contract/inline.h"

/* Places in bytes. The counts, one a line, follow the keys at once. */
typedef struct syn_pool_lane {
  uint64_t keys_at;
  uint64_t counts_at;
  uint64_t cells_at;
  uint64_t line_count; /* 0: empty */
} syn_pool_lane;

#endif
