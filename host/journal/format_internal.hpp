// The bytes of segments and of the file of heads: docs/formats/journal.md describes them. Private
// to the room.
//
// A record is: u32 kind, u32 size of all of it, its body, u64 checksum (XXH3-64 of all before it,
// seeded with the segment's number and the record's offset, so that a record is good at one place
// only). Numbers are little endian.
// Threads: pure functions. Errors: a record that does not hold is std::nullopt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "host/base/result.hpp"
#include "host/journal/crypto_internal.hpp"
#include "host/journal/journal.hpp"

namespace syncline::journal {

inline constexpr const char* kFolder = "journal";
inline constexpr const char* kHeadsPath = "journal/heads";
inline constexpr uint16_t kSegmentFormat = 1;

// What the master key is turned into for the journal.
struct JournalKeys {
  Key wrapping{};
  Key signing_seed{};
  uint64_t id = 0;  // tells the wrong key file from a damaged header
};
JournalKeys make_journal_keys(std::string_view master_key);

// "journal/0000000001.segment"
std::string segment_path(uint64_t number);
// The number in a file's name, or nothing where it is no segment's.
std::optional<uint64_t> segment_number(std::string_view name);

struct SegmentHeader {
  uint64_t number = 0;          // from 1, without gaps
  GroupNumber first_group = 1;  // the number that its first group has or would have
  uint64_t first_block = 1;     // likewise
  int64_t created_us = 0;
  Digest previous_head{};  // the chain before its first block
  uint64_t key_id = 0;
  uint32_t nonce_prefix = 0;
  Key data_key{};  // only wrapped on disk
};
inline constexpr size_t kSegmentHeaderSize = 160;

std::string encode_segment_header(const SegmentHeader& header, const JournalKeys& keys,
                                  std::string_view wrap_nonce);
// Errors: kDamaged, kFormat, kKeyFile (another key file), naming path.
Result<SegmentHeader> decode_segment_header(std::string_view bytes, const JournalKeys& keys,
                                            uint64_t number);

// Permanent values: "SLBK", "SLGR", "SLDU", "SLEN".
enum class RecordKind : uint32_t {
  kBlock = 0x4b424c53,    // frames in the order of lanes, sealed
  kGroup = 0x52474c53,    // makes the blocks before it count
  kDurable = 0x55444c53,  // written after a sync: groups up to this one were durable then
  kClose = 0x4e454c53,    // the last record of a segment that was ended in order
};

struct BlockHeader {
  model::LaneIndex lane = 0;  // of its first frame
  uint32_t frame_count = 0;
  uint64_t first_frame = 0;  // that one's number
  GroupNumber group = 0;
  uint64_t block = 0;  // of all blocks, from 1, without gaps
  uint64_t nonce_counter = 0;
};

struct BlockRecord {
  BlockHeader header;
  Digest head{};  // the chain after this block
  std::string_view sealed;
};

struct GroupRecord {
  GroupNumber group = 0;
  uint32_t block_count = 0;
  GroupNumber durable = 0;  // the last group known durable when this was written
  uint64_t size_bytes = 0;  // of its blocks, which stand right before it
  int64_t time_us = 0;
  Digest head{};
};

struct DurableRecord {
  GroupNumber durable = 0;
  uint64_t heads_count = 0;  // records in the file of heads that were durable then
};

struct CloseRecord {
  GroupNumber last_group = 0;
  uint64_t last_block = 0;
  uint64_t heads_count = 0;  // as in DurableRecord
  int64_t time_us = 0;
  Digest head{};
};
inline constexpr size_t kCloseRecordSize = 80;

inline constexpr size_t kRecordStartSize = 8;           // kind, size
inline constexpr uint32_t kRecordSizeMax = 0x41000000;  // a block's limit and what is around it

// XXH3-64, seeded with the place.
struct Place;
uint64_t checksum(std::string_view bytes, const Place& place);

// Where a record stands.
struct Place {
  uint64_t segment = 0;
  uint64_t offset = 0;
};

// Frames of a block stand in the order of lanes, each lane's numbered without gaps.
bool follows(const model::Frame& next, const model::Frame& frame);

// What seal authenticates and the chain covers.
std::string associated_data(uint64_t segment, const BlockHeader& header);
Digest next_head(const Digest& previous, std::string_view associated, const Digest& tags_digest);

void append_block(const BlockRecord& record, Place place, std::string& out);
void append_group(const GroupRecord& record, Place place, std::string& out);
void append_durable(const DurableRecord& record, Place place, std::string& out);
void append_close(const CloseRecord& record, Place place, std::string& out);

// A record's kind and size, where its first 8 bytes can be those of one.
struct RecordStart {
  RecordKind kind = RecordKind::kBlock;
  uint32_t size_bytes = 0;
};
std::optional<RecordStart> parse_start(std::string_view bytes);
// REQUIRES: bytes are as many as parse_start says. False: they are not what was written.
bool is_intact(std::string_view bytes, Place place);

// REQUIRES: bytes are an intact record of that kind.
BlockRecord parse_block(std::string_view bytes);
GroupRecord parse_group(std::string_view bytes);
DurableRecord parse_durable(std::string_view bytes);
CloseRecord parse_close(std::string_view bytes);

// The groups that an intact record of any kind says to be durable; 0: none.
GroupNumber durable_by(std::string_view bytes);

// "segment journal/0000000001.segment, offset 1234"
std::string describe(Place place);
// kDamaged at a place, with the commands that mend.
Error damage_at(Place place, std::string why);

}  // namespace syncline::journal
