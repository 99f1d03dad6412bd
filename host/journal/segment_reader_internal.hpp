// Reads one segment, record by record or group by group. Private to the room.
//
// Owner: whoever opened it; it keeps the file open, so a released segment can be read to its end.
// Threads: one at a time. Errors: kDamaged, kFormat, kKeyFile, kStorageOpen.
#pragma once

#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "host/base/disk.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/journal/format_internal.hpp"

namespace syncline::journal {

enum class ReadState : uint8_t {
  kRecord,  // an intact record
  kEnd,     // nothing stands here any more
  kBad,     // bytes that are no intact record, or only the beginning of one
};

// A block as it was read: its bytes are copied, for the reader goes on.
struct StoredBlock {
  BlockHeader header;
  Digest previous_head{};
  Digest head{};
  std::string sealed;
  uint64_t offset = 0;
};

struct StoredGroup {
  GroupRecord record;
  std::vector<StoredBlock> blocks;
  uint64_t offset = 0;  // of its first block
};

class SegmentReader {
 public:
  static Result<std::unique_ptr<SegmentReader>> open(Disk& disk, const JournalKeys& keys,
                                                     uint64_t number);

  const SegmentHeader& header() const { return header_; }
  uint64_t offset() const { return offset_; }
  // Up to here all is whole: behind the last record that is no block of an unfinished group.
  uint64_t whole_bytes() const { return group_begin_; }
  const Digest& head() const { return head_; }  // of the chain before the next block
  uint64_t next_block() const { return next_block_; }
  GroupNumber next_group() const { return next_group_; }
  // How many records of the file of heads what was read says to be durable.
  uint64_t heads_count() const { return heads_count_; }

  // Nothing at or behind this offset is read; bytes there may still change.
  void set_limit(uint64_t offset) { limit_ = offset; }
  // Goes on at a record, with what was read before it.
  void seek(uint64_t offset, GroupNumber next_group, uint64_t next_block, const Digest& head);

  // The record at offset(), and goes on behind it; record() borrows until the next read. A record
  // that is intact but does not continue the groups, blocks and chain before it is kBad.
  Result<ReadState> read();
  std::string_view record() const { return record_; }
  RecordKind kind() const { return kind_; }

  // The next whole group, over other records; kEnd at a close record or the end of the bytes. On
  // kBad, offset() is the record's.
  Result<ReadState> read_group(StoredGroup& out);
  // As read_group, without copying its blocks.
  Result<ReadState> skip_group(GroupRecord& out);

  // All bytes from an offset on.
  Result<std::string> read_rest(uint64_t offset);

 private:
  SegmentReader(std::unique_ptr<File> file, const SegmentHeader& header);
  Result<std::string_view> bytes_at(uint64_t offset, size_t size);
  bool continues(std::string_view bytes);

  std::unique_ptr<File> file_;
  SegmentHeader header_;
  uint64_t offset_ = kSegmentHeaderSize;
  uint64_t limit_ = std::numeric_limits<uint64_t>::max();
  Digest head_{};
  uint64_t next_block_ = 1;
  GroupNumber next_group_ = 1;
  uint64_t group_begin_ = kSegmentHeaderSize;  // of the blocks that wait for their group record
  uint32_t group_blocks_ = 0;
  uint64_t heads_count_ = 0;
  Digest previous_head_{};  // before the last block that was read
  std::string buffer_;      // bytes of the file from buffer_offset_ on
  uint64_t buffer_offset_ = 0;
  std::string_view record_;
  RecordKind kind_ = RecordKind::kBlock;
};

// Opens a group's blocks: decrypts, checks the chain, decodes the frames.
Result<GroupPointer> open_group(const StoredGroup& group, const SegmentHeader& segment,
                                dispatch::Dispatcher& dispatcher);

}  // namespace syncline::journal
