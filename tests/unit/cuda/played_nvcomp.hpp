// nvCOMP's coder as the host plays it, by libzstd, on the played card: as it should be, or
// otherwise as a test says.
//
// Owner: the test. Threads: one. Errors: what the test asked for.
#pragma once

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include <zstd.h>

#include "kernels/cuda/nvcomp.hpp"
#include "tests/unit/cuda/played_card.hpp"

namespace syncline::cuda {

using std::chrono::steady_clock;

enum class NvcompFault {
  kNone,
  kSlow,
  kLarge,
  kRefuses,        // to be started
  kSaysNoRoom,     // a frame may be of any size
  kBadStatus,      // of one piece
  kNoContentSize,  // which our reader wants
  kVaries,         // other bytes each time
  kWrongContent,
  kFailsOnCard,  // after it was started
};

class PlayedNvcomp final : public Nvcomp {
 public:
  explicit PlayedNvcomp(NvcompFault fault = NvcompFault::kNone, int right_calls = 0)
      : fault_(fault), right_calls_(right_calls) {}
  int call_count() const { return calls_; }

  // More than ours may take.
  Result<size_t> frame_size_max(size_t piece_size) const override {
    if (fault() == NvcompFault::kSaysNoRoom) return fail(ErrorCode::kEngine, "no size of a frame");
    return frame_room(piece_size);
  }
  Result<size_t> coder_scratch_size(size_t count, size_t /*piece_size_max*/,
                                    cudaStream_t /*stream*/) const override {
    return count * 100;
  }
  Result<void> compress(const NvcompBatch& batch, cudaStream_t stream) const override {
    const NvcompFault fault = this->fault();
    const int call = calls_++;
    if (fault == NvcompFault::kRefuses) return fail(ErrorCode::kEngine, "it does not start");
    if (fault == NvcompFault::kFailsOnCard)
      PlayedCard::get().fail(Call::kQuery, 1, cudaErrorUnknown);
    const std::vector<Range> uses{
        range(batch.from, batch.count),      range(batch.from_sizes, batch.count),
        range(batch.to, batch.count),        range(batch.to_sizes, batch.count),
        {batch.scratch, batch.scratch_size}, {batch.statuses, batch.count * sizeof(uint32_t)}};
    const auto run = [batch, fault, call] {
      for (size_t i = batch.count; i-- > 0;) run_piece(batch, i, fault, call);
      const auto end = steady_clock::now() + std::chrono::milliseconds(600);
      while (fault == NvcompFault::kSlow && steady_clock::now() < end) std::this_thread::yield();
    };
    const cudaError_t status = PlayedCard::get().later(Call::kLaunch, stream, {run, uses, nullptr});
    return status == cudaSuccess ? Result<void>(success()) : fail(ErrorCode::kEngine, "no launch");
  }

  Result<size_t> decoder_scratch_size(size_t /*count*/, size_t /*piece_size_max*/,
                                      cudaStream_t /*stream*/) const override {
    return fail(ErrorCode::kEngine, "frames are never opened by it");
  }
  Result<void> decompress(const NvcompBatch& /*batch*/, cudaStream_t /*stream*/) const override {
    return fail(ErrorCode::kEngine, "frames are never opened by it");
  }

 private:
  static size_t frame_room(size_t piece_size) { return ZSTD_compressBound(piece_size) + 700; }
  NvcompFault fault() const { return calls_ < right_calls_ ? NvcompFault::kNone : fault_; }

  static std::string frame_of(std::string content, NvcompFault fault, int call) {
    const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(),
                                                                       &ZSTD_freeCCtx);
    const auto set = [&](ZSTD_cParameter what, int value) {
      ZSTD_CCtx_setParameter(context.get(), what, value);
    };
    set(ZSTD_c_compressionLevel, fault == NvcompFault::kLarge ? -100 : 1);
    set(ZSTD_c_contentSizeFlag, fault == NvcompFault::kNoContentSize ? 0 : 1);
    set(ZSTD_c_checksumFlag, fault == NvcompFault::kVaries ? call % 2 : 0);
    if (fault == NvcompFault::kWrongContent) content[content.size() / 2] ^= 1;
    std::string out(ZSTD_compressBound(content.size()), '\0');
    out.resize(
        ZSTD_compress2(context.get(), out.data(), out.size(), content.data(), content.size()));
    return out;
  }
  static void run_piece(const NvcompBatch& batch, size_t index, NvcompFault fault, int call) {
    const std::string content(static_cast<const char*>(batch.from[index]), batch.from_sizes[index]);
    const std::string frame = frame_of(content, fault, call);
    // Its place is its own up to the room of the largest piece, and the last piece's comes first.
    std::memset(batch.to[index], 0xee, frame_room(batch.piece_size_max));
    std::memcpy(batch.to[index], frame.data(), frame.size());
    batch.to_sizes[index] = frame.size();
    const bool is_bad = fault == NvcompFault::kBadStatus && index + 1 == batch.count;
    static_cast<uint32_t*>(batch.statuses)[index] = is_bad ? 19 : 0;
  }

  NvcompFault fault_;
  int right_calls_;
  mutable std::atomic<int> calls_ = 0;
};

}  // namespace syncline::cuda
