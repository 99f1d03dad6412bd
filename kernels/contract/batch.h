/* The one definition of a batch's layout: structure of arrays, as it is handed to any device.
 *
 * A batch holds changes of one dataset from one system. Cells lie field by field within a row:
 * cell (row, field) is at index row * field_count + field. Bytes lie in one arena; offsets and
 * lengths are 32 bit, so a batch's arena is smaller than SYN_ARENA_SIZE_MAX.
 *
 * C subset: compiles as C, C++, CUDA and OpenCL C. Units: bytes, microseconds. */
#ifndef SYN_CONTRACT_BATCH_H
#define SYN_CONTRACT_BATCH_H

#include "kernels/contract/inline.h"

#define SYN_LENGTH_NULL 0xffffffffu      /* the cell is NULL */
#define SYN_LENGTH_UNCHANGED 0xfffffffeu /* the cell is not known here */
#define SYN_ARENA_SIZE_MAX 0xf0000000u
#define SYN_FIELD_COUNT_MAX 256u /* value fields of one dataset */

/* Row operations. Permanent values. */
#define SYN_OP_INSERT 1u
#define SYN_OP_UPDATE 2u
#define SYN_OP_DELETE 3u
#define SYN_OP_SNAPSHOT 4u

typedef struct syn_hash128 {
  uint64_t low;
  uint64_t high;
} syn_hash128;

typedef struct syn_batch {
  uint32_t row_count;
  uint32_t field_count; /* key fields first */
  uint32_t key_count;
  uint32_t arena_size;
  const uint8_t* op;           /* [row_count] SYN_OP_* */
  const uint16_t* lane;        /* [row_count] */
  const uint32_t* key_offset;  /* [row_count] the folded joined key in the arena, */
  const uint32_t* key_length;  /* [row_count] which identifies the record */
  const uint32_t* cell_offset; /* [row_count * field_count] */
  const uint32_t* cell_length; /* [row_count * field_count] or SYN_LENGTH_* */
  const uint8_t* arena;        /* [arena_size] */
} syn_batch;

#endif
