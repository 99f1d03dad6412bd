// Delivery: one target's scheduler. It reads the journal with a cursor of its own, collapses what
// waits for one record, writes marked transactions, sorts errors and names what a target will not
// take.
//
// What it never does: append to the journal. An entry that the target refuses is reported through
// take_skips(); the pipeline journals it, and delivery goes on past it when its cursor meets that
// skip, committed.
//
// Owner: targets, pool, journal, clock outlive it. Threads: run_once from one thread; pause, resume
// and stats from any. Errors of run_once: kMarkerMoved, kSystemWentBack (this target stops),
// kDamaged; everything that may pass by itself is retried inside with jittered backoff and shows in
// stats. A dataset that the target cannot take, and a row that somebody holds there, hold up only
// their own stream or flow; so does a pause, and of what waits so no more is kept than of the rest.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "host/base/clock.hpp"
#include "host/base/random.hpp"
#include "host/base/work_pool.hpp"
#include "host/journal/journal.hpp"
#include "host/ports/target.hpp"

namespace syncline::delivery {

struct Options {
  model::SystemId target = 0;
  uint32_t epoch = 1;
  size_t lane_count = model::kLaneCountDefault;
  std::vector<const model::Schema*> schemas;  // of the datasets written to this target
  size_t batch_entries_max = 2048;            // of one marked transaction
  size_t first_sync_share = 4;                // so many times more where nobody waits for them
  size_t share_entries_min = 512;             // that are worth one more connection's transaction
  WorkPool* pool = nullptr;                   // writes through several side by side; or in turn
  size_t pending_entries_max = 65536;         // read ahead of the target
  size_t pending_bytes_max = 32u << 20;       // likewise
  // What the target refused before this start: it waits for its skip, which stands behind it in the
  // journal, though another batch might pass. One that is not read any more holds up nothing.
  std::map<std::pair<model::StreamId, model::LaneIndex>, std::vector<model::Sequence>> refused;
  // Whether what is behind this sequence may be written quietly (ports::WriteBatch); empty: never.
  std::function<bool(model::StreamId, model::LaneIndex, model::Sequence)> may_be_quiet;
  int64_t backoff_us_min = 2'000;
  int64_t backoff_us_max = 5'000'000;
};

struct Stats {
  uint64_t entries_read_total = 0;        // that this target did not hold yet
  uint64_t entries_delivered_total = 0;   // written, or superseded inside one transaction
  uint64_t entries_superseded_total = 0;  // of those: collapsed into a later one
  uint64_t entries_skipped_total = 0;
  uint64_t rows_written_total = 0;
  uint64_t transactions_total = 0;
  size_t connections = 1;  // that can be had
  uint64_t retries_total = 0;
  uint64_t pending_entries = 0;
  journal::GroupNumber cursor = 0;  // everything up to here has been applied or skipped
  // Likewise, or waits for another reason than the target's pace: a pause, a dataset that the
  // target cannot take, a row that somebody holds.
  journal::GroupNumber cursor_moving = 0;
  int64_t latency_us_last = 0;  // commit at the origin -> applied, of the last entry
  bool is_retrying = false;
  std::string last_error;
  std::map<model::DatasetId, std::string> stopped;  // the target cannot take them, and why
};

struct Delivered {  // one entry's way from its origin's commit to this target's commit
  int64_t commit_time_us = 0;
  int64_t applied_time_us = 0;
};

class Delivery {
 public:
  // targets: the connections that the target is written through, at least one.
  Delivery(const Options& options, std::vector<ports::Target*> targets, journal::Journal& journal,
           Clock& clock, Random& random);
  ~Delivery();

  // Opens the epoch at the target, probes what it applied, opens the cursor behind `after`. Returns
  // what was applied.
  Result<std::vector<ports::Checkpoint>> open(journal::GroupNumber after);

  // A bounded amount of work: reads on, writes at most one marked transaction a connection. Returns
  // whether there was anything to do.
  Result<bool> run_once();

  // Entries the target refused, to be journalled. Each is reported once.
  std::vector<model::Skip> take_skips();
  // Deliveries since the last call, for latency histograms.
  std::vector<Delivered> take_delivered();

  void pause(model::StreamId stream);
  void resume(model::StreamId stream);
  Stats stats() const;
  // Everything committed up to here needs this delivery no more.
  journal::GroupNumber cursor() const;
  // Microseconds until the next try after an error; 0: now.
  int64_t wait_us() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace syncline::delivery
