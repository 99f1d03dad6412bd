#include "kernels/cpu/block_columns.hpp"

#include <utility>

namespace syncline::cpu {

Error damaged(size_t chunk, std::string why) {
  return {ErrorCode::kDamaged,
          "chunk " + std::to_string(chunk) + " of a block is damaged",
          std::move(why),
          {}};
}

uint64_t framed_size(const Chunk& chunk) {
  uint64_t size = 0;
  for (const ColumnEntry& entry : chunk.entries) size += entry.framed_size;
  return size;
}

Result<void> BlockColumns::add_column(size_t chunk, const ColumnEntry& entry,
                                      std::string_view framed, std::string_view stored) {
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

Result<void> BlockColumns::add(const Chunk& chunk, std::string_view framed,
                               std::string_view stored) {
  for (const ColumnEntry& entry : chunk.entries) {
    SYN_TRY(add_column(chunk.header.index, entry, framed.substr(0, entry.framed_size),
                       stored.substr(0, entry.stored_size)));
    framed.remove_prefix(entry.framed_size);
    stored.remove_prefix(entry.stored_size);
  }
  return success();
}

Result<std::vector<engine::ColumnBytes>> BlockColumns::take(size_t last_chunk) {
  std::vector<engine::ColumnBytes> out;
  out.reserve(slots_.size());
  for (size_t i = 0; i < slots_.size(); ++i) {
    Slot& slot = slots_[i];
    if (!slot.is_there) return damaged(last_chunk, "a column is missing");
    const bool is_length = slot.entry.encoding == SYN_ENCODING_TEXT_LENGTHS;
    const bool is_before_texts =
        i + 1 < slots_.size() && slots_[i + 1].entry.encoding == SYN_ENCODING_TEXTS;
    if (is_length != is_before_texts || slot.bytes.size() != slot.entry.size) {
      return damaged(last_chunk, "texts and their lengths do not fit");
    }
    out.push_back({slot.entry.id, slot.entry.type, std::move(slot.bytes)});
  }
  return out;
}

}  // namespace syncline::cpu
