// Writes the current segment. Private to the room.
//
// Threads: sync() from any, beside the rest, which is for one at a time. Errors: kStorageFull
// leaves the segment as it was; any other error means that its end is not known.
#pragma once

#include <memory>
#include <string>

#include "host/base/clock.hpp"
#include "host/base/disk.hpp"
#include "host/base/random.hpp"
#include "host/journal/format_internal.hpp"

namespace syncline::journal {

class SegmentWriter {
 public:
  // A new segment with a new data key; durable with its header. header: all but the key's parts.
  static Result<std::unique_ptr<SegmentWriter>> create(Disk& disk, Random& random,
                                                       const JournalKeys& keys,
                                                       SegmentHeader header);

  const SegmentHeader& header() const { return header_; }
  uint64_t size_bytes() const { return file_->size(); }
  Place place() const { return {header_.number, size_bytes()}; }

  // All of it or, on kStorageFull, nothing.
  Result<void> append(std::string_view bytes);
  Result<void> truncate(uint64_t size_bytes) { return file_->truncate(size_bytes); }
  Result<void> sync() { return file_->sync(); }

  // The counter for a seal that uses at most this many nonces; never given twice.
  uint64_t reserve_nonces(uint64_t count);
  // The last ones reserved from this one on were not used.
  void return_nonces(uint64_t first_unused) { next_nonce_ = first_unused; }

 private:
  SegmentWriter(std::unique_ptr<File> file, const SegmentHeader& header)
      : file_(std::move(file)), header_(header) {}

  const std::unique_ptr<File> file_;
  const SegmentHeader header_;
  uint64_t next_nonce_ = 0;
};

}  // namespace syncline::journal
