#include "bench/gpu/nvcomp.hpp"

#ifdef SYN_HAVE_NVCOMP

#include <memory>
#include <string>

#include <dlfcn.h>
#include <nvcomp/version.h>
#include <nvcomp/zstd.h>

namespace syncline::bench {
namespace {

const auto kCoderOptions = nvcompBatchedZstdCompressDefaultOpts;
const auto kDecoderOptions = nvcompBatchedZstdDecompressDefaultOpts;

Result<void> checked(nvcompStatus_t status, const char* what) {
  if (status == nvcompSuccess) return success();
  return fail(ErrorCode::kEngine, what, "nvCOMP gives status " + std::to_string(status));
}

class LoadedNvcomp final : public Nvcomp {
 public:
  // What a library holds may be older than the headers: then it is not used.
  bool load() {
    const std::string name = "libnvcomp.so." + std::to_string(NVCOMP_VER_MAJOR);
    library_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    return library_ != nullptr &&
           take(frame_size_, "nvcompBatchedZstdCompressGetMaxOutputChunkSize") &&
           take(coder_scratch_, "nvcompBatchedZstdCompressGetTempSize") &&
           take(decoder_scratch_, "nvcompBatchedZstdDecompressGetTempSize") &&
           take(compress_, "nvcompBatchedZstdCompressAsync") &&
           take(decompress_, "nvcompBatchedZstdDecompressAsync");
  }

  Result<size_t> frame_size_max(size_t piece_size) const override {
    size_t size = 0;
    SYN_TRY(checked(frame_size_(piece_size, kCoderOptions, &size), "no size of a frame"));
    return size;
  }
  Result<size_t> coder_scratch_size(size_t count, size_t piece_size_max,
                                    cudaStream_t stream) const override {
    size_t size = 0;
    SYN_TRY(checked(
        coder_scratch_(count, piece_size_max, kCoderOptions, &size, count * piece_size_max, stream),
        "no size of a coder's memory"));
    return size;
  }
  Result<size_t> decoder_scratch_size(size_t count, size_t piece_size_max,
                                      cudaStream_t stream) const override {
    size_t size = 0;
    SYN_TRY(checked(decoder_scratch_(count, piece_size_max, kDecoderOptions, &size,
                                     count * piece_size_max, stream),
                    "no size of a decoder's memory"));
    return size;
  }
  Result<void> compress(const NvcompBatch& batch, cudaStream_t stream) const override {
    return checked(compress_(batch.from, batch.from_sizes, batch.piece_size_max, batch.count,
                             batch.scratch, batch.scratch_size, batch.to, batch.to_sizes,
                             kCoderOptions, static_cast<nvcompStatus_t*>(batch.statuses), stream),
                   "compression cannot be started");
  }
  Result<void> decompress(const NvcompBatch& batch, cudaStream_t stream) const override {
    return checked(
        decompress_(batch.from, batch.from_sizes, batch.to_room, batch.to_sizes, batch.count,
                    batch.scratch, batch.scratch_size, batch.to, kDecoderOptions,
                    static_cast<nvcompStatus_t*>(batch.statuses), stream),
        "decompression cannot be started");
  }

 private:
  template <class Function>
  bool take(Function& function, const char* name) {
    function = reinterpret_cast<Function>(dlsym(library_, name));
    return function != nullptr;
  }

  void* library_ = nullptr;  // as long as the process
  decltype(&nvcompBatchedZstdCompressGetMaxOutputChunkSize) frame_size_ = nullptr;
  decltype(&nvcompBatchedZstdCompressGetTempSize) coder_scratch_ = nullptr;
  decltype(&nvcompBatchedZstdDecompressGetTempSize) decoder_scratch_ = nullptr;
  decltype(&nvcompBatchedZstdCompressAsync) compress_ = nullptr;
  decltype(&nvcompBatchedZstdDecompressAsync) decompress_ = nullptr;
};

}  // namespace

const Nvcomp* Nvcomp::find() {
  static const std::unique_ptr<LoadedNvcomp> loaded = [] {
    auto made = std::make_unique<LoadedNvcomp>();
    if (!made->load()) made.reset();
    return made;
  }();
  return loaded.get();
}

}  // namespace syncline::bench

#else

namespace syncline::bench {

const Nvcomp* Nvcomp::find() {
  return nullptr;
}

}  // namespace syncline::bench

#endif
