#include "kernels/cpu/seal.hpp"

#include <algorithm>
#include <memory>
#include <string>

#include <zstd.h>

#include "kernels/cpu/aes_gcm.hpp"
#include "kernels/cpu/chunk.hpp"
#include "kernels/cpu/columns.hpp"
#include "kernels/cpu/tags_digest.hpp"

namespace syncline::cpu {
namespace {

constexpr int kLevel = 1;
// A part of this size and more gets a zstd frame, and so entropy tables, of its own.
constexpr size_t kOwnFrameSizeMin = 1024;
// What is smaller than this is not worth a frame.
constexpr size_t kFrameSizeMin = 64;
// Buffers that grew beyond this for one block are given back after it.
constexpr size_t kKeptSizeMax = 4u << 20;

// One thread's buffers and contexts, kept between blocks.
struct Scratch {
  std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> zstd{ZSTD_createCCtx(), &ZSTD_freeCCtx};
  Parts parts;
  std::vector<PlacedColumn> placed;
  std::vector<ColumnEntry> entries;
  std::string gathered;  // the small framed parts, side by side
  std::string directory;
  std::string frames;
  std::string stored;
  std::string additional;

  void reset() {
    for (std::string* buffer : {&parts.framed, &parts.stored, &gathered, &frames, &stored}) {
      if (buffer->capacity() > kKeptSizeMax) *buffer = {};
      buffer->clear();
    }
    placed.clear();
    entries.clear();
    directory.clear();
  }
};

Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

Result<void> append_frame(Scratch& s, std::string_view content) {
  const size_t at = s.frames.size();
  s.frames.resize(at + ZSTD_compressBound(content.size()));
  const size_t size = ZSTD_compressCCtx(s.zstd.get(), s.frames.data() + at, s.frames.size() - at,
                                        content.data(), content.size(), kLevel);
  if (ZSTD_isError(size) != 0) {
    return fail(ErrorCode::kEngine, "zstd cannot compress a column", ZSTD_getErrorName(size));
  }
  s.frames.resize(at + size);
  return success();
}

std::string_view framed_part(const Scratch& s, const PlacedColumn& placed) {
  return std::string_view(s.parts.framed).substr(placed.framed_at, placed.entry.framed_size);
}

// The directory's order is the frames' order: first what shares a frame, then those with their own.
void order_columns(Scratch& s) {
  const auto is_small = [](const PlacedColumn& placed) {
    return placed.entry.framed_size < kOwnFrameSizeMin;
  };
  std::stable_partition(s.placed.begin(), s.placed.end(), is_small);
}

void store_instead(Scratch& s, PlacedColumn& placed) {
  placed.entry.encoding = SYN_ENCODING_STORED;
  placed.stored_at = s.parts.stored.size();
  placed.entry.stored_size = placed.entry.framed_size;
  s.parts.stored.append(framed_part(s, placed));
  placed.entry.framed_size = 0;
}

bool can_store(const PlacedColumn& placed) {
  return placed.entry.framed_size == 0 || placed.entry.encoding == SYN_ENCODING_FRAMED;
}

// Compresses one run of columns into one frame; columns that it does not shrink are stored.
Result<void> frame_columns(Scratch& s, std::span<PlacedColumn> columns, std::string_view content) {
  if (content.empty()) return success();
  const size_t before = s.frames.size();
  const bool is_storable = std::all_of(columns.begin(), columns.end(), can_store);
  if (!is_storable || content.size() >= kFrameSizeMin) {
    SYN_TRY(append_frame(s, content));
  }
  const size_t size = s.frames.size() - before;
  if (!is_storable || (size != 0 && size < content.size())) return success();
  s.frames.resize(before);
  for (PlacedColumn& placed : columns) {
    if (placed.entry.framed_size != 0) store_instead(s, placed);
  }
  return success();
}

Result<void> compress_columns(Scratch& s) {
  order_columns(s);
  size_t small_count = 0;
  for (; small_count < s.placed.size(); ++small_count) {
    if (s.placed[small_count].entry.framed_size >= kOwnFrameSizeMin) break;
    s.gathered.append(framed_part(s, s.placed[small_count]));
  }
  const std::span<PlacedColumn> all(s.placed);
  SYN_TRY(frame_columns(s, all.first(small_count), s.gathered));
  for (PlacedColumn& placed : all.subspan(small_count)) {
    SYN_TRY(frame_columns(s, {&placed, 1}, framed_part(s, placed)));
  }
  return success();
}

void gather_stored(Scratch& s) {
  for (const PlacedColumn& placed : s.placed) {
    s.entries.push_back(placed.entry);
    s.stored.append(s.parts.stored, placed.stored_at, placed.entry.stored_size);
  }
}

// Appends the chunk to out: clear part, then frames and stored bytes encrypted in place, then tag.
Result<void> encrypt_chunk(Scratch& s, ChunkHeader header, const engine::SealKey& key,
                           std::string_view associated_data, std::string& out) {
  write_directory(s.entries, s.directory);
  header.column_count = static_cast<uint16_t>(s.entries.size());
  header.directory_size = static_cast<uint32_t>(s.directory.size());
  header.frames_size = static_cast<uint32_t>(s.frames.size());
  header.stored_size = static_cast<uint32_t>(s.stored.size());
  char clear[SYN_CHUNK_HEADER_SIZE];
  write_header(header, clear);
  s.additional.assign(clear, sizeof clear);
  s.additional += s.directory;
  const size_t at = out.size() + s.additional.size();
  const size_t size = s.frames.size() + s.stored.size();
  out.reserve(at + size + SYN_TAG_SIZE);
  out += s.additional;
  out += s.frames;
  out += s.stored;
  s.additional += associated_data;

  uint8_t tag[SYN_TAG_SIZE];
  auto* bytes = reinterpret_cast<uint8_t*>(out.data() + at);
  const Nonce nonce = make_nonce(key.nonce_prefix, key.nonce_counter + header.index);
  if (!aes_gcm().encrypt({key.key, nonce, s.additional, bytes, size, bytes}, tag)) {
    return fail(ErrorCode::kEngine, "AES-256-GCM cannot encrypt a chunk");
  }
  out.append(reinterpret_cast<const char*>(tag), sizeof tag);
  return success();
}

Result<void> check_columns(std::span<const engine::ColumnView> columns) {
  const auto refuse = [](std::string why) {
    return fail(ErrorCode::kInvalidArgument, "columns that a block cannot hold", std::move(why),
                "Seal fewer entries in one block.");
  };
  if (columns.size() > SYN_COLUMN_COUNT_MAX) return refuse("more than 4096 columns");
  size_t size = 0;
  for (const engine::ColumnView& column : columns) {
    size += column.bytes.size();
    if (column.type > SYN_COLUMN_U64) return refuse("a column of an unknown type");
    if (column.bytes.size() > SYN_COLUMN_SIZE_MAX) return refuse("a column beyond 256 MiB");
  }
  // Half, because no encoding may make a block larger than the limit.
  if (size > SYN_BLOCK_SIZE_MAX / 2) return refuse("more than 512 MiB in all");
  return success();
}

// How many columns go into each chunk: as many as fit the target, at least one.
std::vector<size_t> plan_chunks(std::span<const engine::ColumnView> columns) {
  std::vector<size_t> counts(1, 0);
  size_t size = 0;
  for (const engine::ColumnView& column : columns) {
    if (counts.back() != 0 && size + column.bytes.size() > SYN_CHUNK_SIZE_TARGET) {
      counts.push_back(0);
      size = 0;
    }
    ++counts.back();
    size += column.bytes.size();
  }
  return counts;
}

}  // namespace

Result<engine::Sealed> seal_block(std::span<const engine::ColumnView> columns,
                                  const engine::SealKey& key, std::string_view associated_data) {
  SYN_TRY(check_columns(columns));
  Scratch& s = scratch();
  if (s.zstd == nullptr) return fail(ErrorCode::kEngine, "zstd has no memory for a context");
  const std::vector<size_t> counts = plan_chunks(columns);
  engine::Sealed sealed;
  TagsDigest digest;
  size_t ordinal = 0;
  ChunkHeader header;
  header.count = static_cast<uint16_t>(counts.size());
  for (const size_t count : counts) {
    s.reset();
    encode_columns(columns.subspan(ordinal, count), ordinal, s.placed, s.parts);
    SYN_TRY(compress_columns(s));
    gather_stored(s);
    SYN_TRY(encrypt_chunk(s, header, key, associated_data, sealed.bytes));
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
