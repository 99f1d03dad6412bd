// nvCOMP's zstd coder and decoder, where its headers were found at configure time and its library
// is found at run time (libnvcomp.so of the headers' version, by the loader's path). Never linked.
//
// All arrays and bytes lie on the card, and commands go on the caller's stream. Owner: the process;
// it is loaded once. Threads: any. Errors: kEngine.
#pragma once

#include <cstddef>
#include <memory>

#include <cuda_runtime.h>

#include "host/base/result.hpp"

namespace syncline::cuda {

// Pieces to be compressed, or frames to be decompressed, at multiples of kNvcompAlignment.
struct NvcompBatch {
  size_t count;
  size_t piece_size_max;
  const void* const* from;
  const size_t* from_sizes;
  void* const* to;
  size_t* to_sizes;  // that came out; compressing: room for frame_size_max(piece_size_max) each
  const size_t* to_room;  // decompressing: what there is room for
  void* scratch;
  size_t scratch_size;
  void* statuses;  // [count] 4 bytes, 0: done
};
inline constexpr size_t kNvcompAlignment = 16;

class Nvcomp {
 public:
  using FindSymbol = void* (*)(const char* name);

  // nullptr: it is not there.
  static const Nvcomp* find();
  // From a library whose symbols are found so; nullptr where they are not all there, where it is of
  // another version than the headers, and where it wants more than kNvcompAlignment.
  static std::unique_ptr<const Nvcomp> load(FindSymbol find_symbol);
  virtual ~Nvcomp() = default;

  virtual Result<size_t> frame_size_max(size_t piece_size) const = 0;
  virtual Result<size_t> coder_scratch_size(size_t count, size_t piece_size_max,
                                            cudaStream_t stream) const = 0;
  virtual Result<void> compress(const NvcompBatch& batch, cudaStream_t stream) const = 0;

  // For the benches alone: what a frame that is not right does to it is not defined
  // (docs/decisions/0009).
  virtual Result<size_t> decoder_scratch_size(size_t count, size_t piece_size_max,
                                              cudaStream_t stream) const = 0;
  virtual Result<void> decompress(const NvcompBatch& batch, cudaStream_t stream) const = 0;
};

}  // namespace syncline::cuda
