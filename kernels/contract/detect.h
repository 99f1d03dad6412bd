/* The detect stage: the fingerprint table's layout, its verdicts, and the delta.
 *
 * The table is partitioned by lane. A lane is a row of 64-byte lines of 8 slots. A slot holds 64
 * key bits (the low half of the key's XXH3-128; the lane, which comes from another hash, implies
 * more); its cells lie apart, 6 bytes each. A key lives in its home line or, where that and all
 * lines up to it are full, in a later one (the first line follows the last): a line with an empty
 * slot ends every search.
 *
 * Verdicts, row by row in batch order, each row seeing those before it:
 *
 *   op       key known                          key unknown
 *   delete   gone, the key is removed           same
 *   other    same if every cell that is not     new: all cells that are not unchanged count as
 *            unchanged equals the table's,      changed; unchanged ones are stored as unknown
 *            else changed, with those cells
 *
 * A delta is a run of records for one lane, little endian:
 *
 *   u8 kind, u64 key bits, then
 *     SYN_DELTA_PUT     value_count cells of 6 bytes
 *     SYN_DELTA_CHANGE  a bitmap of (value_count + 7) / 8 bytes, then 6 bytes per bit set
 *     SYN_DELTA_REMOVE  nothing
 *     SYN_DELTA_SEEN    nothing: the key was met during a full scan and is as it was
 *     SYN_DELTA_SENT    as SYN_DELTA_CHANGE: what we wrote and the log does not show; nothing where
 *                       the key is not there, and no scan has met it by that. No engine gives it.
 *
 * C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_CONTRACT_DETECT_H
#define SYN_CONTRACT_DETECT_H

#include "kernels/contract/fingerprint.h"

#define SYN_SLOTS_PER_LINE 8u
#define SYN_KEY_EMPTY 0u
#define SYN_TABLE_SLACK_SIZE 64u /* readable bytes behind a lane's last cell */

/* Kinds of delta records. Permanent values: they are written to the journal. */
#define SYN_DELTA_PUT 1u
#define SYN_DELTA_CHANGE 2u
#define SYN_DELTA_REMOVE 3u
#define SYN_DELTA_SEEN 4u
#define SYN_DELTA_SENT 5u
#define SYN_DELTA_HEAD_SIZE 9u

/* Verdicts. Permanent values. */
#define SYN_VERDICT_NEW 1u
#define SYN_VERDICT_CHANGED 2u
#define SYN_VERDICT_SAME 3u
#define SYN_VERDICT_GONE 4u

SYN_INLINE uint64_t syn_key_bits(syn_hash128 key) {
  return key.low == SYN_KEY_EMPTY ? 1u : key.low;
}

/* The high half of the product: keys spread over any number of lines, in the keys' order. */
SYN_INLINE uint64_t syn_mul_high(uint64_t a, uint64_t b) {
#ifdef __OPENCL_C_VERSION__
  return mul_hi(a, b);
#elif defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  __extension__ typedef unsigned __int128 syn_u128;
  return (uint64_t)(((syn_u128)a * b) >> 64);
#endif
}

SYN_INLINE uint64_t syn_home_line(uint64_t key_bits, uint64_t line_count) {
  return syn_mul_high(key_bits, line_count);
}

#endif
