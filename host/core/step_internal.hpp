// One step of a lane, in three parts: cause (what did this change's writer know), resolve (which
// values stand), emit (what each system must be told).
//
// Threads: one; lives for one Lane::step.
#pragma once

#include <span>
#include <vector>

#include "host/core/lane.hpp"

namespace syncline::core {

// What a system was shown of a record at this place of its log.
struct Shown {
  uint64_t generation = 0;
  const RecordState* record = nullptr;
  const SystemView* view = nullptr;  // set while something is in flight to it
  model::SystemId own_only = 0;      // a system that we do not write to has seen but its own

  const model::Version& version(size_t value) const;
};
Shown shown_to(const RecordState& record, const SystemRole& role);

// Whether accepted changes of this record go to this system.
bool takes_writes(const SystemRole& role, const RecordState& record);

// Whether this row says that its system writes the record's key otherwise than before.
bool is_renamed(const RecordState& state, const SystemRole& role, const Row& row,
                const DatasetRules& rules);

// Whether a write of ours whose marker was not read yet set this cell just so.
bool is_on_its_way(const RecordState& state, model::SystemId system, const RowCell& cell);

// Whether a reading met a record that we put there, before the log has shown the marker.
bool is_put_met_early(const RecordState& state, model::SystemId system, const Row& row,
                      const DatasetRules& rules);

// Whether what an insert met when it was refused may be gone, or the record's own, by now.
bool is_worth_a_try(const SystemView& view, model::Sequence refused);

// Whether a row may turn out to be another record than the one that its key names (apart.cpp).
bool may_clash(const RecordState& state, const DatasetRules& rules, const SystemRole& role,
               const Row& row);

// Whether a view says anything: something is in flight, or a first sync that goes on has been here.
bool is_kept(SystemView& view, const DatasetRules& rules);

// One cell on its way into a record; the bytes borrow from the input.
struct ArrivingCell {
  model::FieldIndex field = 0;
  model::CellView cell;
  uint64_t fingerprint = 0;
  model::Version version;
  model::Version base;
  // Filled in by resolve:
  bool is_accepted = false;
  model::Version replaced;  // the version accepted before, if this one is
};

// A change of one record, with its writer's knowledge worked out.
struct Arriving {
  model::SystemId system = 0;
  uint64_t generation = 0;                // the life it was made in
  std::vector<ArrivingCell> cells;        // by field
  std::vector<model::FieldIndex> unseen;  // accepted cells that a delete's writer had not seen
  model::ConflictType conflict_type = model::ConflictType::kUpdateOriginDiffers;
  int64_t commit_time_us = 0;
  model::KeyHash moved_with;

  // Begins another change in the memory of the last.
  void begin(model::SystemId writer, model::ConflictType type, int64_t commit_us);
  ArrivingCell& add(model::FieldIndex field, const model::CellView& cell, uint64_t fingerprint);
};

// A record that this step has touched.
struct Touched {
  RecordId id;
  std::string_view key;  // empty: only a marker has named it so far
  LoadedRecord* loaded = nullptr;
  const DatasetRules* rules = nullptr;
  bool is_dirty = false;    // its state is not what it was
  model::CellList changed;  // accepted by this step, by field
  // What a marker of this step showed to have been written, for the rows behind it.
  std::vector<SentCell> written;  // by field
  uint64_t written_generation = 0;

  RecordState& state() const { return loaded->state; }
  size_t value_index(model::FieldIndex field) const { return field - rules->schema->key_count; }
  model::FieldIndex field_at(size_t value_index) const {
    return static_cast<model::FieldIndex>(value_index + rules->schema->key_count);
  }
  const model::EntryCell* find_changed(model::FieldIndex field) const;
  // REQUIRES: this step changed the field, or the record's values are loaded.
  model::CellView accepted_value(model::FieldIndex field) const;
};

model::ConflictSide side(const model::Version& version, const model::CellView& cell);
// REQUIRES: as accepted_value.
model::ConflictSide accepted_side(const Touched& record, model::FieldIndex field);

// Of a write to one system only.
inline std::span<const model::SystemId> alone(const SystemRole& role) {
  return {&role.system, 1};
}

class Step {
 public:
  Step(Lane& lane, const Input& input, RecordSet& records);
  model::Frame run();

 private:
  void tell_epochs();
  // Cause (step.cpp).
  void take(const Row& row);
  void take(Touched& record, const SystemRole& role, const Row& row);
  void take(const Marker& marker);  // confirm.cpp
  void take(const Joined& joined);
  void note_unseen(const Touched& record, Arriving& arriving);
  void take(const model::Skip& skip);
  void follow_up(const model::Skip& skip);
  void take_change(Touched& record, const SystemRole& role, const Row& row);
  void refuse_update(const Touched& record, const Arriving& arriving);
  void take_delete(Touched& record, const SystemRole& role, const Row& row);
  bool compare_with_written(Touched& record, const Row& row, const RowCell& cell);
  void correct(Touched& record, const Row& row, const RowCell& cell, SentCell& sent);
  void set_versions(Touched& record, const Shown& shown, const Row& row, Arriving& arriving);

  // Keys (keys.cpp).
  enum class KeyNews : uint8_t { kNone, kOthersUnderWay };  // writes under the key as it was
  static KeyNews note_key(Touched& record, const SystemRole& role, const Row& row);
  static std::string key_for(Touched& record, const SystemRole& role);

  // Apart (apart.cpp).
  static bool clashes(const Touched& record, const SystemRole& role, const Row& row);
  void set_apart(Touched& record, const SystemRole& role, const Row& row);
  void find_done(Touched& record, const Row& row);
  void end_apart(Touched& record, const SystemRole& role);
  void take_apart(Touched& record, const SystemRole& role, const Row& row);
  void pass_over_inserts(Touched& record, const SystemRole& role);
  void begin_anew(Touched& record, const SystemRole& role, const Row& row);
  void join_this_life(Touched& record, const Row& row);
  static bool is_of_ended(const Touched& record, const Arriving& arriving);
  void lose_change(const Touched& record, const Arriving& arriving);
  void make_up_for(Touched& record, const SystemRole& role);
  void overwrite(Touched& record, const SystemRole& role);
  void skip(const Touched& record, model::SystemId target, InFlight& write);
  void forget_refused(const Touched& record, const SystemRole& role);
  void pass_over(const Touched& record, model::SystemId target, model::Sequence sequence);

  // Confirm (confirm.cpp).
  void confirm(Touched& record);

  // First sync (first_sync.cpp).
  // Of a first sync: a record that others, or an earlier sync, made known; or one that this
  // system itself has shown since the sync began.
  enum class Reading : uint8_t { kOfKnown, kOfItsOwn };
  void take_snapshot(Touched& record, const SystemRole& role, const Row& row);
  void add_snapshot_cell(Touched& record, const SystemRole& role, const Row& row,
                         const RowCell& cell, Reading reading);
  void write_back(Touched& record, const SystemRole& role, const Arriving& arriving);
  void end_snapshot(Touched& record, const SystemRole& role, const Row& row);
  void take_missing(Touched& record, const SystemRole& role);
  void redeliver(Touched& record, const SystemRole& role);
  void mark_read(Touched& record, const SystemRole& role);
  void take_first_reading(Touched& record, const SystemRole& role, const Row& row);
  static bool is_unread(const Touched& record, const SystemRole& role);
  static bool is_read_by(const Touched& record, const SystemRole& role, const Row& row);
  static bool is_made_again(Touched& record, const SystemRole& role);

  // Resolve (resolve.cpp).
  void merge(Touched& record, Arriving& arriving);
  bool accept_cells(Touched& record, Arriving& arriving);
  // cell_count: of the change that the cell is of.
  static void accept(Touched& record, ArrivingCell& cell, size_t cell_count);
  void decide_existence(Touched& record, const Arriving& arriving);
  void compare_cell(Touched& record, const Arriving& arriving, const ArrivingCell& cell);
  void add_conflict(const Touched& record, model::FieldIndex field, model::ConflictType type,
                    model::ConflictOutcome outcome, model::ConflictSide winner,
                    model::ConflictSide loser);
  static bool is_met(const Touched& record, const ArrivingCell& cell);
  static void meet(Touched& record, const ArrivingCell& cell);

  // Emit (emit.cpp).
  void emit(Touched& record, const Arriving& arriving, uint64_t old_generation);
  void show_before(Touched& record, const Arriving& arriving, uint64_t old_generation,
                   const SystemRole& role);
  static model::EntryKind whole_kind(const Touched& record, const SystemRole& role);
  model::EntryCell accepted_cell(const Touched& record, model::FieldIndex field) const;
  model::CellList full_cells(const Touched& record) const;
  void write(Touched& record, model::EntryKind kind, model::CellList cells,
             std::span<const model::SystemId> targets, int64_t commit_time_us);
  void write_as(Touched& record, std::string_view key, model::EntryKind kind, model::CellList cells,
                std::span<const model::SystemId> targets, int64_t commit_time_us);

  SystemView& make_view(Touched& record, const SystemRole& role) const;
  Touched& touch(const RecordId& id, const DatasetRules& rules, std::string_view key);
  void finish(Touched& record);

  Lane& lane_;
  const Input& input_;
  RecordSet& records_;
  model::Frame frame_;
  std::vector<Touched> touched_;  // by first touch; never grows beyond its capacity
  Arriving arriving_;             // the change being taken in, and a correction found meanwhile:
  Arriving corrected_;            // kept for their memory
};

}  // namespace syncline::core
