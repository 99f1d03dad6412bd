/* All of the C subset, for a compiler of OpenCL C 1.2: that it compiles is the test. */
#include "kernels/bodies/aes_gcm.h"
#include "kernels/bodies/gcm_group.h"
#include "kernels/bodies/table.h"
#include "kernels/bodies/frames.h"
#include "kernels/bodies/xxh3.h"
#include "kernels/bodies/zstd_decode.h"
#include "kernels/bodies/zstd_encode.h"
#include "kernels/contract/block.h"

__kernel void use(__global uint8_t* bytes, __global uint64_t* out) {
  out[0] = syn_xxh3_64(bytes, 12, bytes) + syn_home_line(out[1], 7);
}
