#include <cstring>

#include "host/base/assert.hpp"
#include "host/base/bytes.hpp"
#include "host/journal/heads_internal.hpp"

namespace syncline::journal {
namespace {

constexpr std::string_view kMagic = "SYNCHEAD";
constexpr size_t kSignedSize = kHeadRecordSize - kSignatureSize;

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

// What a write that did not come to its end leaves: too few bytes, or zeros up to the end.
bool is_torn(std::string_view last) {
  return last.size() < kHeadRecordSize ||
         last.substr(kHeadRecordSize - 8).find_first_not_of('\0') == std::string_view::npos;
}

bool is_good(std::string_view bytes, uint64_t index, const JournalKeys& keys,
             bool checks_signature) {
  if (!bytes.starts_with(kMagic)) return false;
  const Head head = parse(bytes);
  if (head.index != index) return false;
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
  out.u64(0);
  SYN_ASSERT(bytes.size() == kSignedSize);
  bytes += sign(keys.signing_seed, bytes);
  return bytes;
}

Result<HeadsScan> read_heads(Disk& disk, const JournalKeys& keys, Signatures check) {
  HeadsScan scan;
  SYN_TRY(const bool is_there, disk.exists(kHeadsPath));
  if (!is_there) return scan;
  SYN_TRY(const std::string bytes, disk.read_all(kHeadsPath));
  for (uint64_t offset = 0; offset < bytes.size(); offset += kHeadRecordSize) {
    const std::string_view record = std::string_view(bytes).substr(offset, kHeadRecordSize);
    const bool is_last = offset + kHeadRecordSize >= bytes.size();
    if (is_last && is_torn(record)) {
      scan.cut_bytes = record.size();
      break;
    }
    const bool checks_signature = is_last || check == Signatures::kAll;
    if (!is_good(record, scan.heads.size() + 1, keys, checks_signature)) {
      return damaged_head(offset, "a signed head is not what was written");
    }
    scan.heads.push_back(parse(record));
    scan.size_bytes += kHeadRecordSize;
  }
  return scan;
}

HeadsFile::HeadsFile(std::unique_ptr<File> file, const JournalKeys& keys, std::vector<Head> known)
    : file_(std::move(file)),
      keys_(keys),
      known_(std::move(known)),
      next_index_(known_.size() + 1) {}

Result<std::unique_ptr<HeadsFile>> HeadsFile::open(Disk& disk, const JournalKeys& keys) {
  SYN_TRY(HeadsScan scan, read_heads(disk, keys, Signatures::kLast));
  SYN_TRY(auto file, disk.open(kHeadsPath, Disk::Mode::kAppend));
  if (scan.cut_bytes > 0) {
    SYN_TRY(file->truncate(scan.size_bytes));
  }
  SYN_TRY(disk.sync_folder(kFolder));
  return std::unique_ptr<HeadsFile>(new HeadsFile(std::move(file), keys, std::move(scan.heads)));
}

Result<bool> HeadsFile::append(Head head) {
  head.index = next_index_;
  const uint64_t size = file_->size();
  const Result<void> written = file_->append(encode_head(head, keys_));
  if (!written.has_value()) {
    if (written.error().code != ErrorCode::kStorageFull) return written.error();
    SYN_TRY(file_->truncate(size));
    return false;
  }
  SYN_TRY(file_->sync());
  ++next_index_;
  return true;
}

}  // namespace syncline::journal
