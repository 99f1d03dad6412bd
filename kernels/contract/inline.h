/* How a function of the C subset is declared, so that one text compiles everywhere.
 *
 * SYN_INLINE: usable from host and device code. SYN_GLOBAL: a pointer into memory that the host
 * filled (an address space of its own in OpenCL C). The fixed-width types are C's own; OpenCL C,
 * which has no <stdint.h>, gets them here. C subset: compiles as C, C++, CUDA and OpenCL C 1.2. */
#ifndef SYN_CONTRACT_INLINE_H
#define SYN_CONTRACT_INLINE_H

#if defined(__CUDACC__)
#define SYN_INLINE static inline __host__ __device__
#elif defined(__OPENCL_C_VERSION__)
/* PoCL 3.1 does not survive calls that take pointers into local memory. */
#define SYN_INLINE static inline __attribute__((always_inline))
#else
#define SYN_INLINE static inline
#endif

#ifdef __OPENCL_C_VERSION__
#define SYN_GLOBAL __global
typedef short int16_t;
typedef int int32_t;
typedef uchar uint8_t;
typedef ushort uint16_t;
typedef uint uint32_t;
typedef ulong uint64_t;
#else
#define SYN_GLOBAL
#include <stdint.h>
#endif

#endif
