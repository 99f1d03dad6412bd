#include <algorithm>
#include <cstring>

#include "host/journal/recovery_internal.hpp"

namespace syncline::journal {
namespace {

constexpr Digest kNoHead{};

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
Result<SegmentInfo> read_ended(Disk& disk, const SegmentReader& reader) {
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
  SegmentInfo info;
  info.number = number;
  info.first_group = reader.header().first_group;
  info.last_group = close.last_group;
  info.last_block = close.last_block;
  info.head = close.head;
  info.readable_bytes = info.size_bytes = size;
  info.closed_us = close.time_us;
  return info;
}

// Cuts the tail, writes the last record, syncs.
Result<void> end_segment(Disk& disk, Clock& clock, Tail& tail) {
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
    append_close({info.last_group, info.last_block, info.closed_us, info.head},
                 {info.number, info.size_bytes}, bytes);
    SYN_TRY(file->append(bytes));
    info.size_bytes += bytes.size();
  }
  info.readable_bytes = info.size_bytes;
  return file->sync();
}

}  // namespace

HeadsCheck::HeadsCheck(std::span<const Head> heads, uint64_t first_block) : rest_(heads) {
  while (!rest_.empty() && rest_.front().block < first_block) rest_ = rest_.subspan(1);
}

Result<void> HeadsCheck::pass(uint64_t block, const Digest& head, Place place) {
  while (!rest_.empty() && rest_.front().block <= block) {
    if (rest_.front().block == block && rest_.front().head != head) {
      return damage_at(
          place, "the hash chain differs from signed head " + std::to_string(rest_.front().index));
    }
    ++passed_count_;
    rest_ = rest_.subspan(1);
  }
  return success();
}

GroupNumber last_signed_group(std::span<const Head> heads) {
  GroupNumber last = 0;
  for (const Head& head : heads) last = std::max(last, head.group);
  return last;
}

std::optional<Head> last_released(std::span<const Head> heads) {
  const auto found = std::find_if(heads.rbegin(), heads.rend(), [](const Head& head) {
    return head.kind == HeadKind::kReleased;
  });
  return found == heads.rend() ? std::nullopt : std::optional<Head>(*found);
}

Result<std::vector<uint64_t>> list_segments(Disk& disk, std::span<const Head> heads) {
  std::vector<uint64_t> numbers;
  SYN_TRY(const auto names, disk.list(kFolder));
  for (const std::string& name : names) {
    if (const auto number = segment_number(name)) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  const auto released = last_released(heads);
  const uint64_t first = released ? released->segment + 1 : 1;
  // Released ones that a crash left are no longer of the journal.
  std::erase_if(numbers, [first](uint64_t number) { return number < first; });
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] != first + i) return damage_at({first + i, 0}, "this segment is missing");
  }
  if (numbers.empty() && !heads.empty()) return damage_at({first, 0}, "this segment is missing");
  return numbers;
}

Result<void> check_continuation(const SegmentHeader& header, GroupNumber last_group,
                                uint64_t last_block, const Digest& head) {
  if (header.first_group == last_group + 1 && header.first_block == last_block + 1 &&
      header.previous_head == head) {
    return success();
  }
  return damage_at({header.number, 0}, "it does not go on where the segment before it ended");
}

Result<bool> check_torn(SegmentReader& reader, uint64_t whole_bytes, std::span<const Head> heads) {
  const Place place{reader.header().number, reader.offset()};
  SYN_TRY(const std::string rest, reader.read_rest(place.offset));
  const GroupNumber durable = std::max(durable_in(rest, place), last_signed_group(heads));
  if (durable < reader.next_group()) return place.offset + rest.size() > whole_bytes;
  return damage_at(place, "group " + std::to_string(reader.next_group()) +
                              " was durable and is not what was written");
}

Result<Tail> scan_last(Disk& disk, SegmentReader& reader, std::span<const Head> heads) {
  const SegmentHeader& header = reader.header();
  HeadsCheck check(heads, header.first_block);
  Tail tail;
  SegmentInfo& info = tail.info;
  info.number = header.number;
  info.first_group = header.first_group;
  info.last_group = header.first_group - 1;
  info.last_block = header.first_block - 1;
  info.head = header.previous_head;
  info.size_bytes = kSegmentHeaderSize;
  for (;;) {
    const Place place{header.number, reader.offset()};
    SYN_TRY(const ReadState state, reader.read());
    if (state != ReadState::kRecord) break;
    if (tail.is_closed)
      return damage_at(place, "something stands behind the segment's last record");
    if (reader.kind() == RecordKind::kBlock) {
      SYN_TRY(check.pass(reader.next_block() - 1, reader.head(), place));
      continue;
    }
    tail.is_closed = reader.kind() == RecordKind::kClose;
    if (tail.is_closed) info.closed_us = parse_close(reader.record()).time_us;
    info.last_group = reader.next_group() - 1;
    info.last_block = reader.next_block() - 1;
    info.head = reader.head();
    info.size_bytes = reader.offset();
  }
  SYN_TRY(auto file, disk.open(segment_path(header.number), Disk::Mode::kRead));
  SYN_TRY(const bool is_torn, check_torn(reader, info.size_bytes, heads));
  if (is_torn) tail.cut_bytes = file->size() - info.size_bytes;
  if (is_torn && tail.is_closed) {
    return damage_at({header.number, info.size_bytes},
                     "something stands behind the segment's last record");
  }
  return tail;
}

Result<Recovered> recover(Disk& disk, Clock& clock, const JournalKeys& keys,
                          std::span<const Head> heads, OpenReport& report) {
  Recovered out;
  out.head = kNoHead;
  if (const auto released = last_released(heads)) {
    out.last_group = released->group;
    out.last_block = released->block;
    out.head = released->head;
    out.next_segment = released->segment + 1;
  }
  SYN_TRY(const auto numbers, list_segments(disk, heads));
  for (const uint64_t number : numbers) {
    SYN_TRY(auto reader, SegmentReader::open(disk, keys, number));
    SYN_TRY(check_continuation(reader->header(), out.last_group, out.last_block, out.head));
    SegmentInfo info;
    if (number != numbers.back()) {
      SYN_TRY(info, read_ended(disk, *reader));
    } else {
      SYN_TRY(Tail tail, scan_last(disk, *reader, heads));
      if (tail.cut_bytes > 0) {
        report.cut_bytes = tail.cut_bytes;
        report.cut_segment = segment_path(number);
        report.cut_offset = tail.info.size_bytes;
      }
      // One without groups is replaced as a whole, with a new key.
      if (tail.info.last_group < tail.info.first_group) break;
      SYN_TRY(end_segment(disk, clock, tail));
      info = std::move(tail.info);
    }
    out.last_group = info.last_group;
    out.last_block = info.last_block;
    out.head = info.head;
    out.next_segment = number + 1;
    out.segments.push_back(std::move(info));
  }
  report.last_group = out.last_group;
  return out;
}

}  // namespace syncline::journal
