#include <cstring>

#include "host/journal/segment_writer_internal.hpp"

namespace syncline::journal {

Result<std::unique_ptr<SegmentWriter>> SegmentWriter::create(Disk& disk, Random& random,
                                                             const JournalKeys& keys,
                                                             SegmentHeader header) {
  random.fill(header.data_key);
  const uint64_t prefix = random.u64();
  header.nonce_prefix = static_cast<uint32_t>(prefix);
  std::string wrap_nonce(kWrapNonceSize, '\0');
  random.fill({reinterpret_cast<uint8_t*>(wrap_nonce.data()), wrap_nonce.size()});
  const std::string path = segment_path(header.number);
  SYN_TRY(disk.replace(path, encode_segment_header(header, keys, wrap_nonce)));
  SYN_TRY(auto file, disk.open(path, Disk::Mode::kAppend));
  return std::unique_ptr<SegmentWriter>(new SegmentWriter(std::move(file), header));
}

Result<void> SegmentWriter::append(std::string_view bytes) {
  const uint64_t size = file_->size();
  const Result<void> written = file_->append(bytes);
  if (written.has_value()) return success();
  SYN_TRY(file_->truncate(size));
  return written;
}

uint64_t SegmentWriter::reserve_nonces(uint64_t count) {
  const uint64_t first = next_nonce_;
  next_nonce_ += count;
  return first;
}

}  // namespace syncline::journal
