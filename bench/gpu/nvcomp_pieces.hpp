// nvCOMP at the work that the card's frames are measured by: pieces of one size that lie one
// behind the other on the card, compressed and opened again. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "bench/gpu/card.hpp"
#include "kernels/cuda/nvcomp.hpp"

namespace syncline::bench {

class NvcompPieces {
 public:
  // contents: on the card, and they stay there.
  NvcompPieces(const cuda::Nvcomp& nvcomp, uint8_t* contents, size_t count, size_t piece_size);

  cudaError_t compress();
  cudaError_t decompress();
  // The frames' size after compress().
  size_t frames_size();
  // What decompress() gave.
  std::string opened();

 private:
  const cuda::Nvcomp& nvcomp_;
  size_t count_;
  size_t piece_size_;
  size_t frame_room_;
  size_t coder_scratch_size_;
  size_t decoder_scratch_size_;
  CardMemory pieces_;  // where each lies
  CardMemory piece_sizes_;
  CardMemory frames_at_;
  CardMemory frame_sizes_;
  CardMemory opened_at_;
  CardMemory opened_sizes_;
  CardMemory statuses_;
  CardMemory frames_;
  CardMemory opened_;
  CardMemory scratch_;
};

}  // namespace syncline::bench
