#include <cstring>
#include <optional>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/journal/heads_internal.hpp"

namespace syncline::journal {
namespace {

constexpr std::string_view kMagic = "SYNCHEAD";
constexpr size_t kSignedSize = kHeadRecordSize - kSignatureSize;
constexpr size_t kCheckedSize = kSignedSize - 8;  // then its checksum
constexpr size_t kThinnedLeast = 1000;            // heads that are worth writing the file anew for

Error damaged_head(uint64_t offset, const char* why) {
  Error error = damage_at({}, why);
  error.what =
      "the journal is damaged at " + std::string(kHeadsPath) + ", offset " + std::to_string(offset);
  return error;
}

Head parse(std::string_view bytes) {
  ByteReader in(bytes.substr(kMagic.size()));
  Head head;
  head.kind = static_cast<HeadKind>(in.u64());
  head.index = in.u64();
  head.segment = in.u64();
  head.group = in.u64();
  head.block = in.u64();
  head.time_us = static_cast<int64_t>(in.u64());
  const std::string_view digest = in.raw(head.head.size());
  SYN_ASSERT(digest.size() == head.head.size());
  std::memcpy(head.head.data(), digest.data(), digest.size());
  return head;
}

// last_index: of the record before it.
bool is_good(std::string_view bytes, uint64_t last_index, const JournalKeys& keys,
             bool checks_signature) {
  if (bytes.size() != kHeadRecordSize || !bytes.starts_with(kMagic)) return false;
  ByteReader stored(bytes.substr(kCheckedSize, 8));
  const Head head = parse(bytes);
  if (stored.u64() != checksum(bytes.substr(0, kCheckedSize), {0, head.index})) return false;
  if (head.index <= last_index) return false;
  if (head.kind != HeadKind::kHead && head.kind != HeadKind::kReleased) return false;
  return !checks_signature ||
         is_signed(keys.signing_seed, bytes.substr(0, kSignedSize), bytes.substr(kSignedSize));
}

}  // namespace

std::string encode_head(const Head& head, const JournalKeys& keys) {
  std::string bytes;
  ByteWriter out(bytes);
  out.raw(kMagic);
  out.u64(static_cast<uint64_t>(head.kind));
  out.u64(head.index);
  out.u64(head.segment);
  out.u64(head.group);
  out.u64(head.block);
  out.u64(static_cast<uint64_t>(head.time_us));
  out.raw(text_of(head.head));
  out.u64(checksum(bytes, {0, head.index}));
  SYN_ASSERT(bytes.size() == kSignedSize);
  bytes += sign(keys.signing_seed, bytes);
  return bytes;
}

Result<HeadsScan> read_heads(Disk& disk, const JournalKeys& keys, Signatures check) {
  HeadsScan scan;
  SYN_TRY(const bool is_there, disk.exists(kHeadsPath));
  if (!is_there) return scan;
  SYN_TRY(const std::string bytes, disk.read_all(kHeadsPath));
  std::optional<uint64_t> gap;  // where the last one ends, unless a release behind it explains it
  for (uint64_t offset = 0; offset < bytes.size(); offset += kHeadRecordSize) {
    const std::string_view record = std::string_view(bytes).substr(offset, kHeadRecordSize);
    const bool is_last = offset + kHeadRecordSize >= bytes.size();
    const bool checks_signature = is_last || check == Signatures::kAll;
    if (!is_good(record, scan.count, keys, checks_signature)) {
      if (!is_last) return damaged_head(offset, "a signed head is not what was written");
      scan.cut_bytes = record.size();
      break;
    }
    const Head head = parse(record);
    if (head.index != scan.count + 1) gap = offset;
    if (head.kind == HeadKind::kReleased) gap.reset();
    scan.heads.push_back(head);
    scan.count = head.index;
    scan.size_bytes += kHeadRecordSize;
  }
  if (gap) return damaged_head(*gap, "signed heads are missing");
  return scan;
}

Result<void> check_heads_count(const HeadsScan& scan, uint64_t durable_count) {
  if (scan.count >= durable_count) return success();
  return damaged_head(scan.size_bytes, scan.cut_bytes > 0 ? "a signed head is not what was written"
                                                          : "signed heads are missing");
}

Result<std::unique_ptr<HeadsFile>> HeadsFile::open(Disk& disk, const JournalKeys& keys,
                                                   const HeadsScan& scan) {
  SYN_TRY(auto file, disk.open(kHeadsPath, Disk::Mode::kAppend));
  if (scan.cut_bytes > 0) {
    SYN_TRY(file->truncate(scan.size_bytes));
  }
  SYN_TRY(disk.sync_folder(kFolder));
  return std::unique_ptr<HeadsFile>(new HeadsFile(disk, std::move(file), keys, scan.count));
}

Result<bool> HeadsFile::append(Head head) {
  head.index = count_ + 1;
  const uint64_t size = file_->size();
  const Result<void> written = file_->append(encode_head(head, keys_));
  if (!written.has_value()) {
    if (written.error().code != ErrorCode::kStorageFull) return written.error();
    SYN_TRY(file_->truncate(size));
    return false;
  }
  SYN_TRY(file_->sync());
  ++count_;
  return true;
}

Result<void> HeadsFile::thin(uint64_t released_segment) {
  SYN_TRY(const std::string bytes, disk_.read_all(kHeadsPath));
  std::string kept;
  for (uint64_t offset = 0; offset + kHeadRecordSize <= bytes.size(); offset += kHeadRecordSize) {
    const std::string_view record = std::string_view(bytes).substr(offset, kHeadRecordSize);
    const Head head = parse(record);
    if (head.kind == HeadKind::kReleased || head.segment > released_segment) kept += record;
  }
  if (bytes.size() - kept.size() < kThinnedLeast * kHeadRecordSize) return success();
  Result<void> replaced = disk_.replace(kHeadsPath, kept);
  if (!replaced.has_value() && replaced.error().code != ErrorCode::kStorageFull) return replaced;
  SYN_TRY(file_, disk_.open(kHeadsPath, Disk::Mode::kAppend));
  return success();
}

}  // namespace syncline::journal
