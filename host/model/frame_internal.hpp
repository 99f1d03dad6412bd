// The columns of a block of frames: what encode_frames writes and decode_frames reads. Private to
// the room; the bytes are described in docs/formats/frame.md.
#pragma once

#include <cstdint>

#include "host/model/frame.hpp"

namespace syncline::model {

// Permanent values. A column of lengths is directly followed by the column of their bytes.
enum class FrameColumn : uint16_t {
  kFrames = 1,
  kShapes = 2,

  kEntryShape = 10,
  kEntrySequence = 11,
  kEntryKeyHash = 12,
  kEntryKeyLength = 13,
  kEntryKey = 14,
  kEntryKind = 15,
  kEntryGeneration = 16,
  kEntryOrigin = 17,
  kEntryCommitTime = 18,
  kEntryTargetCount = 19,
  kEntryTarget = 20,
  kEntryMovedWith = 21,

  kCellVersion = 30,
  kCellBase = 31,
  kCellFingerprint = 32,
  kCellState = 33,
  kCellLength = 34,
  kCellBytes = 35,

  kRecordReference = 40,
  kRecordFlags = 41,
  kRecordShape = 42,
  kRecordKeyHash = 43,
  kRecordKeyLength = 44,
  kRecordKey = 45,
  kRecordStateLength = 46,
  kRecordState = 47,

  kConflicts = 50,
  kConfirmations = 51,
  kSkips = 52,
  kLocals = 53,
  kProgress = 54,
  kDeltas = 55,
  kDeltaBytes = 56,

  kVersionPolicy = 60,
  kVersionTime = 61,
  kVersionOrigin = 62,
  kVersionMore = 63,

  kEnd = 64,
};

// Cells of one field of one dataset stand together. A field with at least kOwnColumnCells cells, of
// the first kOwnColumnsMax fields, has a pair of columns of its own, at kOwnColumnFirst + 2 * its
// number; the others share kCellLength and kCellBytes.
inline constexpr uint16_t kOwnColumnFirst = 1000;
inline constexpr uint32_t kOwnColumnsMax = 1000;
inline constexpr uint32_t kOwnColumnCells = 64;

inline constexpr uint8_t kFrameFormat = 2;

// Beside an entry's kind: it has a moved_with.
inline constexpr uint8_t kEntryIsMoved = 0x80;

// Record flags. Permanent values.
inline constexpr uint8_t kRecordIsFull = 1;
inline constexpr uint8_t kRecordSharesCells = 2;  // with the entry that it refers to

// How many of each part a frame has, in the order in which kFrames holds them. Permanent order.
enum FramePart : uint8_t {
  kPartEntries,
  kPartConflicts,
  kPartRecords,
  kPartConfirmations,
  kPartSkips,
  kPartLocals,
  kPartDeltas,
  kPartProgress,
  kPartCount,
};

constexpr ColumnType column_type(uint16_t id) {
  if (id >= kOwnColumnFirst) return id % 2 == 0 ? ColumnType::kU32 : ColumnType::kBytes;
  switch (static_cast<FrameColumn>(id)) {
    case FrameColumn::kEntryShape:
    case FrameColumn::kEntryKeyLength:
    case FrameColumn::kEntryOrigin:
    case FrameColumn::kEntryTargetCount:
    case FrameColumn::kEntryTarget:
    case FrameColumn::kCellVersion:
    case FrameColumn::kCellBase:
    case FrameColumn::kCellLength:
    case FrameColumn::kRecordReference:
    case FrameColumn::kRecordShape:
    case FrameColumn::kRecordKeyLength:
    case FrameColumn::kRecordStateLength:
    case FrameColumn::kVersionPolicy:
    case FrameColumn::kVersionOrigin:
      return ColumnType::kU32;
    case FrameColumn::kEntrySequence:
    case FrameColumn::kEntryGeneration:
    case FrameColumn::kEntryCommitTime:
    case FrameColumn::kCellFingerprint:
    case FrameColumn::kVersionTime:
      return ColumnType::kU64;
    case FrameColumn::kEntryKind:
    case FrameColumn::kCellState:
    case FrameColumn::kRecordFlags:
      return ColumnType::kU8;
    default:
      return ColumnType::kBytes;
  }
}

// How the cells' bytes are spread over columns: the same in encode and decode, from the number of
// cells of each field alone.
constexpr bool has_own_column(uint32_t field_number, uint64_t cell_count) {
  return field_number < kOwnColumnsMax && cell_count >= kOwnColumnCells;
}
constexpr uint16_t own_column(uint32_t field_number) {
  return static_cast<uint16_t>(kOwnColumnFirst + 2 * field_number);
}

}  // namespace syncline::model
