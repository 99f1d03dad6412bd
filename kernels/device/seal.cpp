#include "kernels/device/seal.hpp"

#include <algorithm>
#include <deque>
#include <string>

#include "kernels/cpu/chunk_plan.hpp"
#include "kernels/cpu/frame.hpp"
#include "kernels/cpu/tags_digest.hpp"
#include "kernels/device/far_repeats.hpp"
#include "kernels/device/rounds.hpp"

namespace syncline::device {
namespace {

constexpr size_t kPieceSize = SYN_ZSTD_PIECE_SIZE;
// A run whose pieces shrink below this share is mostly repeats, and so are the pieces themselves.
constexpr size_t kUnusualShare = 8;
// More of the frames' size than this share may be lost to repeats from piece to piece.
constexpr size_t kFarShare = 10;

// What is kept of a run: the frames of its pieces, or one that the host made.
struct Frames {
  size_t first_piece = 0;
  size_t piece_count = 0;
  size_t host_at = 0;  // in the round's host_frames
  size_t host_size = 0;
};

// One chunk of a round.
struct Chunk {
  cpu::ChunkPlan plan;
  std::vector<Frames> frames;
  size_t frames_size = 0;
  size_t payload_at = 0;  // in kSealed
};

struct Round {
  std::deque<Chunk> chunks;  // where they stay: a plan's views are into itself
  uint16_t first_index = 0;
  uint16_t chunk_count = 0;  // of the block
  uint8_t engine = 0;
  std::vector<syn_piece_place> pieces;
  std::vector<uint32_t> frame_rooms;
  std::vector<uint32_t> frame_sizes;
  size_t frames_size = 0;  // of the area
  std::string host_frames;
};

size_t payload_size(const Chunk& chunk) {
  return chunk.frames_size + chunk.plan.stored().size();
}

// The pieces of all runs, laid out in kInput and kFrames. Gives the size of the input.
size_t place_pieces(Round& round, Slot& slot) {
  std::vector<size_t> sizes;
  for (const Chunk& chunk : round.chunks) {
    for (const cpu::ChunkPlan::Run& run : chunk.plan.runs()) {
      for (size_t at = 0; at < run.content.size(); at += kPieceSize) {
        sizes.push_back(std::min(kPieceSize, run.content.size() - at));
      }
    }
  }
  Layout in;
  Layout out;
  in.add(sizes.size() * sizeof(syn_piece_place));
  out.add(sizes.size() * sizeof(uint32_t));
  for (const size_t size : sizes) {
    round.frame_rooms.push_back(slot.frame_room(static_cast<uint32_t>(size)));
    round.pieces.push_back({static_cast<uint32_t>(in.add(size)), static_cast<uint32_t>(size),
                            static_cast<uint32_t>(out.add(round.frame_rooms.back()))});
  }
  round.frames_size = out.size() + kSlackSize;
  return in.size();
}

void put_contents(const Round& round, uint8_t* to) {
  std::memcpy(to, round.pieces.data(), round.pieces.size() * sizeof(syn_piece_place));
  auto piece = round.pieces.begin();
  for (const Chunk& chunk : round.chunks) {
    for (const cpu::ChunkPlan::Run& run : chunk.plan.runs()) {
      for (size_t at = 0; at < run.content.size(); at += kPieceSize, ++piece) {
        put(to + piece->from, run.content.substr(at, piece->size));
      }
    }
  }
}

// From the input to the frames; their sizes. Whether all of them are in their places.
Result<bool> run_pieces(Round& round, Slot& slot) {
  const size_t sizes_size = round.pieces.size() * sizeof(uint32_t);
  SYN_TRY(slot.run_compress(static_cast<uint32_t>(round.pieces.size())));
  SYN_TRY(slot.copy_out(Area::kFrames, sizes_size));
  SYN_TRY(slot.wait(Work::kCompress, round.frames_size));
  round.frame_sizes.resize(round.pieces.size());
  std::memcpy(round.frame_sizes.data(), slot.host(), sizes_size);
  return std::equal(round.frame_sizes.begin(), round.frame_sizes.end(), round.frame_rooms.begin(),
                    [](uint32_t size, uint32_t room) { return size <= room; });
}

Result<void> compress(Round& round, Slot& slot) {
  const size_t in_size = place_pieces(round, slot);
  if (round.pieces.empty()) return success();
  SYN_TRY(reserve_round(slot, in_size, round.pieces.size() * sizeof(uint32_t)));
  SYN_TRY(slot.reserve(Area::kFrames, round.frames_size));
  put_contents(round, slot.host());
  SYN_TRY(slot.copy_in(0, in_size));
  do {
    const Result<bool> is_right = run_pieces(round, slot);
    if (!is_right.has_value()) {
      // Whoever's fault it is: the device's own coder is the one that was tested most.
      if (is_right.error().code != ErrorCode::kEngineNotReady) slot.drop_coder();
      return is_right.error();
    }
    if (is_right.value()) return success();
  } while (slot.drop_coder());
  return fail(ErrorCode::kInternal, "the device says of a frame that it is larger than its place");
}

// Whether libzstd may make a run of several pieces smaller by more than the contract lets pass.
bool is_far_sight_needed(std::string_view content, size_t frames_size) {
  if (content.size() <= kPieceSize) return false;
  return frames_size < content.size() / kUnusualShare ||
         far_repeats(content, kPieceSize) > frames_size / kFarShare;
}

// The run's frames, in either way, with their size; the smaller ones.
Result<size_t> choose_frames(std::string_view content, size_t pieces_size, Frames& frames,
                             std::string& host_frames) {
  if (!is_far_sight_needed(content, pieces_size)) return pieces_size;
  frames.host_at = host_frames.size();
  SYN_TRY(on_host(cpu::append_frame(content, host_frames)));
  frames.host_size = host_frames.size() - frames.host_at;
  if (frames.host_size < pieces_size) return frames.host_size;
  host_frames.resize(frames.host_at);
  frames.host_size = 0;
  return pieces_size;
}

// Keeps the runs that became smaller, and completes the chunks' clear parts.
Result<void> settle(Round& round) {
  size_t piece = 0;
  uint16_t index = round.first_index;
  for (Chunk& chunk : round.chunks) {
    for (const cpu::ChunkPlan::Run& run : chunk.plan.runs()) {
      Frames frames;
      frames.first_piece = piece;
      frames.piece_count = (run.content.size() + kPieceSize - 1) / kPieceSize;
      size_t size = 0;
      for (size_t i = 0; i < frames.piece_count; ++i) size += round.frame_sizes[piece++];
      SYN_TRY(size, choose_frames(run.content, size, frames, round.host_frames));
      if (!chunk.plan.keeps(run, size)) continue;
      chunk.frames_size += size;
      chunk.frames.push_back(frames);
    }
    cpu::ChunkHeader header;
    header.engine = round.engine;
    header.index = index++;
    header.count = round.chunk_count;
    chunk.plan.finish(header, chunk.frames_size);
  }
  return success();
}

// What goes to the device with the second trip: moves, records, the host's frames, additional data,
// stored bytes.
struct Encryption {
  std::vector<syn_move> moves;
  std::vector<syn_gcm_record> records;
  std::vector<size_t> stored_at;
  size_t records_at = 0;
  size_t host_frames_at = 0;
  size_t in_size = 0;
  size_t out_size = 0;
};

size_t stored_move_count(size_t size) {
  return (size + kPieceSize - 1) / kPieceSize;
}

void add_stored_moves(size_t from, size_t size, size_t to, std::vector<syn_move>& moves) {
  for (size_t at = 0; at < size; at += kPieceSize) {
    moves.push_back({static_cast<uint32_t>(from + at), static_cast<uint32_t>(to + at),
                     static_cast<uint32_t>(std::min(kPieceSize, size - at)), 1});
  }
}

void add_moves(const Round& round, const Chunk& chunk, size_t stored_at, Encryption& work) {
  size_t to = chunk.payload_at;
  for (const Frames& frames : chunk.frames) {
    if (frames.host_size > 0) {
      add_stored_moves(work.host_frames_at + frames.host_at, frames.host_size, to, work.moves);
      to += frames.host_size;
      continue;
    }
    for (size_t i = 0; i < frames.piece_count; ++i) {
      const size_t piece = frames.first_piece + i;
      const uint32_t size = round.frame_sizes[piece];
      work.moves.push_back({round.pieces[piece].to, static_cast<uint32_t>(to), size, 0});
      to += size;
    }
  }
  add_stored_moves(stored_at, chunk.plan.stored().size(), to, work.moves);
}

size_t move_count(const Chunk& chunk) {
  size_t count = stored_move_count(chunk.plan.stored().size());
  for (const Frames& frames : chunk.frames) {
    count += frames.host_size > 0 ? stored_move_count(frames.host_size) : frames.piece_count;
  }
  return count;
}

Encryption plan_encryption(Round& round, const engine::SealKey& key, size_t associated_size) {
  Encryption out;
  Layout in;
  Layout sealed;
  size_t moves = 0;
  for (const Chunk& chunk : round.chunks) moves += move_count(chunk);
  in.add(moves * sizeof(syn_move));
  out.records_at = in.add(round.chunks.size() * sizeof(syn_gcm_record));
  out.host_frames_at = in.add(round.host_frames.size());
  sealed.add(round.chunks.size() * SYN_TAG_SIZE);
  size_t index = round.first_index;
  for (Chunk& chunk : round.chunks) {
    const size_t additional_size = chunk.plan.clear().size() + associated_size;
    const size_t additional_at = in.add(additional_size);
    out.stored_at.push_back(in.add(chunk.plan.stored().size()));
    chunk.payload_at = sealed.add(payload_size(chunk));
    syn_gcm_record record = make_record(key, index++, additional_at, additional_size);
    record.input_at = record.output_at = chunk.payload_at;
    record.size = static_cast<uint32_t>(payload_size(chunk));
    out.records.push_back(record);
    add_moves(round, chunk, out.stored_at.back(), out);
  }
  out.in_size = in.size();
  out.out_size = sealed.size();
  return out;
}

void put_encryption(const Round& round, const Encryption& work, std::string_view associated_data,
                    uint8_t* to) {
  if (!work.moves.empty()) {
    std::memcpy(to, work.moves.data(), work.moves.size() * sizeof(syn_move));
  }
  std::memcpy(to + work.records_at, work.records.data(),
              work.records.size() * sizeof(syn_gcm_record));
  put(to + work.host_frames_at, round.host_frames);
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    const cpu::ChunkPlan& plan = round.chunks[i].plan;
    uint8_t* const additional = to + work.records[i].additional_at;
    put(additional, plan.clear());
    put(additional + plan.clear().size(), associated_data);
    put(to + work.stored_at[i], plan.stored());
  }
}

// The chunks' bytes follow each other in the host's area then, at payload_at, and the tags at 0.
Result<void> encrypt(Round& round, const engine::SealKey& key, std::string_view associated_data,
                     Slot& slot) {
  const Encryption work = plan_encryption(round, key, associated_data.size());
  SYN_TRY(reserve_round(slot, work.in_size, work.out_size));
  SYN_TRY(slot.reserve(Area::kFrames, 1));
  SYN_TRY(slot.reserve(Area::kSealed, work.out_size + kSlackSize));
  SYN_TRY(slot.use_key(key.key));
  put_encryption(round, work, associated_data, slot.host());
  SYN_TRY(slot.copy_in(0, work.in_size));
  if (!work.moves.empty()) {
    SYN_TRY(slot.run_gather(static_cast<uint32_t>(work.moves.size()), 0));
  }
  SYN_TRY(slot.run_gcm(shape_of(work.records, work.records_at)));
  SYN_TRY(slot.copy_out(Area::kSealed, work.out_size));
  return slot.wait(Work::kEncrypt, work.out_size);
}

void append(const Round& round, const uint8_t* from, cpu::TagsDigest& digest, std::string& out) {
  const auto* bytes = reinterpret_cast<const char*>(from);
  for (size_t i = 0; i < round.chunks.size(); ++i) {
    const Chunk& chunk = round.chunks[i];
    const std::string_view tag(bytes + i * SYN_TAG_SIZE, SYN_TAG_SIZE);
    out += chunk.plan.clear();
    out.append(bytes + chunk.payload_at, payload_size(chunk));
    out += tag;
    digest.add(tag);
  }
}

}  // namespace

Result<engine::Sealed> seal_block(Slot& slot, uint8_t engine,
                                  std::span<const engine::ColumnView> columns,
                                  const engine::SealKey& key, std::string_view associated_data) {
  SYN_TRY(cpu::check_columns(columns));
  const std::vector<size_t> counts = cpu::plan_chunks(columns);
  engine::Sealed sealed;
  cpu::TagsDigest digest;
  size_t ordinal = 0;
  for (size_t index = 0; index < counts.size();) {
    Round round;
    round.engine = engine;
    round.first_index = static_cast<uint16_t>(index);
    round.chunk_count = static_cast<uint16_t>(counts.size());
    size_t size = 0;
    while (index < counts.size() && size < kRoundSizeMax) {
      const auto part = columns.subspan(ordinal, counts[index++]);
      for (const engine::ColumnView& column : part) size += column.bytes.size();
      round.chunks.emplace_back().plan.encode(part, ordinal);
      ordinal += part.size();
    }
    SYN_TRY(compress(round, slot));
    SYN_TRY(settle(round));
    SYN_TRY(encrypt(round, key, associated_data, slot));
    append(round, slot.host(), digest, sealed.bytes);
  }
  sealed.chunk_count = static_cast<uint32_t>(counts.size());
  if (!digest.finish(sealed.tags_digest)) {
    return fail(ErrorCode::kInternal, "SHA-256 is not available");
  }
  return sealed;
}

}  // namespace syncline::device
