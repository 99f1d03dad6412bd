/* How the lanes of one group share a piece of work: one text for a device's lanes and for C++.
 *
 * A body that works by group is a row of steps. SYN_ALL_LANES runs a step once a lane, in any order
 * or at once; SYN_FIRST_LANE runs one on lane 0 alone. All that a step wrote is seen by every lane
 * of the next. Between two steps only what all lanes find alike may be read, so that they go the
 * same way: arguments, and what a step left in the group's memory.
 * On a device each lane is a thread and a step ends at a barrier (CUDA: a warp is a group; OpenCL:
 * a work group is). In C++ one thread plays all lanes, whatever the width, and a step is a loop; a
 * test makes each lane a thread there too (tests/unit/bodies/lanes_test.cpp).
 * Within a step's call, `lane` is the lane's number. C subset: compiles as C, C++, CUDA and
 * OpenCL C. */
#ifndef SYN_BODIES_GROUP_H
#define SYN_BODIES_GROUP_H

#include "kernels/contract/inline.h"

typedef struct syn_group {
  uint32_t lane; /* this one's; unused in C++ */
  uint32_t width;
} syn_group;

#if defined(__OPENCL_C_VERSION__)
/* Set when the program is built, so that a group of one has no barriers to wait at. */
#ifndef SYN_GROUP_WIDTH
#define SYN_GROUP_WIDTH 32
#endif
#define SYN_LOCAL __local
#if SYN_GROUP_WIDTH == 1
#define SYN_BARRIER()
#define SYN_LOCAL_ADD(word, count) (*(word) += (count))
#else
#define SYN_BARRIER() barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#define SYN_LOCAL_ADD(word, count) atomic_add((volatile __local uint*)(word), (count))
#endif
#elif defined(__CUDA_ARCH__)
#define SYN_LOCAL
#define SYN_BARRIER() __syncwarp()
#define SYN_LOCAL_ADD(word, count) atomicAdd((word), (count))
#define SYN_WARP 0xffffffffu
#define SYN_WARP_SIZE 32u
/* Where up to 32 lanes can ask each other: the bits of those whose word is this one's. */
#define SYN_LANES_ALIKE(word) __match_any_sync(SYN_WARP, (word))
#elif defined(SYN_LANES_MEET)
/* C++ whose lanes are threads, as a test wants them: it says how they meet, add and compare. */
#define SYN_LOCAL
#define SYN_BARRIER() SYN_LANES_MEET()
#else
#define SYN_LOCAL
#define SYN_LOCAL_ADD(word, count) (*(word) += (count))
#endif

/* Between two uses of one memory for different things: a compiler must not mix them. */
#if defined(__OPENCL_C_VERSION__)
#define SYN_FENCE() mem_fence(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE)
#elif defined(__CUDA_ARCH__)
#define SYN_FENCE() __syncwarp()
#elif defined(SYN_LANES_MEET)
#define SYN_FENCE() SYN_LANES_MEET()
#else
#define SYN_FENCE() __atomic_signal_fence(__ATOMIC_ACQ_REL)
#endif

/* Each value becomes the sum of those before it; behind them stands the sum of all. */
SYN_INLINE void syn_sum_alone(SYN_LOCAL uint32_t* values, uint32_t count) {
  uint32_t sum = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const uint32_t value = values[i];
    values[i] = sum;
    sum += value;
  }
  values[count] = sum;
}

#if defined(__CUDA_ARCH__)
SYN_INLINE void syn_sum_by_warp(uint32_t* values, uint32_t count, uint32_t lane) {
  uint32_t before = 0;
  for (uint32_t base = 0; base < count; base += SYN_WARP_SIZE) {
    const uint32_t i = base + lane;
    const uint32_t value = i < count ? values[i] : 0;
    uint32_t sum = value;
    for (uint32_t step = 1; step < SYN_WARP_SIZE; step *= 2) {
      const uint32_t other = __shfl_up_sync(SYN_WARP, sum, step);
      if (lane >= step) sum += other;
    }
    if (i < count) values[i] = before + sum - value;
    before += __shfl_sync(SYN_WARP, sum, SYN_WARP_SIZE - 1);
  }
  if (lane == 0) values[count] = before;
}
#endif

#ifdef SYN_BARRIER
#define SYN_ALL_LANES(group, call)      \
  do {                                  \
    const uint32_t lane = (group).lane; \
    SYN_BARRIER();                      \
    call;                               \
    SYN_BARRIER();                      \
  } while (0)
#define SYN_FIRST_LANE(group, call) \
  do {                              \
    SYN_BARRIER();                  \
    if ((group).lane == 0) {        \
      call;                         \
    }                               \
    SYN_BARRIER();                  \
  } while (0)
#else
#define SYN_ALL_LANES(group, call)                              \
  do {                                                          \
    for (uint32_t lane = 0; lane < (group).width; ++lane) call; \
  } while (0)
#define SYN_FIRST_LANE(group, call) \
  do {                              \
    call;                           \
  } while (0)
#endif

/* A step: values in the group's memory, and room for one more. */
#if defined(__CUDA_ARCH__)
#define SYN_SUM_BEFORE(group, values, count) \
  SYN_ALL_LANES(group, syn_sum_by_warp(values, count, lane))
#else
#define SYN_SUM_BEFORE(group, values, count) SYN_FIRST_LANE(group, syn_sum_alone(values, count))
#endif

#endif
