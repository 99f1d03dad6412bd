// The pipeline: the only driver of the order of truth. It turns what captures read into accepted
// frames in the journal:
//
//   fingerprint + detect (engine)  ->  lanes step  ->  journal append  ->  tables take the delta
//   ->  commit: one fdatasync  ->  shadow takes over, source positions may be acknowledged
//
// Nothing is acknowledged, shown to deliveries or reported before the commit that makes it true.
//
// Threads: process, process_skips and checkpoint from one thread (the step thread); commit from one
// other or the same; take_acknowledgement, counters and held_deletes from any. With a pool the
// lanes of one poll are stepped side by side; the frames are the same.
// Errors: those of journal, shadow and engines; kStorageSync means that the process must stop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/disk.hpp"
#include "host/base/work_pool.hpp"
#include "host/capture/capture.hpp"
#include "host/core/lane.hpp"
#include "host/dispatch/dispatcher.hpp"
#include "host/journal/journal.hpp"
#include "host/state/fingerprint_table.hpp"
#include "host/state/shadow.hpp"

namespace syncline::pipeline {

struct Options {
  std::string appliance;
  size_t lane_count = model::kLaneCountDefault;
  WorkPool* pool = nullptr;  // null: lanes are stepped on the calling thread
};

struct Dependencies {
  Clock& clock;
  Disk& disk;  // of the data folder: fingerprint tables
  dispatch::Dispatcher& dispatcher;
  journal::Journal& journal;
  state::Shadow& shadow;
  const core::Rules& rules;
  engine::Secret secret;
};

struct Counters {
  uint64_t rows_captured_total = 0;
  uint64_t rows_same_total = 0;  // showed nothing new
  uint64_t changes_total = 0;    // changes that systems' users made
  uint64_t entries_total = 0;
  uint64_t conflicts_total = 0;
  uint64_t echoes_dropped_total = 0;
  uint64_t corrections_total = 0;
  uint64_t markers_ignored_total = 0;
  uint64_t times_clamped_total = 0;
  uint64_t skips_total = 0;
};

// A stretch of a peer's journal.
struct PeerEntries {
  model::SystemId peer = 0;
  model::Position position;                  // in the peer's journal, behind the stretch
  std::vector<const model::Entry*> entries;  // those for this appliance, in order; borrowed
};

// A system's deletes that the deletion guard holds: so many of so many records, and no more is
// taken of this dataset from this system until they are approved. From then on they wait for the
// scan that finds them.
struct HeldDeletes {
  model::SystemId system = 0;
  model::DatasetId dataset = 0;
  uint64_t lost = 0;
  uint64_t of = 0;
  bool is_approved = false;
};

// Rows of one system that are one record by the dataset's key.
struct TwinRows {
  model::DatasetId dataset = 0;
  model::KeyHash key_hash;
  std::vector<std::string> keys;  // joined; at first that of the row that is the record
};

class Pipeline {
 public:
  // Opens tables and lanes and replays the journal's frames above what each of them holds.
  static Result<std::unique_ptr<Pipeline>> open(const Options& options,
                                                const Dependencies& dependencies);
  virtual ~Pipeline() = default;

  // Where each source is to be read from on; start where the journal knows nothing of it.
  virtual model::Position position(model::SystemId system) const = 0;

  // A poll in the parts that process() is to be given one after the other, whole: no part has a row
  // of a record that a quiet transaction in it wrote.
  virtual std::vector<capture::Captured> parts(capture::Captured captured) const = 0;
  // One of those parts through detect and the lanes into the journal (not yet durable). If the
  // journal has no room (kStorageFull) what was decided waits, nothing else is taken, and
  // append_waiting() tries again; `captured` is then done with.
  virtual Result<void> process(const capture::Captured& captured) = 0;
  // REQUIRES of every process*: !is_waiting().
  virtual bool is_waiting() const = 0;
  virtual Result<void> append_waiting() = 0;
  // What a peer has accepted is joined with what is accepted here. Its position is journalled and
  // acknowledged as a source's is. A stretch may come again, and none may be left out before it.
  virtual Result<void> process_joined(const PeerEntries& read) = 0;
  // Entries that a target would not take.
  virtual Result<void> process_skips(std::span<const model::Skip> skips) = 0;
  // A source is read for the first time, or anew: what the tables know of an earlier reading is
  // forgotten, and the place that its log is read from is journalled and durable, so that a restart
  // in the midst of the first sync misses nothing of what follows.
  virtual Result<void> begin_reading(model::SystemId system, const model::Position& from) = 0;
  // The end of a first sync, lane by lane: every record that the accepted state has and the system
  // has not shown is put to it.
  virtual Result<void> process_missing(model::SystemId system, model::DatasetId dataset,
                                       model::LaneIndex lane) = 0;
  // A dataset read whole while it is live (capture::Kind::kRescan between the two): what a scan did
  // not show is gone from the system.
  virtual void begin_sweep(model::SystemId system, model::DatasetId dataset) = 0;
  virtual Result<void> process_sweep(model::SystemId system, model::DatasetId dataset) = 0;
  // The same where a first sync reads it: the deletion guard counts from there on. row_estimate: so
  // many records may come; 0: not known.
  virtual Result<void> begin_first_sweep(model::SystemId system, model::DatasetId dataset,
                                         size_t row_estimate) = 0;
  // These records are put to the system as accepted (verify --repair).
  virtual Result<void> process_redeliver(model::SystemId system, model::DatasetId dataset,
                                         std::span<const std::string> keys) = 0;
  // The record takes the place of another one of its number that the system has apart. False: the
  // record has ended, nothing was done.
  virtual Result<bool> process_overwrite(model::SystemId system, model::DatasetId dataset,
                                         const std::string& key) = 0;

  // What of the dataset's records the system has lost is let through; it is durable. REQUIRES: a
  // scan (begin_sweep to process_sweep) follows, which finds it, and ends the approval; until then
  // nothing is delivered of the dataset, so that the scan meets what was approved.
  virtual Result<void> approve_deletes(model::SystemId system, model::DatasetId dataset) = 0;
  virtual std::vector<HeldDeletes> held_deletes() const = 0;
  // For a stopped appliance: nothing is held any more.
  static Result<void> forget_held_deletes(state::Shadow& shadow, model::SystemId system,
                                          model::DatasetId dataset);

  // Of which keys the system is to be asked (Source::read_records), so that settle_twins can say
  // what they are. From any thread.
  virtual std::vector<TwinRows> twins_due(model::SystemId system) const = 0;
  // read: what is there under all these keys, of one look. A row that is there beside the record's
  // goes to quarantine, and nothing of it is taken before it is alone. Returns what is left of
  // them, of one key where they are no twins any more; not those of which more was heard meanwhile.
  using DescribeTwins = std::function<std::string(const TwinRows&)>;
  virtual Result<std::vector<TwinRows>> settle_twins(std::span<const TwinRows> due,
                                                     const capture::Captured& read,
                                                     const DescribeTwins& describe) = 0;
  // The dataset's twins are due. From any thread.
  virtual void look_at_twins(model::SystemId system, model::DatasetId dataset) = 0;

  // For a stopped appliance: the source is read from its start at the next open, whatever the
  // journal up to this group says of it.
  static Result<void> forget_position(state::Shadow& shadow, model::SystemId system,
                                      journal::GroupNumber up_to);

  // Makes all that was appended durable and hands it to the shadow.
  virtual Result<void> commit() = 0;
  // The position that may be acknowledged to a source now, once.
  virtual std::optional<model::Position> take_acknowledgement(model::SystemId system) = 0;

  // The epoch whose markers count for a system.
  virtual void set_epoch(model::SystemId system, uint32_t epoch) = 0;

  // Writes the state of up to lane_limit lanes that were checkpointed longest ago. A round of all
  // lanes ends with the shadow's flush; `items` (the deliveries' cursors) are stored with it, and
  // only then is there a group, returned, up to which neither lanes nor items need the journal.
  using Items = std::vector<std::pair<std::string, std::string>>;
  virtual Result<std::optional<journal::GroupNumber>> checkpoint(size_t lane_limit,
                                                                 const Items& items) = 0;

  // Groups up to here are needed by no lane, table or shadow; cursors may begin behind it.
  virtual journal::GroupNumber released() const = 0;

  virtual Counters counters() const = 0;
  // Fields that systems never agreed on and that each keeps as its own, since the last call: one
  // cell of each (dataset, field, system), once in a run.
  virtual std::vector<model::LocalCell> take_locals() = 0;
  virtual size_t in_flight_count(model::SystemId system) const = 0;
  virtual size_t in_flight_count(model::SystemId system, model::StreamId stream) const = 0;
  // What is behind this sequence may be written quietly: what it sets stays known until its marker
  // comes. Of entries that are committed; from any thread.
  virtual model::Sequence known_behind(model::SystemId system, model::StreamId stream,
                                       model::LaneIndex lane) const = 0;
  // Entries that the system refused and whose markers have not come: delivery must not write them,
  // wherever it begins (delivery::Options::refused). From the pipeline's thread.
  virtual std::vector<model::Sequence> skipped(model::SystemId system, model::StreamId stream,
                                               model::LaneIndex lane) const = 0;
  virtual model::Sequence last_sequence(model::StreamId stream, model::LaneIndex lane) const = 0;
  virtual model::Sequence confirmed(model::SystemId system, model::StreamId stream,
                                    model::LaneIndex lane) const = 0;
  virtual size_t table_size_bytes() const = 0;
  // Of the frames that the next commits take over, nearly.
  virtual size_t uncommitted_bytes() const = 0;
  virtual size_t table_record_count(model::SystemId system, model::DatasetId dataset) const = 0;
};

}  // namespace syncline::pipeline
