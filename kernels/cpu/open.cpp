#include <algorithm>
#include <memory>
#include <string>

#include <zstd.h>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/chunk.hpp"
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

auto damaged(size_t index, std::string why) {
  return fail(ErrorCode::kDamaged, "chunk " + std::to_string(index) + " of a block is damaged",
              std::move(why));
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
  size_t size = 0;
  for (const ColumnEntry& entry : chunk.entries) size += entry.framed_size;
  s.framed.resize(size);
  if (size == 0) return success();
  const size_t done = ZSTD_decompressDCtx(s.zstd.get(), s.framed.data(), size, s.plain.data(),
                                          chunk.header.frames_size);
  if (ZSTD_isError(done) != 0) return damaged(chunk.header.index, ZSTD_getErrorName(done));
  if (done != size) return damaged(chunk.header.index, "its frames hold less than declared");
  return success();
}

// Columns by their ordinal; a hole or a repetition is damage.
class Columns {
 public:
  Result<void> add(size_t chunk, const ColumnEntry& entry, std::string_view framed,
                   std::string_view stored) {
    size_ += entry.size;
    if (size_ > SYN_BLOCK_SIZE_MAX) return damaged(chunk, "the block is larger than the limit");
    if (entry.ordinal >= slots_.size()) slots_.resize(entry.ordinal + 1u);
    Slot& slot = slots_[entry.ordinal];
    if (slot.is_there) return damaged(chunk, "a column is there twice");
    slot.is_there = true;
    slot.entry = entry;
    std::string lengths;
    if (!decode_column(entry, framed, stored, slot.bytes, lengths)) {
      return damaged(chunk, "column " + std::to_string(entry.id) + " cannot be decoded");
    }
    if (entry.encoding != SYN_ENCODING_TEXTS) return success();
    if (entry.ordinal == 0) return damaged(chunk, "texts without their lengths");
    slots_[entry.ordinal - 1u].bytes = std::move(lengths);
    return success();
  }

  Result<std::vector<engine::ColumnBytes>> take(size_t chunk) {
    std::vector<engine::ColumnBytes> out;
    out.reserve(slots_.size());
    for (size_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (!slot.is_there) return damaged(chunk, "a column is missing");
      const bool is_length = slot.entry.encoding == SYN_ENCODING_TEXT_LENGTHS;
      const bool is_before_texts =
          i + 1 < slots_.size() && slots_[i + 1].entry.encoding == SYN_ENCODING_TEXTS;
      if (is_length != is_before_texts || slot.bytes.size() != slot.entry.size) {
        return damaged(chunk, "texts and their lengths do not fit");
      }
      out.push_back({slot.entry.id, slot.entry.type, std::move(slot.bytes)});
    }
    return out;
  }

 private:
  struct Slot {
    ColumnEntry entry;
    std::string bytes;
    bool is_there = false;
  };

  std::vector<Slot> slots_;
  uint64_t size_ = 0;
};

Result<void> decode_columns(const Scratch& s, const Chunk& chunk, Columns& out) {
  const std::string_view framed = s.framed;
  const std::string_view stored = std::string_view(s.plain).substr(chunk.header.frames_size);
  size_t framed_at = 0;
  size_t stored_at = 0;
  for (const ColumnEntry& entry : chunk.entries) {
    SYN_TRY(out.add(chunk.header.index, entry, framed.substr(framed_at, entry.framed_size),
                    stored.substr(stored_at, entry.stored_size)));
    framed_at += entry.framed_size;
    stored_at += entry.stored_size;
  }
  return success();
}

}  // namespace

Result<std::vector<engine::ColumnBytes>> open_block(std::string_view sealed,
                                                    const engine::SealKey& key,
                                                    std::string_view associated_data,
                                                    std::array<uint8_t, 32>& tags_digest) {
  Scratch& s = scratch();
  if (s.zstd == nullptr) return fail(ErrorCode::kEngine, "zstd has no memory for a context");
  Columns columns;
  TagsDigest digest;
  Chunk chunk;
  size_t index = 0;
  do {
    if (const char* wrong = parse_chunk(sealed, chunk)) return damaged(index, wrong);
    if (chunk.header.index != index) return damaged(index, "it is out of order");
    SYN_TRY(decrypt_chunk(s, chunk, key, associated_data));
    SYN_TRY(decompress_frames(s, chunk));
    SYN_TRY(decode_columns(s, chunk, columns));
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
