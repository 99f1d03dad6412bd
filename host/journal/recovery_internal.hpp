// What a journal folder holds when it is opened: its segments, where its last group ends, and
// whether what stands behind is a torn tail or damage. Private to the room.
//
// Threads: pure functions over the disk. Errors: kDamaged, kFormat, kKeyFile, those of the disk.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/disk.hpp"
#include "host/journal/heads_internal.hpp"
#include "host/journal/segment_reader_internal.hpp"

namespace syncline::journal {

// A place in a segment where a group begins, and what a reader must know to begin there.
struct IndexEntry {
  GroupNumber group = 0;
  uint64_t offset = 0;
  uint64_t block = 0;  // of its first block
  Digest head{};       // of the chain before it
};

struct SegmentInfo {
  uint64_t number = 0;
  GroupNumber first_group = 1;
  GroupNumber last_group = 0;  // first_group - 1: none
  uint64_t last_block = 0;
  Digest head{};                // of the chain after it
  uint64_t readable_bytes = 0;  // cursors read up to here
  uint64_t size_bytes = 0;
  int64_t closed_us = 0;          // when it was ended; 0: it is the current one
  std::vector<IndexEntry> index;  // only of segments written by this process
};

// Compares the chain with the signed heads that fall into it.
class HeadsCheck {
 public:
  // From this block on.
  HeadsCheck(std::span<const Head> heads, uint64_t first_block);
  // After a block, with its place. Errors: kDamaged.
  Result<void> pass(uint64_t block, const Digest& head, Place place);

 private:
  std::vector<Head> heads_;  // by block
  size_t next_ = 0;
};

GroupNumber last_signed_group(std::span<const Head> heads);
uint64_t last_signed_block(std::span<const Head> heads);
std::optional<Head> last_released(std::span<const Head> heads);

// Whether this is the key file that the segments were written with; asked first, because with
// another one every signature and tag looks damaged. Errors: kKeyFile, kFormat.
Result<void> check_key(Disk& disk, const JournalKeys& keys);

struct SegmentList {
  std::vector<uint64_t> numbers;   // in order, without gaps
  std::vector<uint64_t> leftover;  // released ones that a crash left: no longer of the journal
};
// Errors: kDamaged where one is missing or the first one is not the one behind the last released.
Result<SegmentList> list_segments(Disk& disk, std::span<const Head> heads);

// Whether a segment goes on where the one before (or the released ones) ended. Errors: kDamaged.
Result<void> check_continuation(const SegmentHeader& header, GroupNumber last_group,
                                uint64_t last_block, const Digest& head);

// How many bytes of a torn tail stand behind what is whole, once a read gave kBad or kEnd. Errors:
// kDamaged where something behind it or a signed head says that those groups were durable.
Result<uint64_t> check_tail(SegmentReader& reader, std::span<const Head> heads);

struct Tail {
  SegmentInfo info;  // size_bytes: up to where it is whole
  bool is_closed = false;
  uint64_t heads_count = 0;  // that were durable
  uint64_t cut_bytes = 0;    // torn: behind size_bytes
};
// Reads the last segment to its end. Errors: kDamaged where what does not hold is no torn tail.
Result<Tail> scan_last(SegmentReader& reader, std::span<const Head> heads);

struct Recovered {
  std::vector<SegmentInfo> segments;  // all ended, all with groups
  GroupNumber last_group = 0;
  uint64_t last_block = 0;
  Digest head{};
  uint64_t next_segment = 1;
};
// Cuts a torn tail, ends the last segment and makes all of it durable.
Result<Recovered> recover(Disk& disk, Clock& clock, const JournalKeys& keys, const HeadsScan& heads,
                          OpenReport& report);

}  // namespace syncline::journal
