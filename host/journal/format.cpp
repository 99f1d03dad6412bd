#include "host/journal/format_internal.hpp"

#define XXH_INLINE_ALL
#include <cstdio>
#include <cstring>

#include <xxhash.h>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/journal/keys.hpp"

namespace syncline::journal {
namespace {

constexpr std::string_view kSegmentMagic = "SYNCSEGM";
constexpr size_t kClearHeaderSize = 92;  // up to the wrap nonce: what the wrap authenticates
constexpr size_t kChecksumSize = 8;
constexpr size_t kBlockHeaderSize = 40;
constexpr size_t kHeadSize = 32;
constexpr size_t kBlockRecordSizeMin =
    kRecordStartSize + kBlockHeaderSize + kHeadSize + kChecksumSize;
constexpr size_t kGroupRecordSize = 84;
constexpr size_t kDurableRecordSize = 32;

void write_digest(const Digest& digest, ByteWriter& out) {
  out.raw(text_of(digest));
}

Digest read_digest(ByteReader& in) {
  Digest digest{};
  const std::string_view bytes = in.raw(digest.size());
  if (bytes.size() == digest.size()) std::memcpy(digest.data(), bytes.data(), bytes.size());
  return digest;
}

Key key_of(std::string_view bytes) {
  Key key;
  SYN_ASSERT(bytes.size() == key.size());
  std::memcpy(key.data(), bytes.data(), key.size());
  return key;
}

void begin_record(RecordKind kind, size_t size, ByteWriter& out) {
  out.u32(static_cast<uint32_t>(kind));
  out.u32(static_cast<uint32_t>(size));
}

// begin: where in out the record began.
void end_record(size_t begin, Place place, std::string& out) {
  const uint64_t sum = checksum(std::string_view(out).substr(begin), place);
  ByteWriter(out).u64(sum);
}

void write_block_header(const BlockHeader& header, ByteWriter& out) {
  out.u16(header.lane);
  out.u16(0);
  out.u32(header.frame_count);
  out.u64(header.first_frame);
  out.u64(header.group);
  out.u64(header.block);
  out.u64(header.nonce_counter);
}

// The body of an intact record.
ByteReader body_of(std::string_view bytes) {
  return ByteReader(
      bytes.substr(kRecordStartSize, bytes.size() - kRecordStartSize - kChecksumSize));
}

bool is_size_of(RecordKind kind, uint32_t size) {
  switch (kind) {
    case RecordKind::kBlock:
      return size >= kBlockRecordSizeMin && size <= kRecordSizeMax;
    case RecordKind::kGroup:
      return size == kGroupRecordSize;
    case RecordKind::kDurable:
      return size == kDurableRecordSize;
    case RecordKind::kClose:
      return size == kCloseRecordSize;
  }
  return false;
}

}  // namespace

uint64_t checksum(std::string_view bytes, const Place& place) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(),
                              place.segment * 0x9E3779B97F4A7C15u ^ place.offset);
}

JournalKeys make_journal_keys(std::string_view master_key) {
  JournalKeys keys;
  keys.wrapping = key_of(derive_key(master_key, "syncline journal data keys", 32));
  keys.signing_seed = key_of(derive_key(master_key, "syncline journal heads", 32));
  const std::string id = derive_key(master_key, "syncline journal key id", 8);
  std::memcpy(&keys.id, id.data(), sizeof keys.id);
  return keys;
}

std::string segment_path(uint64_t number) {
  char path[64];
  std::snprintf(path, sizeof path, "%s/%010llu.segment", kFolder,
                static_cast<unsigned long long>(number));
  return path;
}

std::optional<uint64_t> segment_number(std::string_view name) {
  constexpr std::string_view kEnd = ".segment";
  if (name.size() <= kEnd.size() || name.size() > kEnd.size() + 19 || !name.ends_with(kEnd)) {
    return {};
  }
  uint64_t number = 0;
  for (const char digit : name.substr(0, name.size() - kEnd.size())) {
    if (digit < '0' || digit > '9') return {};
    number = number * 10 + static_cast<uint64_t>(digit - '0');
  }
  return number;
}

std::string encode_segment_header(const SegmentHeader& header, const JournalKeys& keys,
                                  std::string_view wrap_nonce) {
  std::string bytes;
  ByteWriter out(bytes);
  out.raw(kSegmentMagic);
  out.u16(kSegmentFormat);
  out.u16(0);
  out.u64(header.number);
  out.u64(header.first_group);
  out.u64(header.first_block);
  out.u64(static_cast<uint64_t>(header.created_us));
  write_digest(header.previous_head, out);
  out.u64(keys.id);
  out.u32(header.nonce_prefix);
  out.u32(0);
  SYN_ASSERT(bytes.size() == kClearHeaderSize);
  const std::string wrapped = wrap_key(keys.wrapping, wrap_nonce, bytes, header.data_key);
  out.raw(wrap_nonce);
  out.raw(wrapped);
  // Covers the header at offset 0 of this segment and nowhere else.
  const uint64_t sum = checksum(bytes, {header.number, 0});
  out.u64(sum);
  SYN_ASSERT(bytes.size() == kSegmentHeaderSize);
  return bytes;
}

Result<SegmentHeader> decode_segment_header(std::string_view bytes, const JournalKeys& keys,
                                            uint64_t number) {
  const Place place{number, 0};
  if (bytes.size() != kSegmentHeaderSize) return damage_at(place, "its header is cut short");
  const uint64_t sum = checksum(bytes.substr(0, kSegmentHeaderSize - kChecksumSize), place);
  ByteReader in(bytes);
  const bool is_ours = in.raw(kSegmentMagic.size()) == kSegmentMagic;
  const uint16_t format = in.u16();
  in.u16();
  ByteReader stored(bytes.substr(kSegmentHeaderSize - kChecksumSize));
  if (!is_ours || stored.u64() != sum) {
    return damage_at(place, "its header is not what was written");
  }
  if (format != kSegmentFormat) {
    return fail(ErrorCode::kFormat, segment_path(number) + " has format " + std::to_string(format),
                "this version reads format " + std::to_string(kSegmentFormat),
                "use the version of Syncline that wrote it");
  }
  SegmentHeader header;
  header.number = in.u64();
  header.first_group = in.u64();
  header.first_block = in.u64();
  header.created_us = static_cast<int64_t>(in.u64());
  header.previous_head = read_digest(in);
  header.key_id = in.u64();
  header.nonce_prefix = in.u32();
  in.u32();
  if (header.key_id != keys.id) {
    return fail(ErrorCode::kKeyFile, segment_path(number) + " was written with another key file",
                "the key it names is not this one",
                "restore the key file that belongs to this data "
                "folder");
  }
  const std::string_view nonce = in.raw(kWrapNonceSize);
  const std::optional<Key> data_key = unwrap_key(
      keys.wrapping, nonce, bytes.substr(0, kClearHeaderSize), in.raw(sizeof(Key) + kWrapTagSize));
  if (!data_key || header.number != number) {
    return damage_at(place, "its header is not what was written");
  }
  header.data_key = *data_key;
  return header;
}

bool follows(const model::Frame& next, const model::Frame& frame) {
  return next.lane > frame.lane || (next.lane == frame.lane && next.number == frame.number + 1);
}

std::string associated_data(uint64_t segment, const BlockHeader& header) {
  std::string bytes;
  ByteWriter out(bytes);
  out.u64(segment);
  write_block_header(header, out);
  return bytes;
}

Digest next_head(const Digest& previous, std::string_view associated, const Digest& tags_digest) {
  const std::string_view parts[] = {text_of(previous), associated, text_of(tags_digest)};
  return sha256(parts);
}

void append_block(const BlockRecord& record, Place place, std::string& out) {
  const size_t begin = out.size();
  ByteWriter writer(out);
  begin_record(RecordKind::kBlock, kBlockRecordSizeMin + record.sealed.size(), writer);
  write_block_header(record.header, writer);
  write_digest(record.head, writer);
  writer.raw(record.sealed);
  end_record(begin, place, out);
}

void append_group(const GroupRecord& record, Place place, std::string& out) {
  const size_t begin = out.size();
  ByteWriter writer(out);
  begin_record(RecordKind::kGroup, kGroupRecordSize, writer);
  writer.u64(record.group);
  writer.u32(record.block_count);
  writer.u64(record.durable);
  writer.u64(record.size_bytes);
  writer.u64(static_cast<uint64_t>(record.time_us));
  write_digest(record.head, writer);
  end_record(begin, place, out);
  SYN_ASSERT(out.size() - begin == kGroupRecordSize);
}

void append_durable(const DurableRecord& record, Place place, std::string& out) {
  const size_t begin = out.size();
  ByteWriter writer(out);
  begin_record(RecordKind::kDurable, kDurableRecordSize, writer);
  writer.u64(record.durable);
  writer.u64(record.heads_count);
  end_record(begin, place, out);
}

void append_close(const CloseRecord& record, Place place, std::string& out) {
  const size_t begin = out.size();
  ByteWriter writer(out);
  begin_record(RecordKind::kClose, kCloseRecordSize, writer);
  writer.u64(record.last_group);
  writer.u64(record.last_block);
  writer.u64(record.heads_count);
  writer.u64(static_cast<uint64_t>(record.time_us));
  write_digest(record.head, writer);
  end_record(begin, place, out);
  SYN_ASSERT(out.size() - begin == kCloseRecordSize);
}

std::optional<RecordStart> parse_start(std::string_view bytes) {
  ByteReader in(bytes);
  const auto kind = static_cast<RecordKind>(in.u32());
  const uint32_t size = in.u32();
  if (!in.ok() || !is_size_of(kind, size)) return {};
  return RecordStart{kind, size};
}

bool is_intact(std::string_view bytes, Place place) {
  ByteReader stored(bytes.substr(bytes.size() - kChecksumSize));
  return stored.u64() == checksum(bytes.substr(0, bytes.size() - kChecksumSize), place);
}

BlockRecord parse_block(std::string_view bytes) {
  ByteReader in = body_of(bytes);
  BlockRecord record;
  record.header.lane = in.u16();
  in.u16();
  record.header.frame_count = in.u32();
  record.header.first_frame = in.u64();
  record.header.group = in.u64();
  record.header.block = in.u64();
  record.header.nonce_counter = in.u64();
  record.head = read_digest(in);
  record.sealed = in.raw(in.remaining());
  return record;
}

GroupRecord parse_group(std::string_view bytes) {
  ByteReader in = body_of(bytes);
  GroupRecord record;
  record.group = in.u64();
  record.block_count = in.u32();
  record.durable = in.u64();
  record.size_bytes = in.u64();
  record.time_us = static_cast<int64_t>(in.u64());
  record.head = read_digest(in);
  return record;
}

DurableRecord parse_durable(std::string_view bytes) {
  ByteReader in = body_of(bytes);
  DurableRecord record;
  record.durable = in.u64();
  record.heads_count = in.u64();
  return record;
}

CloseRecord parse_close(std::string_view bytes) {
  ByteReader in = body_of(bytes);
  CloseRecord record;
  record.last_group = in.u64();
  record.last_block = in.u64();
  record.heads_count = in.u64();
  record.time_us = static_cast<int64_t>(in.u64());
  record.head = read_digest(in);
  return record;
}

GroupNumber durable_by(std::string_view bytes) {
  switch (parse_start(bytes)->kind) {
    case RecordKind::kBlock:
      return 0;
    case RecordKind::kGroup:
      return parse_group(bytes).durable;
    case RecordKind::kDurable:
      return parse_durable(bytes).durable;
    case RecordKind::kClose:
      return parse_close(bytes).last_group;
  }
  return 0;
}

std::string describe(Place place) {
  return "segment " + segment_path(place.segment) + ", offset " + std::to_string(place.offset);
}

Error damage_at(Place place, std::string why) {
  return Error{
      ErrorCode::kDamaged, "the journal is damaged at " + describe(place), std::move(why),
      "check the disk's health; syncline audit verify shows where it ends; then restore the "
      "data folder from a backup, or move it away and run syncline plan and syncline resync "
      "to build it anew from the systems"};
}

}  // namespace syncline::journal
