#include "kernels/cpu/chunk.hpp"

#include "host/base/bytes.hpp"

namespace syncline::cpu {
namespace {

bool is_whole(uint8_t encoding) {
  return encoding == SYN_ENCODING_STORED || encoding == SYN_ENCODING_FRAMED ||
         encoding == SYN_ENCODING_TEXT_LENGTHS;
}

void write_entry(const ColumnEntry& entry, uint16_t next_id, uint16_t next_ordinal,
                 ByteWriter& writer) {
  uint8_t control = static_cast<uint8_t>(entry.type | entry.encoding << SYN_CONTROL_ENCODING_SHIFT);
  if (entry.id != next_id) control |= SYN_CONTROL_HAS_ID;
  if (entry.ordinal != next_ordinal) control |= SYN_CONTROL_HAS_ORDINAL;
  writer.u8(control);
  if (entry.id != next_id) writer.varint(entry.id);
  if (entry.ordinal != next_ordinal) writer.varint(entry.ordinal);
  writer.varint(entry.size);
  if (is_whole(entry.encoding)) return;
  writer.varint(entry.framed_size);
  writer.varint(entry.stored_size);
}

// False for values that no seal writes.
bool read_entry(ByteReader& reader, uint16_t next_id, uint16_t next_ordinal, ColumnEntry& entry) {
  const uint8_t control = reader.u8();
  entry.type = control & SYN_CONTROL_TYPE;
  entry.encoding = (control & SYN_CONTROL_ENCODING) >> SYN_CONTROL_ENCODING_SHIFT;
  const uint64_t id = (control & SYN_CONTROL_HAS_ID) != 0 ? reader.varint() : next_id;
  const uint64_t ordinal =
      (control & SYN_CONTROL_HAS_ORDINAL) != 0 ? reader.varint() : next_ordinal;
  const uint64_t size = reader.varint();
  uint64_t framed = entry.encoding == SYN_ENCODING_FRAMED ? size : 0;
  uint64_t stored = entry.encoding == SYN_ENCODING_STORED ? size : 0;
  if (!is_whole(entry.encoding)) {
    framed = reader.varint();
    stored = reader.varint();
  }
  if (!reader.ok() || entry.encoding >= SYN_ENCODING_COUNT || id > UINT16_MAX ||
      ordinal >= SYN_COLUMN_COUNT_MAX || size > SYN_COLUMN_SIZE_MAX ||
      framed > SYN_BLOCK_SIZE_MAX || stored > SYN_BLOCK_SIZE_MAX) {
    return false;
  }
  entry.id = static_cast<uint16_t>(id);
  entry.ordinal = static_cast<uint16_t>(ordinal);
  entry.size = static_cast<uint32_t>(size);
  entry.framed_size = static_cast<uint32_t>(framed);
  entry.stored_size = static_cast<uint32_t>(stored);
  return true;
}

const char* parse_header(std::string_view bytes, ChunkHeader& out) {
  ByteReader reader(bytes.substr(0, SYN_CHUNK_HEADER_SIZE));
  const uint8_t format = reader.u8();
  out.engine = reader.u8();
  out.index = reader.u16();
  out.count = reader.u16();
  out.column_count = reader.u16();
  out.directory_size = reader.u32();
  out.frames_size = reader.u32();
  out.stored_size = reader.u32();
  if (!reader.ok()) return "it is cut within its header";
  if (format != SYN_BLOCK_FORMAT) return "its format is unknown";
  if (out.engine == 0 || out.engine > SYN_ENGINE_XRT) return "its engine is unknown";
  if (out.count > SYN_CHUNK_COUNT_MAX || out.column_count > SYN_COLUMN_COUNT_MAX ||
      out.frames_size > SYN_BLOCK_SIZE_MAX || out.stored_size > SYN_BLOCK_SIZE_MAX ||
      out.directory_size > bytes.size()) {
    return "its header declares more than a chunk can hold";
  }
  const uint64_t whole = uint64_t{SYN_CHUNK_HEADER_SIZE} + out.directory_size + out.frames_size +
                         out.stored_size + SYN_TAG_SIZE;
  return whole > bytes.size() ? "it is cut" : nullptr;
}

const char* parse_directory(std::string_view directory, Chunk& out) {
  constexpr const char* kWrong = "its directory is not what a seal writes";
  ByteReader reader(directory);
  // Every entry takes two bytes or more, so this reservation is bounded by what is there.
  if (out.header.column_count > directory.size() / 2) return kWrong;
  out.entries.reserve(out.header.column_count);
  uint16_t next_id = 0;
  uint16_t next_ordinal = 0;
  uint64_t stored = 0;
  uint64_t framed = 0;
  for (uint32_t i = 0; i < out.header.column_count; ++i) {
    ColumnEntry entry;
    if (!read_entry(reader, next_id, next_ordinal, entry)) return kWrong;
    next_id = static_cast<uint16_t>(entry.id + 1);
    next_ordinal = static_cast<uint16_t>(entry.ordinal + 1);
    stored += entry.stored_size;
    framed += entry.framed_size;
    out.entries.push_back(entry);
  }
  const bool fits = reader.at_end() && stored == out.header.stored_size &&
                    framed <= SYN_BLOCK_SIZE_MAX && (framed != 0) == (out.header.frames_size != 0);
  return fits ? nullptr : kWrong;
}

}  // namespace

void write_header(const ChunkHeader& header, char* out) {
  std::string bytes;
  bytes.reserve(SYN_CHUNK_HEADER_SIZE);
  ByteWriter writer(bytes);
  writer.u8(SYN_BLOCK_FORMAT);
  writer.u8(header.engine);
  writer.u16(header.index);
  writer.u16(header.count);
  writer.u16(header.column_count);
  writer.u32(header.directory_size);
  writer.u32(header.frames_size);
  writer.u32(header.stored_size);
  std::memcpy(out, bytes.data(), bytes.size());
}

void write_directory(std::span<const ColumnEntry> entries, std::string& out) {
  ByteWriter writer(out);
  uint16_t next_id = 0;
  uint16_t next_ordinal = 0;
  for (const ColumnEntry& entry : entries) {
    write_entry(entry, next_id, next_ordinal, writer);
    next_id = static_cast<uint16_t>(entry.id + 1);
    next_ordinal = static_cast<uint16_t>(entry.ordinal + 1);
  }
}

const char* parse_chunk(std::string_view bytes, Chunk& out) {
  out.entries.clear();
  if (const char* wrong = parse_header(bytes, out.header)) return wrong;
  const size_t clear_size = SYN_CHUNK_HEADER_SIZE + out.header.directory_size;
  const size_t sealed_size = size_t{out.header.frames_size} + out.header.stored_size;
  out.clear = bytes.substr(0, clear_size);
  out.sealed = bytes.substr(clear_size, sealed_size);
  out.tag = bytes.substr(clear_size + sealed_size, SYN_TAG_SIZE);
  return parse_directory(out.clear.substr(SYN_CHUNK_HEADER_SIZE), out);
}

}  // namespace syncline::cpu
