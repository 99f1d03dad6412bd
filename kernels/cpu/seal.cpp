#include "kernels/cpu/seal.hpp"

#include <string>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/chunk_plan.hpp"
#include "kernels/cpu/frame.hpp"
#include "kernels/cpu/tags_digest.hpp"

namespace syncline::cpu {
namespace {

// Buffers that grew beyond this for one block are given back after it.
constexpr size_t kKeptSizeMax = 4u << 20;

// One thread's buffers, kept between blocks.
struct Scratch {
  ChunkPlan plan;
  std::string frames;
  std::string additional;
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

// A run is one frame; where that does not shrink it, its columns are stored.
Result<void> compress_runs(Scratch& s) {
  if (s.frames.capacity() > kKeptSizeMax) s.frames = {};
  s.frames.clear();
  for (const ChunkPlan::Run& run : s.plan.runs()) {
    const size_t before = s.frames.size();
    SYN_TRY(append_frame(run.content, s.frames));
    if (!s.plan.keeps(run, s.frames.size() - before)) s.frames.resize(before);
  }
  return success();
}

// Appends the chunk to out: clear part, then frames and stored bytes encrypted in place, then tag.
Result<void> encrypt_chunk(Scratch& s, uint16_t index, const engine::SealKey& key,
                           std::string_view associated_data, std::string& out) {
  const std::string_view clear = s.plan.clear();
  const size_t at = out.size() + clear.size();
  const size_t size = s.frames.size() + s.plan.stored().size();
  out.reserve(at + size + SYN_TAG_SIZE);
  out += clear;
  out += s.frames;
  out += s.plan.stored();
  s.additional.assign(clear);
  s.additional += associated_data;

  uint8_t tag[SYN_TAG_SIZE];
  auto* bytes = reinterpret_cast<uint8_t*>(out.data() + at);
  const Nonce nonce = make_nonce(key.nonce_prefix, key.nonce_counter + index);
  if (!aes_gcm().encrypt({key.key, nonce, s.additional, bytes, size, bytes}, tag)) {
    return fail(ErrorCode::kEngine, "AES-256-GCM cannot encrypt a chunk");
  }
  out.append(reinterpret_cast<const char*>(tag), sizeof tag);
  return success();
}

}  // namespace

Result<engine::Sealed> seal_block(std::span<const engine::ColumnView> columns,
                                  const engine::SealKey& key, std::string_view associated_data) {
  SYN_TRY(check_columns(columns));
  Scratch& s = scratch();
  const std::vector<size_t> counts = plan_chunks(columns);
  engine::Sealed sealed;
  TagsDigest digest;
  size_t ordinal = 0;
  ChunkHeader header;
  header.count = static_cast<uint16_t>(counts.size());
  for (const size_t count : counts) {
    s.plan.encode(columns.subspan(ordinal, count), ordinal);
    SYN_TRY(compress_runs(s));
    s.plan.finish(header, s.frames.size());
    SYN_TRY(encrypt_chunk(s, header.index, key, associated_data, sealed.bytes));
    digest.add(std::string_view(sealed.bytes).substr(sealed.bytes.size() - SYN_TAG_SIZE));
    ordinal += count;
    ++header.index;
  }
  sealed.chunk_count = header.count;
  if (!digest.finish(sealed.tags_digest)) {
    return fail(ErrorCode::kEngine, "SHA-256 is not available");
  }
  return sealed;
}

}  // namespace syncline::cpu
