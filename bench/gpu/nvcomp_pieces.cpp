#include "bench/gpu/nvcomp_pieces.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "bench/engine_scan.hpp"

namespace syncline::bench {
namespace {

template <class T>
void copy_in(CardMemory& to, const std::vector<T>& from) {
  require(cudaMemcpy(to.as<uint8_t>(), static_cast<const void*>(from.data()),
                     from.size() * sizeof(T), cudaMemcpyHostToDevice),
          "copy");
}

std::vector<uint8_t*> places(uint8_t* first, size_t count, size_t step) {
  std::vector<uint8_t*> out;
  out.reserve(count);
  for (size_t i = 0; i < count; ++i) out.push_back(first + i * step);
  return out;
}

cudaError_t status_of(const Result<void>& result) {
  return result.has_value() ? cudaSuccess : cudaErrorLaunchFailure;
}

}  // namespace

NvcompPieces::NvcompPieces(const cuda::Nvcomp& nvcomp, uint8_t* contents, size_t count,
                           size_t piece_size)
    : nvcomp_(nvcomp),
      count_(count),
      piece_size_(piece_size),
      frame_room_((take(nvcomp.frame_size_max(piece_size)) + 15) / 16 * 16),
      coder_scratch_size_(take(nvcomp.coder_scratch_size(count, piece_size, nullptr))),
      decoder_scratch_size_(take(nvcomp.decoder_scratch_size(count, piece_size, nullptr))),
      pieces_(count * sizeof(void*)),
      piece_sizes_(count * sizeof(size_t)),
      frames_at_(count * sizeof(void*)),
      frame_sizes_(count * sizeof(size_t)),
      opened_at_(count * sizeof(void*)),
      opened_sizes_(count * sizeof(size_t)),
      statuses_(count * sizeof(uint32_t)),
      frames_(count * frame_room_),
      opened_(count * piece_size),
      scratch_(std::max({coder_scratch_size_, decoder_scratch_size_, size_t{1}})) {
  copy_in(pieces_, places(contents, count, piece_size));
  copy_in(piece_sizes_, std::vector<size_t>(count, piece_size));
  copy_in(frames_at_, places(frames_.as<uint8_t>(), count, frame_room_));
  copy_in(opened_at_, places(opened_.as<uint8_t>(), count, piece_size));
}

cudaError_t NvcompPieces::compress() {
  return status_of(nvcomp_.compress({.count = count_,
                                     .piece_size_max = piece_size_,
                                     .from = pieces_.as<const void*>(),
                                     .from_sizes = piece_sizes_.as<size_t>(),
                                     .to = frames_at_.as<void*>(),
                                     .to_sizes = frame_sizes_.as<size_t>(),
                                     .to_room = nullptr,
                                     .scratch = scratch_.as<uint8_t>(),
                                     .scratch_size = coder_scratch_size_,
                                     .statuses = statuses_.as<uint8_t>()},
                                    nullptr));
}

cudaError_t NvcompPieces::decompress() {
  return status_of(nvcomp_.decompress({.count = count_,
                                       .piece_size_max = piece_size_,
                                       .from = frames_at_.as<const void*>(),
                                       .from_sizes = frame_sizes_.as<size_t>(),
                                       .to = opened_at_.as<void*>(),
                                       .to_sizes = opened_sizes_.as<size_t>(),
                                       .to_room = piece_sizes_.as<size_t>(),
                                       .scratch = scratch_.as<uint8_t>(),
                                       .scratch_size = decoder_scratch_size_,
                                       .statuses = statuses_.as<uint8_t>()},
                                      nullptr));
}

size_t NvcompPieces::frames_size() {
  std::vector<size_t> sizes(count_);
  require(cudaMemcpy(sizes.data(), frame_sizes_.as<uint8_t>(), count_ * sizeof(size_t),
                     cudaMemcpyDeviceToHost),
          "copy");
  return std::accumulate(sizes.begin(), sizes.end(), size_t{0});
}

std::string NvcompPieces::opened() {
  std::string out(count_ * piece_size_, '\0');
  require(cudaMemcpy(out.data(), opened_.as<uint8_t>(), out.size(), cudaMemcpyDeviceToHost),
          "copy");
  return out;
}

}  // namespace syncline::bench
