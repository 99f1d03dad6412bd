#include <algorithm>

#include "host/journal/segment_reader_internal.hpp"

namespace syncline::journal {
namespace {

constexpr size_t kReadSize = 1u << 20;

engine::SealKey seal_key(const SegmentHeader& segment, uint64_t nonce_counter) {
  return {segment.data_key, segment.nonce_prefix, nonce_counter};
}

Result<void> open_block(const StoredBlock& block, const SegmentHeader& segment,
                        dispatch::Dispatcher& dispatcher, Group& out) {
  const Place place{segment.number, block.offset};
  const std::string associated = associated_data(segment.number, block.header);
  Digest tags_digest{};
  auto opened = dispatcher.open(block.sealed, seal_key(segment, block.header.nonce_counter),
                                associated, tags_digest);
  if (!opened.has_value()) {
    if (opened.error().code != ErrorCode::kDamaged) return std::move(opened).error();
    return damage_at(place, opened.error().what + ": " + opened.error().why);
  }
  if (next_head(block.previous_head, associated, tags_digest) != block.head) {
    return damage_at(place, "the hash chain does not hold");
  }
  std::vector<model::Column> columns;
  columns.reserve(opened.value().size());
  for (engine::ColumnBytes& column : opened.value()) {
    columns.push_back(
        {column.id, static_cast<model::ColumnType>(column.type), std::move(column.bytes)});
  }
  auto frames = model::decode_frames(columns);
  if (!frames.has_value()) return damage_at(place, frames.error().why);
  const auto& list = frames.value();
  bool fits = list.size() == block.header.frame_count && !list.empty() &&
              list[0]->lane == block.header.lane && list[0]->number == block.header.first_frame;
  for (size_t i = 1; fits && i < list.size(); ++i) fits = follows(*list[i], *list[i - 1]);
  if (!fits) return damage_at(place, "a block's header does not fit its frames");
  out.frames.insert(out.frames.end(), list.begin(), list.end());
  return success();
}

}  // namespace

SegmentReader::SegmentReader(std::unique_ptr<File> file, const SegmentHeader& header)
    : file_(std::move(file)), header_(header) {
  seek(kSegmentHeaderSize, header.first_group, header.first_block, header.previous_head);
}

Result<std::unique_ptr<SegmentReader>> SegmentReader::open(Disk& disk, const JournalKeys& keys,
                                                           uint64_t number) {
  SYN_TRY(auto file, disk.open(segment_path(number), Disk::Mode::kRead));
  SYN_TRY(const std::string bytes, file->read(0, kSegmentHeaderSize));
  SYN_TRY(const SegmentHeader header, decode_segment_header(bytes, keys, number));
  return std::unique_ptr<SegmentReader>(new SegmentReader(std::move(file), header));
}

void SegmentReader::seek(uint64_t offset, GroupNumber next_group, uint64_t next_block,
                         const Digest& head) {
  offset_ = offset;
  next_group_ = next_group;
  next_block_ = next_block;
  head_ = head;
  group_begin_ = offset;
  group_blocks_ = 0;
}

// Fewer bytes than asked for only at the limit or the end of the file. Reads in steps, so that a
// wrong size costs no more memory than there are bytes.
Result<std::string_view> SegmentReader::bytes_at(uint64_t offset, size_t size) {
  const uint64_t end = std::min<uint64_t>(offset + size, std::max(limit_, offset));
  if (offset < buffer_offset_ || offset > buffer_offset_ + buffer_.size()) {
    buffer_.clear();
    buffer_offset_ = offset;
  }
  if (end > buffer_offset_ + buffer_.size()) {
    buffer_.erase(0, offset - buffer_offset_);
    buffer_offset_ = offset;
  }
  while (buffer_offset_ + buffer_.size() < end) {
    const uint64_t at = buffer_offset_ + buffer_.size();
    SYN_TRY(const std::string more,
            file_->read(at, static_cast<size_t>(std::min<uint64_t>(kReadSize, limit_ - at))));
    if (more.empty()) break;
    buffer_ += more;
  }
  return std::string_view(buffer_).substr(offset - buffer_offset_, end - offset);
}

Result<ReadState> SegmentReader::read() {
  SYN_TRY(const std::string_view start_bytes, bytes_at(offset_, kRecordStartSize));
  if (start_bytes.empty()) return ReadState::kEnd;
  const auto start = parse_start(start_bytes);
  if (!start) return ReadState::kBad;
  SYN_TRY(const std::string_view bytes, bytes_at(offset_, start->size_bytes));
  if (bytes.size() != start->size_bytes || !is_intact(bytes, {header_.number, offset_})) {
    return ReadState::kBad;
  }
  record_ = bytes;
  kind_ = start->kind;
  if (!continues(bytes)) return ReadState::kBad;
  offset_ += bytes.size();
  if (kind_ != RecordKind::kBlock) group_begin_ = offset_;
  return ReadState::kRecord;
}

// Whether an intact record is the one that belongs here; takes its place in the order.
bool SegmentReader::continues(std::string_view bytes) {
  switch (kind_) {
    case RecordKind::kBlock: {
      const BlockRecord block = parse_block(bytes);
      if (block.header.group != next_group_ || block.header.block != next_block_) return false;
      previous_head_ = head_;
      head_ = block.head;
      ++next_block_;
      ++group_blocks_;
      return true;
    }
    case RecordKind::kGroup: {
      const GroupRecord group = parse_group(bytes);
      if (group.group != next_group_ || group.block_count != group_blocks_ ||
          group.size_bytes != offset_ - group_begin_ || group.head != head_) {
        return false;
      }
      ++next_group_;
      group_blocks_ = 0;
      return true;
    }
    case RecordKind::kDurable: {
      const DurableRecord durable = parse_durable(bytes);
      heads_count_ = std::max(heads_count_, durable.heads_count);
      return group_blocks_ == 0 && durable.durable < next_group_;
    }
    case RecordKind::kClose: {
      const CloseRecord close = parse_close(bytes);
      heads_count_ = std::max(heads_count_, close.heads_count);
      return group_blocks_ == 0 && close.last_group + 1 == next_group_ &&
             close.last_block + 1 == next_block_ && close.head == head_;
    }
  }
  return false;
}

Result<ReadState> SegmentReader::read_group(StoredGroup& out) {
  out.blocks.clear();
  for (;;) {
    const uint64_t offset = offset_;
    SYN_TRY(const ReadState state, read());
    if (state != ReadState::kRecord) return state;
    if (kind_ == RecordKind::kClose) return ReadState::kEnd;
    if (kind_ == RecordKind::kGroup) {
      out.record = parse_group(record_);
      out.offset = out.blocks.empty() ? offset : out.blocks.front().offset;
      return ReadState::kRecord;
    }
    if (kind_ != RecordKind::kBlock) continue;
    const BlockRecord block = parse_block(record_);
    out.blocks.push_back(
        {block.header, previous_head_, block.head, std::string(block.sealed), offset});
  }
}

Result<ReadState> SegmentReader::skip_group(GroupRecord& out) {
  for (;;) {
    SYN_TRY(const ReadState state, read());
    if (state != ReadState::kRecord) return state;
    if (kind_ == RecordKind::kClose) return ReadState::kEnd;
    if (kind_ != RecordKind::kGroup) continue;
    out = parse_group(record_);
    return ReadState::kRecord;
  }
}

Result<std::string> SegmentReader::read_rest(uint64_t offset) {
  std::string rest;
  for (;;) {
    SYN_TRY(const std::string more, file_->read(offset + rest.size(), kReadSize));
    if (more.empty()) return rest;
    rest += more;
  }
}

Result<GroupPointer> open_group(const StoredGroup& group, const SegmentHeader& segment,
                                dispatch::Dispatcher& dispatcher) {
  auto out = std::make_shared<Group>();
  out->number = group.record.group;
  for (const StoredBlock& block : group.blocks) {
    SYN_TRY(open_block(block, segment, dispatcher, *out));
  }
  return GroupPointer(std::move(out));
}

}  // namespace syncline::journal
