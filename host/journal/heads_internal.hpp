// The file of signed heads, journal/heads: what the chain's value was after a block, signed with
// Ed25519, and which segments were released. It outlives segments; of those that are released only
// the heads that say so stay (thin). Private to the room.
//
// Owner: the journal. Threads: one at a time. Errors: kDamaged, kStorageSync, kStorageOpen; a full
// disk is no error, the head is written later.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/base/disk.hpp"
#include "host/journal/format_internal.hpp"

namespace syncline::journal {

// Permanent values.
enum class HeadKind : uint8_t {
  kHead = 1,
  kReleased = 2,  // segments up to this one are no longer needed
};

struct Head {
  HeadKind kind = HeadKind::kHead;
  uint64_t index = 0;  // from 1; without gaps behind the last kReleased
  uint64_t segment = 0;
  GroupNumber group = 0;
  uint64_t block = 0;
  int64_t time_us = 0;
  Digest head{};
};
inline constexpr size_t kHeadRecordSize = 160;

std::string encode_head(const Head& head, const JournalKeys& keys);

struct HeadsScan {
  std::vector<Head> heads;
  uint64_t count = 0;       // of all that were ever written: the last one's index
  uint64_t size_bytes = 0;  // of the whole records
  uint64_t cut_bytes = 0;   // behind them: a record that is torn, or was changed
};

enum class Signatures : uint8_t { kAll, kLast };

// Errors: kDamaged where a record does not hold and others stand behind it. Whether the last one is
// torn or was changed, check_heads_count tells.
Result<HeadsScan> read_heads(Disk& disk, const JournalKeys& keys, Signatures check);

// durable_count: how many records the segments say to be durable. Errors: kDamaged.
Result<void> check_heads_count(const HeadsScan& scan, uint64_t durable_count);

class HeadsFile {
 public:
  // Cuts what stands behind the whole records.
  static Result<std::unique_ptr<HeadsFile>> open(Disk& disk, const JournalKeys& keys,
                                                 const HeadsScan& scan);

  // Durable when it returns true; false: there was no room.
  Result<bool> append(Head head);
  // Drops the heads inside segments up to this one, which a kReleased behind them covers, once
  // there are many. Where there is no room it does nothing.
  Result<void> thin(uint64_t released_segment);
  uint64_t count() const { return count_; }

 private:
  HeadsFile(Disk& disk, std::unique_ptr<File> file, const JournalKeys& keys, uint64_t count)
      : disk_(disk), file_(std::move(file)), keys_(keys), count_(count) {}

  Disk& disk_;
  std::unique_ptr<File> file_;
  const JournalKeys keys_;
  uint64_t count_;
};

}  // namespace syncline::journal
