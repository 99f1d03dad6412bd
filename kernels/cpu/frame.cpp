#include "kernels/cpu/frame.hpp"

#include <memory>

#include <zstd.h>

namespace syncline::cpu {
namespace {

constexpr int kLevel = 1;

ZSTD_CCtx* context() {
  thread_local const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> mine{ZSTD_createCCtx(),
                                                                               &ZSTD_freeCCtx};
  return mine.get();
}

}  // namespace

Result<void> append_frame(std::string_view content, std::string& out) {
  if (context() == nullptr) return fail(ErrorCode::kEngine, "zstd has no memory for a context");
  const size_t at = out.size();
  out.resize(at + ZSTD_compressBound(content.size()));
  const size_t size = ZSTD_compressCCtx(context(), out.data() + at, out.size() - at, content.data(),
                                        content.size(), kLevel);
  if (ZSTD_isError(size) != 0) {
    return fail(ErrorCode::kEngine, "zstd cannot compress a column", ZSTD_getErrorName(size));
  }
  out.resize(at + size);
  return success();
}

}  // namespace syncline::cpu
