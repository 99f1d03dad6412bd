#include <memory>
#include <string>

#include <zstd.h>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/block_columns.hpp"
#include "kernels/cpu/seal.hpp"
#include "kernels/cpu/tags_digest.hpp"

namespace syncline::cpu {
namespace {

// Buffers that grew beyond this for one block are given back after it.
constexpr size_t kKeptSizeMax = 4u << 20;

struct Scratch {
  std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> zstd{ZSTD_createDCtx(), &ZSTD_freeDCtx};
  std::string plain;   // frames and stored bytes of one chunk, decrypted
  std::string framed;  // what its frames hold
  std::string additional;

  void trim() {
    for (std::string* buffer : {&plain, &framed}) {
      if (buffer->capacity() > kKeptSizeMax) *buffer = {};
    }
  }
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

Result<void> decrypt_chunk(Scratch& s, const Chunk& chunk, const engine::SealKey& key,
                           std::string_view associated_data) {
  s.additional.assign(chunk.clear);
  s.additional += associated_data;
  s.plain.resize(chunk.sealed.size());
  const Nonce nonce = make_nonce(key.nonce_prefix, key.nonce_counter + chunk.header.index);
  const AesCall call{key.key,
                     nonce,
                     s.additional,
                     reinterpret_cast<const uint8_t*>(chunk.sealed.data()),
                     chunk.sealed.size(),
                     reinterpret_cast<uint8_t*>(s.plain.data())};
  if (!aes_gcm().decrypt(call, reinterpret_cast<const uint8_t*>(chunk.tag.data()))) {
    return damaged(chunk.header.index, "its tag does not match");
  }
  return success();
}

// REQUIRES: an authentic chunk. Its sizes are still checked: whoever sealed it may be at fault.
Result<void> decompress_frames(Scratch& s, const Chunk& chunk) {
  const size_t size = framed_size(chunk);
  s.framed.resize(size);
  if (size == 0) return success();
  const size_t done = ZSTD_decompressDCtx(s.zstd.get(), s.framed.data(), size, s.plain.data(),
                                          chunk.header.frames_size);
  if (ZSTD_isError(done) != 0) return damaged(chunk.header.index, ZSTD_getErrorName(done));
  if (done != size) return damaged(chunk.header.index, "its frames hold less than declared");
  return success();
}

}  // namespace

Result<std::vector<engine::ColumnBytes>> open_block(std::string_view sealed,
                                                    const engine::SealKey& key,
                                                    std::string_view associated_data,
                                                    std::array<uint8_t, 32>& tags_digest) {
  Scratch& s = scratch();
  if (s.zstd == nullptr) return fail(ErrorCode::kEngine, "zstd has no memory for a context");
  BlockColumns columns;
  TagsDigest digest;
  Chunk chunk;
  size_t index = 0;
  do {
    if (const char* wrong = parse_chunk(sealed, chunk)) return damaged(index, wrong);
    if (chunk.header.index != index) return damaged(index, "it is out of order");
    SYN_TRY(decrypt_chunk(s, chunk, key, associated_data));
    SYN_TRY(decompress_frames(s, chunk));
    SYN_TRY(
        columns.add(chunk, s.framed, std::string_view(s.plain).substr(chunk.header.frames_size)));
    digest.add(chunk.tag);
    sealed.remove_prefix(chunk.clear.size() + chunk.sealed.size() + chunk.tag.size());
    s.trim();
    ++index;
  } while (index < chunk.header.count);
  if (!sealed.empty()) return damaged(index - 1, "bytes follow the last chunk");
  if (!digest.finish(tags_digest)) return fail(ErrorCode::kEngine, "SHA-256 is not available");
  return columns.take(index - 1);
}

}  // namespace syncline::cpu
