// The file of signed heads, journal/heads: what the chain's value was after a block, signed with
// Ed25519, and which segments were released. It outlives segments. Private to the room.
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
  uint64_t index = 0;  // in the file, from 1, without gaps
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
  uint64_t size_bytes = 0;  // of the whole records
  uint64_t cut_bytes = 0;   // behind them: a torn record
};

enum class Signatures : uint8_t { kAll, kLast };

// Errors: kDamaged where a record does not hold and it is not the torn tail.
Result<HeadsScan> read_heads(Disk& disk, const JournalKeys& keys, Signatures check);

class HeadsFile {
 public:
  // Cuts a torn tail.
  static Result<std::unique_ptr<HeadsFile>> open(Disk& disk, const JournalKeys& keys);

  // Durable when it returns true; false: there was no room.
  Result<bool> append(Head head);
  uint64_t size_bytes() const { return file_->size(); }
  const std::vector<Head>& known() const { return known_; }  // as they were when it was opened

 private:
  HeadsFile(std::unique_ptr<File> file, const JournalKeys& keys, std::vector<Head> known);

  std::unique_ptr<File> file_;
  const JournalKeys keys_;
  const std::vector<Head> known_;
  uint64_t next_index_;
};

}  // namespace syncline::journal
