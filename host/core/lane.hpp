// The lane: a pure state machine that decides what one source transaction means for the records of
// one lane. Inputs in, a frame out.
//
// It does no I/O, reads no clock, draws no random number; the same inputs give the same frames on
// every appliance and in the simulator. Reads come before a step (needs(), RecordSet), writes after
// it (the frame). tests/model/core-model.py is its executable model: merge, change, confirm.
//
// A skip comes before the markers that pass it by: delivery goes on only when it is journalled. One
// skip names one entry; a collapsed run that is refused gives one for each of its entries.
//
// Threads: one at a time per Lane. Errors: none in a step; it cannot fail.
#pragma once

#include <map>
#include <memory_resource>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "host/core/flow.hpp"
#include "host/core/record.hpp"
#include "host/core/rules.hpp"
#include "host/model/fingerprint.hpp"
#include "host/model/frame.hpp"

namespace syncline::core {

inline constexpr int64_t kFutureLimitUs = 300'000'000;  // a time further ahead is clamped, reported
inline constexpr uint32_t kCorrectionRoundsMax = 3;

// A record as loaded for a step. values: accepted canonical cells by value field; loaded only where
// needs() asked for them.
struct LoadedRecord {
  RecordState state;
  std::optional<std::vector<model::Cell>> values;
  uint32_t place = 0;  // the running step's own
};

using RecordSet = std::unordered_map<RecordId, LoadedRecord, RecordIdHasher>;

enum class RowOp : uint8_t {
  kInsert,     // cells: every value field
  kUpdate,     // cells: those that changed at the system
  kDelete,     // cells: none
  kSnapshot,   // a row of a first sync: cells: every value field
  kMissing,    // the end of a first sync: this system does not have this record
  kRedeliver,  // write this record to this system again, whole (repair, retry of a quarantine)
  kOverwrite,  // the record takes the place of the one that this system has apart (apart.cpp)
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
  // From a reading of the table, not from the log: it may show writes of ours whose markers the log
  // has yet to show.
  bool is_read = false;
  int64_t commit_time_us = 0;
  int64_t time_resolution_us = 1;
  model::KeyHash moved_with = {};   // as an entry has it
  std::pmr::vector<RowCell> cells;  // of many rows in one piece of memory, where that pays
};

struct Marker {
  model::StreamId stream = 0;
  uint32_t epoch = 0;
  model::Sequence sequence = 0;
  bool is_quiet = false;  // the log shows no row of its transaction: it wrote what was sent
};

// From a peer's journal: the state it reached, to be joined with ours. Its fingerprints, of the
// peer's secret, are not used.
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

// What happened in a lane since it was made, for metrics.
struct Counters {
  uint64_t changes = 0;          // that a system's own users made
  uint64_t echoes_dropped = 0;   // rows that showed only what we wrote
  uint64_t corrections = 0;      // cells that a system stored otherwise than we wrote them
  uint64_t markers_ignored = 0;  // of another epoch, or of a sequence never given out
  uint64_t times_clamped = 0;    // commit times beyond the future limit
};

class Lane {
 public:
  // rules outlives the lane and changes only between steps. secret: of the fingerprints in inputs.
  Lane(model::LaneIndex index, const Rules& rules, const model::Secret& secret);

  // A marker says for all records at once what a system was shown: a state as it was stored learns
  // of the markers since only here. What it says of systems whose deliveries have begun anew since
  // is forgotten: what they were shown before is not known any more, and nothing is on its way.
  void bring_up_to_date(model::DatasetId dataset, RecordState& state) const;

  // The records that step(input) will touch. A row that shows just what we wrote touches none.
  // Values are asked for by value_needs once the states are loaded.
  std::vector<RecordId> needs(const Input& input) const;
  // REQUIRES: records holds every needs(input), brought up to date.
  std::vector<RecordId> value_needs(const Input& input, const RecordSet& records) const;

  // Decides. Changes the states (and loaded values) in records to those after the step.
  // REQUIRES: records holds every needs(input), with values for every value_needs(input).
  model::Frame step(const Input& input, RecordSet& records);

  // The epoch whose markers count for a system; markers of another are ignored, and what was in
  // flight in another is not any more.
  void set_epoch(model::SystemId system, uint32_t epoch);

  // Restart: takes over a frame that the journal holds, as step left it. The frames of a lane come
  // in order of their numbers. (The record images in it are the shadow's business.)
  void replay(const model::Frame& frame);

  // The lane's own small state (sequences, what is in flight, confirmations; no records), so that a
  // restart replays only the frames behind it. restore: kDamaged.
  std::string snapshot() const;
  Result<void> restore(std::string_view bytes);

  // What the next marker of a system speaks of, by sequence, as far as it is known:
  // visit(const Flow::Write&, const std::vector<SentPrint>&). walks: where the markers before it
  // have come to; new before the first.
  template <class Visit>
  void each_write(model::SystemId system, const Marker& marker, FlowWalks& walks,
                  const Visit& visit) const {
    if (!counts(system, marker)) return;
    const auto flow = flows_.find({system, marker.stream});
    if (flow != flows_.end()) walks.each(flow->second, marker.stream, marker.sequence, visit);
  }
  // Whether it speaks of more than each_write knows.
  bool has_unknown(model::SystemId system, const Marker& marker) const;
  // All that is on its way behind this sequence is known to each_write, after a restart too.
  model::Sequence known_behind(model::SystemId system, model::StreamId stream) const;
  // On its way, but refused: in quarantine, no marker of its own comes.
  std::vector<model::Sequence> skipped(model::SystemId system, model::StreamId stream) const;

  // What is in flight to a system at a (stream): for metrics and tests.
  size_t in_flight_count(model::SystemId system, model::StreamId stream) const;
  model::Sequence last_sequence(model::StreamId stream) const;
  model::Sequence confirmed(model::SystemId system, model::StreamId stream) const;
  std::vector<model::Confirmation> confirmations() const;  // where each of its flows stands
  uint64_t last_frame_number() const { return frame_number_; }
  const Counters& counters() const { return counters_; }

 private:
  friend class Step;
  using FlowId = std::pair<model::SystemId, model::StreamId>;

  const DatasetRules* rules_of(model::DatasetId dataset) const;
  uint32_t epoch_of(model::SystemId system) const;  // 0: none was set
  bool counts(model::SystemId system, const Marker& marker) const;
  enum class Limit : uint8_t { kBounded, kNone };
  void send_to_targets(const model::Entry& entry, const DatasetRules& rules, Limit limit);
  void send(const model::Entry& entry, const model::Schema& schema, model::SystemId target,
            uint64_t key_bits, size_t prints_max);
  void confirm(Flow& flow, model::Sequence sequence);

  model::LaneIndex index_;
  const Rules& rules_;
  model::Secret secret_;
  Counters counters_;
  uint64_t frame_number_ = 0;
  std::map<model::StreamId, model::Sequence> sequences_;
  std::map<FlowId, Flow> flows_;
  size_t print_count_ = 0;  // that the flows hold
  std::map<model::SystemId, uint32_t> epochs_;
  std::vector<model::SystemId> renewed_;  // whose epoch the next frame has to tell
};

}  // namespace syncline::core
