// Capture: drives one system's Source and lays out what it reads as batches, one a dataset.
//
// Owner: the Source belongs to the caller and outlives the capture. Threads: one at a time.
// Errors: those of the Source. A key that changed inside a row becomes a delete of the old key and
// an insert of the new one, in that order.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/result.hpp"
#include "host/model/batch.hpp"
#include "host/ports/source.hpp"

namespace syncline::capture {

struct CapturedMarker {
  uint32_t ordinal = 0;  // its place among all rows and markers of this poll
  std::string appliance;
  uint32_t epoch = 0;
  model::StreamId stream = 0;
  model::LaneIndex lane = 0;
  model::Sequence sequence = 0;
  bool is_quiet = false;     // its transaction's rows, all ours, are not shown
  uint32_t begin = 0;        // the place where its transaction begins
  model::Position position;  // its transaction's
  model::Position before;    // of the transaction before it; start: it is the first
};

enum class Kind : uint8_t {
  kLog,        // the system's log
  kFirstSync,  // a chunk of a first sync: its rows are older than everything in any log
  kRescan,     // rows as they stand now, of a dataset that is live
};

// Whole transactions of one system, from one poll: the unit of acknowledgement.
struct Captured {
  Kind kind = Kind::kLog;
  model::SystemId system = 0;
  model::Position position;  // of the last transaction; start if nothing was read
  int64_t arrival_us = 0;
  std::vector<model::Batch> batches;
  std::vector<CapturedMarker> markers;
  size_t rows_left_out = 0;  // that were read, and are not to be taken
  ports::QuietPlace quiet_place = ports::QuietPlace::kAcknowledged;
  std::string snapshot_cursor;  // where to read the next chunk; empty: this was the last
  std::optional<Error> notice;  // of a chunk: see ports::SnapshotChunk
  ports::PollResult result;

  bool is_empty() const { return batches.empty() && markers.empty(); }
  size_t row_count() const;
  size_t size_bytes() const;  // of the rows' cells
};

// A stretch of a poll: what lies before a place where a transaction begins, and ends at `position`.
struct Stretch {
  uint32_t end = 0;
  model::Position position;
};
// The stretches, in order, and what is left behind the last, to which what the poll told beside
// rows belongs. Those with nothing in them are left out, the last is not.
std::vector<Captured> cut(Captured&& captured, std::span<const Stretch> stretches,
                          size_t lane_count);

class Capture {
 public:
  Capture(model::SystemId system, ports::Source& source,
          const std::vector<const model::Schema*>& schemas, size_t lane_count, Clock& clock);
  ~Capture();

  // Where systems number records, a key is its record's for good: one whose row goes, to
  // another key or for good, in the transaction that brings another row to its own is updated.
  // Elsewhere it ends, and begins anew with that row. Before anything is read.
  void never_renew(model::DatasetId dataset);

  // Transactions up to here are passed over: a log may give again what was read before, after a
  // restart or a new connection. run_once moves it on.
  void resume_behind(const model::Position& position);

  Result<Captured> run_once(size_t row_limit, int wait_ms);
  // One chunk of a dataset in key order. kind: kFirstSync or kRescan.
  Result<Captured> read_snapshot(Kind kind, model::DatasetId dataset, const std::string& cursor,
                                 size_t row_limit);
  // Single records as they stand now (kRescan).
  Result<Captured> read_records(model::DatasetId dataset, std::span<const std::string> keys);

  ports::Source& source() { return source_; }
  model::SystemId system() const { return system_; }

 private:
  class Sink;
  Captured finish(Kind kind, ports::PollResult&& result);

  model::SystemId system_;
  ports::Source& source_;
  Clock& clock_;
  std::unique_ptr<Sink> sink_;
};

}  // namespace syncline::capture
