// A system's log, to be read. One implementation per driver; all pass tests/conformance.
//
// Threads: one at a time per Source. Errors: kSystemBusy (try again), kSystemOpen, kSystemLost (the
// log has a gap: re-sync), kSystemWentBack (an older state of itself: likewise), kSystemSchema
// (naming the dataset, which alone stops), kValue.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "host/base/result.hpp"
#include "host/model/schema.hpp"
#include "host/ports/change_sink.hpp"
#include "host/ports/stop.hpp"

namespace syncline::ports {

struct RejectedRow {  // a record that is there, with a value that no type of ours can hold
  model::DatasetId dataset = 0;
  std::string key;  // joined; empty where the key itself is the reason
  Error error;
  bool is_record = true;  // false: no write of ours would find it (key_spelling.hpp)
};

// What becomes of a poll's place where it had nothing to show.
enum class QuietPlace : uint8_t {
  kAcknowledged,  // at once; a restart reads on from an earlier one
  // Of a system that keeps what was acknowledged last, by which a log that somebody else has moved
  // on is known: nothing is acknowledged there that a restart does not know.
  kLeft,  // neither acknowledged nor journalled: a later one is given
  kKept,  // journalled, then acknowledged
};

struct PollResult {
  size_t row_count = 0;
  bool has_more = false;             // call again at once
  std::vector<DatasetStop> stopped;  // e.g. a mapped column was dropped
  // The table was rebuilt, or goes on after a stop: read it whole, compare.
  std::vector<model::DatasetId> rescan;
  std::vector<RejectedRow> rejected;  // for quarantine; acknowledged with the rest
  std::vector<Error> notices;         // of what was noticed and goes on: each told once
  QuietPlace quiet_place = QuietPlace::kAcknowledged;
};

struct SnapshotChunk {
  std::string cursor;  // hand back to read on; empty: this was the last chunk
  size_t row_count = 0;
  std::vector<RejectedRow> rejected;  // they exist all the same
  // The rows are right, but were not read where the config says, or waited long there, and why:
  // told once for each time.
  std::optional<Error> notice;
};

class Source {
 public:
  virtual ~Source() = default;

  // What layout() gave in an earlier life, if anything: what was made otherwise since is told by a
  // poll as a rescan. Called before open.
  virtual void compare_with(const std::string& /*layout*/) {}

  // Sets up what reading needs (triggers, slots), resumes behind `position` (start: from now on).
  // Without it only read_snapshot and read_records may be called, which then change nothing.
  virtual Result<void> open(const model::Position& position) = 0;

  // Reads whole transactions behind the last one read, at most about row_limit rows, waiting no
  // longer than wait_ms for the first.
  virtual Result<PollResult> poll(ChangeSink& sink, size_t row_limit, int wait_ms) = 0;

  // Everything up to here is durable on our side: the system may forget it.
  virtual Result<void> acknowledge(const model::Position& position) = 0;

  // The place in the log that a snapshot begun now is consistent with.
  virtual Result<model::Position> current_position() = 0;

  // Whether polls have told all that the log held at this place, which current_position gave.
  // Nothing: a poll that leaves no more has. REQUIRES: open.
  virtual Result<std::optional<bool>> has_told(const model::Position& /*position*/) {
    return std::optional<bool>();
  }

  // One chunk of a dataset's rows in key order behind cursor (empty: from the start), each as a
  // kSnapshot row, in one transaction of the sink.
  virtual Result<SnapshotChunk> read_snapshot(model::DatasetId dataset, const std::string& cursor,
                                              size_t row_limit, ChangeSink& sink) = 0;

  // About how many rows a dataset has, cheaply, for the order and the progress of a first sync; 0
  // where there are none or nobody knows. REQUIRES: open.
  virtual Result<uint64_t> estimate_rows(model::DatasetId /*dataset*/) { return uint64_t{0}; }

  // Reads single records by key, as kSnapshot rows; keys that are not there give none. Returned:
  // those that are there, but with a value that no type of ours can hold.
  virtual Result<std::vector<RejectedRow>> read_records(model::DatasetId dataset,
                                                        std::span<const std::string> keys,
                                                        ChangeSink& sink) = 0;

  // What is not yet acknowledged, for lag and alarms.
  struct Lag {
    uint64_t bytes = 0;
    uint64_t rows = 0;
    int64_t oldest_us = 0;        // commit time of the oldest; 0: nothing waits
    uint64_t retained_bytes = 0;  // of its log that the system keeps because of us
    // Beyond SystemConfig::log_pause_bytes: what else keeps it, with its name; empty: not known.
    std::string held_by;
    std::optional<Error> withheld;  // there is more, but the system does not show it, and why
  };
  virtual Result<Lag> lag() = 0;

  // How the tables are made as far as the log does not tell it: a column that is filled anew, a
  // partition that comes. As of what polls have told to be read of it, to be kept behind that.
  // Opaque; empty: not known yet, or the log tells all.
  virtual const std::string& layout() const {
    static const std::string kNone;
    return kNone;
  }
};

}  // namespace syncline::ports
