// How much of a run repeats what lies in another piece of it: libzstd sees that, and a device that
// compresses piece by piece does not.
//
// An estimate, by samples that the bytes themselves choose, so that equal bytes are chosen wherever
// they lie; some 4 times as fast as libzstd -1. Threads: any. Errors: none.
#pragma once

#include <cstddef>
#include <string_view>

namespace syncline::device {

// In bytes. What repeats within its piece as well is not counted.
size_t far_repeats(std::string_view run, size_t piece_size);

}  // namespace syncline::device
