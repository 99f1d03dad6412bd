#include <string>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "kernels/cpu/block_columns.hpp"
#include "kernels/cpu/tags_digest.hpp"
#include "kernels/device/rounds.hpp"
#include "kernels/device/seal.hpp"

namespace syncline::device {
namespace {

constexpr size_t kChecksumSize = 4;

// Kept with its memory by the slot, from block to block.
struct Round {
  void begin() {
    chunks.clear();
    records.clear();
    frames.clear();
    frame_chunk.clear();
    frame_checksum.clear();
    content_at.clear();
    contents_size = 0;
  }

  std::vector<cpu::Chunk> chunks;
  std::vector<syn_gcm_record> records;
  std::vector<syn_frame_place> frames;
  std::vector<size_t> frame_chunk;       // of each frame
  std::vector<uint32_t> frame_checksum;  // 1: its last four bytes are one
  std::vector<size_t> content_at;        // of each chunk, in kFrames
  std::string plain;                     // kSealed: tags, then decrypted bytes
  size_t records_at = 0;
  size_t in_size = 0;
  size_t out_size = 0;
  size_t contents_size = 0;  // of kFrames, the statuses among it
};

// Chunks from the front of the bytes, up to a round's size or the block's last one.
Result<bool> parse_round(std::string_view& sealed, size_t& index, Round& round) {
  size_t size = 0;
  bool is_more = true;
  while (is_more && size < kRoundSizeMax) {
    cpu::Chunk chunk;
    if (const char* wrong = cpu::parse_chunk(sealed, chunk)) return cpu::damaged(index, wrong);
    if (chunk.header.index != index) return cpu::damaged(index, "it is out of order");
    const size_t whole = chunk.clear.size() + chunk.sealed.size() + chunk.tag.size();
    sealed.remove_prefix(whole);
    size += whole;
    is_more = ++index < chunk.header.count;
    round.chunks.push_back(std::move(chunk));
  }
  return is_more;
}

void place_chunks(const engine::SealKey& key, size_t associated_size, Round& round) {
  Layout in;
  Layout out;
  round.records_at = in.add(round.chunks.size() * sizeof(syn_gcm_record));
  out.add(round.chunks.size() * SYN_TAG_SIZE);
  for (const cpu::Chunk& chunk : round.chunks) {
    const size_t additional_size = chunk.clear.size() + associated_size;
    const size_t additional_at = in.add(additional_size);
    syn_gcm_record record = make_record(key, chunk.header.index, additional_at, additional_size);
    record.input_at = in.add(chunk.sealed.size());
    record.output_at = out.add(chunk.sealed.size());
    record.size = static_cast<uint32_t>(chunk.sealed.size());
    round.records.push_back(record);
  }
  round.in_size = in.size();
  round.out_size = out.size();
}

void put_chunks(const Round& round, std::string_view associated_data, uint8_t* to) {
  std::memcpy(to + round.records_at, round.records.data(),
              round.records.size() * sizeof(syn_gcm_record));
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    const syn_gcm_record& record = round.records[i];
    put(to + record.additional_at, round.chunks[i].clear);
    put(to + record.additional_at + round.chunks[i].clear.size(), associated_data);
    put(to + record.input_at, round.chunks[i].sealed);
  }
}

bool is_equal(std::string_view tag, std::string_view wanted) {
  uint8_t difference = 0;
  for (size_t i = 0; i < SYN_TAG_SIZE; ++i) difference |= static_cast<uint8_t>(tag[i] ^ wanted[i]);
  return difference == 0;
}

Result<void> decrypt(const engine::SealKey& key, std::string_view associated_data, Slot& slot,
                     Round& round) {
  place_chunks(key, associated_data.size(), round);
  SYN_TRY(reserve_round(slot, round.in_size, round.out_size));
  SYN_TRY(slot.reserve(Area::kSealed, round.out_size + kSlackSize));
  SYN_TRY(slot.use_key(key.key));
  put_chunks(round, associated_data, slot.host());
  SYN_TRY(slot.copy_in(0, round.in_size));
  GcmShape shape = shape_of(round.records, round.records_at);
  shape.is_open = true;
  SYN_TRY(slot.run_gcm(shape));
  SYN_TRY(slot.copy_out(Area::kSealed, round.out_size));
  SYN_TRY(slot.wait(Work::kDecrypt, round.in_size));
  round.plain.assign(reinterpret_cast<const char*>(slot.host()), round.out_size);
  const std::string_view plain = round.plain;
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    const cpu::Chunk& chunk = round.chunks[i];
    if (is_equal(plain.substr(i * SYN_TAG_SIZE, SYN_TAG_SIZE), chunk.tag)) continue;
    return cpu::damaged(chunk.header.index, "its tag does not match");
  }
  return success();
}

// A chunk's frames, whose contents must be just what its directory says.
Result<void> find_frames(size_t chunk_index, Round& round) {
  const cpu::Chunk& chunk = round.chunks[chunk_index];
  const auto* bytes = reinterpret_cast<const uint8_t*>(round.plain.data());
  size_t at = round.records[chunk_index].output_at;
  const size_t end = at + chunk.header.frames_size;
  uint64_t left = cpu::framed_size(chunk);
  while (at < end) {
    syn_zstd_frame frame{};
    if (syn_zstd_walk(bytes + at, end - at, &frame) != SYN_ZSTD_OK) {
      return cpu::damaged(chunk.header.index, "a frame of it is none of ours");
    }
    if (frame.content_size > left) {
      return cpu::damaged(chunk.header.index, "its frames hold more than declared");
    }
    round.frames.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(frame.size),
                            static_cast<uint32_t>(round.contents_size),
                            static_cast<uint32_t>(frame.content_size)});
    round.frame_chunk.push_back(chunk.header.index);
    round.frame_checksum.push_back(frame.has_checksum);
    round.contents_size += frame.content_size;
    left -= frame.content_size;
    at += frame.size;
  }
  if (left != 0) return cpu::damaged(chunk.header.index, "its frames hold less than declared");
  return success();
}

Result<void> find_all_frames(Round& round) {
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    round.content_at.push_back(round.contents_size);
    SYN_TRY(find_frames(i, round));
    if (round.contents_size > SYN_BLOCK_SIZE_MAX) {
      return cpu::damaged(round.chunks[i].header.index, "the block is larger than the limit");
    }
  }
  // The statuses, which lie in front of all contents.
  Layout front;
  front.add(round.frames.size() * sizeof(uint32_t));
  for (syn_frame_place& frame : round.frames) frame.to += static_cast<uint32_t>(front.size());
  for (size_t& at : round.content_at) at += front.size();
  round.contents_size += front.size();
  return success();
}

// The low half of the content's XXH64, where a frame has it: ours never do.
bool is_content_right(const Round& round, size_t frame, const uint8_t* contents) {
  if (round.frame_checksum[frame] == 0) return true;
  const syn_frame_place& place = round.frames[frame];
  uint32_t wanted = 0;
  std::memcpy(&wanted, round.plain.data() + place.from + place.size - kChecksumSize, sizeof wanted);
  return static_cast<uint32_t>(XXH64(contents + place.to, place.content_size, 0)) == wanted;
}

// The contents lie in the host's area then.
Result<void> decompress(Slot& slot, Round& round) {
  SYN_TRY(find_all_frames(round));
  if (round.frames.empty()) return success();
  const size_t in_size = round.frames.size() * sizeof(syn_frame_place);
  SYN_TRY(reserve_round(slot, in_size, round.contents_size));
  SYN_TRY(slot.reserve(Area::kFrames, round.contents_size));
  std::memcpy(slot.host(), round.frames.data(), in_size);
  SYN_TRY(slot.copy_in(0, in_size));
  SYN_TRY(slot.run_decompress(static_cast<uint32_t>(round.frames.size())));
  SYN_TRY(slot.copy_out(Area::kFrames, round.contents_size));
  SYN_TRY(slot.wait(Work::kDecompress, round.contents_size));
  for (size_t i = 0; i < round.frames.size(); ++i) {
    uint32_t status = 0;
    std::memcpy(&status, slot.host() + i * sizeof status, sizeof status);
    if (status != SYN_ZSTD_OK) {
      return cpu::damaged(round.frame_chunk[i], "a frame of it cannot be decoded");
    }
    if (!is_content_right(round, i, slot.host())) {
      return cpu::damaged(round.frame_chunk[i], "a frame's checksum does not match");
    }
  }
  return success();
}

Result<void> take_columns(const Round& round, const uint8_t* contents, cpu::TagsDigest& digest,
                          cpu::BlockColumns& columns) {
  const std::string_view plain = round.plain;
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    const cpu::Chunk& chunk = round.chunks[i];
    const std::string_view framed(reinterpret_cast<const char*>(contents) + round.content_at[i],
                                  cpu::framed_size(chunk));
    const size_t stored_at = round.records[i].output_at + chunk.header.frames_size;
    SYN_TRY(columns.add(chunk, framed, plain.substr(stored_at, chunk.header.stored_size)));
    digest.add(chunk.tag);
  }
  return success();
}

}  // namespace

Result<std::vector<engine::ColumnBytes>> open_block(Slot& slot, std::string_view sealed,
                                                    const engine::SealKey& key,
                                                    std::string_view associated_data,
                                                    std::array<uint8_t, 32>& tags_digest) {
  cpu::BlockColumns columns;
  cpu::TagsDigest digest;
  size_t index = 0;
  if (slot.opening == nullptr) slot.opening = std::make_shared<Round>();
  Round& round = *std::static_pointer_cast<Round>(slot.opening);
  for (bool is_more = true; is_more;) {
    round.begin();
    SYN_TRY(is_more, parse_round(sealed, index, round));
    SYN_TRY(decrypt(key, associated_data, slot, round));
    SYN_TRY(decompress(slot, round));
    SYN_TRY(take_columns(round, slot.host(), digest, columns));
  }
  if (!sealed.empty()) return cpu::damaged(index - 1, "bytes follow the last chunk");
  if (!digest.finish(tags_digest)) return fail(ErrorCode::kInternal, "SHA-256 is not available");
  return columns.take(index - 1);
}

}  // namespace syncline::device
