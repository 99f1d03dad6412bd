#include "kernels/cuda/nvcomp.hpp"

#ifdef SYN_HAVE_NVCOMP

#include <algorithm>
#include <string>

#include <dlfcn.h>
#include <nvcomp/version.h>
#include <nvcomp/zstd.h>

namespace syncline::cuda {
namespace {

const auto kCoderOptions = nvcompBatchedZstdCompressDefaultOpts;
const auto kDecoderOptions = nvcompBatchedZstdDecompressDefaultOpts;

Result<void> checked(nvcompStatus_t status, const char* what) {
  if (status == nvcompSuccess) return success();
  return fail(ErrorCode::kEngine, what, "nvCOMP gives status " + std::to_string(status));
}

class LoadedNvcomp final : public Nvcomp {
 public:
  bool load(FindSymbol find_symbol) {
    find_symbol_ = find_symbol;
    return is_of_headers_version() && is_aligned_so() &&
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
    function = reinterpret_cast<Function>(find_symbol_(name));
    return function != nullptr;
  }
  bool is_of_headers_version() {
    decltype(&nvcompGetProperties) ask = nullptr;
    nvcompProperties_t properties{};
    return take(ask, "nvcompGetProperties") && ask(&properties) == nvcompSuccess &&
           NVCOMP_MAJOR_FROM_SEMVER(properties.version) == NVCOMP_VER_MAJOR;
  }
  bool is_aligned_so() {
    decltype(&nvcompBatchedZstdCompressGetRequiredAlignments) ask = nullptr;
    nvcompAlignmentRequirements_t wanted{};
    return take(ask, "nvcompBatchedZstdCompressGetRequiredAlignments") &&
           ask(kCoderOptions, &wanted) == nvcompSuccess &&
           std::max({wanted.input, wanted.output, wanted.temp}) <= kNvcompAlignment;
  }

  FindSymbol find_symbol_ = nullptr;
  decltype(&nvcompBatchedZstdCompressGetMaxOutputChunkSize) frame_size_ = nullptr;
  decltype(&nvcompBatchedZstdCompressGetTempSize) coder_scratch_ = nullptr;
  decltype(&nvcompBatchedZstdDecompressGetTempSize) decoder_scratch_ = nullptr;
  decltype(&nvcompBatchedZstdCompressAsync) compress_ = nullptr;
  decltype(&nvcompBatchedZstdDecompressAsync) decompress_ = nullptr;
};

void* library() {
  static void* const loaded = [] {  // as long as the process
    const std::string name = "libnvcomp.so." + std::to_string(NVCOMP_VER_MAJOR);
    return dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  }();
  return loaded;
}

}  // namespace

const Nvcomp* Nvcomp::find() {
  static const std::unique_ptr<const Nvcomp> found = [] {
    if (library() == nullptr) return std::unique_ptr<const Nvcomp>();
    return load([](const char* name) { return dlsym(library(), name); });
  }();
  return found.get();
}

std::unique_ptr<const Nvcomp> Nvcomp::load(FindSymbol find_symbol) {
  auto made = std::make_unique<LoadedNvcomp>();
  if (!made->load(find_symbol)) return nullptr;
  return made;
}

}  // namespace syncline::cuda

#else

namespace syncline::cuda {

const Nvcomp* Nvcomp::find() {
  return nullptr;
}

std::unique_ptr<const Nvcomp> Nvcomp::load(FindSymbol /*find_symbol*/) {
  return nullptr;
}

}  // namespace syncline::cuda

#endif
