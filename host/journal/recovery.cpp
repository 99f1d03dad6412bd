#include <algorithm>
#include <cstring>

#include "host/journal/recovery_internal.hpp"

namespace syncline::journal {
namespace {

// The highest group that any intact record in these bytes says to be durable. They may begin
// anywhere, so every place is tried.
GroupNumber durable_in(std::string_view bytes, Place place) {
  GroupNumber durable = 0;
  for (size_t at = 0; at + kRecordStartSize <= bytes.size(); ++at) {
    const void* const found = std::memchr(bytes.data() + at, 'S', bytes.size() - at);
    if (found == nullptr) break;
    at = static_cast<size_t>(static_cast<const char*>(found) - bytes.data());
    const std::string_view rest = bytes.substr(at);
    const auto start = parse_start(rest);
    if (!start || start->size_bytes > rest.size()) continue;
    const std::string_view record = rest.substr(0, start->size_bytes);
    if (!is_intact(record, {place.segment, place.offset + at})) continue;
    durable = std::max(durable, durable_by(record));
  }
  return durable;
}

// An ended segment by its header and its last record; the groups inside are for cursors and audit.
Result<Tail> read_ended(Disk& disk, const SegmentReader& reader) {
  const uint64_t number = reader.header().number;
  SYN_TRY(auto file, disk.open(segment_path(number), Disk::Mode::kRead));
  const uint64_t size = file->size();
  const uint64_t at = size - std::min<uint64_t>(size, kCloseRecordSize);
  const Place place{number, at};
  SYN_TRY(const std::string bytes, file->read(at, kCloseRecordSize));
  const auto start = parse_start(bytes);
  if (!start || start->kind != RecordKind::kClose || bytes.size() != start->size_bytes ||
      !is_intact(bytes, place)) {
    return damage_at(place, "a segment that others follow does not end with its last record");
  }
  const CloseRecord close = parse_close(bytes);
  Tail tail;
  tail.is_closed = true;
  tail.heads_count = close.heads_count;
  SegmentInfo& info = tail.info;
  info.number = number;
  info.first_group = reader.header().first_group;
  info.last_group = close.last_group;
  info.last_block = close.last_block;
  info.head = close.head;
  info.readable_bytes = info.size_bytes = size;
  info.closed_us = close.time_us;
  return tail;
}

// Cuts the tail, writes the last record, syncs.
Result<void> end_segment(Disk& disk, Clock& clock, uint64_t heads_count, Tail& tail) {
  SegmentInfo& info = tail.info;
  SYN_TRY(auto file, disk.open(segment_path(info.number), Disk::Mode::kAppend));
  if (tail.cut_bytes > 0) {
    SYN_TRY(file->truncate(info.size_bytes));
  }
  if (!tail.is_closed) {
    // First all groups, then the record that says that they were durable.
    SYN_TRY(file->sync());
    info.closed_us = clock.now_us();
    std::string bytes;
    append_close({info.last_group, info.last_block, heads_count, info.closed_us, info.head},
                 {info.number, info.size_bytes}, bytes);
    SYN_TRY(file->append(bytes));
    info.size_bytes += bytes.size();
  }
  info.readable_bytes = info.size_bytes;
  return file->sync();
}

}  // namespace

HeadsCheck::HeadsCheck(std::span<const Head> heads, uint64_t first_block) {
  for (const Head& head : heads) {
    if (head.kind == HeadKind::kHead && head.block >= first_block) heads_.push_back(head);
  }
}

Result<void> HeadsCheck::pass(uint64_t block, const Digest& head, Place place) {
  for (; next_ < heads_.size() && heads_[next_].block <= block; ++next_) {
    if (heads_[next_].block == block && heads_[next_].head != head) {
      return damage_at(
          place, "the hash chain differs from signed head " + std::to_string(heads_[next_].index));
    }
  }
  return success();
}

GroupNumber last_signed_group(std::span<const Head> heads) {
  GroupNumber last = 0;
  for (const Head& head : heads) last = std::max(last, head.group);
  return last;
}

uint64_t last_signed_block(std::span<const Head> heads) {
  uint64_t last = 0;
  for (const Head& head : heads) last = std::max(last, head.block);
  return last;
}

std::optional<Head> last_released(std::span<const Head> heads) {
  const auto found = std::find_if(heads.rbegin(), heads.rend(), [](const Head& head) {
    return head.kind == HeadKind::kReleased;
  });
  return found == heads.rend() ? std::nullopt : std::optional<Head>(*found);
}

Result<void> check_key(Disk& disk, const JournalKeys& keys) {
  SYN_TRY(const auto names, disk.list(kFolder));
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (!number) continue;
    const auto reader = SegmentReader::open(disk, keys, *number);
    if (reader.has_value()) return success();
    if (reader.error().code != ErrorCode::kDamaged) return reader.error();
  }
  return success();
}

Result<SegmentList> list_segments(Disk& disk, std::span<const Head> heads) {
  const auto released = last_released(heads);
  const uint64_t first = released ? released->segment + 1 : 1;
  SegmentList list;
  SYN_TRY(const auto names, disk.list(kFolder));
  for (const std::string& name : names) {
    const auto number = segment_number(name);
    if (number) (*number < first ? list.leftover : list.numbers).push_back(*number);
  }
  std::sort(list.numbers.begin(), list.numbers.end());
  for (size_t i = 0; i < list.numbers.size(); ++i) {
    if (list.numbers[i] != first + i) return damage_at({first + i, 0}, "this segment is missing");
  }
  if (list.numbers.empty() && !heads.empty()) {
    return damage_at({first, 0}, "this segment is missing");
  }
  return list;
}

Result<void> check_continuation(const SegmentHeader& header, GroupNumber last_group,
                                uint64_t last_block, const Digest& head) {
  if (header.first_group == last_group + 1 && header.first_block == last_block + 1 &&
      header.previous_head == head) {
    return success();
  }
  return damage_at({header.number, 0}, "it does not go on where the segment before it ended");
}

Result<uint64_t> check_tail(SegmentReader& reader, std::span<const Head> heads) {
  const Place place{reader.header().number, reader.offset()};
  SYN_TRY(const std::string rest, reader.read_rest(place.offset));
  const GroupNumber durable = std::max(durable_in(rest, place), last_signed_group(heads));
  if (durable < reader.next_group()) return place.offset + rest.size() - reader.whole_bytes();
  return damage_at(place, "group " + std::to_string(reader.next_group()) +
                              " was durable and is not what was written");
}

Result<Tail> scan_last(SegmentReader& reader, std::span<const Head> heads) {
  const SegmentHeader& header = reader.header();
  HeadsCheck check(heads, header.first_block);
  Tail tail;
  SegmentInfo& info = tail.info;
  info.number = header.number;
  info.first_group = header.first_group;
  info.last_group = header.first_group - 1;
  info.last_block = header.first_block - 1;
  info.head = header.previous_head;
  while (!tail.is_closed) {
    const Place place{header.number, reader.offset()};
    SYN_TRY(const ReadState state, reader.read());
    if (state != ReadState::kRecord) break;
    if (reader.kind() == RecordKind::kBlock) {
      SYN_TRY(check.pass(reader.next_block() - 1, reader.head(), place));
      continue;
    }
    tail.is_closed = reader.kind() == RecordKind::kClose;
    if (tail.is_closed) info.closed_us = parse_close(reader.record()).time_us;
    info.last_group = reader.next_group() - 1;
    info.last_block = reader.next_block() - 1;
    info.head = reader.head();
  }
  info.size_bytes = reader.whole_bytes();
  tail.heads_count = reader.heads_count();
  SYN_TRY(tail.cut_bytes, check_tail(reader, heads));
  if (tail.is_closed && tail.cut_bytes > 0) {
    return damage_at({header.number, info.size_bytes},
                     "something stands behind the segment's last record");
  }
  return tail;
}

Result<Recovered> recover(Disk& disk, Clock& clock, const JournalKeys& keys, const HeadsScan& heads,
                          OpenReport& report) {
  Recovered out;
  if (const auto released = last_released(heads.heads)) {
    out.last_group = released->group;
    out.last_block = released->block;
    out.head = released->head;
    out.next_segment = released->segment + 1;
  }
  SYN_TRY(const SegmentList list, list_segments(disk, heads.heads));
  for (const uint64_t number : list.numbers) {
    const bool is_last = number == list.numbers.back();
    SYN_TRY(auto reader, SegmentReader::open(disk, keys, number));
    SYN_TRY(check_continuation(reader->header(), out.last_group, out.last_block, out.head));
    SYN_TRY(Tail tail, is_last ? scan_last(*reader, heads.heads) : read_ended(disk, *reader));
    SYN_TRY(check_heads_count(heads, tail.heads_count));
    if (tail.cut_bytes > 0) {
      report.cut_bytes = tail.cut_bytes;
      report.cut_segment = segment_path(number);
      report.cut_offset = tail.info.size_bytes;
    }
    // One without groups is replaced as a whole, with a new key.
    if (tail.info.last_group < tail.info.first_group) break;
    if (is_last) {
      SYN_TRY(end_segment(disk, clock, heads.count, tail));
    }
    out.last_group = tail.info.last_group;
    out.last_block = tail.info.last_block;
    out.head = tail.info.head;
    out.next_segment = number + 1;
    out.segments.push_back(std::move(tail.info));
  }
  for (const uint64_t number : list.leftover) {
    SYN_TRY(disk.remove(segment_path(number)));
  }
  report.last_group = out.last_group;
  return out;
}

}  // namespace syncline::journal
