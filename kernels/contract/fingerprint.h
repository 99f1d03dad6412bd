/* The fingerprint stage: what 64 bits stand for a cell, and what 48 of them the table keeps.
 *
 * fingerprint of a value  = XXH3-64 of its canonical bytes with the appliance's 192-byte secret
 *                           (XXH3_64bits_withSecret), except that the two reserved results below
 *                           are moved up by SYN_FINGERPRINT_RESERVED_COUNT
 * fingerprint of NULL     = SYN_FINGERPRINT_NULL, of an unchanged cell = SYN_FINGERPRINT_UNCHANGED
 * key                     = XXH3-128 of the folded joined key with the same secret
 *
 * C subset: compiles as C, C++, CUDA and OpenCL C. */
#ifndef SYN_CONTRACT_FINGERPRINT_H
#define SYN_CONTRACT_FINGERPRINT_H

#include "kernels/contract/batch.h"
#include "kernels/contract/inline.h"

#define SYN_SECRET_SIZE 192u
#define SYN_FINGERPRINT_UNCHANGED 0u
#define SYN_FINGERPRINT_NULL 1u
#define SYN_FINGERPRINT_RESERVED_COUNT 2u

/* Distinct from NULL and unchanged by construction. */
SYN_INLINE uint64_t syn_fingerprint_of_value(uint64_t xxh3) {
  return xxh3 < SYN_FINGERPRINT_RESERVED_COUNT ? xxh3 + SYN_FINGERPRINT_RESERVED_COUNT : xxh3;
}

/* The table's 48 bits. 0 is "unknown": it equals nothing, not even itself. NULL stays 1 and no
 * value becomes either. */
#define SYN_CELL_SIZE 6u
#define SYN_CELL_MASK 0xffffffffffffull
#define SYN_CELL_UNKNOWN 0u

SYN_INLINE uint64_t syn_cell_of_fingerprint(uint64_t fingerprint) {
  const uint64_t low = fingerprint & SYN_CELL_MASK;
  return fingerprint < SYN_FINGERPRINT_RESERVED_COUNT ? fingerprint : syn_fingerprint_of_value(low);
}

#endif
