// The lane: a pure state machine that decides what one source transaction means for the records of
// one lane. Inputs in, a frame out.
//
// It does no I/O, reads no clock, draws no random number; the same inputs give the same frames on
// every appliance and in the simulator. Reads come before a step (needs(), RecordSet), writes after
// it (the frame). tests/model/core-model.py is its executable model: merge, change, confirm.
//
// Threads: one at a time per Lane. Errors: none; a step cannot fail.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "host/core/record.hpp"
#include "host/core/rules.hpp"
#include "host/model/cell.hpp"
#include "host/model/frame.hpp"

namespace syncline::core {

inline constexpr int64_t kFutureLimitUs = 300'000'000;  // a time further ahead is clamped, reported
inline constexpr uint32_t kCorrectionRoundsMax = 3;

struct RecordId {
  model::DatasetId dataset = 0;
  model::KeyHash key_hash;
  auto operator<=>(const RecordId&) const = default;
};

struct RecordIdHasher {
  size_t operator()(const RecordId& id) const { return id.key_hash.low ^ id.dataset; }
};

// A record as loaded for a step. values: accepted canonical cells by value field; loaded only where
// needs() asked for them.
struct LoadedRecord {
  RecordState state;
  std::optional<std::vector<model::Cell>> values;
};

using RecordSet = std::unordered_map<RecordId, LoadedRecord, RecordIdHasher>;

enum class RowOp : uint8_t {
  kInsert,    // cells: every value field
  kUpdate,    // cells: those that changed at the system
  kDelete,    // cells: none
  kSnapshot,  // a row of a first sync or scan without a log: cells: every value field
  kMissing,   // the end of a first sync: this system does not have this record
};

struct RowCell {
  model::FieldIndex field = 0;
  model::CellState state = model::CellState::kNull;
  std::string_view bytes;
  uint64_t fingerprint = 0;
  // Differs from what this system showed before. Rows of ours name every cell that is known, for
  // the comparison with what we wrote: a system may have turned our value back into its old one,
  // which is a correction though nothing changed. A cell of theirs that did not change and that we
  // did not write means nothing.
  bool is_changed = true;
};

struct Row {
  model::DatasetId dataset = 0;
  model::KeyHash key_hash;
  std::string_view key;
  RowOp op = RowOp::kUpdate;
  bool is_ours = false;  // inside a transaction that moved our marker
  int64_t commit_time_us = 0;
  int64_t time_resolution_us = 1;
  std::vector<RowCell> cells;
};

struct Marker {
  model::StreamId stream = 0;
  uint32_t epoch = 0;
  model::Sequence sequence = 0;
};

// From a peer's journal: the state it reached, to be joined with ours.
struct Joined {
  const model::Entry* entry = nullptr;
};

using Item = std::variant<Row, Marker, Joined>;

// One source transaction's part in this lane, in log order; or what delivery skipped.
struct Input {
  model::SystemId system = 0;
  int64_t now_us = 0;
  model::Position position;
  std::string snapshot_cursor;
  std::vector<Item> items;
  std::vector<model::Skip> skips;
};

struct Need {
  RecordId id;
  bool needs_values = false;
};

class Lane {
 public:
  // rules outlives the lane and changes only between steps.
  Lane(model::LaneIndex index, const Rules& rules);

  // The records that step(input) will touch, those confirmed by its markers included. Values are
  // asked for by value_needs once the states are loaded.
  std::vector<RecordId> needs(const Input& input) const;
  // REQUIRES: records holds every needs(input).
  std::vector<RecordId> value_needs(const Input& input, const RecordSet& records) const;

  // Decides. Changes the states (and loaded values) in records to those after the step.
  // REQUIRES: records holds every needs(input), with values for every value_needs(input).
  model::Frame step(const Input& input, RecordSet& records);

  // The epoch whose markers count for a system; markers of another are ignored.
  void set_epoch(model::SystemId system, uint32_t epoch);

  // Restart: takes over a frame that the journal holds, as step left it. The frames of a lane come
  // in order of their numbers. (The record images in it are the shadow's business.)
  void replay(const model::Frame& frame);

  // What is in flight to a system at a (stream): for metrics and tests.
  size_t in_flight_count(model::SystemId system, model::StreamId stream) const;
  model::Sequence last_sequence(model::StreamId stream) const;
  model::Sequence confirmed(model::SystemId system, model::StreamId stream) const;
  uint64_t last_frame_number() const;

 private:
  friend class Step;
  struct Flow {  // of one (system, stream)
    std::deque<std::pair<model::Sequence, RecordId>> in_flight;
    model::Sequence confirmed = 0;
  };

  model::LaneIndex index_;
  const Rules& rules_;
  uint64_t frame_number_ = 0;
  std::map<model::StreamId, model::Sequence> sequences_;
  std::map<std::pair<model::SystemId, model::StreamId>, Flow> flows_;
  std::map<model::SystemId, uint32_t> epochs_;
};

}  // namespace syncline::core
