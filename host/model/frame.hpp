// A frame: everything that one lane step journals. Whole or cut, never half.
//
// The record states in it are physical (the lane's own encoding of a record after the step), so a
// restart replays a frame by storing them: the same bytes by construction. Values travel in the
// entries.
//
// Threads: values; a committed frame is shared as shared_ptr<const Frame>.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/entry.hpp"

namespace syncline::model {

// Names by PostgreSQL 18. Permanent values.
enum class ConflictType : uint8_t {
  kInsertExists = 1,
  kUpdateOriginDiffers = 2,
  kUpdateExists = 3,
  kUpdateMissing = 4,
  kDeleteOriginDiffers = 5,
  kDeleteMissing = 6,
  kMultipleUniqueConflicts = 7,
};

// Permanent values.
enum class ConflictOutcome : uint8_t {
  kArrivingWins = 1,   // the change that came in replaced a value its writer had not seen
  kAcceptedStays = 2,  // the change that came in lost
  kRecordStays = 3,    // update_wins: a delete did not end the record
  kRecordEnds = 4,     // delete_wins: values were lost with their record
  kHeld = 5,           // stop: nobody wins until conflicts re-decide
};

struct ConflictSide {
  SystemId system = 0;
  Version version;
  CellState state = CellState::kUnchanged;
  std::string bytes;
  bool operator==(const ConflictSide&) const = default;
};

struct Conflict {
  DatasetId dataset = 0;
  KeyHash key_hash;
  std::string key;
  FieldIndex field = 0;
  ConflictType type = ConflictType::kUpdateOriginDiffers;
  ConflictOutcome outcome = ConflictOutcome::kArrivingWins;
  ConflictSide winner;
  ConflictSide loser;
  std::string policy;  // as the config wrote it: "newest", "erp, shop"
  int64_t time_us = 0;
  bool operator==(const Conflict&) const = default;
};

// The lane's encoding of a record after this step: generation, versions, what systems were shown.
struct RecordImage {
  DatasetId dataset = 0;
  KeyHash key_hash;
  std::string key;
  std::string state;     // core::encode(RecordState)
  CellList cells;        // accepted cells this step changed, for the shadow's values
  bool is_full = false;  // cells hold every field: nothing older is needed
  bool operator==(const RecordImage&) const = default;
};

struct Confirmation {  // the log of `system` showed our marker
  SystemId system = 0;
  StreamId stream = 0;
  uint32_t epoch = 0;
  Sequence sequence = 0;
  bool operator==(const Confirmation&) const = default;
};

// A target would not take this entry; it waits in quarantine. No reason: it is passed over, and
// what was in quarantine of it is gone.
struct Skip {
  SystemId target = 0;
  DatasetId dataset = 0;
  KeyHash key_hash;
  std::string key;
  Sequence sequence = 0;
  std::string reason;
  bool operator==(const Skip&) const = default;
};

// In place of an entry's: the target's row under this key is another record's, none of it is taken.
inline constexpr Sequence kApartSequence = ~Sequence{0} - 1;

struct TableDelta {  // what detect found, for the fingerprint table of (system, dataset)
  SystemId system = 0;
  DatasetId dataset = 0;
  std::string bytes;  // the engine's delta, this lane's part (kernels/contract)
  bool operator==(const TableDelta&) const = default;
};

struct SourceProgress {  // everything of this system up to here has been through this lane
  SystemId system = 0;
  Position position;
  std::string snapshot_cursor;  // of the first sync, while it goes on
  bool operator==(const SourceProgress&) const = default;
};

struct LocalCell {  // two systems that never agree on a cell: each keeps its own
  DatasetId dataset = 0;
  KeyHash key_hash;
  FieldIndex field = 0;
  SystemId system = 0;
  bool operator==(const LocalCell&) const = default;
};

// What memory_size() said of a frame that changes no more: many ask. No part of its value.
struct KnownSize {
  size_t bytes = 0;  // 0: nobody has counted
  bool operator==(const KnownSize&) const { return true; }
};

struct Frame {
  LaneIndex lane = 0;
  uint64_t number = 0;  // of this lane's frames, from 1, without gaps
  int64_t time_us = 0;  // the arrival time the step was given
  std::vector<Entry> entries;
  std::vector<Conflict> conflicts;
  std::vector<RecordImage> records;
  std::vector<Confirmation> confirmations;
  std::vector<Skip> skips;
  std::vector<LocalCell> locals;
  std::vector<TableDelta> deltas;
  std::vector<SourceProgress> progress;
  KnownSize known_size;

  bool operator==(const Frame&) const = default;
  bool is_empty() const;
};

// What it holds of the machine's memory, nearly: for limits of what waits.
size_t memory_size(const Frame& frame);

using FramePointer = std::shared_ptr<const Frame>;
// From here on it does not change, and knows its size.
FramePointer share(Frame&& frame);

// The serial form of frames, in columns (docs/formats/frame.md): a list of typed column chunks,
// ready for the engine's seal.
// Permanent values.
enum class ColumnType : uint8_t { kBytes = 0, kU8 = 1, kU32 = 2, kU64 = 3 };

struct Column {
  uint16_t id = 0;  // permanent: which part of the frame this is
  ColumnType type = ColumnType::kBytes;
  std::string bytes;
};

std::vector<Column> encode_frames(std::span<const FramePointer> frames);
// Errors: kDamaged. Never reads outside the columns, whatever they hold.
Result<std::vector<FramePointer>> decode_frames(std::span<const Column> columns);

}  // namespace syncline::model
