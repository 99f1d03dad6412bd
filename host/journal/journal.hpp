// The journal: the durable, ordered, sealed log of accepted changes; queue for every target, audit
// trail, and what a restart rebuilds the lanes from.
//
//   append(frames)   the frames of all lanes one step touched, as one group: encoded in columns,
//                    sealed on an engine, hash-chained, written to the current segment. Not
//                    durable.
//   commit()         one fdatasync for every group appended so far; then, and only then, readers
//                    see them. Returns the number of the last durable group.
//   Cursor           reads committed frames in append order, from memory while they are recent,
//                    else from the segments.
//
// On disk (docs/formats/journal.md): segments of blocks; a block is frames of one lane or more,
// sealed; a group of blocks ends with a group record; SHA-256 chain over previous head, header,
// tag. Owner: the pipeline appends and commits; deliveries and links own cursors. Threads: append
// from one thread; commit from one (maybe other) thread, beside it; the rest from any; a cursor
// from one at a time. Errors: kStorageFull (nothing of the group counts; the tail is cut),
// kStorageSync (the process must stop; every later append, commit and release says so again),
// kDamaged naming segment and offset.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/disk.hpp"
#include "host/base/random.hpp"
#include "host/base/result.hpp"
#include "host/base/work_pool.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/model/frame.hpp"

namespace syncline::journal {

struct Options {
  uint64_t segment_size_bytes = 64u << 20;
  uint64_t limit_bytes = 16ull << 30;  // beyond it segments go before they are old
  int64_t retain_us = 7ll * 24 * 3600 * 1'000'000;
  size_t recent_size_bytes = 48u << 20;  // committed frames kept in memory for cursors
  uint32_t heads_every_blocks = 1000;    // a signed head at the latest then,
  int64_t heads_every_us = 60'000'000;   // or then
  WorkPool* pool = nullptr;  // seals the blocks of a group; null: the appending thread does
};

// A committed group's place, from 1, without gaps. Cursors, shadow and tables speak of it.
using GroupNumber = uint64_t;

struct Group {
  GroupNumber number = 0;
  std::vector<model::FramePointer> frames;
};
using GroupPointer = std::shared_ptr<const Group>;

class Cursor {
 public:
  virtual ~Cursor() = default;
  // The next committed group, or null when there is none yet. Errors: kDamaged, kStorageOpen.
  virtual Result<GroupPointer> next() = 0;
  virtual GroupNumber position() const = 0;  // of the last group returned
};

struct Stats {
  uint64_t size_bytes = 0;
  uint64_t segment_count = 0;
  GroupNumber appended = 0;
  GroupNumber committed = 0;
  uint64_t frame_bytes_total = 0;   // before sealing
  uint64_t sealed_bytes_total = 0;  // after
};

class Journal {
 public:
  virtual ~Journal() = default;
  // Returns the group's number; without frames nothing is written and it is the last one's.
  // REQUIRES: the frames of one lane stand in the order of their numbers, without gaps.
  virtual Result<GroupNumber> append(std::span<const model::FramePointer> frames) = 0;
  virtual Result<GroupNumber> commit() = 0;
  // Reads from behind `after`. The cursor must not outlive the journal. Errors: kDamaged where
  // those groups are gone.
  virtual Result<std::unique_ptr<Cursor>> open_cursor(GroupNumber after) = 0;
  // Segments that hold only groups up to this one may go, once they are older than retain, or where
  // the journal is beyond its limit.
  virtual Result<void> release(GroupNumber up_to) = 0;
  // Whether its segments, without the one that is being written, fit into limit_bytes.
  virtual bool is_within_limit() const = 0;
  virtual Stats stats() const = 0;
  virtual std::string head() const = 0;  // the chain's value after the last committed block
};

struct OpenReport {
  uint64_t cut_bytes = 0;   // of a torn tail; 0: nothing was cut
  std::string cut_segment;  // its path
  uint64_t cut_offset = 0;  // where it began
  GroupNumber last_group = 0;
};
// Opens or creates the journal in folder "journal" of the disk. The keys that wrap the data keys
// and sign the heads are derived from wrapping_key, the master key's 32 bytes. Cuts and reports a
// torn tail; damage that it meets anywhere else is kDamaged (older segments are read in full by
// cursors and audit only). REQUIRES: the folder's lock is held.
Result<std::unique_ptr<Journal>> open_journal(Disk& disk, Clock& clock, Random& random,
                                              dispatch::Dispatcher& dispatcher,
                                              std::string_view wrapping_key, const Options& options,
                                              OpenReport& report);

// Reads every segment, checks frames, tags, chain and signed heads. Errors: kDamaged naming the
// first place that does not hold. For `syncline audit verify`; needs no lock, changes nothing.
struct AuditReport {
  uint64_t segment_count = 0;
  uint64_t block_count = 0;
  uint64_t entry_count = 0;
  uint64_t signed_head_count = 0;
  uint64_t tail_bytes = 0;  // behind the last group: torn, or being written just now
  std::string head;
};
Result<AuditReport> audit(Disk& disk, dispatch::Dispatcher& dispatcher,
                          std::string_view wrapping_key);

}  // namespace syncline::journal
